/* The bound in one dimension: a model whose evidence is known exactly, and a Gaussian q that can be dragged. */
(() => {
  "use strict";
  const { decimal, slider, button, choice, row, numbers, speaker, legend, chart, grid, calm } = vaeFigures.tools;

  // ---- numbers ------------------------------------------------------------------------------------------------
  const LOG_2PI = Math.log(2 * Math.PI);
  const logNormal = (x, mean, s) => -0.5 * (LOG_2PI + 2 * Math.log(s) + ((x - mean) / s) ** 2);

  /** KL(N(mu, s²) ‖ N(0, 1)), eq-kl in chapter 2. */
  const klToPrior = (mu, s) => 0.5 * (mu * mu + s * s - 2 * Math.log(s) - 1);

  /* x = x̂(z) + σ · noise, for one observed x; `error` is E (x − x̂(z))² for z ~ N(mu, s²), `slopes` its derivatives */
  const models = {
    straight: {
      x: 1.2,
      sigma: 0.7,
      mean: (z) => z,
      error: (x, mu, s) => (x - mu) ** 2 + s * s,
      slopes: (x, mu, s) => [-2 * (x - mu), 2 * s],
    },
    bent: {
      x: 1.5,
      sigma: 0.5,
      mean: (z) => z * z,
      // E z² = μ² + s², E z⁴ = μ⁴ + 6 μ² s² + 3 s⁴
      error: (x, mu, s) => x * x - 2 * x * (mu ** 2 + s ** 2) + mu ** 4 + 6 * mu ** 2 * s ** 2 + 3 * s ** 4,
      slopes: (x, mu, s) => [
        -4 * x * mu + 4 * mu ** 3 + 12 * mu * s ** 2,
        -4 * x * s + 12 * mu ** 2 * s + 12 * s ** 3,
      ],
    },
  };

  const logJoint = (model, z) => logNormal(model.x, model.mean(z), model.sigma) + logNormal(z, 0, 1);

  /** Sum of f over a fine grid: for smooth functions that vanish at both ends as good as exact. */
  function integrate(f, low, high, n = 4000) {
    let sum = 0;
    for (let k = 0; k <= n; k++) sum += f(low + ((high - low) * k) / n);
    return (sum * (high - low)) / n;
  }

  const logEvidence = (name) => Math.log(integrate((z) => Math.exp(logJoint(models[name], z)), -9, 9));
  const logPosterior = (name, z, logP) => logJoint(models[name], z) - logP;

  /** E_q log p(x|z): what the reconstruction is worth. */
  function reconstruction(name, mu, s) {
    const { x, sigma, error } = models[name];
    return -0.5 * (LOG_2PI + 2 * Math.log(sigma) + error(x, mu, s) / sigma ** 2);
  }

  const elbo = (name, mu, s) => reconstruction(name, mu, s) - klToPrior(mu, s);

  /** KL(q ‖ p(z|x)), by its definition: an integral over q. */
  function gap(name, mu, s, logP = logEvidence(name)) {
    const integrand = (z) => {
      const logQ = logNormal(z, mu, s);
      return Math.exp(logQ) * (logQ - logPosterior(name, z, logP));
    };
    return integrate(integrand, mu - 12 * s, mu + 12 * s);
  }

  /** Slopes of the ELBO along mu and log s. */
  function slopes(name, mu, s) {
    const { x, sigma, slopes: ofError } = models[name];
    const [toMu, toS] = ofError(x, mu, s).map((slope) => -slope / (2 * sigma ** 2));
    return [toMu - mu, s * (toS - s + 1 / s)];
  }

  // ---- the figure ---------------------------------------------------------------------------------------------
  const RANGE = [-4, 4];
  const [LEAST, MOST] = [0.1, 2.5];
  const FIRST = [-0.4, 0.9];

  function start(panel) {
    let [name, mu, s, logP, climbing] = ["straight", ...FIRST, 0, 0];

    choice(panel, "Model", [["straight", "x = z + noise"], ["bent", "x = z² + noise"]], (chosen) => {
      name = chosen;
      setModel();
    });
    legend(panel, [["vf-grey vf-dotted", "prior p(z)"], ["vf-orange", "posterior p(z|x)"], ["vf-blue", "q(z|x)"]]);
    const above = chart(panel, {
      x: RANGE, y: [0, 1.15], height: 210, left: 56, xlabel: "code z",
      label: "Densities of the prior, the posterior and q over the code. Drag sideways to move q; drag the dot on its slope to change its spread.",
    });
    const prior = above.line("vf-grey vf-dotted");
    const posterior = above.line("vf-orange");
    const [fill, bell] = [above.area("vf-blue"), above.line("vf-blue")];
    const [top, side] = [above.dot("vf-blue", 7), above.dot("vf-blue vf-hollow", 7)];
    legend(panel, [["vf-orange vf-dashed", "log p(x)"], ["vf-blue", "ELBO of every mean, at this spread"], ["vf-gap", "gap"]]);
    const below = chart(panel, {
      x: RANGE, y: [-8, 0], height: 190, xlabel: "mean of q", ylabel: "nats",
      label: "The ELBO as a function of the mean of q, below the line of log p(x); a bar marks the gap where q is now.",
    });
    const [evidence, curve] = [below.line("vf-orange vf-dashed"), below.line("vf-blue")];
    const [bar, here] = [below.line("vf-gap"), below.dot("vf-blue", 7)];

    const controls = row(panel, "vf-controls");
    const meanSlider = slider(controls, {
      label: "mean of q", min: -3.5, max: 3.5, step: 0.05, value: mu, move: (value) => move(value, s),
    });
    const spreadSlider = slider(controls, {
      label: "spread of q", min: LEAST, max: MOST, step: 0.05, value: s, move: (value) => move(mu, value),
    });
    const buttons = row(panel);
    button(buttons, "Climb the ELBO", climb);
    button(buttons, "Start again", () => move(...FIRST));
    const tellGap = numbers(panel, ["log p(x)", "= ELBO", "+ gap KL(q ‖ p(z|x))"]);
    const tellTerms = numbers(panel, ["ELBO = E log p(x|z)", "− KL(q ‖ p(z))"]);
    const say = speaker(panel);

    function setModel() {
      logP = logEvidence(name);
      const z = grid(...RANGE, 400);
      prior(z.map((v) => [v, Math.exp(logNormal(v, 0, 1))]));
      posterior(z.map((v) => [v, Math.exp(logPosterior(name, v, logP))]));
      below.rescale({ y: [logP - 7, logP + 0.7] });
      evidence(RANGE.map((v) => [v, logP]));
      move(mu, s);
    }

    function move(newMu, newS, byHand = true) {
      if (byHand) cancelAnimationFrame(climbing);
      mu = Math.min(3.5, Math.max(-3.5, newMu));
      s = Math.min(MOST, Math.max(LEAST, newS));
      [meanSlider.value, spreadSlider.value] = [mu, s];
      const z = grid(mu - 5 * s, mu + 5 * s, 160);
      const points = z.map((v) => [v, Math.exp(logNormal(v, mu, s))]);
      bell(points);
      fill(points);
      top(mu, Math.min(1.1, Math.exp(logNormal(mu, mu, s))));
      side(mu + s, Math.min(1.0, Math.exp(logNormal(mu + s, mu, s))));
      curve(grid(...RANGE, 200).map((v) => [v, elbo(name, v, s)]));
      const value = elbo(name, mu, s);
      bar([[mu, value], [mu, logP]]);
      here(mu, value);
      const lost = gap(name, mu, s, logP);
      tellGap([logP, value, lost].map((v) => decimal(v, 3)));
      tellTerms([reconstruction(name, mu, s), klToPrior(mu, s)].map((v) => decimal(v, 3)));
      say(
        `Mean ${decimal(mu)}, spread ${decimal(s)}: log p(x) ${decimal(logP)}, ELBO ${decimal(value)}, ` +
          `gap ${decimal(lost)}, KL to the prior ${decimal(klToPrior(mu, s))} nats.`,
      );
    }

    /** Gradient ascent, as training does it; at once where motion is not wanted. */
    function climb() {
      cancelAnimationFrame(climbing);
      for (let step = 0; step < (calm() ? 2000 : 1); step++) {
        const [toMu, toS] = slopes(name, mu, s).map((slope) => Math.max(-0.06, Math.min(0.06, 0.02 * slope)));
        [mu, s] = [mu + toMu, s * Math.exp(toS)];
        if (Math.hypot(toMu, toS) < 1e-6) return move(mu, s, false);
      }
      move(mu, s, false);
      if (!calm()) climbing = requestAnimationFrame(climb);
    }

    let handle = "";
    above.drag((phase, value, px, py) => {
      if (phase === "start") {
        const [sx, sy] = [above.x(mu + s), above.y(Math.min(1.0, Math.exp(logNormal(mu + s, mu, s))))];
        handle = Math.hypot(px - sx, py - sy) < 24 ? "spread" : "mean";
      }
      if (handle === "spread") move(mu, value - mu);
      else move(value, s);
    });
    setModel();
  }

  vaeFigures.bound = { klToPrior, logEvidence, reconstruction, elbo, gap, slopes, models, start };
})();
