"""The job table: what is submitted when, for how long, on how many GPUs.

A `Jobs` is frozen and already checked: whoever holds one need not look again. Times are integer ticks from
here on (`gpusim.workload.ticks` has the rounding). Jobs stand in queue order, that is sorted by (submit, id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem
from gpusim.workload.columns import Column, read_durations, read_instants, read_integers, show
from gpusim.workload.findings import Findings
from gpusim.workload.ticks import (
    MAX_GPUS,
    MAX_TICKS,
    MAX_WORK,
    Numbers,
    checked_tick,
    duration_ticks,
    quotient,
    submit_ticks,
    too_much_work,
)

_COLUMNS = ("id", "submit", "service", "limit", "gpus", "job_class")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Jobs:
    """A table of jobs, sorted by (submit, id), read-only.

    Parameters
    ----------
    submit : sequence of n numbers, dates or timedeltas
        When each job is submitted [s], 0 or later. Dates become seconds from the first one. Rounded down to
        a tick.
    service : sequence of n numbers or timedeltas
        How long each job runs once started [s], above 0. Rounded to the nearest tick, halves up, at least
        one tick.
    gpus : sequence of n whole numbers
        GPUs each job holds, all at once, 1 .. 2**31 - 2.
    limit : sequence of n numbers or timedeltas, optional
        Run time asked for [s], above 0; decides reservations. Rounded like `service`. Default: `service`.
    id : sequence of n distinct whole numbers, optional
        Default: the row's position in the input, from 0. Equal submit times queue in the order of the ids.
    job_class : sequence of n whole numbers, 0 .. 65535, optional
        Row of the class table each job belongs to. Default: 0.
    tick : float, default 1.0
        Length of one tick [s].

    Attributes
    ----------
    submit, service, limit : (n,) int64 array
        [ticks], below 2**43.
    gpus : (n,) int32 array
    job_class : (n,) uint16 array
    id : (n,) int64 array
    tick : float
        [s]
    source : str
        Where the jobs come from: a file name, or "table".
    dropped : mapping of str to int
        Rows a log reader left out, by reason. Empty for a table: there a bad row is an error.
    unix_start : int or None
        Unix time of tick 0 [s], if known.

    Raises
    ------
    WorkloadError
        Lists every problem at once: columns of different length, no jobs, text, missing or infinite values,
        more than one dimension; negative `submit`; `service`, `limit` or `gpus` of 0 or less; fractions of a
        GPU; repeated ids; values beyond the ranges above; a total of 2**62 GPU-ticks or more.
    UsageError
        If `tick` is not a positive number.

    Examples
    --------
    >>> jobs = Jobs(submit=[0, 0, 3600], service=[7200, 600.4, 60], gpus=[8, 4, 1])
    >>> jobs
    Jobs(3 jobs, 13 GPUs asked (1 to 8), submits over 3,600 s, offered load 8.342 GPUs, from table)
    >>> jobs.service.tolist()
    [7200, 600, 60]
    """

    submit: npt.NDArray[np.int64]
    service: npt.NDArray[np.int64]
    limit: npt.NDArray[np.int64]
    gpus: npt.NDArray[np.int32]
    job_class: npt.NDArray[np.uint16]
    id: npt.NDArray[np.int64]
    tick: float
    source: str
    dropped: Mapping[str, int]
    unix_start: int | None

    def __init__(
        self,
        *,
        submit: Column,
        service: Column,
        gpus: Column,
        limit: Column | None = None,
        id: Column | None = None,  # noqa: A002 - the column's name
        job_class: Column | None = None,
        tick: float = 1.0,
    ) -> None:
        tick = checked_tick(tick)
        findings = Findings()
        instants, unix_start = read_instants("submit", submit, findings)
        lasts = read_durations("service", service, findings)
        limits = lasts if limit is None else read_durations("limit", limit, findings)
        counts = read_integers("gpus", gpus, findings, "a whole number of GPUs")
        rows = next((len(c) for c in (instants, lasts, counts, limits) if c is not None), 0)
        ids = np.arange(rows) if id is None else read_integers("id", id, findings, "a whole number")
        classes = (
            np.zeros(rows, np.int64)
            if job_class is None
            else read_integers("job_class", job_class, findings, "the number of a class")
        )
        given: dict[str, Numbers | None] = {"submit": instants, "service": lasts, "gpus": counts}
        given |= {} if limit is None else {"limit": limits}
        given |= {} if id is None else {"id": ids}
        given |= {} if job_class is None else {"job_class": classes}
        _check_lengths(given, findings)

        submit_t = _check_instants(instants, tick, findings)
        service_t = _check_durations("service", lasts, tick, findings)
        limit_t = service_t if limit is None else _check_durations("limit", limits, tick, findings)
        _check_range("gpus", counts, 1, MAX_GPUS, findings, "workload/no-gpus")
        _check_range("job_class", classes, 0, 2**16 - 1, findings, "workload/class")
        _check_distinct(ids, findings)
        findings.raise_if_any()
        if submit_t is None or service_t is None or limit_t is None or counts is None:
            raise AssertionError("a column is unusable and nothing was reported")  # pragma: no cover
        if ids is None or classes is None:
            raise AssertionError("a column is unusable and nothing was reported")  # pragma: no cover
        if too_much_work(counts, service_t):
            findings.add(
                Problem(
                    "jobs",
                    "sum of gpus x service is too large to be counted exactly",
                    f"keep it below 2**62 = {MAX_WORK:,} GPU-ticks: fewer jobs, or a longer tick",
                    "workload/too-much-work",
                )
            )
            findings.raise_if_any()
        self._fill(
            submit=submit_ticks(submit_t),
            service=duration_ticks(service_t),
            limit=duration_ticks(limit_t),
            gpus=counts,
            job_class=classes,
            id=ids,
        )
        self._set(tick=tick, source="table", dropped={}, unix_start=unix_start)

    @classmethod
    def from_ticks(
        cls,
        *,
        submit: npt.NDArray[np.int64],
        service: npt.NDArray[np.int64],
        limit: npt.NDArray[np.int64],
        gpus: npt.NDArray[Any],
        id: npt.NDArray[np.int64],  # noqa: A002 - the column's name
        tick: float,
        source: str,
        dropped: Mapping[str, int],
        unix_start: int | None,
    ) -> Jobs:
        """Build a table from columns that a reader has already checked and put on ticks (any order)."""
        jobs = cls.__new__(cls)
        one_class = np.zeros(len(submit), np.uint16)
        jobs._fill(submit=submit, service=service, limit=limit, gpus=gpus, job_class=one_class, id=id)
        jobs._set(tick=tick, source=source, dropped=dict(dropped), unix_start=unix_start)
        return jobs

    def __len__(self) -> int:
        return len(self.submit)

    def __repr__(self) -> str:
        n, gpus = len(self), self.gpus
        span = float(self.submit[-1] - self.submit[0]) * self.tick
        dropped = "".join(f"; dropped {count:,} {reason}" for reason, count in self.dropped.items() if count)
        return (
            f"Jobs({n:,} {'job' if n == 1 else 'jobs'}, {int(gpus.sum(dtype=np.int64)):,} GPUs asked "
            f"({gpus.min():,} to {gpus.max():,}), submits over {span:,.0f} s, "
            f"offered load {self.offered_load:,.4g} GPUs, from {self.source}{dropped})"
        )

    def __eq__(self, other: object) -> bool:
        """Same jobs on the same tick; where they come from does not count."""
        if not isinstance(other, Jobs):
            return NotImplemented
        return self.tick == other.tick and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in _COLUMNS
        )

    @property
    def offered_load(self) -> float:
        """GPUs in use on average if every job started when submitted [GPUs].

        The sum of gpus x service over the time from the first submit to the last end with unlimited GPUs: the
        same number as ``in_use(submit, submit + service, gpus).mean``. To keep up, a center needs more.
        """
        work = int(np.dot(self.gpus.astype(np.int64), self.service))
        return work / int((self.submit + self.service).max() - self.submit[0])

    def to_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Return the columns by name (times in ticks), fit for ``pandas.DataFrame(jobs.to_dict())``."""
        return {name: getattr(self, name) for name in _COLUMNS}

    def _fill(self, **columns: npt.NDArray[Any]) -> None:
        order = np.lexsort((columns["id"], columns["submit"]))
        types = {"gpus": np.int32, "job_class": np.uint16}
        for name, values in columns.items():
            column = np.ascontiguousarray(values[order], dtype=types.get(name, np.int64))
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)
        for name in _COLUMNS:  # pickling forgets that an array is read-only
            getattr(self, name).flags.writeable = False


