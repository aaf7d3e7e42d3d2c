"""Which known mistake is named, on checks made for the purpose: what agrees everywhere, draw for draw where it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.both_sides.target import Call, Failure, LocalTarget, Reply
from autograder.both_sides.wire import Seed
from autograder.judge.asking import ask, paper_of
from autograder.judge.definitions import Check, Misconception, Part, Probe
from autograder.judge.recognising import UNFINISHED, recognise

COUNT = 4000
NEAR = torch.tensor(0.1)  # six standard errors of a mean of 4,000


def question(*args: Any, **others: Any) -> Probe:
    return Probe(Call(args), "numbers", **others)


def compared(*numbers: float) -> Part:
    """A part whose questions are numbers, and whose results are no matter of chance."""
    return Part("value", 1, lambda generator: [question(torch.tensor(n)) for n in numbers])


def noisy(**others: Any) -> Part:
    """A part that hands out two generators."""
    probes = [question(torch.zeros(COUNT), Seed(n), tolerance=NEAR) for n in (1, 2)]
    return Part("noise", 1, lambda generator: probes, **others)


def judged(holds: Callable[[list[Any], list[Probe]], str]) -> Part:
    return Part("value", 1, lambda generator: [question(1), question(2)], holds=holds)


def named(
    parts: Sequence[Part], learner: Callable[..., Any], *suspects: Callable[..., Any]
) -> list[Callable[..., Any]]:
    """The suspects that a learner's function is taken for."""
    misconceptions = tuple(
        Misconception(str(n), "section", "a sentence.", suspect) for n, suspect in enumerate(suspects)
    )
    paper = paper_of(Check("f", "", "section", None, tuple(parts), misconceptions, ()), 0)
    target = LocalTarget({"f": learner})
    told: list[None] = []
    replies: list[list[Reply]] = [[ask(target, "f", probe) for probe in probes] for probes in paper.probes]
    found = recognise(paper, replies, lambda: told.append(None))
    assert len(told) == len(suspects)
    return [mistake.variant for mistake in found]


def raising(kind: str) -> Callable[..., Any]:
    def stops(*args: Any) -> Any:
        raise type(kind, (Exception,), {})

    return stops


@pytest.mark.parametrize("kind", [*UNFINISHED, "ValueError"])
def test_what_is_not_finished_is_no_mistake(kind: str) -> None:
    suspect = Misconception("m", "section", "a sentence.", raising(kind))
    paper = paper_of(Check("f", "", "section", None, (compared(1.0),), (suspect,), ()), 0)
    assert recognise(paper, [[Failure(kind, "words")]]) == (() if kind in UNFINISHED else (suspect,))


def test_a_mistake_agrees_with_everything_that_was_seen() -> None:
    def learner(x: Tensor) -> Tensor:
        return x if x < 10 else -x

    def same(x: Tensor) -> Tensor:
        return x * (1 - 2 * (x >= 10))

    def same_at_the_end_only(x: Tensor) -> Tensor:
        return -x

    def same_at_first_only(x: Tensor) -> Tensor:
        return x

    def same_but_once(x: Tensor) -> Tensor:
        return -learner(x) if x == 2 else learner(x)

    parts = compared(1.0, 2.0, 3.0), compared(11.0, 12.0)
    others = same_at_the_end_only, same_at_first_only, same_but_once
    assert named(parts, learner, *others, same) == [same]
    assert named(parts, learner, same, *others) == [same]
    assert named(parts, learner, *others) == []
    assert named(parts, learner, same, raising("ValueError"), learner) == [same, learner]


# ---- noise ----------------------------------------------------------------------------------------------------------


def shifted(mu: Tensor, generator: torch.Generator) -> Tensor:
    return mu + 1 + torch.randn(COUNT, generator=generator)


