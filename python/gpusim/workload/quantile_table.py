"""Quantile tables: a distribution as integers, so that every backend draws the same tick counts.

`table_layout` has the table itself. This is how its nodes are chosen.

**Nodes.** A chord through exact quantiles of a convex quantile function Q lies above it, by Q'' h^2 / 8 at the
middle of a segment of length h. So each node is first lowered by the mean distance between chord and function
over its two segments, weighted by what the words of each segment give to that node. The sum of the table is
then that of the function, and the error left is 2/3 of the chord's at nodes and 1/3 between them. Where 2/3
would be more than 4.5e-4 of the value, the error is shared evenly instead. A node that is the only one its
words see (v < 64) becomes the exact mean of its slice of probability; that is how the mass beyond probability
2^-32 stays in the mean.

**A cap** is not in the nodes: these are of the law without it, and words from `cap_from` on give the cap. So a
cap bends nothing, and its atom has the right number of words. Nodes that only such words would see are set to
the outermost one that others see.

**The second moment.** No value is rarer than 2^-32; a lognormal with sigma 2.5 has a tenth of its second moment
beyond that. So the 4224 outermost words of the upper side (probability below 1e-6) are stretched: with b the
value where they end and x_k > b the nodes found so far, node k becomes b + A (x_k - b)^g, with g and A such that
second moment and mean are those of the law. This is done only where the SCV would be wrong by more than 1e-4.

**The mean.** Last, all nodes are multiplied by one factor (1 up to rounding) so that the integer table's own
mean, floors and cap included, equals the law's.

A law for which all this does not give a mean within 1e-4, an SCV within 1e-3 and quantiles within 5e-4
(`table_accuracy`) is refused. Values are rounded to 2^-shift ticks, which is not counted as an error.

Cost: 1 to 4 ms for a table; those of the last thousand laws are kept.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.distributions import Distribution
from gpusim.workload.probabilities import Probabilities
from gpusim.workload.table_accuracy import (
    MEAN_TOLERANCE,
    QUANTILE_TOLERANCE,
    SCV_TOLERANCE,
    TableAccuracy,
    accuracy,
    kink,
)
from gpusim.workload.table_layout import (
    LEFT_SHARE,
    LENGTH,
    NO_CAP,
    NO_CAP_FROM,
    NODE_POSITIONS,
    NODES,
    RIGHT_SHARE,
    SIDES,
    VALUE_LIMIT,
    WORDS,
    QuantileTable,
    table_error,
    table_mean,
    table_quantile,
    table_scv,
    total,
)

__all__ = [
    "NODES",
    "NODE_POSITIONS",
    "NO_CAP",
    "NO_CAP_FROM",
    "VALUE_LIMIT",
    "QuantileTable",
    "TableAccuracy",
    "accuracy",
    "compile_table",
    "table_mean",
    "table_quantile",
    "table_scv",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CLOSE_MEAN = 1e-9
"""Relative distance of means at which the final scaling stops."""
MAX_SCALING = 1e-2
"""The final scaling stays within this of 1; only coarse rounding could ask for more."""
SCV_TO_MEND = 1e-4
"""Relative error of the SCV from which the outermost words are stretched."""
CACHED_TABLES = 1024

_EVEN_SHARING = 4.5e-4  # relative error of a node from which the chord's error is shared evenly
_TAIL_PIECES = 128  # the outermost slice is integrated over [2^-j-1, 2^-j], j = 0 .. 127
_GAUSS_POINTS = 4
_FREE_NODE = 257  # first node that a word of probability 1e-6 or more sees
_FREE_WORDS = int(NODE_POSITIONS[_FREE_NODE])  # 4224
_NOISE = 1e-6  # a node this near to an integer is that integer
_FEW_UNITS = 1e5  # a mean of fewer units than this may be off because of rounding


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
        With the cap of the distribution, if it has one. Its mean is within 1e-6 (mostly 1e-9) relative of
        ``distribution.mean()``, unless the mean is so few units of 2^-shift ticks that rounding forbids it.

    Raises
    ------
    WorkloadError
        If the largest value reaches `value_limit` ticks even with shift 0, or if the accuracy asked of tables
        (module docstring) is out of reach: for lack of resolution, or because the law is too heavy or too
        steep.

    Examples
    --------
    >>> from gpusim.workload.distributions import Deterministic
    >>> table = compile_table(Deterministic(90.0), unit_seconds=60.0, max_shift=4)
    >>> table.shift, int(table.nodes.min()), int(table.nodes.max())
    (4, 24, 24)
    """
    if max_shift < 0 or not 0 < value_limit <= VALUE_LIMIT or not 0.0 < unit_seconds < float("inf"):
        raise table_error("unit_seconds, max_shift or value_limit is out of range", "")
    return _compiled(distribution, unit_seconds, max_shift, value_limit)


