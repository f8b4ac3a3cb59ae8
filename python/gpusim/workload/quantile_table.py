"""Quantile tables: a distribution as integers, so that every backend draws the same tick counts.

A table maps a 32-bit random word u to a value. Each half of the unit interval has its own side, and v counts
words from the outer end of that side, so v + 0.5 over 2^32 is a tail probability. Nodes stand at every v
below 32, then 32 to the octave: v_k = k for k < 32, else (32 + j) 2^o with o = (k - 32) div 32, j = (k - 32)
mod 32; the last node, 864, is the median. Between nodes the value is linear in v. ARCHITECTURE.md section 3
has the integer rule of evaluation; `gpusim.engine.reference_generator.table_value` is its plain
implementation.

**How the nodes are chosen.** A chord through exact quantiles of a convex quantile function Q lies above it,
by Q'' h^2 / 8 at the middle of a segment of length h. So each node is first lowered by the mean distance
between chord and function over its two segments, weighted by what the words of each segment give to that
node. The sum of the table is then that of the function, and the error left is 2/3 of the chord's at nodes and
1/3 between them. A node that is the only one its words see (v < 64) becomes the exact mean of its slice of
probability; that is how the mass beyond probability 2^-32 stays in the mean. Last, all nodes are multiplied
by one factor (1 up to rounding; with a cap, within about 1e-4 of it), so that the integer table's own mean,
floors included, equals the distribution's.

**What cannot be had.** No value is rarer than 2^-32. A lognormal with sigma 2.5 has a tenth of its second
moment beyond that, and no 32-bit word can draw it: the table's SCV is 3 % low (0.2 % for sigma 2, 0.006 % for
sigma 1.5), while its mean is right. A cap bends the quantile function inside one segment; there the chord
stays, capped nodes are never moved, and no value exceeds the cap. Values are rounded to 2^-shift ticks, so a
quantile below about 2000 of these units carries a larger error than that of the interpolation.

Cost: building a table takes some 20 ms; it is done once for each distinct distribution of a scenario.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.distributions import Distribution

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

WORD_BITS = 32
SIDES = 2
EXACT_NODES = 32
"""Nodes below the first octave; also nodes in each octave."""
OCTAVES = 26
NODES = EXACT_NODES * (OCTAVES + 1) + 1
"""Nodes of one side: 865."""
FRAC_BITS = 16
VALUE_LIMIT = 1 << 44
"""Every node is below this, so that (b - a) * frac stays below 2^60."""

WORDS = 1 << WORD_BITS
MEAN_TOLERANCE = 1e-9
"""Relative distance of means at which the final scaling stops."""
MAX_SCALING = 1e-2
"""The final scaling stays within this of 1; only coarse rounding could ask for more."""

_INDEX = np.arange(NODES)
_OCTAVE = np.maximum(_INDEX - EXACT_NODES, 0) // EXACT_NODES
NODE_POSITIONS: IntArray = np.where(
    _INDEX < EXACT_NODES, _INDEX, (EXACT_NODES + _INDEX % EXACT_NODES) << _OCTAVE
).astype(np.int64)
"""v_k, in words from the end of the side."""
NODE_POSITIONS.setflags(write=False)

_LENGTH: IntArray = np.diff(NODE_POSITIONS)  # words of each segment
_STEPS: IntArray = np.minimum(_LENGTH, 1 << FRAC_BITS)  # distinct values of frac in each segment
_LEFT_SHARE = (_STEPS + 1) / (2 * _STEPS)  # mean of 1 - frac: what a segment's words give to its outer node
_RIGHT_SHARE = 1.0 - _LEFT_SHARE  # mean of frac

_TAIL_PIECES = 128  # the outermost slice is integrated over [2^-j-1, 2^-j], j = 0 .. 127
_GAUSS_POINTS = 12


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """Integer inverse distribution function: value = node value / 2^shift ticks.

    Parameters
    ----------
    nodes : numpy.ndarray of int64, shape (2, 865)
        Row 0: lower side, from the smallest value up to the median. Row 1: upper side, from the largest value
        down to the median. In units of 2^-shift ticks, in [0, 2^44). C-contiguous; made read-only.
    shift : int
        Binary places below one tick, 0 or more.

    Raises
    ------
    WorkloadError
        If shape, type, range or order of the nodes is not as said, or shift is negative.
    """

    nodes: IntArray
    shift: int

    def __post_init__(self) -> None:
        nodes = self.nodes
        if nodes.dtype != np.int64 or nodes.shape != (SIDES, NODES) or not nodes.flags.c_contiguous:
            raise _table_error(f"nodes must be C-contiguous int64 of shape ({SIDES}, {NODES})", "")
        if self.shift < 0:
            raise _table_error("shift is negative", str(self.shift))
        if int(nodes.min()) < 0 or int(nodes.max()) >= VALUE_LIMIT:
            raise _table_error("a node is outside [0, 2^44)", f"{nodes.min()} to {nodes.max()}")
        ordered = np.all(np.diff(nodes[0]) >= 0) and np.all(np.diff(nodes[1]) <= 0)
        if not ordered or nodes[0, -1] > nodes[1, -1]:
            raise _table_error("nodes are not in order of probability", "")
        frozen = nodes.copy()
        frozen.setflags(write=False)
        object.__setattr__(self, "nodes", frozen)


def compile_table(
    distribution: Distribution,
    unit_seconds: float,
    max_shift: int,
    *,
    value_limit: int = VALUE_LIMIT,
) -> QuantileTable:
    """Compile a distribution into a quantile table.

    Parameters
    ----------
    distribution : Distribution
        What to compile; its quantiles in seconds.
    unit_seconds : float
        Length of one tick [s]; a table of pure numbers in 1/65536 has ``unit_seconds=1/65536``.
    max_shift : int
        Most binary places below one tick, 0 or more. The table takes as many of them as keep its values in
        range.
    value_limit : int, default 2^44
        Every node is below this; at most 2^44.

    Returns
    -------
    QuantileTable
        Its mean is within 1e-6 (mostly 1e-9) relative of ``distribution.mean()``, unless the mean is so few
        units of 2^-shift ticks that rounding forbids it.

    Raises
    ------
    WorkloadError
        If the largest value reaches `value_limit` ticks even with shift 0, or if `max_shift` leaves so few
        units to the mean that rounding moves it by more than 1 %.

    Examples
    --------
    >>> from gpusim.workload.distributions import Deterministic
    >>> table = compile_table(Deterministic(90.0), unit_seconds=60.0, max_shift=4)
    >>> table.shift, int(table.nodes.min()), int(table.nodes.max())
    (4, 24, 24)
    """
    if max_shift < 0 or not 0 < value_limit <= VALUE_LIMIT or not 0.0 < unit_seconds < float("inf"):
        raise _table_error("unit_seconds, max_shift or value_limit is out of range", "")
    ticks = _mean_preserving_nodes(distribution) / unit_seconds
    cap = None if distribution.cap is None else distribution.cap / unit_seconds
    mean = distribution.mean() / unit_seconds
    for shift in range(max_shift, -1, -1):
        unit = float(1 << shift)
        if not ticks.max() * unit < value_limit - 1:
            continue
        nodes = _scaled_to_mean(ticks * unit, None if cap is None else cap * unit, mean * unit)
        if int(nodes.max()) >= value_limit:
            continue
        table = QuantileTable(nodes, shift)
        if abs(table_mean(table) / mean - 1.0) > MAX_SCALING:
            raise WorkloadError(
                Problem(
                    where=repr(distribution),
                    what=f"the mean is too small for units of 2^-{shift} ticks of {unit_seconds:g} s",
                    remedy="use a shorter tick",
                    code="workload/value-resolution",
                    found=f"{mean * unit:.3g} units",
                )
            )
        return table
    raise WorkloadError(
        Problem(
            where=repr(distribution),
            what=f"the largest value does not fit below {value_limit} ticks of {unit_seconds:g} s",
            remedy="add a cap, lower sigma, or use a longer tick",
            code="workload/value-range",
            found=f"{ticks.max():.3g} ticks",
        )
    )


def table_mean(table: QuantileTable) -> float:
    """Mean over all 2^32 words of what the table returns, floors included; exactly summed [tick]."""
    return float(Fraction(_total(table.nodes), WORDS << table.shift))


def table_scv(table: QuantileTable) -> float:
    """Squared coefficient of variation, variance / mean^2, of the table over all 2^32 words.

    Notes ----- Summed over segments: for frac uniform on {0, 1/n, .., (n-1)/n} the value a + (b - a) frac has
    mean a + (b - a)(n - 1) / 2n and variance (b - a)^2 (n^2 - 1) / 12 n^2. The floor of the interpolation,
    less than 2^-shift ticks, is left out.
    """
    nodes = table.nodes / float(1 << table.shift)
    left, right = nodes[:, :-1], nodes[:, 1:]
    middle = left * _LEFT_SHARE + right * _RIGHT_SHARE
    mean = float((middle * _LENGTH).sum()) / WORDS
    within = (right - left) ** 2 * (1.0 - 1.0 / _STEPS.astype(np.float64) ** 2) / 12.0
    return float((((middle - mean) ** 2 + within) * _LENGTH).sum()) / WORDS / mean**2


def table_quantile(table: QuantileTable, p: ArrayLike, q: ArrayLike | None = None) -> FloatArray:
    """Quantile of the table at real-valued probabilities: its chords, without the integer rounding [tick].

    Parameters
    ----------
    table : QuantileTable
    p : array_like of float64
        Probability below the wanted value, in [0, 1].
    q : array_like of float64, optional
        Probability above it, 1 - `p`; give it to reach the upper tail exactly.
    """
    below = np.asarray(p, dtype=np.float64)
    above = 1.0 - below if q is None else np.asarray(q, dtype=np.float64)
    nodes = table.nodes / float(1 << table.shift)
    lower = np.interp(below * WORDS - 0.5, NODE_POSITIONS, nodes[0])
    upper = np.interp(above * WORDS - 0.5, NODE_POSITIONS, nodes[1])
    return np.asarray(np.where(below < above, lower, upper), dtype=np.float64)


def _mean_preserving_nodes(distribution: Distribution) -> FloatArray:
    """Nodes (2, 865) in seconds whose segments have, taken together, the mean of the distribution."""
    probability = (NODE_POSITIONS + 0.5) / WORDS
    probability[-1] = 0.5
    exact = np.stack([_side_quantile(distribution, side, probability) for side in range(SIDES)])
    wanted = np.stack([_segment_means(distribution, side) for side in range(SIDES)])
    chord = exact[:, :-1] * _LEFT_SHARE + exact[:, 1:] * _RIGHT_SHARE
    gap = chord - wanted  # how far the chord's mean lies above the function's, per segment
    capped = np.zeros_like(exact, dtype=bool) if distribution.cap is None else exact >= distribution.cap
    gap[capped[:, :-1] | capped[:, 1:]] = 0.0
    weight = np.zeros(NODES)
    correction = np.zeros_like(exact)
    weight[:-1] += _LENGTH * _LEFT_SHARE
    weight[1:] += _LENGTH * _RIGHT_SHARE
    correction[:, :-1] += gap * (_LENGTH * _LEFT_SHARE)
    correction[:, 1:] += gap * (_LENGTH * _RIGHT_SHARE)
    nodes = np.where(capped, exact, exact - correction / weight)
    return _in_order(np.maximum(nodes, 0.0))


def _side_quantile(distribution: Distribution, side: int, tail: FloatArray) -> FloatArray:
    return distribution.quantile(tail, 1.0 - tail) if side == 0 else distribution.quantile(1.0 - tail, tail)


def _segment_means(distribution: Distribution, side: int) -> FloatArray:
    """Mean of the quantile function over each segment [v_k, v_k+1] / 2^32, by Gauss-Legendre quadrature.

    The outermost slice, where the function may be unbounded, is cut into pieces that halve towards the end.
    """
    x, w = np.polynomial.legendre.leggauss(_GAUSS_POINTS)
    x, w = (x + 1.0) / 2.0, w / 2.0
    points = (NODE_POSITIONS[:-1, None] + _LENGTH[:, None] * x) / WORDS
    means = _side_quantile(distribution, side, points) @ w
    size = 0.5 ** np.arange(1, _TAIL_PIECES + 1)
    pieces = _side_quantile(distribution, side, size[:, None] * (1.0 + x) / WORDS) @ w
    means[0] = (pieces * size).sum() / size.sum()
    return np.asarray(means, dtype=np.float64)


def _scaled_to_mean(units: FloatArray, cap: float | None, mean: float) -> IntArray:
    """Round factor * units to integers, with the factor that brings the integer table's mean to `mean`."""

    def rounded(factor: float) -> IntArray:
        scaled = units * factor
        if cap is not None:
            scaled = np.where(units >= cap, cap, np.minimum(scaled, cap))
        return np.rint(scaled).astype(np.int64)

    def error(nodes: IntArray) -> float:
        return float(Fraction(_total(nodes), WORDS)) / mean - 1.0

    best = rounded(1.0)
    best_error = error(best)
    low, high = 1.0 - MAX_SCALING, 1.0 + MAX_SCALING
    factor = 1.0 - best_error
    while abs(best_error) > MEAN_TOLERANCE and high - low > 1e-15:
        if not low < factor < high:
            factor = (low + high) / 2.0
        nodes = rounded(factor)
        now = error(nodes)
        low, high = (factor, high) if now < 0.0 else (low, factor)
        # One Newton step (the mean is nearly proportional to the factor) while it gains, then bisection.
        factor = factor * (1.0 - now) if abs(now) < 0.1 * abs(best_error) else (low + high) / 2.0
        if abs(now) < abs(best_error):
            best, best_error = nodes, now
    return best


