"""A whole class through stock nbgrader: the right grades, the mistakes named, nobody harmed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.authoring.sample_class import SLUG, make_sample_class

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("class")]

BIN = Path(sys.executable).parent
PASSWORD = "a-word-that-nobody-prints"
PARTS = ("log_normal", "kl_divergence", "kl_monte_carlo", "reconstruction_log_likelihood", "elbo")


def run(*command: str | Path, cwd: Path, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment as an instructor would."""
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=900,
        stdin=subprocess.DEVNULL,
    )
    if ok:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def scores(db_url: str) -> dict[str, dict[str, float]]:
    """Points by learner and check."""
    with Gradebook(db_url) as gradebook:
        return {
            submission.student.id: {
                grade.name.removeprefix("check_"): grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(SLUG)
        }


def sqlite_url(course: Path) -> str:
    return f"sqlite:///{course}/gradebook.db"


@pytest.fixture
def course(class_by_nbgrader: Path) -> Path:
    """The sample class, graded by stock nbgrader, feedback made."""
    return class_by_nbgrader


def feedback(course: Path, learner: str) -> str:
    return (course / "feedback" / learner / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")


def all_but(*parts: str) -> dict[str, float]:
    return {part: 0.0 if part in parts else 4.0 for part in PARTS}


def test_everyone_gets_what_they_earned(course: Path) -> None:
    assert scores(sqlite_url(course)) == {
        "solution": all_but(),
        "untouched": all_but(*PARTS),
        "averages-the-kl": all_but("kl_divergence"),
        "averages-the-pixels": all_but("reconstruction_log_likelihood"),
        "variance-as-std": all_but("kl_monte_carlo"),
        "hostile": all_but(*PARTS),
        "damaged": all_but(*PARTS),
    }


@pytest.mark.parametrize(
    ("learner", "words"),
    [
        ("averages-the-kl", "the latent dimensions are averaged"),
        ("averages-the-pixels", "the pixels are averaged"),
        ("variance-as-std", "exp(logvar) as standard deviation"),
        ("untouched", "is not written yet"),
        ("damaged", "not a notebook"),
        ("hostile", "the process that runs your code ended"),
    ],
)
def test_the_feedback_says_why(course: Path, learner: str, words: str) -> None:
    assert words in feedback(course, learner)


def test_the_feedback_of_the_solution_has_no_complaint(course: Path) -> None:
    assert "&lt;t" not in feedback(
        course, "averages-the-kl"
    )  # no tag that nbconvert's sanitizer turns into text
    page = feedback(course, "solution")
    assert "not right" not in page and page.count("is right: 4 of 4 points") == 5


def test_the_reason_of_a_refusal_is_in_the_gradebook(course: Path) -> None:
    with Gradebook(sqlite_url(course)) as gradebook:
        comment = gradebook.find_comment("elbo", SLUG, SLUG, "damaged").auto_comment
    assert comment.startswith("Not graded: the file is not a notebook")
    table = run("autograder", "grades", SLUG, cwd=course).stdout
    assert "Not graded: the file is not a notebook" in table
    assert [line.split()[-1] for line in table.splitlines() if line.startswith("solution")] == ["20"]


def test_the_hostile_one_found_nothing(course: Path) -> None:
    page = feedback(course, "hostile")
    assert "found: []" in page
    assert "no reference: No module named" in page


def test_no_markup_of_learners_reaches_the_pages(course: Path, repository: Path) -> None:
    for learner in ("hostile", "solution"):
        notebook = nbformat.read(course / "autograded" / learner / SLUG / f"{SLUG}.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
                for output in cell.outputs:
                    assert output.output_type != "execute_result"
                    assert set(output.get("data", {})) <= {"text/plain", "image/png"}


def test_nothing_runs_on_and_nothing_is_left_behind(course: Path) -> None:
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(course).encode() in _read(p)]
    kept = {path.name for path in course.iterdir()}
    assert kept <= {
        "nbgrader_config.py", "source", "release", "submitted", "autograded", "feedback", "gradebook.db",
        ".nbgrader.log",
    }  # fmt: skip


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def resubmit(course: Path, learner: str, source: Path) -> Path:
    """Another course with some of the same hand-ins: a cheap way to try one thing."""
    folder = course / "submitted" / learner
    shutil.copytree(source / "submitted" / learner, folder)
    return folder


@pytest.fixture
def small_course(course: Path, tmp_path: Path) -> Path:
    """The same course with nothing handed in yet."""
    fresh = tmp_path / "course"
    fresh.mkdir()
    for name in ("nbgrader_config.py", "gradebook.db"):
        shutil.copy(course / name, fresh)
    for name in ("source", "release"):
        shutil.copytree(course / name, fresh / name)
    with Gradebook(sqlite_url(fresh)) as gradebook:
        for student in gradebook.students:
            gradebook.remove_student(student.id)
    return fresh


def test_grading_again_changes_nothing_and_skips_what_is_done(course: Path, small_course: Path) -> None:
    resubmit(small_course, "averages-the-kl", course)
    run("nbgrader", "autograde", SLUG, cwd=small_course)
    first = scores(sqlite_url(small_course))
    assert first == {"averages-the-kl": all_but("kl_divergence")}
    again = run("nbgrader", "autograde", SLUG, cwd=small_course)
    assert "Skipping existing assignment" in again.stderr
    run("nbgrader", "autograde", SLUG, "--force", cwd=small_course)
    assert scores(sqlite_url(small_course)) == first


def test_a_batch_gives_the_grades_that_nbgrader_gives_and_repeats_nothing(
    course: Path, small_course: Path
) -> None:
    for learner in ("averages-the-kl", "averages-the-pixels", "damaged"):
        resubmit(small_course, learner, course)
    first = run("autograder", "grade", SLUG, "--workers", "2", cwd=small_course)
    assert "3 graded, 0 unchanged" in first.stdout
    expected = scores(sqlite_url(course))
    found = scores(sqlite_url(small_course))
    assert len(found) == 3 and found == {name: expected[name] for name in found}
    again = run("autograder", "grade", SLUG, cwd=small_course)
    assert "0 graded, 3 unchanged" in again.stdout
    shutil.rmtree(small_course / "submitted" / "averages-the-kl")
    shutil.copytree(course / "submitted" / "solution", small_course / "submitted" / "averages-the-kl")
    changed = run("autograder", "grade", SLUG, cwd=small_course)
    assert "1 graded, 2 unchanged" in changed.stdout
    assert scores(sqlite_url(small_course))["averages-the-kl"] == all_but()
    run("nbgrader", "generate_feedback", SLUG, cwd=small_course)
    assert "the pixels are averaged" in feedback(small_course, "averages-the-pixels")


def test_bad_folders_get_reasons_and_stop_nobody(course: Path, small_course: Path) -> None:
    resubmit(small_course, "averages-the-pixels", course)
    linked = small_course / "submitted" / "link" / SLUG
    linked.mkdir(parents=True)
    (linked / f"{SLUG}.ipynb").symlink_to(course / "source" / SLUG / f"{SLUG}.ipynb")
    empty = small_course / "submitted" / "empty" / SLUG
    empty.mkdir(parents=True)
    shutil.copytree(course / "submitted" / "solution", small_course / "submitted" / "late")
    (small_course / "submitted" / "late" / SLUG / "timestamp.txt").write_text("garbage")
    (small_course / "submitted" / "late" / SLUG / "torch.py").write_text("raise SystemExit('shadowed')")
    (small_course / "submitted" / "late" / SLUG / "<img src=x onerror=alert(1)>").write_text("")
    (small_course / "submitted" / "late" / SLUG / "\udcffbad.txt").write_text("")
    shutil.copytree(course / "submitted" / "solution", small_course / "submitted" / "<script>x(1)")
    run("nbgrader", "autograde", SLUG, "--student", "late", cwd=small_course)
    run("nbgrader", "generate_feedback", SLUG, cwd=small_course)
    assert "<img src=x" not in feedback(small_course, "late")
    said = run("nbgrader", "autograde", SLUG, cwd=small_course).stderr
    assert "Hand-in of '<script>x(1)' is left out" in said and "rename it" in said
    assert scores(sqlite_url(small_course)) == {
        "averages-the-pixels": all_but("reconstruction_log_likelihood"),
        "link": all_but(*PARTS),
        "empty": all_but(*PARTS),
        "late": all_but(),
    }
    table = run("autograder", "grades", SLUG, cwd=small_course).stdout
    assert "is a link to another file" in table
    assert "there is no notebook at all" in table
    assert "torch.py" in table and "time of hand-in cannot be read" in table


@pytest.mark.parametrize(
    "trouble", ["no gradebook", "busy gradebook", "unknown assignment", "no release", "no wall"]
)
def test_trouble_is_one_line_that_names_the_remedy(small_course: Path, course: Path, trouble: str) -> None:
    resubmit(small_course, "solution", course)
    environment = {**os.environ}
    lock = None
    assignment, expected = SLUG, ""
    if trouble == "no gradebook":
        (small_course / "gradebook.db").unlink()
        expected = "run nbgrader generate_assignment"
    elif trouble == "busy gradebook":
        lock = sqlite3.connect(small_course / "gradebook.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        expected = "database is locked"
    elif trouble == "unknown assignment":
        assignment, expected = "99_nothing", "has no assignment '99_nothing'"
    elif trouble == "no release":
        shutil.rmtree(small_course / "release")
        expected = "there is no released notebook"
    else:
        environment["PATH"] = str(BIN)
        expected = "bubblewrap (bwrap) is not installed"
    done = subprocess.run(
        [BIN / "nbgrader", "autograde", assignment],
        cwd=small_course,
        capture_output=True,
        text=True,
        env=environment,
    )
    if lock is not None:
        lock.close()
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len(errors) == 1 and expected in errors[0]
    assert "Traceback" not in done.stderr
    assert not (small_course / "autograded").exists()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server of this test's own, on loopback."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert programs, "PostgreSQL is not installed: apt-get install postgresql"
    # a server does not run as root, and its user must be able to enter the folder
    as_user = (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    )
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    subprocess.run(
        [*as_user, programs[-1] / "initdb", "-D", data, "-U", "grader", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*as_user, programs[-1] / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-F"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            ready = subprocess.run(
                [programs[-1] / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True
            )
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        subprocess.run(
            [programs[-1] / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "grader", "course"],
            check=True,
        )
        yield f"postgresql://grader:{PASSWORD}@127.0.0.1:{port}/course"
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def read_meanwhile(db_url: str) -> Iterator[list[int]]:
    """Somebody looks at the gradebook all the time, as the formgrader does; yields how many hand-ins were seen."""
    looks: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            looks.append(len(scores(db_url)))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield looks
    finally:
        done.set()
        reader.join()


def test_a_gradebook_in_postgresql_gives_the_same_grades(
    course: Path, tmp_path: Path, repository: Path, postgresql: str
) -> None:
    other = make_sample_class(tmp_path / "course", repository / "solutions")
    for learner in ("untouched", "hostile", "damaged", "averages-the-kl", "averages-the-pixels"):
        shutil.rmtree(other / "submitted" / learner)
    with (other / "nbgrader_config.py").open("a") as config:
        config.write(f"c.CourseDirectory.db_url = {postgresql!r}\n")
    said = [run("autograder", "release", "--sources", repository / "solutions", cwd=other)]
    said += [run("nbgrader", "autograde", SLUG, "--student", "solution", cwd=other)]
    with Gradebook(postgresql) as gradebook:  # a person takes a point off
        gradebook.find_grade("check_elbo", SLUG, SLUG, "solution").manual_score = 3
        gradebook.db.commit()
    with read_meanwhile(postgresql) as looks:
        said += [run("autograder", "grade", SLUG, "--workers", "1", cwd=other)]
    assert "2 graded" in said[-1].stdout
    assert {1, 2} <= {*looks}
    expected = scores(sqlite_url(course))
    assert scores(postgresql) == {name: expected[name] for name in ("solution", "variance-as-std")}
    with Gradebook(postgresql) as gradebook:
        assert gradebook.find_submission(SLUG, "solution").score == 19
        assert len(gradebook.assignment_submissions(SLUG)) == len(gradebook.students) == 2
    said += [
        run("autograder", "grades", SLUG, cwd=other),
        run("autograder", "grade", "99_no", cwd=other, ok=False),
    ]
    assert "has no assignment '99_no'" in said[-1].stderr
    assert not [done.args for done in said if PASSWORD in done.stdout + done.stderr]
    assert not [p for p in other.rglob("*") if p.is_file() and PASSWORD in p.read_text(errors="replace")
                and p.name != "nbgrader_config.py"]  # fmt: skip


def test_an_absent_server_is_one_line(small_course: Path, course: Path) -> None:
    resubmit(small_course, "solution", course)
    with (small_course / "nbgrader_config.py").open("a") as config:
        config.write("c.CourseDirectory.db_url = 'postgresql://grader:secret@127.0.0.1:9/course'\n")
    done = run("nbgrader", "autograde", SLUG, cwd=small_course, ok=False)
    assert done.returncode != 0 and "is its server up" in done.stderr
    assert "secret" not in done.stderr and "Traceback" not in done.stderr
