"use strict";
// The forward pass of ALBERT, BERT and ELECTRA for one sentence, in plain loops. The last layer is computed only at the
// positions that are asked for.

// y[n, m] = x[n, k] w[m, k]^T + b, four rows and two columns at a time: what is loaded is used again.
function linear(x, n, w, b) {
  const m = b ? b.length : w.rows, k = w.columns, data = w.data, y = new Float32Array(n * m);
  for (let j = 0; j < m; j += 2) {
    const p = j * k, q = j + 1 < m ? p + k : p, both = j + 1 < m, u0 = b ? b[j] : 0, v0 = b && both ? b[j + 1] : 0;
    let i = 0;
    for (; i + 4 <= n; i += 4) {
      const o0 = i * k, o1 = o0 + k, o2 = o1 + k, o3 = o2 + k;
      let s00 = u0, s01 = v0, s10 = u0, s11 = v0, s20 = u0, s21 = v0, s30 = u0, s31 = v0;
      for (let t = 0; t < k; t++) {
        const u = data[p + t], v = data[q + t], x0 = x[o0 + t], x1 = x[o1 + t], x2 = x[o2 + t], x3 = x[o3 + t];
        s00 += x0 * u; s01 += x0 * v; s10 += x1 * u; s11 += x1 * v;
        s20 += x2 * u; s21 += x2 * v; s30 += x3 * u; s31 += x3 * v;
      }
      const r0 = i * m + j, r1 = r0 + m, r2 = r1 + m, r3 = r2 + m;
      y[r0] = s00; y[r1] = s10; y[r2] = s20; y[r3] = s30;
      if (both) { y[r0 + 1] = s01; y[r1 + 1] = s11; y[r2 + 1] = s21; y[r3 + 1] = s31; }
    }
    for (; i < n; i++) {
      const o = i * k;
      let s = u0, r = v0;
      for (let t = 0; t < k; t++) { s += x[o + t] * data[p + t]; r += x[o + t] * data[q + t]; }
      y[i * m + j] = s;
      if (both) y[i * m + j + 1] = r;
    }
  }
  return y;
}

// Layer normalisation of rows, in place (Ba et al. 2016).
function normalise(x, weight, bias, epsilon) {
  const size = weight.length;
  for (let start = 0; start < x.length; start += size) {
    let mean = 0, variance = 0;
    for (let i = 0; i < size; i++) mean += x[start + i];
    mean /= size;
    for (let i = 0; i < size; i++) variance += (x[start + i] - mean) ** 2;
    const by = 1 / Math.sqrt(variance / size + epsilon);
    for (let i = 0; i < size; i++) x[start + i] = (x[start + i] - mean) * by * weight[i] + bias[i];
  }
  return x;
}

// The error function to 1.2e-7 (Press et al., Numerical Recipes, 6.2).
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const series = -x * x - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  const rest = t * Math.exp(series);
  return x >= 0 ? 1 - rest : rest - 1;
}

// GELU in place, in its exact form or in that of the tanh (Hendrycks and Gimpel 2016).
function gelu(x, form) {
  const scale = Math.sqrt(2 / Math.PI);
  for (let i = 0; i < x.length; i++) {
    const z = x[i];
    if (form === "erf") x[i] = 0.5 * z * (1 + erf(z / Math.SQRT2));
    else x[i] = z * (1 - 1 / (1 + Math.exp(2 * scale * (z + 0.044715 * z * z * z)))); // 0.5 (1 + tanh), in one
  }
  return x;
}

function logSumExp(logits) {
  let most = -Infinity, sum = 0;
  for (const each of logits) if (each > most) most = each;
  for (const each of logits) sum += Math.exp(each - most);
  return most + Math.log(sum);
}

class Network {
  // shape: layers, own, heads, epsilon, activation, head_activation, positions; tensor(role): a matrix as { data, rows,
  // columns }, or a vector.
  constructor(shape, tensor) {
    this.shape = shape;
    this.tensor = tensor;
  }

  apply(x, n, role) {
    return linear(x, n, this.tensor(`${role}.weight`), this.tensor(`${role}.bias`));
  }

