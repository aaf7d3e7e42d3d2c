"""Does each number of the code say one thing? MIG and DCI, for data whose factors are known."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mutual_info_score
from tqdm.auto import tqdm

NUM_BINS = 20
NUM_FITTED = 2000  # codes that the regressions of DCI are fitted on


def mutual_information_gap(codes: np.ndarray, factors: np.ndarray) -> float:
    """MIG: how much more the best coordinate tells about a factor than the second best, mean over factors.

    Coordinates and factors are cut into 20 bins of equal counts, so a bent but monotonic axis loses nothing.

    Args:
        codes: mean codes, (N, L), L at least 2, N a few thousand.
        factors: their factors, (N, K).

    Returns:
        1 when every factor has a coordinate of its own that determines it, 0 when none stands out.

    Raises:
        ValueError: codes have fewer than 2 coordinates, numbers differ, or a factor never varies.

    Source: Chen et al., Isolating Sources of Disentanglement in VAEs (2018), section 4.
    """
    _require_pairs(codes, factors)
    binned_codes, binned_factors = _bins(codes), _bins(factors)
    gaps = []
    for k, factor in enumerate(binned_factors.T):
        entropy = mutual_info_score(factor, factor)  # I(v; v) = H(v)
        if entropy == 0:
            raise ValueError(f"factor {k} is the same for all {len(factor)} codes; leave it out")
        told = sorted(mutual_info_score(coordinate, factor) for coordinate in binned_codes.T)
        gaps.append((told[-1] - told[-2]) / entropy)
    return float(np.mean(gaps))


def dci(
    codes: np.ndarray, factors: np.ndarray, test_codes: np.ndarray, test_factors: np.ndarray
) -> dict[str, float]:
    """Disentanglement, completeness and informativeness, from how boosted trees predict factors from codes.

    Args:
        codes, factors: mean codes (N, L), L at least 2, and factors (N, K), K at least 2, for fitting; the
            first 2,000 are used.
        test_codes, test_factors: others, for scoring.

    Returns:
        "disentanglement": 1 when every coordinate is important for one factor only. "completeness": 1 when
        every factor needs one coordinate only. "informativeness": share of the factors' variance that is
        predicted on the others, mean over factors.

    Raises:
        ValueError: there are fewer than 2 coordinates or factors, numbers differ, or a factor never varies.

    Source: Eastwood & Williams, A Framework for the Quantitative Evaluation of Disentangled Representations
    (2018), section 2.
    """
    _require_pairs(codes, factors)
    _require_pairs(test_codes, test_factors)
    if (
        factors.shape[1] < 2
        or test_codes.shape[1:] != codes.shape[1:]
        or test_factors.shape[1:] != factors.shape[1:]
    ):
        raise ValueError(
            f"factors must be (N, K) with K at least 2 and the test side like the other, got {codes.shape}, "
            f"{factors.shape}, {test_codes.shape} and {test_factors.shape}"
        )
    for k, (fitted, scored) in enumerate(zip(factors[:NUM_FITTED].T, test_factors.T, strict=True)):
        if np.ptp(fitted) == 0 or np.ptp(scored) == 0:
            raise ValueError(f"factor {k} is the same for all codes; leave it out")
    importance = np.zeros((codes.shape[1], factors.shape[1]))  # (L, K)
    explained = []
    for k in tqdm(range(factors.shape[1]), desc="DCI", unit="factor", leave=False):
        trees = GradientBoostingRegressor(n_estimators=50, max_depth=4, subsample=0.5, random_state=0)
        trees.fit(codes[:NUM_FITTED], factors[:NUM_FITTED, k])
        importance[:, k] = trees.feature_importances_
        explained.append(trees.score(test_codes, test_factors[:, k]))
    weights = importance.sum(axis=1) / max(
        importance.sum(), 1e-12
    )  # of each coordinate; 0 where no code says anything
    return {
        "disentanglement": float((weights * _concentration(importance)).sum()),
        "completeness": float(_concentration(importance.T).mean()),
        "informativeness": float(np.mean(explained)),
    }


def _concentration(importance: np.ndarray) -> np.ndarray:
    """1 − entropy of each row as a share of the largest possible: 1 for one entry, 0 for equal ones and for none."""
    total = importance.sum(axis=1)
    shares = importance / np.maximum(total, 1e-12)[:, None]
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    return np.where(total > 0, 1 - entropy / np.log(importance.shape[1]), 0.0)


def _bins(values: np.ndarray) -> np.ndarray:
    """The bin of each value among ``NUM_BINS`` of equal counts in its column; equal values share a bin."""
    inner = np.linspace(0, 1, NUM_BINS + 1)[1:-1]
    return np.stack([np.searchsorted(np.quantile(column, inner), column) for column in values.T], axis=1)


def _require_pairs(codes: np.ndarray, factors: np.ndarray) -> None:
    if codes.ndim != 2 or codes.shape[1] < 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(
            "codes and factors must have shapes (N, L) and (N, K) with L at least 2, "
            f"got {codes.shape} and {factors.shape}"
        )
