"""Distances between two distributions: published definitions, pure functions.

Shares are arrays of the same bins that each sum to 1; counts are the same before division.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from cloudml.profile.distribution import Distribution, Floats

PSI_FLOOR = 1e-4
"""Smallest share in `psi`, where an empty bin would make the logarithm infinite; shares are not scaled again."""


class ChiSquare(NamedTuple):
    statistic: float
    degrees: int
    cramers_v: float


def psi(baseline: Floats, current: Floats) -> float:
    """Population stability index, sum of (c - b) ln(c / b), natural logarithm.

    Siddiqi, Credit Risk Scorecards (2006); the same as the symmetric divergence J of Jeffreys. Customary reading:
    below 0.1 stable, above 0.2 shifted.
    """
    b, c = np.maximum(baseline, PSI_FLOOR), np.maximum(current, PSI_FLOOR)
    return float(np.sum((c - b) * np.log(c / b)))


def js(baseline: Floats, current: Floats) -> float:
    """Jensen-Shannon distance, base 2: the square root of the divergence of Lin (1991); from 0 to 1.

    As ``scipy.spatial.distance.jensenshannon(b, c, base=2)``.
    """
    middle = (baseline + current) / 2
    divergence = (_relative_entropy(baseline, middle) + _relative_entropy(current, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _relative_entropy(p: Floats, q: Floats) -> float:
    """Kullback-Leibler in bits, 0 ln 0 being 0."""
    seen = p > 0
    return float(np.sum(p[seen] * np.log2(p[seen] / q[seen])))


def linf(baseline: Floats, current: Floats) -> float:
    """The largest difference of a share, from 0 to 1; what Vertex AI takes for categories."""
    return float(np.max(np.abs(baseline - current), initial=0.0))


def chi2(baseline: Floats, current: Floats) -> ChiSquare:
    """Pearson's test of homogeneity over two rows of counts.

    The statistic is that of ``scipy.stats.chi2_contingency(table, correction=False)`` and grows with the rows; Cramér's
    V, the square root of statistic / rows for two samples, does not. Bins that are empty in both do not count.
    """
    table = np.stack((baseline, current)).astype(np.float64)
    table = table[:, table.sum(axis=0) > 0]
    total = table.sum()
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / total
    statistic = float(np.sum((table - expected) ** 2 / expected))
    degrees = table.shape[1] - 1
    return ChiSquare(statistic, degrees, float(np.sqrt(statistic / total)) if degrees else 0.0)


def ks(baseline: Distribution, current: Distribution) -> float:
    """Kolmogorov-Smirnov, the largest distance of the two cdfs, from 0 to 1; as ``scipy.stats.ks_2samp``."""
    at = np.concatenate((baseline.values, current.values))
    return float(np.max(np.abs(baseline.cdf(at) - current.cdf(at)), initial=0.0))


def wasserstein(baseline: Distribution, current: Distribution) -> float:
    """The area between the two cdfs, in units of the values; as ``scipy.stats.wasserstein_distance``."""
    at = np.unique(np.concatenate((baseline.values, current.values)))
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1e308 give an infinite distance
        return float(np.sum(np.abs(baseline.cdf(at[:-1]) - current.cdf(at[:-1])) * np.diff(at)))
