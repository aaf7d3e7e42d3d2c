"""Offer the PDF to readers of the pages: a copy beside them, and a link to it below the title of each.

A book without a PDF has no such link (see _ext/page_line.py for the place that waits for it), and a new build of the
pages takes the old PDF away with the old pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

NAME = "book.pdf"
PLACE = re.compile(r'(<span class="whole-book">).*?(</span>)', re.DOTALL)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def offer(pdf: bytes, book: Path) -> None:
    """Put the PDF into the folder of the pages, and the link into them.

    Args:
        pdf: the file's content.
        book: folder of the finished pages.
    """
    _replace(book / NAME, pdf)
    for page in sorted(book.rglob("*.html")):
        address = os.path.relpath(book / NAME, page.parent)
        link = f', or <a href="{address}" download>the whole book as PDF</a> ({len(pdf) / 1e6:.0f} MB)'
        before = page.read_text(encoding="utf-8")
        after = PLACE.sub(rf"\g<1>{link}\g<2>", before)
        if after != before:
            _replace(page, after.encode())
