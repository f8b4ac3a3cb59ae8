"""Hyper-exponential run times: each job is exponential with the mean of a phase drawn for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.distributions import Law, exponential_moments, require_positive
from gpusim.workload.probabilities import Probabilities

FloatArray = NDArray[np.float64]

MAX_PHASES = 16
SHARE_TOLERANCE = 1e-6
_STEPS = 200  # of Newton's method; some ten are used


@dataclass(frozen=True, slots=True)
class HyperExponential(Law):
    """Mixture of exponential distributions, optionally capped.

    Parameters
    ----------
    means : tuple of float
        Mean of each phase before the cap [s]; finite and above 0, at most 16 phases.
    shares : tuple of float
        Probability of each phase; above 0, with sum 1 within 1e-6 (they are normalised).
    cap : float, optional
        Values above it become the cap [s]; finite and above 0.

    Raises
    ------
    WorkloadError
        If a mean or the cap is not finite or not above 0, or the shares are not as said.

    Notes
    -----
    The quantile solves H(x) = -ln P(X > x) = depth. H is concave and rising (a mixture of exponentials ages
    backwards), so Newton's method that starts left of the root never passes it; P(X > x) >= share_i
    e^(-x / mean_i) for each phase gives a start on the left.
    """

    means: tuple[float, ...]
    shares: tuple[float, ...]
    cap: float | None = None

    def __post_init__(self) -> None:
        require_positive(
            "HyperExponential", cap=self.cap, **{f"means[{i}]": mean for i, mean in enumerate(self.means)}
        )
        require_positive("HyperExponential", **{f"shares[{i}]": share for i, share in enumerate(self.shares)})
        total = math.fsum(self.shares)
        if not 1 <= len(self.means) == len(self.shares) <= MAX_PHASES or abs(total - 1.0) > SHARE_TOLERANCE:
            raise WorkloadError(
                Problem(
                    where="HyperExponential",
                    what=f"needs 1 to {MAX_PHASES} phases, whose shares sum to 1",
                    remedy="give each phase a mean and a share",
                    code="workload/distribution-parameter",
                    found=f"{len(self.means)} means, {len(self.shares)} shares with sum {total:g}",
                )
            )
        object.__setattr__(self, "shares", tuple(share / total for share in self.shares))

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Quantile by Newton's method, to 1e-11 relative or 1e-15 of the largest mean."""
        depth = points.depth
        starts = [m * (math.log(w) + depth) for m, w in zip(self.means, self.shares, strict=True)]
        x = np.maximum(np.max(starts, axis=0), depth * min(self.means))
        noise = 1e-15 * max(self.means)
        for _ in range(_STEPS):
            above = np.zeros_like(x)
            density = np.zeros_like(x)
            for m, w in zip(self.means, self.shares, strict=True):
                part = w * np.exp(-x / m)
                above += part
                density += part / m
            step = (np.log(above) + depth) * above / density
            x = np.maximum(x + step, 0.0)
            if np.all(np.abs(step) <= 1e-11 * x + noise):
                break
        return np.asarray(x, dtype=np.float64)

    def above(self, value: float) -> float:
        """Probability of more than `value` before the cap."""
        return math.fsum(w * math.exp(-value / m) for m, w in zip(self.means, self.shares, strict=True))

    def mean(self) -> float:
        """Expected value of min(X, cap) [s]."""
        return self._moment(0)

    def second_moment(self) -> float:
        """Expected value of min(X, cap)^2 [s^2]."""
        return self._moment(1)

    def _moment(self, which: int) -> float:
        return math.fsum(
            w * exponential_moments(m, self.cap)[which] for m, w in zip(self.means, self.shares, strict=True)
        )
