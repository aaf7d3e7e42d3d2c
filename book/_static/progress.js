// Remembers which pages were read. What it knows stays in this browser: nothing is sent anywhere.
(() => {
  "use strict";
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const key = `progress of ${root.pathname}`; // one web site may hold several books
  const fromFile = location.protocol === "file:";

  // null if this browser lets the page keep nothing
  function load() {
    try {
      window.localStorage.setItem("probe", "1");
      window.localStorage.removeItem("probe");
      return JSON.parse(window.localStorage.getItem(key) || "{}");
    } catch (error) {
      return null;
    }
  }

  function save(read) {
    window.localStorage.setItem(key, JSON.stringify(read));
  }

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  const pages = () =>
    [...document.querySelectorAll(".bd-docs-nav a.internal")].map((link) => ({
      link,
      name: new URL(link.href).pathname.slice(root.pathname.length).replace(/\.html$/, ""),
      title: link.dataset.title || (link.dataset.title = link.textContent.trim()),
    }));

  function tick(read) {
    for (const { link, name } of pages()) {
      link.querySelector(".read-tick")?.remove();
      if (read[name]) {
        const tick = element("span", { className: "read-tick" });
        tick.append(element("span", { textContent: " ✓", ariaHidden: "true" }));
        tick.append(element("span", { className: "visually-hidden", textContent: " (read)" }));
        link.append(tick);
      }
    }
  }

  const refusal = "This browser lets the page keep nothing, so the book cannot remember what you have read.";
  const caution =
    "The book was opened from a file. Some browsers keep marks of such pages apart, or forget them; " +
    "they last when the folder is served by a web server.";

  function mark(place, read) {
    if (!read) {
      place.append(element("p", { className: "progress-note", textContent: refusal }));
      return;
    }
    const name = place.dataset.page;
    const button = element("button", { type: "button", className: "progress-button" });
    const show = () => {
      button.setAttribute("aria-pressed", String(Boolean(read[name])));
      button.textContent = read[name] ? "✓ Read" : "Mark as read";
    };
    button.addEventListener("click", () => {
      if (read[name]) delete read[name];
      else read[name] = new Date().toISOString();
      save(read);
      show();
      tick(read);
    });
    show();
    place.append(button);
    if (fromFile) place.append(element("p", { className: "progress-note", textContent: caution }));
  }

  function overview(place, read) {
    place.replaceChildren(element("h2", { textContent: "Where you are" }));
    place.setAttribute("role", "region");
    place.setAttribute("aria-label", "Where you are");
    if (!read) {
      place.append(element("p", { textContent: refusal }));
      return;
    }
    const all = pages().filter(({ name }) => name !== place.dataset.page);
    const done = all.filter(({ name }) => read[name]);
    const next = all.find(({ name }) => !read[name]);
    const text = element("p");
    if (!done.length) text.append("No page is marked as read yet. The button at the end of each page marks it. ");
    else text.append(`You have read ${done.length} of ${all.length} pages. `);
    if (next) text.append(done.length ? "Go on with " : "Begin with ", element("a", { href: next.link.href, textContent: next.title }), ".");
    const bar = element("progress", { max: all.length, value: done.length });
    bar.setAttribute("aria-label", "Pages read");
    place.append(text, bar);
    if (done.length) {
      const clear = element("button", { type: "button", className: "progress-button", textContent: "Clear all marks" });
      clear.addEventListener("click", () => {
        Object.keys(read).forEach((name) => delete read[name]);
        window.localStorage.removeItem(key);
        tick(read);
        overview(place, read);
        place.tabIndex = -1;
        place.focus();
      });
      place.append(clear);
    }
    place.append(element("p", { className: "progress-note", textContent: "Marks stay in this browser; nothing is sent. " + (fromFile ? caution : "") }));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const read = load();
    if (read) tick(read);
    document.querySelectorAll(".progress-mark").forEach((place) => mark(place, read));
    document.querySelectorAll(".progress-overview").forEach((place) => overview(place, read));
  });
})();
