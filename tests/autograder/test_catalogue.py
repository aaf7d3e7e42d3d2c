"""Every known mistake is found and named, everything right passes: the mutation test of the checks."""

from __future__ import annotations

import math
import re

import pytest
import torch

from autograder.assignments import ASSIGNMENTS
from autograder.both_sides.target import LocalTarget
from autograder.checks import check_named, checks_of
from autograder.judge.checking import judge
from autograder.judge.definitions import Check, Misconception
from vae_ref import bound
from vae_ref.errors import CourseError

CHECKS = [(a.slug, check) for a in ASSIGNMENTS for check in checks_of(a.slug).values()]
MISCONCEPTIONS = [(check, m) for _, check in CHECKS for m in check.misconceptions]
EQUIVALENTS = [(check, i) for _, check in CHECKS for i in range(len(check.equivalents))]
SEED = 0


@pytest.mark.parametrize(("check", "misconception"), MISCONCEPTIONS, ids=lambda x: getattr(x, "name", ""))
# other seeds are tried whenever the kill matrix of the book is made
def test_a_mistake_is_found_and_named(check: Check, misconception: Misconception) -> None:
    torch.manual_seed(SEED)  # some mistakes draw from the global source, and may then look like others
    verdict = judge(check, LocalTarget({check.name: misconception.variant}), 4, SEED)
    assert not verdict.passed
    assert [m.name for m in verdict.mistakes] == [misconception.name]


@pytest.mark.parametrize(("check", "number"), EQUIVALENTS, ids=lambda x: getattr(x, "name", str(x)))
@pytest.mark.parametrize("seed", (0, 3))
def test_a_right_answer_written_differently_passes(check: Check, number: int, seed: int) -> None:
    verdict = judge(check, LocalTarget({check.name: check.equivalents[number]}), 4, seed)
    assert verdict.passed, [f.problem for f in verdict.findings]
    assert verdict.score == 4


@pytest.mark.parametrize("slug", [a.slug for a in ASSIGNMENTS])
def test_table_and_checks_agree(slug: str) -> None:
    assignment = next(a for a in ASSIGNMENTS if a.slug == slug)
    assert list(checks_of(slug)) == list(assignment.points_of)


def test_names_of_misconceptions_are_unique() -> None:
    names = [m.name for _, m in MISCONCEPTIONS]
    assert len(names) == len(set(names)) >= 80


@pytest.mark.parametrize(("slug", "check"), CHECKS, ids=lambda x: getattr(x, "name", x))
def test_every_section_named_stands_in_the_book(slug: str, check: Check, repository) -> None:
    page = repository / "book" / f"{slug}.md"
    released = next(a.released for a in ASSIGNMENTS if a.slug == slug)
    if not released and not page.exists():
        return  # its chapter is not written yet
    chapter = page.read_text(encoding="utf-8")
    labels = set(re.findall(r"^\(([a-z-]+)\)=$", chapter, re.MULTILINE))
    assert {check.section, *(m.section for m in check.misconceptions)} <= labels


def test_an_unknown_function_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CourseError, match=r"'relu'.*kl_divergence"):
        check_named("relu")


def test_the_stated_standard_error_of_the_sampled_kl_is_right() -> None:
    # the false-failure rate rests on it: 4,000 estimates, measured in the standard errors that the check computes
    probe = checks_of("02_bound")["kl_monte_carlo"].parts[0].probes(torch.Generator().manual_seed(5))[0]
    mu, logvar, num_samples = probe.call.args
    assert probe.tolerance is not None
    standard_error = (probe.tolerance - 1e-3) / 6.5
    generator = torch.Generator().manual_seed(6)
    few = num_samples // 16  # fewer samples are more skewed, so this is the harder case
    estimates = torch.stack([bound.kl_monte_carlo(mu, logvar, few, generator) for _ in range(4000)])
    z = (estimates - bound.kl_divergence(mu, logvar)) / (standard_error * 4)
    assert z.mean().abs() < 4 / math.sqrt(z.numel())
    assert 0.96 < z.std() < 1.04
    assert z.abs().max() < 6  # of 12,000; a normal tail leaves 2e-9 beyond for each
