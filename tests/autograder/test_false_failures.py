"""Bad luck fails no right answer: the argument in ``autograder.checks``, held against the checks and against draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from autograder import checks
from autograder.judge.asking import paper_of
from autograder.judge.comparing import STANDARD_ERRORS
from benchmarks.false_failures import deviations, measure_check, statistical_checks
from vae_ref import sampling

RUNS = 200
COMPARISONS = {
    "kl_monte_carlo": 10,
    "reparameterize": 32,
    "pathwise_gradient": 12,
    "score_function_gradient": 9,
    "generate": 40,
    "log_weights": 18,
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_argument_counts_the_comparisons_that_are_made() -> None:
    found = {name: len(deviations(c, c.equivalents[0], 0)) for name, c in statistical_checks().items()}
    assert found == COMPARISONS
    said = [line.split() for line in (checks.__doc__ or "").splitlines()]
    table = dict.fromkeys(COMPARISONS, 0)
    for name, count, *_ in (words for words in said if len(words) > 2 and words[0] in COMPARISONS):
        table[name] += int(count)
    assert table == COMPARISONS
    assert sum(COMPARISONS.values()) + 2 == 123  # with the two of VAE, which would take a second here
    one = math.erfc(STANDARD_ERRORS / 2**0.5)
    assert 120 * 9 * one + 2e-10 + 4e-10 < 1e-7


@pytest.mark.parametrize("name", [name for name in COMPARISONS if name != "log_weights"])
def test_right_answers_stay_where_a_normal_tail_says(name: str) -> None:
    found = measure_check(statistical_checks()[name], RUNS)
    assert found["failures"] == 0 and found["judgements"] >= RUNS
    for limit in ("2.0", "3.0"):
        wanted = found["normal"][limit]
        # comparisons of one run are not quite independent, so counts spread wider than Poisson's
        assert found["beyond"][limit] <= wanted + 8 * wanted**0.5 + 3, (limit, found)
    assert found["beyond"]["2.0"] > 0.2 * found["normal"]["2.0"]  # tolerances are not simply too wide


def test_an_answer_that_is_a_tenth_off_is_seen_every_time() -> None:
    check = statistical_checks()["reparameterize"]

    def too_wide(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return sampling.reparameterize(mu, logvar + 2 * math.log(1.1), generator)

    wide: Callable[..., Tensor] = too_wide
    largest = [float(deviations(check, wide, seed).max()) for seed in range(20)]
    assert min(largest) > STANDARD_ERRORS


def test_questions_that_are_asked_once_are_not_kept() -> None:
    check = statistical_checks()["generate"]
    before = paper_of.cache_info().currsize
    deviations(check, check.equivalents[0], 987_654)
    assert paper_of.cache_info().currsize == before
