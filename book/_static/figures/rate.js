/* Rate and distortion of models that were trained with different weights β of the KL term (recorded, see book/record.py). */
(() => {
  "use strict";
  const { decimal, element, slider, row, numbers, speaker, legend, chart } = vaeFigures.tools;

  const whole = (value) => Math.round(value).toLocaleString("en").replace("-", "−");
  const weight = (beta) => (beta < 1 ? `1/${Math.round(1 / beta)}` : `${beta}`);

  /** Place in the recording of the model with the best bound: the smallest sum of rate and distortion. */
  function best(points) {
    const sums = points.map(({ rate, distortion }) => rate + distortion);
    return sums.indexOf(Math.min(...sums));
  }

  function start(panel) {
    const { points, sigma, linear, tiles, sprite } = vaeFigures.data.rate;
    const inLog = ({ rate, distortion }) => [rate, Math.log10(distortion)];
    const most = Math.ceil(Math.max(...points.map(({ rate }) => rate)) / 20) * 20;
    const powers = [100, 300, 1000, 3000, 10_000, 30_000];
    const heights = points.map((point) => inLog(point)[1]);
    const plot = chart(panel, {
      x: [-0.03 * most, most], y: [Math.min(...heights) - 0.15, Math.max(...heights) + 0.15], height: 260, left: 64,
      xlabel: "rate R (nats a picture)", ylabel: "distortion D (nats)",
      yticks: powers.map((v) => [Math.log10(v), v.toLocaleString("en")]).filter(([v]) => v > Math.min(...heights) - 0.15 && v < Math.max(...heights) + 0.15),
      label: "Distortion against rate for trained models and for the best linear ones; the model chosen is marked.",
    });
    const reference = plot.line("vf-grey vf-dashed");
    reference(linear.map(inLog));
    plot.line("vf-blue vf-thin")(points.map(inLog));
    points.forEach((point) => plot.dot("vf-blue", 4)(...inLog(point)));
    const here = plot.dot("vf-orange", 8);
    legend(panel, [["vf-blue", "trained networks"], ["vf-grey vf-dashed", "best linear model, by formula"]]);

    const strip = element("canvas", { width: tiles.columns * 64, height: 128, role: "img", class: "vf-strip" });
    panel.append(strip);
    const pen = strip.getContext("2d");
    const sheet = new Image();
    const controls = row(panel, "vf-controls");
    const slide = slider(controls, {
      label: "weight β of the KL term", min: 0, max: points.length - 1, step: 1, value: best(points),
      show: (place) => weight(points[place].beta), move: show,
    });
    const tell = numbers(panel, ["rate R, nats", "as bytes", "distortion D, nats", "D + R, nats", "latents in use", "PSNR, dB"]);
    const say = speaker(panel);

    /** Originals above, reconstructions of the chosen model below; row 0 of the sheet holds the originals. */
    function paint(place) {
      const width = tiles.columns * 64;
      pen.clearRect(0, 0, width, 128);
      pen.drawImage(sheet, 0, 0, width, 64, 0, 0, width, 64);
      pen.drawImage(sheet, 0, 64 * (place + 1), width, 64, 0, 64, width, 64);
    }

    function show(place) {
      const { beta, rate, distortion, active, psnr, bytes } = points[place];
      here(...inLog(points[place]));
      if (sheet.complete) paint(place);
      tell([decimal(rate, 1), decimal(bytes, 1), whole(distortion), whole(distortion + rate), `${active}`, decimal(psnr, 1)]);
      strip.setAttribute("aria-label", `Drawn dogs above, their reconstructions with beta ${weight(beta)} below: ${decimal(psnr, 1)} dB`);
      say(`β ${weight(beta)}: rate ${decimal(rate, 1)} nats, distortion ${whole(distortion)} nats, PSNR ${decimal(psnr, 1)} decibel, ${active} latents in use.`);
    }
    plot.drag((_, value) => {
      const distances = points.map(({ rate }) => Math.abs(rate - value));
      slide.value = distances.indexOf(Math.min(...distances));
      show(slide.value);
    });
    sheet.onload = () => paint(slide.value);
    sheet.src = vaeFigures.folder + sprite;
    show(slide.value);
    panel.append(element("p", { class: "vf-note" }, `One σ = ${sigma} for all models, so that their sums can be compared.`));
  }

  vaeFigures.rate = { best, start };
})();