  norm(x, role) {
    return normalise(x, this.tensor(`${role}.weight`), this.tensor(`${role}.bias`), this.shape.epsilon);
  }

  // [positions, hidden] of the last layer at `positions` of the sentence `ids`.
  vectors(ids, positions) {
    const word = this.tensor("word.weight"), place = this.tensor("position.weight");
    const segment = this.tensor("segment.weight"), size = word.columns, n = ids.length;
    let x = new Float32Array(n * size);
    for (let i = 0; i < n; i++) {
      for (let t = 0; t < size; t++) {
        x[i * size + t] = word.data[ids[i] * size + t] + segment.data[t] + place.data[i * size + t];
      }
    }
    this.norm(x, "embedded");
    if (this.tensor("project.weight")) x = this.apply(x, n, "project");
    for (let layer = 0; layer < this.shape.layers; layer++) {
      const here = layer + 1 < this.shape.layers ? null : positions;
      x = this.layer(x, n, Math.min(layer, this.shape.own - 1), here);
    }
    return x;
  }

  layer(x, n, number, positions) {
    const role = (name) => `${number}/${name}`, hidden = x.length / n;
    const key = this.apply(x, n, role("key")), value = this.apply(x, n, role("value"));
    let at = x, m = n;
    if (positions) {
      m = positions.length;
      at = new Float32Array(m * hidden);
      positions.forEach((position, i) => at.set(x.subarray(position * hidden, (position + 1) * hidden), i * hidden));
    }
    const attended = this.attend(this.apply(at, m, role("query")), key, value, m, n, hidden);
    const mixed = this.apply(attended, m, role("attended"));
    for (let i = 0; i < mixed.length; i++) mixed[i] += at[i];
    this.norm(mixed, role("attended_norm"));
    const wide = gelu(this.apply(mixed, m, role("widened")), this.shape.activation);
    const narrow = this.apply(wide, m, role("narrowed"));
    for (let i = 0; i < narrow.length; i++) narrow[i] += mixed[i];
    return this.norm(narrow, role("norm"));
  }

  // Scaled dot products, m queries on n keys, head by head (Vaswani et al. 2017).
  attend(query, key, value, m, n, hidden) {
    const heads = this.shape.heads, size = hidden / heads, by = 1 / Math.sqrt(size);
    const result = new Float32Array(m * hidden), weights = new Float64Array(n);
    for (let head = 0; head < heads; head++) {
      const offset = head * size;
      for (let i = 0; i < m; i++) {
        let most = -Infinity, sum = 0;
        for (let j = 0; j < n; j++) {
          let score = 0;
          for (let t = 0; t < size; t++) score += query[i * hidden + offset + t] * key[j * hidden + offset + t];
          weights[j] = score * by;
          if (weights[j] > most) most = weights[j];
        }
        for (let j = 0; j < n; j++) { weights[j] = Math.exp(weights[j] - most); sum += weights[j]; }
        for (let j = 0; j < n; j++) {
          const weight = weights[j] / sum;
          for (let t = 0; t < size; t++) result[i * hidden + offset + t] += weight * value[j * hidden + offset + t];
        }
      }
    }
    return result;
  }

  // Of each of `positions` the logits over the vocabulary.
  logits(ids, positions) {
    const n = positions.length;
    const inner = gelu(this.apply(this.vectors(ids, positions), n, "head/dense"), this.shape.head_activation);
    const decoder = this.tensor("head/decoder.weight") || this.tensor("word.weight");
    const all = linear(this.norm(inner, "head/norm"), n, decoder, this.tensor("head/bias"));
    const size = all.length / n;
    return positions.map((_, i) => all.subarray(i * size, (i + 1) * size));
  }

  // Of each of `positions` the logit that its piece was replaced (Clark et al. 2020).
  replaced(ids, positions) {
    const n = positions.length;
    const inner = gelu(this.apply(this.vectors(ids, positions), n, "replaced/dense"), this.shape.head_activation);
    return this.apply(inner, n, "replaced/out");
  }
}
