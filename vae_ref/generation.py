"""Chapter 06: reconstruct images, generate new ones, walk from one to another, and see where codes lie."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vae_ref.bound import log_normal
from vae_ref.inputs import require_float, require_images
from vae_ref.networks import VAE, draw_prior


@torch.no_grad()
def reconstruct(model: VAE, x: Tensor) -> Tensor:
    """Decode the means of the codes of some images: a reconstruction to look at, without sampling noise.

    Args:
        model: a VAE.
        x: images, (B, 3, 64, 64), in [0, 1].

    Returns:
        Reconstructions, (B, 3, 64, 64), in [0, 1].

    Raises:
        TypeError, ValueError: ``x`` is not a batch of colour images in [0, 1].
    """
    require_images(x)
    mu, _ = model.encode(x)
    return model.decode(mu)


@torch.no_grad()
def generate(model: VAE, num_images: int, generator: torch.Generator | None = None) -> Tensor:
    """Decode codes drawn from the prior, N(0, I) if none was learned; the encoder has no part in it.

    Args:
        model: a VAE.
        num_images: how many, B, at least 1.
        generator: source of the codes; the global one if None.

    Returns:
        Images, (B, 3, 64, 64), in [0, 1].

    Raises:
        ValueError: ``num_images`` is below 1.
    """
    if num_images < 1:
        raise ValueError(f"num_images must be at least 1, got {num_images}")
    return model.decode(draw_prior(model, num_images, generator))


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point at share t of the straight line from a to b: exactly a at 0 and exactly b at 1.

    Args:
        a, b: codes, (..., L).
        t: share in [0, 1]; a number, or a tensor that broadcasts against the codes.

    Returns:
        The point, (..., L); with a tensor ``t`` the shape that all three broadcast to.

    Raises:
        TypeError, ValueError: not floating point, or codes of different length.
    """
    _require_same_length(a, b)
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point at share t of the arc from a to b: exactly a at 0 and exactly b at 1.

    Codes of a Gaussian in L dimensions lie near a sphere of radius √L, and a straight line cuts through its
    inside. Where there is no unique arc (parallel, opposite or zero codes) the line is taken.

    Args:
        a, b: codes, (..., L).
        t: share in [0, 1]; a number, or a tensor that broadcasts against the codes.

    Returns:
        The point, (..., L); with a tensor ``t`` the shape that all three broadcast to.

    Raises:
        TypeError, ValueError: not floating point, or codes of different length.

    Source: Shoemake, Animating Rotation with Quaternion Curves (1985); White, Sampling Generative Networks
    (2016).
    """
    _require_same_length(a, b)
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    unit_a, unit_b = (code / length.clamp(min=1e-12) for code, length in zip((a, b), lengths, strict=True))
    # the angle between the codes; the arc cosine of their product loses half of the digits where codes are opposite
    apart, together = ((unit_a + sign * unit_b).norm(dim=-1, keepdim=True) for sign in (-1, 1))
    omega = 2 * torch.atan2(apart, together)
    sine = torch.sin(omega)
    # sin((1 − t) Ω) / sin Ω · a  +  sin(t Ω) / sin Ω · b
    arc = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / sine.clamp(min=1e-6)
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    # at the ends the line is exact, and the arc is but for rounding
    return torch.where(
        (sine < 1e-4) | (lengths[0] * lengths[1] == 0) | (t == 0) | (t == 1), lerp(a, b, t), arc
    )


@torch.no_grad()
def interpolate(model: VAE, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Tensor:
    """Decode codes on the way from one image's code to another's.

    Args:
        model: a VAE.
        x_a, x_b: one image each, (3, 64, 64), in [0, 1].
        num_steps: number of images, at least 2, both ends included.
        method: "slerp" or "lerp".

    Returns:
        Images, (num_steps, 3, 64, 64); the first and last are the reconstructions of ``x_a`` and ``x_b``.

    Raises:
        TypeError, ValueError: another method, fewer than 2 steps, or not one colour image in [0, 1] each.
    """
    paths = {"slerp": slerp, "lerp": lerp}
    if method not in paths:
        raise ValueError(f"method must be 'slerp' or 'lerp', got {method!r}")
    if num_steps < 2:
        raise ValueError(f"num_steps must be at least 2, got {num_steps}")
    for name, x in (("x_a", x_a), ("x_b", x_b)):
        require_images(x[None], name)
    mu, _ = model.encode(torch.stack([x_a, x_b]))  # (2, L)
    t = torch.linspace(0, 1, num_steps, device=mu.device, dtype=mu.dtype)[:, None]  # (num_steps, 1)
    z = paths[method](mu[:1], mu[1:], t)
    return model.decode(z)


def log_aggregated_posterior(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log density of codes under the mean of the posteriors of N images: where the codes of a data set really lie.

    Args:
        z: codes, (B, L).
        mu, logvar: posteriors of N images, (N, L) each.

    Returns:
        log q(z) = log 1/N Σₙ N(z; muₙ, exp(logvarₙ)) in nats, (B,).

    Raises:
        TypeError, ValueError: not floating point, other shapes, or no image at all.

    Source: Hoffman & Johnson, ELBO Surgery (2016).
    """
    require_float(z=z, mu=mu, logvar=logvar)
    if (
        mu.dim() != 2
        or len(mu) == 0
        or mu.shape != logvar.shape
        or z.dim() != 2
        or z.shape[1:] != mu.shape[1:]
    ):
        raise ValueError(
            f"z must be (B, L), mu and logvar (N, L) with N at least 1, got {tuple(z.shape)}, {tuple(mu.shape)} and "
            f"{tuple(logvar.shape)}"
        )
    log_densities = []
    for code in z:  # one after the other: all pairs at once are B · N · L numbers
        log_q = log_normal(code.expand_as(mu), mu, logvar)  # (N,)
        # a mean of densities, not of their logs; logsumexp because densities far away are 0 in floating point
        log_densities.append(torch.logsumexp(log_q, dim=0) - math.log(len(mu)))
    return torch.stack(log_densities) if log_densities else z.new_empty(0)


def _require_same_length(a: Tensor, b: Tensor) -> None:
    require_float(a=a, b=b)
    if a.dim() == 0 or b.dim() == 0 or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a and b must be codes of one length, got {tuple(a.shape)} and {tuple(b.shape)}")