@lru_cache(maxsize=CACHED_TABLES)
def _compiled(law: Distribution, unit: float, max_shift: int, value_limit: int) -> QuantileTable:
    cap_from = NO_CAP_FROM if law.cap is None else WORDS - round(law.above(law.cap) * WORDS)
    ticks = _nodes(law, cap_from) / unit
    table = _rounded(law, ticks, cap_from, unit, max_shift, value_limit)
    found = accuracy(table, law, unit)
    if found.scv_error > SCV_TO_MEND and cap_from > WORDS - _FREE_WORDS:
        stretched = _stretched(law, ticks, table, unit)
        if stretched is not None:
            table = _rounded(law, stretched, cap_from, unit, max_shift, value_limit)
            found = accuracy(table, law, unit)
    _refuse_if_far(law, table, found, unit)
    return table


def _nodes(law: Distribution, cap_from: int) -> FloatArray:
    """Nodes (2, 865) in seconds whose segments have, taken together, the mean of the law without its cap."""
    exact, wanted = _quantiles(law)
    gap = exact[:, :-1] * LEFT_SHARE + exact[:, 1:] * RIGHT_SHARE - wanted  # chord above function, in mean
    if law.floor_share > 0.0:
        side, k = kink(law.floor_share)
        gap[side, k] = 0.0  # the floor stays where it is
    weight = np.zeros(NODES)
    weight[:-1] += LENGTH * LEFT_SHARE
    weight[1:] += LENGTH * RIGHT_SHARE
    shift = np.zeros_like(exact)
    shift[:, :-1] += gap * (LENGTH * LEFT_SHARE)
    shift[:, 1:] += gap * (LENGTH * RIGHT_SHARE)
    shift /= weight
    # the chord's error in the middle is 3/2 of its mean; half of that, relatively, is an even share
    share = 0.75 * np.abs(gap) / wanted
    even = np.maximum(np.pad(share, ((0, 0), (1, 0))), np.pad(share, ((0, 0), (0, 1))))
    limit = np.maximum(even, _EVEN_SHARING) * exact
    limit[:, :_FREE_NODE] = np.inf
    nodes = np.maximum(exact - np.clip(shift, -limit, limit), 0.0)
    if law.cap is not None:
        nodes = _without_hidden(np.minimum(nodes, 4.0 * law.cap), cap_from)
    return _in_order(nodes)


def _quantiles(law: Distribution) -> tuple[FloatArray, FloatArray]:
    """Exact quantiles at the nodes (2, 865), and the means of the function over the segments (2, 864).

    Means are by Gauss-Legendre quadrature. The outermost slice, where the function may be unbounded, is cut
    into pieces that halve towards the end.
    """
    values = law.uncapped(_points())
    x = SIDES * NODES
    y = x + SIDES * len(LENGTH) * _GAUSS_POINTS
    weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS)[1] / 2.0
    means = values[x:y].reshape(SIDES, len(LENGTH), _GAUSS_POINTS) @ weights
    size = 0.5 ** np.arange(1, _TAIL_PIECES + 1)
    means[:, 0] = (values[y:].reshape(SIDES, _TAIL_PIECES, _GAUSS_POINTS) @ weights) @ size / size.sum()
    return values[:x].reshape(SIDES, NODES), means


@cache
def _points() -> Probabilities:
    """Where every law is asked: nodes, quadrature points of the segments, and of the outermost pieces."""
    node = (NODE_POSITIONS + 0.5) / WORDS
    node[-1] = 0.5
    x = (np.polynomial.legendre.leggauss(_GAUSS_POINTS)[0] + 1.0) / 2.0
    inside = (NODE_POSITIONS[:-1, None] + LENGTH[:, None] * x) / WORDS
    outside = 0.5 ** np.arange(1, _TAIL_PIECES + 1)[:, None] * (1.0 + x) / WORDS
    parts = [part.ravel() for part in (node, inside, outside)]
    below = np.concatenate([np.concatenate([part, 1.0 - part]) for part in parts])
    above = np.concatenate([np.concatenate([1.0 - part, part]) for part in parts])
    return Probabilities(below, above)


