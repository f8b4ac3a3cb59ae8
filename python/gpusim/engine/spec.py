"""What the engine is asked to run: classes, jobs, policy, windows, service levels and cells, as integer arrays.

Everything is frozen and checked when it is made. The arrays have the names, dtypes and shapes of
ARCHITECTURE.md section 2; `RunSpec.arrays()` is what every backend receives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, RunError
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator

NONE, SKIP, ALL = 0, -1, -2
"""Backfill policies that are not a number of reservations (R14); K >= 1 is K reservations, 1 is EASY."""

FOREVER = (1 << 43) - 1
"""The latest horizon [tick]: keys of the engine hold ticks below 2^43."""

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]


def _refuse(where: str, what: str, remedy: str, found: object = "") -> RunError:
    return RunError([Problem(where, what, remedy, "engine/spec", str(found))])


def _column(name: str, values: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.ndim != 1:
        raise _refuse(name, "is not one-dimensional", "pass one value per row", array.shape)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class ClassTable:
    """Job classes, one row each.

    Parameters
    ----------
    tier : (C,) int
        Priority tier; a larger one is considered first (R10).
    tenant : (C,) int
        Index of the tenant that owns the class, 0 <= tenant < tenants.
    patience : (C,) int
        Ticks a job waits before it leaves (R4); -1: never.
    tenants : int
        Number of tenants T.

    Raises
    ------
    RunError
        If lengths differ, there is no class, or a tenant is out of range.
    """

    tier: Int32
    tenant: Int32
    patience: Int64
    tenants: int

    def __post_init__(self) -> None:
        for name, dtype in (("tier", np.int32), ("tenant", np.int32), ("patience", np.int64)):
            object.__setattr__(self, name, _column(name, getattr(self, name), dtype))
        if not len(self.tier) == len(self.tenant) == len(self.patience) >= 1:
            raise _refuse("classes", "columns differ in length or are empty", "give one row per class")
        if self.tenant.min() < 0 or self.tenant.max() >= self.tenants:
            raise _refuse(
                "classes.tenant", "names a tenant that does not exist", f"use 0 .. {self.tenants - 1}"
            )

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
    """

    backfill: int = NONE
    kill_at_limit: bool = True
    max_waiting: int = -1
    tenant_max_waiting: tuple[int, ...] = ()
    always_profile: bool = False

    def __post_init__(self) -> None:
        if self.backfill < ALL:
            raise _refuse(
                "policy.backfill", "is not a policy", "use NONE, SKIP, ALL or K >= 1", self.backfill
            )


@dataclass(frozen=True)
class Windows:
    """Ticks [0, horizon) are simulated; jobs submitted in [warm_up, count_end) are counted."""

    warm_up: int
    count_end: int
    horizon: int

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up <= self.count_end <= self.horizon <= FOREVER:
            found = f"{self.warm_up}, {self.count_end}, {self.horizon}"
            raise _refuse(
                "windows", "are out of order", "0 <= warm_up <= count_end <= horizon < 2^43 ticks", found
            )

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
        A wait of at most `limit` ticks meets the level (R38).
    share_ppm : (S,) int
        Share of decided jobs that must meet it, in millionths.
    member : (S, C) bool
        Whether the level counts jobs of class c.
    """

    limit: Int64
    share_ppm: Int64
    member: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", _column("slo.limit", self.limit, np.int64))
        object.__setattr__(self, "share_ppm", _column("slo.share_ppm", self.share_ppm, np.int64))
        member = np.ascontiguousarray(self.member, dtype=np.bool_)
        member.setflags(write=False)
        object.__setattr__(self, "member", member)
        if len(self.limit) != len(self.share_ppm) or member.ndim != 2 or len(member) != len(self.limit):
            raise _refuse("slos", "columns differ in length", "give one row per level")

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
        If the parts do not fit together.
    """

    jobs: Jobs | Sequence[Jobs] | Generator
    classes: ClassTable = field(default_factory=ClassTable.single)
    policy: Policy = Policy()
    windows: Windows = field(default_factory=Windows.whole)
    slos: SloTable | None = None

    def __post_init__(self) -> None:
        if self.slos is None:
            object.__setattr__(self, "slos", SloTable.empty(len(self.classes)))
        if self.levels.member.shape[1] != len(self.classes):
            raise _refuse(
                "slos.member", "has the wrong number of classes", f"give {len(self.classes)} columns"
            )
        bounds = self.policy.tenant_max_waiting
        if bounds and len(bounds) != self.classes.tenants:
            raise _refuse(
                "policy.tenant_max_waiting", "has the wrong length", "give one bound per tenant", len(bounds)
            )
        if isinstance(self.jobs, Generator):
            if len(self.jobs.sources) != len(self.classes):
                raise _refuse(
                    "jobs", "generator has a different number of sources than classes", "one per class"
                )
            if self.windows.horizon == FOREVER:
                raise _refuse("windows.horizon", "generated jobs never end", "give a horizon")

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
        spec.update(_generated(self.jobs) if isinstance(self.jobs, Generator) else _stored(self.jobs))
        return spec


def _stored(jobs: Jobs | Sequence[Jobs]) -> dict[str, Any]:
    tables = [jobs] if isinstance(jobs, Jobs) else list(jobs)
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
