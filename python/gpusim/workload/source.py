"""Sources of generated jobs: what the generator needs to know about the arrivals of a job class, as integers.

A `Generator`, a replication number and a factor on demand determine every job of a run; see ARCHITECTURE.md
section 3 for the rules and `gpusim.engine.reference_generator` for their plain implementation. Every `Source`
and `Generator` is checked when it is made (`source_checks`): nothing may leave 63 bits, every clock must
advance, and no two sources may share random numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.limit_mode import SCALE_ONE, LimitMode
from gpusim.workload.packing import pack
from gpusim.workload.quantile_table import NO_CAP, NO_CAP_FROM, QuantileTable
from gpusim.workload.source_checks import (
    MAX_SOURCES,
    MILLION,
    TIME_LIMIT,
    demand_problems,
    generator_problems,
    shared_keys,
    source_problems,
)
from gpusim.workload.week_profile import WeekProfile

__all__ = [
    "MAX_SOURCES",
    "MILLION",
    "NO_CAP",
    "NO_CAP_FROM",
    "SCALE_ONE",
    "TIME_LIMIT",
    "Generator",
    "LimitMode",
    "Source",
    "source_key",
    "source_keys",
]


def _no_int32() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


def _no_int64() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _no_uint64() -> NDArray[np.uint64]:
    return np.zeros(0, np.uint64)


def _no_events() -> NDArray[np.int64]:
    return np.zeros((0, 3), np.int64)


def _no_rows() -> NDArray[np.int32]:
    return np.zeros((0, 0), np.int32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """Arrivals of one job class as the generator sees them. A class may have several sources.

    There are four kinds. *Plain*: a renewal process of jobs. *Batch* (`batch_sizes` not empty): a renewal
    process of batches. *Scheduled* (`events` not empty): so many jobs in each of given intervals. *Chain*
    (`segment` above 0): each arrival of a plain or scheduled source is a chain of jobs.

    Parameters
    ----------
    key : int
        Counter word that keeps this source's random numbers apart from all others; see `source_key`.
    job_class : int
        Class of its jobs, in [0, 65536).
    active : bool
        False for a source that has no jobs.
    gap : QuantileTable
        Time between arrivals at nominal demand [2^-shift tick], in operational time; shift 8 or more with a
        profile. Scheduled and inactive sources do not use it.
    from_tick : int, default 0
        The renewal process begins here [tick].
    until_tick : int, default -1
        Arrivals (jobs, batches, chains) submitted at this tick or later do not exist; -1: the horizon.
    profile : int, default -1
        Index into `Generator.profiles`; -1: a constant rate.
    profile_start : int, default 0
        Operational time at `from_tick` [1/256 tick]; see `WeekProfile.operational`. 0 without a profile.
    events : numpy.ndarray of int64, shape (E, 3), default empty
        Scheduled arrivals: (tick, within, count), at nominal demand `count` of them, each uniform in
        [tick, tick + within), or at `tick` if `within` is 0. Sorted and not overlapping.
    batch_sizes : numpy.ndarray of int32, shape (Z,), default empty
        Batch sizes [jobs] and, with the next two, their alias table.
    batch_threshold : numpy.ndarray of uint64, shape (Z,)
    batch_alias : numpy.ndarray of int32, shape (Z,)
    spread : int, default 0
        A batch is submitted evenly over this long [tick].
    common : int, default 0
        Weight p of the batch's own word in the service times of its members, in [0, 65536), in 1/65536.
    service : QuantileTable
        Service time (of a chain: of all of it) without its cap [2^-shift tick]; rounded to whole ticks, at
        least 1.
    cap : int, default that of `service`
        Largest service time [2^-shift tick of `service`]; 2^44 - 1: none.
    cap_from : int, default that of `service`
        Words from here on give the cap; 2^32: none.
    gpus : numpy.ndarray of int32, shape (A,)
        GPU counts [GPU] and, with the next two, their alias table (`gpusim.workload.alias`).
    threshold : numpy.ndarray of uint64, shape (A,)
    alias : numpy.ndarray of int32, shape (A,)
    limit_mode : LimitMode or int
    limit_a, limit_b : int, default 0
        FIXED: ticks, 0. FACTOR: lowest and highest factor in 1/65536. Else both 0.
    choices : numpy.ndarray of int64, shape (L,), default empty
        PICK: the limits [tick], in any order. FACTOR: what limits are rounded up to [tick], ascending; may
        be empty. Else empty.
    choice_threshold : numpy.ndarray of uint64, shape (L,)
        PICK only, else empty; with the next, the alias table of the limits.
    choice_alias : numpy.ndarray of int32, shape (L,)
    segment : int, default 0
        Longest service time of a job of a chain [tick]; 0: no chains.
    delay : int, default 0
        Time from the end of a job of a chain until the next is eligible [tick].
    claw_threshold : int, default 0
        Leases: so many of 2^32 words mean that the job is clawed back. Its limit, the term, stays what it was.
    claw_after : int, default 0
        The service time of a job that is clawed back is at most this long [tick]; 0 without claw-back.
    call_period, call_phase : int, default 0
        Jobs are decided on at calls, of which one is at `call_phase`, every `call_period` [tick]; 0: no calls. A job
        is held from its submit to the next call, which may be at once.
    hold : QuantileTable, optional
        How long the decision takes after that [2^-shift tick]; rounded to whole ticks. Default: no time.
    users : int, default 1
        Users of the tenant, alike, one of whom has each job (batch, chain).
    name : str, default ""
        "tenant/class", for messages only.

    Raises
    ------
    WorkloadError
        With every problem found; see `source_checks.source_problems`.
    """

    key: int
    job_class: int
    active: bool
    gap: QuantileTable
    from_tick: int = 0
    until_tick: int = -1
    profile: int = -1
    profile_start: int = 0
    events: NDArray[np.int64] = field(default_factory=_no_events)
    batch_sizes: NDArray[np.int32] = field(default_factory=_no_int32)
    batch_threshold: NDArray[np.uint64] = field(default_factory=_no_uint64)
    batch_alias: NDArray[np.int32] = field(default_factory=_no_int32)
    spread: int = 0
    common: int = 0
    service: QuantileTable
    cap: int = -1
    cap_from: int = -1
    gpus: NDArray[np.int32]
    threshold: NDArray[np.uint64]
    alias: NDArray[np.int32]
    limit_mode: int
    limit_a: int = 0
    limit_b: int = 0
    choices: NDArray[np.int64] = field(default_factory=_no_int64)
    choice_threshold: NDArray[np.uint64] = field(default_factory=_no_uint64)
    choice_alias: NDArray[np.int32] = field(default_factory=_no_int32)
    segment: int = 0
    delay: int = 0
    claw_threshold: int = 0
    claw_after: int = 0
    call_period: int = 0
    call_phase: int = 0
    hold: QuantileTable | None = None
    users: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        if self.cap == -1 and self.cap_from == -1:
            object.__setattr__(self, "cap", self.service.cap)
            object.__setattr__(self, "cap_from", self.service.cap_from)
        problems = source_problems(self)
        if problems:
            raise WorkloadError(problems)

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.name or f"source {self.key:#010x}"

    @property
    def is_scheduled(self) -> bool:
        """Whether its arrivals are scheduled rather than a renewal process."""
        return len(self.events) > 0

    @property
    def is_batch(self) -> bool:
        """Whether its arrivals are batches of jobs."""
        return len(self.batch_sizes) > 0

    @property
    def is_chain(self) -> bool:
        """Whether its arrivals are chains of jobs."""
        return self.segment > 0

    def longest_hold(self) -> int:
        """Longest time from a submit to the tick at which the job is eligible [tick]."""
        to_call = max(0, self.call_period - 1)
        if self.hold is None:
            return to_call
        half = (1 << self.hold.shift) >> 1
        return to_call + (self.hold.largest + half >> self.hold.shift)

    def longest_service(self) -> int:
        """Largest service time that can be drawn, of a chain in all [tick]."""
        shift = self.service.shift
        half = (1 << shift) >> 1
        largest = self.cap if self.cap_from < NO_CAP_FROM else min(int(self.service.nodes[1, 0]), self.cap)
        return max(1, (largest + half) >> shift)


@dataclass(frozen=True, eq=False, kw_only=True)
class Generator:
    """All sources of a scenario and what is common to them.

    Parameters
    ----------
    sources : tuple of Source
        The row table. With `rows` left out, sources 0 .. K - 1 of the run, K at most 65536. Among equal
        submit ticks the jobs of the earlier source come first.
    demand : QuantileTable, optional
        Scale of all gaps of a replication, in 1/65536 with shift 0: 1 / (demand multiplier). Default: always
        1.
    seed : int
        In [0, 2^64).
    profiles : tuple of WeekProfile, default ()
        Of the sources; all with the same week.
    week_phase : int, default 0
        Time since Monday 00:00 local time at tick 0 [tick], in [0, week).
    rows : numpy.ndarray of int32, shape (D, K), optional
        Row d picks, for draw d of the uncertain numbers, the row of each source. All rows of a column have
        one key and one class. Empty (default): one draw, each source its own row.

    Raises
    ------
    WorkloadError
        With every problem found; see `source_checks.generator_problems`.
    """

    sources: tuple[Source, ...]
    demand: QuantileTable | None = None
    seed: int
    profiles: tuple[WeekProfile, ...] = ()
    week_phase: int = 0
    rows: NDArray[np.int32] = field(default_factory=_no_rows)

    def __post_init__(self) -> None:
        if self.rows.size == 0:
            rows = np.arange(len(self.sources), dtype=np.int32)[None, :]
            object.__setattr__(self, "rows", rows)
        problems = generator_problems(self)
        if problems:
            raise WorkloadError(problems)

    @property
    def draws(self) -> int:
        """Number D of draws of the uncertain numbers; 1 if nothing is uncertain."""
        return len(self.rows)

    def of_draw(self, draw: int) -> tuple[Source, ...]:
        """Sources of a run that uses draw `draw`, in order."""
        return tuple(self.sources[row] for row in self.rows[draw])

    def check_demand(self, lowest_ppm: int, highest_ppm: int) -> None:
        """Refuse factors on demand that the arithmetic does not hold.

        Parameters
        ----------
        lowest_ppm, highest_ppm : int
            Smallest and largest `demand_ppm` that will be asked for [1e-6].

        Raises
        ------
        WorkloadError
            If an event would have more than 64 arrivals, a clock would stand still, or a gap would reach 2^56.
        """
        problems = demand_problems(self, lowest_ppm, highest_ppm)
        if problems:
            raise WorkloadError(problems)

    def arrays(self) -> dict[str, Any]:
        """What the native module receives: the columns of the row table; see `gpusim.workload.packing`."""
        return pack(self)


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
    problems: list[Problem] = shared_keys(zip(keys, labels, strict=True))
    if problems:
        raise WorkloadError(problems)
    return keys
