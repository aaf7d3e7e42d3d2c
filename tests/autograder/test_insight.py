"""What instructors see of a class: right numbers, harmless text, and no false alarms."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from autograder.assignments import assignment_named
from autograder.checks import checks_of
from autograder.cli import main
from autograder.grading.hand_ins import HandIn, Score
from autograder.reports.insight import check_counts, histogram, mistakes, oddities, times
from autograder.reports.insight_page import render
from vae_ref.errors import CourseError

ASSIGNMENT = assignment_named("02_bound")
Make = Callable[[Mapping[str, Any]], Path]


def hand_in(student: str, points: Mapping[str, float] | None = None, **record: Any) -> HandIn:
    """A hand-in with these points and this record."""
    checks = {name: float(worth) for name, worth in ASSIGNMENT.points_of.items()} | dict(points or {})
    total = sum(checks.values())
    score = Score(student, "", total, total, 0.0, 20.0, checks, datetime(2026, 5, 4), False)
    found = {"refused": "", "notes": [], "stopped": [], "seconds": 1.0, "verdicts": []}
    return HandIn(score, {**found, **record}, {})


def wrong(
    name: str, *misconceptions: str, failures: tuple[str, ...] = (), parts: Any = None
) -> dict[str, Any]:
    """The record of a check that failed."""
    value, *later = (part.name for part in checks_of(ASSIGNMENT.slug)[name].parts)
    return {
        "name": name,
        "passed": False,
        "score": 0.0,
        "points": 4,
        "parts": parts or {value: False, **dict.fromkeys(later)},
        "failures": list(failures),
        "misconceptions": list(misconceptions),
        "message": "",
    }


# ---- numbers


@pytest.mark.parametrize("max_points", [1, 3, 20, 21, 55, 100])
def test_every_hand_in_is_in_the_bar_of_its_points(max_points: int) -> None:
    points = [k / 4 for k in range(4 * max_points + 1)] + [max_points + 0.5]
    bins = histogram(points, max_points)
    assert len(bins) <= 21
    for bar in bins:
        assert bar.count == sum(bar.low <= value < bar.high for value in points)
    assert bins[-1].low == max_points and bins[-1].count == 2


def test_mistakes_are_counted_by_name_and_those_in_doubt_apart() -> None:
    class_ = [
        hand_in("a", verdicts=[wrong("kl_divergence", "kl-mean-over-latents")]),
        hand_in("b", verdicts=[wrong("kl_divergence", "kl-mean-over-latents")]),
        hand_in("c", verdicts=[wrong("kl_divergence", "kl-mean-over-latents", "other")]),
        hand_in("d", verdicts=[wrong("elbo")]),
    ]
    first, second = mistakes(class_, ASSIGNMENT)
    assert (first.name, first.students, first.candidates) == ("kl-mean-over-latents", ("a", "b"), ("c",))
    assert first.known is not None and "averaged" in first.known.sentence
    assert (second.name, second.students, second.candidates, second.known) == ("other", (), ("c",), None)


def test_checks_come_by_difficulty_and_parts_count_where_they_were_looked_at() -> None:
    value, edge, gradient = (part.name for part in checks_of(ASSIGNMENT.slug)["elbo"].parts)
    passed = wrong("elbo", parts={value: True, edge: True, gradient: True}) | {"passed": True}
    partly = wrong("elbo", parts={value: True, edge: False, gradient: True})
    class_ = [
        hand_in("a", {"elbo": 0.0}, verdicts=[wrong("elbo")]),
        hand_in("b", {"elbo": 2.0}, verdicts=[partly]),
        hand_in("c", verdicts=[passed]),
        hand_in("d", {"elbo": 0.0}, verdicts=[wrong("elbo", failures=("NotImplementedError",))]),
    ]
    counts = check_counts(class_, ASSIGNMENT)
    assert counts[0].name == "elbo" and len(counts) == 5
    assert (counts[0].mean, counts[0].right, counts[0].wrong, counts[0].unwritten) == (1.5, 1, 2, 1)
    assert [(part.seen, part.failed) for part in counts[0].parts] == [(4, 2), (2, 1), (2, 0)]


def test_what_was_refused_left_out_or_stopped_is_told_and_nothing_else() -> None:
    missing = HandIn(hand_in("gone").score, None, {})
    class_ = [
        hand_in("fine", verdicts=[wrong("elbo", failures=("ValueError",))]),
        hand_in("refused", refused="the notebook file is empty"),
        hand_in("noted", notes=["left out: torch.py"]),
        hand_in("ended", stopped=["it used more memory"]),
        hand_in(
            "loop",
            verdicts=[
                wrong("elbo", failures=("Timeout", "Timeout")),
                wrong("kl_divergence", failures=("Timeout",)),
            ],
        ),
        missing,
    ]
    assert {o.student: o.reasons for o in oddities(class_)} == {
        "refused": ("not graded: the notebook file is empty",),
        "noted": ("left out: torch.py",),
        "ended": ("a cell was ended: it used more memory",),
        "loop": ("no answer in time: elbo, kl_divergence",),
        "gone": ("its graded notebook is missing",),
    }


def test_times_leave_out_what_was_not_graded() -> None:
    class_ = [hand_in(str(k), seconds=float(k)) for k in range(4)]
    found = times(class_)
    assert (found.median, found.total) == (2.0, 6.0)
    assert found.slowest == (("3", 3.0), ("2", 2.0), ("1", 1.0))


# ---- the page


def long_answer(name: str, seed: int) -> str:
    """Something of twelve lines that nobody else writes."""
    draw = random.Random(seed)
    lines = [
        f"    v{i} = torch.exp(mu * {draw.random():.3f}) + {draw.choice('+-')}v{i - 1}.sum()"
        for i in range(1, 12)
    ]
    return "\n".join([f"def {name}(mu, logvar):", "    v0 = logvar", *lines, "    return v11"])


def hostile_class() -> list[HandIn]:
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'
    class_ = [
        hand_in(
            f"{evil}{k}",
            {"elbo": 0.0},
            notes=[evil],
            refused=evil,
            stopped=[evil],
            verdicts=[wrong("elbo", evil, failures=("Gone",))],
        )
        for k in range(2)
    ]
    answers = {name: f"{long_answer(name, 0)}\n# {evil}" for name in ("kl_monte_carlo", "elbo")}
    class_ = [HandIn(h.score, h.record, answers) for h in class_]
    return class_ + [hand_in(f"l{k}") for k in range(5)]


def test_nothing_that_learners_wrote_becomes_markup() -> None:
    page = render(ASSIGNMENT, hostile_class(), {})
    assert (
        "<script" not in page and "<img" not in page and "49" not in re.findall(r"alert\(1\)&gt;(\S*)", page)
    )
    assert "&lt;script&gt;" in page
    assert re.search(r"<summary>[^<]*elbo", page)  # the two are listed as alike, with their sources


def test_the_page_says_that_likeness_is_no_verdict_and_what_the_rule_is() -> None:
    page = " ".join(render(ASSIGNMENT, hostile_class(), {}).split())
    assert "A hint, never a verdict." in page
    assert "70 % of their runs of 5 tokens" in page and "more than 3 of these 7 hand-ins" in page


def test_sections_are_linked_where_the_book_is_known() -> None:
    class_ = [hand_in("a", verdicts=[wrong("kl_divergence", "kl-mean-over-latents")])]
    assert 'href="https://x.test/book/02_bound.html#sum-versus-mean"' in render(
        ASSIGNMENT, class_, {}, "https://x.test/book/"
    )
    assert "<a " not in render(ASSIGNMENT, class_, {})


UNNAMED = """() => [...document.querySelectorAll('[tabindex="0"][role=region], section, table')]
  .filter(e => !e.getAttribute('aria-label') && !document.getElementById(e.getAttribute('aria-labelledby'))
    && !e.querySelector('caption')).length"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_in_a_browser_it_asks_nobody_fits_and_can_be_read(
    browser: Any, poor_contrast: str, tmp_path: Path, scheme: str, width: int
) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(ASSIGNMENT, hostile_class(), {}, "https://x.test"), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert asked == [path.as_uri()] and not said
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(poor_contrast) == []
    assert page.evaluate(UNNAMED) == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")
    context.close()


