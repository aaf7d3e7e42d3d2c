"""A term of a simulated class: collected, graded, exported, one check corrected, graded again, a learner forgotten.

Everything is done with the commands that an instructor gives, on a copy of the package whose check of ``kl_divergence``
holds the average over the latents for right. Then the check is corrected. Nobody may be lost, every score that changed
must be told with its reason, and nothing may ask the network: ``python -m benchmarks.class_of_200``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import nbformat

import autograder
import vae_ref
from autograder.assignments import assignment_named
from autograder.authoring.release import notebook_of
from autograder.authoring.round_trip import mistake_source
from autograder.authoring.sample_class import HOSTILE, filled, written_in
from autograder.checks import checks_of
from benchmarks import machine
from vae_ref.errors import CourseError
from vae_ref.files import write_text

HERE = Path(__file__).parent
SOURCES = HERE.parent / "solutions"
SLUGS = ("02_bound", "03_sampling", "09_tighter")
# how the class hands in, over and over; the first twelve have one of each
KINDS = (
    "right", "wrong", "late", "wrong", "damaged", "hostile", "late by days", "untouched", "wrong", "right", "endless",
    "wrong late", "right", "wrong", "right", "wrong", "right", "wrong", "right", "right",
)  # fmt: skip
DUE = datetime(2027, 3, 1, 18, 0)
HOURS_LATE = {"late": 0.2, "late by days": 30.0, "wrong late": 50.0}  # the first is within the grace
SHARE = {"late by days": 0.2, "wrong late": 0.3}  # of the points, at a tenth for each day begun
CONFIG = """
from autograder.wall import Limits

configure(c, Limits(cell_seconds={cell_seconds}))  # what runs for ever is waited for less long
c.Exchange.root = {exchange!r}
c.LatePolicy.penalty_method = "per-day"
c.LatePolicy.grace_minutes = 30
"""
FAULT = """

def _faulty(mu, logvar):
    return _kl_oracle(mu, logvar) / mu.shape[1]


from dataclasses import replace as _replace

CHECKS = tuple(_replace(c, oracle=_faulty) if c.name == "kl_divergence" else c for c in CHECKS)
"""
# who asks for another host says so: part of every Python process outside the wall
WATCH = """
import sys

def _watch(event, args):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(args[1], tuple)):
        with open({log!r}, "a") as file:
            print(event, args[1] if event == "socket.connect" else args[0], file=file)

