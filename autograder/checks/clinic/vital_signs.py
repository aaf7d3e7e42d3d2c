"""The check of ``vital_signs``: what can be read off codes and reconstructions, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.checks.clinic import shared
from autograder.checks.clinic.shared import examination
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import clinic

SIGNS = ("active", "negative", "lowest", "highest", "brightness", "twice")


def _oracle(model: Any, x: Tensor) -> Any:
    mu, _ = shared.codes(model, x)
    mu[:, : model.quiet] = 0
    if model.one_sided:
        mu = mu.clamp(min=0)
    if model.flicker:  # what of it is seen depends on how often the model was asked
        e = model.flicker * model.eps.double()
        pictures = [model.gain * shared.picture(model, mu + sign * e) for sign in (1, -1)]
        return (pictures[0] - pictures[1]).abs().max()
    x_hat = 0.5 + model.gain * (shared.picture(model, mu) - 0.5)
    return {
        "active": int((mu.var(0) > 0.01).sum()),
        "negative": float((mu < 0).double().mean()),
        "lowest": float(x_hat.min()),
        "highest": float(x_hat.max()),
        "brightness": float(x_hat.mean() - x.double().mean()),
        "twice": 0.0,
    }


def _value(g: Generator) -> list[Probe]:
    gain = shared.between(g, 1.6, 2.0)
    return [
        examination(g, "a healthy model", 7, 5, noise="fixed"),
        examination(g, "two silent latents and too much contrast", 6, 6, noise="fixed", quiet=2, gain=gain),
        examination(g, "means that are never negative", 6, 4, noise="fixed", one_sided=True),
    ]


def _flickering(g: Generator) -> list[Probe]:
    sizes = [shared.between(g, 0.1, 0.6) for _ in range(2)]
    return [
        examination(g, "reconstructions that flicker in evaluation", 5, 4, noise="fixed", flicker=sizes[0]),
        examination(
            g, "a model in evaluation mode that flickers", 3, 3, True, noise="fixed", flicker=sizes[1]
        ),
    ]


def _twice(signs: Any) -> Tensor:
    twice = signs.get("twice") if isinstance(signs, dict) else None
    return torch.tensor(float(twice) if isinstance(twice, int | float | Tensor) else torch.nan)


def _modes(g: Generator) -> list[Probe]:
    mode = (Step("model.is_training", Call()),)
    return [
        examination(
            g, "a model in training mode: first the signs, then the mode", 4, 3, after=mode, noise="fixed"
        ),
        examination(
            g, "one in evaluation mode: first the signs, then the mode", 4, 3, True, after=mode, noise="fixed"
        ),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _signs(
    mode: Callable[[Any], Any] = lambda model: model.eval(),
    codes: Callable[..., Tensor] = lambda model, x: model.encode(x)[0],
    paint: Callable[..., Tensor] = lambda model, x: model.decode(model.encode(x)[0]),
    restore: bool = True,
    **others: Callable[[Tensor, Tensor, Tensor, Tensor], Any],
) -> Callable[..., Any]:
    """A variant with other ways to get there, or with other signs of (x, mu, first, second)."""

    def variant(model: Any, x: Tensor) -> dict[str, Any]:
        before = model.training
        mode(model)
        with torch.no_grad():
            seen = x, codes(model, x), paint(model, x), paint(model, x)
        if restore:
            model.train(before)
        usual: dict[str, Callable[..., Any]] = {
            "active": lambda x, mu, a, b: int((mu.var(0) > 0.01).sum()),
            "negative": lambda x, mu, a, b: (mu < 0).float().mean().item(),
            "lowest": lambda x, mu, a, b: a.min().item(),
            "highest": lambda x, mu, a, b: a.max().item(),
            "brightness": lambda x, mu, a, b: (a.mean() - x.mean()).item(),
            "twice": lambda x, mu, a, b: (a - b).abs().max().item(),
        }
        return {name: (usual | others)[name](*seen) for name in SIGNS}

    return variant



VITAL_SIGNS = Check(
    name="vital_signs",
    asks="six numbers about codes and reconstructions, in evaluation mode",
    section="vital-signs",
    oracle=_oracle,
    parts=(
        Part("signs", 3, _value),
        Part("twice", 1, _flickering, summary=_twice),
        Part("modes", 1, _modes),
    ),
    misconceptions=(
        _m("signs-in-training", "vital-signs",
           "the model is not put into evaluation mode, where reconstructions must be repeatable.",
           _signs(mode=lambda model: None)),
        _m("signs-mode-left", "vital-signs",
           "the model is left in evaluation mode; put back the mode in which you found it.", _signs(restore=False)),
        _m("signs-from-samples", "vital-signs",
           "codes are drawn for the pictures; a reconstruction is decoded from the mean.",
           _signs(paint=lambda model, x: model(x)[0])),
        _m("signs-of-logvar", "vital-signs", "logvar is looked at instead of mu: encode gives the mean first.",
           _signs(codes=lambda model, x: model.encode(x)[1])),
        _m("signs-of-images", "vital-signs", "the range is that of the images, not of the reconstructions.",
           _signs(lowest=lambda x, mu, a, b: x.min().item(), highest=lambda x, mu, a, b: x.max().item())),
        _m("signs-brightness-turned", "vital-signs",
           "the brightness has the wrong sign: pictures that are too dark count as negative.",
           _signs(brightness=lambda x, mu, a, b: (x - a).mean().item())),
        _m("signs-brightness-as-error", "vital-signs",
           "the brightness is the mean of absolute differences; the signs have to cancel.",
           _signs(brightness=lambda x, mu, a, b: (a - x).abs().mean().item())),
        _m("signs-negative-counted", "vital-signs", "negative means are counted; give their share.",
           _signs(negative=lambda x, mu, a, b: float((mu < 0).sum()))),
        _m("signs-positive", "vital-signs", "that is the share of means that are not negative.",
           _signs(negative=lambda x, mu, a, b: (mu >= 0).float().mean().item())),
        _m("signs-twice-averaged", "vital-signs", "the two reconstructions' difference is averaged; take the largest.",
           _signs(twice=lambda x, mu, a, b: (a - b).abs().mean().item())),
        _m("signs-twice-signed", "vital-signs", "the difference keeps its sign, so that only one direction is seen.",
           _signs(twice=lambda x, mu, a, b: (a - b).mean().item())),
        _m("signs-twice-against-images", "vital-signs",
           "a reconstruction is compared with the images instead of with a second one.",
           _signs(twice=lambda x, mu, a, b: (a - x).abs().max().item())),
        _m("signs-active-over-latents", "vital-signs", "the variance is taken over latents instead of images.",
           _signs(active=lambda x, mu, a, b: int((mu.var(1) > 0.01).sum()))),
    ),
    equivalents=(
        clinic.vital_signs,
        _signs(),
        _signs(active=lambda x, mu, a, b: (mu.std(0) > 0.1).sum(),
               negative=lambda x, mu, a, b: (mu < 0).double().mean(),
               brightness=lambda x, mu, a, b: (a - x).mean(),
               twice=lambda x, mu, a, b: torch.dist(a, b, p=float("inf"))),
    ),
)
