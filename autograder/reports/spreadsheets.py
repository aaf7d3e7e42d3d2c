"""Cells of CSV files that are harmless when a spreadsheet opens them.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is a formula to a spreadsheet, also in quotes, and learners choose
their names (OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might calculate a cell with this text."""
    plain = unicodedata.normalize("NFKC", text)  # some take the wide forms of the signs as well
    return plain.lstrip()[:1] in tuple("=+-@") or text[:1] in tuple("\t\r\n\0") if plain else False


def as_text(text: str) -> str:
    """The text on one line, with an apostrophe before what would be a formula."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"'{line}" if is_formula(text) or is_formula(line) else line


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """The rows as CSV (RFC 4180)."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()


def number(value: float) -> str:
    """Points with at most two digits, which is what Canvas keeps."""
    return f"{round(value, 2):.2f}".rstrip("0").rstrip(".")
