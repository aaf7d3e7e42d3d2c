// Small things that need to know the page as it is shown.
(() => {
  "use strict";

  const SCROLLING = "div.math, mjx-container[display='true'], div.highlight pre, .pst-scrollable-table-container, .output pre";

  // What scrolls on its own must be reachable by keyboard: wide formulas, tables, code.
  function reachable() {
    for (const wide of document.querySelectorAll(SCROLLING)) {
      if (wide.scrollWidth > wide.clientWidth + 1) wide.tabIndex = 0;
      else wide.removeAttribute("tabindex");
      tellMore(wide);
    }
  }

  // Phones show no scroll bar: the style fades what goes on to the right.
  function tellMore(wide) {
    wide.classList.toggle("goes-on", wide.scrollWidth - wide.clientWidth - wide.scrollLeft > 1);
  }

  // Browsers let no page read its neighbours when both are files: results of the search come without excerpts then.
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false; // before the search begins

  function searchOfFiles() {
    if (location.protocol !== "file:" || !document.querySelector(".bd-search-container")) return;
    const note = document.createElement("p");
    note.className = "progress-note";
    note.textContent =
      "The book was opened from a file, and browsers let such a page read no other. So the results below have titles " +
      "but no excerpts; they have both when the folder is served by a web server.";
    document.getElementById("search-results").before(note);
  }

  // The theme names one of its buttons only for Bootstrap's script, which this book does without (see _ext/lean_pages.py).
  function nameButtons() {
    for (const button of document.querySelectorAll("button[data-bs-title]")) button.title ||= button.dataset.bsTitle;
  }

  // The button that leads back to the top shows while a reader scrolls up.
  function wayBack() {
    const button = document.getElementById("pst-back-to-top");
    if (!button) return;
    let before = window.scrollY;
    window.addEventListener("scroll", () => {
      button.style.display = window.scrollY < before && window.scrollY > 0 ? "block" : "none";
      before = window.scrollY;
    });
    button.addEventListener("click", () => window.scrollTo(0, 0));
  }

  // A click on a formula in the title of a folded answer is a click on the title; sphinx-togglebutton knows only the latter.
  document.addEventListener(
    "click",
    (event) => {
      const title = event.target.closest?.(".admonition.toggle > .admonition-title");
      if (!title || title === event.target || event.target.closest("a, button")) return;
      event.stopImmediatePropagation();
      title.click();
    },
    true,
  );

  document.addEventListener("DOMContentLoaded", () => {
    searchOfFiles();
    nameButtons();
    wayBack();
    reachable();
    window.addEventListener("resize", reachable);
    // what was folded has no width until it is opened
    for (const kind of ["click", "toggle"]) document.addEventListener(kind, () => requestAnimationFrame(reachable), true);
    document.addEventListener("scroll", (event) => event.target.matches?.(SCROLLING) && tellMore(event.target), true);
    window.MathJax?.startup?.promise?.then(reachable);
  });
  window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(reachable));
})();
