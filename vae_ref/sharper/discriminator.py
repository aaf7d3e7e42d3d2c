"""Chapter 10, the discriminator: a small convolutional network that judges patches of a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 32  # channels at 32×32; twice as many at 16×16, four times at 8×8
SLOPE = 0.2  # of LeakyReLU below 0


class Discriminator(nn.Module):
    """One logit for each patch of an image, with the features on the way to it.

    Strided convolutions overlap: one that reads separate 4×4 blocks could not see the seams between the
    blocks that the decoder paints.

    Source: Isola et al., Image-to-Image Translation with Conditional Adversarial Networks (2017),
    section 3.2.2 (patches).
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                _layer(3, WIDTH),  # (B, 32, 32, 32)
                _layer(WIDTH, 2 * WIDTH),  # (B, 64, 16, 16)
                _layer(2 * WIDTH, 4 * WIDTH),  # (B, 128, 8, 8)
            ]
        )
        self.logits = nn.Conv2d(4 * WIDTH, 1, 3, padding=1)  # (B, 1, 8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge images.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].

        Returns:
            A logit for each patch, (B, 1, 8, 8), and the features of each layer, shallow to deep.
        """
        features = []
        # on a processor the first layer takes a little over half the time with the channels last in memory
        h = (2 * x - 1).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            h = layer(h)
            features.append(h.to(x.dtype))
        return self.logits(h).to(x.dtype), features


def _layer(channels_in: int, channels_out: int) -> nn.Sequential:
    """Half the side: overlapping 4×4 windows in steps of 2."""
    convolution = nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1)
    # features as large as their input (He et al., 2015): torch's default shrinks them at every layer, and a unit
    # of feature distance should mean as much in the last layer as in the first
    nn.init.kaiming_normal_(convolution.weight, SLOPE)
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))
