"""What the engine is asked to run: classes, jobs, policy, windows, service levels and cells, as integer arrays.

Everything is frozen and checked when it is made, and nothing is converted silently (`checked.py`). The arrays
have the names, dtypes and shapes of ARCHITECTURE.md section 2; `RunSpec.arrays` is what every backend receives.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.checked import column, flag, flags, integer, refuse
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator
from gpusim.workload.ticks import MAX_GPUS, MAX_TICKS

NONE, SKIP, ALL = 0, -1, -2
"""Backfill policies that are not a number of reservations (R14); K >= 1 is K reservations, 1 is EASY."""

FOREVER = MAX_TICKS - 1
"""The latest horizon [tick]: keys of the engine hold ticks below 2^43. The last tick that is run is one less."""

MAX_CLASSES = 1 << 16
"""Most job classes, and most tenants: a job names its class in 16 bits."""
MILLION = 1_000_000

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ClassTable:
    """Job classes, one row each.

    Parameters
    ----------
    tier : (C,) int
        Priority tier, any int32; a larger one is considered first (R10). At most 65,536 classes.
    tenant : (C,) int
        Index of the tenant that owns the class, 0 <= tenant < tenants.
    patience : (C,) int
        Ticks a job waits before it leaves (R4), below 2^43; -1: never.
    tenants : int
        Number of tenants T, 1 .. 65,536.

    Raises
    ------
    RunError
        If lengths differ, there is no class, or a value is not a whole number of its range.
    """

    tier: Int32
    tenant: Int32
    patience: Int64
    tenants: int

    def __post_init__(self) -> None:
        tenants = integer("classes.tenants", self.tenants, 1, MAX_CLASSES)
        columns = {
            "tier": column("classes.tier", self.tier, np.int32),
            "tenant": column("classes.tenant", self.tenant, np.int32, 0, tenants - 1),
            "patience": column("classes.patience", self.patience, np.int64, -1, FOREVER),
        }
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1 or not 1 <= min(lengths) <= MAX_CLASSES:
            found = ", ".join(f"{name} {len(values):,}" for name, values in columns.items())
            remedy = f"give one row per class, 1 to {MAX_CLASSES:,}"
            raise refuse("classes", "differ in length, or are none or too many", remedy, found)
        for name, value in {**columns, "tenants": tenants}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def single(cls) -> ClassTable:
        """One class of one tenant that waits for ever: what a plain log has."""
        return cls(np.zeros(1, np.int32), np.zeros(1, np.int32), np.full(1, -1, np.int64), 1)

    def __len__(self) -> int:
        return len(self.tier)

    @cached_property
    def tier_rank(self) -> Int32:
        """0 for the tier considered first, (C,) int32."""
        ranks = np.unique(-self.tier.astype(np.int64), return_inverse=True)[1]
        return np.ascontiguousarray(ranks, dtype=np.int32)


@dataclass(frozen=True)
class Policy:
    """How waiting jobs are scheduled.

    Parameters
    ----------
    backfill : int, default NONE
        NONE, SKIP, ALL, or K >= 1 reservations (R14).
    kill_at_limit : bool, default True
        A run lasts min(service, limit) (R7); False: recorded run times stand and requests only decide
        reservations (R8).
    max_waiting : int, default -1
        Waiting jobs the center holds before it refuses newcomers (R4); -1: no bound.
    tenant_max_waiting : tuple of int, default ()
        The same per tenant; () means no bound for anybody.
    always_profile : bool, default False
        Compute EASY through the general profile. Same integers, slower: the proof of the fast path.

    Raises
    ------
    RunError
        If a bound is below -1, or a value is not of its type.
    """

    backfill: int = NONE
    kill_at_limit: bool = True
    max_waiting: int = -1
    tenant_max_waiting: tuple[int, ...] = ()
    always_profile: bool = False

    def __post_init__(self) -> None:
        bounds = column("policy.tenant_max_waiting", self.tenant_max_waiting, np.int64, -1)
        checked = {
            "backfill": integer("policy.backfill", self.backfill, ALL, np.iinfo(np.int32).max),
            "kill_at_limit": flag("policy.kill_at_limit", self.kill_at_limit),
            "max_waiting": integer("policy.max_waiting", self.max_waiting, -1, np.iinfo(np.int64).max),
            "tenant_max_waiting": tuple(bounds.tolist()),
            "always_profile": flag("policy.always_profile", self.always_profile),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Windows:
    """Ticks [0, horizon) are simulated; jobs submitted in [warm_up, count_end) are counted."""

    warm_up: int
    count_end: int
    horizon: int

    def __post_init__(self) -> None:
        for name in ("warm_up", "count_end", "horizon"):
            object.__setattr__(self, name, integer(f"windows.{name}", getattr(self, name), 0, FOREVER))
        if not self.warm_up <= self.count_end <= self.horizon:
            found = f"{self.warm_up}, {self.count_end}, {self.horizon}"
            remedy = "0 <= warm_up <= count_end <= horizon < 2^43 ticks"
            raise refuse("windows", "are out of order", remedy, found)

    @classmethod
    def whole(cls) -> Windows:
        """Everything is simulated and counted."""
        return cls(0, FOREVER, FOREVER)


@dataclass(frozen=True, eq=False)
class SloTable:
    """Service levels on wait, one row each.

    Parameters
    ----------
    limit : (S,) int
        A wait of at most `limit` ticks, 0 .. 2^43 - 1, meets the level (R38).
    share_ppm : (S,) int
        Share of decided jobs that must meet it, in millionths, 0 .. 1,000,000.
    member : (S, C) bool
        Whether the level counts jobs of class c.

    Raises
    ------
    RunError
        If lengths differ, or a value is not of its type and range.
    """

    limit: Int64
    share_ppm: Int64
    member: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        limit = column("slos.limit", self.limit, np.int64, 0, FOREVER)
        share_ppm = column("slos.share_ppm", self.share_ppm, np.int64, 0, MILLION)
        member = flags("slos.member", self.member)
        if not len(limit) == len(share_ppm) == len(member):
            found = f"limit {len(limit)}, share_ppm {len(share_ppm)}, member {len(member)}"
            raise refuse("slos", "columns differ in length", "give one row per level", found)
        for name, value in (("limit", limit), ("share_ppm", share_ppm), ("member", member)):
            object.__setattr__(self, name, value)

    @classmethod
    def empty(cls, classes: int) -> SloTable:
        """No level at all."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, classes), np.bool_))

    def __len__(self) -> int:
        return len(self.limit)


