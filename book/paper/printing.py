"""Print the joined page with Chromium, twice: the first time tells on which page everything is."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import pikepdf
from pypdf import PdfReader

from paper.fonts import copy_fonts

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files")
PATIENCE = 600_000  # milliseconds for some thousand formulas

# wide formulas get smaller until they fit between the margins
FIT_FORMULAS = """() => {
  for (const box of document.querySelectorAll("div.math")) {
    const room = box.clientWidth - (box.querySelector(".eqno")?.offsetWidth ?? 0);
    for (const formula of box.querySelectorAll("mjx-container")) {
      const width = formula.querySelector("mjx-math")?.getBoundingClientRect().width ?? 0;
      if (width > room) formula.style.fontSize = `${(100 * 0.98 * room) / width}%`;
    }
  }
}"""
PROBLEMS = """async () => {
  const images = [...document.images];
  await Promise.all(images.map((image) => image.decode().catch(() => 0)));
  return [
    ...images.filter((image) => !image.naturalWidth).map((image) => `the picture ${image.src} does not load`),
    ...[...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map((e) => `a wrong formula: ${e.textContent}`),
    ...(document.querySelector("mjx-container") ? [] : ["no formula was set"]),
  ];
}"""
FILL_IN = """(numbers) => {
  for (const place of document.querySelectorAll(".contents-number"))
    place.textContent = numbers[place.dataset.anchor] ?? "";
}"""


class PaperError(Exception):
    """Why there is no PDF, in one line with its remedy."""


def find_chromium() -> str:
    """Path of the browser that prints.

    Raises:
        PaperError: there is none.
    """
    named = os.environ.get("CHROMIUM", "")
    found = next(filter(None, map(shutil.which, [named, *NAMES] if named else NAMES)), None)
    if found is None:
        raise PaperError(
            "no Chromium found; install the package chromium, or name one: make pdf CHROMIUM=PATH"
        )
    return found


def lay_out(page: str, book: Path, folder: Path) -> Path:
    """Put the joined page where it finds its pictures, styles and fonts; returns its path."""
    folder.mkdir(parents=True)
    for name in ("_static", "_images", "_generated"):
        if (book / name).exists():
            (folder / name).symlink_to((book / name).resolve())
    copy_fonts(book / "_static" / "mathjax" / "output" / "chtml" / "fonts" / "woff-v2", folder / "fonts")
    shutil.copyfile(Path(__file__).with_name("paper.css"), folder / "paper.css")
    path = folder / "book.html"
    path.write_text(page, encoding="utf-8")
    return path


def page_numbers(pdf: bytes) -> dict[str, int]:
    """On which page, counted from one, each place is that something in the PDF links to."""
    reader = PdfReader(io.BytesIO(pdf))
    numbers = {}
    for name, destination in reader.named_destinations.items():
        number = reader.get_destination_page_number(destination)
        if number is not None and number >= 0:
            numbers[name.removeprefix("/")] = number + 1
    return numbers


def packed(pdf: bytes) -> bytes:
    """The same PDF at half the size: Chromium writes its hundred thousand tags one by one and unpacked."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


def print_page(path: Path) -> bytes:
    """The PDF of a laid-out page, with an outline, tags and the numbers of pages in its contents.

    Raises:
        PaperError: there is no browser, or something on the page is broken.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=find_chromium(), args=list(OPTIONS))
        try:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(path.as_uri(), timeout=PATIENCE)
            page.evaluate("async () => { await MathJax.startup.promise; await document.fonts.ready; }")
            page.emulate_media(media="print")
            page.evaluate(FIT_FORMULAS)
            if problems := page.evaluate(PROBLEMS):
                raise PaperError(f"{len(problems)} problems on the joined page, the first: {problems[0]}")
            numbers = page_numbers(_pdf(page))
            page.evaluate(FILL_IN, numbers)
            return packed(_pdf(page))
        finally:
            browser.close()


def _pdf(page: Any) -> bytes:
    pdf: bytes = page.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    return pdf
