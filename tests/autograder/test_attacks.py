"""Every attack, graded for real between honest learners, whose grades must not notice."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from nbformat import NotebookNode

from autograder.both_sides.target import LocalTarget, Value
from autograder.checks import checks_of
from autograder.grading.one_notebook import _fingerprint, _seed
from autograder.judge.checking import judge

sys.path.insert(0, str(Path(__file__).parent))

from attacks import ATTACKS, DETACHED, GROUPS, RIGHT, WRONG, Attack, by_learner, table
from attacks import course as at

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("attacks")]

MARK = f"mark{secrets.token_hex(6)}"
SECRET = f"secret-of-the-course-{secrets.token_hex(8)}"
BEFORE, AFTER = "a-honest", "z-honest"


@dataclass
class Class:
    """A graded class with attackers."""

    course: Path
    alone: Path  # the same with nobody but the honest ones
    learners: dict[str, str]  # name of an attack → who handed it in
    points: dict[str, dict[str, float]]
    places: set[str]  # of the machine, before


def memorised(released: NotebookNode) -> str:
    """A table of the right answers to what the hand-in would be asked without the table."""
    answer = at.filled(released, {**RIGHT, "kl_divergence": "@TABLE@"})
    seed = _seed(_fingerprint(at.SLUG, "m-memorised-answers", answer), "kl_divergence")
    return memorised_for(seed)


def memorised_for(seed: int) -> str:
    table: dict[str, list[float]] = {}

    class Recorder:
        def call(self, name: str, call: object) -> Value:
            mu, logvar = call.args  # type: ignore[attr-defined]
            right = check.oracle(mu.double(), logvar.double())
            table[f"{float(mu.flatten()[0]):.4f} {float(logvar.flatten()[0]):.4f}"] = right.tolist()
            return Value(right)

    check = checks_of(at.SLUG)["kl_divergence"]
    judge(replace(check, helpers=None), Recorder(), 4, seed)
    return (
        f"TABLE = {json.dumps(table)}\ndef kl_divergence(mu, logvar):\n"
        '    key = f"{float(mu.flatten()[0]):.4f} {float(logvar.flatten()[0]):.4f}"\n'
        "    return torch.tensor(TABLE.get(key, [0.0] * len(mu)), dtype=mu.dtype)\n"
    )


def places() -> set[str]:
    """Files in shared folders, mounts and sockets of this machine."""
    found = set()
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/home", "/etc", "/"):
        with contextlib.suppress(OSError):
            found |= {str(path) for path in Path(folder).iterdir()}
    site = Path(torch.__file__).parents[1]
    found |= {str(path) for path in site.glob("*.pth")} | {str(path) for path in site.glob("*custom*")}
    for table_of in ("/proc/self/mountinfo", "/proc/net/unix"):
        found |= {line for line in Path(table_of).read_text().splitlines() if "wall-" in line or MARK in line}
    return found


@pytest.fixture(scope="module")
def room(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The class with all attackers, graded by two workers at a time."""
    root = tmp_path_factory.mktemp("attacks")
    (root / "secret.txt").write_text(SECRET)
    course = root / "course"
    released, answers = at.make_course(course, repository / "solutions")
    (course / "secret.txt").write_text(SECRET)
    for learner in (BEFORE, AFTER):
        (at.folder_of(course, learner) / at.NAME).write_text(json.dumps(at.filled(released, answers)))
    shutil.copytree(course, root / "alone")
    handed_in = by_learner(ATTACKS)
    for learner, attacks in handed_in.items():
        hand_in(course, released, learner, attacks)
    for learner, answer in (("b-wrong", WRONG), ("b-detached", DETACHED)):
        base = at.filled(released, {**RIGHT, "kl_divergence": answer}, "print('no attack')")
        (at.folder_of(course, learner) / at.NAME).write_text(json.dumps(base))
    was = places()
    started = time.monotonic()
    done = at.grade(course, SECRET)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    assert at.grade(root / "alone", SECRET).returncode == 0
    print(f"{len(ATTACKS)} attacks in {len(handed_in)} hand-ins: {seconds:.0f} s")
    learners = {attack.name: learner for learner, attacks in handed_in.items() for attack in attacks}
    return Class(course, root / "alone", learners, at.points(course), was)


def finished(code: str, released: NotebookNode) -> str:
    if code == "@MEMORISED@":
        return memorised(released)
    return code.replace("@MARK@", MARK)


def hand_in(course: Path, released: NotebookNode, learner: str, attacks: list[Attack]) -> None:
    folder = at.folder_of(course, learner)
    own = [f"{finished(attack.code, released).strip()}\n# attack: {attack.name}" for attack in attacks]
    answers = {**RIGHT, "kl_divergence": finished(attacks[0].answer, released)}
    notebook = at.filled(released, answers, *own)
    for attack in attacks:
        if attack.hand_in is not None:
            attack.hand_in(folder, notebook)
    if not any(path.name.endswith(".ipynb") for path in folder.iterdir()):
        (folder / at.NAME).write_text(json.dumps(notebook))


