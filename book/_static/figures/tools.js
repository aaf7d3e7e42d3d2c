/* What the figures share: elements, sliders, charts, spoken values, noise. Loaded with the first figure that is started. */
(() => {
  "use strict";

  // ---- numbers ------------------------------------------------------------------------------------------------
  const decimal = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");

  /** A generator of uniform and normal numbers that gives the same ones for the same seed. */
  function random(seed) {
    let state = seed >>> 0;
    function uniform() {
      state = (state + 0x6d2b79f5) >>> 0; // a counter, scrambled until no pattern is left
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32; // never 0
    }
    const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal, normals: (count) => Float64Array.from({ length: count }, normal) };
  }

  // ---- elements -----------------------------------------------------------------------------------------------
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function shape(tag, attributes = {}, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  }

  let count = 0;
  const newId = () => `vf-${++count}`;

  /** A labelled slider. `show` turns its value into words, `move` is called when a person moves it. */
  function slider(host, { label, min, max, step, value, show = (number) => decimal(number), move }) {
    const id = newId();
    const input = element("input", { type: "range", id, min, max, step, value });
    const words = element("span", { class: "vf-value", "aria-hidden": "true" });
    host.append(element("div", { class: "vf-slider" }, element("label", { for: id }, label), words, input));
    function tell() {
      words.textContent = show(Number(input.value));
      input.setAttribute("aria-valuetext", words.textContent);
    }
    input.addEventListener("input", () => {
      tell();
      move(Number(input.value));
    });
    tell();
    return {
      input,
      get value() {
        return Number(input.value);
      },
      set value(number) {
        input.value = number;
        tell();
      },
    };
  }

  function button(host, label, press) {
    const made = element("button", { type: "button", class: "vf-button" }, label);
    made.addEventListener("click", press);
    host.append(made);
    return made;
  }

  function checkbox(host, label, change) {
    const input = element("input", { type: "checkbox" });
    input.addEventListener("change", () => change(input.checked));
    host.append(element("label", { class: "vf-check" }, input, label));
    return input;
  }

  /** One of several, by radio buttons; `options` are [value, label] pairs, the first one is chosen. */
  function choice(host, legend, options, change) {
    const group = element("fieldset", { class: "vf-choice" }, element("legend", {}, legend));
    const name = newId();
    options.forEach(([value, label], place) => {
      const input = element("input", { type: "radio", name, value });
      input.checked = place === 0;
      input.addEventListener("change", () => change(value));
      group.append(element("label", {}, input, label));
    });
    host.append(group);
    return group;
  }

  const row = (host, kind = "vf-row") => host.appendChild(element("div", { class: kind }));

  /** A list of names and numbers; returns what sets the numbers. */
  function numbers(host, names) {
    const list = host.appendChild(element("dl", { class: "vf-numbers simple" }));
    const cells = names.map((name) => {
      const cell = element("dd");
      list.append(element("div", {}, element("dt", {}, name), cell));
      return cell;
    });
    return (texts) => texts.forEach((text, place) => (cells[place].textContent = text));
  }

  /** A table of numbers; returns what sets them, row by row. */
  function table(host, columns, rows) {
    const [head, body] = [element("thead"), element("tbody")];
    head.append(element("tr", {}, element("td"), ...columns.map((name) => element("th", { scope: "col" }, name))));
    const cells = rows.map((name) => {
      const line = columns.map(() => element("td"));
      body.append(element("tr", {}, element("th", { scope: "row" }, name), ...line));
      return line;
    });
    host.append(element("table", { class: "vf-table" }, head, body));
    return (texts) => texts.forEach((line, r) => line.forEach((text, c) => (cells[r][c].textContent = text)));
  }

  /** A line for screen readers: one sentence when a movement has ended, not one for each step. */
  function speaker(host) {
    const line = host.appendChild(element("p", { class: "vf-said", role: "status" }));
    let timer;
    return (text) => {
      clearTimeout(timer);
      timer = setTimeout(() => (line.textContent = text), 400);
    };
  }

  /** What the lines of a chart mean: [class, text] pairs. */
  function legend(host, entries) {
    const line = host.appendChild(element("p", { class: "vf-legend" }));
    for (const [kind, text] of entries) {
      const sample = shape("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" });
      sample.append(shape("path", { d: "M1 4H23", class: `vf-line ${kind}` }));
      line.append(element("span", {}, sample, text));
    }
  }

  // ---- charts -------------------------------------------------------------------------------------------------
  /** Round numbers between two others, about as many as asked for. */
  function ticks([low, high], wanted) {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
    return found.map((value) => [value, decimal(value, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))]);
  }

  /** A chart as SVG, as wide as there is room. Colours come from classes, so they follow the theme. */
  function chart(host, { x, y, height = 220, label, xlabel = "", ylabel = "", xticks, yticks, left, square = false }) {
    const svg = shape("svg", { role: "img", "aria-label": label, class: "vf-chart" });
    host.append(svg);
    const room = svg.getBoundingClientRect().width || 640;
    const width = Math.max(260, Math.min(680, room, square ? height * 1.6 : Infinity));
    const edge = { left: left ?? (ylabel ? 56 : 16), right: 14, top: 10, bottom: xlabel ? 42 : 24 };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.maxWidth = `${width}px`;
    const clip = newId();
    const inside = shape("g", { "clip-path": `url(#${clip})` });
    const axes = shape("g", { "aria-hidden": "true" });
    const window_ = shape("clipPath", { id: clip });
    window_.append(
      shape("rect", { x: edge.left, y: 0, width: width - edge.left - edge.right, height: height - edge.bottom + 1 }),
    );
    svg.append(window_, axes, inside);

    const plot = {
      svg,
      x: (value) => edge.left + ((value - x[0]) / (x[1] - x[0])) * (width - edge.left - edge.right),
      y: (value) => height - edge.bottom - ((value - y[0]) / (y[1] - y[0])) * (height - edge.top - edge.bottom),
      add: (tag, attributes, text, where = inside) => where.appendChild(shape(tag, attributes, text)),
      /** A line through [x, y] points; set again by calling what is returned. */
      line(kind) {
        const path = plot.add("path", { class: `vf-line ${kind}` });
        return (points) => path.setAttribute("d", route(points));
      },
      area(kind) {
        const path = plot.add("path", { class: `vf-area ${kind}` });
        return (points) => path.setAttribute("d", points.length ? `${route(points)}Z` : "");
      },
      dot(kind, radius = 6) {
        const circle = plot.add("circle", { class: `vf-dot ${kind}`, r: radius });
        return (px, py) => {
          circle.setAttribute("cx", plot.x(px));
          circle.setAttribute("cy", plot.y(py));
        };
      },
      rescale(ranges) {
        x = ranges.x ?? x;
        y = ranges.y ?? y;
        drawAxes();
      },
      /** Follow a pointer in the chart's own coordinates; up and down still scroll the page. */
      drag(follow) {
        svg.classList.add("vf-drag");
        const place = (event) => {
          const box = svg.getBoundingClientRect();
          const [px, py] = [event.clientX - box.left, event.clientY - box.top].map((v) => (v * width) / box.width);
          const value = x[0] + ((px - edge.left) / (width - edge.left - edge.right)) * (x[1] - x[0]);
          return [value, px, py];
        };
        svg.addEventListener("pointerdown", (event) => {
          if (event.button !== 0) return;
          svg.setPointerCapture(event.pointerId);
          follow("start", ...place(event));
        });
        svg.addEventListener("pointermove", (event) => {
          if (svg.hasPointerCapture(event.pointerId)) follow("move", ...place(event));
        });
      },
    };
    const route = (points) =>
      points.map(([px, py], k) => `${k ? "L" : "M"}${plot.x(px).toFixed(1)} ${plot.y(py).toFixed(1)}`).join("");

    function drawAxes() {
      axes.replaceChildren();
      const [floor, middle] = [height - edge.bottom, edge.left + (width - edge.left - edge.right) / 2];
      const add = (tag, attributes, text) => plot.add(tag, attributes, text, axes);
      const marks = xticks ?? ticks(x, Math.max(4, width / 80));
      if (marks.length) add("path", { class: "vf-axis", d: `M${edge.left} ${floor}H${width - edge.right}` });
      for (const [value, text] of marks) {
        add("path", { class: "vf-axis", d: `M${plot.x(value)} ${floor}v4` });
        add("text", { class: "vf-text", x: plot.x(value), y: floor + 18, "text-anchor": "middle" }, text);
      }
      if (xlabel) add("text", { class: "vf-text", x: middle, y: height - 6, "text-anchor": "middle" }, xlabel);
      if (!ylabel) return;
      for (const [value, text] of yticks ?? ticks(y, height / 55)) {
        add("path", { class: "vf-grid", d: `M${edge.left} ${plot.y(value)}H${width - edge.right}` });
        add("text", { class: "vf-text", x: edge.left - 6, y: plot.y(value) + 4, "text-anchor": "end" }, text);
      }
      const turn = `translate(13 ${(edge.top + floor) / 2}) rotate(-90)`;
      add("text", { class: "vf-text", transform: turn, "text-anchor": "middle" }, ylabel);
    }
    drawAxes();
    return plot;
  }

  /** n + 1 numbers from low to high. */
  const grid = (low, high, n) => Array.from({ length: n + 1 }, (_, k) => low + ((high - low) * k) / n);

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  window.vaeFigures.tools = {
    decimal, random, element, shape, slider, button, checkbox, choice, row, numbers, table, speaker, legend, chart, grid, calm,
  };
})();
