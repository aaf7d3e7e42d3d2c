"""The check of ``gradient_reach``: how strongly the reconstruction error pulls at mu and at logvar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.clinic import shared
from autograder.checks.clinic.shared import examination
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound, clinic


def slopes(model: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """d(½ Σ (x − x̂)²) / dmu and / dlogvar by hand, (B, L) each, and the mean squared error."""
    mu, logvar = shared.codes(model, x)
    step = model.stretch[0 if model.training else 1] * torch.exp(0.5 * logvar) * model.eps.double()
    x_hat = shared.picture(model, mu + step)
    miss = x_hat - x.double().flatten(1)
    to_z = (miss * x_hat * (1 - x_hat)) @ model.to_pixels.detach().double()
    return to_z, 0.5 * to_z * step, miss.square().mean()


def _oracle(model: Any, x: Tensor) -> list[float]:
    if model.cut:
        return [0.0, 0.0]
    return [float(slope.norm()) for slope in slopes(model, x)[:2]]


def _value(g: Generator) -> list[Probe]:
    return [
        examination(g, "a healthy model", 5, 3, noise="fixed"),
        examination(g, "7 images and 5 latents", 7, 5, noise="fixed"),
        examination(g, "codes that are cut off after they were drawn", 5, 3, noise="fixed", cut="sample"),
    ]


def _edges(g: Generator) -> list[Probe]:
    return [
        examination(g, "an encoder without gradients", 4, 3, noise="fixed", cut="codes"),
        examination(g, "a sampler without noise", 4, 3, noise="fixed", stretch=(0.0, 1.0)),
        examination(g, "a single image", 1, 4, noise="fixed"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _half_squares(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (x - x_hat).square().sum()



def _reach_like(
    error: Callable[..., Tensor] = _half_squares,
    size: Callable[[Tensor], Tensor] = torch.linalg.norm,
    finish: Callable[[list[float]], Any] = lambda norms: norms,
) -> Callable[..., Any]:
    """A variant with another error, another size of a gradient, or another end."""

    def variant(model: Any, x: Tensor) -> Any:
        x_hat, mu, logvar = model(x)
        value = error(x, x_hat, mu, logvar)
        norms = []
        for leaf in (mu, logvar):
            (found,) = torch.autograd.grad(value, leaf, allow_unused=True, retain_graph=True) \
                if leaf.requires_grad else (None,)
            norms.append(0.0 if found is None else float(size(found)))
        return finish(norms)

    return variant



def _past_the_cut(model: Any, x: Tensor) -> list[float]:
    z, mu, _ = model.draw(x)
    z = z.detach().requires_grad_()
    (to_z,) = torch.autograd.grad(0.5 * (x - model.decode(z)).square().sum(), z)
    return [float(to_z.norm()), float((to_z * 0.5 * (z - mu)).norm())]



def _must_be_used(model: Any, x: Tensor) -> list[float]:
    x_hat, mu, logvar = model(x)
    return [float(g.norm()) for g in torch.autograd.grad(_half_squares(x, x_hat, mu, logvar), (mu, logvar))]



def _none_at_all(model: Any, x: Tensor) -> list[float]:
    x_hat, mu, logvar = model(x)
    found = torch.autograd.grad(_half_squares(x, x_hat, mu, logvar), (mu, logvar), allow_unused=True)
    return [float(g.norm()) for g in found]



def _no_grad(model: Any, x: Tensor) -> list[float]:
    with torch.no_grad():
        return _must_be_used(model, x)



def _by_retaining(model: Any, x: Tensor) -> tuple[float, float]:
    """Right as well: backward, and what it leaves at mu and logvar; the parameters' gradients are cleared."""
    x_hat, mu, logvar = model(x)
    for leaf in (mu, logvar):
        if leaf.requires_grad:
            leaf.retain_grad()
    error = (x - x_hat).pow(2).sum() / 2
    if error.requires_grad:
        error.backward()
    model.zero_grad()
    left = [0.0 if leaf.grad is None else leaf.grad.pow(2).sum().sqrt().item() for leaf in (mu, logvar)]
    return left[0], left[1]



GRADIENT_REACH = Check(
    name="gradient_reach",
    asks="the norms of the reconstruction error's gradients at mu and at logvar",
    section="follow-the-gradient",
    oracle=_oracle,  # type: ignore[arg-type]  # two numbers
    parts=(
        Part("gradients", 3, _value),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("reach-whole-loss", "follow-the-gradient",
           "the KL is in the error: its gradient reaches mu without any sample, and hides the cut.",
           _reach_like(lambda x, x_hat, mu, logvar: _half_squares(x, x_hat, mu, logvar)
                       + bound.kl_divergence(mu, logvar).sum())),
        _m("reach-mean-error", "follow-the-gradient", "the error is averaged; sum it over pixels and images.",
           _reach_like(lambda x, x_hat, mu, logvar: 0.5 * (x - x_hat).square().mean())),
        _m("reach-batch-mean", "follow-the-gradient", "the error is averaged over the images; sum it.",
           _reach_like(lambda x, x_hat, mu, logvar: _half_squares(x, x_hat, mu, logvar) / len(x))),
        _m("reach-without-half", "follow-the-gradient", "the ½ of the squared error is missing.",
           _reach_like(lambda x, x_hat, mu, logvar: (x - x_hat).square().sum())),
        _m("reach-squared", "follow-the-gradient", "the root is missing: those are squares of norms.",
           _reach_like(size=lambda gradient: gradient.square().sum())),
        _m("reach-largest", "follow-the-gradient", "that is the largest number of a gradient; its norm is asked for.",
           _reach_like(size=lambda gradient: gradient.abs().max())),
        _m("reach-past-the-cut", "follow-the-gradient",
           "the gradient is taken at z, behind the cut; ask at mu and logvar, before it.", _past_the_cut),
        _m("reach-must-be-used", "follow-the-gradient",
           "autograd refuses where nothing connects the error with mu: allow_unused=True gives None instead.",
           _must_be_used),
        _m("reach-none-left", "follow-the-gradient", "None has no norm: where no gradient arrives, the answer is 0.",
           _none_at_all),
        _m("reach-no-grad", "follow-the-gradient", "gradients are switched off while the model runs.", _no_grad),
        _m("reach-swapped", "follow-the-gradient", "mu and logvar are in the wrong order.",
           _reach_like(finish=lambda norms: norms[::-1])),
        _m("reach-mu-only", "follow-the-gradient", "only the gradient at mu is returned.",
           _reach_like(finish=lambda norms: norms[0])),
    ),
    equivalents=(clinic.gradient_reach, _reach_like(), _by_retaining,
                 _reach_like(finish=tuple)),
)
