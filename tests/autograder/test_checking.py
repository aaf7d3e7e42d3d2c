"""How a check goes through its parts, on checks made for the purpose: findings, points, words and progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.both_sides.target import Call, Failure, LocalTarget
from autograder.both_sides.wire import Seed
from autograder.judge.checking import NOT_LOOKED_AT, Finding, Verdict, describe_failure, judge
from autograder.judge.definitions import Check, Misconception, Part, Probe
from autograder.judge.plain_words import MEANINGS

SEED = 5


def compared(name: str, weight: int, *numbers: float) -> Part:
    """A part whose questions are numbers."""
    return Part(
        name, weight, lambda generator: [Probe(Call((torch.tensor(n),)), f"the {n:g}") for n in numbers]
    )


def double(x: Tensor) -> Tensor:
    return 2 * x


def square(x: Tensor) -> Tensor:
    return x * x


VALUE, EDGES, LARGE = (
    compared("value", 3, 1.0, 3.0),
    compared("edge cases", 1, 0.0),
    compared("large", 2, 1e3),
)
SQUARED = Misconception("squared", "section", "it is squared.", square)
TRIPLED = Misconception("tripled", "section", "it is tripled.", lambda x: 3 * x)


def check_of(*parts: Part, oracle: Callable[..., Any] | None = double, **others: Any) -> Check:
    return Check("double", "", "section", oracle, parts, others.pop("misconceptions", ()), (), **others)


def verdict_on(function: Any, *parts: Part, **others: Any) -> Verdict:
    return judge(check_of(*parts, **others), LocalTarget({"double": function}), 12, SEED)


def test_every_part_that_passes_earns_its_share() -> None:
    check = check_of(VALUE, EDGES, LARGE)
    verdict = judge(check, LocalTarget({"double": double}), 12, SEED)
    findings = (Finding("value", 3, True), Finding("edge cases", 1, True), Finding("large", 2, True))
    assert verdict == Verdict(check, 12, findings)
    assert verdict.passed and verdict.score == 12


def test_a_wrong_value_is_shown_and_nothing_else_is_looked_at() -> None:
    verdict = verdict_on(square, VALUE, EDGES, LARGE, misconceptions=(TRIPLED, SQUARED))
    assert verdict.findings == (
        Finding("value", 3, False, "With the 1, double is off", ("1", "2")),
        Finding("edge cases", 1, False, NOT_LOOKED_AT),
        Finding("large", 2, False, NOT_LOOKED_AT),
    )
    assert verdict.mistakes == (SQUARED,) and verdict.score == 0 and not verdict.passed and verdict.note == ""


def test_a_wrong_edge_costs_its_own_share() -> None:
    verdict = verdict_on(lambda x: x + x.sign() + (x - 1) * (x > 0) + 7 * (x == 0), VALUE, EDGES, LARGE)
    assert verdict.findings == (
        Finding("value", 3, True),
        Finding("edge cases", 1, False, "With the 0, double is off", ("7", "0")),
        Finding("large", 2, True),
    )
    assert verdict.score == 10 and not verdict.passed


def test_who_was_asked_nothing_has_not_passed() -> None:
    assert not Verdict(check_of(VALUE), 4, ()).passed


def test_a_part_without_a_result_says_why() -> None:
    def breaks(x: Tensor) -> Tensor:
        if x == 3:
            raise ValueError("three")
        return 2 * x

    verdict = verdict_on(breaks, VALUE)
    words = 'double raised ValueError: three (at "raise ValueError("three")").'
    assert verdict.findings == (Finding("value", 3, False, words, failure="ValueError"),)


def test_a_part_may_judge_all_results_together() -> None:
    def rises(results: list[Any], probes: list[Probe]) -> str:
        return "" if results[0] < results[1] and len(probes) == 2 else "It falls."

    part = Part("value", 3, VALUE.probes, holds=rises)
    assert verdict_on(double, part, oracle=None).findings == (Finding("value", 3, True),)
    assert verdict_on(lambda x: -x, part, oracle=None).findings == (Finding("value", 3, False, "It falls."),)


def test_what_is_random_is_judged_first_and_then_compared_by_its_summary() -> None:
    def probes(generator: torch.Generator) -> list[Probe]:
        return [Probe(Call((torch.zeros(900), Seed(n))), "noise") for n in (1, 2)]

    def varies(results: list[Any], asked: list[Probe]) -> str:
        return "" if all(result.std() > 0 for result in results) else "It does not vary."

    part = Part("value", 3, probes, holds=varies, summary=lambda result: result.mean())

    def found(function: Callable[..., Tensor]) -> tuple[Finding, ...]:
        def oracle(mu: Tensor, generator: Any) -> tuple[Tensor, Tensor]:
            return mu.mean(), torch.tensor(0.3)

        return verdict_on(function, part, oracle=oracle).findings

    assert found(lambda mu, g: mu + torch.randn(900, generator=g)) == (Finding("value", 3, True),)
    assert found(lambda mu, g: mu) == (Finding("value", 3, False, "It does not vary."),)
    ((moved),) = found(lambda mu, g: mu + 1 + torch.randn(900, generator=g))
    assert moved.problem == "With noise, double is off" and moved.seen is not None and moved.seen[1] == "0"


# ---- gradients ------------------------------------------------------------------------------------------------------


class Replies:
    """A target that gives the same result whatever it is asked."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def call(self, name: str, call: Call) -> Any:
        return LocalTarget({name: lambda *args: self.result}).call(name, Call())


