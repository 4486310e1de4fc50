// The table of all measurements of a page: filtered, counted, drawn where it is a few curves, and saved as CSV.
"use strict";
(() => {
  const { drawing, known, legend, make, overTraining, plain, said, unpack, MOST_CURVES, MOST_ROWS } = window.embryology;
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222", "#595959"];

  class Rows {
    // names: of columns that have few values, by which rows are filtered; codes: of each the place of a row's value in
    // its list; numbers: the columns that are numbers.
    constructor(place, { names, values, codes, numbers }) {
      Object.assign(this, { names, values, codes, numbers });
      this.count = codes[names[0]].length;
      this.chosen = Object.fromEntries(names.map((name) => [name, null]));
      this.selects = Object.fromEntries(names.map((name) => [name, make("select", { onchange: (event) => {
        this.chosen[name] = event.target.value === "" ? null : Number(event.target.value);
        this.show();
      } })]));
      const fields = names.map((name) => make("label", {}, `${name} `, this.selects[name]));
      this.said = make("p", { role: "status" });
      this.body = make("tbody");
      const heads = [...names, ...Object.keys(numbers)].map((name) => make("th", { scope: "col" }, name));
      const table = make("table", { class: "dataframe" }, make("thead", {}, make("tr", {}, ...heads)), this.body);
      this.picture = make("div", { class: "embryology-canvas" });
      const saving = make("button", { type: "button", onclick: () => this.save() }, "Save these rows (CSV)");
      place.append(make("div", { class: "embryology-controls" }, ...fields), this.said, this.picture,
        make("div", { class: "embryology-rows-shown", tabindex: 0, role: "region", "aria-label": "measurements" }, table), saving);
      this.show();
    }

    // Rows that all filters let through, but for that of one column.
    rows(but = null) {
      const filters = this.names.filter((name) => name !== but && this.chosen[name] !== null);
      const found = [];
      for (let row = 0; row < this.count; row += 1) {
        if (filters.every((name) => this.codes[name][row] === this.chosen[name])) found.push(row);
      }
      return found;
    }

    cells(row) {
      return [...this.names.map((name) => this.values[name][this.codes[name][row]]), ...Object.values(this.numbers).map((of) => of[row])];
    }

    show() {
      for (const name of this.names) {
        const there = [...new Set(this.rows(name).map((row) => this.codes[name][row]))].sort((one, other) => one - other);
        const options = there.map((code) => make("option", { value: code }, String(this.values[name][code] === "" ? "(none)" : this.values[name][code])));
        this.selects[name].replaceChildren(make("option", { value: "" }, `all (${there.length})`), ...options);
        this.selects[name].value = this.chosen[name] ?? "";
      }
      this.found = this.rows();
      const more = this.found.length > MOST_ROWS ? `, the first ${MOST_ROWS} of them shown` : "";
      this.said.textContent = `${said(this.found.length)} of ${said(this.count)} measurements${more}.`;
      this.body.replaceChildren(...this.found.slice(0, MOST_ROWS).map((row) => make("tr", {}, ...this.cells(row).map((cell) => (
        make("td", {}, typeof cell === "number" ? said(cell) : cell ?? ""))))));
      this.draw();
    }

    // A line a combination of names other than the step, with its interval, where they are few and of one metric.
    draw() {
      const { value, low, high, n } = this.numbers, lines = new Map();
      const step = this.codes.step.map((code) => this.values.step[code]), named = this.names.filter((name) => name !== "step");
      for (const row of this.found) {
        const key = named.map((name) => this.values[name][this.codes[name][row]]).filter((part) => part !== "").join(", ");
        if (!lines.has(key)) lines.set(key, []);
        if (lines.size > MOST_CURVES) break;
        lines.get(key).push(row);
      }
      const metrics = new Set(this.found.map((row) => this.codes.metric[row])), few = lines.size <= MOST_CURVES && metrics.size === 1;
      const curves = few ? [...lines].filter(([, rows]) => rows.length > 1 && new Set(rows.map((row) => step[row])).size === rows.length) : [];
      this.picture.replaceChildren();
      if (!curves.length) return;
      const made = curves.map(([label, rows], number) => {
        const sorted = [...rows].sort((one, other) => step[one] - step[other]), of = (column) => sorted.map((row) => column[row]);
        const [x, y] = [of(step), of(value)];
        return { label, x, y, low: of(low), high: of(high), n: of(n), colour: COLOURS[number], width: 1.7, mark: true, dashes: [] };
      });
      const all = made.flatMap((line) => [...line.y, ...line.low, ...line.high]).filter(known);
      const panel = { title: "", labels: ["training step", this.values.metric[[...metrics][0]]], box: [0.1, 0.04, 0.87, 0.78], lines: made };
      const shown = { ...panel, x: overTraining(made.flatMap((line) => line.x)), y: plain(all) };
      this.picture.append(drawing({ size: [8, 4], panels: [shown] }, `${made.length} curves of the measurements below`), legend([shown]));
    }

    save() {
      const quoted = (cell) => (typeof cell === "number" ? cell : `"${String(cell ?? "").replaceAll('"', '""')}"`);
      const head = [...this.names, ...Object.keys(this.numbers)];
      const text = [head, ...this.found.map((row) => this.cells(row))].map((row) => row.map(quoted).join(",")).join("\n");
      const link = make("a", { href: URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" })), download: "measurements.csv" });
      link.click();
      URL.revokeObjectURL(link.href);
    }
  }

  async function start() {
    for (const element of document.querySelectorAll(".embryology-rows")) new Rows(element.parentElement, await unpack(element));
  }

  if (typeof DecompressionStream === "undefined") return;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
