"""What can be read off the codes: a linear probe."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression


def linear_probe(
    codes: np.ndarray, labels: np.ndarray, test_codes: np.ndarray, test_labels: np.ndarray
) -> float:
    """How often a linear classifier names the right class from a mean code.

    Args:
        codes, labels: mean codes (N, L) and classes (N,) of training images.
        test_codes, test_labels: of the images to be scored.

    Returns:
        Share of right first guesses.

    Source: Alain & Bengio, Understanding Intermediate Layers Using Linear Classifier Probes (2016).
    """
    # codes are compared as they are, without scaling up dead coordinates; a hundred images a class need the prior
    # on the weights that C stands for
    probe = LogisticRegression(C=0.01, max_iter=500).fit(codes, labels)
    return float(probe.score(test_codes, test_labels))
