/* Two trainings, step by step: one whose latents fall silent one after the other, and one with the cure (recorded). */
(() => {
  "use strict";
  const { decimal, element, slider, button, row, numbers, speaker, chart, calm } = vaeFigures.tools;

  const SPEAKS = 0.1; // nats
  const FIRST = 20; // the state that is shown at first: both codes alive

  /** How many latents say something, and their KL together. */
  function summary(kl) {
    return { speaking: kl.filter((v) => v > SPEAKS).length, total: kl.reduce((sum, v) => sum + v, 0) };
  }

  function start(panel) {
    const { steps, runs, tiles, sprite } = vaeFigures.data.collapse;
    const last = steps.length - 1;
    const top = Math.ceil(Math.max(...runs.flatMap(({ kl }) => kl.flat())));
    const buttons = row(panel);
    const controls = row(panel, "vf-controls");
    const sides = row(panel, "vf-sides");
    const places = runs.map(() => row(sides)); // both, before a chart asks how much room there is
    const views = runs.map(({ name, kl }, run) => {
      const side = places[run];
      side.append(element("p", { class: "vf-title" }, name));
      const plot = chart(side, {
        x: [0, steps[last]], y: [0, top], height: 180, xlabel: "step", ylabel: "KL (nats)",
        label: `KL of each latent over the training: ${name}.`,
      });
      kl[0].forEach((_, latent) => {
        plot.line(`vf-thin ${run ? "vf-green" : "vf-orange"}`)(steps.map((step, k) => [step, kl[k][latent]]));
      });
      const now = plot.line("vf-text-line vf-dashed");
      const pictures = element("canvas", { width: 64 * tiles.dogs, height: 64, role: "img", class: "vf-strip" });
      side.append(pictures);
      const tell = numbers(side, ["KL, nats", "latents that speak", "PSNR, dB"]);
      plot.drag((_, step) => go(Math.round((step / steps[last]) * last)));
      return { now, pictures, tell };
    });
    const sheet = new Image();
    const slide = slider(controls, {
      label: "training step", min: 0, max: last, step: 1, value: FIRST, show: (place) => `${steps[place]}`,
      move: (place) => {
        pause();
        go(place);
      },
    });
    let timer = 0;
    const play = button(buttons, "Play", () => (timer ? pause() : run()));
    button(buttons, "Back to the start", () => {
      pause();
      go(0);
    });
    const say = speaker(panel);

    function pause() {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    }

    function run() {
      if (slide.value === last) go(0);
      play.textContent = "Pause";
      // where motion is not wanted: a few still states
      const [stride, wait] = calm() ? [Math.ceil(last / 8), 1500] : [1, 12_000 / last];
      timer = setInterval(() => {
        go(Math.min(last, slide.value + stride));
        if (slide.value === last) pause();
      }, wait);
    }

    function paint(place) {
      runs.forEach((_, run) => {
        const pen = views[run].pictures.getContext("2d");
        const frame = Math.floor(place / tiles.every);
        const width = 64 * tiles.dogs;
        pen.drawImage(sheet, run * width, 64 * frame, width, 64, 0, 0, width, 64);
      });
    }

    function go(place) {
      const at = Math.max(0, Math.min(last, place));
      slide.value = at;
      if (sheet.complete) paint(at);
      const words = runs.map(({ name, kl, psnr }, run) => {
        const { speaking, total } = summary(kl[at]);
        views[run].now([[steps[at], 0], [steps[at], top]]);
        views[run].tell([decimal(total, 1), `${speaking} of ${kl[at].length}`, decimal(psnr[at], 1)]);
        views[run].pictures.setAttribute("aria-label", `${name}, step ${steps[at]}: ${tiles.dogs} dogs decoded from their codes`);
        return `${name}: KL ${decimal(total, 1)} nats, ${speaking} latents speak`;
      });
      say(`Step ${steps[at]}. ${words.join("; ")}.`);
    }
    sheet.onload = () => paint(slide.value);
    sheet.src = vaeFigures.folder + sprite;
    go(FIRST);
  }

  vaeFigures.collapse = { summary, start };
})();