def _total(nodes: IntArray) -> int:
    """Sum of the table over all 2^32 words, exact.

    Over a segment of n steps and height d the floors add up to: sum over i < n of floor(d i / n) = ((d - 1)(n
    - 1) + gcd(d, n) - 1) / 2 (Graham, Knuth, Patashnik, *Concrete Mathematics*, 2nd ed., eq. 3.32). Lower
    side: a + floor(..); upper side: a - floor(..).
    """
    height = np.abs(np.diff(nodes, axis=1))
    floors = ((height - 1) * (_STEPS - 1) + np.gcd(height, _STEPS) - 1) // 2
    floors[1] *= -1
    per_repeat = nodes[:, :-1] * _STEPS + floors  # below 2^61
    repeats = _LENGTH // _STEPS
    return sum(int(r) * int(s) for side in per_repeat for r, s in zip(repeats, side, strict=True))


def _in_order(nodes: FloatArray) -> FloatArray:
    """Undo what a correction may have disturbed: each side monotone, and the two sides meeting in order."""
    if nodes[0, -1] > nodes[1, -1]:
        nodes[:, -1] = nodes[:, -1].mean()
    nodes[0] = np.maximum.accumulate(nodes[0])
    nodes[1] = np.minimum.accumulate(nodes[1])
    if nodes[0, -1] > nodes[1, -1]:
        nodes[1] = np.maximum(nodes[1], nodes[0, -1])
    return nodes


def _table_error(what: str, found: str) -> WorkloadError:
    return WorkloadError(Problem("quantile table", what, code="workload/quantile-table", found=found))
