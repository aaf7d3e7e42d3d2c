"""How far a decoded picture can be believed, frequency by frequency: the Wiener filter.

A decoder that was trained on the sum of squared errors is judged by its strongest frequencies. In the weak ones it
leaves small debris, at the seams of its blocks for instance: invisible, and free as long as all pixels share one σ.
A likelihood that knows how little photos vary there takes debris for evidence and charges thousands of nats. So each
frequency of a decoded picture is first shrunk by as much as it has been wrong before:

    y = DCT · colours · x,    E[y | ŷ] = E[y] + g (ŷ − E[ŷ]),    g = Cov(y, ŷ) / Var(ŷ)

The filter belongs to the decoder's side: it changes what p(x|z) is centred at, not what the code says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor, nn

from vae_ref.inputs import require_pictures, require_shape
from vae_ref.tighter.likelihoods import checked
from vae_ref.tighter.spectrum import dct_matrix

Pair = tuple[Tensor, Tensor]


class JointMoments(nn.Module):
    """Means and covariances of pictures and their decoded counterparts at each frequency.

    Args:
        size: side of the pictures in pixels, S.

    Attributes:
        mean: of the colours of pictures, then of decoded ones, (6, S, S), as distances from mid-grey.
        covariance: of these six numbers, (6, 6, S, S).

    Source: Chan, Golub & LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (1979).
    """

    dct: Tensor
    mean: Tensor
    covariance: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("dct", dct_matrix(size).float(), persistent=False)
        self.register_buffer("mean", torch.zeros(6, size, size))
        self.register_buffer("covariance", torch.zeros(6, 6, size, size))

    @torch.no_grad()
    def follow(self, x: Tensor, x_hat: Tensor, weight: float | Tensor) -> None:
        """Move towards the moments of a batch.

        Args:
            x, x_hat: pictures and decoded ones on the dequantised scale, (B, 3, S, S).
            weight: of the batch, in (0, 1]; what was there keeps the rest.
        """
        require_pictures(x, x_hat)
        weight = torch.as_tensor(weight).to(self.mean)
        both = self.dct @ (torch.cat([x, x_hat], dim=1) - 0.5).to(self.dct) @ self.dct.T  # (B, 6, S, S)
        mean = both.mean(dim=0)
        around = both - mean
        inside = torch.einsum("bchw,bdhw->cdhw", around, around) / len(both)
        apart = mean - self.mean
        # the covariance of a mixture: that inside the parts, and that of their means
        self.covariance.lerp_(inside, weight)
        self.covariance += weight * (1 - weight) * apart[:, None] * apart
        self.mean.lerp_(mean, weight)


class WienerFilter(nn.Module):
    """x̂ ↦ the linear estimate of x from it, one gain and one offset for each colour and frequency.

    Args:
        size: side of the pictures in pixels, S.

    Attributes:
        colours: orthogonal map to colours that are uncorrelated in the pictures, (3, 3).
        gain: g, 0 for a frequency that the decoder does not know and 1 for one that it knows, (3, S, S).
        offset: E[y] − g E[ŷ], measured from mid-grey, (3, S, S).

    Source: Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (1949).
    """

    dct: Tensor
    colours: Tensor
    gain: Tensor
    offset: Tensor

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.register_buffer("dct", dct_matrix(size).float(), persistent=False)
        self.register_buffer("colours", torch.eye(3))
        self.register_buffer("gain", torch.ones(3, size, size))
        self.register_buffer("offset", torch.zeros(3, size, size))

    def forward(self, x_hat: Tensor) -> Tensor:
        """Filter decoded pictures on the dequantised scale, (B, 3, S, S); the result may leave [0, 1]."""
        y = self.dct @ torch.einsum("cd,bdhw->bchw", self.colours, x_hat - 0.5) @ self.dct.T
        y = self.offset + self.gain * y
        # both maps are orthogonal: their transposes undo them
        return torch.einsum("cd,bchw->bdhw", self.colours, self.dct.T @ y @ self.dct) + 0.5

    @torch.no_grad()
    def fit(self, pairs: Iterable[Pair]) -> Self:
        """Set gains and offsets to those with the smallest squared error.

        Args:
            pairs: batches of pictures and decoded ones on the dequantised scale, (B, 3, S, S) each, from training
                pictures.

        Raises:
            TypeError, ValueError: no pair, not floating point, not finite, or other shapes.
        """
        moments, count = JointMoments(len(self.dct)).to(self.dct), 0
        both = checked((self._joined(pair) for pair in pairs), "pairs")
        for x, x_hat in (pair.chunk(2) for pair in both):
            count += len(x)
            moments.follow(x, x_hat, len(x) / count)  # a running mean over all pictures
        self.set_from(moments)
        return self

    def _joined(self, pair: Pair) -> Tensor:
        x, x_hat = pair
        require_pictures(x, x_hat)
        require_shape(x, tuple(self.gain.shape), "x")
        return torch.cat([x, x_hat])

    @torch.no_grad()
    def set_from(self, moments: JointMoments) -> None:
        """Set gains and offsets from moments, the colours included."""
        covariance = moments.covariance
        # the cosine transform keeps lengths: the mean over frequencies is the covariance of a pixel's colours
        turn = eigen_colours(covariance[:3, :3].mean(dim=(2, 3)))[1]
        x_hat_x = torch.einsum("kc,cdhw,kd->khw", turn, covariance[:3, 3:], turn)
        x_hat_x_hat = torch.einsum("kc,cdhw,kd->khw", turn, covariance[3:, 3:], turn)
        gain = x_hat_x / x_hat_x_hat.clamp(min=1e-12)  # 0 where the decoder always says the same
        mean, mean_hat = torch.einsum("kc,ichw->ikhw", turn, moments.mean.unflatten(0, (2, 3)))
        self.colours.copy_(turn)
        self.gain.copy_(gain)
        self.offset.copy_(mean - gain * mean_hat)

    @torch.no_grad()
    def residual_moments(self, moments: JointMoments) -> Tensor:
        """Mean products of the colours of x − filter(x̂) at each frequency, (3, 3, S, S)."""
        # G = Uᵀ diag(g) U in colours;  r = y − G ŷ − o, whose mean is 0 as the offset is fitted
        filtered = torch.einsum("kc,khw,kd->cdhw", self.colours, self.gain, self.colours)
        covariance = moments.covariance
        y_y, y_hat, hat_hat = covariance[:3, :3], covariance[:3, 3:], covariance[3:, 3:]
        cross = torch.einsum("cehw,dehw->cdhw", y_hat, filtered)  # E[y (G ŷ)ᵀ]
        own = torch.einsum("cehw,efhw,dfhw->cdhw", filtered, hat_hat, filtered)
        return y_y - cross - cross.transpose(0, 1) + own


def eigen_colours(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (3,), smallest first, and directions, a row each, (3, 3), in which colours are uncorrelated."""
    # three by three: the processor is at hand for what not every device can do
    values, directions = torch.linalg.eigh(covariance.cpu())
    return values.to(covariance), directions.T.to(covariance)
