// Figures to point at, to draw over another axis of training and to choose from, and a table of measurements to filter.
// All data stand in the page (embryology/figures/chart.py writes them): no server, no network. Without this script, and
// in browsers that cannot unpack them, figures stand as they are.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const NEAR = 24; // pixels from a point at which it is said
  const MOST_CHOSEN = 6, MOST_ROWS = 100, MOST_CURVES = 8;

  // ---- elements, numbers, scales

  function make(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function svg(name, attributes = {}, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  async function unpack(element) {
    const bytes = Uint8Array.from(atob(element.textContent), (each) => each.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  const known = (value) => value !== null && value !== undefined;
  const said = (value) => (Number.isInteger(value) ? value.toLocaleString("en")
    : value.toLocaleString("en", { maximumSignificantDigits: 4 }));

  function short(value) {
    for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
    }
    return `${Number(value.toPrecision(4))}`;
  }

  // From a value to its place between the ends of an axis, as matplotlib's scales of the same names.
  function scale({ kind, limits: [low, high], linear, wide }) {
    const symlog = (value) => (Math.abs(value) <= linear ? value * wide / 0.9
      : Math.sign(value) * linear * (wide / 0.9 + Math.log10(Math.abs(value) / linear)));
    const forward = { log: Math.log10, symlog }[kind] || ((value) => value);
    return (value) => (forward(value) - forward(low)) / (forward(high) - forward(low));
  }

  function round(low, high) {
    const rough = (high - low) / 4 || 1, size = 10 ** Math.floor(Math.log10(rough));
    const by = [1, 2, 5, 10].map((each) => each * size).find((each) => each >= rough * 0.999);
    const ticks = [];
    for (let at = Math.ceil(low / by) * by; at <= high + by / 1e6; at += by) ticks.push(Number(at.toPrecision(12)));
    return ticks;
  }

  function plain(values, room = 0.04) {
    const low = Math.min(...values), high = Math.max(...values), more = room * (high - low) || 0.5;
    return { kind: "linear", limits: [low - more, high + more], ticks: round(low, high).map((at) => [at, short(at)]) };
  }

  // Linear up to the first checkpoint after 0, then logarithmic, as in the figures.
  function overTraining(values) {
    const at = [...new Set(values)].sort((one, other) => one - other), positive = at.filter((each) => each > 0);
    if (positive.length < 2) return plain(values);
    const first = positive[0], last = positive[positive.length - 1], ticks = at[0] === 0 ? [0, first] : [first];
    for (let power = Math.ceil(Math.log10(2 * first)); 10 ** power <= 1.1 * last; power += 1) ticks.push(10 ** power);
    const low = at[0] === 0 ? -0.15 * first : 0.9 * first;
    const named = ticks.map((each) => [each, short(each)]);
    return { kind: "symlog", limits: [low, 1.15 * last], linear: first, wide: 0.4, ticks: named };
  }

  // A value on one scale, linear between points of (from, to), and as at an end beyond it.
  function moved(value, from, to) {
    if (!known(value)) return value;
    let above = from.findIndex((each) => each >= value);
    if (above === 0 || from.length === 1) return to[0];
    if (above < 0) return to[to.length - 1];
    const share = (value - from[above - 1]) / (from[above] - from[above - 1] || 1);
    return to[above - 1] + share * (to[above] - to[above - 1]);
  }

  // ---- drawing

  const dashed = (line) => (line.dashes?.length ? { "stroke-dasharray": line.dashes.join(" ") } : {});
  const finite = (line) => line.y.map((_, i) => i).filter((i) => known(line.x[i]) && known(line.y[i]));

  // Panels as SVG, in points, in the places that they have in the figure.
  function drawing({ size, panels }, says) {
    const wide = 72 * size[0], high = 72 * size[1];
    const bottom = Math.max(...panels.map(({ box }) => box[1] + box[3])) * high + 42;
    const made = svg("svg", { viewBox: `0 0 ${wide} ${bottom}`, role: "img", "aria-label": says, class: "embryology-drawn" });
    for (const { title, labels, box, x, y, lines } of panels) {
      const [left, top, width, height] = [box[0] * wide, box[1] * high, box[2] * wide, box[3] * high];
      const [toX, toY] = [scale(x), scale(y)];
      const px = (value) => left + width * toX(value), py = (value) => top + height * (1 - toY(value));
      const clip = `clip-${Math.round(left)}-${Math.round(top)}-${Math.random().toString(36).slice(2)}`;
      made.append(svg("clipPath", { id: clip }));
      made.lastChild.append(svg("rect", { x: left, y: top - 3, width: width + 3, height: height + 6 }));
      for (const [at, label] of x.ticks) {
        made.append(svg("line", { class: "grid", x1: px(at), x2: px(at), y1: top, y2: top + height }));
        made.append(svg("text", { x: px(at), y: top + height + 14, "text-anchor": "middle" }, label));
      }
      for (const [at, label] of y.ticks) {
        made.append(svg("line", { class: "grid", x1: left, x2: left + width, y1: py(at), y2: py(at) }));
        made.append(svg("text", { x: left - 5, y: py(at) + 3.5, "text-anchor": "end" }, label));
      }
      made.append(svg("text", { x: left, y: top - 6 }, title));
      made.append(svg("text", { x: left + width / 2, y: top + height + 30, "text-anchor": "middle" }, labels[0]));
      const middle = top + height / 2, turned = `rotate(-90 ${left - 36} ${middle})`;
      made.append(svg("text", { x: left - 36, y: middle, "text-anchor": "middle", transform: turned }, labels[1]));
      const inside = svg("g", { "clip-path": `url(#${clip})` });
      for (const line of lines) {
        const look = { stroke: line.colour, "stroke-width": line.width, fill: "none", ...dashed(line) };
        if (known(line.level)) {
          inside.append(svg("line", { ...look, x1: left, x2: left + width, y1: py(line.level), y2: py(line.level) }));
          continue;
        }
        const there = finite(line), banded = there.filter((i) => known(line.low?.[i]) && known(line.high?.[i]));
        if (line.across) {
          for (const i of banded) {
            const ends = { x1: px(line.low[i]), x2: px(line.high[i]), y1: py(line.y[i]), y2: py(line.y[i]) };
            inside.append(svg("line", { ...look, ...ends, "stroke-width": 2, "stroke-dasharray": "none" }));
          }
        } else if (banded.length > 1) {
          const edge = (end, places) => places.map((i) => `${px(line.x[i])},${py(line[end][i])}`);
          const points = [...edge("low", banded), ...edge("high", [...banded].reverse())].join(" ");
          inside.append(svg("polygon", { points, fill: line.colour, "fill-opacity": 0.22 }));
        }
        const points = there.map((i) => `${px(line.x[i])},${py(line.y[i])}`).join(" ");
        if (line.dashes) inside.append(svg("polyline", { ...look, points }));
        if (line.mark) {
          for (const i of there) inside.append(svg("circle", { cx: px(line.x[i]), cy: py(line.y[i]), r: 1.9, fill: line.colour }));
        }
      }
      made.append(inside);
    }
    return made;
  }

  function legend(panels) {
    const lines = new Map(panels.flatMap((panel) => panel.lines).map((line) => [line.label, line]));
    return make("ul", { class: "embryology-legend" }, ...[...lines].map(([label, line]) => {
      const mark = svg("svg", { viewBox: "0 0 30 8", width: 30, height: 8, "aria-hidden": "true" });
      mark.append(svg("line", { x1: 1, x2: 29, y1: 4, y2: 4, stroke: line.colour, "stroke-width": line.width, ...dashed(line) }));
      return make("li", {}, mark, ` ${label}`);
    }));
  }

  // ---- a figure

  class Chart {
    constructor(figure, data) {
      Object.assign(this, { figure, data, by: data.by, chosen: null, at: null });
      this.picture = figure.querySelector("img");
      this.region = this.picture.parentElement;
      this.status = make("output", { class: "embryology-said", "aria-live": "polite" });
      this.ring = make("span", { class: "embryology-ring", "aria-hidden": "true" });
      this.canvas = make("div", { class: "embryology-canvas" });
      this.region.append(this.canvas);
      this.canvas.append(this.picture, this.ring);
      this.region.after(this.status);
      this.canvas.addEventListener("pointermove", (event) => this.point(event));
      this.canvas.addEventListener("pointerdown", (event) => this.point(event));
      this.canvas.addEventListener("pointerleave", () => this.say(null));
      this.region.addEventListener("keydown", (event) => this.key(event));
      this.controls = make("div", { class: "embryology-controls" });
      this.region.before(this.controls);
      this.offerAxes();
      if (data.choices) this.offerChoices();
      this.say(null);
    }

    table(line) {
      return this.data.training[line.series] || Object.values(this.data.training)[0];
    }

    offerAxes() {
      const { training, axes, panels, by } = this.data;
      if (!training) return;
      const lines = panels.filter((panel) => panel.training).flatMap((panel) => panel.lines).filter((line) => line.x);
      const all = Object.keys(axes).filter((name) => lines.every((line) => this.table(line)[name] && this.table(line)[by]));
      if (lines.length === 0 || all.length < 2) return;
      this.buttons = all.map((name) => make("button", {
        type: "button", "data-axis": name, "aria-pressed": name === by,
        onclick: () => { this.by = name; this.draw(); },
      }, axes[name]));
      this.controls.append(make("span", { role: "group", "aria-label": "Draw over" }, "Over ", ...this.buttons));
    }

    offerChoices() {
      const { of, labels, first } = this.data.choices, list = `choices-${this.figure.id}`;
      this.chosen = [...first];
      this.search = make("input", { type: "search", list, "aria-label": `Choose a ${of}`, placeholder: `choose a ${of}` });
      this.search.addEventListener("change", () => {
        const found = labels.indexOf(this.search.value);
        if (found >= 0 && !this.chosen.includes(found)) this.chosen = [...this.chosen, found].slice(-MOST_CHOSEN);
        if (found >= 0) { this.search.value = ""; this.draw(); }
      });
      this.chips = make("span");
      this.controls.append(
        make("datalist", { id: list }, ...labels.map((label) => make("option", { value: label }))), this.search, this.chips);
      this.showChips();
    }

    showChips() {
      this.chips.replaceChildren(...this.chosen.map((number) => {
        const label = this.data.choices.labels[number];
        const drop = () => { this.chosen = this.chosen.filter((each) => each !== number); this.draw(); };
        return make("button", { type: "button", title: "Remove from the figure", onclick: drop }, `${label} ×`);
      }));
    }

    // The panels as they are shown: with the items that were chosen, over the axis that was.
    panels() {
      let { panels } = this.data;
      const { choices, by, axes } = this.data;
      if (this.chosen) {
        const items = this.chosen.map((number, place) => ({
          label: choices.labels[number], x: choices.x, y: choices.y[number], width: 1.7, mark: true, series: null,
          colour: choices.colours[place % choices.colours.length], dashes: [],
        }));
        const [panel, ...others] = panels, rest = panel.lines.filter((line) => !choices.labels.includes(line.label));
        const values = [...items, ...rest].flatMap((line) => line.y || [line.level]).filter(known);
        const y = this.redrawn() ? plain(values) : panel.y;
        panels = [{ ...panel, y, lines: [...rest, ...items] }, ...others];
      }
      if (this.by === by) return panels;
      const over = (panel) => panel.lines.map((line) => {
        if (!line.x) return line;
        const { [by]: from, [this.by]: to } = this.table(line), move = (values) => values?.map((each) => moved(each, from, to));
        return { ...line, x: move(line.x), ...(line.across ? { low: move(line.low), high: move(line.high) } : {}) };
      });
      panels = panels.map((panel) => (panel.training ? { ...panel, lines: over(panel) } : panel));
      const all = panels.filter((panel) => panel.training).flatMap(({ lines }) => lines.flatMap((line) => line.x || [])).filter(known);
      const x = this.by === "nats" ? plain(all) : overTraining(all);
      const renamed = (labels) => [labels[0] && axes[this.by], labels[1]];
      return panels.map((panel) => (panel.training ? { ...panel, x, labels: renamed(panel.labels) } : panel));
    }

    redrawn() {
      return this.by !== this.data.by || (this.chosen && String(this.chosen) !== String(this.data.choices.first));
    }

    draw() {
      this.buttons?.forEach((button) => button.setAttribute("aria-pressed", button.dataset.axis === this.by));
      if (this.chosen) this.showChips();
      this.canvas.querySelectorAll("svg, ul").forEach((each) => each.remove());
      this.picture.hidden = this.redrawn();
      if (this.redrawn()) {
        const made = drawing({ size: this.data.size, panels: this.panels() }, this.picture.alt);
        made.style.minWidth = this.picture.style.minWidth;
        this.canvas.prepend(made, legend(this.panels()));
      }
      this.say(this.at = null);
    }

    // All points of the figure in pixels of what is shown.
    points() {
      const shown = this.canvas.querySelector("svg") || this.picture;
      const { left, top, width } = shown.getBoundingClientRect(), base = this.canvas.getBoundingClientRect();
      const unit = width / (72 * this.data.size[0]), [wide, high] = this.data.size.map((inch) => 72 * inch * unit);
      const [startX, startY] = [left - base.left, top - base.top];
      return this.panels().map((panel) => {
        const [toX, toY] = [scale(panel.x), scale(panel.y)], [x0, y0, w, h] = panel.box;
        const px = (value) => startX + wide * (x0 + w * toX(value)), py = (value) => startY + high * (y0 + h * (1 - toY(value)));
        const area = { left: startX + wide * x0, top: startY + high * y0, width: wide * w, height: high * h };
        const lines = panel.lines.map((line) => (line.x
          ? { line, points: finite(line).map((i) => ({ i, x: px(line.x[i]), y: py(line.y[i]) })) }
          : { line, level: py(line.level) }));
        return { panel, area, lines };
      });
    }

    words({ panel, line, i, cell }) {
      const title = panel.title.trim(), of = title ? `${title} · ` : "";
      if (cell) return `${of}${panel.labels[1]} ${cell.row}, ${panel.labels[0]} ${cell.column}: ${known(cell.value) ? (cell.value.length ? cell.value : said(cell.value)) : "nothing"}`;
      if (known(line.level)) return `${of}${line.label}: ${said(line.level)}`;
      const low = line.low?.[i], high = line.high?.[i], n = line.n?.[i];
      const value = line.across ? line.x[i] : line.y[i];
      const interval = known(low) || known(high)
        ? ` (95% interval ${known(low) ? said(low) : "open"} to ${known(high) ? said(high) : "open"})` : "";
      if (line.across) {
        const row = panel.y.ticks.find(([at]) => Math.abs(at - line.y[i]) < 0.5);
        return `${of}${row ? row[1] : ""}, ${line.label}: ${said(value)}${interval}`;
      }
      const tick = panel.x.ticks.find(([at]) => at === line.x[i]);
      const place = panel.training || !tick ? said(line.x[i]) : tick[1];
      const axis = panel.labels[0] || (panel.training ? this.data.axes?.[this.by] || "" : "");
      return `${of}${line.label}, ${axis} ${place}: ${said(value)}${interval}${known(n) ? `, n = ${said(n)}` : ""}`;
    }

    point(event) {
      const base = this.canvas.getBoundingClientRect(), x = event.clientX - base.left, y = event.clientY - base.top;
      let nearest = null, least = NEAR;
      const near = (far, found) => { if (far < least) { least = far; nearest = found; } };
      for (const { panel, area, lines } of this.points()) {
        const column = (x - area.left) / area.width, row = (y - area.top) / area.height;
        if (column < 0 || column > 1 || row < 0 || row > 1) continue;
        if (panel.map) {
          const along = ([from, to], share, count) => Math.min(count - 1, Math.floor(from + share * (to - from)));
          const j = along(panel.x.limits, column, panel.names[0].length), i = along(panel.y.limits, 1 - row, panel.names[1].length);
          near(0, { panel, cell: { row: panel.names[1][i], column: panel.names[0][j], value: panel.map[i][j] }, x, y });
        }
        for (const { line, points, level } of lines) {
          if (known(level)) near(Math.abs(y - level) + NEAR / 3, { panel, line, x, y: level });
          points?.forEach((point) => near(Math.hypot(x - point.x, y - point.y), { panel, line, ...point }));
        }
      }
      this.say(nearest);
    }

    // Left and right go along a line, up and down to the next one.
    key(event) {
      const [along, across] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] || [0, 0];
      if (event.key === "Escape") this.say(this.at = null);
      if (!along && !across) return;
      const lines = this.points().flatMap(({ panel, lines: all }) => all.map((each) => ({ panel, ...each }))).filter((each) => each.points?.length);
      if (!lines.length) return;
      event.preventDefault();
      const at = this.at || { line: across < 0 ? 0 : -Math.abs(across), i: along < 0 ? 0 : -Math.abs(along) };
      const line = Math.max(0, at.line + across) % lines.length, { points } = lines[line];
      this.at = { line, i: Math.min(Math.max(at.i + along, 0), points.length - 1) };
      const point = points[this.at.i];
      this.region.scrollLeft = Math.max(0, point.x - this.region.clientWidth / 2);
      this.say({ panel: lines[line].panel, line: lines[line].line, ...point });
    }

    say(found) {
      this.ring.hidden = !found;
      this.status.value = found ? this.words(found) : "";
      if (!found) return;
      this.ring.style.left = `${found.x}px`;
      this.ring.style.top = `${found.y}px`;
    }
  }

  async function start() {
    for (const element of document.querySelectorAll("figure > .embryology-chart")) {
      new Chart(element.parentElement, await unpack(element));
    }
  }

  window.embryology = { drawing, known, legend, make, overTraining, plain, said, unpack, MOST_CURVES, MOST_ROWS };
  if (typeof DecompressionStream === "undefined") return;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
