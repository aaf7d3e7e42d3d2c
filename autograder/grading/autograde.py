"""nbgrader's Autograde and its steps, grading behind the wall.

The converter first rebuilds each hand-in (:mod:`autograder.grading.intake`) in a folder of its own and reads it from
there, and its Execute step is :class:`Judge`. :func:`autograder.nbgrader_plugins.configure` puts them in place.
"""

from __future__ import annotations

import glob
import re
import tempfile
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde as StockAutograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from tqdm import tqdm
from traitlets import Instance

from autograder.grading import station
from autograder.grading.batch import Store, task_of
from autograder.grading.gradebook import require_gradebook
from autograder.grading.graded import fill_in_reason
from autograder.grading.grader_version import grader_of
from autograder.grading.intake import RECORD, Intake, hand_in_time, record_of, take_in
from autograder.wall import Limits, require_wall
from vae_ref.errors import CourseError

LEARNER = r"[\w .@+-]+"


class Autograde(StockAutograde):
    """nbgrader's Autograde, reading hand-ins that were rebuilt instead of the submitted files."""

    def start(self) -> None:
        try:
            self._require_wall()
            require_gradebook(self.coursedir, self.coursedir.assignment_id)
            with tempfile.TemporaryDirectory(prefix="intake-") as folder:
                self._rebuilt = Path(folder).resolve()
                try:
                    super().start()
                finally:
                    station.leave()
        except CourseError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from None

    def _require_wall(self) -> None:
        require_wall()

    @property
    def _input_directory(self) -> str:
        return str(self._rebuilt) if self._sanitizing else super()._input_directory

    def init_notebooks(self) -> None:
        """Rebuild every hand-in that the command asks for, then let nbgrader find the results."""
        pattern = self.coursedir.format_path(
            self.coursedir.submitted_directory, self.coursedir.student_id, self.coursedir.assignment_id
        )
        submitted = self.coursedir.format_path(
            self.coursedir.submitted_directory, "(?P<student>.*)", self.coursedir.assignment_id, escape=True
        )
        skeletons = _released_notebooks(self.coursedir)
        folders = sorted(glob.glob(pattern))  # noqa: PTH207  (the pattern is absolute)
        for folder in tqdm(folders, desc="intake", unit="hand-in", disable=len(folders) < 20):
            match = re.fullmatch(submitted, folder)
            if match is None:
                continue
            if not re.fullmatch(LEARNER, match["student"]):
                self.log.error(
                    "Hand-in of %r is left out, because nbgrader's pages show its folder's name as it is: rename it; "
                    "letters, digits, spaces and . @ + - _ will do",
                    match["student"],
                )
                continue
            try:
                self._rebuild(Path(folder), match["student"], skeletons)
            except (
                OSError,
                ValueError,
            ) as error:  # a name that no file can have, say: nobody else may suffer
                self.log.error("Hand-in of %r cannot be taken in: %s", match["student"], type(error).__name__)
        super().init_notebooks()

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Enter the hand-in; nbgrader would keep the time of an earlier one where this one has none."""
        super().init_assignment(assignment_id, student_id)
        if self.coursedir.get_existing_timestamp(self._format_source(assignment_id, student_id)) is None:
            with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
                gradebook.find_submission(assignment_id, student_id).timestamp = None
                gradebook.db.commit()

    def _rebuild(self, folder: Path, student: str, skeletons: dict[str, NotebookNode]) -> None:
        destination = Path(self._format_source(self.coursedir.assignment_id, student))
        destination.mkdir(parents=True)
        time, problem = hand_in_time(folder)
        if time is not None:
            (destination / "timestamp.txt").write_text(f"{time:%Y-%m-%d %H:%M:%S.%f} UTC")
        for name, skeleton in skeletons.items():
            intake = take_in(folder, skeleton, name)
            for text in (intake.refused, *intake.notes, problem):
                if text:
                    self.log.warning("Hand-in of %s: %s", student, text)
            _add_note(intake, problem)
            nbformat.write(intake.notebook, destination / name)


def _released_notebooks(coursedir: Any) -> dict[str, NotebookNode]:
    folder = Path(coursedir.format_path(coursedir.release_directory, ".", coursedir.assignment_id))
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise CourseError(
            f"there is no released notebook in {folder}: "
            f"run nbgrader generate_assignment {coursedir.assignment_id} first"
        )
    return {path.name: nbformat.read(path, as_version=4) for path in notebooks}


def _add_note(intake: Intake, note: str) -> None:
    if note:
        intake.notebook.metadata["autograder"]["notes"].append(note)


class Judge(NbGraderPreprocessor):
    """Takes over what the learner's cells gave behind the wall, and what the checks outside of it said."""

    limits = Instance(Limits, args=(), help="what a hand-in may use").tag(config=True)
    store: Store | None = None  # where a batch has put what it found

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fill in the outputs of all cells; only check cells get points."""
        about = resources["nbgrader"]
        task = task_of(nb, about["assignment"], about["student"], self.limits)
        graded = None if self.store is None else self.store.load(task)
        if graded is None and task.refused:
            graded = fill_in_reason(task.notebook, task.refused)
        if graded is None:
            # nbgrader works in the course's folder, which nobody inside needs to see
            # and in the formgrader's server, which must not fork
            graded = station.graded_notebook(station.grade_here(station.request_for(task, (Path.cwd(),))))
        for cell, done in zip(nb.cells, graded.cells, strict=True):  # the rest of a cell is nbgrader's
            if cell.cell_type == "code":
                cell.outputs = done.outputs
        nb.metadata.update(graded.metadata)
        nb.metadata[RECORD]["grader"] = grader_of(task.slug)
        return nb, resources


class RecordReasons(NbGraderPreprocessor):
    """Writes into the gradebook why a hand-in was refused or what was left out, as nbgrader's automatic comment."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Comment on every solution cell if the hand-in was refused, on the first one if something was left out."""
        refused, notes = record_of(nb)
        if refused or notes:
            about = resources["nbgrader"]
            cells = [cell for cell in nb.cells if utils.is_solution(cell)]
            with Gradebook(about["db_url"]) as gradebook:
                for cell in cells if refused else cells[:1]:
                    comment = gradebook.find_comment(
                        cell.metadata.nbgrader["grade_id"],
                        about["notebook"],
                        about["assignment"],
                        about["student"],
                    )
                    said = f"Not graded: {refused}." if refused else f"Note: {'; '.join(notes)}."
                    comment.auto_comment = escape(said, quote=False)  # the feedback page shows it as Markdown
                gradebook.db.commit()
        return nb, resources
