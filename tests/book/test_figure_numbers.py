"""The numbers of the interactive figures agree with the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from figure_scripts import SCRIPTS, ask, open_scripts
from scipy.integrate import quad
from scipy.stats import chi2, norm
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from vae_ref import bound, generation, sampling

pytestmark = pytest.mark.slow

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)  # exact averages over N(0, 1) of smooth functions
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def average(f: Callable[[np.ndarray], np.ndarray]) -> float:
    """E f(ε) for standard normal ε."""
    return float(WEIGHTS @ f(NODES))


PLACES = [(0.0, 1.0), (-1.0, 1.5), (0.8, 0.57), (3.5, 0.1), (-2.2, 2.5)]  # mean and spread of q
MODELS = {"straight": (1.2, 0.7, 1), "bent": (1.5, 0.5, 2)}  # x, σ, and the power of z that is decoded


def gaussian(mean: float, spread: float) -> Normal:
    return Normal(*(torch.tensor(value, dtype=torch.float64) for value in (mean, spread)))


def exact_elbo(name: str, mu: float, s: float) -> float:
    """The bound from the terms of vae_ref, averaged over q by quadrature."""
    x, sigma, power = MODELS[name]
    mean, logvar = (torch.tensor([[value]], dtype=torch.float64) for value in (mu, 2 * math.log(s)))

    def log_likelihood(noise: np.ndarray) -> np.ndarray:
        x_hat = torch.from_numpy((mu + s * noise) ** power)[:, None]
        return bound.reconstruction_log_likelihood(torch.full_like(x_hat, x), x_hat, sigma).numpy()

    return average(log_likelihood) - bound.kl_divergence(mean, logvar).item()


def exact_evidence(name: str) -> float:
    x, sigma, power = MODELS[name]
    joint = quad(
        lambda z: norm.pdf(x, z**power, sigma) * norm.pdf(z), -9, 9, points=[-1.2, 0, 1.2], epsabs=1e-13
    )
    return math.log(joint[0])


def compare_bound(page: Any) -> None:
    """All terms of the bound, beside vae_ref, torch and scipy."""
    for name in MODELS:
        evidence = exact_evidence(name)
        assert ask(page, "bound.logEvidence", name) == pytest.approx(evidence, abs=1e-6)
        for mu, s in PLACES:
            elbo = exact_elbo(name, mu, s)
            assert ask(page, "bound.elbo", name, mu, s) == pytest.approx(elbo, abs=1e-6)
            assert ask(page, "bound.gap", name, mu, s) == pytest.approx(evidence - elbo, abs=1e-6)
    x, sigma, _ = MODELS["straight"]  # its posterior is Gaussian, so torch knows the divergences
    spread = 1 / math.sqrt(1 + 1 / sigma**2)
    posterior, prior = gaussian(spread**2 * x / sigma**2, spread), gaussian(0.0, 1.0)
    for mu, s in PLACES:
        for name, other in (("gap", posterior), ("klToPrior", prior)):
            values = ("straight", mu, s) if name == "gap" else (mu, s)
            expected = torch_kl(gaussian(mu, s), other).item()
            assert ask(page, f"bound.{name}", *values) == pytest.approx(expected, abs=1e-6)


def test_the_bound_is_that_of_the_reference(numbers: Any) -> None:
    compare_bound(numbers)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("2 * Math.log(s) - 1)", "2 * Math.log(s))"),
        ("3 * s ** 4", "s ** 4"),
        ("(x - mu) ** 2 + s * s", "(x - mu) ** 2"),
    ],
)
def test_a_wrong_bound_is_noticed(browser: Any, tmp_path: Path, right: str, wrong: str) -> None:
    for name in ("figure.js", "tools.js", "bound.js"):
        text = (SCRIPTS / name).read_text(encoding="utf-8")
        assert name != "bound.js" or right in text
        (tmp_path / name).write_text(text.replace(right, wrong), encoding="utf-8")
    page = open_scripts(browser, tmp_path)
    with pytest.raises(AssertionError):
        compare_bound(page)
    page.close()


def test_climbing_follows_the_slopes_of_the_bound(numbers: Any) -> None:
    h = 1e-5
    for name in ("straight", "bent"):
        for mu, s in PLACES:
            elbo = lambda m, r, name=name: ask(numbers, "bound.elbo", name, m, r)  # noqa: E731
            to_mu = (elbo(mu + h, s) - elbo(mu - h, s)) / (2 * h)
            to_log_s = (elbo(mu, s * math.exp(h)) - elbo(mu, s * math.exp(-h))) / (2 * h)
            assert ask(numbers, "bound.slopes", name, mu, s) == pytest.approx(
                [to_mu, to_log_s], rel=1e-5, abs=1e-5
            )


def test_two_peaks_leave_the_gaps_that_the_chapter_names(numbers: Any) -> None:
    """Where the climb ends: on a peak, or across both; there the slopes vanish."""
    for start, gap in (((-1.0, 0.9), 0.74), ((1.5, 0.5), 0.74), ((-0.4, 0.9), 1.59)):
        mu, s = start
        for _ in range(2000):
            to_mu, to_log_s = ask(numbers, "bound.slopes", "bent", mu, s)
            if math.hypot(to_mu, to_log_s) < 1e-3:
                break
            mu, s = mu + 0.02 * max(-3, min(3, to_mu)), s * math.exp(0.02 * max(-3, min(3, to_log_s)))
        assert ask(numbers, "bound.gap", "bent", mu, s) == pytest.approx(gap, abs=5e-3)


def test_the_path_has_the_slopes_of_autograd(numbers: Any) -> None:
    noise = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for mu, s in ((-0.5, 0.6), (1.7, 1.4)):
        m, r = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (mu, s))
        value = torch.sin(1.3 * (m + r * noise)).mean()
        expected = [value.item(), *(g.item() for g in torch.autograd.grad(value, (m, r)))]
        assert ask(numbers, "path.estimates", mu, s, noise.tolist()) == pytest.approx(expected, abs=1e-9)
        mean = lambda m, r: average(lambda eps: np.sin(1.3 * (m + r * eps)))  # noqa: E731
        h = 1e-5
        exact = [
            mean(mu, s),
            (mean(mu + h, s) - mean(mu - h, s)) / (2 * h),
            (mean(mu, s + h) - mean(mu, s - h)) / (2 * h),
        ]
        assert ask(numbers, "path.exact", mu, s) == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(("offset", "s"), [(4.0, 0.5), (-20.0, 0.05), (0.0, 2.0)])
def test_the_two_variances_are_exact(numbers: Any, offset: float, s: float) -> None:
    best = ask(numbers, "noise.bestBaseline", offset, s)
    for baseline in (0.0, best):
        value = lambda eps, b=baseline: offset + (1 + s * eps) ** 2 - b  # noqa: E731
        score = average(lambda eps, f=value: (f(eps) * eps / s) ** 2) - 4
        known = ask(numbers, "noise.exact", offset, s, baseline)
        assert known["slope"] == 2
        assert known["score"] == pytest.approx(score, rel=1e-9)
        assert known["pathwise"] == pytest.approx(average(lambda eps: (2 * (1 + s * eps)) ** 2) - 4, rel=1e-9)
    assert ask(numbers, "noise.exact", offset, s, best + 0.1)["score"] > known["score"]
    assert ask(numbers, "noise.exact", offset, s, best - 0.1)["score"] > known["score"]


def test_estimates_scatter_as_those_of_the_reference(numbers: Any) -> None:
    """Variances of 200,000 estimates; their standard errors are below 1 %, and 5 of them are allowed."""
    drawn = numbers.evaluate(
        "() => { const found = vaeFigures.noise.estimates(4, 0.5, 0, 1, 200000, vaeFigures.tools.random(3));"
        " return [found.pathwise, found.score].map(vaeFigures.noise.moments); }"
    )
    mu, logvar = torch.tensor([1.0]), torch.tensor([2 * math.log(0.5)])
    generator = torch.Generator().manual_seed(0)
    known = ask(numbers, "noise.exact", 4, 0.5)
    kinds = (sampling.pathwise_gradient, sampling.score_function_gradient)
    for (mean, spread), estimate, name in zip(drawn, kinds, ("pathwise", "score"), strict=True):
        theirs = estimate(lambda z: 4 + z[:, 0].square(), mu, logvar, 200_000, generator)
        for found in (spread**2, theirs.var().item()):
            assert found == pytest.approx(known[name], rel=0.05)
        assert abs(mean - 2) < 5 * spread / math.sqrt(200_000)


@pytest.mark.parametrize("dims", [2, 16, 512])
def test_ways_and_lengths_are_those_of_the_reference(numbers: Any, dims: int) -> None:
    a, b = torch.randn(2, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(dims))
    for t in (0.0, 0.3, 0.5, 1.0):
        for name in ("lerp", "slerp"):
            expected = getattr(generation, name)(a, b, t).tolist()
            assert ask(numbers, f"shell.{name}", a.tolist(), b.tolist(), t) == pytest.approx(
                expected, abs=1e-9
            )
    assert ask(numbers, "shell.slerp", a.tolist(), (2 * a).tolist(), 0.5) == pytest.approx((1.5 * a).tolist())
    for share in (0.3, 0.71, 1.0, 1.2):
        length = share * math.sqrt(dims)
        expected = chi2.logcdf(length**2, dims)
        assert ask(numbers, "shell.logShorter", dims, length) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    for share in (0.025, 0.975):
        assert ask(numbers, "shell.quantile", dims, share) ** 2 == pytest.approx(
            chi2.ppf(share, dims), rel=1e-6
        )


def test_models_and_latents_are_counted_as_the_figures_say(numbers: Any) -> None:
    points = [{"rate": 9, "distortion": 5}, {"rate": 5, "distortion": 8}, {"rate": 0, "distortion": 20}]
    assert ask(numbers, "rate.best", points) == 1
    assert ask(numbers, "collapse.summary", [0.05, 1.5, 0.2]) == {"speaking": 2, "total": 1.75}