@pytest.mark.slow
@pytest.mark.xdist_group("graded-class")
def test_a_course_becomes_a_page(
    graded_class: Make, graded: type, capsys: pytest.CaptureFixture[str]
) -> None:
    course = graded_class(
        {
            "ada": graded(),
            "alan": graded(
                points={"kl_divergence": 0.0},
                misconceptions={"kl_divergence": ["kl-mean-over-latents"]},
                by_hand={"elbo": 1.0},
                penalty=2.0,
            ),
            "eve": graded(record={"refused": "the notebook file is empty", "verdicts": []}),
        }
    )
    assert main(["insight", "02_bound", "--course", str(course)]) == 0
    path = Path(capsys.readouterr().out.strip())
    page = " ".join(path.read_text(encoding="utf-8").split())
    assert path == course / "insight" / "02_bound.html"
    assert "What 3 hand-ins show" in page and "not graded: the notebook file is empty" in page
    assert "<td>11 (2 taken off: late)</td>" in page  # 4 fewer, 3 fewer by hand, and the penalty
    assert "the latent dimensions are averaged" in page

    for folder in (course / "autograded").iterdir():
        (folder / "02_bound" / "02_bound.ipynb").unlink()
    assert main(["insight", "02_bound", "--course", str(course), "--out", str(course / "again.html")]) == 0
    assert (course / "again.html").read_text(encoding="utf-8").count("its graded notebook is missing") == 3

    assert main(["insight", "99_nothing", "--course", str(course)]) == 2
    assert "there is no assignment named '99_nothing'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.xdist_group("graded-class")
def test_a_thousand_hand_ins_take_seconds(graded_class: Make, graded: type) -> None:
    learners = {
        f"learner-{k:04d}": graded(
            answers={name: long_answer(name, k) for name in ("kl_monte_carlo", "elbo")},
            points={"elbo": float(k % 5)},
        )
        for k in range(1000)
    }
    course = graded_class(learners)
    started = time.process_time()
    assert main(["insight", "02_bound", "--course", str(course)]) == 0
    assert time.process_time() - started < 30  # about 6 on a processor of one's own
    assert "What 1000 hand-ins show" in (course / "insight" / "02_bound.html").read_text(encoding="utf-8")


def test_a_class_without_grades_is_told_what_to_do(
    released_course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["insight", "02_bound", "--course", str(released_course)]) == 2
    assert "no hand-in of 02_bound is graded yet: autograder grade 02_bound" in capsys.readouterr().err
    with pytest.raises(CourseError, match="no nbgrader course"):
        from autograder.grading.hand_ins import open_course

        open_course(released_course.parent, "02_bound")
