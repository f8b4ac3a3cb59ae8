"""The normal score of a probability, and back: Wichura's AS 241, which needs NumPy only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

# Coefficients of Wichura's PPND16, highest power first: M. J. Wichura, "Algorithm AS 241: The Percentage
# Points of the Normal Distribution", Applied Statistics 37 (1988) 477-484, doi:10.2307/2347330. Stated
# accuracy: 1 part in 10^16.
_CENTRAL = (
    (
        2509.0809287301226727, 33430.575583588128105, 67265.770927008700853,
        45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
        133.14166789178437745, 3.3871328727963666080,
    ),
    (
        5226.4952788528545610, 28729.085735721942674, 39307.895800092710610,
        21213.794301586595867, 5394.1960214247511077, 687.18700749205790830,
        42.313330701600911252, 1.0,
    ),
)  # fmt: skip
_MIDDLE = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
        1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
        4.63033784615654529590, 1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
        1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
        2.05319162663775882187, 1.0,
    ),
)  # fmt: skip
_FAR = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
        2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
        5.46378491116411436990, 6.65790464350110377720,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
        5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip


def normal_quantile(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Inverse of the standard normal distribution function, accurate in both tails.

    Parameters
    ----------
    p, q : array_like of float64
        Probability below and above the wanted point, `q` = 1 - `p`. The smaller of the two is the one used.

    Returns
    -------
    numpy.ndarray of float64
        z with Phi(z) = p; about 1e-15 relative accuracy for min(p, q) from 1e-300 to 0.5.

    Notes
    -----
    Wichura's algorithm AS 241, PPND16: ratios of polynomials of degree 7 in 0.180625 - (p - 1/2)^2 near the
    centre and in sqrt(-ln min(p, q)) in the tails.
    """
    below, above = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64))
    tail = np.minimum(below, above)
    offset = np.where(below < above, below - 0.5, 0.5 - above)
    centre = offset * _ratio(_CENTRAL, 0.180625 - offset * offset)
    with np.errstate(divide="ignore"):
        depth = np.sqrt(-np.log(tail))
    with np.errstate(invalid="ignore"):
        outer = np.where(depth <= 5.0, _ratio(_MIDDLE, depth - 1.6), _ratio(_FAR, depth - 5.0))
    value = np.where(np.abs(offset) <= 0.425, centre, np.copysign(outer, offset))
    return np.where(tail > 0.0, value, np.copysign(np.inf, offset))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: FloatArray) -> FloatArray:
    return np.asarray(np.polyval(coefficients[0], x) / np.polyval(coefficients[1], x), dtype=np.float64)


def normal_cdf(z: float) -> float:
    """Standard normal distribution function, accurate in the lower tail."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
