"""The check of ``sampler_spread``: how far drawn codes spread around mu, in units of exp(logvar / 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.clinic import shared
from autograder.checks.clinic.shared import examination
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import clinic
from vae_ref.sampling import reparameterize

NUM_DRAWS = 100
# the noise of an even patient spreads as it should within 2 %, see test_clinic_checks
CLOSE = 0.05


def _oracle(model: Any, x: Tensor, num_draws: int) -> float:
    _, logvar = shared.codes(model, x)
    ratio = logvar / torch.exp(0.5 * logvar) if model.literal else torch.ones_like(logvar)
    return float(model.stretch[0 if model.training else 1] * ratio.square().mean().sqrt())


def _spread(
    g: Generator, label: str, count: int, latent_dim: int, evaluation: bool = False, **ailments: Any
) -> Probe:
    tolerance = torch.tensor(CLOSE * max(ailments.get("stretch", (1.0,))))
    if ailments.get("literal"):
        tolerance = 3 * tolerance
    return examination(
        g, label, count, latent_dim, evaluation, (NUM_DRAWS,), tolerance, noise="even", **ailments
    )


def _value(g: Generator) -> list[Probe]:
    wide = shared.between(g, 1.4, 1.9), 1.0
    narrow = shared.between(g, 0.3, 0.7), 1.0
    return [
        _spread(g, "a healthy model", 5, 3),
        _spread(g, "a sampler that spreads too far", 5, 4, stretch=wide),
        _spread(g, "a sampler that spreads too little", 4, 3, stretch=narrow),
        _spread(g, "a sampler that takes logvar for σ", 5, 4, literal=True),
    ]


def _modes(g: Generator) -> list[Probe]:
    one, other = shared.between(g, 0.4, 0.6), shared.between(g, 1.5, 1.8)
    return [
        _spread(g, "a model in evaluation mode", 5, 4, True, stretch=(one, other)),
        _spread(g, "the same in training mode", 5, 4, False, stretch=(one, other)),
    ]


def _edges(g: Generator) -> list[Probe]:
    return [
        _spread(g, "a sampler without noise", 4, 3, stretch=(0.0, 1.0)),
        _spread(g, "a single image", 1, 4, stretch=(1.5, 1.0)),
        _spread(g, "a single latent", 5, 1),
    ]


def _is_a_number(results: list[Any], _: list[Probe]) -> str:
    numbers = [not isinstance(r, bool) and isinstance(r, int | float | Tensor) for r in results]
    return "" if all(numbers) else "sampler_spread returned something else than a number."


def _as_tensor(result: Any) -> Tensor:
    """What is compared, within the tolerance also where a mistake draws noise of its own."""
    return torch.as_tensor(result, dtype=torch.float32)


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _spread_like(
    noise: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda z, mu, logvar: (z - mu) * torch.exp(-0.5 * logvar),
    size: Callable[[Tensor], Any] = lambda noise: noise.square().mean().sqrt(),
    draw: Callable[..., Any] = lambda model, x: model.draw(x),
    mode: Callable[[Any], Any] = lambda model: model,
) -> Callable[..., Any]:
    """A variant with another step."""

    def variant(model: Any, x: Tensor, num_draws: int = 100) -> Any:
        mode(model)
        with torch.no_grad():
            return float(size(torch.stack([noise(*draw(model, x)) for _ in range(num_draws)])))  # (K, B, L)

    return variant



def _own_sampler(model: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mu, logvar = model.encode(x)
    return reparameterize(mu, logvar), mu, logvar



def _in_one_batch(model: Any, x: Tensor, num_draws: int = 100) -> float:
    """Right as well: every image many times in one batch, and the noise of each code around its own mean."""
    with torch.no_grad():
        z, _, logvar = model.draw(x.repeat(num_draws, 1, 1, 1))
    z, logvar = (t.unflatten(0, (num_draws, len(x))) for t in (z, logvar))
    return (z.var(0) / logvar[0].exp()).mean().sqrt().item()



SAMPLER_SPREAD = Check(
    name="sampler_spread",
    asks="how far drawn codes spread around mu, in units of exp(logvar / 2)",
    section="the-sampler",
    oracle=_oracle,  # type: ignore[arg-type]  # a number
    parts=(
        Part("spread", 2, _value, _is_a_number, _as_tensor),
        Part("modes", 1, _modes, _is_a_number, _as_tensor),
        Part("edge cases", 1, _edges, _is_a_number, _as_tensor),
    ),
    misconceptions=(
        _m("spread-by-variance", "the-sampler", "the noise is divided by exp(logvar), the variance.",
           _spread_like(lambda z, mu, logvar: (z - mu) * torch.exp(-logvar))),
        _m("spread-by-logvar", "the-sampler", "the noise is divided by logvar as if that were σ.",
           _spread_like(lambda z, mu, logvar: (z - mu) / logvar)),
        _m("spread-not-divided", "the-sampler", "the noise is not divided by the σ that the KL is charged for.",
           _spread_like(lambda z, mu, logvar: z - mu)),
        _m("spread-not-centred", "the-sampler", "mu is not subtracted, so the codes' places count as noise.",
           _spread_like(lambda z, mu, logvar: z * torch.exp(-0.5 * logvar))),
        _m("spread-squared", "the-sampler", "the root is missing: that is the mean square.",
           _spread_like(size=lambda noise: noise.square().mean())),
        _m("spread-mean-size", "the-sampler", "sizes are averaged, not squares: a Gaussian then reads 0.8.",
           _spread_like(size=lambda noise: noise.abs().mean())),
        _m("spread-mean", "the-sampler", "the noise is averaged with its sign, which leaves nothing.",
           _spread_like(size=lambda noise: noise.mean())),
        _m("spread-own-sampler", "the-sampler",
           "codes are drawn with another sampler than the model's: it is model.draw that is under suspicion.",
           _spread_like(draw=_own_sampler)),
        _m("spread-always-evaluation", "the-sampler", "the model is put into evaluation mode; examine it as it is.",
           _spread_like(mode=lambda model: model.eval())),
        _m("spread-always-training", "the-sampler", "the model is put into training mode; examine it as it is.",
           _spread_like(mode=lambda model: model.train())),
    ),
    equivalents=(
        clinic.sampler_spread,
        _spread_like(),
        _spread_like(lambda z, mu, logvar: (z - mu) / logvar.exp().sqrt(), lambda noise: noise.std()),
        _in_one_batch,
    ),
)
