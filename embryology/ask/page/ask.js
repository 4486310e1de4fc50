// The page: what the reader wants, a worker that computes it, and what came back.

(() => {
  const base = new URL(".", document.currentScript.src).href;
  const root = document.getElementById("embryology-ask");
  const problem = (text) => root.replaceChildren(make("p", { class: "ask-alert", role: "alert" }, text));
  if (typeof Worker === "undefined" || typeof DecompressionStream === "undefined") {
    const what = typeof Worker === "undefined" ? "workers" : "DecompressionStream";
    problem(`This browser has no ${what}, with which the page computes. A newer one has; everything else in the book works in this one.`);
    return;
  }
  let worker;
  try {
    worker = new Worker(URL.createObjectURL(new Blob([embryologyHead.worker], { type: "text/javascript" })));
  } catch (error) {
    problem("This browser does not let the page start a worker, with which it computes. Another one may, or the page opened from another place.");
    return;
  }

  const { runs, examples, pairs } = embryologyHead;
  const state = { run: runs[0], at: runs[0].steps[runs[0].steps.length - 1], text: "", masked: [], active: -1,
    chosen: "", chosenId: null, pair: [...pairs[0]], everywhere: false, id: 0 };
  let sentence = null, answers = new Map(), reconstructions = new Map(), pair = null, scores = new Map();

  const view = new View(root, embryologyHead, {
    run(name) {
      state.run = runs.find((each) => each.name === name);
      state.at = state.run.steps[state.run.steps.length - 1];
      Object.assign(state, { everywhere: false, chosenId: null }); // numbers are those of a vocabulary
      ask();
    },
    text(text) { state.masked = moved(state.masked, state.text, text); state.text = text; ask(); },
    example: begin,
    step(number) { state.at = state.run.steps[number]; ask(); },
    chartStep(step) { state.at = step; ask(); },
    chosen(text) { choose(text.trim(), null); },
    pair(texts) { state.pair = [...texts]; state.everywhere = false; ask(); },
    everywhere() { state.everywhere = true; ask(); },
  });

  // Where masked words begin after an edit: what stands behind it moves along.
  function moved(places, before, after) {
    let start = 0, end = 0;
    while (start < before.length && before[start] === after[start]) start += 1;
    while (end < before.length - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
    const by = after.length - before.length;
    return places.flatMap((place) => (place < start ? [place] : place >= before.length - end ? [place + by] : []));
  }

  function begin([text, word]) {
    const place = text.search(new RegExp(`\\b${word}\\b`));
    Object.assign(state, { text, masked: [place], active: place, chosen: "", chosenId: null });
    ask();
  }

  function mask(unit) {
    const isMasked = state.masked.some((place) => unit.start <= place && place < unit.end);
    state.masked = state.masked.filter((place) => place < unit.start || place >= unit.end);
    if (!isMasked) { state.masked.push(unit.start); state.active = unit.start; }
    ask();
  }

  // By its number where it is one of those shown, as a piece within a word cannot be typed.
  function choose(text, id) { Object.assign(state, { chosen: text, chosenId: id }); ask(); }

  function ask() {
    const key = JSON.stringify([state.run.name, state.text, state.masked, state.active, state.chosen, state.chosenId]);
    if (key !== state.key) { answers = new Map(); reconstructions = new Map(); sentence = null; }
    const pairKey = JSON.stringify([state.run.name, state.pair]);
    if (pairKey !== state.pairKey) { pair = null; scores = new Map(); }
    Object.assign(state, { key, pairKey, id: state.id + 1 });
    if (view.text.value !== state.text) view.text.value = state.text;
    if (view.chosen.value.trim() !== state.chosen) view.chosen.value = state.chosen;
    view.pair.forEach((each, i) => { if (each.value !== state.pair[i]) each.value = state.pair[i]; });
    view.alert.hidden = true;
    const two = state.pair.map((each) => each.trim()).every(Boolean) ? state.pair : [];
    worker.postMessage({ wish: { id: state.id, run: state.run.name, text: state.text, masked: state.masked,
      active: state.active, chosen: state.chosen, chosenId: state.chosenId, at: state.at, pair: two, everywhere: state.everywhere } });
    view.showStep(state.run, state.at);
    show();
  }

  // What can be said of the sentence before anything is computed; empty where it can be asked.
  function said() {
    if (!state.text.trim()) return "Type a sentence.";
    if (!sentence) return "Reading …";
    if (!sentence.pieces) return "The tokenizer leaves nothing of this text. Type a sentence.";
    if (sentence.pieces > sentence.room) {
      return `This has ${sentence.pieces.toLocaleString("en")} pieces, and the model reads at most ${sentence.room}. Take words away.`;
    }
    if (!sentence.models.includes("words")) return "This model is a discriminator alone: it tells whether a word was replaced, and knows no words.";
    if (!sentence.units.some((unit) => unit.isMasked)) return "Choose a word above to mask it.";
    return "";
  }

  function show() {
    const why = said(), answer = answers.get(state.at), { steps, unit } = state.run;
    if (sentence && sentence.pieces <= sentence.room) view.showReconstruction(sentence, reconstructions.get(state.at));
    else if (sentence || !state.text.trim()) { view.words.replaceChildren(); view.legend.textContent = ""; }
    const isAsked = !why && sentence;
    view.answer.hidden = view.chartPart.hidden = view.progress.hidden = !isAsked;
    view.status.textContent = why || (answer ? summary(answer) : `Asking ${unit} ${state.at.toLocaleString("en")} …`);
    if (isAsked) {
      const masked = sentence.units[sentence.active], word = sentence.text.slice(masked.start, masked.end);
      view.showAnswer(sentence, answer, choose);
      view.chosenSaid.textContent = answer?.problem || "";
      const values = (name) => new Map([...answers].filter(([, each]) => each[name] !== null).map(([step, each]) => [step, each[name]]));
      const truth = values("truth"), chosen = values("chosen"), names = masked.isTyped ? [] : [`“${word}”, the true word`];
      if (chosen.size) names.push(`“${state.chosen}”`);
      view.progress.replaceChildren(...legend(names), ` ${answers.size} of ${steps.length} checkpoints asked.`);
      if (!names.length) view.progress.append(" Choose a word above, or type one below, to follow it.");
      const says = `${names.join(" and ")}: probability under the mask at ${answers.size} of ${steps.length} checkpoints; as a table below.`;
      view.showChart({ steps, at: state.at, axis: unit, says, names,
        truth: masked.isTyped ? chosen : truth, chosen });
    }
    showPair();
  }

  function legend(names) {
    return names.map((name, number) => make("span", { class: `ask-key ask-key-${number}` }, `${number ? "■" : "●"} ${name} `));
  }

  function summary({ top, truth }) {
    const best = top.map((words) => words[0]);
    const parts = [best.length > 1
      ? `The likeliest pieces are “${best.map((each) => each.text).join("” and “")}”`
      : `The likeliest word is “${best[0].text}”, at ${percent(best[0].p)}`];
    if (truth !== null) parts.push(`the true word has ${percent(truth)}${best.length > 1 ? " (its pieces' probabilities multiplied)" : ""}`);
    return `${parts.join("; ")}.`;
  }

  function showPair() {
    const { steps, unit } = state.run, score = scores.get(state.at);
    const long = pair?.sentences.find((each) => each.pieces > each.room);
    let text = "";
    if (!state.pair.every((each) => each.trim())) text = "Type two sentences.";
    else if (sentence && !sentence.models.includes("words")) text = "A discriminator alone gives no probabilities.";
    else if (!pair) text = "Waiting for the sentence above …";
    else if (pair.sentences.some((each) => !each.pieces)) text = "The tokenizer leaves nothing of one of them.";
    else if (long) text = `One of them has ${long.pieces} pieces, and the model reads at most ${long.room}.`;
    else if (pair.isSame) text = "The tokenizer makes both the same.";
    else if (!score?.sums) text = score ? `Asked ${score.done} of ${score.of} masked copies …` : "Waiting for the sentence above …";
    else {
      const [one, other] = score.sums, by = Math.abs(one - other).toFixed(1);
      text = `At ${unit} ${state.at.toLocaleString("en")} the ${one > other ? "first" : "second"} is likelier, by ${by} nats (${one.toFixed(1)} and ${other.toFixed(1)}).`;
      if (pair.sentences.some((each) => each.isUnknown)) text += " One has a piece that the model does not know, which makes this comparison doubtful.";
    }
    view.verdict.textContent = text;
    const done = new Map([...scores].filter(([, each]) => each.sums).map(([step, { sums }]) => [step, sums[0] - sums[1]]));
    view.everywhere.disabled = !score?.sums || state.everywhere;
    view.pairChart.element.toggleAttribute("hidden", done.size < 2);
    if (done.size < 2) return;
    view.pairChart.axis = unit;
    view.pairChart.draw({ steps, at: state.at, series: [{ name: "", values: done }],
      says: `By how many nats the first sentence is likelier, at ${done.size} of ${steps.length} checkpoints.` });
  }

  // A file of the run: its script calls `embryologyAsk.received`, unless it is missing or was cut off.
  const received = new Map();
  window.embryologyAsk = { received(run, part, content) { received.set(`${run}\n${part}`, content); } };
  const fileOf = (part) => (part === "run" ? "run.js" : `step-${part}.js`);
  function load({ run, part }) {
    const { folder } = runs.find((each) => each.name === run), script = make("script", {});
    const end = () => {
      const key = `${run}\n${part}`, content = received.get(key);
      received.delete(key);
      script.remove();
      worker.postMessage({ run, part, content });
    };
    Object.assign(script, { onload: end, onerror: end, src: `${base}${folder}/${fileOf(part)}` });
    document.head.append(script);
  }

  worker.onmessage = ({ data }) => {
    if (data.need) { load(data.need); return; }
    if (data.id !== state.id) return;
    if (data.kind === "sentence") {
      sentence = data;
      // Of what is too long there is nothing to choose, and what is wrong stands close to the text.
      view.showWords(sentence.pieces > sentence.room ? { ...sentence, units: [] } : sentence, mask);
    } else if (data.kind === "answer") answers.set(data.step, data);
    else if (data.kind === "reconstruction") reconstructions.set(data.step, data);
    else if (data.kind === "pair") pair = data;
    else if (data.kind === "score") scores.set(data.step, data);
    else if (data.kind === "failure") fail(data);
    if (data.kind === "answer" && data.step !== state.at) later();
    else show();
  };

  function fail({ part, text }) {
    view.alert.hidden = false;
    view.alert.textContent = part === undefined
      ? `The page could not compute this (${text}). Load it again; if it happens again, please report it.`
      : `The file ${state.run.folder}/${fileOf(part)} is missing or damaged. Put it back beside this page, or build the book again. What needs it is not shown.`;
  }

  // The chart is drawn once a frame, however many answers come.
  let isLater = false;
  function later() {
    if (isLater) return;
    isLater = true;
    requestAnimationFrame(() => { isLater = false; show(); });
  }

  begin(examples[0]);
})();
