"""What a learner's cell showed, cut down to what is harmless and small."""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import zlib
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image

from autograder.both_sides.text import printable
from autograder.wall.limits import Limits

MAX_PIXELS = 4_000_000
# what a terminal would obey instead of showing it; colours, as of tracebacks, end in m and are let through
_CONTROLS = re.compile(r"\x1b(?!\[[0-9;]{0,20}m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
# what decoding bytes made to upset it may raise
_PICTURE_ERRORS = (
    binascii.Error, zlib.error, struct.error, OSError, EOFError, ValueError, TypeError, LookupError, AttributeError,
    SyntaxError, ArithmeticError, RuntimeError, MemoryError, Image.DecompressionBombError,
)  # fmt: skip


class Budget:
    """What all cells of a submission may still show together."""

    def __init__(self, limits: Limits) -> None:
        self.characters = limits.all_characters
        self.image_bytes = limits.all_image_bytes


class Outputs:
    """Collects the messages of one cell: text and pictures only, up to the limits."""

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self._limits = limits
        self._budget = budget
        self._characters_left = limits.output_characters
        self._images_left = limits.output_images
        self.cells: list[NotebookNode] = []

    def add(self, kind: str, content: Any) -> None:
        """Take in a message of the kernel; whatever is not text or a PNG picture is dropped."""
        if not isinstance(content, dict) or len(self.cells) >= self._limits.outputs:
            return
        if kind == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            self._add_text(name, content.get("text"))
        elif kind == "error":
            trace = content.get("traceback")
            lines = [line for line in trace if isinstance(line, str)] if isinstance(trace, list) else []
            self._add_error(content.get("ename"), content.get("evalue"), lines)
        elif kind in ("display_data", "execute_result"):
            data = content.get("data")
            if isinstance(data, dict):
                self._add_display(data)

    def _take(self, text: Any) -> str:
        """The part of ``text`` that the cell may still show."""
        room = min(self._characters_left, self._budget.characters)
        if not isinstance(text, str) or room <= 0:
            return ""
        taken = _CONTROLS.sub("", printable(text[:room]))
        self._characters_left -= len(text)
        self._budget.characters -= len(taken)
        return taken if len(text) <= room else taken + "\n… the rest of the output was cut off"

    def _add_text(self, name: str, text: Any) -> None:
        taken = self._take(text)
        if not taken:
            return
        last = self.cells[-1] if self.cells else None
        if last is not None and last.output_type == "stream" and last.name == name:
            last.text += taken
        else:
            self.cells.append(nbformat.v4.new_output("stream", name=name, text=taken))

    def _add_error(self, name: Any, value: Any, trace: list[str]) -> None:
        taken = self._take("\n".join(trace))
        self.cells.append(
            nbformat.v4.new_output(
                "error",
                ename=self._take(name[:200] if isinstance(name, str) else ""),
                evalue=self._take(value[:2000] if isinstance(value, str) else ""),
                traceback=taken.split("\n"),
            )
        )

    def _add_display(self, data: dict[str, Any]) -> None:
        shown: dict[str, str] = {}
        picture = self._picture(data.get("image/png"))
        if picture:
            shown["image/png"] = picture
        text = self._take(data.get("text/plain"))
        if text:
            shown["text/plain"] = text
        if shown:
            # never an execute_result: nbgrader reads points from those, and only the judge gives points
            self.cells.append(nbformat.v4.new_output("display_data", data=shown))

    def _picture(self, encoded: Any) -> str:
        """The picture drawn anew, so that nothing but its pixels gets through; empty if it is none."""
        if not isinstance(encoded, str) or len(encoded) > self._limits.image_bytes or self._images_left <= 0:
            return ""
        try:
            with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    return ""
                drawn = io.BytesIO()
                pixels = image.convert("RGBA")
                # from the bare numbers: a converted picture would bring its colour profile and comments along
                Image.frombytes("RGBA", pixels.size, pixels.tobytes()).save(drawn, "PNG")
        except _PICTURE_ERRORS:
            return ""
        size = len(drawn.getvalue())
        if size > min(self._limits.image_bytes, self._budget.image_bytes):
            return ""
        self._budget.image_bytes -= size
        self._images_left -= 1
        return base64.b64encode(drawn.getvalue()).decode()
