"""The check of ``colour_log_likelihood``.

Asked for: the log likelihood of images under a Gaussian over the channels of each pixel, one number for each image.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal, Normal

from autograder.both_sides.target import Call
from autograder.checks.tighter import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound, tighter


def _colour_oracle(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    pixels, means = (image.permute(0, 2, 3, 1) for image in (x, x_hat))  # (B, H, W, 3)
    return MultivariateNormal(means, covariance).log_prob(pixels).sum(dim=(1, 2))


def _covariance(g: Generator) -> Tensor:
    """Of three channels with different spreads that move together, as residuals of photos do."""
    std = torch.tensor([0.15, 0.25, 0.35])[torch.randperm(3, generator=g)]
    mixed = torch.eye(3) + 0.35 * torch.rand(3, 3, generator=g) + 0.25
    correlation = mixed @ mixed.T
    scale = std / correlation.diagonal().sqrt()
    return correlation * scale[:, None] * scale


def _pictures(g: Generator, *shape: int) -> tuple[Tensor, Tensor]:
    return torch.rand(shape, generator=g), torch.rand(shape, generator=g)


def _colour_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((*_pictures(g, *shape), _covariance(g))), f"images of shape {shape}")
        for shape in ((3, 3, 8, 6), (5, 3, 4, 4), (2, 3, 3, 7))
    ]


def _colour_edges(g: Generator) -> list[Probe]:
    x, x_hat = _pictures(g, 2, 3, 5, 4)
    covariance = _covariance(g)
    return [
        Probe(Call((*_pictures(g, 1, 3, 4, 5), covariance)), "a single image"),
        Probe(Call((*_pictures(g, 4, 3, 1, 1), covariance)), "a single pixel"),
        Probe(Call((*_pictures(g, 2, 3, 64, 64), covariance)), "images of 64×64"),
        Probe(Call((x, x, covariance)), "perfect reconstructions"),
        Probe(Call((x.double(), x_hat.double(), covariance.double())), "float64"),
        Probe(Call((x, x_hat, 0.04 * torch.eye(3))), "channels that are independent"),
        Probe(
            Call((x, x + 1e-3 * shared.randn(g, *x.shape), 1e-5 * covariance)), "a covariance of a millionth"
        ),
    ]


def _colour_gradient(g: Generator) -> list[Probe]:
    call = (*_pictures(g, 3, 3, 5, 4), _covariance(g))
    cotangent = torch.rand(3, generator=g) + 0.5
    # absolute: where the terms of Σ⁻¹ r cancel, float32 leaves no relative accuracy
    tolerance = torch.full((3, 3, 5, 4), 5e-3)
    return [Probe(Call(call, None, (0, 1), cotangent), "its result weighted and differentiated", tolerance)]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _colour_like(
    square: Callable[[Tensor, Tensor], Tensor] = lambda r, c: torch.einsum("bip,ij,bjp->bp", r, c.inverse(), r),
    log_det: Callable[[Tensor], Tensor] = torch.logdet,
    constant: float = 3 * shared.LOG_2PI,
    residual: Callable[[Tensor], Tensor] = lambda r: r.flatten(2),
    change: Callable[[Tensor], Tensor] = lambda per_pixel: per_pixel.sum(1),
) -> Callable[..., Tensor]:
    """−½ (square + log_det + constant) at each pixel, (B, P), with any of these another one."""

    def variant(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
        per_pixel = -0.5 * (square(residual(x - x_hat), covariance) + log_det(covariance) + constant)
        return change(per_pixel)

    return variant



def _squares(x: Tensor, x_hat: Tensor, matrix: Tensor) -> Tensor:
    """rᵀ matrix r, summed over pixels, (B,)."""
    r = (x - x_hat).flatten(2)
    return torch.einsum("bip,ij,bjp->b", r, matrix, r)



def _by_eigenvectors(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Right as well: along the eigenvectors, the channels are independent."""
    values, directions = torch.linalg.eigh(covariance)
    turned = torch.einsum("ck,bchw->bkhw", directions, x - x_hat)
    return Normal(0.0, values.sqrt()[:, None, None]).log_prob(turned).sum(dim=(1, 2, 3))



