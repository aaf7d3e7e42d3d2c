"""The check of ``high_frequency_share``.

Asked for: the share of the pictures' energy, without the mean colour, in frequencies above 0.25 cycles a pixel. The
oracle filters with cosines and sines that it writes down, not with a fast Fourier transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref.evaluation.pictures import high_frequency_share


def _waves(side: int) -> tuple[Tensor, Tensor]:
    """The Fourier matrix of a row of pixels, (side, side), and the cycles a pixel of each of its rows."""
    places = torch.arange(side, dtype=torch.float64)
    whole = torch.where(places < (side + 1) // 2, places, places - side)
    return torch.exp(-2j * math.pi * whole[:, None] * places / side), whole.abs() / side


def _oracle(x: Tensor) -> Tensor:
    (down, rows), (across, columns) = (_waves(side) for side in x.shape[-2:])
    energy = (down @ x.to(down.dtype) @ across.T).abs().square().sum(dim=(0, 1))
    energy = torch.where((rows[:, None] == 0) & (columns == 0), torch.zeros(()).double(), energy)
    fine = rows[:, None].square() + columns.square() > 1 / 16
    return (energy * fine).sum() / energy.sum().clamp(min=1e-12)


def _pictures(g: Generator, count: int, channels: int, height: int, width: int) -> Tensor:
    """Noise smoothed more and less, of more and less contrast, so that no picture is like another."""
    noise = torch.randn(count, channels, height + 4, width + 4, generator=g)
    smooth = noise.unfold(2, 5, 1).unfold(3, 3, 1).mean(dim=(-2, -1))[..., :width]
    amount = torch.linspace(0.2, 0.8, count)[:, None, None, None]
    contrast = torch.linspace(0.05, 0.25, count)[:, None, None, None]
    mixed = amount * noise[..., 2:-2, 2:-2] + 2 * smooth
    tint = 0.1 * torch.rand(count, channels, 1, 1, generator=g) + 0.45
    return (tint + contrast * mixed).clamp(0, 1)


def _value(g: Generator) -> list[Probe]:
    shapes = ((4, 3, 16, 24), (3, 3, 32, 16), (5, 1, 24, 24))
    return [
        Probe(Call((_pictures(g, *shape),)), f"pictures of shape {shape}", torch.tensor(2e-4))
        for shape in shapes
    ]


def _edges(g: Generator) -> list[Probe]:
    rows = torch.arange(16) % 2
    # a coarse wave that has no fine detail at all, and a fine one that is nothing else
    coarse = (0.5 + 0.3 * torch.cos(2 * math.pi * 2 * torch.arange(16) / 16)).expand(2, 3, 16, 16)
    tolerance = torch.tensor(2e-4)
    return [
        Probe(Call((_pictures(g, 1, 3, 64, 64),)), "a single picture of 64×64", tolerance),
        Probe(Call((coarse.contiguous(),)), "a wave of 8 pixels", tolerance),
        Probe(Call((rows.float().expand(2, 3, 16, 16).contiguous(),)), "stripes one pixel wide", tolerance),
        Probe(Call((_pictures(g, 2, 3, 16, 16).double(),)), "float64", tolerance),
    ]


def _flat(g: Generator) -> list[Probe]:
    grey = (1 + int(torch.randint(3, (), generator=g))) / 4  # a number whose sums are exact
    call = Call((torch.full((2, 3, 16, 16), grey),))
    return [Probe(call, "pictures of a single colour", torch.tensor(2e-4))]


def _no_detail(results: list[Any], _: list[Probe]) -> str:
    if all(bool(torch.as_tensor(result).isfinite().all()) for result in results):
        return ""
    return "Of pictures of a single colour, it returned no number: 0 is divided by 0."


def _itself(result: Any) -> Any:
    return result


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _spectrum(x: Tensor) -> Tensor:
    """Energy of each frequency without the mean colour, (B, C, H, W)."""
    energy = torch.fft.fft2(x.double()).abs().square()
    energy[..., 0, 0] = 0
    return energy



def _radius(x: Tensor) -> Tensor:
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64) for side in x.shape[-2:])
    return (rows[:, None].square() + columns.square()).sqrt()



def _safe(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.clamp(min=1e-12)



def _fine(mask: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A variant that takes other frequencies for fine ones, ``mask(x)``, (H, W)."""
    return lambda x: _safe((_spectrum(x) * mask(x)).sum(), _spectrum(x).sum())



def _beyond(threshold: float) -> Callable[[Tensor], Tensor]:
    return _fine(lambda x: _radius(x) > threshold)



def _with_mean_colour(x: Tensor) -> Tensor:
    energy = torch.fft.fft2(x.double()).abs().square()
    return (energy * (_radius(x) > 0.25)).sum() / energy.sum()



def _by_axis(x: Tensor) -> Tensor:
    rows, columns = (torch.fft.fftfreq(side).abs() for side in x.shape[-2:])
    return torch.maximum(rows[:, None], columns.expand(x.shape[-2], -1)) > 0.25



def _off_centre(x: Tensor) -> Tensor:
    """The spectrum is shifted so that coarse frequencies stand in the middle; the mask is not."""
    shifted = torch.fft.fftshift(_spectrum(x), dim=(-2, -1))
    return _safe((shifted * (_radius(x) > 0.25)).sum(), shifted.sum())



