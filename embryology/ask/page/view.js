// What the reader sees: elements that are made once, and what is put into them.

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function field(text, control) {
  return make("label", { class: "ask-field" }, make("span", {}, text), control);
}

const percent = (p) => (p >= 0.0995 ? `${(100 * p).toFixed(0)}%` : p >= 0.00095 ? `${(100 * p).toFixed(1)}%` : "< 0.1%");

class View {
  // on: what to do when the reader does something; head: runs, examples and pairs.
  constructor(root, head, on) {
    this.run = make("select", { onchange: () => on.run(this.run.value) },
      ...head.runs.map((run) => make("option", { value: run.name }, run.name)));
    this.text = make("textarea", { rows: 2, spellcheck: "false", oninput: () => on.text(this.text.value) });
    this.example = make("select", { onchange: () => this.picked(this.example, head.examples, on.example) },
      make("option", { value: "" }, "choose one"),
      ...head.examples.map(([text, word], number) => make("option", { value: number }, `${text} (${word})`)));
    this.words = make("div", { class: "ask-words", role: "group", "aria-label": "Words: choose one to mask it" });
    this.legend = make("p", { class: "ask-legend" });
    this.step = make("input", { type: "range", min: 0, step: 1, oninput: () => on.step(Number(this.step.value)) });
    this.stepSaid = make("output", {});
    this.answer = make("div", { class: "ask-answer" });
    this.chosen = make("input", { type: "text", oninput: () => on.chosen(this.chosen.value) });
    this.chosenSaid = make("p", { class: "ask-legend" });
    this.table = make("tbody");
    this.headings = make("tr");
    this.alert = make("p", { class: "ask-alert", role: "alert", hidden: true });
    this.status = make("p", { class: "ask-status", role: "status" });
    this.progress = make("p", { class: "ask-legend" });
    this.pair = [0, 1].map(() => make("input", { type: "text", spellcheck: "false", oninput: () => on.pair(this.pair.map((each) => each.value)) }));
    this.pairs = make("select", { onchange: () => this.picked(this.pairs, head.pairs, on.pair) },
      make("option", { value: "" }, "choose two"),
      ...head.pairs.map(([one, other], number) => make("option", { value: number }, `${one} / ${other}`)));
    this.verdict = make("p", { class: "ask-verdict", role: "status" });
    this.everywhere = make("button", { type: "button", onclick: on.everywhere }, "At every checkpoint");
    const said = { onStep: on.chartStep, axis: "", form: (value) => `${Math.round(value * 1000) / 10}%` };
    this.chart = new Chart({ ...said, title: "Probability of the word" });
    this.pairChart = new Chart({ ...said, title: "By how much the first is likelier (nats)", form: (value) => String(Math.round(value * 10) / 10) });
    this.pairChart.element.setAttribute("hidden", "");
    root.replaceChildren(...this.layout(head));
  }

  picked(select, listed, then) {
    if (select.value !== "") then(listed[Number(select.value)]);
    select.value = "";
  }

  layout(head) {
    this.details = make("details", {}, make("summary", {}, "The same as a table"),
      make("table", { class: "ask-table" }, make("thead", {}, this.headings), this.table));
    this.chartPart = make("div", {}, this.chart.element, field("Follow another word too", this.chosen), this.chosenSaid, this.details);
    return [
      this.alert,
      make("div", { class: "ask-row" }, ...(head.runs.length > 1 ? [field("Model", this.run)] : []), field("Begin with", this.example)),
      field("A sentence", this.text),
      this.words, this.legend,
      make("div", { class: "ask-sticky" }, make("label", { class: "ask-field" }, this.stepSaid, this.step)),
      this.status, this.answer, this.progress, this.chartPart,
      make("h2", {}, "Which of two sentences is likelier?"),
      make("p", {}, "Each piece is masked in turn, with the later pieces of its word; the sum of its log-probabilities is the sentence's score."),
      field("Begin with", this.pairs), field("First", this.pair[0]), field("Second", this.pair[1]),
      this.verdict, this.everywhere, this.pairChart.element,
    ];
  }