def _check_lengths(columns: Mapping[str, Numbers | None], findings: Findings) -> None:
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        remedy = "give every column one value a job"
        findings.add(Problem("jobs", "columns differ in length", remedy, "workload/length", found))
    elif lengths and not max(lengths.values()):
        findings.add(Problem("jobs", "there are no jobs", "give at least one row", "workload/no-jobs"))


def _check_instants(
    seconds: Numbers | None, tick: float, findings: Findings
) -> npt.NDArray[np.float64] | None:
    if seconds is None:
        return None
    ticks = quotient(seconds, tick)
    remedy = "count seconds from the first submit, so that it is 0 or more"
    findings.add_rows(
        ticks < 0,
        lambda row: Problem(
            f"jobs[{row}].submit", "is negative", remedy, "workload/negative-time", f"{show(seconds[row])} s"
        ),
    )
    _check_size("submit", seconds, ticks, tick, findings)
    return ticks


def _check_durations(
    name: str, seconds: Numbers | None, tick: float, findings: Findings
) -> npt.NDArray[np.float64] | None:
    if seconds is None:
        return None
    ticks = quotient(seconds, tick)
    what = "run time" if name == "service" else "limit"
    findings.add_rows(
        seconds <= 0,
        lambda row: Problem(
            f"jobs[{row}].{name}",
            "is not above 0",
            f"give a positive {what}, or leave the job out",
            f"workload/no-{name}",
            f"{show(seconds[row])} s",
        ),
    )
    _check_size(name, seconds, ticks, tick, findings)
    return ticks