GRADIENT = Part(
    "gradient",
    1,
    lambda generator: [
        Probe(
            Call((torch.tensor(1.0), torch.tensor(2.0)), wrt=(0, 1), cotangent=torch.tensor(1.0)), "numbers"
        )
    ],
)


def product(x: Tensor, y: Tensor) -> Tensor:
    return x * y


def test_gradients_are_compared_one_by_one() -> None:
    def found(function: Callable[..., Tensor]) -> tuple[Finding, ...]:
        return verdict_on(function, GRADIENT, oracle=product).findings

    assert found(product) == (Finding("gradient", 1, True),)
    first = Finding("gradient", 1, False, "With numbers, the gradient is off", ("3", "2"))
    assert found(lambda x, y: product(x, y) + x) == (first,)
    second = Finding("gradient", 1, False, "With numbers, the gradient is off", ("2", "1"))
    assert found(lambda x, y: product(x, y) + y) == (second,)


@pytest.mark.parametrize(
    "result", [1.0, [torch.tensor(2.0)], [torch.tensor(1.0)] * 3, {"a": 1, "b": 2}], ids=str
)
def test_something_else_than_gradients_is_none(result: Any) -> None:
    verdict = judge(check_of(GRADIENT, oracle=product), Replies(result), 4, SEED)
    assert verdict.findings == (Finding("gradient", 1, False, "double gave no gradients"),)


# ---- helpers --------------------------------------------------------------------------------------------------------

HELPERS = {"left": (("x",), "elements"), "right": (("x",), "elements")}


def uses(code: str) -> dict[str, Any]:
    """A notebook in which ``left`` and ``right`` are wrong, and what else is written."""
    namespace: dict[str, Any] = {"torch": torch}
    exec("def left(x): return 5 + 0 * x\ndef right(x): return 5 + 0 * x\n" + code, namespace)
    return namespace


def helped(code: str, *parts: Part, of_helpers: Any = None, **others: Any) -> Verdict:
    check = check_of(*parts, helpers=HELPERS, of_helpers=of_helpers, **others)
    return judge(check, LocalTarget(uses(code)), 12, SEED)


