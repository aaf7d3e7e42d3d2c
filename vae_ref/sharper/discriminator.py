"""Chapter 10, the discriminator: a small convolutional network that judges patches of a picture."""

from __future__ import annotations

from torch import Tensor, nn

WIDTH = 32  # channels at 32×32; twice as many at 16×16, four times at 8×8


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
        h = 2 * x - 1
        for layer in self.layers:
            h = layer(h)
            features.append(h)
        return self.logits(h).to(x.dtype), features


def _layer(channels_in: int, channels_out: int) -> nn.Sequential:
    """Half the side: overlapping 4×4 windows in steps of 2."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
