"""Many hand-ins at once: each graded once, kept at once, and nothing left behind by a batch that is stopped."""

from __future__ import annotations

import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.cli import main
from autograder.grading import apart, batch
from autograder.grading.batch import Store, Task, default_workers, grade_all, on_this_machine
from autograder.wall import Limits
from vae_ref.errors import CourseError

SLUG = "02_bound"


def task(student: str, source: str = "x = 1") -> Task:
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(source),
            nbformat.v4.new_code_cell(
                "check(elbo)",
                metadata={"nbgrader": {"grade": True, "solution": False, "grade_id": "check_elbo"}},
            ),
        ],
        metadata={"autograder": {"refused": "", "notes": []}},
    )
    return Task(SLUG, student, nbformat.writes(notebook))


class Stub:
    """Stands for a grading process: answers after a while with the learner's name."""

    seconds: ClassVar[dict[str, float]] = {}
    started: ClassVar[list[str]] = []
    running: ClassVar[set[str]] = set()
    most: ClassVar[int] = 0

    def __init__(self, notebook: NotebookNode, slug: str, student: str, place: object) -> None:
        context = get_context("fork")
        self.student, self.notebook = student, notebook
        self.receiver, sender = context.Pipe(duplex=False)
        self.deadline = time.monotonic() + 60
        self.child = context.Process(
            target=lambda: (time.sleep(self.seconds.get(student, 0)), sender.send("done"))
        )
        self.child.start()
        sender.close()
        self.started.append(student)
        self.running.add(student)
        type(self).most = max(self.most, len(self.running))

    def finish(self) -> NotebookNode:
        self.stop()
        if self.student == "nobody can be graded":
            raise CourseError("no wall here")
        graded = nbformat.from_dict(self.notebook)
        graded.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=self.student)]
        return graded

    def stop(self) -> None:
        self.child.kill()
        self.child.join()
        self.running.discard(self.student)


class NoLane:
    """Stands for a lane whose kernels nobody uses."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> NoLane:
        return self

    def __exit__(self, *_: object) -> None: ...

    def warm_up(self) -> None: ...

    def take(self) -> None: ...


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> type[Stub]:
    Stub.seconds, Stub.started, Stub.running, Stub.most = {}, [], set(), 0
    monkeypatch.setattr(apart, "Grading", Stub)
    monkeypatch.setattr(batch, "Lane", NoLane)
    return Stub


def test_all_are_graded_at_most_so_many_at_a_time_and_each_gets_its_own(stub, tmp_path: Path) -> None:
    stub.seconds = {"a": 0.3}
    tasks, store = [task(name) for name in "abcde"], Store(tmp_path, SLUG)
    list(grade_all(tasks, store, on_this_machine(2)))
    assert sorted(stub.started) == list("abcde") and stub.most == 2 and not stub.running
    assert [store.load(one).cells[0].outputs[0].text for one in tasks] == list("abcde")


def test_what_is_graded_is_left_alone_until_it_or_the_grader_changes(
    stub, tmp_path: Path, monkeypatch
) -> None:
    store = Store(tmp_path, SLUG)
    list(grade_all([task("a"), task("b")], store, on_this_machine(2)))
    stub.started.clear()
    list(grade_all([task("a"), task("b", "x = 2"), task("c")], store, on_this_machine(2)))
    assert sorted(stub.started) == ["b", "c"]
    assert len(list((tmp_path / batch.FOLDER / SLUG).iterdir())) == 3  # b's older one has gone
    notebook = task("a").notebook
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text="said before")]
    assert store.has(replace(task("a"), text=nbformat.writes(notebook)))
    assert not store.has(replace(task("a"), limits=Limits(cell_seconds=1)))
    monkeypatch.setattr(batch, "grader_of", lambda slug: "another")
    assert store.load(task("a")) is None


def test_the_same_text_of_two_learners_is_graded_for_each() -> None:
    assert task("a").key != task("b").key != replace(task("b"), slug="03_sampling").key


def test_a_refusal_counts_as_another_hand_in() -> None:
    notebook = task("a").notebook
    notebook.metadata["autograder"]["refused"] = "it is a link"
    assert replace(task("a"), text=nbformat.writes(notebook)).key != task("a").key


def test_a_stopped_batch_keeps_what_it_has_and_leaves_nobody_running(
    stub, tmp_path: Path, monkeypatch
) -> None:
    stub.seconds = {"c": 60, "d": 60}
    store, save = Store(tmp_path, SLUG), Store.save
    saved: list[str] = []

    def save_and_stop(self, one: Task, graded: NotebookNode) -> None:
        save(self, one, graded)
        saved.append(one.student)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "save", save_and_stop)
    tasks = [task(name) for name in "abcd"]
    with pytest.raises(KeyboardInterrupt):
        list(grade_all(tasks, store, on_this_machine(2)))
    assert not stub.running
    assert [store.load(one) is not None for one in tasks] == [True, True, False, False]


def test_where_nothing_can_be_graded_the_batch_ends_with_the_reason(stub, tmp_path: Path) -> None:
    stub.seconds = {"slow": 60}
    with pytest.raises(CourseError, match="no wall here"):
        tasks = [task("slow"), task("nobody can be graded"), task("c")]
        list(grade_all(tasks, Store(tmp_path, SLUG), on_this_machine(2)))
    assert not stub.running


def test_each_is_kept_before_the_next_is_waited_for(stub, tmp_path: Path) -> None:
    stub.seconds = {"b": 60}
    store = Store(tmp_path, SLUG)
    graded = grade_all([task("a"), task("b")], store, on_this_machine(1))
    first = next(graded)
    assert first.student == "a" and store.has(first)
    graded.close()
    assert not stub.running


def test_senseless_numbers_of_workers_are_refused(capsys) -> None:
    assert default_workers() >= 1
    assert main(["grade", SLUG, "--workers", "0"]) == 2
    assert "--workers must be at least 1, got 0" in capsys.readouterr().err


def test_a_folder_that_is_no_course_is_one_line(tmp_path: Path, capsys) -> None:
    assert main(["grade", SLUG, "--course", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "is no nbgrader course" in said and said.count("\n") == 1