@dataclass(frozen=True, eq=False)
class RunSpec:
    """Everything that is the same for all cells of a batch.

    Parameters
    ----------
    jobs : Jobs, sequence of Jobs, or Generator
        Stored workloads (a cell's replication picks one), or sources of generated jobs (one per class).
    classes : ClassTable
    policy : Policy
    windows : Windows
    slos : SloTable, optional

    Raises
    ------
    RunError
        If the parts do not fit together, there is no workload, a job names a class that does not exist, or a
        time could leave the 43 bits of the engine's clock.
    """

    jobs: Jobs | Sequence[Jobs] | Generator
    classes: ClassTable = field(default_factory=ClassTable.single)
    policy: Policy = Policy()
    windows: Windows = field(default_factory=Windows.whole)
    slos: SloTable | None = None

    def __post_init__(self) -> None:
        if self.slos is None:
            object.__setattr__(self, "slos", SloTable.empty(len(self.classes)))
        classes = len(self.classes)
        if self.levels.member.shape[1] != classes:
            found = str(self.levels.member.shape[1])
            raise refuse("slos.member", "has the wrong number of classes", f"give {classes} columns", found)
        bounds = len(self.policy.tenant_max_waiting)
        if bounds not in (0, self.classes.tenants):
            remedy = f"give one bound per tenant, {self.classes.tenants}"
            raise refuse("policy.tenant_max_waiting", "has the wrong length", remedy, str(bounds))
        if isinstance(self.jobs, Generator):
            _check_sources(self.jobs, classes, self.windows.horizon)
        else:
            _check_tables(self.tables, classes, self.windows.horizon, self.policy.kill_at_limit)

    @cached_property
    def tables(self) -> tuple[Jobs, ...]:
        """The stored workloads, which a cell's replication picks from; none if jobs are generated."""
        if isinstance(self.jobs, Generator):
            return ()
        tables = (self.jobs,) if isinstance(self.jobs, Jobs) else _as_tuple(self.jobs)
        if not tables or not all(isinstance(table, Jobs) for table in tables):
            remedy = "give one Jobs, a sequence of at least one, or a Generator"
            raise refuse("jobs", "are no workload", remedy, reprlib.repr(self.jobs))
        return tables

    @property
    def levels(self) -> SloTable:
        """The service levels, possibly none."""
        assert self.slos is not None
        return self.slos

    @property
    def seed(self) -> int:
        """Seed of the random streams; 0 for stored jobs."""
        return self.jobs.seed if isinstance(self.jobs, Generator) else 0

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """The arrays and scalars of ARCHITECTURE.md 2, by name."""
        c, p, w, s = self.classes, self.policy, self.windows, self.levels
        bounds = p.tenant_max_waiting or (-1,) * c.tenants
        lists = [np.flatnonzero(s.member[:, k]).astype(np.int32) for k in range(len(c))]
        spec: dict[str, Any] = {
            "tier_rank": c.tier_rank,
            "tiers": int(c.tier_rank.max()) + 1,
            "tenant": c.tenant,
            "patience": c.patience,
            "backfill": p.backfill,
            "kill_at_limit": p.kill_at_limit,
            "always_profile": p.always_profile,
            "max_waiting": p.max_waiting,
            "tenant_max_waiting": np.array(bounds, dtype=np.int64),
            "warm_up": w.warm_up,
            "count_end": w.count_end,
            "horizon": w.horizon,
            "slo_limit": s.limit,
            "slo_share_ppm": s.share_ppm,
            "slo_class_offset": np.cumsum([0, *map(len, lists)], dtype=np.int32),
            "slo_class_list": np.concatenate([*lists, np.zeros(0, np.int32)]),
        }
        spec.update(_generated(self.jobs) if isinstance(self.jobs, Generator) else _stored(self.tables))
        return spec


