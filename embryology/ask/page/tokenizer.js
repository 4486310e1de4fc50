"use strict";
// Text -> pieces, as the tokenizers library divides it. What that does to each code point comes with the vocabulary
// (embryology/ask/tokenizers.py), so that nothing depends on what the browser knows of Unicode.

const UNKNOWN_PENALTY = 10; // tokenizers: K_UNK_PENALTY of its unigram model

// Whether sorted ranges hold a code point; of runs [from, to, ...] the one that does.
function rangeOf(ranges, point) {
  let low = 0, high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, range = ranges[middle];
    if (point < range[0]) high = middle - 1;
    else if (point > range[1]) low = middle + 1;
    else return range;
  }
  return null;
}

class Tokenizer {
  constructor(spec) {
    this.spec = spec;
    this.numbers = new Map(spec.pieces.map((piece, number) => [piece, number]));
    this.classes = new Map(spec.classes);
    this.longest = Math.max(...spec.pieces.map((piece) => Array.from(piece).length));
    if (spec.kind === "unigram") this.least = Math.min(...spec.scores) - UNKNOWN_PENALTY;
    this.added = [...spec.added].sort((one, other) => other.content.length - one.content.length);
  }

  // { ids, spans, words }: piece ids with those before and behind the text; of each the [start, end] that it has in
  // the text, in UTF-16 units, and the number of the word that it is of. Those before and behind have null for both.
  encode(text) {
    const { before, after } = this.spec;
    const ids = [...before], spans = before.map(() => null), words = before.map(() => null);
    let number = 0;
    const add = (id, start, end) => { ids.push(id); spans.push([start, end]); words.push(number); };
    for (const part of this.parts(text)) {
      if (part.id !== undefined) { add(part.id, part.start, part.end); number += 1; continue; }
      for (const word of this.words(this.normalised(text, part.start, part.end))) {
        for (const piece of this.divided(word)) add(...piece);
        number += 1;
      }
    }
    for (const id of after) { ids.push(id); spans.push(null); words.push(null); }
    return { ids, spans, words };
  }

  // Special pieces that stand in the text as such, the first and there the longest, and what lies between.
  parts(text) {
    const parts = [];
    let start = 0, at = 0;
    while (at < text.length) {
      const found = this.added.find((each) => each.content && text.startsWith(each.content, at));
      if (!found) { at += 1; continue; }
      let from = at, to = at + found.content.length;
      const isSpace = (unit) => rangeOf(this.spec.spaces, text.charCodeAt(unit)) || /\s/.test(text[unit]);
      if (found.lstrip) while (from > start && isSpace(from - 1)) from -= 1;
      if (found.rstrip) while (to < text.length && isSpace(to)) to += 1;
      if (from > start) parts.push({ start, end: from });
      parts.push({ id: found.id, start: from, end: to });
      start = at = to;
    }
    if (start < text.length) parts.push({ start, end: text.length });
    return parts;
  }

  // [character, start, end] of what the normaliser makes of a stretch of the text.
  normalised(text, from, to) {
    let units = [];
    for (let at = from; at < to;) {
      const character = String.fromCodePoint(text.codePointAt(at));
      units.push([character, at, at + character.length]);
      at += character.length;
    }
    for (const [pattern, content] of this.spec.replaced) units = this.replaced(units, Array.from(pattern), content);
    const result = [];
    for (const [character, start, end] of units) {
      // Half of a surrogate pair is no character.
      const point = /[\ud800-\udfff]/.test(character) && character.length === 1 ? 0xfffd : character.codePointAt(0);
      const known = point === 0xfffd ? "\ufffd" : character;
      const run = rangeOf(this.spec.changed, point);
      const made = run ? run[2] : rangeOf(this.spec.spaced, point) ? ` ${known} ` : known;
      for (const each of made) result.push([each, start, end]);
    }
    return this.classes.size ? this.ordered(result) : result;
  }

