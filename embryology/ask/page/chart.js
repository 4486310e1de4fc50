// Values over training steps as SVG: linear up to the first step, then logarithmic, as in the book's figures.

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 640, NARROW = 340; // of the drawing, where the page is wide and on a phone
const LEFT = 56, RIGHT = 20, TOP = 24, BOTTOM = 214;
const BEFORE_FIRST = 0.4; // decades that the stretch from 0 to the first step takes

function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// Round numbers from `low` to `high`, some five of them.
function ticks(low, high) {
  const rough = (high - low) / 4, size = 10 ** Math.floor(Math.log10(rough));
  const by = [1, 2, 5, 10].map((each) => each * size).find((each) => each >= rough);
  const made = [];
  for (let at = Math.ceil(low / by) * by; at <= high + by / 1e6; at += by) made.push(Math.round(at / by) * by);
  return made;
}

class Chart {
  // label(step): how a step is said; onStep(step): where the reader clicked.
  constructor({ title, onStep, axis, form }) {
    Object.assign(this, { title, onStep, axis, form });
    this.element = svg("svg", { class: "ask-chart", role: "img" });
    this.width = WIDE;
    this.element.addEventListener("click", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.element.getScreenCTM().inverse());
      const near = (step) => Math.abs(this.x(step) - point.x);
      if (this.steps) this.onStep([...this.steps].sort((one, other) => near(one) - near(other))[0]);
    });
  }

  x(step) {
    const first = this.steps.find((each) => each > 0) || 1, last = this.steps[this.steps.length - 1];
    const place = (each) => (each <= first ? BEFORE_FIRST * each / first : BEFORE_FIRST + Math.log10(each / first));
    return LEFT + (this.width - LEFT - RIGHT) * (place(step) / (place(last) || 1));
  }

  // series: [{ name, values: Map step -> value, mark }]; at: the step that is shown elsewhere; low: the least end.
  draw({ steps, at, series, low = 0, high = 0, says }) {
    this.steps = steps;
    const space = this.element.parentElement?.clientWidth || WIDE;
    this.width = space < 480 ? NARROW : WIDE;
    this.element.setAttribute("viewBox", `0 0 ${this.width} 260`);
    const all = series.flatMap((each) => [...each.values.values()]);
    let bottom = Math.min(low, ...all), top = Math.max(high, ...all);
    if (top === bottom) top = bottom + 1;
    const lines = ticks(bottom, top);
    const y = (value) => BOTTOM - (BOTTOM - TOP) * ((value - bottom) / (top - bottom)), end = this.width - RIGHT;
    this.element.replaceChildren(svg("title", {}, says));
    this.element.setAttribute("aria-label", says);
    for (const value of lines) {
      this.element.append(svg("line", { class: value ? "ask-grid" : "ask-zero", x1: LEFT, x2: end, y1: y(value), y2: y(value) }));
      this.element.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, this.form(value)));
    }
    // The last step has its number, and each before it for which there is room.
    let left = Infinity;
    for (const step of [...steps].reverse()) {
      const text = step.toLocaleString("en"), half = 4 * text.length + 4, x = this.x(step);
      if (x + half > left) continue;
      left = x - half;
      this.element.append(svg("text", { x, y: BOTTOM + 18, "text-anchor": "middle" }, text));
    }
    this.element.append(svg("text", { x: (LEFT + end) / 2, y: BOTTOM + 38, "text-anchor": "middle" }, this.axis));
    this.element.append(svg("text", { x: 4, y: 14 }, this.title));
    this.element.append(svg("line", { class: "ask-at", x1: this.x(at), x2: this.x(at), y1: TOP - 4, y2: BOTTOM }));
    series.forEach(({ values }, number) => {
      const known = steps.filter((step) => values.has(step)), kind = `ask-series-${number}`;
      // Only neighbours are joined: between others there are checkpoints not yet asked.
      steps.forEach((step, i) => {
        const before = steps[i - 1];
        if (!values.has(step) || !values.has(before)) return;
        const ends = { x1: this.x(before), y1: y(values.get(before)), x2: this.x(step), y2: y(values.get(step)) };
        this.element.append(svg("line", { class: kind, ...ends }));
      });
      for (const step of known) {
        const x = this.x(step), center = y(values.get(step)), size = step === at ? 6 : 3.5;
        this.element.append(number
          ? svg("rect", { class: kind, x: x - size, y: center - size, width: 2 * size, height: 2 * size })
          : svg("circle", { class: kind, cx: x, cy: center, r: size }));
      }
    });
  }
}
