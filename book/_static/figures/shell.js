/* From one code to another in L dimensions: the line cuts through the inside of the shell, the arc stays in it. */
(() => {
  "use strict";
  const { decimal, random, slider, button, row, numbers, table, speaker, legend, chart, grid } = vaeFigures.tools;

  // ---- numbers ------------------------------------------------------------------------------------------------
  const dot = (a, b) => a.reduce((sum, v, j) => sum + v * b[j], 0);
  const norm = (a) => Math.sqrt(dot(a, a));
  const mix = (a, b, u, v) => a.map((value, j) => u * value + v * b[j]);
  const angle = (a, b) => Math.acos(Math.max(-1, Math.min(1, dot(a, b) / (norm(a) * norm(b)))));

  /** eq-lerp in chapter 6. */
  const lerp = (a, b, t) => mix(a, b, 1 - t, t);

  /** eq-slerp in chapter 6; the line where there is no unique arc. */
  function slerp(a, b, t) {
    const whole = angle(a, b);
    const sine = Math.sin(whole);
    if (!(sine > 1e-6)) return lerp(a, b, t);
    return mix(a, b, Math.sin((1 - t) * whole) / sine, Math.sin(t * whole) / sine);
  }

  /** log Γ(x), x > 0: Stirling's series, after moving up to where it is exact. */
  function logGamma(x) {
    let shift = 0;
    for (; x < 12; x++) shift += Math.log(x);
    const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5) - 1 / (1680 * x ** 7);
    return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
  }

  /** log P(‖z‖ ≤ r) for z ~ N(0, I) in L dimensions: the distribution function of χ², by its power series. */
  function logShorter(L, r) {
    const [a, x] = [L / 2, (r * r) / 2];
    let [term, sum] = [1, 1];
    for (let n = 1; term > 1e-16 * sum; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return Math.min(0, a * Math.log(x) - x - logGamma(a + 1) + Math.log(sum));
  }

  /** The length that a share of all draws stays below. */
  function quantile(L, share) {
    let [low, high] = [1e-6, Math.sqrt(L) + 8];
    for (let k = 0; k < 60; k++) {
      const middle = (low + high) / 2;
      if (logShorter(L, middle) < Math.log(share)) low = middle;
      else high = middle;
    }
    return low;
  }

  // ---- the figure ---------------------------------------------------------------------------------------------
  const SIZES = [2, 3, 4, 8, 16, 32, 64, 128, 192, 256, 512];

  /** A probability in words: 0.31, or "1 in 10^7". */
  function chance(logP) {
    if (logP > Math.log(0.001)) return decimal(Math.exp(logP), 3);
    const digits = [..."⁰¹²³⁴⁵⁶⁷⁸⁹"];
    return `1 in 10${[...`${Math.round(-logP / Math.LN10)}`].map((d) => digits[d]).join("")}`;
  }

  function start(panel) {
    let [L, t, seed, a, b] = [16, 0.5, 5];
    legend(panel, [["vf-grey vf-band", "95 % of all draws"], ["vf-orange", "line"], ["vf-blue", "arc"]]);
    const sides = row(panel, "vf-sides");
    const [left, right] = [row(sides), row(sides)];
    const plane = chart(left, {
      x: [-1.6, 1.6], y: [-0.4, 1.6], height: 220, square: true, xticks: [],
      label: "The plane through both codes and the origin: the shell as a ring, the line as a chord, the arc along the ring.",
    });
    const ring = plane.area("vf-grey");
    const [spokes, chord, arc] = [plane.line("vf-thin vf-grey"), plane.line("vf-orange"), plane.line("vf-blue")];
    const [atA, atB, onLine, onArc] = [
      plane.dot("vf-text-fill", 4), plane.dot("vf-text-fill", 4), plane.dot("vf-orange", 7), plane.dot("vf-blue", 7),
    ];
    const names = ["a", "b"].map((name) => plane.add("text", { class: "vf-text", "text-anchor": "middle" }, name));
    const lengths = chart(right, {
      x: [0, 1], y: [0.3, 1.6], height: 220, xlabel: "share t of the way", ylabel: "length / √L",
      label: "Length of the code along both ways, with the band that holds 95 percent of all draws.",
    });
    const band = lengths.area("vf-grey");
    const [low, high, now] = [lengths.line("vf-orange"), lengths.line("vf-blue"), lengths.line("vf-text-line vf-dashed")];

    const controls = row(panel, "vf-controls");
    slider(controls, {
      label: "dimensions L", min: 0, max: SIZES.length - 1, step: 1, value: SIZES.indexOf(L),
      show: (place) => `${SIZES[place]}`, move: (place) => draw((L = SIZES[place])),
    });
    slider(controls, { label: "share t of the way", min: 0, max: 1, step: 0.02, value: t, move: (v) => show((t = v)) });
    button(row(panel), "Draw two other codes", () => draw(++seed));
    const tellWays = table(panel, ["length / √L", "share of draws that are no longer"], ["line", "arc"]);
    const tell = numbers(panel, ["angle between the codes"]);
    const say = speaker(panel);

    function draw() {
      const generator = random(100 * seed + L);
      [a, b] = [Array.from(generator.normals(L)), Array.from(generator.normals(L))];
      const root = Math.sqrt(L);
      const edges = [0.025, 0.975].map((share) => quantile(L, share) / root);
      const turn = grid(0, 2 * Math.PI, 120);
      const circle = (radius, way) => turn.map((angle_) => [radius * Math.cos(way * angle_), radius * Math.sin(way * angle_)]);
      ring([...circle(edges[1], 1), ...circle(edges[0], -1)]);
      band([[0, edges[0]], [1, edges[0]], [1, edges[1]], [0, edges[1]]]);
      const ts = grid(0, 1, 50);
      low(ts.map((share) => [share, norm(lerp(a, b, share)) / root]));
      high(ts.map((share) => [share, norm(slerp(a, b, share)) / root]));
      show();
    }

    function show() {
      // the plane of a and b, seen with b to the right of a and both as far from the upright
      const [root, whole] = [Math.sqrt(L), angle(a, b)];
      const flat = (length, from) => [(length / root) * Math.cos(from), (length / root) * Math.sin(from)];
      const [pa, pb] = [flat(norm(a), (Math.PI + whole) / 2), flat(norm(b), (Math.PI - whole) / 2)];
      const ts = grid(0, 1, 40);
      spokes([pa, [0, 0], pb]);
      chord(ts.map((share) => lerp(pa, pb, share)));
      arc(ts.map((share) => slerp(pa, pb, share)));
      atA(...pa);
      atB(...pb);
      [pa, pb].forEach(([x, y], k) => {
        names[k].setAttribute("x", plane.x(1.13 * x));
        names[k].setAttribute("y", plane.y(1.13 * y) + 4);
      });
      onLine(...lerp(pa, pb, t));
      onArc(...slerp(pa, pb, t));
      now([[t, 0.3], [t, 1.6]]);
      const [onTheLine, onTheArc] = [norm(lerp(a, b, t)), norm(slerp(a, b, t))];
      tellWays([onTheLine, onTheArc].map((length) => [decimal(length / root), chance(logShorter(L, length))]));
      tell([`${decimal((whole * 180) / Math.PI, 0)}°`]);
      say(
        `${L} dimensions, ${decimal(100 * t, 0)} percent of the way: on the line ${decimal(onTheLine / root)} ` +
          `of root L, on the arc ${decimal(onTheArc / root)}.`,
      );
    }

    lengths.drag((_, value) => {
      t = Math.round(50 * Math.max(0, Math.min(1, value))) / 50;
      panel.querySelectorAll("input")[1].value = t;
      panel.querySelectorAll("input")[1].dispatchEvent(new Event("input"));
    });
    draw();
  }

  vaeFigures.shell = { lerp, slerp, norm, angle, logGamma, logShorter, quantile, start };
})();
