"""`replay`: a recorded log through the scheduler, job by job."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import OUTCOMES, STATUS_OK, Records
from gpusim.engine.spec import Policy, RunSpec, Windows
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
    rejected : int
        Jobs larger than the pool.
    killed_limit : int
        Jobs ended at their request (`kill_at_limit` only).
    mean_wait, p95_wait : float
        Over started jobs; p95 by linear interpolation.
    mean_bounded_slowdown : float
        Mean of max(1, turnaround / max(run time, 10 s)) over started jobs.
    utilization : float or None
        GPU-seconds used / (GPUs x makespan); None for an unlimited pool.
    makespan : float
        Last end - first submit.
    in_use : Usage or None
        GPUs in use, time-weighted over first start .. last end, which are in ticks here (seconds in `to_dict`).
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
    rejected: int
    killed_limit: int
    mean_wait: float
    p95_wait: float
    mean_bounded_slowdown: float
    utilization: float | None
    makespan: float
    in_use: Usage | None
    records: Records
    table: Jobs

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data, without the records."""
        skipped = ("records", "table", "in_use")
        data: dict[str, Any] = {"schema": REPLAY_SCHEMA, "kind": "replay"}
        data |= {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in skipped}
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
        policy=Policy(backfill=backfill_code(backfill), kill_at_limit=kill_at_limit),
        windows=Windows.whole(),
    )
    result = run_batch(spec, 0, capacity, records=True, backend=backend)
    assert result.records is not None
    assert int(result.status[0]) == STATUS_OK
    if gpus == "unlimited" and bool((result.records.start != jobs.submit).any()):
        what, remedy = "asks for more GPUs at once than the engine can count", "name a number of GPUs"
        raise RunError([Problem(jobs.source, what, remedy, "plan/unlimited", f"at most {MAX_GPUS:,}")])
    return _summary(jobs, None if gpus == "unlimited" else gpus, str(backfill), kill_at_limit, result.records)


def _summary(table: Jobs, gpus: int | None, backfill: str, kill_at_limit: bool, records: Records) -> Replay:
    ran = records.start >= 0
    start, end, submit, size = records.start[ran], records.end[ran], table.submit[ran], table.gpus[ran]
    wait = (start - submit) * table.tick
    slowdown = np.maximum(
        1.0, (end - submit) * table.tick / np.maximum((end - start) * table.tick, SLOWDOWN_BOUND)
    )
    makespan = float(end.max() - table.submit[0]) * table.tick if len(end) else 0.0
    used = float(((end - start) * size).sum()) * table.tick
    killed = records.outcome == OUTCOMES.index("killed_limit")
    return Replay(
        source=table.source,
        gpus=gpus,
        backfill=backfill,
        kill_at_limit=kill_at_limit,
        jobs=len(table),
        started=int(ran.sum()),
        dropped=dict(table.dropped),
        rejected=int(np.isin(records.outcome, REJECTED).sum()),
        killed_limit=int(killed.sum()),
        mean_wait=float(wait.mean()) if len(wait) else float("nan"),
        p95_wait=float(np.quantile(wait, 0.95)) if len(wait) else float("nan"),
        mean_bounded_slowdown=float(slowdown.mean()) if len(wait) else float("nan"),
        utilization=used / (gpus * makespan) if gpus is not None and makespan > 0 else None,
        makespan=makespan,
        in_use=in_use(start, end, size) if len(end) else None,
        records=records,
        table=table,
    )


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
