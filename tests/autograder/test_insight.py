"""What instructors see of a class: right numbers, harmless text, and no false alarms."""

from __future__ import annotations

import inspect
import random
import re
import textwrap
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from autograder.assignments import ASSIGNMENTS, assignment_named
from autograder.checks import checks_of
from autograder.cli import main
from autograder.hand_ins import HandIn, Score
from autograder.insight import check_counts, histogram, mistakes, oddities, times
from autograder.insight_page import render
from autograder.similar import MIN_TOKENS, RUN, Group, many, similar_hand_ins, tokens
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


# ---- answers that are alike

LONG_ANSWER = '''
def kl_monte_carlo(mu, logvar, num_samples, generator=None):
    """Average over samples."""
    total = torch.zeros(mu.shape[0])
    for step in range(num_samples):  # one sample at a time
        noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + torch.exp(0.5 * logvar) * noise
        log_q = (-0.5 * (math.log(2 * math.pi) + logvar + noise**2)).sum(dim=1)
        log_p = (-0.5 * (math.log(2 * math.pi) + z**2)).sum(dim=1)
        total = total + (log_q - log_p)
    return total / num_samples
'''
ONE_LINER = (
    "def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):\n    return rec(x, x_hat) - beta * kl(mu, logvar)\n"
)
CELLS = {
    "kl_monte_carlo": LONG_ANSWER,
    "elbo": LONG_ANSWER.replace("kl_monte_carlo", "elbo").replace("0.5", "0.25"),
}


def disguised(source: str) -> str:
    """The same answer with other names, comments and layout."""
    for old, new in {"step": "i", "noise": "e", "total": "acc", "log_q": "a", "log_p": "b"}.items():
        source = re.sub(rf"\b{old}\b", new, source)
    source = source.replace('"""Average over samples."""', '"""Mine."""\n    # nobody else\'s').replace(
        "    ", "  "
    )
    return source.replace("def kl_monte_carlo(mu,", "def kl_monte_carlo(mu: Tensor,") + "\n\n# the end\n"


def others(number: int, seed: int = 0) -> dict[str, dict[str, str]]:
    """Learners who wrote something long of their own."""
    draw = random.Random(seed)
    operations = ["torch.exp", "torch.log", "torch.sqrt", "abs", "torch.relu", "torch.tanh"]
    reductions = ["sum", "mean", "max"]
    found = {}
    for k in range(number):
        lines = [
            f"    v{i} = {draw.choice(operations)}(mu * {draw.random():.3f}) + v{i - 1}.{draw.choice(reductions)}()"
            for i in range(1, 14)
        ]
        body = "\n".join(["    v0 = logvar", *lines, "    return v13"])
        found[f"other-{k}"] = {name: f"def {name}(mu, logvar):\n{body}\n" for name in CELLS}
    return found


def test_disguise_does_not_change_the_tokens_but_another_formula_does() -> None:
    assert tokens(disguised(LONG_ANSWER), CELLS) == tokens(LONG_ANSWER, CELLS)
    assert len(tokens(LONG_ANSWER)) > MIN_TOKENS
    assert tokens(LONG_ANSWER.replace("0.5 * logvar", "0.25 * logvar")) != tokens(LONG_ANSWER)
    assert tokens("def f(:") == () and tokens("x = '\0'") == () and tokens("(" * 5000 + ")" * 5000) == ()


def test_a_disguised_copy_is_listed() -> None:
    copies = {"ada": CELLS, "eve": {name: disguised(source) for name, source in CELLS.items()}}
    assert similar_hand_ins(copies | others(20), {}, CELLS) == [
        Group(("ada", "eve"), ("kl_monte_carlo", "elbo"))
    ]


def test_a_copy_with_a_small_change_is_listed_too() -> None:
    changed = {
        name: source.replace("for step", "print(mu.shape)\n    for step") for name, source in CELLS.items()
    }
    found = similar_hand_ins({"ada": CELLS, "eve": changed} | others(20), {}, CELLS)
    assert [group.students for group in found] == [("ada", "eve")]


def test_one_answer_in_common_is_no_hint_unless_it_is_very_long() -> None:
    class_ = others(20)
    class_["ada"] = {**class_["other-0"], "elbo": CELLS["elbo"]}
    class_["eve"] = {**class_["other-1"], "elbo": CELLS["elbo"]}
    # their other answers are those of others, one each
    assert ("ada", "eve") not in [group.students for group in similar_hand_ins(class_, {}, CELLS)]
    alone = {"ada": {"elbo": CELLS["elbo"]}, "eve": {"elbo": CELLS["elbo"]}} | others(20)
    assert similar_hand_ins(alone, {}, CELLS) == []
    twice = "\n".join(
        [CELLS["elbo"], CELLS["elbo"].replace("def elbo", "def helper").replace("0.25", "0.75")]
    )
    alone = {"ada": {"elbo": twice}, "eve": {"elbo": twice}} | others(20)
    assert [group.students for group in similar_hand_ins(alone, {}, CELLS)] == [("ada", "eve")]


def test_short_answers_stubs_and_what_many_wrote_are_no_hint() -> None:
    short = {f"l{k}": dict.fromkeys(CELLS, ONE_LINER) for k in range(2)}
    assert similar_hand_ins(short | others(20), {}, CELLS) == []
    untouched = {f"l{k}": CELLS for k in range(2)}
    assert similar_hand_ins(untouched | others(20), CELLS, CELLS) == []
    common = {f"l{k}": CELLS for k in range(many(24) + 1)}
    assert similar_hand_ins(common | others(20), {}, CELLS) == []
    # half of a tiny class is a large part of it
    assert similar_hand_ins({"a": CELLS, "b": CELLS, "c": others(1)["other-0"]}, {}, CELLS) == []
    unreadable = {f"l{k}": dict.fromkeys(CELLS, "def f(:\n" * 50) for k in range(2)}
    assert similar_hand_ins(unreadable | others(20), {}, CELLS) == []


def test_different_right_answers_are_far_from_alike() -> None:
    compared = 0
    for assignment in ASSIGNMENTS:
        for name, check in checks_of(assignment.slug).items():
            sources = {textwrap.dedent(inspect.getsource(function)) for function in check.equivalents}
            long = [t for t in {tokens(source, [name]) for source in sources} if len(t) >= MIN_TOKENS]
            runs = [{t[k : k + RUN] for k in range(len(t) - RUN + 1)} for t in long]
            for a, b in combinations(runs, 2):
                compared += 1
                assert len(a & b) < 0.3 * len(a | b), name
    assert compared > 20


def test_a_class_that_writes_what_people_write_raises_no_alarm() -> None:
    draw = random.Random(7)
    pool = {
        name: [textwrap.dedent(inspect.getsource(f)) for f in check.equivalents]
        + [
            textwrap.dedent(inspect.getsource(m.variant))
            for m in check.misconceptions
            if inspect.isfunction(m.variant)
        ]
        for name, check in checks_of("02_bound").items()
    }
    for size in (10, 30, 100, 200):
        class_ = {f"l{k}": {name: draw.choice(some) for name, some in pool.items()} for k in range(size)}
        assert similar_hand_ins(class_, {}, pool) == []


# ---- the page


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
    answers = {name: f"{source}\n# {evil}" for name, source in CELLS.items()}
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
    class_ = others(1000)
    learners = {
        f"learner-{k:04d}": graded(answers=answers, points={"elbo": float(k % 5)})
        for k, answers in enumerate(class_.values())
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
        from autograder.hand_ins import open_course

        open_course(released_course.parent, "02_bound")
