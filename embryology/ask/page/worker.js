"use strict";
// Beside the page: takes what is wanted, and does the most urgent of it, a pass at a time, so that a new wish waits
// for one pass at most.

const KEPT_NETWORKS = 2;
const say = (message) => self.postMessage(message);

class Run {
  static async opened(base64) {
    const said = JSON.parse(new TextDecoder().decode(await inflated(bytesOf(base64))));
    return new Run(said.about, new Tokenizer(said.tokenizer), new Float32Array(bytesOf(said.scales).buffer));
  }

  constructor(about, tokenizer, scales) {
    this.tokenizer = tokenizer;
    this.weights = new Weights(about, scales);
    this.longest = Math.min(...Object.values(about.models).map((model) => model.positions));
    this.recent = new Map();
  }

  networks(step) {
    const known = this.recent.get(step) || this.weights.networks(step);
    this.recent.delete(step);
    this.recent.set(step, known);
    if (this.recent.size > KEPT_NETWORKS) this.recent.delete(this.recent.keys().next().value);
    return known;
  }
}

// Pieces as a reader sees them.
function shown(tokenizer, id) {
  const { begins, continues, pieces } = tokenizer.spec, piece = pieces[id];
  if (begins) return piece.startsWith(begins) ? piece.slice(begins.length) || "␣" : `-${piece}`;
  return continues && piece.startsWith(continues) ? `-${piece.slice(continues.length)}` : piece;
}

const runs = new Map(), waiting = new Map(), ahead = new Map();
let wish = null, isWorking = false;

// What the page is to load; resolves when it has come.
function needed(run, part) {
  const key = `${run}\n${part}`;
  return new Promise((resolve, reject) => {
    waiting.set(key, { resolve, reject });
    say({ need: { run, part } });
  });
}

// What is asked about one sentence of a run.
class Asked {
  constructor(run, wanted) {
    Object.assign(this, { run, wanted, answers: new Map(), reconstructed: new Set() });
    this.key = JSON.stringify([wanted.run, wanted.text, wanted.masked]);
    const sentence = this.sentence = new Sentence(run.tokenizer, wanted.text, run.longest);
    this.masked = sentence.units.map((unit, number) => number).filter((number) => (
      sentence.isMask(sentence.units[number])
      || wanted.masked.some((place) => sentence.units[number].start <= place && place < sentence.units[number].end)));
    this.positions = this.masked.flatMap((number) => sentence.units[number].positions);
  }

  static isOf(asked, wanted) {
    return asked && asked.key === JSON.stringify([wanted.run, wanted.text, wanted.masked]);
  }

  introduce() {
    const { sentence, run, masked } = this, unknown = run.tokenizer.spec.unknown;
    say({
      id: this.wanted.id, kind: "sentence", text: sentence.text, pieces: sentence.pieces, room: sentence.room,
      active: this.active(), models: Object.keys(run.weights.about.models),
      units: sentence.units.map((unit, number) => ({
        start: unit.start, end: unit.end, isTyped: sentence.isMask(unit), isMasked: masked.includes(number),
        isUnknown: unit.positions.some((position) => sentence.ids[position] === unknown),
        pieces: unit.positions.map((position) => shown(run.tokenizer, sentence.ids[position])),
      })),
    });
  }

  // The number of the masked word that is told of: the one at the place that was last chosen, or the last one.
  active() {
    const { units } = this.sentence, place = this.wanted.active;
    const at = this.masked.find((number) => units[number].start <= place && place < units[number].end);
    return at === undefined ? this.masked[this.masked.length - 1] : at;
  }

