"""The quantile table: its nodes, its checks, and exact sums over all 2^32 words.

A table maps a 32-bit random word u to a value. Each half of the unit interval has its own side, and v counts
words from the outer end of that side, so v + 0.5 over 2^32 is a tail probability. Nodes stand at every v
below 32, then 32 to the octave: v_k = k for k < 32, else (32 + j) 2^o with o = (k - 32) div 32, j = (k - 32)
mod 32; the last node, 864, is the median. Between nodes the value is linear in v, in steps of 2^-16 of the
segment at the finest. Words from `cap_from` on give `cap`; no other word gives more. ARCHITECTURE.md section 3
has the integer rule of evaluation; `gpusim.engine.reference_generator.table_value` is its plain
implementation.

Sums over all words are taken segment by segment. Over a segment of n steps and height d the floors add up to:
sum over i < n of floor(d i / n) = ((d - 1)(n - 1) + gcd(d, n) - 1) / 2 (Graham, Knuth, Patashnik, *Concrete
Mathematics*, 2nd ed., eq. 3.32). Lower side: a + floor(..); upper side: a - floor(..). The one or two segments
in which the cap begins are summed up to there with Euclid's algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpusim.errors import Problem, WorkloadError

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
NO_CAP = VALUE_LIMIT - 1
"""`cap` of a table without a cap: above every value."""
WORDS = 1 << WORD_BITS
NO_CAP_FROM = WORDS
"""`cap_from` of a table without a cap: above every word."""

_INDEX = np.arange(NODES)
_OCTAVE = np.maximum(_INDEX - EXACT_NODES, 0) // EXACT_NODES
NODE_POSITIONS: IntArray = np.where(
    _INDEX < EXACT_NODES, _INDEX, (EXACT_NODES + _INDEX % EXACT_NODES) << _OCTAVE
).astype(np.int64)
"""v_k, in words from the end of the side."""
NODE_POSITIONS.setflags(write=False)

LENGTH: IntArray = np.diff(NODE_POSITIONS)
"""Words of each segment."""
STEPS: IntArray = np.minimum(LENGTH, 1 << FRAC_BITS)
"""Distinct values of frac in each segment."""
LEFT_SHARE: FloatArray = (STEPS + 1) / (2 * STEPS)
"""Mean of 1 - frac: what a segment's words give to its outer node."""
RIGHT_SHARE: FloatArray = 1.0 - LEFT_SHARE
"""Mean of frac."""
_REPEATS = LENGTH // STEPS
_LOW_BITS = (1 << 31) - 1


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
    cap : int, default 2^44 - 1
        Largest value [2^-shift tick], in [0, 2^44). The nodes are those of the law without its cap.
    cap_from : int, default 2^32
        Words from here on give the cap, in [0, 2^32].

    Raises
    ------
    WorkloadError
        If shape, type, range or order of the nodes is not as said, or another number is out of range.
    """

    nodes: IntArray
    shift: int
    cap: int = NO_CAP
    cap_from: int = NO_CAP_FROM

    def __post_init__(self) -> None:
        nodes = self.nodes
        if nodes.dtype != np.int64 or nodes.shape != (SIDES, NODES) or not nodes.flags.c_contiguous:
            raise table_error(f"nodes must be C-contiguous int64 of shape ({SIDES}, {NODES})", "")
        if self.shift < 0:
            raise table_error("shift is negative", str(self.shift))
        if not 0 <= self.cap < VALUE_LIMIT or not 0 <= self.cap_from <= WORDS:
            raise table_error("cap or cap_from is out of range", f"{self.cap}, {self.cap_from}")
        if int(nodes.min()) < 0 or int(nodes.max()) >= VALUE_LIMIT:
            raise table_error("a node is outside [0, 2^44)", f"{nodes.min()} to {nodes.max()}")
        ordered = np.all(np.diff(nodes[0]) >= 0) and np.all(np.diff(nodes[1]) <= 0)
        if not ordered or nodes[0, -1] > nodes[1, -1]:
            raise table_error("nodes are not in order of probability", "")
        frozen = nodes.copy()
        frozen.setflags(write=False)
        object.__setattr__(self, "nodes", frozen)

    @property
    def largest(self) -> int:
        """Largest value of any word [2^-shift tick]."""
        return self.cap if self.cap_from < WORDS else min(self.cap, int(self.nodes[1, 0]))


def table_mean(table: QuantileTable) -> float:
    """Mean over all 2^32 words of what the table returns, floors and cap included; exactly summed [tick]."""
    return float(Fraction(total(table.nodes, table.cap, table.cap_from), WORDS << table.shift))


def table_scv(table: QuantileTable) -> float:
    """Squared coefficient of variation, variance / mean^2, of the table over all 2^32 words, cap included.

    Notes
    -----
    Summed over segments: for frac uniform on {0, 1/n, .., (n-1)/n} the value a + (b - a) frac has mean
    a + (b - a)(n - 1) / 2n and variance (b - a)^2 (n^2 - 1) / 12 n^2. The floor of the interpolation, less
    than 2^-shift ticks, is in the means and left out of the variances.
    """
    nodes, cap = table.nodes, table.cap
    counts = _words_below(table.cap_from)
    whole = _whole(nodes, cap, counts)
    mean = float(Fraction(total(nodes, cap, table.cap_from), WORDS))
    steps = STEPS.astype(np.float64)
    middle = (nodes[:, :-1] * steps + _floors(nodes)) / steps
    within = np.diff(nodes, axis=1).astype(np.float64) ** 2 * (1.0 - 1.0 / steps**2) / 12.0
    spread = float((((middle - mean) ** 2 + within) * LENGTH)[whole].sum())
    spread += (WORDS - table.cap_from) * (float(cap) - mean) ** 2
    for side, k in zip(*np.nonzero(~whole & (counts > 0)), strict=True):
        spread += _squares_below(nodes, cap, int(side), int(k), int(counts[side, k]), mean)
    return spread / WORDS / mean**2


def table_quantile(table: QuantileTable, p: ArrayLike, q: ArrayLike | None = None) -> FloatArray:
    """Quantile of the table at real-valued probabilities: its chords and cap, without integer rounding [tick].

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
    cap = table.cap / float(1 << table.shift)
    lower = np.interp(below * WORDS - 0.5, NODE_POSITIONS, nodes[0])
    upper = np.interp(above * WORDS - 0.5, NODE_POSITIONS, nodes[1])
    value = np.minimum(np.where(below < above, lower, upper), cap)
    capped = above * WORDS <= WORDS - table.cap_from
    return np.asarray(np.where(capped & (table.cap_from < WORDS), cap, value), dtype=np.float64)


