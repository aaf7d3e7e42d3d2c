"""The check of ``conditional_kl``.

Asked for: the divergence between two diagonal Gaussians, one number for each image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.distributions import kl_divergence as exact_kl

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound, sharper


def _normal(mu: Tensor, logvar: Tensor) -> Independent[Normal]:
    return Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)


def _oracle(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    return exact_kl(_normal(mu_q, logvar_q), _normal(mu_p, logvar_p))


def _codes(g: Generator, batch: int, dims: int) -> tuple[Tensor, ...]:
    """Four tensors whose numbers are far from 0 and from each other, so that no mistake hides."""
    mu_q, mu_p, logvar_q, logvar_p = torch.randn(4, batch, dims, generator=g)
    away = torch.where(torch.randn(batch, dims, generator=g) > 0, 1.0, -1.0)
    return mu_q + away, 0.6 * logvar_q - 0.5, 0.7 * mu_p - 0.5 * away, 0.6 * logvar_p + 0.6


def _value(g: Generator) -> list[Probe]:
    return [Probe(Call(_codes(g, b, n)), f"{b} images and {n} latents") for b, n in ((3, 5), (6, 4), (2, 12))]


def _edges(g: Generator) -> list[Probe]:
    mu_q, logvar_q, mu_p, logvar_p = _codes(g, 4, 3)
    zero = torch.zeros(4, 3)
    return [
        Probe(Call(_codes(g, 1, 6)), "a single image"),
        Probe(Call(_codes(g, 5, 1)), "a single latent"),
        Probe(Call((mu_q, logvar_q, mu_q, logvar_q)), "a posterior that equals its prior"),
        Probe(Call((mu_q, logvar_q, zero, zero)), "the prior N(0, I)"),
        Probe(Call(tuple(t.double() for t in (mu_q, logvar_q, mu_p, logvar_p))), "float64"),
        Probe(Call((mu_q, logvar_q - 60, mu_p, logvar_p)), "a posterior that is almost a point"),
        Probe(Call((mu_p + 1e-3 * mu_q, zero - 12, mu_p, zero - 12)), "a narrow prior, and a posterior as narrow"),
    ]  # fmt: skip


def _gradient(g: Generator) -> list[Probe]:
    cotangent = torch.rand(4, generator=g) + 0.5
    call = Call(_codes(g, 4, 3), None, (0, 1, 2, 3), cotangent)
    return [Probe(call, "its result weighted and differentiated")]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _terms(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    return 0.5 * ((logvar_q - logvar_p).exp() + (mu_q - mu_p).square() / logvar_p.exp() - logvar_q + logvar_p - 1)



def _changed(change: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A variant from its terms: ``change(terms)``, (B, L) → the result."""
    return lambda mu_q, logvar_q, mu_p, logvar_p: change(_terms(mu_q, logvar_q, mu_p, logvar_p))



