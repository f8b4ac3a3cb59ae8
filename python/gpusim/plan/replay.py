"""`replay`: a recorded log through the scheduler, job by job."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import OUTCOMES, STATUS_OK, Records
from gpusim.engine.spec import ClassTable, Policy, RunSpec, Windows
from gpusim.errors import Problem, RunError, UsageError
from gpusim.plan.experiment import backfill_code
from gpusim.plan.output import finite, write_text
from gpusim.workload.jobs import Jobs
from gpusim.workload.ticks import MAX_GPUS
from gpusim.workload.usage import Usage, in_use

REPLAY_SCHEMA = 1
"""Version of the JSON form."""
SLOWDOWN_BOUND = 10
"""Run times below this count as this in the bounded slowdown [s] (R37)."""
REJECTED = (OUTCOMES.index("rejected"), OUTCOMES.index("rejected_full"))


@dataclass(frozen=True)
class TenantOutcome:
    """What one tenant of the log got.

    Attributes
    ----------
    name : str
    jobs, started : int
        Submitted; started.
    gpu_hours : float
        GPU time its jobs held [GPU-h].
    mean_wait, p95_wait : float
        Over its started jobs [s]; NaN if none started. p95 by linear interpolation.
    """

    name: str
    jobs: int
    started: int
    gpu_hours: float
    mean_wait: float
    p95_wait: float


@dataclass(frozen=True, eq=False)
class Replay:
    """A schedule and its summary; times in seconds.

    Attributes
    ----------
    jobs : int
        Jobs of the log that were submitted.
    started : int
    dropped : dict of str to int
        Rows of the log left out by the reader, by reason.
    repeated : int
        Rows of a log without job numbers that equal an earlier one; they ran as jobs of their own.
    rejected : int
        Jobs larger than the pool.
    killed_limit : int
        Jobs ended at their request (`kill_at_limit` only).
    mean_wait, p95_wait : float
        Over started jobs, from eligible to start; p95 by linear interpolation. A job is eligible when it is
        submitted or, in a chain, when its predecessor has ended and the delay has passed.
    mean_bounded_slowdown : float
        Mean of max(1, (end - eligible) / max(run time, 10 s)) over started jobs.
    gpu_hours : float
        GPU time that all jobs held [GPU-h].
    utilization : float or None
        GPU-seconds used / (GPUs x makespan); None for an unlimited pool.
    makespan : float
        Last end - first submit.
    in_use : Usage or None
        GPUs in use, time-weighted over first start .. last end, which are in ticks here (seconds in `to_dict`).
    tenants : tuple of TenantOutcome
        One for each tenant that the log names, in its order; empty if it names none.
    records : Records
        Every job in the order of `table`, in ticks.
    table : Jobs
    """

    source: str
    gpus: int | None
    backfill: str
    kill_at_limit: bool
    jobs: int
    started: int
    dropped: dict[str, int]
    repeated: int
    rejected: int
    killed_limit: int
    mean_wait: float
    p95_wait: float
    mean_bounded_slowdown: float
    utilization: float | None
    gpu_hours: float
    makespan: float
    in_use: Usage | None
    tenants: tuple[TenantOutcome, ...]
    records: Records
    table: Jobs

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data, without the records."""
        skipped = ("records", "table", "in_use", "tenants")
        data: dict[str, Any] = {"schema": REPLAY_SCHEMA, "kind": "replay"}
        data |= {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in skipped}
        data["tenants"] = [dataclasses.asdict(tenant) for tenant in self.tenants]
        data["in_use"] = None
        if self.in_use is not None:
            first, last = self._seconds(np.array([self.in_use.first, self.in_use.last], dtype=np.int64))
            data["in_use"] = dataclasses.asdict(self.in_use) | {"first": first, "last": last}
        return finite(data)  # type: ignore[no-any-return]

    def write_records(self, path: str | os.PathLike[str]) -> None:
        """Write `id,submit,start,end,gpus` of every job as CSV [s]; -1 where it never started. All or nothing."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("id", "submit", "start", "end", "gpus"))
        columns = (
            self.table.id.tolist(),
            self._seconds(self.table.submit),
            self._seconds(self.records.start),
            self._seconds(self.records.end),
            self.table.gpus.tolist(),
        )
        writer.writerows(zip(*columns, strict=True))
        write_text(path, text.getvalue())

    def _seconds(self, ticks: npt.NDArray[np.int64]) -> list[float] | list[int]:
        if self.table.tick == 1.0:
            whole: list[int] = ticks.tolist()
            return whole
        return [t if t < 0 else t * self.table.tick for t in ticks.tolist()]


def replay(
    jobs: Jobs,
    *,
    gpus: int | Literal["unlimited"],
    backfill: int | Literal["none", "skip", "all"] = 1,
    kill_at_limit: bool = False,
    backend: str = "auto",
) -> Replay:
    """Schedule recorded jobs on a flat pool.

    Parameters
    ----------
    jobs : Jobs
        From `gpusim.read_trace`, or made of columns.
    gpus : int or "unlimited"
        Size of the pool.
    backfill : {"none", "skip", "all"} or int >= 1, default 1
        Who may overtake a blocked job; 1 is EASY, "all" conservative (R14).
    kill_at_limit : bool, default False
        False: recorded run times stand and requests only decide reservations (R8).
    backend : {"auto", "cuda", "cupy", "cpu"}

    Returns
    -------
    Replay

    Raises
    ------
    UsageError
        If `gpus` or `backfill` is out of range.
    RunError
        If a log on an unlimited pool wants more GPUs at once than there can be.
    """
    _check(gpus, backfill)
    capacity = MAX_GPUS if gpus == "unlimited" else gpus
    spec = RunSpec(
        jobs=jobs,
        classes=_equal_classes(int(jobs.job_class.max()) + 1),
        policy=Policy(backfill=backfill_code(backfill), kill_at_limit=kill_at_limit),
        windows=Windows.whole(),
    )
    result = run_batch(spec, 0, capacity, records=True, backend=backend)
    assert result.records is not None
    assert int(result.status[0]) == STATUS_OK
    if gpus == "unlimited" and bool((result.records.start != eligible(jobs, result.records)).any()):
        what, remedy = "asks for more GPUs at once than the engine can count", "name a number of GPUs"
        raise RunError([Problem(jobs.source, what, remedy, "plan/unlimited", f"at most {MAX_GPUS:,}")])
    return _summary(jobs, None if gpus == "unlimited" else gpus, str(backfill), kill_at_limit, result.records)


def eligible(table: Jobs, records: Records) -> npt.NDArray[np.int64]:
    """When each started job could start at the earliest [tick]: when it is no longer held (S11, S35)."""
    before = table.after
    ready = records.end[before] + table.delay
    return np.where(before >= 0, np.maximum(table.submit, ready), table.submit + table.delay)


def _equal_classes(number: int) -> ClassTable:
    """Classes that differ in name only: a plain log has one tier, and nobody gives up."""
    return ClassTable(
        tier=np.zeros(number, np.int32),
        tenant=np.zeros(number, np.int32),
        patience=np.full(number, -1, np.int64),
        tenants=1,
    )


def _summary(table: Jobs, gpus: int | None, backfill: str, kill_at_limit: bool, records: Records) -> Replay:
    ran = records.start >= 0
    start, end, size = records.start[ran], records.end[ran], table.gpus[ran]
    since = eligible(table, records)[ran]
    wait = np.asarray((start - since) * table.tick, dtype=np.float64)
    bounded = np.maximum((end - start) * table.tick, SLOWDOWN_BOUND)
    slowdown = np.asarray(np.maximum(1.0, (end - since) * table.tick / bounded), dtype=np.float64)
    makespan = float(end.max() - table.submit[0]) * table.tick if len(end) else 0.0
    held = (end - start) * size  # [GPU-ticks] by job
    used = float(held.sum()) * table.tick
    killed = records.outcome == OUTCOMES.index("killed_limit")
    return Replay(
        source=table.source,
        gpus=gpus,
        backfill=backfill,
        kill_at_limit=kill_at_limit,
        jobs=len(table),
        started=int(ran.sum()),
        dropped=dict(table.dropped),
        repeated=table.repeated,
        rejected=int(np.isin(records.outcome, REJECTED).sum()),
        killed_limit=int(killed.sum()),
        mean_wait=_mean(wait),
        p95_wait=_p95(wait),
        mean_bounded_slowdown=_mean(slowdown),
        utilization=used / (gpus * makespan) if gpus is not None and makespan > 0 else None,
        gpu_hours=used / 3600,
        makespan=makespan,
        in_use=in_use(start, end, size) if len(end) else None,
        tenants=tuple(_tenants(table, ran, wait, held)),
        records=records,
        table=table,
    )


def _tenants(
    table: Jobs, ran: npt.NDArray[np.bool_], wait: npt.NDArray[np.float64], held: npt.NDArray[np.int64]
) -> Iterator[TenantOutcome]:
    """Outcome of each tenant; `wait` and `held` are those of the jobs that ran."""
    for position, name in enumerate(table.tenants):
        own = table.job_class == position
        own_ran = own[ran]
        yield TenantOutcome(
            name=name,
            jobs=int(own.sum()),
            started=int(own_ran.sum()),
            gpu_hours=int(held[own_ran].sum()) * table.tick / 3600,
            mean_wait=_mean(wait[own_ran]),
            p95_wait=_p95(wait[own_ran]),
        )


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _p95(values: npt.NDArray[np.float64]) -> float:
    return float(np.quantile(values, 0.95)) if len(values) else float("nan")


def _check(gpus: object, backfill: object) -> None:
    problems = []
    if gpus != "unlimited" and not (isinstance(gpus, int) and 1 <= gpus <= MAX_GPUS):
        remedy = "use 1 to 2,147,483,646, or unlimited"
        problems.append(Problem("gpus", "is not a pool size", remedy, "plan/gpus", str(gpus)))
    if backfill not in ("none", "skip", "all") and not (isinstance(backfill, int) and backfill >= 1):
        remedy = "use none, skip, all, or a number of reservations from 1"
        problems.append(Problem("backfill", "is not a policy", remedy, "plan/backfill", str(backfill)))
    if problems:
        raise UsageError(problems)
