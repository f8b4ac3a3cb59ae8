"""Points of the unit interval, with what quantile functions need of them, worked out once.

A quantile table asks every law for its quantiles at the same some ten thousand points. Their normal scores and
exponential depths do not depend on the law, so they are kept with the points: a lognormal table then costs one
exponential a point.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpusim.workload.normal_score import normal_quantile

FloatArray = NDArray[np.float64]


class Probabilities:
    """Probability below and above each of some points; both, to keep the tails exact.

    Parameters
    ----------
    below, above : array_like of float64
        `above` = 1 - `below`.
    """

    def __init__(self, below: ArrayLike, above: ArrayLike) -> None:
        self.below: FloatArray
        self.above: FloatArray
        self.below, self.above = np.broadcast_arrays(
            np.asarray(below, dtype=np.float64), np.asarray(above, dtype=np.float64)
        )

    @cached_property
    def score(self) -> FloatArray:
        """Standard normal quantile z."""
        return normal_quantile(self.below, self.above)

    @cached_property
    def depth(self) -> FloatArray:
        """Standard exponential quantile -ln(above), as -log1p(-below) in the lower half."""
        with np.errstate(divide="ignore"):
            return -np.where(
                self.below < self.above, np.log1p(-np.minimum(self.below, 0.5)), np.log(self.above)
            )
