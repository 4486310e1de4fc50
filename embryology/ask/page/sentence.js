"use strict";
// A typed sentence as a model reads it, and what is asked about it.

// Words and single signs, as a reader sees them.
const SEEN = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|\S/gu;
const TOP = 5;

class Sentence {
  // longest: the most pieces that a model reads, those before and behind the text included.
  constructor(tokenizer, text, longest) {
    Object.assign(this, { tokenizer, text, ...tokenizer.encode(text) });
    const around = tokenizer.spec.before.length + tokenizer.spec.after.length;
    this.pieces = this.ids.length - around;
    this.room = longest - around;
    this.fits = this.pieces > 0 && this.pieces <= this.room;
    this.units = this.grouped();
  }

  // What can be clicked: of each { start, end, positions } of pieces. What one piece holds is one unit.
  grouped() {
    const seen = Array.from(this.text.matchAll(SEEN), (each) => [each.index, each.index + each[0].length]);
    const units = [];
    this.spans.forEach((span, position) => {
      if (!span) return;
      // A piece that has no character of its own, such as the sign of a word, lies where it begins.
      const touched = seen.filter(([start, end]) => (
        span[0] === span[1] ? start <= span[0] && span[0] < end : start < span[1] && span[0] < end));
      if (!touched.length) return;
      const [start, end] = [touched[0][0], touched[touched.length - 1][1]], last = units[units.length - 1];
      if (last && start < last.end) {
        last.end = Math.max(last.end, end);
        last.positions.push(position);
      } else units.push({ start, end, positions: [position] });
    });
    return units;
  }

  isMask(unit) { return unit.positions.every((position) => this.ids[position] === this.tokenizer.spec.mask); }

  // Ids with all pieces of some units masked.
  masked(numbers) {
    const ids = [...this.ids];
    for (const number of numbers) {
      for (const position of this.units[number].positions) ids[position] = this.tokenizer.spec.mask;
    }
    return ids;
  }

  // A copy a piece, it and the later pieces of its word masked (Kauf and Ivanova 2023, PLL-word-l2r), as
  // embryology/grammar scores sentences.
  copies() {
    const copies = [];
    this.spans.forEach((span, position) => {
      if (!span) return;
      const ids = this.ids.map((id, other) => (
        other >= position && this.words[other] === this.words[position] ? this.tokenizer.spec.mask : id));
      copies.push({ ids, position, wanted: this.ids[position] });
    });
    return copies;
  }
}

// The numbers of the largest logits, falling, with their probabilities.
function largest(logits, how_many) {
  const whole = logSumExp(logits), best = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === how_many && logits[id] <= logits[best[how_many - 1]]) continue;
    let place = best.length;
    while (place && logits[best[place - 1]] < logits[id]) place -= 1;
    best.splice(place, 0, id);
    best.length = Math.min(best.length, how_many);
  }
  return best.map((id) => ({ id, p: Math.exp(logits[id] - whole) }));
}
