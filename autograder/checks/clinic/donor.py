"""The check of ``Donor``: healthy methods for a patient, each of which replaces a broken one.

Each method is put into a patient whose own is broken; then the number that has to move is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Normal
from torch.distributions import kl_divergence as exact_kl
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.checks.clinic import shared
from autograder.checks.clinic.shared import examination, images
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import bound, clinic
from vae_ref.sampling import reparameterize

NUM_CODES, LATENT_DIM = 512, 8  # whose noise is measured
# 13 standard errors of the root mean square of 4,096 normal numbers, and of their mean
RMS_OFF, MEAN_OFF = 0.15, 0.2


def _after_surgery(probe: Probe, organ: str, call: Call, name: str = "") -> Probe:
    """Take the patient of a probe, replace an organ, and ask for something of it."""
    surgery = (
        Step("Donor", Call(keep="donor")),
        Step("handling.transplant", Call((Handle("model"), Handle("donor"), organ), keep="model")),
    )
    return replace(probe, call=call, on=name or f"model.{organ}", before=(*probe.before, *surgery))


def _encode(g: Generator) -> list[Probe]:
    flicker = examination(g, "an encoder that flickered in evaluation", evaluation=True, flicker=0.5)
    cut = examination(g, "an encoder whose means were never negative", one_sided=True)
    return [_after_surgery(probe, "encode", Call((images(g, 4),))) for probe in (cut, flicker)]


def _decode(g: Generator) -> list[Probe]:
    def probe(patient: Probe, latent_dim: int) -> Probe:
        x, z = images(g, 4), 1.5 * torch.randn(4, latent_dim, generator=g)
        seen = Step("model.encode", Call((x,), keep="seen"))
        asked = _after_surgery(patient, "decode", Call((z,)))
        return replace(asked, before=(*asked.before, seen))

    return [
        probe(examination(g, "a decoder that painted what the encoder saw last", leak=0.8), 4),
        probe(examination(g, "a decoder whose pictures left [0, 1]", latent_dim=3, gain=2.0), 3),
    ]


def _draw(g: Generator) -> list[Probe]:
    seeds = [shared.number(g) for _ in range(2)]
    probes = []
    for evaluation, seed in ((False, seeds[0]), (False, seeds[0]), (False, seeds[1]), (True, seeds[0])):
        codes = torch.randn(2, NUM_CODES, LATENT_DIM, generator=torch.Generator().manual_seed(seeds[0]))
        mu, logvar = codes[0], 0.5 * codes[1] - 1.5
        ill = examination(
            g, "evaluation" if evaluation else "training", 2, LATENT_DIM, evaluation, cut="sample"
        )
        call = Call((Handle("model"), mu, logvar, seed))
        probes.append(_after_surgery(ill, "draw", call, "handling.draw_from"))
    returned = examination(g, "what draw returns", 2, 3, cut="sample", literal=True)
    call = Call((images(g, 4),), {"generator": Seed(shared.number(g))})
    return [
        *probes,
        replace(_after_surgery(returned, "draw", call), after=(Step("model.encode", Call((call.args[0],))),)),
    ]


def _draw_holds(results: list[Any], probes: list[Probe]) -> str:
    *drawn, (returned, codes) = results
    for result, probe in zip(drawn, probes, strict=False):
        mu, logvar = (t.double() for t in probe.call.args[1:3])
        if not (
            isinstance(result, dict)
            and all(isinstance(t, Tensor) and t.shape == mu.shape for t in result.values())
        ):
            return f"draw gave codes of another shape than {tuple(mu.shape)}, that of mu."
        noise = (result["z"].double() - mu) * torch.exp(-0.5 * logvar)
        rms = float(noise.square().mean().sqrt())
        if not abs(rms - 1) < RMS_OFF:
            return (
                f"After the operation the noise in {probe.label} is {rms:.2f} times exp(logvar / 2), not 1."
            )
        if (
            not bool((noise.mean(0).abs() < 13 / math.sqrt(NUM_CODES)).all())
            or abs(float(noise.mean())) > MEAN_OFF
        ):
            return f"In {probe.label} the codes do not lie around mu."
        if bool((noise.std(0) < 0.5).any() or (noise.std(1) < 0.01).any()):
            return (
                f"In {probe.label} images or latents share their noise: each number of a code needs its own."
            )
        if not torch.allclose(result["to_mu"].double(), torch.ones_like(mu), atol=1e-3):
            return "After the operation still no gradient passes from the codes to mu, or another one than 1."
        if not torch.allclose(result["to_logvar"].double(), 0.5 * (result["z"].double() - mu), atol=1e-3):
            return "After the operation z does not move with logvar as mu + exp(logvar / 2) ε does."
    if not torch.allclose(drawn[0]["z"], drawn[1]["z"]) or torch.allclose(drawn[0]["z"], drawn[2]["z"]):
        return "Noise has to come from the generator: the same seed must give the same codes, and another one others."
    if not (
        isinstance(returned, list) and len(returned) == 3 and all(isinstance(t, Tensor) for t in returned)
    ):
        return "draw has to return three tensors: z, mu and logvar."
    if not all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-4)
        for a, b in zip(returned[1:], codes, strict=True)
    ):
        return "draw has to return z, and mu and logvar as the patient's encode gives them."
    return ""


def _loss(g: Generator) -> list[Probe]:
    def probe(label: str, count: int, latent_dim: int, **ailments: Any) -> Probe:
        patient = examination(g, label, count, latent_dim, noise="fixed", **ailments)
        return _after_surgery(patient, "loss", Call((images(g, count),)))

    return [probe("5 images and 4 latents", 5, 4), probe("a single image", 1, 3), probe("8 images", 8, 6)]


class _Oracle:
    """The healthy methods by formulas, in double precision."""

    def encode(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = shared.codes(self, x)
        return mu, logvar

    def decode(self: Any, z: Tensor) -> Tensor:
        return shared.picture(self, z).unflatten(1, self.shape)

    def loss(self: Any, x: Tensor, generator: Any = None) -> Tensor:
        mu, logvar = shared.codes(self, x)
        std = torch.exp(0.5 * logvar)
        x_hat = shared.picture(self, mu + std * self.eps.double())
        x = x.double().flatten(1)
        sigma = (x - x_hat).square().mean().sqrt()
        error = -Normal(x_hat, sigma).log_prob(x).sum(1)
        price = exact_kl(Normal(mu, std), Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(1)
        return (error + price).mean()


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _donor(**methods: Callable[..., Any]) -> Callable[..., Any]:
    """The reference's class with some methods replaced."""
    return type("Donor", (clinic.Donor,), methods)



