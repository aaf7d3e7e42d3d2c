/* The course's decoder and its learned prior in plain JavaScript: vae_ref.networks.Decoder and vae_ref.sharper.FlowPrior.
   Weights come in half precision, as they are stored with the course; all arithmetic is done in single precision or better.
   Arrays are flat; the 8×8 places of the grid come first, so that the channels of a place lie side by side. */
(() => {
  "use strict";
  const [GRID, PATCH, SIZE] = [8, 8, 64];
  const PLACES = GRID * GRID;
  const [SUMMARY, WIDTH, GROUPS, BLOCKS] = [24, 128, 8, 2];
  const silu = (v) => v / (1 + Math.exp(-v));

  /** Half-precision numbers in base64 → Float32Array. */
  function unpack(text) {
    const bytes = atob(text);
    const bits = new Uint32Array(bytes.length / 2);
    for (let k = 0; k < bits.length; k++) {
      const half = bytes.charCodeAt(2 * k) | (bytes.charCodeAt(2 * k + 1) << 8);
      // sign, exponent and digits moved to their places in 32 bits; the exponent is too small by 112 until the end
      bits[k] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13);
    }
    const values = new Float32Array(bits.buffer);
    for (let k = 0; k < values.length; k++) values[k] *= 2 ** 112;
    return values;
  }

  /** A model from the data of a generated file such as paper.js; unpacked once. */
  function open(data) {
    if (!data.tensors) {
      const values = unpack(data.half);
      data.tensors = {};
      for (const [name, start, length] of data.layout) data.tensors[name] = values.subarray(start, start + length);
      delete data.half;
    }
    return data;
  }

  /** output[o0 …] += input[i0 …] · weight, whose rows of `to` numbers begin at w0; `from` is a multiple of four. */
  function accumulate(output, o0, to, input, i0, from, weight, w0) {
    for (let i = 0; i < from; i += 4) {
      const [a, b, c, d] = [input[i0 + i], input[i0 + i + 1], input[i0 + i + 2], input[i0 + i + 3]];
      const w = w0 + i * to;
      for (let o = 0; o < to; o++) {
        output[o0 + o] +=
          a * weight[w + o] + b * weight[w + to + o] + c * weight[w + 2 * to + o] + d * weight[w + 3 * to + o];
      }
    }
  }

  /** The same matrix at every one of some places: a linear layer or a 1×1 convolution. */
  function mix(input, places, from, to, weight, bias) {
    const output = new Float32Array(places * to);
    for (let p = 0; p < places; p++) {
      output.set(bias, p * to);
      accumulate(output, p * to, to, input, p * from, from, weight, 0);
    }
    return output;
  }

  /** A 3×3 convolution with a border of zeros; `weight` has one matrix for each of the nine neighbours. */
  function convolve(input, weight, bias) {
    const output = new Float32Array(PLACES * WIDTH);
    for (let p = 0; p < PLACES; p++) {
      output.set(bias, p * WIDTH);
      for (let tap = 0; tap < 9; tap++) {
        const y = Math.floor(p / GRID) + Math.floor(tap / 3) - 1;
        const x = (p % GRID) + (tap % 3) - 1;
        if (y < 0 || y >= GRID || x < 0 || x >= GRID) continue;
        accumulate(output, p * WIDTH, WIDTH, input, (y * GRID + x) * WIDTH, WIDTH, weight, tap * WIDTH * WIDTH);
      }
    }
    return output;
  }

  /** GroupNorm with its scale and shift, then SiLU. */
  function normalise(input, scale, shift) {
    const output = new Float32Array(input.length);
    const size = WIDTH / GROUPS;
    for (let first = 0; first < WIDTH; first += size) {
      let [sum, squares] = [0, 0];
      for (let p = 0; p < PLACES; p++) {
        for (let c = first; c < first + size; c++) {
          const value = input[p * WIDTH + c];
          sum += value;
          squares += value * value;
        }
      }
      const mean = sum / (PLACES * size);
      const factor = 1 / Math.sqrt(squares / (PLACES * size) - mean * mean + 1e-5);
      for (let p = 0; p < PLACES; p++) {
        for (let c = first; c < first + size; c++) {
          const k = p * WIDTH + c;
          output[k] = silu((input[k] - mean) * factor * scale[c] + shift[c]);
        }
      }
    }
    return output;
  }

  /** A code of L numbers → 64 × 64 × 3 numbers in [0, 1], row by row, red, green and blue of a pixel side by side. */
  function decode(model, z) {
    const t = model.tensors;
    const summary = mix(z, 1, model.latentDim, PLACES * SUMMARY, t["linear.weight"], t["linear.bias"]);
    let grid = mix(summary, PLACES, SUMMARY, WIDTH, t["expand.weight"], t["expand.bias"]);
    for (let k = 0; k < BLOCKS; k++) {
      const part = (name) => t[`block${k}.${name}`];
      const inner = convolve(normalise(grid, part("norm.weight"), part("norm.bias")), part("wide.weight"), part("wide.bias"));
      const more = mix(inner.map(silu), PLACES, WIDTH, WIDTH, part("narrow.weight"), part("narrow.bias"));
      grid = grid.map((value, place) => value + more[place]);
    }
    const patches = mix(grid, PLACES, WIDTH, 3 * PATCH * PATCH, t["head.weight"], t["head.bias"]);
    const picture = new Float32Array(SIZE * SIZE * 3);
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const place = Math.floor(y / PATCH) * GRID + Math.floor(x / PATCH);
        const inside = (y % PATCH) * PATCH + (x % PATCH); // PixelShuffle: channel c·64 + inside
        for (let c = 0; c < 3; c++) {
          const value = patches[place * 3 * PATCH * PATCH + c * PATCH * PATCH + inside];
          picture[(y * SIZE + x) * 3 + c] = 1 / (1 + Math.exp(-value));
        }
      }
    }
    return picture;
  }

  // ---- the learned prior --------------------------------------------------------------------------------------
  /** What one coupling layer adds to the second half of a code, and by which power of e it stretches it. */
  function coupling(model, k, kept) {
    const part = (name) => model.tensors[`flow${k}.${name}`];
    const width = part("a.bias").length;
    const first = mix(kept, 1, kept.length, width, part("a.weight"), part("a.bias")).map(silu);
    const second = mix(first, 1, width, width, part("b.weight"), part("b.bias")).map(silu);
    const rest = model.latentDim - kept.length;
    const both = mix(second, 1, width, 2 * rest, part("c.weight"), part("c.bias"));
    return [both.subarray(0, rest), both.subarray(rest).map((raw) => 2 * Math.tanh(raw / 2))];
  }

  const half = (model) => Math.floor(model.latentDim / 2);

  /** Noise from N(0, I) → a code from the learned prior. */
  function fromNoise(model, u) {
    let z = Float32Array.from(u);
    for (let k = model.orders.length - 1; k >= 0; k--) {
      const kept = z.subarray(0, half(model));
      const [shift, power] = coupling(model, k, kept);
      const layer = z.map((v, j) => (j < kept.length ? v : v * Math.exp(power[j - kept.length]) + shift[j - kept.length]));
      z = new Float32Array(z.length);
      model.orders[k].forEach((from, j) => (z[from] = layer[j]));
    }
    return z.map((v, j) => v * model.tensors["flow.spread"][j] + model.tensors["flow.centre"][j]);
  }

  /** The way back: a code → the noise that becomes it. */
  function toNoise(model, z) {
    let u = Float32Array.from(z, (v, j) => (v - model.tensors["flow.centre"][j]) / model.tensors["flow.spread"][j]);
    for (let k = 0; k < model.orders.length; k++) {
      const ordered = Float32Array.from(model.orders[k], (from) => u[from]);
      const kept = ordered.subarray(0, half(model));
      const [shift, power] = coupling(model, k, kept);
      u = ordered.map((v, j) => (j < kept.length ? v : (v - shift[j - kept.length]) * Math.exp(-power[j - kept.length])));
    }
    return u;
  }

  vaeFigures.decoder = { open, unpack, decode, fromNoise, toNoise, SIZE };
})();