def same_draws(mu: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(COUNT, generator=generator) + 1


def other_draws(mu: Tensor, generator: torch.Generator) -> Tensor:
    return mu + 1 - torch.randn(COUNT, generator=generator)


def shifted_elsewhere(mu: Tensor, generator: torch.Generator) -> Tensor:
    return mu + 2 + torch.randn(COUNT, generator=generator)


def shifted_once(mu: Tensor, generator: torch.Generator) -> Tensor:
    return mu + generator.initial_seed() + torch.randn(COUNT, generator=generator)


def shifted_in_the_middle(mu: Tensor, generator: torch.Generator) -> Tensor:
    z = shifted(mu, generator)
    z[1100:2900] += 1  # both ends, which are kept, agree
    return z


def mean_of(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def mean(mu: Tensor, generator: torch.Generator) -> Tensor:
        return function(mu, generator).mean()

    return mean


SUSPECTS = other_draws, shifted_elsewhere, shifted_once
SUMMED = noisy(holds=lambda results, probes: "", summary=lambda result: result.mean())


def test_equal_draws_tell_mistakes_apart_whose_summaries_are_alike() -> None:
    assert named([SUMMED], shifted, *SUSPECTS, same_draws) == [same_draws]
    assert named([SUMMED], shifted, *SUSPECTS) == [other_draws]
    assert named([SUMMED], shifted, *SUSPECTS[1:]) == []


def test_equal_draws_tell_apart_what_is_within_the_tolerance() -> None:
    means = [mean_of(suspect) for suspect in (*SUSPECTS, same_draws)]
    assert named([noisy()], mean_of(shifted), *means) == [means[-1]]
    assert named([noisy()], mean_of(shifted), *means[:-1]) == [means[0]]
    assert named([noisy()], mean_of(shifted), *means[1:-1]) == []


def test_alike_in_noise_is_not_enough_where_the_rest_differs() -> None:
    def with_exact(function: Callable[..., Any], factor: float) -> Callable[..., Any]:
        return lambda x, *generator: function(x, *generator) if generator else factor * x

    parts = compared(1.0, 2.0), SUMMED
    learner = with_exact(shifted, 3.0)
    right, wrong = (with_exact(other_draws, factor) for factor in (3.0, 2.0))
    assert named(parts, learner, wrong) == []
    assert named(parts, learner, wrong, right) == [right]
    assert named(parts, learner, with_exact(same_draws, 2.0)) == []
    assert named(parts, learner, with_exact(shifted_in_the_middle, 2.0)) == []


@pytest.mark.parametrize("part", [SUMMED, noisy()], ids=["summed", "compared"])
def test_failures_in_noise_are_mistakes_as_well(part: Part) -> None:
    def fails_late(function: Callable[..., Tensor], kind: str) -> Callable[..., Tensor]:
        def f(mu: Tensor, generator: torch.Generator) -> Tensor:
            return function(mu, generator) if generator.initial_seed() == 1 else raising(kind)()

        return mean_of(f)

    learner, same = (fails_late(function, "ValueError") for function in (shifted, same_draws))
    others = fails_late(shifted, "TypeError"), mean_of(shifted), raising("ValueError")
    assert named([part], learner, *others) == []
    assert named([part], learner, *others, same) == [same]
    never_fails = mean_of(same_draws)
    assert named([part], mean_of(shifted), same, never_fails) == [never_fails]


# ---- results that are judged together -------------------------------------------------------------------------------


def test_mistakes_of_a_part_that_judges_are_those_of_which_it_says_the_same() -> None:
    def grows(results: list[Any], probes: list[Probe]) -> str:
        return f"{'too' if results[0] > 9 else 'not'} large: {len(probes)}" if results[0] else ""

    def learner(n: int) -> int:
        return 10 * n

    def larger(n: int) -> int:
        return 11 * n

    def smaller(n: int) -> int:
        return n

    assert named([judged(grows)], learner, larger, smaller, raising("ValueError")) == [larger]
    assert named([judged(grows)], learner, smaller, lambda n: 0) == []
    fails, fails_otherwise = raising("ValueError"), raising("TypeError")
    assert named([judged(grows)], fails, fails_otherwise, lambda n: 0) == []
    assert named([judged(grows)], fails, raising("ValueError"))