sys.addaudithook(_watch)
"""


@dataclass
class Term:
    """A class in a folder.

    Attributes:
        folder: everything lies here.
        slugs: its assignments; the first is the one whose check is corrected.
        learners: how many.
        cell_seconds: after which a cell is stopped; a busy machine is slow.
        seconds: of each step, by its name.
    """

    folder: Path
    slugs: tuple[str, ...]
    learners: int
    cell_seconds: int = 30
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def course(self) -> Path:
        return self.folder / "course"

    @property
    def names(self) -> list[str]:
        return [f"learner-{number:03}" for number in range(self.learners)]

    def run(self, step: str, *command: object, program: str = "autograder", code: int = 0) -> str:
        """One command, as a person gives it; returns what it printed."""
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", program, *map(str, command)],
            cwd=self.course if program == "nbgrader" else self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(self.folder / "package"), "TQDM_DISABLE": "1"},
        )
        self.seconds[step] = round(time.perf_counter() - started, 1)
        print(f"{step}: {self.seconds[step]} s", file=sys.stderr, flush=True)
        if done.returncode != code:
            raise CourseError(
                f"{step} ended with {done.returncode}: {done.stderr[-800:] or done.stdout[-800:]}"
            )
        return done.stdout


def measure(
    learners: int = 200, slugs: tuple[str, ...] = SLUGS, workers: int = 2, cell_seconds: int = 30
) -> dict[str, object]:
    """Live through the term; returns what came of it and the seconds of each step.

    Raises:
        CourseError: somebody is lost, has a wrong score, or has another one without a reason, or a command failed.
    """
    with tempfile.TemporaryDirectory(prefix="class-") as name:
        term = Term(Path(name), slugs, learners, cell_seconds)
        checks, right = _prepare(term)
        for slug, way in zip(slugs, ("exchange", "folder", "canvas"), strict=False):
            _hand_in(term, slug, way)
        _grade(term, "grade", workers)
        before = _exported(term, "export")
        for slug in slugs:
            term.run(f"feedback {slug}", "feedback", slug, "--course", term.course)
            term.run(f"insight {slug}", "insight", slug, "--course", term.course)
        checks.write_text(right, encoding="utf-8")
        term.run("collect again", "collect", slugs[1], term.folder / slugs[1], "--course", term.course)
        said = _grade(term, "grade again", workers)
        after = _exported(term, "export again")
        moved = _moves(term, slugs[0])
        _require_right(term, after)
        _require_told(term, before, after, moved, said)
        _forget(term)
        log = term.folder / "network.log"
        if log.exists():
            raise CourseError(f"somebody asked for another host: {log.read_text()[:300]}")
    return {
        "machine": machine.describe(),
        "learners": learners,
        "hand_ins": learners * len(slugs),
        "workers": workers,
        "seconds": term.seconds,
        "learners_moved": len({row["learner"] for row in moved}),
        "lines_of_moves": len(moved),
    }


def _prepare(term: Term) -> tuple[Path, str]:
    """The package with its fault, a course, and the list of learners; returns the faulty file and what corrects it."""
    checks = _package(term.folder / "package")
    right = checks.read_text(encoding="utf-8")
    checks.write_text(right + FAULT, encoding="utf-8")
    write_text(
        term.folder / "package" / "sitecustomize.py", WATCH.format(log=str(term.folder / "network.log"))
    )
    due = [part for slug in term.slugs for part in ("--due", f"{slug}={DUE:%Y-%m-%d %H:%M}")]
    new = ("course", "new", term.course, *term.slugs, *due, "--sources", SOURCES)
    term.run("course new", *new)
    exchange = term.folder / "exchange"
    (exchange / "vae" / "inbound").mkdir(parents=True)
    config = term.course / "nbgrader_config.py"
    write_text(
        config, config.read_text() + CONFIG.format(exchange=str(exchange), cell_seconds=term.cell_seconds)
    )
    if "released as" in term.run("course new again", *new):
        raise CourseError("course new released again what was released already")
    lines = ["id,first_name,last_name,lms_user_id"]
    lines += [f"{name},L,{number},{1000 + number}" for number, name in enumerate(term.names)]
    write_text(term.folder / "students.csv", "\n".join(lines) + "\n")
    term.run("list of learners", "db", "student", "import", term.folder / "students.csv", program="nbgrader")
    return checks, right


def _package(folder: Path) -> Path:
    """A copy of the package, which stays as it is whatever happens to this one; returns its file of checks."""
    for package in (autograder, vae_ref):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "autograder" / "checks" / "02_bound.py"


def _hand_in(term: Term, slug: str, way: str) -> None:
    """All hand-ins of an assignment, on one of the ways that they come on, and collected."""
    archive = term.folder / f"{slug}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as platform:
        for number, (name, content) in enumerate(zip(term.names, _notebooks(term, slug), strict=True)):
            when = DUE + timedelta(hours=HOURS_LATE.get(KINDS[number % len(KINDS)], -48.0))
            if way == "canvas":
                platform.writestr(f"l{number}_{1000 + number}_{5000 + number}_{slug}.ipynb", content)
                continue
            folder = term.folder / slug / name
            if way == "exchange":
                inbound = term.folder / "exchange" / "vae" / "inbound"
                folder = inbound / f"{name}+{slug}+{when:%Y-%m-%d %H:%M:%S.%f} UTC+x"
            folder.mkdir(parents=True)
            (folder / f"{slug}.ipynb").write_bytes(content)
            (folder / "timestamp.txt").write_text(f"{when:%Y-%m-%d %H:%M:%S.%f} UTC")
    if way == "exchange":
        term.run(f"collect {slug}", "collect", slug, program="nbgrader")
    else:
        source = archive if way == "canvas" else term.folder / slug
        said = term.run(f"collect {slug}", "collect", slug, source, "--course", term.course)
        if f"{term.learners} new" not in said:
            raise CourseError(f"not everybody was collected: {said}")


def _notebooks(term: Term, slug: str) -> Iterator[bytes]:
    """What each learner hands in, as the file has it."""
    assignment = assignment_named(slug)
    released = nbformat.read(term.course / "release" / slug / f"{slug}.ipynb", as_version=4)
    text = SOURCES / slug / f"{slug}.py"
    written = written_in(notebook_of(assignment, text.read_text(encoding="utf-8")))
    first = next(iter(assignment.points_of))
    for number in range(term.learners):
        kind, changes = KINDS[number % len(KINDS)], dict(written)
        if kind.startswith("wrong"):
            name, mistake = _mistake(slug, number)
            changes[name] = mistake_source(assignment, name, checks_of(slug)[name].misconceptions[mistake])
        elif kind == "hostile":
            changes = {first: f"import torch\n{HOSTILE}"}
        elif kind == "endless":
            changes = {first: "while True:\n    pass"}
        elif kind == "untouched":
            changes = {}
        content = nbformat.writes(filled(released, changes)).encode()
        yield content[: len(content) // 2] if kind == "damaged" else content


def _mistake(slug: str, number: int) -> tuple[str, int]:
    """What somebody has got wrong, and which of the known mistakes it is; every other one averages the KL."""
    if slug == "02_bound" and number % 2:
        names = [m.name for m in checks_of(slug)["kl_divergence"].misconceptions]
        return "kl_divergence", names.index("kl-mean-over-latents")
    checks = [check for check in checks_of(slug).values() if check.misconceptions]
    check = checks[number % len(checks)]
    return check.name, number % len(check.misconceptions)


def _grade(term: Term, step: str, workers: int) -> dict[str, str]:
    return {
        slug: term.run(f"{step} {slug}", "grade", slug, "--course", term.course, "--workers", workers)
        for slug in term.slugs
    }


def _exported(term: Term, step: str) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of the exported table, by assignment and learner."""
    out = term.course / "grades.csv"
    term.run(step, "export", *term.slugs, "--course", term.course, "--out", out)
    with out.open(newline="", encoding="utf-8") as file:
        return {(row["assignment"], row["student_id"]): row for row in csv.DictReader(file)}


