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

from gpusim.engine.chain_columns import chain_columns
from gpusim.engine.checked import refuse
from gpusim.engine.class_table import ClassTable
from gpusim.engine.closures import Closures
from gpusim.engine.fairness import Fairness
from gpusim.engine.limits import FOREVER, MAX_CLASSES, MILLION
from gpusim.engine.policy import (
    ALL,
    FAIR_TREE,
    FAIRSHARE,
    FIFO,
    MULTIFACTOR,
    NONE,
    SJF,
    SKIP,
    WEIGHTED_SHARE,
    Policy,
)
from gpusim.engine.sharing import Sharing
from gpusim.engine.slo_table import SLOWDOWN, TURNAROUND, TURNED_AWAY, WAIT, SloTable
from gpusim.engine.windows import Windows
from gpusim.errors import RunError
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator
from gpusim.workload.ticks import MAX_GPUS

__all__ = [
    "ALL",
    "FAIRSHARE",
    "FAIR_TREE",
    "FIFO",
    "FOREVER",
    "MAX_CLASSES",
    "MILLION",
    "MULTIFACTOR",
    "NONE",
    "SJF",
    "SKIP",
    "SLOWDOWN",
    "TURNAROUND",
    "TURNED_AWAY",
    "WAIT",
    "WEIGHTED_SHARE",
    "ClassTable",
    "Closures",
    "Fairness",
    "Policy",
    "RunSpec",
    "Sharing",
    "SloTable",
    "Windows",
]


@dataclass(frozen=True, eq=False)
class RunSpec:
    """Everything that is the same for all cells of a batch.

    Parameters
    ----------
    jobs : Jobs, sequence of Jobs, or Generator
        Stored workloads (a cell's replication picks one), or sources of generated jobs.
    classes : ClassTable
    policy : Policy
    windows : Windows
    slos : SloTable, optional
    sharing : Sharing, optional
        Quotas and preemption. Default: nobody owns anything.
    fairness : Fairness, optional
        What fair orders go by; they need it, and a `sharing`: `Sharing.nobody` if nobody owns anything.
    closures : Closures, optional
        GPUs that are taken away in known intervals; needs a `sharing` and `Policy.kill_at_limit`. Default: none.

    Attributes
    ----------
    room : dict
        Working memory that the runs so far have needed: a matter of speed only.

    Raises
    ------
    RunError
        If the parts do not fit together, there is no workload, a job names a class or a user that does not exist, or
        a time could leave the 43 bits of the engine's clock.
    """

    jobs: Jobs | Sequence[Jobs] | Generator
    classes: ClassTable = field(default_factory=ClassTable.single)
    policy: Policy = field(default_factory=Policy)
    windows: Windows = field(default_factory=Windows.whole)
    slos: SloTable | None = None
    sharing: Sharing | None = None
    fairness: Fairness | None = None
    closures: Closures | None = None
    room: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.slos is None:
            object.__setattr__(self, "slos", SloTable.empty(len(self.classes)))
        classes = len(self.classes)
        if self.levels.member.shape[1] != classes:
            found = str(self.levels.member.shape[1])
            raise refuse("slos.member", "has the wrong number of classes", f"give {classes} columns", found)
        for name in ("hours_from", "hours_to"):
            latest = int(getattr(self.levels, name).max(initial=0))
            if latest > self.windows.day:
                remedy = f"use ticks of the day, 0 to {self.windows.day:,}, or another windows.day"
                raise refuse(f"slos.{name}", "lies outside the day", remedy, f"{latest:,}")
        bounds = len(self.policy.tenant_max_waiting)
        if bounds not in (0, self.classes.tenants):
            remedy = f"give one bound per tenant, {self.classes.tenants}"
            raise refuse("policy.tenant_max_waiting", "has the wrong length", remedy, str(bounds))
        if self.sharing is not None:
            _check_sharing(self.sharing, self.classes)
        if self.fairness is not None:
            self.fairness.check_fits(self.classes.tenants, classes, self.classes.n_pools)
        if self.policy.order >= FAIRSHARE:
            _check_order(self.policy, self.sharing, self.fairness)
        if self.closures is not None:
            _check_closures(self.closures, self)
        if isinstance(self.jobs, Generator):
            _check_sources(self.jobs, classes, self.windows)
            if self.sharing is not None:
                _check_source_users(self.jobs, self.classes, self.sharing)
        else:
            _check_tables(self.tables, classes, self.windows.horizon, self.policy.kill_at_limit)
            if self.sharing is not None:
                _check_users(self.tables, self.classes, self.sharing)

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
        jobs = self._generated() if isinstance(self.jobs, Generator) else _stored(self.tables)
        if self.tables and self.sharing is not None and self.sharing.user_offset[-1]:
            jobs["user"] = np.ascontiguousarray(np.concatenate([t.user for t in self.tables]), np.int32)
        return {
            **jobs,
            **self.classes.arrays,
            **self._lines(),
            **self._order(),
            **self.policy.arrays(self.classes.tenants),
            **self.windows.arrays,
            **self.levels.arrays,
            **({} if self.closures is None else self.closures.arrays(self.classes.n_pools)),
        }

    def _lines(self) -> dict[str, Any]:
        """Strips of the queue, a tier's or its tenants' in it, and what comes with sharing."""
        ranks = self.classes.tier_rank
        if self.sharing is None:
            return {"line": ranks, "lines": self.classes.tiers}
        tenants = self.classes.tenants
        line = np.ascontiguousarray(ranks * tenants + self.classes.tenant, dtype=np.int32)
        lines = self.classes.tiers * tenants
        return {"line": line, "lines": lines, **self.sharing.arrays(self.classes.tier)}

    def _order(self) -> dict[str, Any]:
        """What a fair order goes by; nothing for the others."""
        if self.fairness is None or self.policy.order < FAIRSHARE:
            return {}
        return self.fairness.arrays(len(self.classes))

    def _generated(self) -> dict[str, Any]:
        assert isinstance(self.jobs, Generator)
        arrays = self.jobs.arrays()
        until = arrays["until_tick"]
        arrays["until_tick"] = np.where(until < 0, self.windows.horizon, until).astype(np.int64)
        arrays["n_sources"] = int(arrays["rows"].shape[1])
        return arrays


