"use strict";
(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const part = (name) => document.getElementById("map-" + name);
  const [plane, svg, colour] = [part("plane"), part("svg"), part("colour")];
  const count = data.x.length;
  const steps = data.grid - 1;
  const fine = 5; // fine steps in a step
  const columns = Math.ceil(Math.sqrt(count));
  const inOrder = [...data.x.keys()].sort((a, b) => data.x[a] - data.x[b]);

  function draw(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return svg.appendChild(element);
  }

  // the y axis of a screen points down, the map's points up
  const left = (u) => 100 * u;
  const top = (v) => 100 * (1 - v);
  const dots = data.x.map((u, i) => draw("circle", { cx: left(u), cy: top(data.y[i]), r: 1, class: "dot" }));
  const ring = draw("circle", { r: 2.2, class: "ring" });
  const cross = draw("path", { d: "M-3 0H3M0 -3V3", class: "cross" });

  // ---- sheets of pictures -------------------------------------------------------------------------------------
  const sheets = {};
  for (const name of ["pictures", "restored", "plane"]) {
    sheets[name] = new Image();
    sheets[name].onload = () => show(false);
    sheets[name].src = data[name];
  }

  function paint(canvas, sheet, number, across, text) {
    const size = data.size;
    const from = [size * (number % across), size * Math.floor(number / across)];
    canvas.width = canvas.height = size;
    if (sheet.complete) canvas.getContext("2d").drawImage(sheet, ...from, size, size, 0, 0, size, size);
    canvas.setAttribute("aria-label", text);
  }

  // ---- where we are -------------------------------------------------------------------------------------------
  let place = [0.5, 0.5];
  let timer = 0;

  function nearest() {
    const distance = (i) => (data.x[i] - place[0]) ** 2 + (data.y[i] - place[1]) ** 2;
    let best = 0;
    for (let i = 1; i < count; i++) if (distance(i) < distance(best)) best = i;
    return best;
  }

  function show(speak) {
    const dot = nearest();
    const [u, v] = place.map((share) => Math.round(share * steps));
    const name = data.names[data.label[dot]];
    ring.setAttribute("cx", left(data.x[dot]));
    ring.setAttribute("cy", top(data.y[dot]));
    cross.setAttribute("transform", `translate(${left(place[0])} ${top(place[1])})`);
    part("name").textContent = name;
    paint(part("picture"), sheets.pictures, dot, columns, `Test picture: ${name}`);
    paint(part("restored"), sheets.restored, dot, columns, `${name}, decoded from its own code`);
    paint(part("decoded"), sheets.plane, v * data.grid + u, data.grid, "Decoded from this place on the map");
    if (!speak) return;
    clearTimeout(timer); // one sentence when the movement ends, not one for each step
    timer = setTimeout(() => {
      const [x, y] = place.map((share) => Math.round(100 * share));
      part("place").textContent = `${x} % to the right, ${y} % up; nearest picture: ${name}`;
    }, 200);
  }

  function go(u, v) {
    place = [u, v].map((share) => Math.min(1, Math.max(0, share)));
    show(true);
  }

  // ---- pointer, touch, keyboard -------------------------------------------------------------------------------
  function follow(event) {
    const box = svg.getBoundingClientRect();
    go((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  }
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    follow(event);
  });
  plane.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) follow(event);
  });

  function nextPicture(by) {
    const next = inOrder[(inOrder.indexOf(nearest()) + by + count) % count];
    go(data.x[next], data.y[next]);
  }
  plane.addEventListener("keydown", (event) => {
    const step = 1 / steps / (event.shiftKey ? fine : 1);
    const moves = {
      ArrowLeft: () => go(place[0] - step, place[1]),
      ArrowRight: () => go(place[0] + step, place[1]),
      ArrowUp: () => go(place[0], place[1] + step),
      ArrowDown: () => go(place[0], place[1] - step),
      PageDown: () => nextPicture(1),
      PageUp: () => nextPicture(-1),
      Home: () => go(0.5, 0.5),
    };
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    moves[event.key]();
  });

  // ---- colours ------------------------------------------------------------------------------------------------
  const cividis = [[0, 34, 78], [65, 77, 107], [125, 124, 120], [188, 175, 111], [254, 232, 56]];

  function shade(share) {
    const place = Math.min(share, 0.9999) * (cividis.length - 1);
    const [from, to] = [cividis[Math.floor(place)], cividis[Math.floor(place) + 1]];
    return `rgb(${from.map((value, i) => Math.round(value + (place % 1) * (to[i] - value)))})`;
  }

  function option(value, text) {
    const element = new Option(text, value);
    colour.add(element);
  }

  function recolour() {
    const [kind, name] = colour.value.split(":");
    const values = data.factors[name];
    const [low, high] = values ? [Math.min(...values), Math.max(...values)] : [0, 1];
    dots.forEach((dot, i) => {
      const chosen = kind === "class" && data.label[i] === Number(name);
      dot.setAttribute("class", chosen ? "dot chosen" : "dot");
      dot.setAttribute("r", chosen ? 2 : 1);
      dot.style.fill = values ? shade((values[i] - low) / (high - low || 1)) : "";
    });
    part("legend").textContent = values
      ? `dark ${low.toFixed(2)} … bright ${high.toFixed(2)}`
      : kind === "class" ? `${data.label.filter((label) => label === Number(name)).length} marked` : "";
  }

  for (const name in data.factors) option("factor:" + name, name);
  option("none:", "nothing");
  [...new Set(data.label)]
    .sort((a, b) => data.names[a].localeCompare(data.names[b]))
    .forEach((label) => option("class:" + label, data.names[label]));
  colour.addEventListener("change", recolour);

  part("place").textContent = "";
  document.getElementById("map").hidden = false;
  recolour();
  show(false);
})();