  replaced(units, pattern, content) {
    const result = [];
    for (let at = 0; at < units.length;) {
      if (pattern.every((character, number) => units[at + number]?.[0] === character)) {
        const end = units[at + pattern.length - 1][2];
        for (const character of content) result.push([character, units[at][1], end]);
        at += pattern.length;
      } else result.push(units[at++]);
    }
    return result;
  }

  // Unicode's canonical order: within a run of marks by class, those of one class as they stand.
  ordered(units) {
    const result = [...units];
    const classOf = (unit) => this.classes.get(unit[0].codePointAt(0)) || 0;
    for (let start = 0; start < result.length;) {
      let end = start;
      while (end < result.length && classOf(result[end])) end += 1;
      if (end - start > 1) {
        const run = result.slice(start, end).sort((one, other) => classOf(one) - classOf(other)); // stable
        result.splice(start, run.length, ...run);
      }
      start = Math.max(end, start + 1);
    }
    return result;
  }

  // What the vocabulary is asked for: stretches between spaces, and characters that stand alone.
  words(units) {
    const words = [];
    let word = [];
    const end = () => { if (word.length) words.push(word); word = []; };
    for (const unit of units) {
      const point = unit[0].codePointAt(0);
      if (rangeOf(this.spec.spaces, point)) end();
      else if (rangeOf(this.spec.alone, point)) { end(); words.push([unit]); }
      else word.push(unit);
    }
    end();
    return this.spec.begins ? words.flatMap((each) => this.begun(each)) : words;
  }

  // With the sign that begins a word; one that stands in the text begins another.
  begun(word) {
    const sign = this.spec.begins;
    const units = word[0][0] === sign ? word : [[sign, word[0][1], word[0][1]], ...word];
    const words = [];
    for (const unit of units) {
      if (unit[0] === sign) words.push([]);
      words[words.length - 1].push(unit);
    }
    return words;
  }

  divided(word) {
    return this.spec.kind === "unigram" ? this.likeliest(word) : this.greedy(word);
  }

  // Viterbi over pieces (Kudo 2018); a stretch of unknown characters is one unknown piece.
  likeliest(word) {
    const { scores, unknown } = this.spec, size = word.length;
    const best = new Float64Array(size + 1), from = new Int32Array(size + 1).fill(-1), by = new Int32Array(size + 1);
    const propose = (start, end, id, score) => {
      const whole = score + best[start];
      if (from[end] < 0 || whole > best[end]) { best[end] = whole; from[end] = start; by[end] = id; }
    };
    for (let start = 0; start < size; start++) {
      let text = "", isSingle = false;
      for (let end = start + 1; end <= Math.min(size, start + this.longest); end++) {
        text += word[end - 1][0];
        const id = this.numbers.get(text);
        if (id === undefined) continue;
        propose(start, end, id, scores[id]);
        if (end === start + 1) isSingle = true;
      }
      if (!isSingle) propose(start, start + 1, unknown, this.least);
    }
    const pieces = [];
    for (let end = size; end > 0; end = from[end]) {
      const last = pieces[pieces.length - 1];
      if (by[end] === unknown && last && last[0] === unknown) last[1] = word[from[end]][1];
      else pieces.push([by[end], word[from[end]][1], word[end - 1][2]]);
    }
    return pieces.reverse();
  }

  // The longest piece first, and so on (Wu et al. 2016); where none fits the whole word is unknown.
  greedy(word) {
    const { unknown, continues, longest } = this.spec, size = word.length;
    const whole = [[unknown, word[0][1], word[size - 1][2]]];
    if (size > longest) return whole;
    const pieces = [];
    for (let start = 0; start < size;) {
      let end = Math.min(size, start + this.longest), id;
      for (; end > start; end--) {
        const text = word.slice(start, end).map((unit) => unit[0]).join("");
        id = this.numbers.get(start ? continues + text : text);
        if (id !== undefined) break;
      }
      if (id === undefined) return whole;
      pieces.push([id, word[start][1], word[end - 1][2]]);
      start = end;
    }
    return pieces;
  }
}
