"""The questions of a check and what comes back, on checks made for the purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call, Failure, LocalTarget, Reply, Value
from autograder.judge.asking import (
    ENDS,
    Echo,
    Gist,
    alike,
    alike_results,
    ask,
    expected,
    gist_of,
    is_random,
    paper_of,
    problem_of,
)
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step

ONE = torch.tensor(1.0)
STAND_INS = {"helper": StandIn(("x",), "elements", 0)}
BROKEN = Failure("ValueError", "no")
NEVER = Misconception("never", "section", "it is never called.", lambda x: 1 / 0)


def question(*args: Any, **others: Any) -> Probe:
    return Probe(Call(args), "numbers", **others)


def check_of(*parts: Part, oracle: Callable[..., Any] | None = None) -> Check:
    return Check("double", "", "section", oracle, parts, (), ())


def draws(generator: torch.Generator) -> list[Probe]:
    return [question(torch.rand((), generator=generator)) for _ in range(2)]


def saying(words: Callable[[list[Any], list[Probe]], str], **others: Any) -> Part:
    return Part("value", 1, draws, holds=words, **others)


class Recorder:
    """A target that writes down what it is asked and answers with the number of the question."""

    def __init__(self, fails_at: int = 0) -> None:
        self.calls: list[tuple[str, Call]] = []
        self.fails_at = fails_at

    def call(self, name: str, call: Call) -> Reply:
        self.calls.append((name, call))
        return BROKEN if len(self.calls) == self.fails_at else Value(len(self.calls))


# ---- the paper ------------------------------------------------------------------------------------------------------


def test_the_questions_of_a_seed_are_the_same_in_every_version_of_the_course() -> None:
    # what is graded again is asked the same; parts do not move each other's questions
    check = check_of(Part("value", 1, draws), Part("edge cases", 1, draws))
    paper = paper_of(check, 3)
    assert paper.check is check and paper.seed == 3 and paper is paper_of(check, 3)
    for part, probes in zip(check.parts, paper.probes, strict=True):
        own = torch.Generator().manual_seed(3 * 1009 + sum(part.name.encode()))
        assert [probe.call.args[0] for probe in probes] == [p.call.args[0] for p in draws(own)]


def test_the_oracle_is_asked_once() -> None:
    calls = []
    paper = paper_of(check_of(Part("value", 1, draws), oracle=lambda x: calls.append(x) or 2 * x), 0)
    asked = paper.probes[0][1].call.args[0]
    assert paper.right(0, 1) == paper.right(0, 1) == (2 * asked.double(), None)
    assert calls == [asked]


def test_a_part_that_compares_needs_an_oracle() -> None:
    with pytest.raises(AssertionError, match="double has a part without ``holds`` and no oracle"):
        paper_of(check_of(Part("value", 1, draws)), 0).right(0, 0)


def test_what_a_mistake_says_to_a_part_is_kept() -> None:
    paper = paper_of(check_of(Part("value", 1, draws), Part("edge cases", 2, draws)), 0)
    tripled = replace(NEVER, variant=lambda x: 3 * x)
    echo = paper.echo(1, tripled)
    assert echo is paper.echo(1, tripled) and echo is not paper.echo(0, tripled)
    assert (echo.name, echo.part, echo.probes) == ("double", paper.check.parts[1], paper.probes[1])
    assert echo.reply(0) == Value(3 * paper.probes[1][0].call.args[0])


# ---- asking ---------------------------------------------------------------------------------------------------------

MAKE, AGAIN, LOOK = Step("make", Call((1,))), Step("double", Call((2,))), Step("look", Call((3,)))
LONG = question(5, on="made.forward", before=(MAKE, AGAIN), after=(LOOK,))


def test_steps_are_taken_in_their_order_and_helpers_replaced_only_in_what_is_examined() -> None:
    target = Recorder()
    assert ask(target, "double", LONG, STAND_INS) == Value([3, 4])
    assert target.calls == [
        ("make", Call((1,))),
        ("double", Call((2,), stand_ins=STAND_INS)),
        ("made.forward", Call((5,), stand_ins=STAND_INS)),
        ("look", Call((3,))),
    ]


@pytest.mark.parametrize("stand_ins", [None, {}])
def test_without_stand_ins_nothing_is_replaced(stand_ins: dict[str, StandIn] | None) -> None:
    target = Recorder()
    assert ask(target, "double", LONG, stand_ins) == Value([3, 4])
    assert [call for _, call in target.calls] == [Call((1,)), Call((2,)), Call((5,)), Call((3,))]
    assert ask(target, "double", question(7)) == Value(5)  # the result alone, where nothing follows
    assert target.calls[-1] == ("double", Call((7,)))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_first_failure_ends_a_question(number: int) -> None:
    target = Recorder(fails_at=number)
    assert ask(target, "double", LONG) == BROKEN
    assert len(target.calls) == number


# ---- the right results ----------------------------------------------------------------------------------------------


def double(x: Any, more: Any = 0.0) -> Any:
    return 2 * x + more


def test_an_oracle_counts_in_double_precision() -> None:
    probe = Probe(Call((ONE,), {"more": torch.tensor(0.1)}), "numbers", tolerance=ONE)
    right, tolerance = expected("double", probe, double)
    assert right.dtype == torch.float64 and right == 2 + torch.tensor(0.1).double()
    assert tolerance is ONE
    assert expected("double", question(3), double) == (6, None)  # whole numbers stay whole


def test_gradients_are_weighted_and_those_asked_for() -> None:
    x, y, cotangent = torch.rand(3, 4).unbind()
    probe = Probe(Call((x, y), wrt=(1, 0), cotangent=cotangent), "numbers", tolerance=ONE)
    (of_y, of_x), tolerance = expected("product", probe, lambda x, y: x.square() * y)
    torch.testing.assert_close(of_y, (cotangent * x.square()).double())
    torch.testing.assert_close(of_x, (cotangent * 2 * x * y).double())
    assert tolerance is ONE and not x.requires_grad


def test_an_oracle_that_estimates_brings_its_own_tolerance() -> None:
    assert expected("double", question(ONE), lambda x: (x, x / 10)) == (1.0, 0.1)


def oracle_of_objects(x: Any) -> Any:
    return 2 * x


oracle_of_objects.thrice = lambda x: 3 * x  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("probe", "right"),
    [
        (question(ONE, before=(Step("double", Call((ONE,))),)), ONE * 2),
        (question(ONE, after=(Step("double", Call((5.0,))),)), [ONE * 2, 10.0]),
        (question(ONE, on="double.thrice"), ONE * 3),
    ],
    ids=["before", "after", "on"],
)
def test_questions_of_several_steps_are_put_to_the_oracle_as_to_learners(probe: Probe, right: Any) -> None:
    result, tolerance = expected("double", replace(probe, tolerance=ONE), oracle_of_objects)
    assert result == right and tolerance is ONE
    assert (result[0] if isinstance(result, list) else result).dtype == torch.float32


def test_an_oracle_that_fails_is_no_fault_of_the_learner() -> None:
    with pytest.raises(RuntimeError, match=r"the oracle of double failed: .*'look is not defined'"):
        expected("double", question(ONE, after=(LOOK,)), double)


# ---- results that are judged together -------------------------------------------------------------------------------


def test_a_part_judges_lists_of_results_and_questions() -> None:
    probes = [question(1), question(2)]
    part = saying(lambda results, asked: f"{results} {asked == probes}")
    assert problem_of(part, (3, 4), tuple(probes)) == "[3, 4] True"
    assert problem_of(Part("value", 1, draws), (3, 4), probes) == ""


@pytest.mark.parametrize("error", [KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError])
def test_results_that_a_part_cannot_read_are_something_else(error: type[Exception]) -> None:
    def stumbles(results: list[Any], asked: list[Probe]) -> str:
        raise error

    assert problem_of(saying(stumbles), [1], []) == "It returned something else than it was asked for."


def test_results_are_random_where_they_are_summed_up_or_may_be_off() -> None:
    plain, noisy = [question(1)], [question(1), question(1, tolerance=ONE)]
    summed = saying(lambda *_: "", summary=lambda x: x)
    found = [is_random(part, probes) for part in (saying(lambda *_: ""), summed) for probes in (plain, noisy)]
    assert found == [False, True, True, True]


def test_the_gist_of_replies() -> None:
    probes = [question(1), question(2)]
    replies = [Value(ONE), Value(3 * ONE)]
    part = saying(
        lambda results, asked: "" if results == [1, 3] and asked == probes else "bad", summary=lambda x: -x
    )
    drawn = ([[], torch.ones(1), torch.ones(1)], [[], 3 * torch.ones(1), 3 * torch.ones(1)])
    assert gist_of(part, probes, replies) == Gist(("", ""), "", (-ONE, -3 * ONE), drawn)
    assert gist_of(part, probes, replies[::-1]) == Gist(("", ""), "bad", (), drawn[::-1])
    assert gist_of(replace(part, summary=None), probes, replies) == Gist(("", ""))
    noisy = [replace(probe, tolerance=ONE) for probe in probes]
    assert gist_of(saying(lambda *_: ""), noisy, replies) == Gist(("", ""), "", (), drawn)
    failed = gist_of(part, probes, [Value(ONE), BROKEN])
    assert failed == Gist(("", "ValueError")) and failed.failed and not Gist(("", "")).failed


def test_of_large_random_results_both_ends_are_kept() -> None:
    numbers = torch.arange(6000.0).view(2, 3000)
    part = saying(lambda *_: "", summary=lambda x: ONE)
    ((pair, word),) = gist_of(part, [question(1)], [Value([numbers, "word"])]).drawn
    assert word == "word" and pair[0] == [2, 3000]
    assert torch.equal(pair[1], torch.arange(float(ENDS)))
    assert torch.equal(pair[2], torch.arange(6000.0 - ENDS, 6000))


# ---- known mistakes -------------------------------------------------------------------------------------------------


def test_a_mistake_is_asked_one_question_after_the_other_and_each_once() -> None:
    asked: list[int] = []
    suspect = LocalTarget({"double": lambda n: asked.append(n) or -n})
    probes = [question(n) for n in range(3)]
    echo = Echo("double", saying(lambda results, _: str(results)), probes, suspect)
    assert echo.reply(1) == Value(-1) and asked == [0, 1]
    assert echo.reply(0) == Value(0) and asked == [0, 1]
    gist = echo.gist()
    assert gist == Gist(("", "", ""), "[0, -1, -2]") and asked == [0, 1, 2]
    assert echo.gist() is gist and not echo._replies  # pictures are large


def test_replies_are_alike_when_they_agree_or_fail_in_the_same_way() -> None:
    probe = question(1)
    assert alike(BROKEN, replace(BROKEN, message="other words"), probe)
    assert not alike(BROKEN, Failure("TypeError", "no"), probe)
    assert not alike(BROKEN, Value(1), probe) and not alike(Value(1), BROKEN, probe)
    assert alike(Value(1), Value(1), probe) and not alike(Value(1), Value(2), probe)


def test_two_estimates_may_be_half_again_as_far_apart_as_one_from_the_truth() -> None:
    probe = question(1, tolerance=torch.tensor([0.5]))

    def at(value: float) -> Tensor:
        return torch.tensor([value])

    assert alike_results(at(1.75), at(1.0), probe) and not alike_results(at(1.8), at(1.0), probe)
    assert alike_results([at(1.75)], [at(1.0)], probe) and not alike_results([at(1.8)], [at(1.0)], probe)
    # a tolerance belongs to results of its shape
    assert alike_results(ONE, ONE, probe) and not alike_results(1.1 * ONE, ONE, probe)
    assert not alike_results(1.1, 1.0, probe)
    assert not alike_results(at(1.1), at(1.0), question(1)) and alike_results(at(1.0), at(1.0), question(1))