def cell_of(notebook: NotebookNode, attack: Attack) -> NotebookNode:
    return next(c for c in notebook.cells if c.source.endswith(f"# attack: {attack.name}"))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_gains_nothing(room: Class, attack: Attack) -> None:
    learner = room.learners[attack.name]
    notebook = at.graded(room.course, learner)
    earned, base = room.points[learner], {**room.points["b-wrong"], "kl_divergence": attack.worth}
    said = at.comments(room.course, learner)
    assert all(earned[name] <= base[name] for name in base), (earned, base)
    everything = "\n".join(at.shown(cell) for cell in notebook.cells)
    assert "WON" not in everything, at.shown(cell_of(notebook, attack))
    assert SECRET not in json.dumps(notebook) + said
    if attack.refused:
        assert re.search(attack.refused, said), said
        assert not any(earned.values())
        return
    assert attack.noted in said
    assert re.search(attack.shows, at.shown(cell_of(notebook, attack))), at.shown(cell_of(notebook, attack))
    if not attack.loses:
        assert earned == base


def test_without_an_attack_they_earn_what_is_right(room: Class) -> None:
    base = {
        "log_normal": 4,
        "kl_divergence": 0,
        "kl_monte_carlo": 0,
        "reconstruction_log_likelihood": 4,
        "elbo": 0,
    }
    assert room.points["b-wrong"] == base
    assert room.points["b-detached"] == {**base, "kl_divergence": 3}
    assert {attack.worth for attack in ATTACKS if attack.answer == DETACHED} == {3}


@pytest.mark.parametrize("learner", [BEFORE, AFTER])
def test_honest_learners_notice_nothing(room: Class, learner: str) -> None:
    assert set(room.points[learner].values()) == {4.0}
    among, alone = at.graded(room.course, learner), at.graded(room.alone, learner)
    assert [cell.get("outputs") for cell in among.cells] == [cell.get("outputs") for cell in alone.cells]
    assert among.metadata["autograder"]["verdicts"] == alone.metadata["autograder"]["verdicts"]
    assert room.points[learner] == at.points(room.alone)[learner]


def test_nothing_survives(room: Class) -> None:
    deadline = time.monotonic() + 15
    while at.commands_with(MARK) and time.monotonic() < deadline:
        time.sleep(0.2)  # the system takes a moment to clear away
    assert not at.commands_with(MARK)
    new = places() - room.places
    assert not [place for place in new if MARK in place]
    # folders of other grading processes that are at work on this machine come and go
    ours = [place for place in new if "/wall-" in place and not place.startswith("/proc")]
    assert not [p for p in ours if not any(Path("/proc", n).exists() for n in re.findall(r"\d+", p))]
    assert not (room.course / MARK).exists()


def test_the_course_is_as_it_was(room: Class) -> None:
    assert (room.course / "secret.txt").read_text() == SECRET
    assert len(list((room.course / "submitted").iterdir())) == len(room.points)
    released = (room.course / "release" / at.SLUG / at.NAME).read_bytes()
    assert released == (room.alone / "release" / at.SLUG / at.NAME).read_bytes()


def test_graded_notebooks_stay_small(room: Class) -> None:
    for path in (room.course / "autograded").rglob("*.ipynb"):
        assert path.stat().st_size < 5 * 2**20, path


class Dangers(HTMLParser):
    """Collects what could run or call home on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            address = name in ("src", "href", "srcset", "data", "action", "xlink:href")
            if name.startswith("on") or (address and re.match(r"\s*javascript:", value or "", re.IGNORECASE)):
                self.found.append(f"<{tag} {name}={value}>")
        text = self.get_starttag_text() or ""
        if MARK in text or (tag in ("script", "iframe", "object", "embed") and "alert" in text):
            self.found.append(text)
        self.last = tag

    def handle_data(self, data: str) -> None:
        if getattr(self, "last", "") == "script" and (MARK in data or "alert(1)" in data):
            self.found.append(f"<script>{data[:80]}")
        self.last = ""


@pytest.fixture(scope="module")
def pages(room: Class) -> Iterator[list[Path]]:
    """What learners get back."""
    command = [str(Path(sys.executable).parent / "nbgrader"), "generate_feedback", at.SLUG]
    done = subprocess.run(command, cwd=room.course, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    yield sorted((room.course / "feedback").rglob("*.html"))


def test_no_markup_of_theirs_lives_on_the_pages(room: Class, pages: list[Path]) -> None:
    assert len(pages) == len(room.points)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        dangers = Dangers()
        dangers.feed(text)
        assert not dangers.found, (page, dangers.found[:3])
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text), page


def test_memorised_answers_would_do_for_the_questions_they_were_made_for() -> None:
    namespace: dict[str, object] = {"torch": torch}
    exec(memorised_for(5), namespace)
    check = checks_of(at.SLUG)["kl_divergence"]
    scores = [judge(check, LocalTarget(namespace), 4, seed).score for seed in (5, 6)]
    assert scores == [3.0, 0.0]  # values and edge cases, but no gradients; and nothing of other questions


def test_the_page_of_the_book_has_them_all() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 90
    page = table()
    assert all(f"| {attack.tries} |" in page for attack in ATTACKS)
    assert all(f"## {title}" in page for title in GROUPS)
    assert not re.search(r"[^|]\|[^|\n]*\n(?!\|)(?!$)", "") and page.count("\n| ") == len(ATTACKS) + len(
        GROUPS
    )
