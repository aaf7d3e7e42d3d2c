"""Text from the other side, without what would do harm where it is kept or shown."""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)  # all but tabs and line ends


def printable(text: str) -> str:
    """``text`` without what no file and no database can hold: NUL and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def legible(text: str) -> str:
    """``text`` without what a terminal would obey instead of showing it."""
    return _CONTROLS.sub("", printable(text))