def _without_hidden(nodes: FloatArray, cap_from: int) -> FloatArray:
    """Set the nodes that only capped words see to the outermost node that other words see."""
    if cap_from > WORDS // 2:
        k = int(np.searchsorted(NODE_POSITIONS, WORDS - cap_from, side="right")) - 1
        nodes[1, :k] = nodes[1, k]
        return nodes
    k = int(np.searchsorted(NODE_POSITIONS, cap_from, side="left"))  # words up to cap_from - 1 see node k
    nodes[0, k:] = nodes[0, k]
    nodes[1] = nodes[0, k]
    return nodes


def _rounded(
    law: Distribution, ticks: FloatArray, cap_from: int, unit: float, max_shift: int, value_limit: int
) -> QuantileTable:
    """Round nodes in ticks to integers with the largest shift that fits, and bring the mean to the law's."""
    cap = 0.0 if law.cap is None else law.cap / unit
    largest = max(float(ticks.max()), cap) * (1.0 + MAX_SCALING)
    shift = max_shift
    while shift >= 0 and not largest * 2.0**shift < value_limit - 1:
        shift -= 1
    if shift < 0:
        raise WorkloadError(
            Problem(
                where=repr(law),
                what=f"the largest value does not fit below {value_limit} ticks of {unit:g} s",
                remedy="add a cap (max), lower sigma, or use a longer tick",
                code="workload/value-range",
                found=f"{largest:.3g} ticks",
            )
        )
    scale = 2.0**shift
    cap_units = NO_CAP if law.cap is None else max(1, round(cap * scale))
    mean = law.mean() / unit * scale
    if law.cap is not None:  # the cap's own rounding is no business of the other words
        mean += (cap_units - cap * scale) * ((WORDS - cap_from) / WORDS)
    nodes = _scaled_to_mean(ticks * scale, cap_units, cap_from, mean)
    return QuantileTable(nodes, shift, cap_units, cap_from)


def _scaled_to_mean(units: FloatArray, cap: int, cap_from: int, mean: float) -> IntArray:
    """Round factor * units to integers, with the factor that brings the integer table's mean to `mean`."""
    atom = (WORDS - cap_from) / WORDS * cap  # the part of the mean that no factor moves

    def error(nodes: IntArray) -> float:
        return total(nodes, cap, cap_from) / WORDS / mean - 1.0

    best = _integers(units)
    best_error = error(best)
    free = max(1.0 - atom / mean, 1e-12)
    low, high = 1.0 - MAX_SCALING, 1.0 + MAX_SCALING
    factor = 1.0 - best_error / free
    while abs(best_error) > CLOSE_MEAN * free and high - low > 1e-15:
        if not low < factor < high:
            factor = (low + high) / 2.0
        nodes = _integers(units * factor)
        now = error(nodes)
        low, high = (factor, high) if now < 0.0 else (low, factor)
        # One Newton step (the mean is nearly linear in the factor) while it gains, then bisection.
        factor = factor * (1.0 - now / free) if abs(now) < 0.1 * abs(best_error) else (low + high) / 2.0
        if abs(now) < abs(best_error):
            best, best_error = nodes, now
    return best


def _integers(units: FloatArray) -> IntArray:
    """Round nodes so that no value of the table is a whole unit from its chord.

    Interpolation rounds towards the outer node: down on the lower side, up on the upper. So nodes are rounded
    the other way. The median is rounded to the nearest, and bounds both sides.
    """
    median = np.rint(units[:, -1:])
    lower, upper = np.ceil(units[0] - _NOISE), np.floor(units[1] + _NOISE)
    return np.stack([np.minimum(lower, median[0]), np.maximum(upper, median[1])]).astype(np.int64)


