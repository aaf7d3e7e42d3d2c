"""What can be read off the codes: a linear probe."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NUM_FITTED = 6000  # codes that the probe is fitted on: enough, and it stays quick


def linear_probe(
    codes: np.ndarray, labels: np.ndarray, test_codes: np.ndarray, test_labels: np.ndarray, seed: int = 0
) -> float:
    """How often a linear classifier names the right class from a mean code.

    Args:
        codes, labels: mean codes (N, L) and classes (N,) of training images; 6,000 of them are used.
        test_codes, test_labels: of the images to be scored.
        seed: of the choice of codes.

    Returns:
        Share of right first guesses.

    Source: Alain & Bengio, Understanding Intermediate Layers Using Linear Classifier Probes (2016).
    """
    rows = np.random.default_rng(seed).permutation(len(codes))[:NUM_FITTED]
    # codes are compared as they are: a strong prior on the weights, and no scaling up of dead coordinates
    probe = make_pipeline(StandardScaler(with_std=False), LogisticRegression(C=0.03, max_iter=100))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 100 steps are the probe
        probe.fit(codes[rows], labels[rows])
    return float(probe.score(test_codes, test_labels))
