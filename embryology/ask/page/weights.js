"use strict";
// Packed weights -> tensors, as embryology/runs/packed has packed them: of each checkpoint but the last its bytes'
// differences from the one after it, gzipped, in base64.

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// IEEE 754 half precision; what is neither a number nor finite was refused when it was packed.
function halfOf(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 32768 ? -1 : 1;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

class Weights {
  // about: tensors ([role, shape], matrices first), same, models, steps; scales: Float32Array, a row after the other.
  constructor(about, scales) {
    this.about = about;
    this.scales = scales;
    this.blocks = new Map();
    this.size = about.tensors.reduce((sum, [, shape]) => sum + count(shape) * (shape.length === 2 ? 1 : 2), 0);
  }

  has(step) { return this.blocks.has(step); }

  // The steps that are still to come before `step` can be had, first of them first.
  missing(step) {
    return this.about.steps.filter((each) => each >= step && !this.has(each)).reverse();
  }

  // The one after it has to be there.
  async add(step, base64) {
    const bytes = await inflated(bytesOf(base64));
    if (bytes.length !== this.size) throw new Error(`${bytes.length} bytes, not ${this.size}`);
    const after = this.about.steps[this.about.steps.indexOf(step) + 1];
    if (after !== undefined) {
      const other = this.blocks.get(after);
      for (let i = 0; i < bytes.length; i++) bytes[i] += other[i];
    }
    this.blocks.set(step, bytes);
  }

  // By model a Network of a step's float32 weights.
  networks(step) {
    const bytes = this.blocks.get(step), tensors = new Map();
    let start = 0, row = 0;
    for (const [role, shape] of this.about.tensors) {
      const size = count(shape);
      if (shape.length === 2) {
        const [rows, columns] = shape, data = new Float32Array(size);
        const eight = new Int8Array(bytes.buffer, bytes.byteOffset + start, size);
        for (let i = 0, at = 0; i < rows; i++) {
          const scale = this.scales[row++];
          for (let j = 0; j < columns; j++, at++) data[at] = eight[at] * scale;
        }
        tensors.set(role, { data, rows, columns });
        start += size;
      } else {
        const vector = new Float32Array(size);
        for (let i = 0; i < size; i++, start += 2) vector[i] = halfOf(bytes[start] | (bytes[start + 1] << 8));
        tensors.set(role, vector);
      }
    }
    for (const [role, other] of Object.entries(this.about.same)) tensors.set(role, tensors.get(other));
    return Object.fromEntries(Object.entries(this.about.models).map(
      ([name, shape]) => [name, new Network(shape, (role) => tensors.get(`${name}/${role}`))],
    ));
  }
}

function count(shape) { return shape.reduce((product, each) => product * each, 1); }
