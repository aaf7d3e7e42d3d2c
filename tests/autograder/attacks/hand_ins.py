"""Hand-ins that are not what they seem: the files themselves."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode

from attacks.attack import Attack

NAME = "02_bound.ipynb"
Change = Callable[[Path, NotebookNode], None]


def _cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def _link(target: str) -> Change:
    return lambda folder, _: (folder / NAME).symlink_to(target)


def _bytes(content: bytes | Callable[[NotebookNode], bytes]) -> Change:
    def change(folder: Path, notebook: NotebookNode) -> None:
        (folder / NAME).write_bytes(content(notebook) if callable(content) else content)

    return change


def _stray(folder: Path, _: NotebookNode) -> None:
    for name in (
        "torch.py",
        "math.py",
        "sitecustomize.py",
        "conftest.py",
        "nbgrader_config.py",
        "gradebook.db",
    ):
        (folder / name).write_text("raise SystemExit('WON')")
    (folder / "<img src=x onerror=alert(1)>.txt").write_text("")
    (folder / "data").mkdir()
    (folder / "escape").symlink_to("/")


def _duplicate(_: Path, notebook: NotebookNode) -> None:
    for name in ("check_elbo", "kl_divergence", "log_normal"):
        notebook.cells.append(copy.deepcopy(_cell(notebook, name)))


def _turn_checks(_: Path, notebook: NotebookNode) -> None:
    right, wrong = _cell(notebook, "check_log_normal"), _cell(notebook, "check_kl_divergence")
    right.metadata, wrong.metadata = wrong.metadata, right.metadata
    right.source, wrong.source = "4.0", "check(log_normal)"
    notebook.cells.remove(_cell(notebook, "check_elbo"))


def _all_points(_: Path, notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata["nbgrader"] = {
            "grade": True, "solution": True, "points": 1000, "grade_id": cell.id, "locked": False, "schema_version": 3,
            "task": False, "cell_type": "code",
        } if "nbgrader" not in cell.metadata else {**cell.metadata["nbgrader"], "points": 1000}  # fmt: skip
        if cell.cell_type == "code":
            cell.outputs = [{"output_type": "execute_result", "data": {"text/plain": "1000"}, "metadata": {},
                             "execution_count": 1}]  # fmt: skip
    notebook.metadata["autograder"] = {"refused": "", "notes": [], "verdicts": [{"score": 4}]}


def _bad_metadata(_: Path, notebook: NotebookNode) -> None:
    notebook.metadata = {"kernelspec": {"name": "../../bin/sh", "argv": ["sh"]}, "language_info": 3}
    notebook["nbformat"], notebook["nbformat_minor"] = "four", -1
    notebook.cells[0]["metadata"] = ["x"]
    notebook.cells[1]["id"] = "../../etc/passwd"


def _pipe(folder: Path, _: NotebookNode) -> None:
    os.mkfifo(folder / NAME)


def _sparse(folder: Path, _: NotebookNode) -> None:
    with (folder / NAME).open("wb") as file:
        file.truncate(2**36)


def _folder(folder: Path, _: NotebookNode) -> None:
    (folder / NAME).mkdir()


def _many_cells(notebook: NotebookNode) -> bytes:
    cell = json.dumps({"cell_type": "code", "source": "", "metadata": {}, "outputs": []})
    return b'{"cells": [' + b",".join([cell.encode()] * 100_000) + b"]}"


def _markup(_: Path, notebook: NotebookNode) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) $\\href{javascript:1}{x}$"
    notebook.cells[0].source = bad
    notebook.cells.insert(0, NotebookNode(cell_type="markdown", metadata={}, source=bad, id="own"))
    notebook.cells.insert(0, NotebookNode(cell_type="raw", metadata={}, source=bad, id="raw"))


def _time(text: str) -> Change:
    return lambda folder, _: (folder / "timestamp.txt").write_text(text) and None


def _refused(name: str, tries: str, here: str, change: Change, reason: str, stock: str = "") -> Attack:
    return Attack(name, tries, here, stock, alone=True, loses=True, hand_in=change, refused=reason)


def _ignored(
    name: str, tries: str, here: str, change: Change, noted: str = "", stock: str = "", crew: str = "files"
) -> Attack:
    return Attack(name, tries, here, stock, "print('TRIED')", crew=crew, hand_in=change, noted=noted)


REASON = "That hand-in alone gets 0 and the reason."
HAND_INS = (
    _refused("link-to-a-file", "Hand in a link to a file of the host", REASON, _link("/etc/passwd"),
             "is a link to another file", "the trusted side copies it"),
    _refused("link-to-nothing", "Hand in a link to what never ends", REASON, _link("/dev/zero"),
             "is a link to another file"),
    _refused("pipe", "Hand in a pipe, which blocks whoever reads it", REASON, _pipe, "is not a file", "hangs"),
    _refused("folder", "Hand in a folder with the notebook's name", REASON, _folder, "is not a file"),
    _refused("sparse", "Hand in 64 GB of nothing", REASON, _sparse, "has more than"),
    _refused("huge", "Hand in 50 MB", REASON, _bytes(b'{"cells": [' + b" " * 50_000_000 + b"]}"), "has more than",
             "lost without a reason"),
    _refused("empty", "Hand in an empty file", REASON, _bytes(b""), "is empty", "lost without a reason"),
    _refused("broken-json", "Hand in half a notebook", REASON,
             _bytes(lambda notebook: json.dumps(notebook).encode()[:3000]), "is not a notebook",
             "lost without a reason"),
    _refused("not-utf-8", "Hand in text in another encoding", REASON,
             _bytes(lambda notebook: json.dumps(notebook).encode("utf-16")), "not UTF-8", "lost without a reason"),
    _refused("deep-json", "Hand in 100,000 lists in each other", REASON,
             _bytes(b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested too deeply", "crash"),
    _refused("list-bomb", "Hand in six million empty lists", REASON,
             _bytes(b'{"cells": [' + b"[]," * 6_000_000 + b"[]]}"), "brackets"),
    _refused("huge-number", "Hand in a number of a million digits", REASON,
             _bytes(b'{"cells": [], "nbformat": ' + b"9" * 1_000_000 + b"}"), "impossible numbers", "crash"),
    _refused("many-cells", "Hand in 100,000 cells", REASON, _bytes(_many_cells), "cells"),
    _refused("long-source", "Hand in a cell of a million characters", REASON,
             _bytes(b'{"cells": [{"cell_type": "code", "source": "' + b"x" * 1_000_000 + b'"}]}'), "characters of source"),
    _refused("no-notebook", "Hand in nothing, under many names", REASON,
             lambda folder, _: [(folder / f"{n}.ipynb").write_text("{}") for n in range(300)] and None,
             "no notebook named"),
    _ignored("stray-files", "Put files beside the notebook that shadow libraries and settings",
             "Left out and named.", _stray, "left out", "succeeds"),
    _ignored("duplicated-ids", "Duplicate the grade_id of a test",
             "Rebuilt from the release; a copy runs as plain code.", _duplicate, "",
             "the whole batch stops with a misleading message"),
    _ignored("turned-checks", "Remove, rewrite and exchange the cells of tests", "Rebuilt from the release.",
             _turn_checks, "", "full marks, or no score", crew="checks"),
    _ignored("own-points", "Mark every cell as worth 1,000 points, with outputs and verdicts that say so",
             "Rebuilt from the release.", _all_points, "", "error"),
    _ignored("bad-metadata", "Name another kernel, and damage the metadata", "Rebuilt from the release.",
             _bad_metadata, "", "error"),
    _ignored("markup-in-markdown", "Rewrite the text cells with scripts", "Rebuilt from the release.", _markup, "",
             "the script runs in the instructor's browser"),
    _ignored("double-keys", "Hand in JSON whose keys stand there twice, with halves of characters",
             "The last one counts, and what no file can hold is replaced.",
             _bytes(lambda nb: json.dumps(nb).encode()[:-1] + b', "metadata": {}, "metadata": {"\\ud800": 1}}'),
             crew="checks"),
    _ignored("other-name", "Hand in the notebook under another name", "Taken, with a note.",
             lambda folder, nb: (folder / "final (2).ipynb").write_text(json.dumps(nb)) and None, "should be named",
             "lost without a reason", crew="name"),
    _ignored("garbage-time", "Forge the time of hand-in: garbage", "Left out, with a note.",
             _time("yesterday, I think"), "time of hand-in", "lost without a reason"),
    _ignored("time-zone-file", "Forge the time of hand-in: a zone that is a file of the host",
             "Left out, with a note: no file is opened for it.", _time("2026-03-01 12:00:00 /etc/passwd"),
             "time of hand-in", crew="checks"),
    _ignored("time-before-time", "Forge the time of hand-in: the year 1", "Left out, with a note.",
             _time("0001-01-01 00:00:00 UTC"), "time of hand-in", "error", crew="name"),
)  # fmt: skip