def _moves(term: Term, slug: str) -> list[dict[str, str]]:
    with (term.course / "moved" / f"{slug}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _require_right(term: Term, rows: dict[tuple[str, str], dict[str, str]]) -> None:
    """Everybody is there and has what the hand-in is worth."""
    for slug in term.slugs:
        full = sum(assignment_named(slug).points_of.values())
        timed = term.slugs.index(slug) < 2  # a platform's archive has no times
        for number, name in enumerate(term.names):
            kind = KINDS[number % len(KINDS)]
            row = rows[slug, name]
            raw, points = float(row["raw_score"] or -1), float(row["score"] or -1)
            share = SHARE.get(kind, 0.0) if timed else 0.0
            if kind.startswith("wrong"):
                worth = assignment_named(slug).points_of[_mistake(slug, number)[0]]
                right = full - worth <= raw < full
            else:
                right = raw == (full if kind.startswith(("right", "late")) else 0)
            if not right or abs(points - raw * (1 - share)) > 0.01:
                raise CourseError(f"{slug}, {name}, {kind}: {row}")


def _require_told(
    term: Term,
    before: dict[tuple[str, str], dict[str, str]],
    after: dict[tuple[str, str], dict[str, str]],
    moved: list[dict[str, str]],
    said: dict[str, str],
) -> None:
    """Whose score is another one is in the file of moves with both scores and a reason, and nobody else is."""
    first, *others = term.slugs
    for slug in others:
        if (
            f"0 graded, {term.learners} unchanged" not in said[slug]
            or (term.course / "moved" / f"{slug}.csv").exists()
        ):
            raise CourseError(f"{slug} was graded again, though nothing of it has changed: {said[slug]}")
    changed = {key: float(row["score"]) - float(before[key]["score"]) for key, row in after.items()}
    told: dict[tuple[str, str], float] = {}
    for move in moved:
        sign = -1 if move["what"] == "late penalty" else 1
        key = first, move["learner"]
        told[key] = told.get(key, 0.0) + sign * (float(move["to"]) - float(move["from"]))
        if (
            move["what"] not in ("kl_divergence", "late penalty")
            or "the grader was changed" not in move["why"]
        ):
            raise CourseError(f"a move without its reason: {move}")
    for key in {*changed, *told}:
        if abs(changed[key] - told.get(key, 0.0)) > 0.015:
            raise CourseError(f"{key} changed by {changed[key]:g}, told is {told.get(key, 0.0):g}")
    if not any(change > 0 for change in changed.values()) or not any(
        change < 0 for change in changed.values()
    ):
        raise CourseError("the fault was none: it should have cost some and helped others")


def _forget(term: Term) -> None:
    """One learner is removed; nothing of the others is touched."""
    name = term.names[0]
    (term.course / "grades.csv").unlink()
    shutil.rmtree(term.course / "insight")
    term.run("forget", "forget", name, "--course", term.course, "--yes")
    left = [path for path in term.course.rglob("*") if name in path.name]
    left += [path for path in term.course.rglob("*.db") if name.encode() in path.read_bytes()]
    if left or "holds nothing" not in term.run(
        "forget again", "forget", name, "--course", term.course, "--yes"
    ):
        raise CourseError(f"{name} is not forgotten: {left}")
    rows = _exported(term, "export without one")
    if {student for _, student in rows} != set(term.names[1:]):
        raise CourseError("forgetting one learner has touched another")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_of_200", description=__doc__)
    parser.add_argument(
        "--learners", type=int, default=200, help="default: 200; at least 12 have one of each kind"
    )
    parser.add_argument("--workers", type=int, default=2, help="hand-ins graded at a time; default: 2")
    parser.add_argument("--out", type=Path, default=HERE / "class_of_200.json", help="default: %(default)s")
    options = parser.parse_args()
    try:
        found = measure(options.learners, workers=options.workers)
    except CourseError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    write_text(options.out, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
