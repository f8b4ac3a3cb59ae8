"""How near a quantile table is to its law, computed over all 2^32 words; nothing is sampled at random.

Mean and SCV are those of the integers that the table returns, summed segment by segment. The distance of
quantiles is taken at five words of each segment, its ends and quarters: between nodes the table is straight and
the law smooth, so the distance is a parabola, and greatest at an end or in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpusim.workload.distributions import Distribution
from gpusim.workload.probabilities import Probabilities
from gpusim.workload.table_layout import (
    LENGTH,
    NODE_POSITIONS,
    STEPS,
    WORDS,
    QuantileTable,
    table_mean,
    table_scv,
)

MEAN_TOLERANCE = 1e-4
SCV_TOLERANCE = 1e-3
QUANTILE_TOLERANCE = 5e-4
TAIL = 1e-6
"""Quantiles are judged between this probability and 1 minus it; rarer words are free."""
_PARTS = 4
_NO_VARIANCE = 1e-15  # an SCV below this is rounding: judged as it is, not relatively


@dataclass(frozen=True, slots=True)
class TableAccuracy:
    """Distances of a table from its law.

    Parameters
    ----------
    mean_error : float
        |mean of all words / mean of the law - 1|, both with the cap.
    scv_error : float
        |SCV of all words / SCV of the law - 1|; the SCV itself for a law without variance.
    quantile_error : float
        Largest relative distance of a value from the law's quantile, after one unit of 2^-shift ticks is
        taken off, over words with 1e-6 <= probability <= 1 - 1e-6 that the cap does not own. The one segment
        in which a floor begins is left out (see `atom_error`).
    atom_error : float
        Largest distance between the probability of an atom and the share of words that give it: at most
        2^-33 for a cap. A floor begins at a node, less than 1/32 of the floor's own probability away.
    """

    mean_error: float
    scv_error: float
    quantile_error: float
    atom_error: float


def accuracy(table: QuantileTable, law: Distribution, unit_seconds: float = 1.0) -> TableAccuracy:
    """Compare a table with the law it stands for.

    Parameters
    ----------
    table : QuantileTable
    law : Distribution
        Its quantiles in seconds.
    unit_seconds : float, default 1
        Length of one tick [s].

    Returns
    -------
    TableAccuracy
    """
    mean = law.mean()
    scv = law.second_moment() / mean**2 - 1.0
    mean_error = abs(table_mean(table) * unit_seconds / mean - 1.0)
    scv_error = abs(table_scv(table) - scv) / (scv if scv > _NO_VARIANCE else 1.0)
    unit = unit_seconds / (1 << table.shift)
    words, segment, points = _judged()
    exact = law.uncapped(points) / unit
    value = _values(table, words, segment)
    free = np.stack([words, WORDS - 1 - words]) < table.cap_from
    if law.cap is not None:
        exact = np.minimum(exact, law.cap / unit)
    atom_error = 0.0
    if law.cap is not None:
        atom_error = abs((WORDS - table.cap_from) / WORDS - law.above(law.cap))
    if law.floor_share > 0.0:
        side, k = kink(law.floor_share)
        free[side] &= segment != k
        node = int(NODE_POSITIONS[k]) if side == 0 else WORDS - int(NODE_POSITIONS[k + 1])
        atom_error = max(atom_error, abs(law.floor_share - node / WORDS))
    distance = np.maximum(np.abs(value - exact) - 1.0, 0.0) / exact
    quantile_error = float(np.max(distance, where=free, initial=0.0))
    return TableAccuracy(mean_error, scv_error, quantile_error, atom_error)


def kink(share: float) -> tuple[int, int]:
    """Side and segment in which the probability `share` lies."""
    word = min(share * WORDS, WORDS - 1.0)
    side = int(word >= WORDS / 2)
    v = WORDS - word if side else word
    return side, min(int(np.searchsorted(NODE_POSITIONS, v, side="right")) - 1, len(LENGTH) - 1)


@cache
def _judged() -> tuple[NDArray[np.int64], NDArray[np.int64], Probabilities]:
    """Positions v of the words at which quantiles are compared, their segments and probabilities (2, n)."""
    v = (NODE_POSITIONS[:-1, None] + LENGTH[:, None] * np.arange(_PARTS) // _PARTS).ravel()
    segment = np.repeat(np.arange(len(LENGTH)), _PARTS)
    tail = (v + 0.5) / WORDS
    judged = tail >= TAIL
    v, segment, tail = v[judged], segment[judged], tail[judged]
    return v, segment, Probabilities(np.stack([tail, 1.0 - tail]), np.stack([1.0 - tail, tail]))


def _values(table: QuantileTable, words: NDArray[np.int64], segment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Table values, cut at the cap, at positions v of both sides (2, n)."""
    step = (words - NODE_POSITIONS[segment]) * STEPS[segment] // LENGTH[segment]
    outer, inner = table.nodes[:, segment], table.nodes[:, segment + 1]
    rise = np.abs(inner - outer) * step // STEPS[segment]
    rise[1] *= -1
    return np.asarray(np.minimum(outer + rise, table.cap))
