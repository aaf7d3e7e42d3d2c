/* Two unbiased estimates of one slope, d/dmu E[f(z)] for f(z) = a + z²: how far they scatter. */
(() => {
  "use strict";
  const { decimal, random, slider, button, checkbox, element, row, numbers, table, speaker, chart } = vaeFigures.tools;

  // ---- numbers ------------------------------------------------------------------------------------------------
  const MU = 1; // the mean of z; so the slope is 2

  const f = (offset, z) => offset + z * z;

  /** E[f ε²] / E[ε²], the constant that makes the score function quietest, eq-best-baseline in chapter 3. */
  const bestBaseline = (offset, s) => offset + MU * MU + 3 * s * s;

  /** The slope itself, and the variance of one estimate of either kind; `baseline` is taken from f. */
  function exact(offset, s, baseline = 0) {
    const value = offset + MU * MU - baseline; // F: f at the mean
    const slope = 2 * MU; // G
    // f(mu + s ε) ε / s = (F/s) ε + G ε² + s ε³;  E ε⁴ = 3, E ε⁶ = 15
    const score = (value / s) ** 2 + 2 * slope ** 2 + 6 * value + 15 * s * s;
    return { slope, pathwise: 4 * s * s, score };
  }

  /** `repeats` estimates of each kind, each one the mean over `samples` draws, both from the same noise. */
  function estimates(offset, s, baseline, samples, repeats, generator) {
    const found = { pathwise: new Float64Array(repeats), score: new Float64Array(repeats) };
    for (let r = 0; r < repeats; r++) {
      for (let k = 0; k < samples; k++) {
        const eps = generator.normal();
        const z = MU + s * eps;
        found.pathwise[r] += (2 * z) / samples; // f′(z), eq-pathwise
        found.score[r] += ((f(offset, z) - baseline) * eps) / s / samples; // f(z) (z − mu) / s², eq-score-gaussian
      }
    }
    return found;
  }

  function moments(values) {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    return [mean, Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1))];
  }

  // ---- the figure ---------------------------------------------------------------------------------------------
  const [REPEATS, BINS] = [2000, 61];
  const SAMPLES = [1, 2, 5, 10, 20, 50, 100];

  /** A histogram as the outline of its columns; what lies outside is counted in the outermost ones. */
  function outline(values, [low, high]) {
    const counts = new Array(BINS).fill(0);
    for (const v of values) {
      const bin = Math.floor(((v - low) / (high - low)) * BINS);
      counts[Math.max(0, Math.min(BINS - 1, bin))]++;
    }
    const most = Math.max(...counts);
    const width = (high - low) / BINS;
    return [
      [low, 0],
      ...counts.flatMap((n, k) => [[low + k * width, n / most], [low + (k + 1) * width, n / most]]),
      [high, 0],
    ];
  }

  function start(panel) {
    let [offset, s, samples, baseline, seed] = [4, 0.5, 1, false, 1];
    const picture = (name, kind) => {
      panel.append(element("p", { class: "vf-title" }, name));
      const plot = chart(panel, {
        x: [-10, 14], y: [0, 1.05], height: 120,
        label: `Histogram of ${REPEATS} ${name} estimates; a vertical line marks the exact slope.`,
      });
      return { plot, bars: plot.area(`${kind} vf-full`), mark: plot.line("vf-text-line vf-dashed") };
    };
    const path = picture("pathwise", "vf-blue");
    const score = picture("score function", "vf-orange");

    const controls = row(panel, "vf-controls");
    slider(controls, {
      label: "offset a of f(z) = a + z²", min: -20, max: 20, step: 1, value: offset, show: (v) => decimal(v, 0),
      move: (value) => show((offset = value)),
    });
    slider(controls, {
      label: "spread s of the code", min: 0.05, max: 2, step: 0.05, value: s, move: (value) => show((s = value)),
    });
    slider(controls, {
      label: "samples in one estimate", min: 0, max: SAMPLES.length - 1, step: 1, value: 0,
      show: (place) => `${SAMPLES[place]}`, move: (place) => show((samples = SAMPLES[place])),
    });
    const buttons = row(panel);
    checkbox(buttons, "with the best baseline", (on) => show((baseline = on)));
    button(buttons, "Draw again", () => show(seed++));
    const tellSpreads = table(panel, ["mean", "standard deviation", "by formula"], ["pathwise", "score function"]);
    const tell = numbers(panel, ["exact slope", "draws of the score function worth one pathwise draw"]);
    const say = speaker(panel);

    function show() {
      const taken = baseline ? bestBaseline(offset, s) : 0;
      const known = exact(offset, s, taken);
      const [ofPath, ofScore] = [known.pathwise, known.score].map((variance) => Math.sqrt(variance / samples));
      const found = estimates(offset, s, taken, samples, REPEATS, random(seed));
      const widest = 3.2 * Math.max(ofPath, ofScore);
      const half = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].find((v) => v >= widest) ?? 5000;
      const range = [known.slope - half, known.slope + half];
      for (const [{ plot, bars, mark }, values] of [[path, found.pathwise], [score, found.score]]) {
        plot.rescale({ x: range });
        bars(outline(values, range));
        mark([[known.slope, 0], [known.slope, 1.05]]);
      }
      const [[pathMean, pathSpread], [scoreMean, scoreSpread]] = [moments(found.pathwise), moments(found.score)];
      const ratio = known.score / known.pathwise;
      tellSpreads([
        [pathMean, pathSpread, ofPath].map((v) => decimal(v)),
        [scoreMean, scoreSpread, ofScore].map((v) => decimal(v)),
      ]);
      tell([decimal(known.slope), ratio < 100 ? decimal(ratio, 1) : Math.round(ratio).toLocaleString("en")]);
      say(
        `Standard deviation of the pathwise estimate ${decimal(ofPath)}, of the score function ${decimal(ofScore)}; ` +
          `one pathwise draw is worth ${decimal(ratio, 1)}.`,
      );
    }
    show();
  }

  vaeFigures.noise = { exact, bestBaseline, estimates, moments, start };
})();
