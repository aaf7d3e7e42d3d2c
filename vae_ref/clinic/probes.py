"""Probes: small experiments that tell a healthy VAE from a broken one without reading its code.

A probe takes a model and some images and returns a ``Finding``. It leaves parameters, buffers, modes and the global
random numbers as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_ref.bound import bounded_exp, optimal_sigma, reconstruction_log_likelihood
from vae_ref.clinic.evidence import gradient_reach, sampler_spread
from vae_ref.clinic.finding import Finding, examined, probe_in, require_several
from vae_ref.generation import generate, reconstruct
from vae_ref.latents import active_units
from vae_ref.networks import VAE

LEAST_CHANGE = 1e-3  # share of the difference between images that swapped codes must make in the pictures
NUM_DRAWS = 100  # codes that the sampler probe draws of each image
FEW = 8  # images that are enough for probes that look at every number


def uses_latent(model: VAE, x: Tensor) -> bool:
    """Whether pictures are decoded from their codes: swap the codes of some images, and the pictures must swap.

    Every picture is decoded right after the model has seen other images than the code's, so a model that keeps
    features of the last image for its decoder gives itself away. A model whose ``forward`` hands them over directly is
    caught because its pictures are not those that ``decode`` makes of the same codes. The result does not depend on
    the mode the model is in.

    Args:
        model: a VAE.
        x: images, (B, 3, 64, 64), in [0, 1]; at least 2, not all the same.

    Returns:
        False if pictures keep their place when codes are swapped, or do not depend on them enough to see:
        by less than a thousandth of the mean squared difference between the images.

    Raises:
        TypeError, ValueError: ``x`` is not at least 2 different colour images in [0, 1].
    """
    require_several(x)
    others = x.roll(1, dims=0)
    with examined(model, training=False), torch.no_grad():
        z, x_hat = _with_same_noise(model.draw, x)[0], _with_same_noise(model.forward, x)[0]
        mu, _ = model.encode(x)
        own = _decode_after(model, x, mu)
        swapped = _decode_after(model, x, mu.roll(1, dims=0))
        unseen = _decode_after(model, others, z)
    change = _distance(own, own.roll(1, dims=0))
    if not change > LEAST_CHANGE * _distance(x, others):
        return False
    follows = _distance(swapped, own.roll(1, dims=0)) < 0.25 * _distance(swapped, own)
    bypassed = _distance(x_hat, unseen) > 0.01 * change  # the same codes: only rounding may differ
    return follows and not bypassed


def swap_codes(model: VAE, x: Tensor) -> Finding:
    """Do pictures follow their codes?

    Args:
        model: a VAE.
        x: images, (B, 3, 64, 64), in [0, 1]; at least 2, not all the same. So for all probes.

    Returns:
        The PSNR of pictures decoded from another image's code, dB.

    Raises:
        TypeError, ValueError: ``x`` is not at least 2 different colour images in [0, 1].
    """
    healthy = uses_latent(model, x)
    with examined(model, training=False), torch.no_grad():
        mu, _ = model.encode(x)
        error = _distance(x, _decode_after(model, x, mu.roll(1, dims=0)))
    psnr = -10 * math.log10(max(error, 1e-10))
    message = (
        f"decoded from another image's code, pictures still match their images with {psnr:.1f} dB; "
        "if they do not swap with the codes, they come from somewhere else"
    )
    return Finding("swap_codes", healthy, psnr, message)


@probe_in(training=False)
@torch.no_grad()
def count_active_units(model: VAE, x: Tensor) -> Finding:
    """Does any latent dimension vary with the image?"""
    active = active_units(model.encode(x)[0])
    message = f"{active} of {model.latent_dim} mean codes vary with the image; with none the posterior has collapsed"
    return Finding("count_active_units", active > 0, active, message)


@probe_in(training=False)
@torch.no_grad()
def compare_with_prior(model: VAE, x: Tensor) -> Finding:
    """Do the codes of all images together look like draws from N(0, I)?"""
    mu, logvar = model.encode(x)
    centre = mu.mean(dim=0)
    spread = mu.var(dim=0, correction=0) + bounded_exp(logvar).mean(
        dim=0
    )  # variance of the aggregate posterior
    offset = centre.square().mean().sqrt().item()  # 0 for the prior
    ratio = spread.clamp(min=1e-12).log().mean().exp().item()  # geometric mean over latents, 1 for the prior
    message = (
        f"all codes together have a mean of {offset:.2f} (prior: 0) and a variance of {ratio:.2f} (prior: 1); "
        "where they differ, samples of the prior are codes that the decoder has never seen"
    )
    return Finding(
        "compare_with_prior", offset < 0.3 and 0.5 < ratio < 2, max(offset, abs(math.log(ratio))), message
    )


@probe_in(training=False)
@torch.no_grad()
def ask_the_price(model: VAE, x: Tensor) -> Finding:
    """What does a nat of the code buy? At the minimum of the true bound, one nat of reconstruction."""
    mu, logvar = model.encode(x)
    # −dKL / d log c as the noise of the code grows by c
    kl_saved = -bounded_exp(logvar, torch.expm1).sum(dim=1).mean().item()
    eps = torch.randn_like(mu)
    errors = []
    for factor in (0.9, 1.1):
        x_hat = model.decode(mu + factor * bounded_exp(0.5 * logvar) * eps)
        errors.append(-reconstruction_log_likelihood(x, x_hat, optimal_sigma(x, x_hat)).mean().item())
    lost = (errors[1] - errors[0]) / math.log(1.1 / 0.9)
    price = 1.0 if kl_saved <= 0.1 else lost / kl_saved  # a silent code buys nothing and pays nothing
    message = (
        f"the last nat of the code buys {price:.2f} nats of reconstruction (1 at the minimum of the bound); "
        "the KL is weighted by about that much, whether it was meant or not"
    )
    return Finding("ask_the_price", 0.5 < price < 2, price, message)


def compare_sampler_with_logvar(model: VAE, x: Tensor) -> Finding:
    """Do drawn codes spread by exp(logvar / 2) around mu, in training and in evaluation?"""
    require_several(x)
    spreads = {}
    for mode in (True, False):
        with examined(model, training=mode):
            spreads["training" if mode else "evaluation"] = sampler_spread(model, x[:FEW], NUM_DRAWS)
    worst = max(spreads.values(), key=lambda spread: abs(math.log(max(spread, 1e-12))))
    text = " and ".join(f"{spread:.3f} in {mode}" for mode, spread in spreads.items())
    message = (
        f"the noise of drawn codes is {text} times exp(logvar / 2); "
        "where that is not 1, the KL is charged for another distribution than the one sampled"
    )
    return Finding("compare_sampler_with_logvar", 0.9 < worst < 1.1, worst, message)


@probe_in(training=True)
def follow_gradient(model: VAE, x: Tensor) -> Finding:
    """Does the reconstruction error tell the encoder how to change mu and logvar?"""
    reach = gradient_reach(model, x)
    message = (
        f"the reconstruction's gradient is {reach[0]:.3g} at mu and {reach[1]:.3g} at logvar; "
        "where it is 0 or None, the sample is cut off from the encoder, which then learns from the KL alone"
    )
    healthy = all(0 < value < math.inf for value in reach)
    return Finding("follow_gradient", healthy, min(reach), message)


@probe_in(training=False)
@torch.no_grad()
def look_for_both_signs(model: VAE, x: Tensor) -> Finding:
    """Can mean codes be negative and positive?"""
    mu, _ = model.encode(x)
    share = (mu < 0).float().mean().item()
    message = (
        f"{share:.0%} of the mean codes are negative (about half in a healthy model); "
        "with none the head ends in a ReLU or softplus, and half of the prior is out of reach"
    )
    return Finding("look_for_both_signs", 0.02 < share < 0.98 or not bool(mu.any()), share, message)


@probe_in(training=False)
@torch.no_grad()
def reconstruct_twice(model: VAE, x: Tensor) -> Finding:
    """Does evaluation give the same reconstruction twice?"""
    difference = (reconstruct(model, x[:FEW]) - reconstruct(model, x[:FEW])).abs().max().item()
    message = (
        f"two reconstructions of the same images differ by up to {difference:.3g}; "
        "anything but 0 means that noise or dropout is left on in evaluation"
    )
    return Finding("reconstruct_twice", difference < 1e-6, difference, message)


@probe_in(training=False)
@torch.no_grad()
def look_at_range(model: VAE, x: Tensor) -> Finding:
    """Do pictures lie in [0, 1], like the images?"""
    low, high = torch.stack([reconstruct(model, x[:FEW]), generate(model, len(x[:FEW]))]).aminmax()
    message = (
        f"pictures range from {low.item():.3f} to {high.item():.3f} and images from 0 to 1; "
        "a tanh output belongs to images in [−1, 1] only"
    )
    healthy = low.item() >= -1e-6 and high.item() <= 1 + 1e-6
    return Finding("look_at_range", healthy, min(low.item(), 1 - high.item()), message)


@probe_in(training=False)
@torch.no_grad()
def compare_brightness(model: VAE, x: Tensor) -> Finding:
    """Are pictures as bright as their images on average?"""
    bias = (reconstruct(model, x) - x).mean().item()
    message = (
        f"pictures are {bias:+.3f} brighter than their images on average (0 in a healthy model); "
        "a bias this large comes from a loss whose minimum is not at the image"
    )
    return Finding("compare_brightness", abs(bias) < 0.02, bias, message)


def _distance(a: Tensor, b: Tensor) -> float:
    return (a - b).double().square().mean().item()


def _decode_after(model: VAE, seen: Tensor, z: Tensor) -> Tensor:
    """Decode codes right after the model has encoded some images, which should make no difference."""
    model.encode(seen)
    return model.decode(z)


def _with_same_noise(function: Callable[..., tuple[Tensor, ...]], x: Tensor) -> tuple[Tensor, ...]:
    torch.manual_seed(0)  # for models that ignore their generator; ``examined`` puts the state back
    return function(x, torch.Generator(x.device).manual_seed(0))
