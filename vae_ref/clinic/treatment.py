"""Repairs: healthy methods that can be put in the place of a broken one."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import Tensor

from vae_ref.bound import elbo, optimal_sigma
from vae_ref.clinic.pocket import PocketVAE
from vae_ref.sampling import reparameterize

ORGANS = ("encode", "draw", "decode", "loss")


class Donor:
    """Healthy methods for a patient that has the networks ``encoder`` and ``decoder``.

    Each uses the patient's own networks and other methods, so one can be replaced and the others kept.
    """

    encoder: Callable[[Tensor], tuple[Tensor, Tensor]]
    decoder: Callable[[Tensor], Tensor]
    __call__: Callable[..., tuple[Tensor, Tensor, Tensor]]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to mu and logvar, (B, L) each, any numbers."""
        return self.encoder(x)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw z ~ N(mu, exp(logvar)) so that gradients pass: z, mu and logvar, (B, L) each."""
        mu, logvar = self.encode(x)
        return reparameterize(mu, logvar, generator), mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, H, W), from the codes alone."""
        return self.decoder(z)

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The negative bound with the σ that suits the batch best, averaged over the images, ()."""
        x_hat, mu, logvar = self(x, generator)
        return -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat)).mean()


def operate(model: PocketVAE, organ: str, donor: type[Any] = Donor) -> PocketVAE:
    """Replace one method of a patient.

    Args:
        model: changed in place.
        organ: the method's name, one of ``ORGANS``.
        donor: where the new method comes from.

    Returns:
        The same model.

    Raises:
        ValueError: there is no such organ.
    """
    if organ not in ORGANS:
        raise ValueError(f"organ must be one of {', '.join(ORGANS)}, got {organ!r}")
    setattr(model, organ, MethodType(getattr(donor, organ), model))
    return model