def _pixel_by_pixel(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Right as well: all pixels of an image are points of three numbers."""
    density = MultivariateNormal(torch.zeros(3, dtype=x.dtype), covariance)
    rows = [density.log_prob((a - b).flatten(1).T).sum() for a, b in zip(x, x_hat, strict=True)]
    return torch.stack(rows)



def _solved(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Right as well: a linear system in place of the inverse."""
    r = (x - x_hat).permute(1, 0, 2, 3).reshape(3, -1)  # (3, B·H·W)
    squares = (r * torch.linalg.solve(covariance, r)).sum(0).reshape(len(x), -1)
    return -0.5 * (squares + torch.linalg.slogdet(covariance).logabsdet + 3 * shared.LOG_2PI).sum(1)



COLOUR = Check(
    name="colour_log_likelihood",
    asks="the log likelihood of images under a Gaussian over the channels of each pixel, one number for each image",
    section="colour-covariance",
    oracle=_colour_oracle,
    parts=(
        Part("value", 2, _colour_value),
        Part("edge cases", 1, _colour_edges),
        Part("gradient", 1, _colour_gradient),
    ),
    misconceptions=(
        _m("colour-without-log-det", "colour-covariance",
           "the determinant is left out: a wider Gaussian would never pay for its width.",
           _colour_like(log_det=lambda c: c.new_zeros(()))),
        _m("colour-log-det-once", "colour-covariance",
           "the determinant is counted once for each image; every pixel has a density of its own.",
           lambda x, x_hat, covariance: _colour_like(log_det=lambda c: c.new_zeros(()))(x, x_hat, covariance)
           - 0.5 * torch.logdet(covariance)),
        _m("colour-constants-once", "colour-covariance",
           "determinant and 2π are counted once for each image; every pixel has a density of its own.",
           lambda x, x_hat, covariance: -0.5 * (
               _squares(x, x_hat, covariance.inverse()) + torch.logdet(covariance) + 3 * shared.LOG_2PI)),
        _m("colour-log-det-sign", "colour-covariance", "the determinant has the wrong sign.",
           _colour_like(log_det=lambda c: -torch.logdet(c))),
        _m("colour-square-without-half", "colour-covariance", "the ½ before the squared distance is missing.",
           _colour_like(lambda r, c: 2 * torch.einsum("bip,ij,bjp->bp", r, c.inverse(), r))),
        _m("colour-without-half", "colour-covariance", "the factor ½ is left out.",
           _colour_like(change=lambda per_pixel: 2 * per_pixel.sum(1))),
        _m("colour-without-2pi", "colour-covariance", "log 2π is left out.", _colour_like(constant=0.0)),
        _m("colour-2pi-once", "colour-covariance",
           "log 2π is counted once for each pixel; a pixel has three dimensions.",
           _colour_like(constant=shared.LOG_2PI)),
        _m("colour-not-inverted", "colour-covariance",
           "the distance is measured with the covariance; it needs the inverse, the precision.",
           _colour_like(lambda r, c: torch.einsum("bip,ij,bjp->bp", r, c, r))),
        _m("colour-is-precision", "colour-covariance",
           "the covariance is taken for the precision, in the distance and in the determinant.",
           _colour_like(lambda r, c: torch.einsum("bip,ij,bjp->bp", r, c, r), lambda c: -torch.logdet(c))),
        _m("colour-is-cholesky", "colour-covariance",
           "the lower triangle of the covariance is taken for its Cholesky factor.",
           _colour_like(
               lambda r, c: torch.linalg.solve_triangular(c.tril(), r, upper=False).square().sum(1),
               lambda c: 2 * c.diagonal().log().sum())),
        _m("colour-factor-transposed", "colour-covariance",
           "the Cholesky factor is used the wrong way round: the channels are not whitened by its transpose.",
           _colour_like(lambda r, c: torch.linalg.solve_triangular(
               torch.linalg.cholesky(c).mT, r, upper=True).square().sum(1))),
        _m("colour-diagonal", "colour-covariance",
           "only the variances are used: how the channels move together is lost.",
           lambda x, x_hat, covariance: tighter.colour_log_likelihood(x, x_hat, covariance.diagonal().diag())),
        _m("colour-one-variance", "colour-covariance", "one mean variance serves all channels.",
           lambda x, x_hat, covariance: bound.reconstruction_log_likelihood(
               x, x_hat, covariance.diagonal().mean().sqrt())),
        _m("colour-mixed-channels", "colour-covariance",
           "the images are reshaped to rows of three without moving the channels last: neighbours pose as colours.",
           _colour_like(residual=lambda r: r.reshape(len(r), -1, 3).mT)),
        _m("colour-mean-over-pixels", "colour-covariance",
           "the pixels are averaged; independent pixels multiply, so their logs add up.",
           _colour_like(change=lambda per_pixel: per_pixel.mean(1))),
        _m("colour-not-summed", "colour-covariance", "the pixels are not added up.",
           lambda x, x_hat, covariance: _colour_like(change=lambda per_pixel: per_pixel)(
               x, x_hat, covariance).unflatten(1, x.shape[2:])),
        _m("colour-batch-mean", "colour-covariance",
           "the batch is averaged into one number; return one for each image.",
           _colour_like(change=lambda per_pixel: per_pixel.sum(1).mean())),
        _m("colour-sign", "colour-covariance", "the sign is turned: that is the negative log likelihood, a loss.",
           _colour_like(change=lambda per_pixel: -per_pixel.sum(1))),
        _m("colour-detached", "colour-covariance",
           "the result is cut off from its inputs (detach, .data, .item, no_grad or numpy).",
           lambda x, x_hat, covariance: tighter.colour_log_likelihood(x, x_hat, covariance).detach()),
    ),
    equivalents=(
        tighter.colour_log_likelihood,
        _colour_like(),
        _by_eigenvectors,
        _pixel_by_pixel,
        _solved,
        lambda x, x_hat, covariance: MultivariateNormal(
            x_hat.movedim(1, -1), scale_tril=torch.linalg.cholesky(covariance)).log_prob(x.movedim(1, -1)).sum((1, 2)),
    ),
)
