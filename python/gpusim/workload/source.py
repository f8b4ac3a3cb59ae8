"""Sources of generated jobs: what the generator needs to know about each job class, as integers.

A `Generator` and a replication number determine every job of a run; see ARCHITECTURE.md section 3 for the
rules and `gpusim.engine.reference_generator` for their plain implementation. The checks here are those that
the arithmetic relies on: nothing may leave 63 bits, every clock must advance, and no two sources may share
random numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.quantile_table import QuantileTable

TIME_LIMIT = 1 << 43
"""Every duration is below this [tick]."""
SCALE_ONE = 1 << 16
"""Demand scale and limit factor that stand for 1."""
MAX_SOURCES = 1 << 16


class LimitMode(IntEnum):
    """How a job's time limit follows from its service time."""

    EXACT = 0
    """The limit is the service time."""
    FIXED = 1
    """The limit is `limit_a` ticks."""
    FACTOR = 2
    """The limit is the service time times a factor, uniform in [`limit_a`, `limit_b`) / 65536, rounded up."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """One job class as the generator sees it.

    Parameters
    ----------
    key : int
        Counter word that keeps this source's random numbers apart from all others; see `source_key`.
    active : bool
        False for a source of rate 0, which has no jobs.
    gap : QuantileTable
        Time between submissions at nominal demand [2^-shift tick].
    service : QuantileTable
        Service time [2^-shift tick]; rounded to whole ticks, at least 1.
    gpus : numpy.ndarray of int32, shape (A,)
        GPU counts [GPU] and, with the next two, their alias table (`gpusim.workload.alias`).
    threshold : numpy.ndarray of uint64, shape (A,)
    alias : numpy.ndarray of int32, shape (A,)
    limit_mode : LimitMode or int
    limit_a, limit_b : int
        EXACT: both 0. FIXED: ticks, 0. FACTOR: lowest and highest factor in 1/65536.
    name : str, default ""
        "tenant/class", for messages only.

    Raises
    ------
    WorkloadError
        If the arrays do not form an alias table of the said types, a service time or limit can reach 2^43
        ticks, the limit's parameters do not fit its mode, or the source is active and its median gap is 0.
    """

    key: int
    active: bool
    gap: QuantileTable
    service: QuantileTable
    gpus: NDArray[np.int32]
    threshold: NDArray[np.uint64]
    alias: NDArray[np.int32]
    limit_mode: int
    limit_a: int = 0
    limit_b: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        problems = self._array_problems() + self._limit_problems()
        if not 0 < self.key < 1 << 32:
            problems.append(self._problem("key is outside [1, 2^32)", str(self.key)))
        if self.active and int(self.gap.nodes[0, -1]) == 0:
            problems.append(self._problem("median gap is 0, the arrival clock would stand still", ""))
        if problems:
            raise WorkloadError(problems)

    def longest_service(self) -> int:
        """Largest service time that can be drawn [tick]."""
        shift = self.service.shift
        half = (1 << shift) >> 1
        return max(1, (int(self.service.nodes[1, 0]) + half) >> shift)

    def _array_problems(self) -> list[Problem]:
        wanted = (
            ("gpus", self.gpus, np.int32),
            ("threshold", self.threshold, np.uint64),
            ("alias", self.alias, np.int32),
        )
        shape = (len(self.gpus),)
        problems = [
            self._problem(
                f"{name} is not a C-contiguous {np.dtype(kind)} array of shape {shape}", str(array.dtype)
            )
            for name, array, kind in wanted
            if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous or not len(array)
        ]
        if problems:
            return problems
        if int(self.gpus.min()) < 1:
            problems.append(self._problem("a GPU count is below 1", str(self.gpus.min())))
        if int(self.threshold.max()) > 1 << 32:
            problems.append(self._problem("a threshold is above 2^32", str(self.threshold.max())))
        if int(self.alias.min()) < 0 or int(self.alias.max()) >= len(self.alias):
            problems.append(self._problem("an alias is not an index of an outcome", ""))
        return problems

    def _limit_problems(self) -> list[Problem]:
        longest = self.longest_service()
        if longest >= TIME_LIMIT:
            return [
                self._problem("service times reach 2^43 ticks; cap them or use a longer tick", str(longest))
            ]
        found = f"mode {int(self.limit_mode)}, a {self.limit_a}, b {self.limit_b}"
        if self.limit_mode == LimitMode.EXACT:
            good = self.limit_a == 0 and self.limit_b == 0
        elif self.limit_mode == LimitMode.FIXED:
            good = 1 <= self.limit_a < TIME_LIMIT and self.limit_b == 0
        elif self.limit_mode == LimitMode.FACTOR:
            good = (
                0 < self.limit_a <= self.limit_b < 1 << 31 and longest * self.limit_b < TIME_LIMIT * SCALE_ONE
            )
        else:
            good = False
        return (
            []
            if good
            else [self._problem("limit_mode, limit_a, limit_b do not fit together or in 2^43", found)]
        )

    def _problem(self, what: str, found: str) -> Problem:
        return Problem(self.name or f"source {self.key:#010x}", what, code="workload/source", found=found)


@dataclass(frozen=True, eq=False, kw_only=True)
class Generator:
    """All sources of a scenario and what is common to them.

    Parameters
    ----------
    sources : tuple of Source
        In the order of the job classes: the position is the `job_class` of the jobs. At most 65536.
    demand : QuantileTable, optional
        Scale of all gaps of a replication, in 1/65536 with shift 0: 1 / (demand multiplier). Default: always
        1.
    seed : int
        In [0, 2^64).

    Raises
    ------
    WorkloadError
        If two sources have one key, the seed is out of range, or a gap times a demand scale can reach 2^63 or
        be so small that a clock stands still.
    """

    sources: tuple[Source, ...]
    demand: QuantileTable | None = None
    seed: int

    def __post_init__(self) -> None:
        problems = _shared_keys(
            (source.key, source.name or f"source {i}") for i, source in enumerate(self.sources)
        )
        if len(self.sources) > MAX_SOURCES:
            problems.append(_generator_problem(f"more than {MAX_SOURCES} sources", str(len(self.sources))))
        if not 0 <= self.seed < 1 << 64:
            problems.append(_generator_problem("seed is outside [0, 2^64)", str(self.seed)))
        if self.demand is not None:
            problems += self._demand_problems(self.demand)
        if problems:
            raise WorkloadError(problems)

    def _demand_problems(self, demand: QuantileTable) -> list[Problem]:
        if demand.shift != 0:
            return [
                _generator_problem("demand table has a shift; its values are in 1/65536", str(demand.shift))
            ]
        smallest, largest = int(demand.nodes[0, 0]), int(demand.nodes[1, 0])
        problems = []
        for i, source in enumerate(self.sources):
            name = source.name or f"source {i}"
            if source.active and int(source.gap.nodes[1, 0]) * largest >= 1 << 63:
                what = f"{name}: longest gap times largest demand scale reaches 2^63; use a smaller gap shift"
                problems.append(_generator_problem(what, str(largest)))
            if source.active and (int(source.gap.nodes[0, -1]) * smallest) >> 16 == 0:
                what = f"{name}: median gap times smallest demand scale is 0; use a larger gap shift"
                problems.append(_generator_problem(what, str(smallest)))
        return problems


def source_key(tenant: str, name: str) -> int:
    """CRC-32 of "tenant/name" in UTF-8: the counter word of a source, independent of all other sources.

    Examples
    --------
    >>> hex(source_key("vision", "train"))
    '0xc8796250'
    """
    return zlib.crc32(f"{tenant}/{name}".encode())


def source_keys(names: Iterable[tuple[str, str]]) -> list[int]:
    """Keys of all (tenant, class) pairs of a scenario, checked to be different and not 0.

    Raises
    ------
    WorkloadError
        If two pairs share a key, or a key is 0; each problem names the classes concerned.
    """
    pairs = list(names)
    keys = [source_key(tenant, name) for tenant, name in pairs]
    labels = [f"{tenant}/{name}" for tenant, name in pairs]
    problems = _shared_keys(zip(keys, labels, strict=True))
    if problems:
        raise WorkloadError(problems)
    return keys


def _shared_keys(keyed: Iterable[tuple[int, str]]) -> list[Problem]:
    code, remedy = "workload/source-key", "rename one of the classes"
    first: dict[int, str] = {}
    problems = []
    for key, label in keyed:
        if key == 0:
            problems.append(
                Problem(label, "its key (CRC-32 of the name) is 0, a reserved value", remedy, code)
            )
        elif key in first:
            what = f"has the same key (CRC-32 of the name), hence the same random numbers, as {first[key]}"
            problems.append(Problem(label, what, remedy, code, f"{key:#010x}"))
        else:
            first[key] = label
    return problems


def _generator_problem(what: str, found: str) -> Problem:
    return Problem("generator", what, code="workload/generator", found=found)