def _drawing(code: Callable[[Any, Tensor, Tensor, Any], Tensor]) -> Callable[..., Any]:
    """A donor whose draw makes a code of (self, mu, logvar, generator)."""

    def draw(self: Any, x: Tensor, generator: Any = None) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return code(self, mu, logvar, generator), mu, logvar

    return _donor(draw=draw)



def _noise(mu: Tensor, generator: Any, *shape: int) -> Tensor:
    return torch.randn(shape or mu.shape, generator=generator, dtype=mu.dtype)



def _losing(terms: Callable[..., Tensor]) -> Callable[..., Any]:
    """A donor whose loss is made of (x, x_hat, mu, logvar)."""
    return _donor(loss=lambda self, x, generator=None: terms(x, *self(x, generator)))



def _sampled(model: Any, x: Tensor) -> Tensor:
    mu, logvar = model.encoder(x)
    return reparameterize(mu, logvar, torch.Generator().manual_seed(0))



def _nll(x: Tensor, x_hat: Tensor) -> Tensor:
    return -bound.reconstruction_log_likelihood(x, x_hat, bound.optimal_sigma(x, x_hat))



class _Inherited(clinic.Donor):
    """Right as well: methods that come from elsewhere."""


class _ByHand:
    """Right as well: written out, without the reference's functions, and with nothing to inherit from."""

    def encode(self: Any, x: Tensor) -> Any:
        return self.encoder(x)

    def draw(self: Any, x: Tensor, generator: Any = None) -> Any:
        mu, logvar = self.encode(x)
        return mu + logvar.exp().sqrt() * _noise(mu, generator), mu, logvar

    def decode(self: Any, z: Tensor) -> Any:
        return self.decoder(z)

    def loss(self: Any, x: Tensor, generator: Any = None) -> Any:
        x_hat, mu, logvar = self.forward(x, generator=generator)
        variance = F.mse_loss(x_hat, x)
        error = 0.5 * x.numel() * (1 + torch.log(2 * math.pi * variance)) / len(x)
        return error - 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / len(x)



