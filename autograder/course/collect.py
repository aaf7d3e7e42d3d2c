"""Hand-ins from a learning platform or a folder, put where nbgrader looks for them.

nbgrader's own ``zip_collect`` unpacks every archive as a whole, needs a pattern of file names, and stops at the first
learner who is there already. Here the names that Canvas and Moodle give are known, only notebooks are taken, with the
size that can be graded, and giving the same command again changes nothing.

Whose a file is says :mod:`autograder.course.file_names`. Learners are matched with the gradebook: Canvas' number with
``lms_user_id``, Moodle's name with first and last name.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from tqdm import tqdm

from autograder.course.archives import Entry, Unreadable, entries
from autograder.course.file_names import FOLDER, folded, split, whose
from autograder.grading.hand_ins import open_course
from autograder.grading.intake import MAX_NOTEBOOK_BYTES
from vae_ref.errors import CourseError

TIME = "timestamp.txt"
TIME_BYTES = 200
FILES_OF_ONE = 5  # notebooks of one learner; intake says which of several it cannot choose from
MAX_BYTES = 8 * 2**30  # of all hand-ins of an assignment


@dataclass
class HandedIn:
    """What one learner has in the source.

    Attributes:
        files: content by name; empty where there is no notebook.
        late: whether Canvas says so.
        number: Canvas' of the learner.
        said_by: what tells two people of one name apart.
    """

    files: dict[str, Entry] = field(default_factory=dict)
    late: bool = False
    number: str = ""
    said_by: set[str] = field(default_factory=set)


@dataclass
class Collected:
    """What was done.

    Attributes:
        new, replaced, same: hand-ins that were not there, were others, are as they were.
        left: files and learners that were left out.
        notes: a line on everything that a person should know.
    """

    new: int = 0
    replaced: int = 0
    same: int = 0
    left: int = 0
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        left = f", {self.left} left out" if self.left else ""
        return f"{self.new} new, {self.replaced} replaced, {self.same} as they were{left}"

    def leave(self, name: str, why: str) -> None:
        """Say that something was left out."""
        self.left += 1
        self.notes.append(f"left out: {_shown(name)}: {why}")


def collect(course: Path, slug: str, source: Path) -> Collected:
    """Sort hand-ins into a course.

    Args:
        course: an nbgrader course whose gradebook knows the assignment.
        slug: name of the assignment.
        source: a zip file, or a folder.

    Raises:
        CourseError: there is no course, no such assignment or no such source, nothing in it can be told to be
            anybody's, or it holds more than a class can hand in.
    """
    coursedir = open_course(course, slug)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        known = [
            (str(s.id), f"{s.first_name or ''} {s.last_name or ''}", s.lms_user_id)
            for s in gradebook.students
        ]
    done = Collected()
    with entries(source) as files:
        found = _sorted(
            [*files], slug, {number: i for i, _, number in known if number}, _by_name(known), done
        )
        if not found:
            raise CourseError(
                f"nothing in {source} can be told to be anybody's: wanted are files as Canvas or Moodle name them, "
                "LEARNER.ipynb, or notebooks in a folder for each learner"
            )
        written = 0
        for student, handed_in in tqdm(
            found.items(), desc="collecting", unit="hand-in", disable=len(found) < 20
        ):
            written += _put(coursedir, slug, student, handed_in, done)
            if written > MAX_BYTES:
                raise CourseError(
                    f"{source} unpacks to more than {MAX_BYTES:,} bytes: what came before is collected"
                )
    _enter_numbers(coursedir, found)
    late = sorted(student for student, handed_in in found.items() if handed_in.late)
    if late:
        some = ", ".join(late[:10]) + " …" * (len(late) > 10)
        done.notes.append(
            f"Canvas calls {len(late)} late but does not say by how much: {some}; write when into {TIME} beside the "
            "notebook, or let Canvas take off points"
        )
    return done


def _by_name(known: list[tuple[str, str, str | None]]) -> dict[str, str]:
    """Ids by full names, of those whose name nobody else has."""
    names = [folded(name) for _, name, _ in known]
    return {folded(name): i for i, name, _ in known if folded(name) and names.count(folded(name)) == 1}


def _sorted(
    files: list[Entry], slug: str, by_number: dict[str, str], by_name: dict[str, str], done: Collected
) -> dict[str, HandedIn]:
    """Who has which files."""
    found: dict[str, HandedIn] = {}
    parts = split([entry.name for entry in files], slug)
    for entry in files:
        if entry.name not in parts:
            continue
        this = whose(parts[entry.name], slug, by_number, by_name)
        if not this.student:
            done.leave(entry.name, "nothing in its name says whose it is")
            continue
        handed_in = found.setdefault(this.student, HandedIn(number=this.number))
        handed_in.late |= this.late
        handed_in.said_by.add(this.by)
        if this.file == TIME and this.by == FOLDER:
            handed_in.files[TIME] = entry
        elif not this.file.endswith(".ipynb"):
            done.notes.append(f"not collected, because only notebooks are graded: {_shown(entry.name)}")
        elif len(handed_in.files) < FILES_OF_ONE:
            handed_in.files[_safe(this.file)] = entry
    for student in [s for s, handed_in in found.items() if len(handed_in.said_by) > 1]:
        done.leave(
            student, "two people, or two kinds of files, have this name: put theirs into submitted by hand"
        )
        del found[student]
    return dict(sorted(found.items()))


def _put(coursedir: CourseDirectory, slug: str, student: str, handed_in: HandedIn, done: Collected) -> int:
    """Write one hand-in, all of it or nothing; returns its bytes."""
    contents: dict[str, bytes] = {}
    for name, entry in handed_in.files.items():
        try:
            # one byte more than can be graded: intake refuses it with its reason
            contents[name] = entry.read(TIME_BYTES if name == TIME else MAX_NOTEBOOK_BYTES + 1)
        except Unreadable as error:
            done.notes.append(f"{student}: {_shown(entry.name)} cannot be read: {error}")
    folder = Path(coursedir.format_path(coursedir.submitted_directory, student, slug))
    notebooks = [name for name in contents if name != TIME]
    if (
        f"{slug}.ipynb" not in notebooks and len(notebooks) == 1
    ):  # Canvas adds -1, -2, … to what is handed in again
        contents[f"{slug}.ipynb"] = contents.pop(notebooks[0])
    if not notebooks:
        if folder.is_dir():
            done.same += 1
            return 0
        done.notes.append(f"{student} handed in no notebook that can be read: graded as empty")
    if folder.is_dir() and _content_of(folder) == contents:
        done.same += 1
        return 0
    replaces = folder.exists() or folder.is_symlink()
    _replace(Path(coursedir.root), folder, contents)
    done.replaced, done.new = done.replaced + replaces, done.new + (not replaces)
    return sum(map(len, contents.values()))


def _content_of(folder: Path) -> dict[str, bytes] | None:
    """What is there; None where it is more than files."""
    paths = list(folder.iterdir())
    if folder.is_symlink() or any(path.is_symlink() or not path.is_file() for path in paths):
        return None
    return {path.name: path.read_bytes() for path in paths}


def _replace(root: Path, folder: Path, contents: dict[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".collect-", dir=root) as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        for name, content in contents.items():
            (new / name).write_bytes(content)
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)


def _enter_numbers(coursedir: CourseDirectory, found: dict[str, HandedIn]) -> None:
    """Keep Canvas' numbers in the gradebook: by them learners are found in the next assignment, and by the export."""
    numbers = {student: handed_in.number for student, handed_in in found.items() if handed_in.number}
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        there = {str(student.id): student.lms_user_id for student in gradebook.students}
        for student, number in numbers.items():
            if not there.get(student):
                gradebook.update_or_create_student(student, lms_user_id=number)


def _safe(name: str) -> str:
    """A file name of ours for a learner's."""
    return re.sub(r"[^\w .()+-]", "_", name)[-100:].lstrip(". ") or "notebook.ipynb"


def _shown(name: str) -> str:
    return re.sub(r"[^\w ./()+@-]", "?", name.encode("utf-8", "replace").decode())[:120]