  // The pieces of the word that the reader chose, as many as are masked; or why it cannot be asked for.
  chosen() {
    const { chosen, chosenId } = this.wanted, unit = this.sentence.units[this.active()];
    if (!chosen) return {};
    if (chosenId !== null && unit.positions.length === 1) return { pieces: [chosenId] };
    const { ids, spans } = this.run.tokenizer.encode(chosen), pieces = ids.filter((_, i) => spans[i]);
    const said = (count) => (count === 1 ? "1 piece" : `${count} pieces`);
    if (pieces.length !== unit.positions.length) {
      return { problem: `“${chosen}” has ${said(pieces.length)}, and the mask stands for ${unit.positions.length}.` };
    }
    if (pieces.includes(this.run.tokenizer.spec.unknown)) return { problem: `“${chosen}” has an unknown piece.` };
    return { pieces };
  }

  answer(step) {
    const { sentence } = this;
    if (!this.answers.has(step)) {
      this.answers.set(step, this.run.networks(step).words.logits(sentence.masked(this.masked), this.positions));
    }
    const unit = sentence.units[this.active()], logits = this.answers.get(step);
    const here = unit.positions.map((position) => logits[this.positions.indexOf(position)]);
    const probability = (ids) => Math.exp(ids.reduce((sum, id, i) => sum + here[i][id] - logSumExp(here[i]), 0));
    const { pieces, problem } = this.chosen();
    say({
      id: this.wanted.id, kind: "answer", step, problem,
      top: here.map((each) => largest(each, TOP).map(({ id, p }) => ({ id, text: shown(this.run.tokenizer, id), p }))),
      truth: sentence.isMask(unit) ? null : probability(unit.positions.map((position) => sentence.ids[position])),
      chosen: pieces ? probability(pieces) : null,
    });
  }

  // The sentence as it stands, without a mask: right is a word of which every piece is the likeliest one.
  reconstruct(step) {
    const { sentence } = this, { words, replaced } = this.run.networks(step);
    const positions = sentence.units.flatMap((unit) => unit.positions);
    const of = (unit, values) => unit.positions.map((position) => values[positions.indexOf(position)]);
    const said = { id: this.wanted.id, kind: "reconstruction", step };
    if (words) {
      const best = words.logits(sentence.ids, positions).map((logits) => largest(logits, 1)[0].id);
      said.units = sentence.units.map((unit) => {
        const ids = of(unit, best);
        return {
          isRight: ids.every((id, i) => id === sentence.ids[unit.positions[i]]),
          guess: ids.map((id) => shown(this.run.tokenizer, id)).join(" "),
        };
      });
    }
    if (replaced) {
      const logits = replaced.replaced(sentence.ids, positions);
      said.replaced = sentence.units.map((unit) => Math.max(...of(unit, logits).map((z) => 1 / (1 + Math.exp(-z)))));
    }
    this.reconstructed.add(step);
    say(said);
  }

  // What to do next, the most urgent first; null where all is done.
  next() {
    const { at } = this.wanted, { models, steps } = this.run.weights.about;
    if (!this.sentence.fits) return null;
    const isAsked = models.words && this.positions.length;
    if (isAsked && !this.answers.has(at)) return { step: at, do: () => this.answer(at) };
    if (!this.reconstructed.has(at)) return { step: at, do: () => this.reconstruct(at) };
    const left = isAsked ? [...steps].reverse().find((step) => !this.answers.has(step)) : undefined;
    return left === undefined ? null : { step: left, do: () => this.answer(left) };
  }

  // The same passes, told of another word or step.
  again(wanted) {
    this.wanted = wanted;
    this.reconstructed.clear();
    this.introduce();
    for (const step of this.answers.keys()) this.answer(step);
  }
}

// Two sentences, each scored by the log-probabilities of its pieces.
class Pair {
  constructor(run, wanted) {
    Object.assign(this, { run, wanted, states: new Map() });
    this.key = JSON.stringify([wanted.run, wanted.pair]);
    this.sentences = wanted.pair.map((text) => new Sentence(run.tokenizer, text, run.longest));
  }

  static isOf(pair, wanted) { return pair && pair.key === JSON.stringify([wanted.run, wanted.pair]); }