def _of(terms: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A variant with other terms of each latent, ``terms(square, v_q, v_p, l_q, l_p)``, before ½ and sum."""

    def variant(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
        square = (mu_q - mu_p).square()
        return 0.5 * terms(square, logvar_q.exp(), logvar_p.exp(), logvar_q, logvar_p).sum(-1)

    return variant



def _detached_prior(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    return _terms(mu_q, logvar_q, mu_p.detach(), logvar_p.detach()).sum(-1)



def _by_standardising(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    """Right as well: a divergence does not change when both are shifted and scaled until the prior is N(0, I)."""
    return bound.kl_divergence((mu_q - mu_p) * torch.exp(-0.5 * logvar_p), logvar_q - logvar_p)



def _full(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Any:
    q, p = (MultivariateNormal(m.double(), torch.diag_embed(v.double().exp()))
            for m, v in ((mu_q, logvar_q), (mu_p, logvar_p)))
    return exact_kl(q, p).to(mu_q.dtype)



CONDITIONAL_KL = Check(
    name="conditional_kl",
    asks="the divergence of the posterior from a prior that has means and variances of its own, one number an image",
    section="conditional-kl",
    oracle=_oracle,
    parts=(
        Part("value", 2, _value),
        Part("edge cases", 1, _edges),
        Part("gradient", 1, _gradient),
    ),
    misconceptions=(
        _m("conditional-kl-reversed", "conditional-kl",
           "prior and posterior are exchanged: the expectation is over q, and the result another number.",
           lambda mu_q, logvar_q, mu_p, logvar_p: _terms(mu_p, logvar_p, mu_q, logvar_q).sum(-1)),
        _m("conditional-kl-standard-prior", "conditional-kl",
           "that is the divergence to N(0, I): this prior has a mean and variances of its own.",
           lambda mu_q, logvar_q, mu_p, logvar_p: bound.kl_divergence(mu_q, logvar_q)),
        _m("conditional-kl-prior-variance-ignored", "conditional-kl",
           "the prior's variance is ignored: it is taken for 1.",
           lambda mu_q, logvar_q, mu_p, logvar_p: bound.kl_divergence(mu_q - mu_p, logvar_q)),
        _m("conditional-kl-prior-mean-ignored", "conditional-kl", "the prior's mean is ignored: it is taken for 0.",
           lambda mu_q, logvar_q, mu_p, logvar_p: _terms(mu_q, logvar_q, torch.zeros_like(mu_p), logvar_p).sum(-1)),
        _m("conditional-kl-difference-of-two", "conditional-kl",
           "two divergences to N(0, I) are subtracted; divergences are no distances that one may subtract.",
           lambda mu_q, logvar_q, mu_p, logvar_p:
           bound.kl_divergence(mu_q, logvar_q) - bound.kl_divergence(mu_p, logvar_p)),
        _m("conditional-kl-distance-over-posterior", "conditional-kl",
           "the squared distance of the means is divided by the posterior's variance; it is measured in the prior's.",
           _of(lambda d, v_q, v_p, l_q, l_p: (v_q + 0 * d) / v_p + d / v_q - l_q + l_p - 1)),
        _m("conditional-kl-distance-unscaled", "conditional-kl",
           "the squared distance of the means is not divided by the prior's variance.",
           _of(lambda d, v_q, v_p, l_q, l_p: v_q / v_p + d - l_q + l_p - 1)),
        _m("conditional-kl-distance-over-std", "conditional-kl",
           "the squared distance of the means is divided by the prior's standard deviation instead of its variance.",
           _of(lambda d, v_q, v_p, l_q, l_p: v_q / v_p + d / v_p.sqrt() - l_q + l_p - 1)),
        _m("conditional-kl-spread-unscaled", "conditional-kl",
           "the posterior's variance is not divided by the prior's.",
           _of(lambda d, v_q, v_p, l_q, l_p: v_q + d / v_p - l_q + l_p - 1)),
        _m("conditional-kl-ratio-inverted", "conditional-kl",
           "the ratio of the variances is upside down: it is the posterior's over the prior's.",
           _of(lambda d, v_q, v_p, l_q, l_p: v_p / v_q + d / v_p - l_q + l_p - 1)),
        _m("conditional-kl-log-sign", "conditional-kl",
           "the logarithm of the ratio has the wrong sign: a narrower posterior must cost more.",
           _of(lambda d, v_q, v_p, l_q, l_p: v_q / v_p + d / v_p + l_q - l_p - 1)),
        _m("conditional-kl-without-prior-log", "conditional-kl",
           "log σ² of the prior is missing: the logarithm is that of a ratio.",
           _of(lambda d, v_q, v_p, l_q, l_p: v_q / v_p + d / v_p - l_q - 1)),
        _m("conditional-kl-distance-not-squared", "conditional-kl", "the distance of the means is not squared.",
           lambda mu_q, logvar_q, mu_p, logvar_p: 0.5 * (
               (logvar_q - logvar_p).exp() + (mu_q - mu_p) / logvar_p.exp() - logvar_q + logvar_p - 1).sum(-1)),
        _m("conditional-kl-without-one", "conditional-kl",
           "the −1 is left out, so that equal Gaussians get a divergence above 0.",
           _changed(lambda terms: (terms + 0.5).sum(-1))),
        _m("conditional-kl-without-half", "conditional-kl", "the factor ½ is left out.",
           _changed(lambda terms: 2 * terms.sum(-1))),
        _m("conditional-kl-logvar-is-log-std", "conditional-kl", "logvar is taken for log σ; it is log σ² = 2 log σ.",
           lambda mu_q, logvar_q, mu_p, logvar_p: _terms(mu_q, 2 * logvar_q, mu_p, 2 * logvar_p).sum(-1)),
        _m("conditional-kl-mean-over-latents", "conditional-kl",
           "the latents are averaged; each of them costs its own nats.", _changed(lambda terms: terms.mean(-1))),
        _m("conditional-kl-not-summed", "conditional-kl", "the latents are not added up.",
           _changed(lambda terms: terms)),
        _m("conditional-kl-batch-mean", "conditional-kl",
           "the batch is averaged into one number; return one for each image.",
           _changed(lambda terms: terms.sum(-1).mean())),
        _m("conditional-kl-prior-detached", "conditional-kl",
           "the prior is cut off from the gradient: it is part of the model, and has to learn to meet the posterior.",
           _detached_prior),
    ),
    equivalents=(
        sharper.conditional_kl,
        _changed(lambda terms: terms.sum(1)),
        lambda mu_q, logvar_q, mu_p, logvar_p: exact_kl(
            Normal(mu_q, (logvar_q / 2).exp()), Normal(mu_p, (logvar_p / 2).exp())).sum(-1),
        _by_standardising,
        _full,
    ),
)
