/* Still pictures that come to life. A figure named play-NAME whose image has the class "interactive" gets a button; a
   press loads NAME.js and what it needs, and puts the living figure in the picture's place. On paper, and without
   JavaScript, the picture stays. Plain scripts only, so that all of it works from a folder as well (file://). */
window.vaeFigures = { data: {} };
(() => {
  "use strict";
  const folder = new URL(".", document.currentScript.src).href;
  // what the button promises, and what else the figure starts with
  const figures = {
    bound: ["Move q yourself", []],
    path: ["Move μ and s yourself", []],
    noise: ["Change the offset and the spread", []],
    shell: ["Walk in as many dimensions as you like", []],
    explorer: ["Decode dogs yourself (loads 1.1 MB)", ["decoder.js", "shell.js", "paper.js"]],
    rate: ["Turn β yourself", ["rate-data.js"]],
    collapse: ["Play both trainings", ["collapse-data.js"]],
  };

  const loading = {};
  function load(file) {
    loading[file] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = folder + file;
      script.onload = resolve;
      script.onerror = () => {
        delete loading[file]; // it may work the next time
        reject(new Error(file));
      };
      document.head.append(script);
    });
    return loading[file];
  }

  async function start(figure, name, button) {
    const [promise, others] = figures[name];
    button.textContent = "Loading …";
    try {
      await load("tools.js");
      await Promise.all([`${name}.js`, ...others].map(load));
    } catch (error) {
      button.textContent = `${error.message} could not be loaded: try again`;
      return;
    }
    const panel = document.createElement("div");
    panel.className = "vf-panel";
    panel.setAttribute("role", "group");
    panel.setAttribute("aria-label", `Interactive figure: ${promise}`);
    button.before(panel);
    figure.classList.add("vf-live");
    window.vaeFigures[name].start(panel);
    button.remove();
    panel.querySelector("input, button").focus({ preventScroll: true });
  }

  for (const image of document.querySelectorAll("img.interactive")) {
    const figure = image.closest("figure");
    const name = figure.id.replace("play-", "");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "vf-button vf-start";
    button.textContent = figures[name][0];
    button.addEventListener("click", () => start(figure, name, button));
    image.after(button);
  }

  Object.assign(window.vaeFigures, { load, folder });
})();