  introduce() {
    const unknown = this.run.tokenizer.spec.unknown;
    const sentences = this.sentences.map(({ pieces, room, ids }) => ({ pieces, room, isUnknown: ids.includes(unknown) }));
    const [one, other] = this.sentences.map(({ ids }) => ids.join());
    say({ id: this.wanted.id, kind: "pair", sentences, isSame: one === other });
  }

  isDone(step) { return this.states.get(step)?.copies.length === this.states.get(step)?.done && this.states.has(step); }

  // One more masked copy.
  score(step) {
    if (!this.states.has(step)) {
      const copies = this.sentences.flatMap((each, which) => each.copies().map((copy) => ({ ...copy, which })));
      this.states.set(step, { copies, done: 0, sums: [0, 0] });
    }
    const state = this.states.get(step), { ids, position, wanted, which } = state.copies[state.done];
    const [logits] = this.run.networks(step).words.logits(ids, [position]);
    state.sums[which] += logits[wanted] - logSumExp(logits);
    state.done += 1;
    this.tell(step);
  }

  tell(step) {
    const { copies, done, sums } = this.states.get(step);
    say({ id: this.wanted.id, kind: "score", step, done, of: copies.length, sums: this.isDone(step) ? sums : null });
  }

  next() {
    const { at, everywhere } = this.wanted, { models, steps } = this.run.weights.about;
    if (!models.words || !this.sentences.length || !this.sentences.every((each) => each.fits)) return null;
    const step = !this.isDone(at) ? at : everywhere && [...steps].reverse().find((each) => !this.isDone(each));
    return step === false || step === undefined ? null : { step, do: () => this.score(step) };
  }

  again(wanted) {
    this.wanted = wanted;
    this.introduce();
    for (const step of this.states.keys()) if (this.isDone(step)) this.tell(step);
  }
}

async function work() {
  isWorking = true;
  const kinds = [Asked, Pair];
  let known = [null, null];
  while (wish) {
    const wanted = wish;
    try {
      if (!runs.has(wanted.run)) runs.set(wanted.run, await opened(wanted.run));
      const run = runs.get(wanted.run);
      known = kinds.map((Kind, i) => {
        if (Kind.isOf(known[i], wanted)) {
          if (known[i].wanted !== wanted) known[i].again(wanted);
          return known[i];
        }
        const made = new Kind(run, wanted);
        made.introduce();
        return made;
      });
      const next = known[0].next() || known[1].next();
      if (next) {
        const [missing] = run.weights.missing(next.step);
        if (missing === undefined) next.do();
        else await fetched(wanted.run, run.weights, missing);
      } else {
        say({ id: wanted.id, kind: "done" });
        if (wish === wanted) wish = null;
      }
    } catch (error) {
      say({ id: wanted.id, kind: "failure", part: error.part, text: String(error.message || error) });
      if (wish === wanted) wish = null;
    }
    await new Promise((resolve) => { setTimeout(resolve); }); // for messages that came meanwhile
  }
  isWorking = false;
}

// Whatever is wrong with a file, the reader is told which.
const naming = (part) => (error) => { throw Object.assign(error, { part }); };

async function opened(name) {
  return needed(name, "run").then(Run.opened).catch(naming("run"));
}

async function fetched(name, weights, step) {
  const content = begun(name, step);
  ahead.delete(`${name}\n${step}`);
  // The one that is needed after it is read meanwhile.
  const next = weights.missing(weights.about.steps[0])[1];
  if (next !== undefined) begun(name, next).catch(() => {});
  return content.then((base64) => weights.add(step, base64)).catch(naming(step));
}

function begun(name, step) {
  const key = `${name}\n${step}`;
  if (!ahead.has(key)) ahead.set(key, needed(name, step));
  return ahead.get(key);
}

self.onmessage = ({ data }) => {
  if (data.wish) {
    wish = data.wish;
    if (!isWorking) work();
    return;
  }
  const key = `${data.run}\n${data.part}`, one = waiting.get(key);
  waiting.delete(key);
  if (data.content === undefined) one?.reject(new Error("not there"));
  else one?.resolve(data.content);
};
