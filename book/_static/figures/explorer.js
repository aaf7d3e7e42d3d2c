/* The latent explorer: move a code along its principal directions, draw one, walk from one to another; see it decoded. */
(() => {
  "use strict";
  const { decimal, random, element, slider, button, choice, row, numbers, speaker } = vaeFigures.tools;

  // ---- numbers ------------------------------------------------------------------------------------------------
  const dot = (a, b) => a.reduce((sum, v, j) => sum + v * b[j], 0);

  /** Where a code lies along direction k, in standard deviations of all codes. */
  const coordinate = (model, z, k) =>
    dot(model.directions[k], z.map((v, j) => v - model.mean[j])) / model.spreads[k];

  /** The code with that coordinate set to a value; what stands at right angles to it stays. */
  function moveAlong(model, z, k, value) {
    const step = (value - coordinate(model, z, k)) * model.spreads[k];
    return z.map((v, j) => v + step * model.directions[k][j]);
  }

  /** A point on the way from a to b: "line", "arc", or "noise", the arc between the noises of the learned prior. */
  function walk(model, a, b, t, way) {
    const { lerp, slerp } = vaeFigures.shell;
    const { fromNoise, toNoise } = vaeFigures.decoder;
    if (t === 0 || t === 1) return t ? b : a;
    if (way === "line") return lerp(a, b, t);
    return way === "arc" ? slerp(a, b, t) : fromNoise(model, slerp(toNoise(model, a), toNoise(model, b), t));
  }

  // ---- the figure ---------------------------------------------------------------------------------------------
  const models = {
    paper: ["Paper Dogs", "paper.js"],
    stanford: ["photos: Stanford Dogs (loads 1.8 MB)", "stanford.js"],
  };

  function canvas(host, label) {
    const { SIZE } = vaeFigures.decoder;
    const made = element("canvas", { width: SIZE, height: SIZE, role: "img", "aria-label": label, class: "vf-dog" });
    host.append(made);
    return made;
  }

  function paint(target, picture) {
    const { SIZE } = vaeFigures.decoder;
    const image = new ImageData(SIZE, SIZE);
    for (let p = 0; p < SIZE * SIZE; p++) {
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = Math.round(255 * picture[3 * p + c]);
      image.data[4 * p + 3] = 255;
    }
    target.getContext("2d").putImageData(image, 0, 0);
  }

  function start(panel) {
    const { open, decode, fromNoise } = vaeFigures.decoder;
    const noise = random(5);
    let [model, z, kept, way, waiting] = [open(vaeFigures.data.paper), null, {}, "line", 0];

    choice(panel, "Model", Object.entries(models).map(([name, [label]]) => [name, label]), use);
    const sides = row(panel, "vf-sides vf-explorer");
    const left = row(sides);
    const picture = canvas(left, "The decoded picture");
    const right = row(sides, "vf-controls");
    const sliders = model.directions.map((_, k) =>
      slider(right, {
        label: `direction ${k + 1}`, min: -2.5, max: 2.5, step: 0.1, value: 0,
        show: (v) => `${decimal(v, 1)} sd`, move: (value) => show(moveAlong(model, z, k, value)),
      }),
    );
    const buttons = row(panel);
    const learned = button(buttons, "Draw from the learned prior", () => show(fromNoise(model, noise.normals(model.latentDim))));
    button(buttons, "Draw from N(0, I)", () => show(Float32Array.from(noise.normals(model.latentDim))));
    button(buttons, "Mean of all codes", () => show(Float32Array.from(model.mean)));

    const trip = row(panel, "vf-trip");
    const ends = {};
    const end = (name) => {
      const box = row(trip, "vf-end");
      ends[name] = canvas(box, `Code ${name}, decoded`);
      button(box, `Keep as ${name}`, () => keep(name, z));
    };
    end("A");
    const between = row(trip, "vf-between");
    const share = slider(between, {
      label: "walk from A to B", min: 0, max: 1, step: 0.02, value: 0,
      move: (t) => show(walk(model, kept.A, kept.B, t, way), true),
    });
    const ways = choice(between, "Way", [["line", "line"], ["arc", "arc"], ["noise", "arc in the learned prior"]], (chosen) => {
      way = chosen;
      show(walk(model, kept.A, kept.B, share.value, way), true);
    });
    end("B");
    const tell = numbers(panel, ["length of the code", "√L", "decoded in"]);
    const say = speaker(panel);

    function keep(name, code) {
      kept[name] = code;
      paint(ends[name], decode(model, code));
    }

    /** Make a code the current one; the picture follows with the next frame. */
    function show(code, walking = false) {
      z = code;
      sliders.forEach((one, k) => (one.value = coordinate(model, z, k)));
      if (!walking) share.value = 0;
      waiting ||= requestAnimationFrame(() => {
        waiting = 0;
        const before = performance.now();
        paint(picture, decode(model, z));
        const took = performance.now() - before;
        tell([decimal(Math.sqrt(dot(z, z))), decimal(Math.sqrt(model.latentDim)), `${decimal(took, 0)} ms`]);
        const places = sliders.map((one, k) => `direction ${k + 1} at ${decimal(one.value, 1)}`).join(", ");
        picture.setAttribute("aria-label", `The decoded picture: ${places}`);
        say(`Decoded. Length of the code ${decimal(Math.sqrt(dot(z, z)))}; ${places}.`);
      });
    }

    async function use(name) {
      if (!vaeFigures.data[name]) {
        say("Loading the model");
        await vaeFigures.load(models[name][1]).catch(() => say("The model could not be loaded. Choose it again to try once more."));
      }
      if (!vaeFigures.data[name]) return;
      model = open(vaeFigures.data[name]);
      const draw = () => (model.orders ? fromNoise(model, noise.normals(model.latentDim)) : Float32Array.from(noise.normals(model.latentDim)));
      learned.hidden = !model.orders;
      const radios = ways.querySelectorAll("input");
      radios[2].disabled = !model.orders; // there is no learned prior
      if (way === "noise" && !model.orders) radios[0].click();
      keep("A", draw());
      keep("B", draw());
      show(kept.A);
    }
    use("paper");
  }

  vaeFigures.explorer = { coordinate, moveAlong, walk, start };
})();
