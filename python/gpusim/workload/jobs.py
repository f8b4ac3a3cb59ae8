"""The job table: what is submitted when, for how long, on how many GPUs.

A `Jobs` is frozen and already checked: whoever holds one need not look again. Times are integer ticks from
here on (`gpusim.workload.ticks` has the rounding). Jobs stand in queue order, that is sorted by (submit, id).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, UsageError
from gpusim.suggest import did_you_mean
from gpusim.workload.chains import check_after, queue_order, renumbered, starts_without_waiting
from gpusim.workload.columns import Column, read_durations, read_instants, read_integers, show
from gpusim.workload.findings import Findings
from gpusim.workload.table_checks import (
    check_delays,
    check_distinct,
    check_durations,
    check_instants,
    check_lengths,
    check_range,
)
from gpusim.workload.ticks import (
    MAX_GPUS,
    MAX_WORK,
    Numbers,
    checked_tick,
    duration_ticks,
    submit_ticks,
    too_much_work,
)

MAX_TENANTS = 1 << 16
"""Most tenants (classes) of a table: a job names its own in 16 bits."""

MAX_USERS = 1 << 28
"""Most users of a tenant."""

_COLUMNS = ("id", "submit", "service", "limit", "gpus", "job_class", "after", "delay", "user")


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
    after : sequence of n whole numbers, optional
        Chains: the row, in this input, of the job that must end before this one may start; -1 none. It must
        stand earlier in queue order, and no two jobs may name the same. Default: -1.
    delay : sequence of n numbers or timedeltas, optional
        Time from the end of the job named by `after` until this one may start [s], 0 or more; rounded to the
        nearest tick, halves up. Where `after` is -1, from its submit: until then it is held, and does not wait.
        Default: 0.
    user : sequence of n whole numbers, 0 .. 2**28 - 1, optional
        Which of its tenant's users each job belongs to. Default: 0.
    tick : float, default 1.0
        Length of one tick [s].

    Attributes
    ----------
    submit, service, limit, delay : (n,) int64 array
        [ticks], below 2**43.
    gpus : (n,) int32 array
    job_class : (n,) uint16 array
    user : (n,) int32 array
    id : (n,) int64 array
    after : (n,) int64 array
        Row of the predecessor **in this table** (sorted), smaller than the job's own; -1 none.
    tenants : tuple of str
        Names of the tenants where a log has them: each is one class, and `job_class` is the position of its
        name. Empty for a table.
    tick : float
        [s]
    source : str
        Where the jobs come from: a file name, or "table".
    dropped : mapping of str to int
        Rows a log reader left out, by reason. Empty for a table: there a bad row is an error.
    is_repeated : (n,) bool array
        Rows of a log without job numbers that are equal to an earlier one in every column. They are jobs too.
    unix_start : int or None
        Unix time of tick 0 [s], if known.

    Raises
    ------
    WorkloadError
        Lists every problem at once: columns of different length, no jobs, text, missing or infinite values,
        more than one dimension; negative `submit`; `service`, `limit` or `gpus` of 0 or less; fractions of a
        GPU; repeated ids; values beyond the ranges above; an `after` that is no row, does not queue earlier
        or is named twice; a total of 2**62 GPU-ticks or more.
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
    after: npt.NDArray[np.int64]
    delay: npt.NDArray[np.int64]
    user: npt.NDArray[np.int32]
    tenants: tuple[str, ...]
    tick: float
    source: str
    dropped: Mapping[str, int]
    is_repeated: npt.NDArray[np.bool_]
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
        after: Column | None = None,
        delay: Column | None = None,
        user: Column | None = None,
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
        follows = (
            np.full(rows, -1, np.int64)
            if after is None
            else read_integers("after", after, findings, "the number of a row")
        )
        delays = np.zeros(rows, np.int64) if delay is None else read_durations("delay", delay, findings)
        users = (
            np.zeros(rows, np.int64)
            if user is None
            else read_integers("user", user, findings, "the number of a user")
        )
        given: dict[str, Numbers | None] = {"submit": instants, "service": lasts, "gpus": counts}
        given |= {} if limit is None else {"limit": limits}
        given |= {} if id is None else {"id": ids}
        given |= {} if job_class is None else {"job_class": classes}
        given |= {} if after is None else {"after": follows}
        given |= {} if user is None else {"user": users}
        given |= {} if delay is None else {"delay": delays}
        same_length = check_lengths(given, findings)

        submit_t = check_instants(instants, tick, findings)
        service_t = check_durations("service", lasts, tick, findings)
        limit_t = service_t if limit is None else check_durations("limit", limits, tick, findings)
        check_range("gpus", counts, 1, MAX_GPUS, findings, "workload/no-gpus")
        check_range("job_class", classes, 0, 2**16 - 1, findings, "workload/class")
        check_range("user", users, 0, MAX_USERS - 1, findings, "workload/user")
        check_distinct(ids, findings)
        delay_t = check_delays(delays, tick, findings)
        if same_length and follows is not None and submit_t is not None and ids is not None:
            check_after(follows, np.floor(submit_t), ids, findings)
        findings.raise_if_any()
        if submit_t is None or service_t is None or limit_t is None or counts is None:
            raise AssertionError("a column is unusable and nothing was reported")  # pragma: no cover
        if ids is None or classes is None or follows is None or delay_t is None or users is None:
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
            after=follows,
            delay=np.floor(delay_t + 0.5),
            user=users,
            is_repeated=np.zeros(rows, np.bool_),
        )
        self._set(tick=tick, source="table", dropped={}, unix_start=unix_start, tenants=())

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
        job_class: npt.NDArray[Any] | None = None,
        after: npt.NDArray[np.int64] | None = None,
        delay: npt.NDArray[np.int64] | None = None,
        user: npt.NDArray[Any] | None = None,
        tenants: Sequence[str] = (),
        is_repeated: npt.NDArray[np.bool_] | None = None,
    ) -> Jobs:
        """Build a table from columns that a reader has already checked and put on ticks (any order).

        `after` counts the rows given here. Left out: one class, one user, no chains, no delays.
        """
        jobs = cls.__new__(cls)
        n = len(submit)
        jobs._fill(
            submit=submit,
            service=service,
            limit=limit,
            gpus=gpus,
            job_class=np.zeros(n, np.uint16) if job_class is None else job_class,
            id=id,
            after=np.full(n, -1, np.int64) if after is None else after,
            delay=np.zeros(n, np.int64) if delay is None else delay,
            user=np.zeros(n, np.int32) if user is None else user,
            is_repeated=np.zeros(n, np.bool_) if is_repeated is None else is_repeated,
        )
        jobs._set(
            tick=tick,
            source=source,
            dropped=dict(dropped),
            unix_start=unix_start,
            tenants=tuple(tenants),
        )
        return jobs

    def of_tenants(self, *names: str) -> Jobs:
        """Only the jobs of some tenants, as a table of its own; times, ids and `dropped` stay as they are.

        A job that follows one of another tenant follows none in the result, and is not held.

        Raises
        ------
        UsageError
            A tenant that the log does not name, or has no job of; the log names none.
        """
        known = [name for name in names if name in self.tenants]
        problems = [
            Problem(
                "tenants", "the log names no such tenant", self._near_tenant(name), "usage/tenant", show(name)
            )
            for name in names
            if name not in self.tenants
        ]
        if problems or not names:
            remedy = self._near_tenant("")
            raise UsageError(problems or Problem("tenants", "none is named", remedy, "usage/tenant"))
        position = [self.tenants.index(name) for name in dict.fromkeys(known)]
        kept = np.isin(self.job_class, position)
        moved_to = np.full(len(self.tenants), -1, np.int64)
        moved_to[position] = np.arange(len(position))
        row_of = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # the last one answers for -1
        return Jobs.from_ticks(
            submit=self.submit[kept],
            service=self.service[kept],
            limit=self.limit[kept],
            gpus=self.gpus[kept],
            id=self.id[kept],
            job_class=moved_to[self.job_class[kept]],
            after=row_of[self.after[kept]],
            delay=np.where((self.after >= 0) & (row_of[self.after] < 0), 0, self.delay)[kept],
            user=self.user[kept],
            tick=self.tick,
            source=self.source,
            dropped=self.dropped,
            is_repeated=self.is_repeated[kept],
            unix_start=self.unix_start,
            tenants=list(dict.fromkeys(known)),
        )

    def _near_tenant(self, name: str) -> str:
        if not self.tenants:
            return "this log tells no tenants apart; leave the choice out"
        near = did_you_mean(name, self.tenants)
        return f"did you mean {near}?" if near else f"choose from {', '.join(self.tenants)}"

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
    def has_chains(self) -> bool:
        """Whether any job must wait for the end of another one."""
        return bool((self.after >= 0).any())

    @property
    def has_holds(self) -> bool:
        """Whether any job that follows no other is held at first."""
        return bool((self.delay[self.after < 0] > 0).any())

    @property
    def repeated(self) -> int:
        """How many rows are equal to an earlier one: `is_repeated`, counted."""
        return int(self.is_repeated.sum())

    def starts_without_waiting(self) -> npt.NDArray[np.int64]:
        """When each job starts with unlimited GPUs [ticks]: at its submit, or when its chain lets it."""
        return starts_without_waiting(self.submit, self.service, self.after, self.delay)

    @property
    def offered_load(self) -> float:
        """GPUs in use on average if nobody waited for GPUs [GPUs].

        The sum of gpus x service over the time from the first submit to the last end with unlimited GPUs: the
        same number as ``in_use(start, start + service, gpus).mean`` of that schedule. To keep up, a center
        needs more.
        """
        work = int(np.dot(self.gpus.astype(np.int64), self.service))
        return work / int((self.starts_without_waiting() + self.service).max() - self.submit[0])

    def to_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Return the columns by name (times in ticks), fit for ``pandas.DataFrame(jobs.to_dict())``."""
        return {name: getattr(self, name) for name in _COLUMNS}

    def _fill(self, **columns: npt.NDArray[Any]) -> None:
        order = queue_order(columns["submit"], columns["id"])
        columns["after"] = renumbered(columns["after"], order)
        types: dict[str, Any] = {
            "gpus": np.int32,
            "job_class": np.uint16,
            "user": np.int32,
            "is_repeated": np.bool_,
        }
        for name, values in columns.items():
            column: npt.NDArray[Any] = np.ascontiguousarray(values[order], dtype=types.get(name, np.int64))
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)
        for name in (*_COLUMNS, "is_repeated"):  # pickling forgets that an array is read-only
            getattr(self, name).flags.writeable = False
