"""How close pictures are to others, and how sharp they are."""

from __future__ import annotations

import torch
from torch import Tensor

HIGH_FREQUENCY = 0.25  # cycles a pixel, half of the highest that a pixel grid can hold


def psnr(x: Tensor, x_hat: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, 10 log₁₀(1 / mean squared error), dB, (B,)."""
    error = (x - x_hat).square().flatten(1).mean(dim=1)
    return -10 * torch.log10(error.clamp(min=1e-10))


def ssim(x: Tensor, x_hat: Tensor) -> Tensor:
    """Structural similarity of each image, 1 for equal pictures, (B,).

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity (2004);
    Gaussian window of 11 pixels, mean over colour channels.
    """
    # takes as long to import as torch, and training has no use for it
    from torchmetrics.functional.image import structural_similarity_index_measure

    each = structural_similarity_index_measure(x_hat, x, data_range=1.0, reduction="none")
    assert isinstance(each, Tensor)  # a tuple only when asked for the whole map
    return each.reshape(len(x))


def high_frequency_share(x: Tensor) -> Tensor:
    """Share of the pictures' contrast that lies in fine detail: blur lowers it, noise raises it.

    Args:
        x: images, (B, C, H, W).

    Returns:
        Energy of all frequencies above half the highest (a radius of 0.25 cycles a pixel), over the energy of
        all but the mean colour, both summed over the images; in [0, 1], (); 0 for pictures without contrast.
    """
    height, width = x.shape[-2:]
    energy = torch.fft.fft2(x.double()).abs().square().sum(dim=(0, 1))  # (H, W)
    energy[0, 0] = 0  # the mean colour
    rows, columns = torch.fft.fftfreq(height), torch.fft.fftfreq(width)
    radius = (rows[:, None].square() + columns.square()).sqrt()
    return energy[radius > HIGH_FREQUENCY].sum() / energy.sum().clamp(min=1e-12)
