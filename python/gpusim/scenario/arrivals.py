"""Arrivals: how often jobs of a class are submitted, in one stream or several.

A file writes one mapping, or a list of them; each is exactly one of `rate`, `load` and `schedule`, with an
optional profile of the week, batches, a part of the horizon, and its own gangs, run times and limits. `Arrivals`
is such an entry as it stands in the file; `Stream` is the same with what it takes from its class filled in.

`rate` and `load` always count jobs (of a class with segments: whole chains), as means over the week; batches
do not change them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from gpusim.scenario.approval import Approval
from gpusim.scenario.batch import Batch
from gpusim.scenario.demand_fields import OptionalLoad, OptionalRate
from gpusim.scenario.fields import Duration, OptionalPositiveDuration
from gpusim.scenario.frozen import Frozen, one_of
from gpusim.scenario.gpu_counts import GpuCounts, OptionalGpuCountsField
from gpusim.scenario.lease import Lease
from gpusim.scenario.limits import JobLimit, OptionalLimitField, mean_held
from gpusim.scenario.mistakes import Mistake, raise_all
from gpusim.scenario.profile import Profile
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.schedule import ScheduledItem
from gpusim.scenario.week import WEEK
from gpusim.units import format_duration


class Arrivals(Frozen):
    """How often jobs of a class arrive: exactly one of rate, load and schedule."""

    rate: OptionalRate = Field(
        None,
        description="mean number of jobs submitted per time",
        json_schema_extra={"unit": "1/s"},
        examples=["40/day"],
    )
    load: OptionalLoad = Field(
        None,
        description="mean number of GPUs these jobs keep in use when nobody waits; the rate follows from it",
        json_schema_extra={"unit": "GPUs"},
        examples=[120],
    )
    schedule: tuple[ScheduledItem, ...] | None = Field(
        None,
        description="jobs at known times, once or on some days of every week",
        examples=['[{daily: "09:00", count: 40}]'],
        min_length=1,
    )
    profile: Profile | None = Field(
        None,
        description="how the rate changes within a day and a week (default: not at all)",
        examples=["{peak: 14h, ratio: 2.5, weekend: 60%}"],
    )
    batch: Batch | None = Field(
        None,
        description="jobs come in batches of one user (default: one by one)",
        examples=["{mean: 4, within: 20s, correlation: 0.5}"],
    )
    start: Duration = Field(
        0.0,
        alias="from",
        description="jobs are submitted from this time of the horizon on",
        json_schema_extra={"unit": "s"},
        examples=["7d"],
    )
    until: OptionalPositiveDuration = Field(
        None,
        description="and before this time of the horizon (default: to its end)",
        json_schema_extra={"unit": "s"},
        examples=["35d"],
    )
    gpus: OptionalGpuCountsField = Field(
        None,
        description="GPUs of these jobs (default: those of the class)",
        json_schema_extra={"unit": "GPUs"},
        examples=[8],
    )
    run_time: RunTime | None = Field(
        None, description="how long these jobs run (default: as the class)", examples=["{deterministic: 4h}"]
    )
    limit: OptionalLimitField = Field(
        None,
        description="how long these jobs ask for (default: as the class)",
        json_schema_extra={"unit": "s"},
        examples=["4h"],
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Arrivals:
        mistakes: list[Mistake] = []
        try:
            one_of(self, ("rate", "load", "schedule"), "way to say how often jobs arrive", "rate: 40/day")
        except Mistake as mistake:
            mistakes.append(mistake)
        if self.schedule is not None:
            for name, why in (
                ("profile", "its times are given"),
                ("batch", "its jobs are counted one by one"),
            ):
                if getattr(self, name) is not None:
                    remedy = "remove it, or write a second entry in a list of arrivals with rate or load"
                    what = f"a schedule has no {name}: {why}"
                    mistakes.append(Mistake(what, remedy, path=(name,), at_key=True))
        if self.until is not None and self.start >= self.until:
            mistakes.append(
                Mistake(
                    "these arrivals end before they begin",
                    f"write an until above {format_duration(self.start)}",
                    f"from {format_duration(self.start)}, until {format_duration(self.until)}",
                    ("until",),
                    "window",
                )
            )
        raise_all(mistakes)
        return self


_LIST: TypeAdapter[tuple[Arrivals, ...]] = TypeAdapter(Annotated[tuple[Arrivals, ...], Field(min_length=1)])


def _one_or_several(value: Any, _: ValidatorFunctionWrapHandler) -> Arrivals | tuple[Arrivals, ...]:
    if isinstance(value, (list, tuple)):
        return _LIST.validate_python(tuple(value))
    return Arrivals.model_validate(value)


ArrivalsField = Annotated[Arrivals | tuple[Arrivals, ...], WrapValidator(_one_or_several)]


@dataclass(frozen=True, eq=False)
class Stream:
    """One stream of arrivals of a class, complete.

    A *unit* is what arrives at once: a job, a batch, or a chain of segments.
    """

    entry: Arrivals  # as it stands in the file
    gpus: GpuCounts  # GPUs of a job
    run_time: RunTime  # of a job, or of a whole chain
    limit: JobLimit  # of a job, or of each job of a chain
    segment: float | None  # longest run of one job of a chain [s]; None: no chains
    segment_delay: float  # between two jobs of a chain [s]
    label: str  # '' for the first stream of the class, then '#2', '#3', ..
    lease: Lease | None = None  # the jobs hold whole nodes for a term
    approval: Approval | None = None  # what is submitted are applications

    @property
    def schedule(self) -> tuple[ScheduledItem, ...]:
        """Known times of submission; empty for a random stream."""
        return self.entry.schedule or ()

    @property
    def profile(self) -> Profile | None:
        """How the rate changes within the week."""
        return self.entry.profile

    @property
    def batch(self) -> Batch | None:
        """Jobs of a unit, if they come in batches."""
        return self.entry.batch

    @property
    def start(self) -> float:
        """Nothing is submitted before this time of the horizon [s]."""
        return self.entry.start

    @property
    def until(self) -> float | None:
        """Nothing is submitted from this time of the horizon on [s]."""
        return self.entry.until

    @cached_property
    def mean_held(self) -> float:
        """Mean time that a job, or a whole chain, holds its GPUs [s]."""
        return self.held_within(math.inf)

    def held_within(self, seconds: float) -> float:
        """Mean time that a job, or a chain, holds GPUs in the first `seconds` after its submit if none waits [s]."""
        if self.lease is not None:
            return self.lease.held(self.run_time, seconds)
        return mean_held(self.run_time, self.limit, self.segment, self.segment_delay, seconds)

    @property
    def work(self) -> float:
        """Mean GPU-time of a job, or of a whole chain [GPU s]."""
        return self.gpus.mean * self.mean_held

    @property
    def job_rate(self) -> float:
        """Mean rate of jobs (or chains) of a random stream while it lasts [1/s]; 0 for a schedule.

        Of applications: of those that are granted. A `rate` counts all of them, a `load` is what the granted use.
        """
        if self.entry.rate is not None:
            return float(self.entry.rate) * (1.0 if self.approval is None else self.approval.accept)
        return self.entry.load / self.work if self.entry.load is not None else 0.0

    @property
    def rate(self) -> float:
        """Mean rate of units while the stream lasts [1/s]; 0 for a schedule."""
        return self.job_rate / self.batch.mean if self.batch is not None else self.job_rate

    @property
    def long_run_rate(self) -> float:
        """Mean rate of jobs (or chains) in the long run [1/s]: schedules that come every week included."""
        return self.job_rate + math.fsum(item.per_week for item in self.schedule) / WEEK

    @property
    def long_run_load(self) -> float:
        """Mean GPUs in use in the long run if nobody waits [GPUs]."""
        return float(self.entry.load) if self.entry.load is not None else self.long_run_rate * self.work

    def occurrences(self, start_of_week_offset: float, horizon: float) -> list[tuple[float, float, int]]:
        """Return (time [s], within [s], count) of all scheduled times of the stream in the horizon, in order.

        Parameters
        ----------
        start_of_week_offset : float
            Time since Monday 00:00 local when the study begins [s].
        horizon : float
            Length of a replication [s].
        """
        until = horizon if self.until is None else min(horizon, self.until)
        times = (time for item in self.schedule for time in item.occurrences(start_of_week_offset, until))
        return sorted(time for time in times if time[0] >= self.start)


def streams_of(
    entries: Iterable[Arrivals],
    gpus: GpuCounts,
    run_time: RunTime,
    limit: JobLimit,
    segment: float | None,
    segment_delay: float,
    *,
    lease: Lease | None = None,
    approval: Approval | None = None,
) -> tuple[Stream, ...]:
    """Return the streams of a class from its entries, its own gangs, run times and limit, and its terms."""
    return tuple(
        Stream(
            entry=entry,
            gpus=entry.gpus if entry.gpus is not None else gpus,
            run_time=entry.run_time if entry.run_time is not None else run_time,
            limit=entry.limit if entry.limit is not None else limit,
            segment=segment,
            segment_delay=segment_delay,
            label="" if index == 0 else f"#{index + 1}",
            lease=lease,
            approval=approval,
        )
        for index, entry in enumerate(entries)
    )