def _as_tuple(values: Any) -> tuple[Any, ...]:
    try:
        return tuple(values)
    except TypeError:
        return ()


def _check_sharing(sharing: Sharing, classes: ClassTable) -> None:
    wanted = {"tenants": classes.tenants, "classes": len(classes), "pools": classes.n_pools}
    found = {
        "tenants": sharing.tenants,
        "classes": len(sharing.preemptible),
        "pools": sharing.nominal.shape[1],
    }
    wrong = [f"{found[name]} {name}" for name in wanted if found[name] != wanted[name]]
    if wrong:
        remedy = "give rows for " + ", ".join(f"{n} {name}" for name, n in wanted.items())
        raise refuse("sharing", "does not fit the classes", remedy, ", ".join(wrong))


def _check_order(policy: Policy, sharing: Sharing | None, fairness: Fairness | None) -> None:
    """What a fair order needs."""
    if sharing is None:
        remedy = "give the spec a sharing; Sharing.nobody(...) if nobody owns anything"
        raise refuse("policy.order", "is a fair order, and nobody shares", remedy, str(policy.order))
    if fairness is None:
        remedy = "give the spec a fairness, with the weights of the tenants"
        raise refuse("policy.order", "is a fair order without weights", remedy, str(policy.order))
    if policy.order != WEIGHTED_SHARE:
        return
    if sharing.borrowers_last:
        remedy = "give borrowers_last=False: shares say who is next"
        raise refuse("sharing.borrowers_last", "does not go with the order WEIGHTED_SHARE", remedy)
    if policy.max_tests >= 0:
        remedy = "leave it at -1: lines take turns, there is no first job of all"
        raise refuse(
            "policy.max_tests", "does not go with the order WEIGHTED_SHARE", remedy, str(policy.max_tests)
        )


