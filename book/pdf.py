"""Make the whole book one PDF: python book/pdf.py --book build/book --out build/book.pdf

Joins the finished pages, has Chromium set and print them, and puts the PDF at --out in one step. A copy of it goes
beside the pages, which then have a link to it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import yaml

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
sys.path.insert(0, str(BOOK))

from paper.joining import join  # noqa: E402
from paper.offering import offer  # noqa: E402
from paper.printing import PaperError, lay_out, print_page  # noqa: E402


def make_pdf(book: Path, out: Path) -> None:
    """Print the finished book.

    Args:
        book: folder of its pages, which get a copy and a link.
        out: where the PDF goes.

    Raises:
        PaperError: there is no book, no browser, or something in the book is broken.
    """
    if not (book / "index.html").exists():
        raise PaperError(f"there is no book at {book}; build it with: make book")
    config = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))
    joined = join(book, BOOK / "_toc.yml", config["title"], config["author"])
    with tempfile.TemporaryDirectory() as folder:
        pdf = print_page(lay_out(joined, book, Path(folder) / "paper"))
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(out.name + f".{os.getpid()}.tmp")
    temporary.write_bytes(pdf)
    temporary.replace(out)
    offer(pdf, book)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--book", type=Path, default=ROOT / "build" / "book", help="folder of the finished pages"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "book.pdf", help="the PDF")
    options = parser.parse_args()
    start = time.monotonic()
    try:
        make_pdf(options.book.resolve(), options.out.resolve())
    except PaperError as error:
        print(f"pdf: {error}", file=sys.stderr)
        return 1
    print(f"The book on paper is ready after {time.monotonic() - start:.0f} s: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
