"""Whatever is handed in, the rebuilt notebook has the release's cells and the learner's code, or a reason."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from autograder.grading.intake import (
    MAX_CELLS,
    MAX_NOTEBOOK_BYTES,
    MAX_SOURCE_CHARACTERS,
    hand_in_time,
    record_of,
    take_in,
)

NAME = "02_bound.ipynb"
ANSWER = "def kl_divergence(mu, logvar):\n    return 1"


@pytest.fixture(scope="module")
def skeleton(repository: Path) -> NotebookNode:
    return nbformat.read(repository / "exercises" / "02_bound" / NAME, as_version=4)


@pytest.fixture
def answered(skeleton: NotebookNode) -> NotebookNode:
    """A release with one cell filled in."""
    notebook = copy.deepcopy(skeleton)
    cell_of(notebook, "kl_divergence").source = ANSWER
    return notebook


def cell_of(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def hand_in(folder: Path, notebook: NotebookNode) -> Path:
    (folder / NAME).write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def locked(notebook: NotebookNode) -> list[tuple[str, dict, str]]:
    """What a learner must not be able to change: the cells with points, and all metadata."""
    return [
        (c.source, dict(c.metadata), c.cell_type)
        for c in notebook.cells
        if c.metadata.get("nbgrader", {}).get("grade")
    ]


def test_an_honest_hand_in_keeps_its_answer_and_nothing_else_changes(tmp_path, skeleton, answered) -> None:
    taken = take_in(hand_in(tmp_path, answered), skeleton, NAME)
    assert not taken.refused and not taken.notes
    assert [c.source for c in taken.notebook.cells] == [c.source for c in answered.cells]
    nbformat.validate(taken.notebook)


def swap_checks(notebook: NotebookNode) -> None:
    first, second = cell_of(notebook, "check_log_normal"), cell_of(notebook, "check_elbo")
    first.metadata, second.metadata = second.metadata, first.metadata


def no_metadata(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") != "kl_divergence":
            cell.metadata = {}
    notebook.metadata = NotebookNode()


def duplicate(notebook: NotebookNode) -> None:
    notebook.cells.append(copy.deepcopy(cell_of(notebook, "check_elbo")))
    notebook.cells.append(copy.deepcopy(cell_of(notebook, "kl_divergence")))


def mark_all_as_solutions(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"].update(solution=True, grade=False, points=1000)


def nonsense_metadata(notebook: NotebookNode) -> None:
    cell_of(notebook, "check_elbo").metadata["nbgrader"]["points"] = "many"
    notebook.metadata["kernelspec"] = {"name": "../../bin/sh"}
    notebook.cells[0]["metadata"] = 3
    notebook.cells[1]["id"] = ["x"]
    notebook.nbformat_minor = "five"


def old_editor(notebook: NotebookNode) -> None:
    notebook.nbformat_minor = 2
    for cell in notebook.cells:
        del cell["id"]


DAMAGE: list[Callable[[NotebookNode], None]] = [
    lambda nb: setattr(cell_of(nb, "check_elbo"), "source", "4.0  # full marks"),
    lambda nb: nb.cells.remove(cell_of(nb, "check_elbo")),
    lambda nb: setattr(cell_of(nb, "check_elbo"), "cell_type", "markdown"),
    swap_checks, no_metadata, duplicate, mark_all_as_solutions, nonsense_metadata, old_editor,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_the_frame_has_no_effect(tmp_path, skeleton, answered, damage) -> None:
    damage(answered)
    taken = take_in(hand_in(tmp_path, answered), skeleton, NAME)
    assert not taken.refused
    assert locked(taken.notebook) == locked(skeleton)
    assert cell_of(taken.notebook, "kl_divergence").source == ANSWER
    nbformat.validate(taken.notebook)


def test_extra_cells_stay_where_they_were_as_plain_code(tmp_path, skeleton, answered) -> None:
    place = answered.cells.index(cell_of(answered, "kl_divergence"))
    helper = nbformat.v4.new_code_cell(
        "def helper(): pass", metadata={"nbgrader": {"grade_id": "x", "points": 9}}
    )
    answered.cells.insert(place, helper)
    taken = take_in(hand_in(tmp_path, answered), skeleton, NAME).notebook
    sources = [c.source for c in taken.cells]
    assert sources.index("def helper(): pass") < sources.index(ANSWER)
    assert taken.cells[sources.index("def helper(): pass")].metadata == {}


def test_a_deleted_solution_is_named(tmp_path, skeleton, answered) -> None:
    answered.cells.remove(cell_of(answered, "elbo"))
    taken = take_in(hand_in(tmp_path, answered), skeleton, NAME)
    assert taken.notes == ("not found in the notebook: the cells for elbo",)
    # the stub must not undo a definition that the learner has in another cell
    assert "def elbo" not in cell_of(taken.notebook, "elbo").source


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "\x1b[31mred\n", "\udcffbad.txt", "x" * 200]
)
def test_names_of_files_are_harmless_in_notes(tmp_path, skeleton, answered, name: str) -> None:
    (hand_in(tmp_path, answered) / name).write_text("")
    (note,) = take_in(tmp_path, skeleton, NAME).notes
    assert not set(note) & set("<>\x1b\n\udcff") and len(note) < 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"cells": [', "line 1"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"[]", "no list of cells"),
        (b'{"worksheets": []}', "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
        (b"[" * 200_000, "nested"),
        (b"PK\x03\x04", "not a notebook"),
        (b" " * (MAX_NOTEBOOK_BYTES + 1), "more than"),
        (json.dumps({"cells": [{}] * (MAX_CELLS + 1)}).encode(), "cells"),
        (json.dumps({"cells": [{"source": "x" * (MAX_SOURCE_CHARACTERS + 1)}]}).encode(), "source"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_cannot_be_read_gets_a_reason(tmp_path, skeleton, content: bytes, reason: str) -> None:
    (tmp_path / NAME).write_bytes(content)
    taken = take_in(tmp_path, skeleton, NAME)
    assert reason in taken.refused
    assert record_of(taken.notebook)[0] == taken.refused
    assert [c.source for c in taken.notebook.cells] == [c.source for c in skeleton.cells]


def test_links_are_refused_and_never_followed(tmp_path, skeleton, answered) -> None:
    (tmp_path / "elsewhere").mkdir()
    secret = hand_in(tmp_path / "elsewhere", answered) / NAME
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / NAME).symlink_to(secret)
    assert "link" in take_in(tmp_path / "a", skeleton, NAME).refused
    (tmp_path / "b").symlink_to(tmp_path / "elsewhere")
    assert "link" in take_in(tmp_path / "b", skeleton, NAME).refused
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c" / NAME)
    assert "not a file" in take_in(tmp_path / "c", skeleton, NAME).refused
    (tmp_path / "e" / NAME).mkdir(parents=True)
    assert "not a file" in take_in(tmp_path / "e", skeleton, NAME).refused
    (tmp_path / "learner").symlink_to(tmp_path)
    assert "link" in take_in(tmp_path / "learner" / "elsewhere", skeleton, NAME).refused
    (tmp_path / "d").write_text("a file where a folder belongs")
    assert "not a folder" in take_in(tmp_path / "d", skeleton, NAME).refused


def test_a_wrong_file_name_is_forgiven_if_there_is_one_notebook(tmp_path, skeleton, answered) -> None:
    hand_in(tmp_path, answered)
    (tmp_path / NAME).rename(tmp_path / "final (2).ipynb")
    taken = take_in(tmp_path, skeleton, NAME)
    assert not taken.refused and "final (2).ipynb" in taken.notes[0]
    (tmp_path / "other.ipynb").write_text("{}")
    assert "no notebook named 02_bound.ipynb" in take_in(tmp_path, skeleton, NAME).refused


def test_stray_files_are_left_out_and_named(tmp_path, skeleton, answered) -> None:
    hand_in(tmp_path, answered)
    (tmp_path / "torch.py").write_text("raise SystemExit")
    taken = take_in(tmp_path, skeleton, NAME)
    assert not taken.refused and "torch.py" in taken.notes[0]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-01 12:00:00.500000 UTC", datetime(2026, 3, 1, 12, 0, 0, 500_000)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10)),
        ("2026-03-01 12:00:00 +0200", datetime(2026, 3, 1, 10)),
        ("2026-03-01 12:00:00 -02:30", datetime(2026, 3, 1, 14, 30)),
        ("yesterday, I think", None),
        ("99999999999999999999", None),
        ("\0", None),
    ],
)
def test_times_of_hand_in(tmp_path: Path, text: str, time: datetime | None) -> None:
    (tmp_path / "timestamp.txt").write_text(text)
    got, problem = hand_in_time(tmp_path)
    assert got == time
    assert bool(problem) == (time is None)


KEYS = ["cells", "source", "metadata", "nbgrader", "grade_id", "id", "cell_type", "kl_divergence"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda t: st.lists(t, max_size=3) | st.dictionaries(st.sampled_from(KEYS), t, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(json_values, max_size=4))
def test_any_json_is_rebuilt_or_refused(tmp_path: Path, skeleton, cells: list) -> None:
    (tmp_path / NAME).write_text(json.dumps({"cells": cells}))
    taken = take_in(tmp_path, skeleton, NAME)
    assert locked(taken.notebook) == locked(skeleton)
    nbformat.validate(taken.notebook)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_reason(tmp_path: Path, skeleton, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert take_in(tmp_path, skeleton, NAME).refused
