"""The check of ``linear_probe_r2``: how much of a quantity a linear function of the code predicts on other images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import latents


def _oracle(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    from sklearn.linear_model import LinearRegression  # slow to import

    probe = LinearRegression().fit(mu.double().numpy(), target.double().numpy())
    return float(probe.score(test_mu.double().numpy(), test_target.double().numpy()))


def _probe(g: Generator, num_images: int, num_test: int, dims: int, noise: float, label: str) -> Probe:
    """Codes around no zero, and a quantity with a constant; the test side lies elsewhere, so its mean is another."""
    weights = torch.randn(dims, generator=g)
    weights[0] = 1.5  # so that there is always something to find
    weights = weights / weights.norm()

    def side(count: int, shift: float) -> tuple[Tensor, Tensor]:
        mu = torch.randn(count, dims, generator=g) * torch.linspace(0.7, 1.6, dims) + 1.5 + shift
        return mu, mu @ weights + noise * torch.randn(count, generator=g) + 6

    return Probe(Call((*side(num_images, 0.0), *side(num_test, 0.8))), label)


def _value(g: Generator) -> list[Probe]:
    return [
        _probe(g, 30, 40, 5, 0.7, "30 codes of 5 numbers, and 40 others"),
        _probe(g, 25, 60, 3, 0.5, "25 codes of 3 numbers, and 60 others"),
    ]


def _edges(g: Generator) -> list[Probe]:
    double = _probe(g, 40, 30, 4, 0.6, "")
    useless = _probe(g, 12, 30, 6, 0.3, "a quantity of which the code knows nothing")
    mu, target, test_mu, test_target = useless.call.args
    shuffled = (mu, target[torch.randperm(12, generator=g)], test_mu, test_target - test_mu @ torch.ones(6))
    return [
        _probe(g, 30, 20, 1, 0.5, "codes of one number"),
        Probe(Call(shuffled), useless.label),
        Probe(Call(tuple(part.double() for part in double.call.args)), "float64"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _fit(mu: Tensor, target: Tensor, test_mu: Tensor) -> Tensor:
    """What a right probe predicts."""
    weights = torch.linalg.lstsq(mu - mu.mean(0), (target - target.mean())[:, None]).solution[:, 0]
    return (test_mu - mu.mean(0)) @ weights + target.mean()


def _r2(predicted: Tensor, target: Tensor) -> float:
    return float(1 - (target - predicted).square().sum() / (target - target.mean()).square().sum())


def _no_intercept(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    weights = torch.linalg.lstsq(mu, target[:, None]).solution[:, 0]
    return _r2(test_mu @ weights, test_target)


def _training_baseline(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    errors = (test_target - _fit(mu, target, test_mu)).square().sum()
    return float(1 - errors / (test_target - target.mean()).square().sum())


def _squared_correlation(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([_fit(mu, target, test_mu), test_target]))[0, 1] ** 2)


def _error(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    return float((_fit(mu, target, test_mu) - test_target).square().mean())


def _best_latent(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    return max(_oracle(mu[:, [j]], target, test_mu[:, [j]], test_target) for j in range(mu.shape[1]))


def _ridge(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    from sklearn.linear_model import Ridge

    return float(Ridge(alpha=1.0).fit(mu, target).score(test_mu, test_target))


def _centred_apart(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    weights = torch.linalg.lstsq(mu - mu.mean(0), (target - target.mean())[:, None]).solution[:, 0]
    return _r2((test_mu - test_mu.mean(0)) @ weights + test_target.mean(), test_target)


def _with_ones(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> Tensor:
    """Right as well: the constant is a column of ones, as in ``A = [mu, 1]``."""
    one = torch.cat([mu, torch.ones(len(mu), 1, dtype=mu.dtype)], dim=1)
    other = torch.cat([test_mu, torch.ones(len(test_mu), 1, dtype=mu.dtype)], dim=1)
    predicted = (other @ torch.linalg.lstsq(one, target[:, None]).solution)[:, 0]
    return 1 - (test_target - predicted).var(unbiased=False) / test_target.var(unbiased=False) - (
        test_target - predicted).mean() ** 2 / test_target.var(unbiased=False)


def _normal_equations(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    """Right as well: by the inverse of the covariance."""
    centred = (mu - mu.mean(0)).double()
    weights = torch.linalg.solve(centred.T @ centred, centred.T @ (target - target.mean()).double())
    return _r2((test_mu - mu.mean(0)).double() @ weights + target.mean(), test_target.double())


def _by_numpy(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    """Right as well."""
    design = np.column_stack([np.ones(len(mu)), mu.numpy()])
    weights, *_ = np.linalg.lstsq(design, target.numpy(), rcond=None)
    predicted = np.column_stack([np.ones(len(test_mu)), test_mu.numpy()]) @ weights
    return float(1 - np.mean((test_target.numpy() - predicted) ** 2) / np.var(test_target.numpy()))


LINEAR_PROBE_R2 = Check(
    name="linear_probe_r2",
    asks="the share of a quantity's variance that a linear function of the code predicts on other images",
    section="linear-probes",
    oracle=_oracle,  # type: ignore[arg-type]  # a number
    parts=(Part("value", 3, _value), Part("edge cases", 1, _edges)),
    misconceptions=(
        _m("probe-no-intercept", "linear-probes", "the line has to pass through 0: the constant is missing.",
           _no_intercept),
        _m("probe-on-training", "linear-probes",
           "it is scored on the images it was fitted to; a probe with enough numbers predicts those whatever they are.",
           lambda mu, target, test_mu, test_target: _oracle(mu, target, mu, target)),
        _m("probe-fit-on-test", "linear-probes", "it is fitted to the test images; they are there to score it only.",
           lambda mu, target, test_mu, test_target: _oracle(test_mu, test_target, test_mu, test_target)),
        _m("probe-sides-swapped", "linear-probes", "it is fitted to the test images and scored on the others.",
           lambda mu, target, test_mu, test_target: _oracle(test_mu, test_target, mu, target)),
        _m("probe-squared-correlation", "linear-probes",
           "a correlation forgives predictions that are all too high or too small; R² does not.", _squared_correlation),
        _m("probe-training-baseline", "linear-probes",
           "the spread is measured around the mean of the training targets; take that of the test targets.",
           _training_baseline),
        _m("probe-centred-apart", "linear-probes",
           "the test side is centred by its own mean; the constant was learned in training.", _centred_apart),
        _m("probe-error", "linear-probes", "this is the mean squared error; R² is 1 minus its share of the variance.",
           _error),
        _m("probe-unexplained", "linear-probes", "this is the share that is not explained: 1 − R².",
           lambda *sides: 1 - _oracle(*sides)),
        _m("probe-best-latent", "linear-probes", "only the best single latent predicts; all of them may together.",
           _best_latent),
        _m("probe-shrunk", "linear-probes", "the weights are pulled to 0 (ridge); plain least squares is asked for.",
           _ridge),
        _m("probe-clamped", "linear-probes",
           "values below 0 are cut off; they say that the probe is worse than guessing the mean.",
           lambda *sides: max(0.0, _oracle(*sides))),
    ),
    equivalents=(latents.linear_probe_r2, _oracle, _with_ones, _normal_equations, _by_numpy),
)
