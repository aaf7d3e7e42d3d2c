// Shows what a link leads to when the pointer rests on it or the keyboard reaches it: references, equations, figures,
// sections. The texts travel with the page (see _ext/previews.py), so this works from files, too.
(() => {
  "use strict";
  const DELAY = 250; // milliseconds a pointer rests before a preview opens, and stays away before it closes
  let card, owner, timer, known;

  const pageOf = (link) => link.getAttribute("href").split("#")[0];

  // a figure or table of this page, without what makes ids appear twice
  function copyOf(link) {
    if (pageOf(link) !== "") return null;
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const figure = target && (target.matches("figure, table") ? target : target.closest("figure"));
    if (!figure) return null;
    const copy = figure.cloneNode(true);
    copy.removeAttribute("id");
    copy.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
    copy.querySelectorAll("button, .headerlink, script").forEach((part) => part.remove());
    return copy;
  }

  function reference(text) {
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    return paragraph;
  }

  function contentOf(link) {
    if (link.dataset.reference) return reference(link.dataset.reference);
    const html = known[link.getAttribute("href")];
    if (!html) return copyOf(link);
    const place = document.createElement("div");
    place.innerHTML = html; // written by the build, from the book's own text
    return place;
  }

  function place() {
    const link = owner.getClientRects()[0];
    const below = link.bottom + 6 + card.offsetHeight <= window.innerHeight || link.top < card.offsetHeight + 6;
    const left = Math.max(8, Math.min(link.left, document.documentElement.clientWidth - card.offsetWidth - 8));
    card.style.left = `${left + window.scrollX}px`;
    card.style.top = `${(below ? link.bottom + 6 : link.top - card.offsetHeight - 6) + window.scrollY}px`;
  }

  async function open(link) {
    if (owner === link) return;
    close();
    const content = contentOf(link);
    if (!content) return;
    owner = link;
    card.replaceChildren(content);
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    place();
    if (content.querySelector(".math") && window.MathJax?.typesetPromise) {
      await MathJax.typesetPromise([content]);
      if (owner === link) place();
    }
  }

  function close() {
    if (!owner) return;
    owner.removeAttribute("aria-describedby");
    owner = undefined;
    card.hidden = true;
  }

  function soon(action) {
    window.clearTimeout(timer);
    timer = window.setTimeout(action, DELAY);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const data = document.getElementById("previews");
    if (!data) return;
    known = JSON.parse(data.textContent);
    card = document.createElement("div");
    card.id = "preview";
    card.className = "preview";
    card.setAttribute("role", "tooltip");
    card.hidden = true;
    document.body.append(card);
    card.addEventListener("mouseenter", () => window.clearTimeout(timer));
    card.addEventListener("mouseleave", () => soon(close));
    const canHover = window.matchMedia("(hover: hover)").matches;
    for (const link of document.querySelectorAll("article a.internal[href*='#']")) {
      if (link.title) {
        link.dataset.reference = link.title;
        link.removeAttribute("title"); // or the browser would show it a second time
      }
      if (canHover) {
        link.addEventListener("mouseenter", () => soon(() => open(link)));
        link.addEventListener("mouseleave", () => soon(close));
      }
      link.addEventListener("focus", () => link.matches(":focus-visible") && open(link));
      link.addEventListener("blur", close);
    }
    document.addEventListener("keydown", (event) => event.key === "Escape" && close());
  });
})();