def total(nodes: IntArray, cap: int = NO_CAP, cap_from: int = NO_CAP_FROM) -> int:
    """Sum of a table's values over all 2^32 words, exact [2^-shift tick]."""
    counts = _words_below(cap_from)
    whole = _whole(nodes, cap, counts)
    per_repeat = np.where(whole, nodes[:, :-1] * STEPS + _floors(nodes), 0)  # below 2^61
    high, low = per_repeat >> 31, per_repeat & _LOW_BITS  # times repeats, below 2^10: sums stay below 2^52
    result = (int((high * _REPEATS).sum()) << 31) + int((low * _REPEATS).sum())
    result += (WORDS - cap_from) * cap
    for side, k in zip(*np.nonzero(~whole & (counts > 0)), strict=True):
        result += _sum_below(nodes, cap, int(side), int(k), int(counts[side, k]))
    return result


def table_error(what: str, found: str) -> WorkloadError:
    """Error about the table itself."""
    return WorkloadError(Problem("quantile table", what, code="workload/quantile-table", found=found))


def _words_below(cap_from: int) -> IntArray:
    """Words of each segment (2, 864) that the cap does not own."""
    lower = np.clip(cap_from - NODE_POSITIONS[:-1], 0, LENGTH)
    upper = np.clip(NODE_POSITIONS[1:] - np.maximum(NODE_POSITIONS[:-1], WORDS - cap_from), 0, LENGTH)
    return np.stack([lower, upper])


