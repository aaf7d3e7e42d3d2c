"""The check of ``uses_latent``: whether pictures are those of their codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.clinic.shared import examination
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound, clinic


def _oracle(model: Any, x: Tensor) -> bool:
    ill = model.leak or model.shortcut or model.deaf or model.quiet == model.latent_dim
    return not ill


def _value(g: Generator) -> list[Probe]:
    return [
        examination(g, "a healthy model"),
        examination(g, "a decoder that paints what the encoder saw last", leak=1.0),
        examination(g, "a decoder that does not listen to its code", deaf=True),
        examination(g, "a healthy model with 6 latents, in evaluation mode", 3, 6, evaluation=True),
        examination(g, "a decoder that mixes its picture with what the encoder saw last", leak=0.5),
        examination(g, "an encoder that says the same of every image", quiet=4),
    ]


def _forward(g: Generator) -> list[Probe]:
    return [
        examination(g, "a forward that hands the image over by itself", shortcut=0.9),
        examination(g, "a healthy model", 4, 3),
        examination(g, "a forward that hands over half of the image", 4, 5, evaluation=True, shortcut=0.5),
    ]


def _edges(g: Generator) -> list[Probe]:
    return [
        examination(g, "a healthy model and two images", 2),
        examination(g, "a decoder that mixes in a fifth of what the encoder saw last", leak=0.2),
        examination(g, "a healthy model with one latent", 6, 1),
        examination(g, "half of the latents silent, and pictures that follow the others", quiet=2),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean())



def _pictures(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Decoded from own codes and from those of the neighbours, without any noise."""
    with torch.no_grad():
        mu, _ = model.encode(x)
        own = model.decode(mu)
        model.encode(x)
        return own, model.decode(mu.roll(1, 0))



def _follows(model: Any, x: Tensor) -> bool:
    own, swapped = _pictures(model, x)
    return _apart(swapped, own.roll(1, 0)) < 1e-8 and _apart(own, swapped) > 1e-6



def _forward_agrees(model: Any, x: Tensor) -> bool:
    with torch.no_grad():
        torch.manual_seed(3)
        z, _, _ = model.draw(x)
        torch.manual_seed(3)
        x_hat, _, _ = model(x)
        return torch.allclose(x_hat, model.decode(z), atol=1e-4)



def _any_change(model: Any, x: Tensor) -> bool:
    own, swapped = _pictures(model, x)
    return _apart(own, swapped) > 1e-6 and _forward_agrees(model, x)



def _images_swapped(model: Any, x: Tensor) -> bool:
    with torch.no_grad():
        own = model.decode(model.encode(x)[0])
        swapped = model.decode(model.encode(x.roll(1, 0))[0])
    return _apart(own, swapped) > 1e-6 and _forward_agrees(model, x)



def _good_pictures(model: Any, x: Tensor) -> bool:
    with torch.no_grad():
        return _apart(model.decode(model.encode(x)[0]), x) < _apart(x.mean(0).expand_as(x), x)



def _other_noise(model: Any, x: Tensor) -> bool:
    with torch.no_grad():
        z, _, _ = model.draw(x)
        return _follows(model, x) and torch.allclose(model(x)[0], model.decode(z), atol=1e-4)



def _nearer(model: Any, x: Tensor) -> bool:
    own, swapped = _pictures(model, x)
    return _apart(swapped, own.roll(1, 0)) < _apart(swapped, own) and _forward_agrees(model, x)



def _without_change(model: Any, x: Tensor) -> bool:
    own, swapped = _pictures(model, x)
    return _apart(swapped, own.roll(1, 0)) < 1e-8 and _forward_agrees(model, x)



def _by_distance(model: Any, x: Tensor) -> float:
    own, swapped = _pictures(model, x)
    return _apart(own, swapped)



def _both(model: Any, x: Tensor) -> bool:
    return _follows(model, x) and _forward_agrees(model, x)



def _with_a_stranger(model: Any, x: Tensor) -> Any:
    """Right as well: codes of other images, decoded after two different looks, and once for each image alone."""
    with torch.no_grad():
        mu, _ = model.encode(x)
        model.encode(x)
        first = model.decode(mu)
        model.encode(x.flip(0))
        second = torch.cat([model.decode(mu[i : i + 1]) for i in range(len(x))])
        model.encode(1 - x)
        third = model.decode(mu)
        listens = _apart(first, model.decode(mu.flip(0))) > 1e-6
        g = [torch.Generator().manual_seed(5) for _ in range(2)]
        drawn = model.draw(x, g[0])[0]
        whole = model(x, generator=g[1])[0]
        model.encode(1 - x)
        honest = _apart(whole, model.decode(drawn)) < 1e-8
    return torch.tensor(listens and honest and _apart(first, third) + _apart(first, second) < 1e-8)



_right: Callable[..., Any] = clinic.uses_latent



USES_LATENT = Check(
    name="uses_latent",
    asks="whether pictures are those of their codes, whatever image the model has seen",
    section="swap-the-codes",
    oracle=_oracle,  # type: ignore[arg-type]  # a bool
    parts=(
        Part("swap", 3, _value),
        Part("forward", 1, _forward),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("swap-any-change", "swap-the-codes",
           "any change of the picture is enough; a picture must become that of the other code, not a little different.",
           _any_change),
        _m("swap-images-too", "swap-the-codes",
           "the images are swapped with their codes, so what goes past the code is swapped as well.", _images_swapped),
        _m("swap-good-pictures", "swap-the-codes",
           "good reconstructions are taken for a used code; with a way past the code they are best of all.",
           _good_pictures),
        _m("swap-codes-that-vary", "swap-the-codes",
           "codes that vary are taken for codes that are used; look at what the decoder makes of them.",
           lambda model, x: bool((model.encode(x)[0].var(0) > 0.01).any())),
        _m("swap-price-is-paid", "swap-the-codes",
           "a KL above 0 is taken for a used code; a code can be paid for and ignored.",
           lambda model, x: bool(bound.kl_divergence(*model.encode(x)).mean() > 0.01)),
        _m("swap-inverted", "swap-the-codes", "True and False are exchanged: True is for a code that is used.",
           lambda model, x: not _right(model, x)),
        _m("swap-nearer-is-enough", "swap-the-codes",
           "the nearer of two pictures decides; a share that comes past the code goes unnoticed.", _nearer),
        _m("swap-without-change", "swap-the-codes",
           "pictures that are all the same swap perfectly; ask too whether they differ at all.", _without_change),
        _m("swap-forward-unseen", "swap-the-codes",
           "forward is not looked at: it may go another way than encode and decode.", _follows),
        _m("swap-other-noise", "swap-the-codes",
           "draw and forward are compared with different noise, so that no model is healthy.", _other_noise),
        _m("swap-distance", "swap-the-codes", "a distance is returned; the answer is True or False.", _by_distance),
    ),
    equivalents=(_right, _both, _with_a_stranger, lambda model, x: torch.tensor(_both(model, x))),
)
