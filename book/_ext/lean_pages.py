"""Let a page load what it shows, and no more.

* Pictures below the first wait until they are scrolled to; their sizes are in the page, so nothing jumps.
* The theme draws icons twice: with a font, and with a script that replaces each by an SVG from a list of 2,000
  (1.5 MB). The font is enough, cut down to the icons that can appear.
* Of the theme's style sheets the rules stay that can match something (see lean_styles.py).
* The theme brings all of Bootstrap's script to name buttons and to lead back to the top; page.js does both.
* The index of the search is loaded by the page that searches (see _templates/layout.html).
* Scripts and styles in folders below _static belong to single figures, which load them themselves.
* No script holds up a page, but for the few lines that others read at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from fontTools import subset
from lean_styles import cut_styles
from PIL import Image
from sphinx.application import Sphinx
from sphinx.config import Config

IMAGE = re.compile(r'<img\b(?![^>]*\b(?:loading|height)=)([^>]*?\bsrc="([^"]+)"[^>]*?)(\s*/?)>')
SVG_SIZE = re.compile(
    rb'<svg\b[^>]*?\b(width|height)="([\d.]+)(pt|px|)"[^>]*?\b(width|height)="([\d.]+)(pt|px|)"', re.DOTALL
)
PIXELS = {b"pt": 4 / 3, b"px": 1.0, b"": 1.0}
FIXED = re.compile(r' style="width: (\d+)px; height: (\d+)px;"')  # this height would stay on a narrow screen
ICON = re.compile(r'"\\(f[0-9a-f]{3})"')
RULE_OF_ICON = re.compile(r"[^{}]*\.fa-[^{}]*\{[^{}]*\}")
CLASS_OF_ICON = re.compile(r"\.(fa-[a-z0-9-]+):before(?=[^{}]*\{content:\"\\([0-9a-f]{3,4})\")")
READ_AT_ONCE = "documentation_options.js"  # by scripts that stand in the page
FONTS = "_static/vendor/fontawesome/webfonts"


def size_of(picture: Path) -> tuple[int, int] | None:
    """Width and height in CSS pixels, or None if the file does not say."""
    if picture.suffix == ".svg":
        with picture.open("rb") as file:
            match = SVG_SIZE.search(file.read(4096))
        if match is None:
            return None
        sizes = {match[1]: (match[2], match[3]), match[4]: (match[5], match[6])}
        width, height = (
            round(float(number) * PIXELS[unit]) for number, unit in (sizes[b"width"], sizes[b"height"])
        )
        return width, height
    with Image.open(picture) as image:
        return image.size


def with_sizes(body: str, sizes: dict[str, Path]) -> str:
    """HTML whose pictures carry their sizes, and wait to be scrolled to unless they are the first.

    Args:
        body: a page.
        sizes: the file of each picture, by the last part of its address.
    """
    seen = 0

    def sized(match: re.Match[str]) -> str:
        nonlocal seen
        picture = sizes.get(unquote(match[2]).rsplit("/", 1)[-1])
        size = size_of(picture) if picture is not None else None
        if size is None:
            return match[0]
        seen += 1
        waits = "" if seen == 1 else ' loading="lazy"'
        given = FIXED.sub(r' width="\1" height="\2"', match[1])
        own = "" if " width=" in given or "width:" in given else f' width="{size[0]}" height="{size[1]}"'
        return f"<img{given}{own}{waits}{match[3]}>"

    return IMAGE.sub(sized, body)


def size_pictures(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Do so for a page of the book."""
    if doctree is None or app.builder.name != "html":
        return
    files = {name: Path(app.srcdir) / source for source, name in app.builder.images.items()}
    context["body"] = with_sizes(context["body"], files)


def leave_to_figures(app: Sphinx, config: Config) -> None:
    """Take back what Jupyter Book adds to all pages from folders below _static."""
    own = {
        name: [
            file
            for file in getattr(config, name)
            if isinstance(file, str) and (":" in file or "/" not in file)
        ]
        for name in ("html_js_files", "html_css_files")
    }
    config.html_js_files = own["html_js_files"]
    config.html_css_files = own["html_css_files"]


def defer_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let no script hold up a page; deferred ones run in their order when the page has been read.

    Pages without a document, such as that of the search, have scripts of their own that expect the others at once.
    """
    if doctree is None or app.builder.name != "html":
        return
    context["script_files"] = [  # new ones, for all pages share the old
        type(script)(script.filename, priority=script.priority, **script.attributes | {"defer": "defer"})
        if script.filename and not str(script.filename).endswith(READ_AT_ONCE)
        else script
        for script in context["script_files"]
    ]


def icons_in(pages: str, styles: str) -> set[int]:
    """Code points of the icons that pages and styles can show.

    Args:
        pages: HTML of all pages.
        styles: the theme's style sheet, which knows the code points.
    """
    used = set(re.findall(r"\bfa-[a-z0-9-]+", pages))
    points = {int(code, 16) for name, code in CLASS_OF_ICON.findall(styles) if name in used}
    others = RULE_OF_ICON.sub("", styles)
    points |= {int(code, 16) for code in ICON.findall(others)} | {
        ord(c) for c in others if "\ue000" <= c <= "\uf8ff"
    }
    return points


def cut(app: Sphinx, exception: Exception | None) -> None:
    """Replace the font of icons by one with the icons of this book, and drop what no page needs."""
    if exception is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    pages = "".join(page.read_text(encoding="utf-8") for page in out.rglob("*.html"))
    styles = "".join(style.read_text(encoding="utf-8") for style in (out / "_static").rglob("*.css"))
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    font = subset.load_font(str(out / FONTS / "fa-solid-900.ttf"), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=icons_in(pages, styles))
    cutter.subset(font)
    subset.save_font(font, str(out / "_static" / "icons.woff"), options)
    (out / "_static" / "scripts" / "fontawesome.js").write_text("// icons come from a font: see book.css\n")
    (out / "_static" / "scripts" / "bootstrap.js").write_text("// what pages need of it is in page.js\n")
    cut_styles(out, Path(app.srcdir) / "_static")
    for unused in [*out.rglob("*.map"), *(out / FONTS).glob("*.ttf")]:
        unused.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", leave_to_figures, priority=700)  # before Sphinx looks at them
    app.connect("html-page-context", size_pictures, priority=550)
    app.connect("html-page-context", defer_scripts, priority=960)  # when all have been added
    app.connect("build-finished", cut)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