def _check_size(
    name: str, seconds: Numbers, ticks: npt.NDArray[np.float64], tick: float, findings: Findings
) -> None:
    remedy = f"keep it below 2**43 ticks of {tick:g} s; check the unit, or choose a longer tick"
    findings.add_rows(
        ticks >= MAX_TICKS - 0.5,
        lambda row: Problem(
            f"jobs[{row}].{name}", "is too large", remedy, "workload/too-large", f"{show(seconds[row])} s"
        ),
    )


def _check_range(
    name: str, values: npt.NDArray[np.int64] | None, low: int, high: int, findings: Findings, code: str
) -> None:
    if values is None:
        return
    findings.add_rows(
        (values < low) | (values > high),
        lambda row: Problem(
            f"jobs[{row}].{name}",
            f"is below {low}" if values[row] < low else "is too large",
            f"give a whole number from {low} to {high:,}",
            code if values[row] < low else "workload/too-large",
            show(values[row]),
        ),
    )


def _check_distinct(ids: npt.NDArray[np.int64] | None, findings: Findings) -> None:
    if ids is None:
        return
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    earliest = first[inverse]
    findings.add_rows(
        earliest != np.arange(len(ids)),
        lambda row: Problem(
            f"jobs[{row}].id",
            "is used twice",
            "give every job its own id, or leave id out",
            "workload/duplicate-id",
            f"{ids[row]}, also at jobs[{earliest[row]}]",
        ),
    )