def _check_users(tables: Sequence[Jobs], classes: ClassTable, sharing: Sharing) -> None:
    assert sharing.users is not None
    users = sharing.users[classes.tenant]  # by class
    for i, table in enumerate(tables):
        unknown = np.flatnonzero(table.user >= users[table.job_class])
        if len(unknown):
            row = int(unknown[0])
            where = f"jobs[{i}].user[{row}]" if len(tables) > 1 else f"jobs.user[{row}]"
            remedy = f"use 0 to {users[table.job_class[row]] - 1}, or give its tenant more sharing.users"
            raise refuse(where, "is no user of the job's tenant", remedy, str(table.user[row]))


def _check_source_users(generator: Generator, classes: ClassTable, sharing: Sharing) -> None:
    """Users with limits have counters: no source may draw others."""
    assert sharing.users is not None
    limited = np.diff(sharing.user_offset) > 0
    for source in generator.sources:
        tenant = int(classes.tenant[source.job_class])
        if limited[tenant] and source.users > sharing.users[tenant]:
            where = f"{source.name or 'a source'}.users"
            remedy = f"use at most {sharing.users[tenant]}, or give its tenant more sharing.users"
            raise refuse(where, "are more than its tenant has", remedy, str(source.users))


def _check_closures(closures: Closures, spec: RunSpec) -> None:
    problems = []
    if spec.sharing is None:
        remedy = "give the spec a sharing; Sharing.nobody(...) changes nothing else"
        problems += refuse("closures", "are of a center that tenants share", remedy).problems
    if not spec.policy.kill_at_limit:
        remedy = "set kill_at_limit: a job that outlives its limit would hold closed GPUs"
        problems += refuse("policy.kill_at_limit", "is off, and there are closures", remedy).problems
    last = int(closures.pool.max(initial=-1))
    if last >= spec.classes.n_pools:
        remedy = f"use pools 0 to {spec.classes.n_pools - 1}"
        row = int(np.flatnonzero(closures.pool == last)[0])
        problems += refuse(f"closures.pool[{row}]", "is of no pool", remedy, str(last)).problems
    if problems:
        raise RunError(problems)


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
            first = table.submit + np.where(table.after < 0, table.delay, 0)
            between = int(table.delay[table.after >= 0].sum())
            end = int(first.max(initial=0)) + int(lasts.sum()) + between
            if end >= FOREVER:
                remedy = "use a longer tick, split the jobs, or give a horizon"
                raise refuse(where, "could run past the last tick, 2^43 - 2", remedy, f"until {end:,}")


def _check_sources(generator: Generator, classes: int, windows: Windows) -> None:
    unknown = [source for source in generator.sources if source.job_class >= classes]
    if unknown:
        found = f"class {unknown[0].job_class} of {unknown[0].name or 'a source'}"
        remedy = f"use classes 0 to {classes - 1}, or give a larger class table"
        raise refuse("jobs", "name a class that does not exist", remedy, found)
    if windows.horizon == FOREVER:
        raise refuse("windows.horizon", "is missing: generated jobs never end", "give a horizon")
    if generator.week_phase != windows.week_phase and generator.profiles:
        found = f"{generator.week_phase:,} and {windows.week_phase:,}"
        raise refuse("windows.week_phase", "is not that of the sources", "give both the same", found)
    for source in (source for source in generator.sources if source.active):
        name = source.name or f"source {source.key:#010x}"
        if int(source.gpus.max()) > MAX_GPUS:
            remedy = f"use at most {MAX_GPUS:,}"
            raise refuse(f"{name}.gpus", "is too large", remedy, f"{source.gpus.max():,}")
        if not len(source.events) and windows.horizon << source.gap.shift >= 1 << 62:
            remedy = "use a shorter horizon, a longer tick or a smaller shift"
            found = f"{windows.horizon:,} ticks, shift {source.gap.shift}"
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
    if any(table.has_chains or table.has_holds for table in tables):
        numbers, parts = zip(*(chain_columns(table.after, table.delay) for table in tables), strict=True)
        spec["chain"], spec["part"] = np.concatenate(numbers), np.concatenate(parts)
        spec["delay"] = np.ascontiguousarray(np.concatenate([t.delay for t in tables]), dtype=np.int64)
    return spec