DONOR = Check(
    name="Donor",
    asks="four healthy methods: encode, draw, decode and loss",
    section="repairs",
    oracle=_Oracle,  # type: ignore[arg-type]  # a class
    parts=(
        Part("encode", 1, _encode),
        Part("decode", 1, _decode),
        Part("draw", 2, _draw, _draw_holds),
        Part("loss", 2, _loss),
    ),
    misconceptions=(
        _m("donor-encode-relu", "repairs", "the means still go through a ReLU: half of the prior stays out of reach.",
           _donor(encode=lambda self, x: (self.encoder(x)[0].relu(), self.encoder(x)[1]))),
        _m("donor-encode-tanh", "repairs", "the means go through a tanh; a linear head may say any number.",
           _donor(encode=lambda self, x: (self.encoder(x)[0].tanh(), self.encoder(x)[1]))),
        _m("donor-encode-swapped", "repairs", "encode returns logvar before mu.",
           _donor(encode=lambda self, x: self.encoder(x)[::-1])),
        _m("donor-encode-samples", "repairs", "encode still returns a sample; it belongs into draw.",
           _donor(encode=lambda self, x: (_sampled(self, x), self.encoder(x)[1]))),
        _m("donor-decode-clamped", "repairs",
           "the broken method is called and its pictures are cut to [0, 1]: what was wrong is still in them.",
           _donor(decode=lambda self, z: type(self).decode(self, z).clamp(0, 1))),
        _m("donor-decode-old", "repairs", "the broken method is called again.",
           _donor(decode=lambda self, z: type(self).decode(self, z))),
        _m("donor-decode-tanh", "repairs", "pictures go through a tanh; images lie in [0, 1].",
           _donor(decode=lambda self, z: torch.tanh(self.decoder(z)))),
        _m("donor-decode-second-sigmoid", "repairs", "pictures go through a second sigmoid.",
           _donor(decode=lambda self, z: torch.sigmoid(self.decoder(z)))),
        _m("donor-draw-logvar", "repairs", "logvar is still the standard deviation of the noise.",
           _drawing(lambda self, mu, logvar, g: mu + logvar * _noise(mu, g))),
        _m("donor-draw-variance", "repairs", "exp(logvar), the variance, is the standard deviation of the noise.",
           _drawing(lambda self, mu, logvar, g: mu + logvar.exp() * _noise(mu, g))),
        _m("donor-draw-mean", "repairs", "mu itself is returned: the KL is paid for noise that is never drawn.",
           _drawing(lambda self, mu, logvar, g: mu + 0 * logvar)),
        _m("donor-draw-no-noise-in-evaluation", "repairs", "no noise is drawn in evaluation; draw always draws.",
           _drawing(lambda self, mu, logvar, g: reparameterize(mu, logvar, g) if self.training else mu)),
        _m("donor-draw-detached", "repairs", "the sample is still cut off: detached, or drawn under no_grad.",
           _drawing(lambda self, mu, logvar, g: reparameterize(mu, logvar, g).detach())),
        _m("donor-draw-std-detached", "repairs", "the standard deviation is cut off: logvar learns from the KL alone.",
           _drawing(lambda self, mu, logvar, g: reparameterize(mu, logvar.detach(), g))),
        _m("donor-draw-shared-noise", "repairs", "all images of a batch get the same noise.",
           _drawing(lambda self, mu, logvar, g: mu + torch.exp(0.5 * logvar) * _noise(mu, g, 1, mu.shape[1]))),
        _m("donor-draw-ignores-generator", "repairs", "the generator that is passed in is not used.",
           _drawing(lambda self, mu, logvar, g: reparameterize(mu, logvar))),
        _m("donor-draw-code-only", "repairs", "draw returns the code alone, without mu and logvar.",
           _donor(draw=lambda self, x, generator=None: clinic.Donor.draw(self, x, generator)[0])),
        _m("donor-loss-mean-over-pixels", "repairs", "the error is still averaged over pixels beside a summed KL.",
           _losing(lambda x, x_hat, mu, logvar:
                   (_nll(x, x_hat) / x[0].numel() + bound.kl_divergence(mu, logvar)).mean())),
        _m("donor-loss-mse", "repairs", "the error is the mean squared error: no likelihood, and averaged over pixels.",
           _losing(lambda x, x_hat, mu, logvar: F.mse_loss(x_hat, x) + bound.kl_divergence(mu, logvar).mean())),
        _m("donor-loss-averaged-kl", "repairs", "the KL is still averaged over latents.",
           _losing(lambda x, x_hat, mu, logvar:
                   (_nll(x, x_hat) + bound.kl_divergence(mu, logvar) / mu.shape[1]).mean())),
        _m("donor-loss-unit-sigma", "repairs", "σ is 1; take the σ that suits the batch best.",
           _losing(lambda x, x_hat, mu, logvar: -bound.elbo(x, x_hat, mu, logvar).mean())),
        _m("donor-loss-bound", "repairs", "the bound itself is returned; a loss is to be made small.",
           _losing(lambda x, x_hat, mu, logvar: -(_nll(x, x_hat) + bound.kl_divergence(mu, logvar)).mean())),
        _m("donor-loss-for-each", "repairs", "one number for each image is returned; take their mean.",
           _losing(lambda x, x_hat, mu, logvar: _nll(x, x_hat) + bound.kl_divergence(mu, logvar))),
        _m("donor-loss-summed", "repairs", "the images are summed; take their mean.",
           _losing(lambda x, x_hat, mu, logvar: (_nll(x, x_hat) + bound.kl_divergence(mu, logvar)).sum())),
        _m("donor-loss-cross-entropy", "repairs", "the error is a cross-entropy, made for pixels that are 0 or 1.",
           _losing(lambda x, x_hat, mu, logvar: (F.binary_cross_entropy(x_hat, x, reduction="none").flatten(1).sum(1)
                                                 + bound.kl_divergence(mu, logvar)).mean())),
    ),
    equivalents=(clinic.Donor, _ByHand, _Inherited),
)