def _as_tuple(values: Any) -> tuple[Any, ...]:
    try:
        return tuple(values)
    except TypeError:
        return ()


def _check_tables(tables: Sequence[Jobs], classes: int, horizon: int, kill_at_limit: bool) -> None:
    for i, table in enumerate(tables):
        where = f"jobs[{i}]" if len(tables) > 1 else "jobs"
        largest = int(table.job_class.max(initial=0))
        if largest >= classes:
            remedy = f"use classes 0 to {classes - 1}, or give a larger class table"
            raise refuse(f"{where}.job_class", "names a class that does not exist", remedy, str(largest))
        if horizon == FOREVER:
            lasts = np.minimum(table.service, table.limit) if kill_at_limit else table.service
            # Jobs keeps the sum of gpus x service below 2^62, so this sum of int64 is exact.
            end = int(table.submit.max(initial=0)) + int(lasts.sum())
            if end >= FOREVER:
                remedy = "use a longer tick, split the jobs, or give a horizon"
                raise refuse(where, "could run past the last tick, 2^43 - 2", remedy, f"until {end:,}")


def _check_sources(generator: Generator, classes: int, horizon: int) -> None:
    if len(generator.sources) != classes:
        found = f"{len(generator.sources)} sources, {classes} classes"
        raise refuse("jobs", "have not one source per class", "give one source per class", found)
    if horizon == FOREVER:
        raise refuse("windows.horizon", "is missing: generated jobs never end", "give a horizon")
    for source in (source for source in generator.sources if source.active):
        name = source.name or f"source {source.key:#010x}"
        if int(source.gpus.max()) > MAX_GPUS:
            remedy = f"use at most {MAX_GPUS:,}"
            raise refuse(f"{name}.gpus", "is too large", remedy, f"{source.gpus.max():,}")
        if horizon << source.gap.shift >= 1 << 62:
            remedy = "use a shorter horizon, a longer tick or a smaller shift"
            found = f"{horizon:,} ticks, shift {source.gap.shift}"
            raise refuse(
                f"{name}.gap", "is too fine for this horizon: 2^62 units of the clock", remedy, found
            )


def _stored(tables: Sequence[Jobs]) -> dict[str, Any]:
    columns = (("submit", np.int64), ("service", np.int64), ("limit", np.int64), ("gpus", np.int32))
    spec: dict[str, Any] = {
        name: np.ascontiguousarray(np.concatenate([getattr(t, name) for t in tables]), dtype=dtype)
        for name, dtype in (*columns, ("job_class", np.uint16))
    }
    spec["offset"] = np.cumsum([0, *map(len, tables)], dtype=np.int64)
    return spec


def _generated(generator: Generator) -> dict[str, Any]:
    sources = generator.sources
    spec: dict[str, Any] = {
        "source_key": np.array([s.key for s in sources], dtype=np.uint32),
        "source_active": np.array([s.active for s in sources], dtype=np.uint8),
        "gap_nodes": np.stack([s.gap.nodes for s in sources]),
        "gap_shift": np.array([s.gap.shift for s in sources], dtype=np.int32),
        "service_nodes": np.stack([s.service.nodes for s in sources]),
        "service_shift": np.array([s.service.shift for s in sources], dtype=np.int32),
        "atom_offset": np.cumsum([0, *(len(s.gpus) for s in sources)], dtype=np.int32),
        "atom_gpus": np.concatenate([s.gpus for s in sources]),
        "atom_threshold": np.concatenate([s.threshold for s in sources]),
        "atom_alias": np.concatenate([s.alias for s in sources]),
        "limit_mode": np.array([int(s.limit_mode) for s in sources], dtype=np.int32),
        "limit_a": np.array([s.limit_a for s in sources], dtype=np.int64),
        "limit_b": np.array([s.limit_b for s in sources], dtype=np.int64),
    }
    if generator.demand is not None:
        spec["demand_nodes"] = generator.demand.nodes
    return spec
