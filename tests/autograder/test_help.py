"""Hints for those who are stuck, and the tools of those who keep the checks and the machine."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autograder import check
from autograder.assignments import ASSIGNMENTS, assignment_named
from autograder.authoring.validate import kill_matrix, validate, validate_assignments
from autograder.both_sides.target import LocalTarget
from autograder.checks import check_named, checks_of
from autograder.cli import main
from autograder.doctor import examine
from autograder.hints import HINTS, LEVELS
from autograder.judge.checking import judge
from autograder.judge.definitions import Check, Misconception
from autograder.wall import WallError
from vae_ref.errors import CourseError

KL = checks_of("02_bound")["kl_divergence"]


def kl_divergence(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    return 0.5 * (mu**2 + logvar.exp() - logvar - 1).mean(1)


# ---- hints ----------------------------------------------------------------------------------------------------------


def test_everything_to_write_has_three_different_hints() -> None:
    asked = [name for assignment in ASSIGNMENTS for name in assignment.points_of]
    assert sorted(HINTS) == sorted(asked)
    for name, hints in HINTS.items():
        assert len(set(hints)) == LEVELS == 3, name
        assert all(20 < len(hint) < 260 and hint[-1] in ".?" for hint in hints), name


@pytest.mark.parametrize("name", HINTS)
def test_no_hint_is_code_that_runs(name: str) -> None:
    for hint in HINTS[name]:
        for sentence in hint.split(". "):
            with pytest.raises(SyntaxError):
                ast.parse(sentence)


def test_a_hint_is_shown_when_asked_for_and_the_next_one_is_offered() -> None:
    assert "Stuck? check(kl_divergence, hint=1)" in repr(check(kl_divergence))
    second = check(kl_divergence, hint=2)
    assert f"Hint 2 of 3: {HINTS['kl_divergence'][1]}" in repr(second)
    assert HINTS["kl_divergence"][0] not in repr(second) and "More? check(kl_divergence, hint=3)" in repr(
        second
    )
    assert "Hint 2 of 3" in second._repr_html_()
    assert "More?" not in repr(check(kl_divergence, hint=3))


def test_who_is_right_gets_no_hint_and_others_no_fourth() -> None:
    right = KL.equivalents[0]
    kl_divergence = right
    assert "Hint" not in repr(check(kl_divergence, hint=1))
    for hint in (4, -1, "2"):
        with pytest.raises(CourseError, match="hint must be 1 to 3, or 0 for none, got"):
            check(kl_divergence, hint=hint)


# ---- validate -------------------------------------------------------------------------------------------------------


def test_a_validation_finds_nothing_wrong_with_a_good_check(capsys) -> None:
    report = validate([KL], seeds=(0,))
    assert report.good and len(report.killed) == len(KL.misconceptions)
    assert all(row.named_right for row in report.killed)
    text = kill_matrix(report)
    assert "## 02_bound: `kl_divergence`" in text and "| kl-wrong-sign | value | yes |" in text
    assert f"{len(report.killed)} of {len(report.killed)} mistakes found" in text


def broken(**changes) -> Check:
    return replace(KL, **changes)


def test_a_validation_names_what_is_wrong_with_a_bad_one() -> None:
    right, wrong = KL.equivalents[0], KL.misconceptions[0]
    survivor = Misconception("kl-not-wrong-at-all", "kl-closed-form", "it is right.", right)
    twin = replace(wrong, name="kl-twin")
    report = validate(
        [broken(misconceptions=(survivor, wrong, twin), equivalents=(right, wrong.variant))], (0, 1)
    )
    assert not report.good
    text = kill_matrix(report)
    assert "| kl-not-wrong-at-all | **not with the seeds 0, 1** | no |" in text
    assert f"| kl-twin | value | also {wrong.name} |" in text
    assert "- `kl_divergence`, equivalent 1, seed 0: With" in text
    assert "2 of 3 mistakes found, 0 named right; 1 of 2 right answers failed." in text


def test_mistakes_that_no_case_tells_apart_have_to_be_declared() -> None:
    first, *others = KL.misconceptions[:6]
    twin = replace(first, name="kl-twin")
    report = validate([broken(misconceptions=(first, twin, *others))], (0, 1))
    assert {row.mistake for row in report.twins} == {first.name, "kl-twin"} and not report.good
    assert f"- kl-twin: the same as {first.name} on all cases, declared to be like no other" in kill_matrix(
        report
    )
    declared = (replace(first, like=("kl-twin",)), replace(twin, like=(first.name,)), *others)
    report = validate([broken(misconceptions=declared)], (0, 1))
    assert not report.twins
    assert (
        report.share_named_right == 5 / 7 and not report.good
    )  # each is given two names, which are too many of 7
    told_apart = (replace(first, like=(others[0].name,)), *others)
    report = validate([broken(misconceptions=told_apart)], (0, 1))
    assert [row.mistake for row in report.twins] == [first.name] and not report.good


def test_assignments_are_validated_in_processes() -> None:
    report = validate_assignments(
        [replace(assignment_named("09_tighter"), points_of={"beta_from_sigma": 3})], (0,), workers=1
    )
    assert (
        report.good and report.equivalents == 5 and {r.function for r in report.killed} == {"beta_from_sigma"}
    )


def test_the_command_refuses_what_it_does_not_know(capsys) -> None:
    assert main(["validate", "12_moon"]) == 2
    assert "there is no assignment named '12_moon'; there is 01_dogs, 02_bound" in capsys.readouterr().err


# ---- doctor ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("wall")
def test_a_machine_that_can_grade_is_told_so(capsys) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert (
        "✗" not in said
        and "✓ kernel: the first one started, asked and stopped in" in said
        and "✓ fast lane: each" in said
    )


def test_a_machine_without_a_wall_is_told_what_to_install(monkeypatch, capsys) -> None:
    def no_wall() -> str:
        raise WallError("bubblewrap (bwrap) is not installed: install it and grade again")

    monkeypatch.setattr("autograder.doctor.require_wall", no_wall)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "✗ wall: bubblewrap (bwrap) is not installed: install it" in said and "kernel" not in said


def test_too_little_memory_and_room_are_said(monkeypatch) -> None:
    monkeypatch.setattr(
        "autograder.doctor.os.sysconf", lambda name: 2**15
    )  # pages of 32 KiB, as many of them
    monkeypatch.setattr(
        "autograder.doctor.shutil.disk_usage", lambda path: type("Usage", (), {"free": 2**20})
    )
    monkeypatch.setattr("autograder.doctor.require_wall", lambda: (_ for _ in ()).throw(WallError("no")))
    found = {finding.what: finding for finding in examine()}
    assert not found["memory"].good and "grade on a larger one" in found["memory"].said
    assert not found["disk"].good and "free at least 1" in found["disk"].said
    assert Path("/tmp").as_posix() in found["disk"].said


# ---- slips ----------------------------------------------------------------------------------------------------------


def test_a_misspelt_name_gets_a_suggestion_and_no_traceback() -> None:
    def kl_divergance(mu, logvar):
        return mu

    with pytest.raises(CourseError, match="did you mean kl_divergence") as caught:
        check(kl_divergance)
    assert caught.value._render_traceback_() == [str(caught.value)]  # all that a notebook shows


@pytest.mark.parametrize("given", ["kl_divergence", torch.zeros(2), None])
def test_what_is_no_function_is_named(given: object) -> None:
    with pytest.raises(CourseError, match=f"got a {type(given).__name__}"):
        check(given)  # type: ignore[arg-type]


def test_a_name_that_stands_for_something_else_is_named() -> None:
    examination, points = check_named("gradient_after_detach")
    verdict = judge(examination, LocalTarget({"gradient_after_detach": "c"}), points, seed=1)
    assert verdict.findings[0].problem.startswith("gradient_after_detach is a str")


def test_a_call_that_takes_long_gets_a_word_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("autograder.learner.notebook.LONG_CALL", 0.05)

    def log_normal(x, mu, logvar):
        time.sleep(0.2)
        return x.sum(dim=1)

    check(log_normal)
    assert capsys.readouterr().err.count("at work on one call") == 1


def test_a_check_that_was_stopped_shows_no_traceback_of_ours() -> None:
    def log_normal(x, mu, logvar):
        raise KeyboardInterrupt

    assert repr(check(log_normal)) == "Stopped while log_normal was at work: no verdict."


def test_files_that_a_check_had_written_are_gone_with_its_process(tmp_path: Path) -> None:
    code = """
import sys, tempfile
from pathlib import Path
import torch
from autograder import check
def save_checkpoint(path, model, optimizer, step):
    torch.save({}, path)
check(save_checkpoint)
print(sum(path.is_file() for path in Path(tempfile.gettempdir()).rglob("*")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 0
    assert list(tmp_path.rglob("*.pt")) == []