def _stretched(law: Distribution, ticks: FloatArray, table: QuantileTable, unit: float) -> FloatArray | None:
    """Nodes whose outermost upper words make up for what mean and second moment lack; None if they cannot.

    Works in ticks. The words are laid out one by one: in these segments the chords need no rounding.
    """
    first = WORDS - table.cap_from  # first position that the cap does not own
    cap = np.inf if law.cap is None else law.cap / unit
    positions = np.arange(first, _FREE_WORDS, dtype=np.float64)
    base = float(ticks[1, _FREE_NODE])
    rise = ticks[1, :_FREE_NODE] - base
    if not rise[0] > 0.0:
        return None
    rise = rise / rise[0]
    scale = float(1 << table.shift)
    natural = np.minimum(np.interp(positions, NODE_POSITIONS, ticks[1]), cap)
    before = QuantileTable(_integers(ticks * scale), table.shift, table.cap, table.cap_from)  # not yet scaled
    mean = table_mean(before)
    lacking = law.mean() / unit - mean
    lacking_squares = law.second_moment() / unit**2 - (table_scv(before) + 1.0) * mean**2
    wanted_sum = float((natural - base).sum()) + lacking * WORDS
    wanted_squares = float((natural**2).sum()) + lacking_squares * WORDS

    def words(power: float) -> tuple[FloatArray, FloatArray]:
        """Nodes and words for one exponent, with the amplitude that gives the wanted sum."""
        shape = np.append(rise**power, 0.0)
        unit_words = np.interp(positions, NODE_POSITIONS[: _FREE_NODE + 1], shape)
        amplitude = wanted_sum / float(unit_words.sum())
        if (
            amplitude * unit_words[0] > cap - base
        ):  # the cap cuts some: raise the others until the sum is right
            for _ in range(60):
                sum_now = float(np.minimum(amplitude * unit_words, cap - base).sum())
                if abs(sum_now / wanted_sum - 1.0) < 1e-12:
                    break
                amplitude *= wanted_sum / sum_now
        values = base + np.minimum(amplitude * unit_words, cap - base)
        return base + amplitude * shape[:-1], values

    low, high = 0.05, 20.0
    if not float((words(low)[1] ** 2).sum()) < wanted_squares < float((words(high)[1] ** 2).sum()):
        return None
    for _ in range(50):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if float((words(middle)[1] ** 2).sum()) < wanted_squares else (low, middle)
        if high / low < 1.0 + 1e-9:
            break
    nodes = ticks.copy()
    nodes[1, :_FREE_NODE] = words(low)[0]
    return nodes


def _in_order(nodes: FloatArray) -> FloatArray:
    """Undo what a correction may have disturbed: each side monotone, and the two sides meeting in order."""
    if nodes[0, -1] > nodes[1, -1]:
        nodes[:, -1] = nodes[:, -1].mean()
    nodes[0] = np.maximum.accumulate(nodes[0])
    nodes[1] = np.minimum.accumulate(nodes[1])
    if nodes[0, -1] > nodes[1, -1]:
        nodes[1] = np.maximum(nodes[1], nodes[0, -1])
    return nodes


def _refuse_if_far(law: Distribution, table: QuantileTable, found: TableAccuracy, unit: float) -> None:
    units = law.mean() / unit * 2.0**table.shift
    if found.mean_error > MEAN_TOLERANCE and units < _FEW_UNITS:
        raise WorkloadError(
            Problem(
                where=repr(law),
                what=f"the mean is too small for units of 2^-{table.shift} ticks of {unit:g} s",
                remedy="use a shorter tick",
                code="workload/value-resolution",
                found=f"{units:.3g} units",
            )
        )
    wrong = [
        f"{name} by {error:.2g}, allowed {tolerance:g}"
        for name, error, tolerance in (
            ("the mean", found.mean_error, MEAN_TOLERANCE),
            ("the SCV", found.scv_error, SCV_TOLERANCE),
            ("a quantile", found.quantile_error, QUANTILE_TOLERANCE),
        )
        if error > tolerance
    ]
    if wrong:
        steep = found.quantile_error > QUANTILE_TOLERANCE
        raise WorkloadError(
            Problem(
                where=repr(law),
                what="a table of 2 x 865 nodes and 32-bit words cannot represent this law",
                remedy="split it into streams, one for each of its parts, or make it less steep"
                if steep
                else "add a cap (max), or lower sigma",
                code="workload/table-accuracy",
                found=f"wrong relatively: {'; '.join(wrong)}",
            )
        )
