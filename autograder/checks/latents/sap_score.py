"""The check of ``sap_score``: how much better the best latent predicts a factor than the second best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.checks.generation.shared import itself
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import latents


def _oracle(mu: Tensor, factors: Tensor) -> float:
    """By a regression for each pair of a latent and a factor."""
    from sklearn.linear_model import LinearRegression  # slow to import, and needed here only

    gaps = []
    for factor in factors.double().numpy().T:
        columns = (column[:, None] for column in mu.double().numpy().T)
        scores = sorted(LinearRegression().fit(column, factor).score(column, factor) for column in columns)
        gaps.append(scores[-1] - scores[-2])
    return float(np.mean(gaps))


def _codes(g: Generator, num_images: int, dims: int, num_factors: int) -> tuple[Tensor, Tensor]:
    """Factors in units of their own, and codes that mix them, some with a minus, around no zero."""
    factors = torch.rand(num_images, num_factors, generator=g)
    mixing = 0.5 * torch.randn(num_factors, dims, generator=g)
    for k in range(num_factors):  # each has a latent that tells most about it
        mixing[k, k % dims] += 1.5 if float(torch.rand((), generator=g)) < 0.5 else -1.5
    mu = factors @ mixing + 0.15 * torch.randn(num_images, dims, generator=g)
    scale = 10 ** torch.linspace(-0.5, 1, num_factors)
    return mu * torch.linspace(0.5, 2, dims) + 2, factors * scale - 3


def _probe(g: Generator, num_images: int, dims: int, num_factors: int) -> Probe:
    label = f"{num_images} codes of {dims} numbers and {num_factors} factors"
    return Probe(Call(_codes(g, num_images, dims, num_factors)), label)


def _value(g: Generator) -> list[Probe]:
    return [_probe(g, 50, 5, 3), _probe(g, 80, 4, 6)]


def _edges(g: Generator) -> list[Probe]:
    mu, factors = _codes(g, 60, 4, 2)
    return [
        Probe(Call((mu[:, :2], factors)), "codes of two numbers"),
        Probe(Call((mu, factors[:, :1])), "a single factor"),
        Probe(Call((mu.double(), factors.double())), "float64"),
    ]


def _dead(g: Generator) -> list[Probe]:
    mu, factors = _codes(g, 60, 4, 2)
    mu[:, int(torch.randint(4, (), generator=g))] = 0.0
    return [Probe(Call((mu, factors)), "a latent that never varies")]


def _finite(results: list[Any], _: list[Probe]) -> str:
    for result in results:
        value = result.item() if isinstance(result, Tensor) and result.dim() == 0 else result
        if isinstance(value, float) and not np.isfinite(value):
            return (
                "With a latent that never varies, it is not a number: 0 / 0. Such a latent predicts nothing."
            )
    return ""


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _r2(mu: Tensor, factors: Tensor) -> Tensor:
    """Squared correlations, (L, K); 0 where a latent never varies."""
    a, b = (mu - mu.mean(0)).double(), (factors - factors.mean(0)).double()
    return (a.T @ b).square() / (a.square().sum(0)[:, None] * b.square().sum(0)).clamp(min=1e-30)


def _gap(scores: Tensor, dim: int = 0) -> Tensor:
    best = scores.topk(2, dim=dim).values
    return best.select(dim, 0) - best.select(dim, 1)


def _of(summary: Callable[[Tensor], Any], scores: Callable[[Tensor, Tensor], Tensor] = _r2) -> Callable[..., Any]:
    """A variant that makes something else of the scores, (L, K), or of other scores."""
    return lambda mu, factors: float(summary(scores(mu, factors)))


def _correlation(mu: Tensor, factors: Tensor) -> Tensor:
    return torch.corrcoef(torch.cat([mu, factors], dim=1).T.double())[: mu.shape[1], mu.shape[1] :].nan_to_num()


def _covariance(mu: Tensor, factors: Tensor) -> Tensor:
    return ((mu - mu.mean(0)).T @ (factors - factors.mean(0)) / (len(mu) - 1)).square()


def _uncentred(mu: Tensor, factors: Tensor) -> Tensor:
    return (mu.T @ factors).square() / (mu.square().sum(0)[:, None] * factors.square().sum(0)).clamp(min=1e-30)


def _not_a_number(mu: Tensor, factors: Tensor) -> Tensor:
    scores = torch.corrcoef(torch.cat([mu, factors], dim=1).T)[: mu.shape[1], mu.shape[1] :].square()
    return torch.where(mu.std(0)[:, None] == 0, torch.nan, scores)


def _by_loops(mu: Tensor, factors: Tensor) -> Tensor:
    """Right as well: one pair after the other."""
    gaps = []
    for factor in factors.T:
        found = []
        for column in mu.T:
            constant = bool((column == column[0]).all())
            found.append(0.0 if constant else float(torch.corrcoef(torch.stack([column, factor]))[0, 1]) ** 2)
        first, second, *_ = sorted(found, reverse=True)
        gaps.append(first - second)
    return torch.tensor(gaps).mean()


def _by_slopes(mu: Tensor, factors: Tensor) -> float:
    """Right as well: the slope of each regression by hand."""
    x, y = (mu - mu.mean(0)).double(), (factors - factors.mean(0)).double()
    slope = (x.T @ y) / x.square().sum(0).clamp(min=1e-30)[:, None]  # (L, K)
    left = (y[:, None] - x[:, :, None] * slope).square().sum(0)
    return float(_gap(1 - left / y.square().sum(0)).mean())


SAP_SCORE = Check(
    name="sap_score",
    asks="how much better the best latent predicts a factor than the second best, mean over factors",
    section="sap-score",
    oracle=_oracle,  # type: ignore[arg-type]  # a number
    parts=(
        Part("value", 3, _value),
        Part("edge cases", 1, _edges),
        Part("dead latent", 1, _dead, _finite, itself),
    ),
    misconceptions=(
        _m("sap-correlation", "sap-score", "the correlations are not squared; R² of one latent is the square.",
           _of(lambda scores: _gap(scores).mean(), lambda mu, factors: _correlation(mu, factors).abs())),
        _m("sap-signed", "sap-score",
           "a latent that falls while the factor rises counts as knowing nothing: square the correlation.",
           _of(lambda scores: _gap(scores).mean(), _correlation)),
        _m("sap-best-only", "sap-score", "this is how well the best latent does; the second best is subtracted.",
           _of(lambda scores: scores.amax(0).mean())),
        _m("sap-to-worst", "sap-score", "the worst latent is subtracted; it is the second best.",
           _of(lambda scores: (scores.amax(0) - scores.amin(0)).mean())),
        _m("sap-to-mean", "sap-score", "the mean of all latents is subtracted; it is the second best.",
           _of(lambda scores: (scores.amax(0) - scores.mean(0)).mean())),
        _m("sap-over-factors", "sap-score",
           "the gap is between two factors of one latent; it is between two latents of one factor.",
           lambda mu, factors: float(_gap(_r2(mu, factors), 1).mean()) if factors.shape[1] > 1 else 0.0),
        _m("sap-relative", "sap-score", "the gap is divided by the best score; it is a difference of shares already.",
           _of(lambda scores: (_gap(scores) / scores.amax(0)).mean())),
        _m("sap-covariance", "sap-score",
           "covariances depend on the units of latent and factor; divide by both variances.",
           _of(lambda scores: _gap(scores).mean(), _covariance)),
        _m("sap-uncentred", "sap-score", "the means are not taken off first.",
           _of(lambda scores: _gap(scores).mean(), _uncentred)),
        _m("sap-sum", "sap-score", "the factors are added up; average them.", _of(lambda scores: _gap(scores).sum())),
        _m("sap-best-factor", "sap-score", "this is the factor with the widest gap; average over all.",
           _of(lambda scores: _gap(scores).max())),
        _m("sap-sign", "sap-score", "the best is subtracted from the second best.",
           _of(lambda scores: -_gap(scores).mean())),
        _m("sap-dead-latent", "sap-score", "a latent that never varies has no correlation, 0 / 0; it predicts nothing.",
           _of(lambda scores: _gap(scores).mean(), _not_a_number)),
    ),
    equivalents=(latents.sap_score, _oracle, _of(lambda scores: _gap(scores).mean()), _by_loops, _by_slopes),
)
