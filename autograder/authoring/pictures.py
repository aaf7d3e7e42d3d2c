"""The pictures that learners compare theirs with: what the cells marked ``picture="p"`` of a solution draw."""

from __future__ import annotations

import base64
import functools
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image
from tqdm.auto import tqdm

from autograder.authoring.release import PICTURES
from vae_ref.errors import CourseError
from vae_ref.files import write_atomically

COLOURS = 128  # a chart needs fewer; a picture of paper dogs looks the same
CELL_SECONDS = 600
# no bars among the outputs, and no threads that spin while they wait: they starve each other on shared processors
QUIETLY = {"TQDM_DISABLE": "1", "GOMP_SPINCOUNT": "1000"}


def make_pictures(text_file: Path) -> list[Path]:
    """Run a solution and keep its pictures beside its text; those that nobody makes any more are removed.

    Args:
        text_file: the source of an assignment.

    Raises:
        CourseError: a cell fails, or a marked cell draws nothing or more than one picture.
    """
    notebook = jupytext.reads(text_file.read_text(encoding="utf-8"), fmt="py:percent")
    marked = {cell.metadata["picture"]: cell for cell in notebook.cells if "picture" in cell.metadata}
    if marked:
        _run(notebook, text_file)
    folder = text_file.parent / PICTURES
    folder.mkdir(exist_ok=True)
    written = []
    for name, cell in marked.items():
        drawn = [*_drawn(cell)]
        if len(drawn) != 1:
            raise CourseError(
                f"{text_file}: the cell of picture {name!r} draws {len(drawn)} pictures, not one"
            )
        path = folder / f"{name}.png"
        content = _smaller(drawn[0])
        write_atomically(path, functools.partial(_write, content))
        written.append(path)
    for path in folder.glob("*.png"):
        if path not in written:
            path.unlink()
    return written


def _run(notebook: NotebookNode, text_file: Path) -> None:
    cells = len(notebook.cells)
    # cells of the course alone: an answer to a question in words runs nothing
    with tqdm(total=cells, desc=text_file.stem, unit="cell") as bar:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            on_cell_complete=lambda **_: bar.update(),
        )
        try:
            client.execute(cwd=str(text_file.parent), env={**os.environ, **QUIETLY})
        except Exception as error:  # of a cell, or of the kernel itself
            raise CourseError(f"{text_file} does not run: {error}") from None


def _drawn(cell: NotebookNode) -> Iterator[bytes]:
    for output in cell.get("outputs", []):
        if "image/png" in output.get("data", {}):
            yield base64.b64decode(output["data"]["image/png"])


def _write(content: bytes, file: BinaryIO) -> object:
    return file.write(content)


def _smaller(png: bytes) -> bytes:
    """The same picture with fewer colours: it goes into a notebook that everybody downloads."""
    with Image.open(io.BytesIO(png)) as picture:
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(picture, mask=picture.convert("RGBA").getchannel("A"))
    content = io.BytesIO()
    flat.quantize(COLOURS, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return content.getvalue()