def _half_plane(x: Tensor) -> Tensor:
    energy = torch.fft.rfft2(x.double()).abs().square()
    energy[..., 0, 0] = 0
    rows, columns = torch.fft.fftfreq(x.shape[-2]), torch.fft.rfftfreq(x.shape[-1])
    mask = (rows[:, None].square() + columns.square()).sqrt() > 0.25
    return _safe((energy * mask).sum(), energy.sum())



def _half_plane_twice(x: Tensor) -> Tensor:
    """Right as well: half of the frequencies mirror the others, but for the columns that mirror themselves."""
    width = x.shape[-1]
    energy = torch.fft.rfft2(x.double() - x.double().mean((-2, -1), keepdim=True)).abs().square()
    twice = torch.full((energy.shape[-1],), 2.0, dtype=torch.float64)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    rows, columns = torch.fft.fftfreq(x.shape[-2]), torch.fft.rfftfreq(width)
    fine = rows[:, None] ** 2 + columns**2 > 0.0625
    total = (energy * twice).sum()
    return (energy * twice)[..., fine].sum() / total if total > 1e-9 else torch.zeros(())



def _by_filtering(x: Tensor) -> Tensor:
    """Right as well: what is left when the coarse frequencies are taken away; its variance is its energy."""
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    spectrum = torch.fft.fft2(centred.double())
    detail = torch.fft.ifft2(torch.where(_radius(x) > 0.25, spectrum, 0j)).real
    return detail.square().sum() / centred.double().square().sum().clamp(min=1e-9)



HIGH_FREQUENCY_SHARE = Check(
    name="high_frequency_share",
    asks="the share of the contrast's energy that lies in frequencies above 0.25 cycles a pixel, one number",
    section="sharpness",
    oracle=_oracle,
    parts=(
        Part("value", 2, _value),
        Part("edge cases", 1, _edges),
        Part("no contrast", 1, _flat, _no_detail, _itself),
    ),
    misconceptions=(
        _m("fine-detail-mean-colour", "sharpness",
           "the mean colour is counted as contrast: set the energy at frequency 0 to 0.", _with_mean_colour),
        _m("fine-detail-amplitudes", "sharpness", "amplitudes are added instead of energies: square them.",
           lambda x: _safe((_spectrum(x).sqrt() * (_radius(x) > 0.25)).sum(), _spectrum(x).sqrt().sum())),
        _m("fine-detail-share-of-coarse", "sharpness", "that is the share of the coarse frequencies.",
           lambda x: 1 - _beyond(0.25)(x)),
        _m("fine-detail-ratio-to-coarse", "sharpness",
           "fine detail is divided by the rest; a share is a part of the whole.",
           lambda x: _safe((_spectrum(x) * (_radius(x) > 0.25)).sum(), (_spectrum(x) * (_radius(x) <= 0.25)).sum())),
        _m("fine-detail-not-divided", "sharpness", "the energy of fine detail is not divided by the whole.",
           lambda x: (_spectrum(x) * (_radius(x) > 0.25)).sum()),
        _m("fine-detail-mean-of-shares", "sharpness",
           "the shares of single pictures are averaged; energies are added over the pictures first.",
           lambda x: _safe((_spectrum(x) * (_radius(x) > 0.25)).sum((1, 2, 3)),
                           _spectrum(x).sum((1, 2, 3))).mean()),
        _m("fine-detail-per-picture", "sharpness", "there is one number for each picture; one for all is asked for.",
           lambda x: _safe((_spectrum(x) * (_radius(x) > 0.25)).sum((1, 2, 3)), _spectrum(x).sum((1, 2, 3)))),
        _m("fine-detail-angular-frequency", "sharpness",
           "frequencies are taken as radians a pixel: 0.25 cycles are π/2 radians.", _beyond(0.25 / (2 * math.pi))),
        _m("fine-detail-from-an-eighth", "sharpness", "the limit is half of what it should be.", _beyond(0.125)),
        _m("fine-detail-beyond-half", "sharpness", "the limit lies at 0.5, where only the corners are left.",
           _beyond(0.5)),
        _m("fine-detail-limit-included", "sharpness", "the frequency 0.25 itself is counted: above means above.",
           _fine(lambda x: _radius(x) >= 0.25)),
        _m("fine-detail-square-not-circle", "sharpness",
           "each direction is judged by itself; the frequency of a slanted wave is the root of the sum of squares.",
           _fine(_by_axis)),
        _m("fine-detail-rows-only", "sharpness",
           "only vertical frequencies are looked at; waves run in all directions.",
           _fine(lambda x: torch.fft.fftfreq(x.shape[-2])[:, None].abs().expand(x.shape[-2:]) > 0.25)),
        _m("fine-detail-columns-only", "sharpness",
           "only horizontal frequencies are looked at; waves run in all directions.",
           _fine(lambda x: torch.fft.fftfreq(x.shape[-1]).abs().expand(x.shape[-2:]) > 0.25)),
        _m("fine-detail-off-centre", "sharpness",
           "energies are shifted (fftshift) and frequencies are not, or the other way round.", _off_centre),
        _m("fine-detail-half-plane", "sharpness",
           "rfft2 leaves out the mirrored half of the frequencies, which then count half; use fft2.", _half_plane),
        _m("fine-detail-no-contrast", "sharpness", "pictures without contrast give 0/0; they have no fine detail.",
           lambda x: (_spectrum(x) * (_radius(x) > 0.25)).sum() / _spectrum(x).sum().clamp(min=1e-6).sub(1e-6)),
    ),
    equivalents=(
        high_frequency_share,
        _beyond(0.25),
        _half_plane_twice,
        _by_filtering,
    ),
)
