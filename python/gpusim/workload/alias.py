"""Walker's alias method in exact integers: one 32-bit word draws from a list of GPU counts.

A word w is spread over A columns: x = w A, column i = x >> 32, remainder f = x mod 2^32. The column returns
its own count if f < threshold[i] and that of alias[i] otherwise. A is seldom a power of two, so the columns
do not own equally many words: column i owns ceil((i + 1) 2^32 / A) - ceil(i 2^32 / A) of them. The
construction here deals out words, not real probabilities: each outcome is first given a whole number of the
2^32 words, and the thresholds are placed so that it gets exactly that number.

References ---------- A. J. Walker, "An efficient method for generating discrete random variables with general
distributions", ACM Trans. Math. Softw. 3 (1977) 253-256; M. D. Vose, "A linear algorithm for generating
random numbers with a given distribution", IEEE Trans. Softw. Eng. 17 (1991) 972-975. Different here: columns
of unequal, integer capacity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError

WORDS = 1 << 32
MAX_OUTCOMES = 1 << 16
SUM_TOLERANCE = 1e-9
"""How far the probabilities may sum from 1."""


@dataclass(frozen=True, eq=False)
class AliasTable:
    """Discrete distribution of GPU counts, ready for a 32-bit word.

    Parameters
    ----------
    gpus : numpy.ndarray of int32, shape (A,)
        The outcomes [GPU].
    threshold : numpy.ndarray of uint64, shape (A,)
        Column i returns its own outcome for remainders below this; in [0, 2^32].
    alias : numpy.ndarray of int32, shape (A,)
        Index of the outcome that column i returns otherwise.

    All three are C-contiguous and read-only.
    """

    gpus: NDArray[np.int32]
    threshold: NDArray[np.uint64]
    alias: NDArray[np.int32]


def compile_alias(gpus: Sequence[int], probabilities: Sequence[float]) -> AliasTable:
    """Build the alias table of a list of GPU counts.

    Parameters
    ----------
    gpus : sequence of int
        Outcomes [GPU], each from 1 to 2^31 - 1; at most 65536 of them.
    probabilities : sequence of float
        One for each outcome, 0 or more, with sum 1 within 1e-9.

    Returns
    -------
    AliasTable
        Each outcome owns a whole number of the 2^32 words, within one word of its (normalised) probability.
        The same input gives the same table, on any platform.

    Raises
    ------
    WorkloadError
        If the lists are empty, too long or of different length, a count is below 1 or too large, a
        probability negative or not finite, or the sum not 1.

    Examples
    --------
    >>> table = compile_alias([1, 8], [0.75, 0.25])
    >>> [str(p) for p in alias_probabilities(table)]
    ['3/4', '1/4']
    """
    _check(gpus, probabilities)
    threshold, alias = alias_rule(probabilities)
    outcomes = np.array(gpus, dtype=np.int32)
    outcomes.setflags(write=False)
    return AliasTable(outcomes, threshold, alias)


def compile_choices(
    values: Sequence[int], probabilities: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int32]]:
    """Alias table of outcomes that may be larger than a GPU count, such as time limits.

    Parameters
    ----------
    values : sequence of int
        Outcomes [tick], each from 1 to below 2^43; at most 65536 of them.
    probabilities : sequence of float
        As for `compile_alias`.

    Returns
    -------
    values, threshold, alias : numpy.ndarray of int64, uint64, int32
        C-contiguous and read-only.
    """
    _check(range(1, len(values) + 1), probabilities)
    threshold, alias = alias_rule(probabilities)
    outcomes = np.array(values, dtype=np.int64)
    outcomes.setflags(write=False)
    return outcomes, threshold, alias


def alias_rule(probabilities: Sequence[float]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Threshold and alias of each column; the probabilities are taken relative to their sum."""
    return _alias_rule(tuple(probabilities))


@lru_cache(maxsize=256)
def _alias_rule(probabilities: tuple[float, ...]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    columns = len(probabilities)
    edges = [-(-i * WORDS // columns) for i in range(columns + 1)]  # first word of each column
    capacity = [edges[i + 1] - edges[i] for i in range(columns)]
    left = _whole_words(probabilities)  # words that each outcome still has to get
    own = [0] * columns  # words of column i that return outcome i
    alias = list(range(columns))
    small = [i for i in reversed(range(columns)) if left[i] < capacity[i]]
    large = [i for i in reversed(range(columns)) if left[i] >= capacity[i]]
    while small:
        i = small.pop()
        own[i] = left[i]
        donor = large[-1]  # exists: the words left equal the capacities left, and i has too few
        alias[i] = donor
        left[donor] -= capacity[i] - own[i]
        if left[donor] < capacity[donor]:
            small.append(large.pop())
    for i in large:  # words left equal capacities left, and none of these has too few: each fits exactly
        own[i] = capacity[i]
    threshold = [min(WORDS, (edges[i] + own[i]) * columns - i * WORDS) for i in range(columns)]
    arrays = np.array(threshold, dtype=np.uint64), np.array(alias, dtype=np.int32)
    for array in arrays:
        array.setflags(write=False)
    return arrays


def alias_probabilities(table: AliasTable) -> list[Fraction]:
    """Exact probability of each outcome under a uniform 32-bit word, by counting words."""
    columns = len(table.gpus)
    words = [0] * columns
    for i in range(columns):
        first = -(-i * WORDS // columns)
        end = -(-(i + 1) * WORDS // columns)
        split = -(-(i * WORDS + int(table.threshold[i])) // columns)  # first word with remainder >= threshold
        words[i] += split - first
        words[int(table.alias[i])] += end - split
    return [Fraction(count, WORDS) for count in words]


def _whole_words(probabilities: Sequence[float]) -> list[int]:
    """Share out 2^32 words by the method of largest remainders; ties go to the earlier outcome."""
    exact = [Fraction(p) for p in probabilities]
    total = sum(exact)
    shares = [p * WORDS / total for p in exact]
    words = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(words)), key=lambda i: (words[i] - shares[i], i))
    for i in by_remainder[: WORDS - sum(words)]:
        words[i] += 1
    return words


def _check(gpus: Sequence[int], probabilities: Sequence[float]) -> None:
    problems = []
    if not 1 <= len(gpus) <= MAX_OUTCOMES or len(gpus) != len(probabilities):
        found = f"{len(gpus)} counts, {len(probabilities)} probabilities"
        problems.append(
            _problem("gpus", f"needs 1 to {MAX_OUTCOMES} counts and a probability for each", found)
        )
    problems += [
        _problem(f"gpus[{i}]", "not a whole number of GPUs from 1 to 2^31 - 1", repr(count))
        for i, count in enumerate(gpus)
        if count != int(count) or not 1 <= count < 1 << 31
    ]
    bad = [
        _problem(f"probabilities[{i}]", "not a probability", repr(p))
        for i, p in enumerate(probabilities)
        if not 0.0 <= p <= 1.0
    ]
    problems += bad
    if not bad and not problems and abs(math.fsum(probabilities) - 1.0) > SUM_TOLERANCE:
        problems.append(_problem("probabilities", "do not sum to 1", repr(math.fsum(probabilities))))
    if problems:
        raise WorkloadError(problems)


def _problem(where: str, what: str, found: str) -> Problem:
    return Problem(where, what, code="workload/gpu-counts", found=found)
