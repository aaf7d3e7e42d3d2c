/* The reparameterization trick: the noise stays where it is, the codes move with mu and s, and slopes follow the path. */
(() => {
  "use strict";
  const { decimal, random, slider, button, checkbox, row, numbers, speaker, shape, chart, grid } = vaeFigures.tools;

  // ---- numbers ------------------------------------------------------------------------------------------------
  const OMEGA = 1.3;
  const f = (z) => Math.sin(OMEGA * z);
  const slope = (z) => OMEGA * Math.cos(OMEGA * z);

  /** Averages over the samples z = mu + s eps: of f, and of its slopes along the path to mu and to s. */
  function estimates(mu, s, noise) {
    const sums = [0, 0, 0];
    for (const eps of noise) {
      const z = mu + s * eps; // eq-gaussian-path: dz/dmu = 1, dz/ds = eps
      sums[0] += f(z);
      sums[1] += slope(z);
      sums[2] += slope(z) * eps;
    }
    return sums.map((sum) => sum / noise.length);
  }

  /** The same without sampling: E sin(ωz) = sin(ωμ) exp(−ω²s²/2). */
  function exact(mu, s) {
    const damping = Math.exp(-0.5 * (OMEGA * s) ** 2);
    const value = Math.sin(OMEGA * mu) * damping;
    return [value, OMEGA * Math.cos(OMEGA * mu) * damping, -OMEGA * OMEGA * s * value];
  }

  // ---- the figure ---------------------------------------------------------------------------------------------
  const RANGE = [-4, 4];
  const bell = (x, mean, s) => Math.exp(-0.5 * ((x - mean) / s) ** 2) / (s * Math.sqrt(2 * Math.PI));

  function start(panel) {
    let [mu, s, seed, fresh] = [-0.5, 0.6, 1, false];
    const size = { value: 24 };
    let noise = random(seed).normals(200);

    const height = 362;
    const plot = chart(panel, {
      x: RANGE, y: [0, 1], height, xlabel: "noise ε above, code z below",
      label: "Noise drawn from N(0, 1) in the upper part; lines lead to the codes z = μ + s ε below; there the curve f(z), with a short tangent at each code.",
    });
    const [upper, lower, middle, swing] = [72, 140, 215, 55]; // heights of the two axes and of the curve
    const drawn = (points) => points.map(([x, y], k) => `${k ? "L" : "M"}${plot.x(x).toFixed(1)} ${y.toFixed(1)}`).join("");
    const path = (kind) => plot.add("path", { class: kind });
    const [above, below, lines, hero, curve, tangents, heroTangent] = [
      "vf-area vf-grey", "vf-area vf-blue", "vf-line vf-thin vf-blue", "vf-line vf-orange", "vf-line vf-green",
      "vf-line vf-blue", "vf-line vf-wide vf-orange",
    ].map(path);
    path("vf-axis").setAttribute("d", `M${plot.x(-4)} ${upper}H${plot.x(4)}M${plot.x(-4)} ${lower}H${plot.x(4)}`);
    const text = (x, y, words) => plot.add("text", { class: "vf-text", x, y }, words);
    text(plot.x(-3.95), upper - 8, "ε ~ N(0, 1)");
    text(plot.x(-3.95), lower - 8, "z = μ + s ε");
    text(plot.x(-3.95), middle - swing - 4, "f(z)");
    const [dots, heroDots] = [plot.add("g"), plot.add("g")];
    above.setAttribute("d", `${drawn(grid(...RANGE, 160).map((x) => [x, upper - 120 * bell(x, 0, 1)]))}Z`);
    curve.setAttribute("d", drawn(grid(...RANGE, 200).map((z) => [z, middle - swing * f(z)])));

    const controls = row(panel, "vf-controls");
    const meanSlider = slider(controls, {
      label: "μ", min: -2.5, max: 2.5, step: 0.05, value: mu, move: (value) => move(value, s),
    });
    const spreadSlider = slider(controls, {
      label: "s", min: 0, max: 1.5, step: 0.05, value: s, move: (value) => move(mu, value),
    });
    size.slider = slider(controls, {
      label: "samples", min: 5, max: 200, step: 5, value: 25, show: (n) => `${n}`, move: () => show(),
    });
    const buttons = row(panel);
    button(buttons, "Draw new noise", () => {
      noise = random(++seed).normals(200);
      show();
    });
    checkbox(buttons, "draw anew at every move", (on) => (fresh = on));
    const tell = numbers(panel, ["d/dμ E f, exact", "mean of f′(z)", "d/ds E f, exact", "mean of f′(z) ε"]);
    const say = speaker(panel);

    function move(newMu, newS) {
      mu = Math.min(2.5, Math.max(-2.5, newMu));
      s = newS;
      if (fresh) noise = random(++seed).normals(200);
      [meanSlider.value, spreadSlider.value] = [mu, s];
      show();
    }

    function show() {
      const used = noise.subarray(0, size.slider.value);
      const codes = Array.from(used, (eps) => [eps, mu + s * eps]);
      const link = ([eps, z]) => drawn([[eps, upper], [z, lower]]);
      const drop = ([, z]) => drawn([[z, lower], [z, middle - swing * f(z)]]);
      const reach = 0.22;
      const tangent = ([, z]) =>
        drawn([-reach, reach].map((dz) => [z + dz, middle - swing * (f(z) + slope(z) * dz)]));
      const few = codes.slice(1, 40); // more lines would be one surface
      lines.setAttribute("d", few.map(link).join(""));
      hero.setAttribute("d", link(codes[0]) + drop(codes[0]));
      tangents.setAttribute("d", few.map(tangent).join(""));
      heroTangent.setAttribute("d", tangent(codes[0]));
      const circles = ([eps, z]) => [[eps, upper], [z, lower], [z, middle - swing * f(z)]];
      const place = (group, points, kind, radius) =>
        group.replaceChildren(
          ...points.map(([x, y]) => shape("circle", { class: `vf-dot ${kind}`, r: radius, cx: plot.x(x), cy: y })),
        );
      place(dots, few.flatMap(circles), "vf-blue", 3);
      place(heroDots, circles(codes[0]), "vf-orange", 6);
      const visible = Math.max(s, 0.03);
      below.setAttribute(
        "d", `${drawn(grid(...RANGE, 400).map((z) => [z, 319 - Math.min(60, 30 * bell(z, mu, visible))]))}Z`,
      );
      const [known, found] = [exact(mu, s), estimates(mu, s, used)];
      tell([known[1], found[1], known[2], found[2]].map((v) => decimal(v, 3)));
      say(
        `μ ${decimal(mu)}, s ${decimal(s)}: slope in μ ${decimal(known[1])}, estimated ${decimal(found[1])}; ` +
          `slope in s ${decimal(known[2])}, estimated ${decimal(found[2])}.`,
      );
    }

    let grabbed = 0;
    plot.drag((phase, value) => {
      if (phase === "start") grabbed = value - mu;
      else move(value - grabbed, s);
    });
    show();
  }

  vaeFigures.path = { estimates, exact, f, start };
})();