def put_together(lent: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    return lambda x: lent["left"](x) - 2 * lent["right"](x)


def test_who_uses_wrong_helpers_rightly_is_right_and_told_so() -> None:
    verdict = helped("def double(x): return left(x) - 2 * right(x)", VALUE, EDGES, of_helpers=put_together)
    assert verdict.passed and verdict.score == 12
    assert verdict.note == "It uses left or right correctly; that one is not right yet."


@pytest.mark.parametrize(
    "wrong", ["right(x) - 2 * left(x)", "left(x) - 2 * left(x)", "right(x) - 2 * right(x)"]
)
def test_who_mixes_helpers_up_is_not(wrong: str) -> None:
    verdict = helped(f"def double(x): return {wrong}", VALUE, EDGES, of_helpers=put_together)
    assert verdict.score == 0 and verdict.note == ""
    assert verdict.findings[0].seen == ("-5", "2")  # compared with what is right, not with stand-ins


def test_a_part_that_passed_with_own_helpers_stays_passed() -> None:
    first = compared("value", 3, -2.5)  # where right and wrong helpers come to the same
    code = "def double(x): return left(x) - 2 * right(x) if x else 0 * x"
    verdict = helped(code, first, compared("helped", 1, 1.0), EDGES, of_helpers=put_together)
    names = ("value", 3), ("helped", 1), ("edge cases", 1)
    assert verdict.findings == tuple(Finding(*name, True) for name in names)


def test_parts_that_judge_by_themselves_need_no_oracle_of_helpers() -> None:
    part = Part("value", 3, VALUE.probes, holds=lambda results, _: "" if results[0] != -5 else "It is -5.")
    assert helped("def double(x): return left(x) - 2 * right(x)", part, oracle=None).passed
    wrong = helped("def double(x): return -5 + 0 * x", part, oracle=None)
    assert [finding.problem for finding in wrong.findings] == ["It is -5."] and wrong.note == ""


def test_mistakes_are_named_by_what_was_written_not_by_what_was_lent() -> None:
    suspect = Misconception("m", "section", "a sentence.", lambda x: -5 + 0 * x)
    code = "def double(x): return left(x) - 2 * right(x) + 1 * (x == 0)"
    verdict = helped(code, VALUE, EDGES, of_helpers=put_together, misconceptions=(suspect,))
    assert [finding.passed for finding in verdict.findings] == [True, False] and not verdict.mistakes


# ---- on the way -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (double, [(n, 4) for n in (1, 2, 3, 4)]),
        # two questions, then two suspects
        (lambda x: -x, [(1, 4), (2, 4), (3, 6), (4, 6)]),
        # suspects are gone through at the first part that fails, and again at the next if none was found
        (lambda x: 2 * x + (x == 0), [(1, 4), (2, 4), (3, 4), (4, 6), (5, 6), (6, 6)]),
        (lambda x: 2 * x + (x == 0) + (x > 9), [*((n, 4) for n in (1, 2, 3)), *((n, 6) for n in (4, 5, 6)),
                                                 (7, 8), (8, 8)]),
    ],
    ids=["right", "wrong", "wrong at 0", "wrong at two places"],
)  # fmt: skip
def test_progress_counts_questions_and_suspects(function: Any, told: list[tuple[int, int]]) -> None:
    found: list[tuple[int, int]] = []
    check = check_of(VALUE, EDGES, LARGE, misconceptions=(SQUARED, TRIPLED))
    judge(check, LocalTarget({"double": function}), 4, SEED, lambda *how_far: found.append(how_far))
    assert found == told


def test_once_a_mistake_is_known_it_is_not_looked_for_again() -> None:
    found: list[tuple[int, int]] = []
    suspect = Misconception("m", "section", "a sentence.", lambda x: 2 * x + (x == 0))
    check = check_of(VALUE, EDGES, LARGE, misconceptions=(suspect,))
    learner = LocalTarget({"double": lambda x: 2 * x + (x == 0) + (x > 9)})
    verdict = judge(check, learner, 4, SEED, lambda *how_far: found.append(how_far))
    assert verdict.mistakes == (suspect,) and found[-1] == (5, 5)


def test_another_seed_asks_other_questions() -> None:
    asked: list[Any] = []
    part = Part("value", 1, lambda g: [Probe(Call((torch.rand((), generator=g),)), "a number")])
    check = check_of(part)
    for seed in (0, 1, 0):
        judge(check, LocalTarget({"double": lambda x: asked.append(x) or 2 * x}), 4, seed)
    assert asked[0] == asked[2] != asked[1]


def test_answers_are_counted_on_one_thread() -> None:
    before, threads = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        verdict_on(lambda x: threads.append(torch.get_num_threads()) or 2 * x, EDGES)
        assert threads == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure("NotImplementedError", ""), "f is not written yet: put your code in place of the line that raises "
         "NotImplementedError."),
        (Failure("Missing", "f is not defined"), "f is not defined."),
        (Failure("Gone", "the kernel has died"), "The kernel has died."),
        (Failure("Missing", "model is not there"), "Model is not there."),
        (Failure("NoGradient", "the result is cut off"), "In f, the result is cut off."),
        (Failure("Timeout", "20 s are over"), "f gave no answer: 20 s are over."),
        (Failure("Unreadable", "a module"), "f gave nothing to compare: a module."),
        (Failure("KeyError", "'a'"), "f raised KeyError: 'a'."),
        (Failure("RuntimeError", "shape '[2]' is invalid for input of size 3", "x.view(2)"),
         f"f raised RuntimeError: shape '[2]' is invalid for input of size 3 (at \"x.view(2)\"). {MEANINGS[-1][1]}"),
    ],
    ids=lambda x: getattr(x, "kind", ""),
)  # fmt: skip
def test_a_failure_is_one_sentence(failure: Failure, words: str) -> None:
    assert describe_failure("f", failure) == words