  // A button a word; those that are masked are pressed.
  showWords(sentence, mask) {
    const made = sentence.units.map((unit, number) => {
      const text = sentence.text.slice(unit.start, unit.end);
      const button = make("button", {
        type: "button", "aria-pressed": String(unit.isMasked), onclick: () => mask(unit),
        disabled: unit.isTyped, title: unit.pieces.length > 1 ? `pieces: ${unit.pieces.join(" ")}` : null,
      }, unit.isMasked ? make("span", { class: "ask-mask" }, "[MASK]") : text);
      if (unit.isMasked && !unit.isTyped) button.setAttribute("aria-label", `${text}, masked`);
      return make("span", { class: "ask-word", "data-number": number }, button, make("small", {}));
    });
    const focused = this.words.contains(document.activeElement)
      ? document.activeElement.closest(".ask-word").dataset.number : null;
    this.words.replaceChildren(...made);
    if (focused !== null) made[focused]?.firstChild.focus();
  }

  // Below each word what the model makes of it; right and wrong by sign, line and colour. A mask that the reader typed
  // stands for no word, and is neither.
  showReconstruction(sentence, said) {
    const words = said?.units?.filter((_, number) => !sentence.units[number].isTyped);
    const right = words?.filter((unit) => unit.isRight).length;
    sentence.units.forEach((unit, number) => {
      const place = this.words.children[number], below = place?.lastChild;
      const here = unit.isTyped ? undefined : said?.units?.[number];
      if (!place) return;
      place.className = `ask-word${here ? (here.isRight ? " ask-right" : " ask-wrong") : ""}`;
      below.replaceChildren(...(here ? [here.isRight ? "✓" : `✗ ${here.guess}`] : []));
      if (said?.replaced) below.append(make("span", { class: "ask-replaced" }, `replaced? ${percent(said.replaced[number])}`));
    });
    const whose = sentence.models.length > 1 ? "the generator" : "the model";
    const parts = said?.units ? [`Below each word is what ${whose} makes of it when it reads the whole sentence: ${right} of ${words.length} right (✓).`] : [];
    if (said?.replaced) parts.push("“Replaced?” is how likely the discriminator finds it that the word is not the original one.");
    this.legend.textContent = parts.join(" ");
  }

  showStep(run, at) {
    this.step.max = run.steps.length - 1;
    this.step.value = run.steps.indexOf(at);
    const said = `${run.unit} ${at.toLocaleString("en")} of ${run.steps[run.steps.length - 1].toLocaleString("en")}`;
    this.step.setAttribute("aria-valuetext", said);
    this.step.setAttribute("aria-label", "Checkpoint");
    this.stepSaid.textContent = `Checkpoint: ${said}`;
  }

  showAnswer(sentence, answer, choose) {
    if (!answer) { this.answer.replaceChildren(); return; }
    const whose = sentence.models.length > 1 ? "The generator's" : "The";
    const many = answer.top.length > 1;
    this.answer.replaceChildren(...answer.top.map((words, number) => make("div", {},
      make("h2", {}, `${whose} likeliest ${many ? `for piece ${number + 1} of ${answer.top.length}` : "words"}`),
      make("ol", { class: "ask-top" }, ...words.map(({ id, text, p }) => make("li", { style: `--p: ${p}` },
        many ? make("span", {}, text) : make("button", { type: "button", onclick: () => choose(text, id), title: "follow this word" }, text),
        make("span", { class: "ask-p" }, percent(p))))))));
  }

  // Without a word to follow there is no chart and no table, but the field where one is typed.
  showChart({ steps, at, axis, names, truth, chosen, says }) {
    this.chart.element.toggleAttribute("hidden", !names.length);
    this.details.hidden = !names.length;
    if (!names.length) return;
    this.chart.axis = axis;
    const series = [{ name: names[0], values: truth }, ...(names[1] ? [{ name: names[1], values: chosen }] : [])];
    this.chart.draw({ steps, at, series, high: 0.02, says });
    this.headings.replaceChildren(make("th", { scope: "col" }, axis), ...series.map(({ name }) => make("th", { scope: "col" }, name)));
    this.table.replaceChildren(...steps.map((step) => make("tr", {}, make("th", { scope: "row" }, step.toLocaleString("en")),
      ...series.map(({ values }) => make("td", {}, values.has(step) ? percent(values.get(step)) : "")))));
  }
}