def _whole(nodes: IntArray, cap: int, counts: IntArray) -> NDArray[np.bool_]:
    """Segments of which the cap touches no word."""
    highest = np.stack([nodes[0, 1:], nodes[1, :-1]])
    return np.asarray((counts == LENGTH) & (highest <= cap))


def _floors(nodes: IntArray) -> IntArray:
    """Sum over a segment's steps of what interpolation adds to the outer node."""
    height = np.abs(np.diff(nodes, axis=1))
    floors: IntArray = ((height - 1) * (STEPS - 1) + np.gcd(height, STEPS) - 1) // 2
    floors[1] *= -1
    return floors


def _sum_below(nodes: IntArray, cap: int, side: int, k: int, words: int) -> int:
    """Sum over the `words` words of a segment that the cap does not own, each cut at the cap."""
    if side == 0:  # these are its first words
        return _sum_of_first(nodes, cap, side, k, words)
    length = int(LENGTH[k])
    return _sum_of_first(nodes, cap, side, k, length) - _sum_of_first(nodes, cap, side, k, length - words)


def _sum_of_first(nodes: IntArray, cap: int, side: int, k: int, words: int) -> int:
    """Sum over the first `words` words of a segment, each cut at the cap."""
    outer, height = int(nodes[side, k]), abs(int(nodes[side, k + 1]) - int(nodes[side, k]))
    steps, repeat = int(STEPS[k]), int(_REPEATS[k])
    whole, rest = divmod(words, repeat)
    if side == 0:  # values rise: the cap cuts those from step `turn` on
        turn = steps if outer + height <= cap else 0
        if outer <= cap < outer + height:
            turn = -(-(cap - outer + 1) * steps // height)
        first = min(turn, whole)
        result = outer * first + _floor_sum(first, steps, height) + cap * (whole - first)
        last = min(outer + height * whole // steps, cap)
    else:  # values fall: the cap cuts those before step `turn`
        turn = 0 if outer <= cap else (-(-(outer - cap) * steps // height) if height else steps)
        first = min(turn, whole)
        floors = _floor_sum(whole, steps, height) - _floor_sum(first, steps, height)
        result = cap * first + outer * (whole - first) - floors
        last = min(outer - height * whole // steps, cap)
    return repeat * result + rest * last


def _floor_sum(n: int, m: int, a: int) -> int:
    """Sum of floor(a i / m) over 0 <= i < n, by Euclid's algorithm (Concrete Mathematics, section 3.5)."""
    result, b = 0, 0
    while True:
        result += (n - 1) * n // 2 * (a // m) + n * (b // m)
        a, b = a % m, b % m
        top = a * n + b
        if top < m:
            break
        n, b, m, a = top // m, top % m, a, m
    return result


def _squares_below(nodes: IntArray, cap: int, side: int, k: int, words: int, mean: float) -> float:
    """Sum of (value - mean)^2 over the words of a segment that the cap does not own; floors left out."""
    outer, inner = float(nodes[side, k]), float(nodes[side, k + 1])
    length = float(LENGTH[k])
    slope = (inner - outer) / length
    start, end = (0.0, float(words)) if side == 0 else (length - words, length)
    if length <= 1 << FRAC_BITS:
        each = np.minimum(outer + slope * np.arange(start, end), float(cap))
        return float(((each - mean) ** 2).sum())
    start, end = start - 0.5, end - 0.5  # a sum over words is the integral around each
    turn = (cap - outer) / slope if slope else end  # where the chord meets the cap
    turn = min(max(turn, start), end)
    low, high = (start, turn) if side == 0 else (turn, end)
    if slope:
        free = ((outer + slope * high - mean) ** 3 - (outer + slope * low - mean) ** 3) / (3.0 * slope)
    else:
        free = (min(outer, cap) - mean) ** 2 * (high - low)
    return free + (float(cap) - mean) ** 2 * (end - start - (high - low))
