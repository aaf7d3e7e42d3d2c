"""Chapter 09, honest numbers: what a log-likelihood means in bits."""

from __future__ import annotations

import math

from torch import Tensor


def bits_per_dim(log_likelihood: Tensor, num_dims: int) -> Tensor:
    """Bits that a pixel value of an 8-bit image costs under a density of pixels in [0, 1].

    A grey level is an interval 1/256 wide. With x = (level + u) / 256 and u uniform in [0, 1), the mean
    log density of x is at most the log probability of the level plus log 256: so this number is then an upper
    bound on the bits of a code for the levels. Without the noise u it bounds nothing.

    Args:
        log_likelihood: log p(x) or a lower bound on it, nats per image, (B,).
        num_dims: pixels times channels, D.

    Returns:
        −log p / (D log 2) + 8, (B,); 8 for the uniform density.

    Source: Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models (2016), section 3.1.
    """
    return -log_likelihood / (num_dims * math.log(2)) + 8
