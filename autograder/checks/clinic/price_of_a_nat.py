"""The check of ``price_of_a_nat``: the weight of the KL for which the slopes of the loss along logvar cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.clinic import shared
from autograder.checks.clinic.gradient_reach import slopes
from autograder.checks.clinic.shared import examination
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound, clinic


def _oracle(model: Any, x: Tensor) -> float:
    if model.cut:
        return 0.0
    _, to_logvar, mse = slopes(model, x)
    _, logvar = shared.codes(model, x)
    # with the best σ the slope of the likelihood is that of the half squares, divided by σ² = MSE
    return float(-(to_logvar.sum() / mse) / (0.5 * torch.expm1(logvar)).sum())


def _price(g: Generator, label: str, count: int, latent_dim: int, **ailments: Any) -> Probe:
    return examination(g, label, count, latent_dim, tolerance=torch.tensor(0.02), noise="fixed", **ailments)


def _value(g: Generator) -> list[Probe]:
    return [
        _price(g, "a model of random weights, which may have any price", 5, 3),
        _price(g, "7 images and 5 latents", 7, 5),
        _price(g, "3 images and 6 latents", 3, 6),
    ]


def _edges(g: Generator) -> list[Probe]:
    return [
        _price(g, "codes that are cut off after they were drawn", 5, 3, cut="sample"),
        _price(g, "a single image", 1, 4),
        _price(g, "a single latent", 5, 1),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _error(x: Tensor, x_hat: Tensor) -> Tensor:
    return -bound.reconstruction_log_likelihood(x, x_hat, bound.optimal_sigma(x, x_hat)).mean()



def _kl(mu: Tensor, logvar: Tensor) -> Tensor:
    return bound.kl_divergence(mu, logvar).mean()



def _slope(value: Tensor, leaf: Tensor) -> Tensor:
    found = torch.autograd.grad(value, leaf, allow_unused=True, retain_graph=True)[0] if value.requires_grad else None
    return torch.zeros_like(leaf) if found is None else found



def _price_like(
    error: Callable[[Tensor, Tensor], Tensor] = _error,
    kl: Callable[[Tensor, Tensor], Tensor] = _kl,
    along: int = 1,
    divide: Callable[[Tensor, Tensor], Any] = lambda bought, paid: -bought.sum() / paid.sum(),
) -> Callable[..., Any]:
    """A variant with other terms, along mu (0) or logvar (1), or with another ratio."""

    def variant(model: Any, x: Tensor) -> Any:
        x_hat, *codes = model(x)
        return float(divide(_slope(error(x, x_hat), codes[along]), _slope(kl(*codes), codes[along])))

    return variant



def _must_be_used(model: Any, x: Tensor) -> float:
    x_hat, mu, logvar = model(x)
    (bought,) = torch.autograd.grad(_error(x, x_hat), logvar, retain_graph=True)
    (paid,) = torch.autograd.grad(_kl(mu, logvar), logvar)
    return float(-bought.sum() / paid.sum())



def _of_values(model: Any, x: Tensor) -> float:
    x_hat, mu, logvar = model(x)
    return float(_error(x, x_hat) / _kl(mu, logvar))



def _slope_in_closed_form(model: Any, x: Tensor) -> Tensor:
    """Right as well: the slope of the KL by hand, that of the error by half squares."""
    x_hat, _, logvar = model(x)
    squares = (x - x_hat).square()
    bought = _slope(0.5 * squares.sum() / squares.mean().detach(), logvar)
    return -bought.sum() / (0.5 * (logvar.exp() - 1)).sum().detach()



PRICE_OF_A_NAT = Check(
    name="price_of_a_nat",
    asks="minus the error's slope along logvar, divided by that of the KL",
    section="the-price-of-a-nat",
    oracle=_oracle,  # type: ignore[arg-type]  # a number
    parts=(
        Part("price", 3, _value),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("price-upside-down", "the-price-of-a-nat", "that is its inverse: what is bought is divided by what is paid.",
           _price_like(divide=lambda bought, paid: -paid.sum() / (bought.sum() + 1e-12))),
        _m("price-sign", "the-price-of-a-nat",
           "the sign is wrong: at a minimum the two slopes cancel, so one of them is turned.",
           _price_like(divide=lambda bought, paid: bought.sum() / paid.sum())),
        _m("price-along-mu", "the-price-of-a-nat", "the slopes are those along mu; ask for logvar.",
           _price_like(along=0)),
        _m("price-squared-error", "the-price-of-a-nat",
           "the plain squared error stands for the likelihood: without σ it is not counted in nats.",
           _price_like(lambda x, x_hat: (x - x_hat).square().flatten(1).sum(1).mean())),
        _m("price-unit-sigma", "the-price-of-a-nat", "σ is 1; take the σ that suits the pictures best.",
           _price_like(lambda x, x_hat: -bound.reconstruction_log_likelihood(x, x_hat, 1.0).mean())),
        _m("price-mean-over-pixels", "the-price-of-a-nat",
           "the error is averaged over pixels: that very mistake would then look healthy.",
           _price_like(lambda x, x_hat: _error(x, x_hat) / x[0].numel())),
        _m("price-kl-averaged", "the-price-of-a-nat",
           "the KL is averaged over latents: that very mistake would then look healthy.",
           _price_like(kl=lambda mu, logvar: _kl(mu, logvar) / mu.shape[1])),
        _m("price-mean-of-ratios", "the-price-of-a-nat",
           "each code has a ratio of its own, and they are averaged; sum both slopes before dividing.",
           _price_like(divide=lambda bought, paid: (-bought / paid).mean())),
        _m("price-of-values", "the-price-of-a-nat",
           "the terms themselves are divided; the last nat is a matter of their slopes.", _of_values),
        _m("price-must-be-used", "the-price-of-a-nat",
           "autograd refuses where the error does not depend on logvar: allow_unused=True; nothing is bought then.",
           _must_be_used),
    ),
    equivalents=(clinic.price_of_a_nat, _price_like(), _slope_in_closed_form,
                 _price_like(lambda x, x_hat: x.numel() / 2 * (x - x_hat).square().mean().log(),
                             lambda mu, logvar: bound.kl_divergence(mu, logvar).sum())),
)
