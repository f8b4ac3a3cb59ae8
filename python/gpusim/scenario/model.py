"""The models a scenario is made of: job classes, tenants, center and study; the policy is in policy.py.

They mirror the file: a key of the file is a field here, with its description and unit, and these fields are
also the JSON schema. In Python durations are float seconds, shares fractions, rates 1/s. Everything is
frozen. What only the whole can know (names, windows, impossible gangs) is checked in checks.py; `Scenario`
itself is in scenario.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Annotated

from pydantic import Field, model_validator

from gpusim.scenario.approval import Approval
from gpusim.scenario.arrivals import Arrivals, ArrivalsField, Stream, streams_of
from gpusim.scenario.demand_fields import DemandStep, Factor, OptionalFactor
from gpusim.scenario.fairness import Qos
from gpusim.scenario.fields import (
    CoolDown,
    Duration,
    Gpus,
    Name,
    OptionalDuration,
    OptionalGpus,
    OptionalPositiveDuration,
    PositiveDuration,
    Priority,
    Probability,
    Seed,
    Switch,
    Text,
    Tolerance,
    Uncertainty,
)
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.gpu_counts import GpuCountsField
from gpusim.scenario.lease import Lease
from gpusim.scenario.limits import JobLimit, LimitField, read_limit
from gpusim.scenario.mistakes import Mistake, raise_all
from gpusim.scenario.pools import Pool
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.sharing import PreemptibleField, TenantTerms
from gpusim.scenario.week import Start, TimeZone
from gpusim.units import format_duration


class JobClass(Frozen):
    """A kind of job: how often it arrives, how many GPUs it takes, how long it runs and how long it waits."""

    name: Name = Field(description="name of the class, unique in its tenant", examples=["training"])
    arrivals: ArrivalsField = Field(
        description="how often jobs arrive: one mapping, or a list of several streams",
        examples=["{rate: 40/day}"],
    )
    gpus: GpuCountsField = Field(
        description="GPUs of a job, all starting together: one count, or counts with their share of the jobs",
        json_schema_extra={"unit": "GPUs"},
        examples=[8, "{8: 60%, 16: 40%}"],
    )
    run_time: RunTime = Field(
        description="how long jobs run; with segments: the whole chain",
        examples=["{lognormal: {median: 2h, sigma: 1.6, max: 72h}}"],
    )
    limit: LimitField = Field(
        JobLimit(),
        description="how long jobs ask for: exact, a duration (longer jobs are killed), {factor: [1, 4]}, "
        "rounded up with round_up: [1h, 2h], or {pick: {1h: 30%, 24h: 70%}}",
        json_schema_extra={"unit": "s"},
    )
    priority: Priority = Field(
        0, description="priority tier; larger goes first", json_schema_extra={"unit": "1"}
    )
    patience: OptionalDuration = Field(
        None,
        description="a job leaves the queue after waiting so long (default: never)",
        json_schema_extra={"unit": "s"},
        examples=["12h"],
    )
    segment: OptionalPositiveDuration = Field(
        None,
        description="a run is a chain of jobs of at most this length, each queueing anew (default: one job)",
        json_schema_extra={"unit": "s"},
        examples=["24h"],
    )
    segment_delay: Duration = Field(
        0.0,
        description="a job of a chain may start so long after the one before it has ended",
        json_schema_extra={"unit": "s"},
        examples=["10min"],
    )
    deadline: OptionalPositiveDuration = Field(
        None,
        description="a job, or a whole chain, should have ended so long after its submit; decides nothing, "
        "is judged by 'deadline met for 90% of ... jobs' (default: none)",
        json_schema_extra={"unit": "s"},
        examples=["21.63d"],
    )
    killed_ok: Switch = Field(False, description="true: a job killed at its limit counts as done")
    urgent: Switch = Field(
        False,
        description="true: evicts preemptible jobs of lower priority, whoever owns them, and is not bound by quotas",
    )
    preemptible: PreemptibleField = Field(
        None,
        description="true, or how its running jobs are evicted (default: they are not)",
        examples=["{exempt: 2h, grace: 60s}"],
    )
    checkpoint: OptionalPositiveDuration = Field(
        None,
        description="an evicted job keeps its work up to the last multiple of this since its last start (default: it "
        "begins anew)",
        json_schema_extra={"unit": "s"},
        examples=["30min"],
    )
    checkpoint_cost: Duration = Field(
        0.0,
        description="each checkpoint makes the run so much longer; not part of its load",
        json_schema_extra={"unit": "s"},
        examples=["10s"],
    )
    restart_cost: Duration = Field(
        0.0,
        description="each start of an evicted job takes so much longer",
        json_schema_extra={"unit": "s"},
        examples=["5min"],
    )
    qos: Qos = Field(
        0.0,
        description="quality of service, 0 to 1; with order: multifactor it is weighed",
        json_schema_extra={"unit": "1"},
        examples=[0.5],
    )
    lease: Lease | None = Field(
        None,
        description="the jobs are leases: whole nodes for the run time, of which the holder uses a part (default: they "
        "are not)",
        examples=["{use: 50%, reclaim_below: 30%, review: 14d}"],
    )
    approval: Approval | None = Field(
        None,
        description="the jobs are applications first, decided on before they may queue (default: they queue at once)",
        examples=["{calls: monthly, accept: 31%, delay: 10d}"],
    )
    pools: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        None,
        description="pools the jobs may run in, in order of preference (default: all, in the order of the center)",
        examples=["[h200, b200]"],
    )

    @model_validator(mode="after")
    def _keys_fit(self) -> JobClass:
        mistakes: list[Mistake] = []
        if self.segment is None and self.segment_delay > 0:
            what = "'segment_delay' without 'segment'"
            mistakes.append(
                Mistake(what, "add for example segment: 24h", path=("segment_delay",), at_key=True)
            )
        if self.checkpoint is None and self.checkpoint_cost > 0:
            what = "'checkpoint_cost' without 'checkpoint'"
            path = ("checkpoint_cost",)
            mistakes.append(Mistake(what, "add for example checkpoint: 30min", path=path, at_key=True))
        if self.segment is not None:
            mistakes += _segment_mistakes(self, self.segment)
        raise_all(mistakes)
        return self

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams of arrivals, in the order of the file."""
        return streams_of(
            self.entries,
            self.gpus,
            self.run_time,
            self.limit,
            self.segment,
            self.segment_delay,
            lease=self.lease,
            approval=self.approval,
        )

    @property
    def entries(self) -> tuple[Arrivals, ...]:
        """The entries of `arrivals`, one or several."""
        return self.arrivals if isinstance(self.arrivals, tuple) else (self.arrivals,)

    def arrivals_path(self, index: int) -> tuple[str | int, ...]:
        """Path of a stream inside the class: `arrivals`, or `arrivals[1]` in a list."""
        return ("arrivals", index) if isinstance(self.arrivals, tuple) else ("arrivals",)

    @property
    def mean_gang(self) -> float:
        """Mean number of GPUs of a job, over the streams by their rates."""
        return self._weighted(lambda stream: stream.gpus.mean)

    @property
    def largest_gang(self) -> int:
        """Largest number of GPUs of a job."""
        return max(stream.gpus.largest for stream in self.streams)

    @property
    def mean_service(self) -> float:
        """Mean time a started job holds its GPUs [s]: its run time, cut where `max` or the limit ends it.

        Of a chain: all its jobs together. Over several streams it is weighted by GPUs, so that rate x mean
        gang x mean service is the load.
        """
        if len(self.streams) == 1:
            return self.streams[0].mean_held
        return self._weighted(lambda stream: stream.work) / self.mean_gang

    @property
    def rate(self) -> float:
        """Mean rate of jobs (or chains) in the long run [1/s], what is scheduled every week included."""
        return math.fsum(stream.long_run_rate for stream in self.streams)

    @property
    def offered_load(self) -> float:
        """Mean GPUs in use by this class in the long run if nobody ever waited or left [GPUs].

        What is scheduled once (`at`) and when streams begin and end is known to the scenario only: see
        `gpusim.scenario.views.class_loads`.
        """
        return math.fsum(stream.long_run_load for stream in self.streams)

    def _weighted(self, value: Callable[[Stream], float]) -> float:
        """Mean over the streams by their rates; by their number if all are 0."""
        rates = [stream.long_run_rate for stream in self.streams]
        weights = rates if math.fsum(rates) > 0 else [1.0] * len(rates)
        pairs = zip(weights, self.streams, strict=True)
        return math.fsum(weight * value(stream) for weight, stream in pairs) / math.fsum(weights)


def _segment_mistakes(job_class: JobClass, segment: float) -> Iterator[Mistake]:
    """What a class with segments cannot have: batches, and requests shorter than a segment."""
    for index, entry in enumerate(job_class.entries):
        path = job_class.arrivals_path(index)
        if entry.batch is not None:
            what = "a class with segments has no batches: each arrival is a chain"
            remedy = "remove the batch, or remove segment"
            yield Mistake(what, remedy, f"segment {format_duration(segment)}", (*path, "batch"), at_key=True)
        if entry.limit is not None:
            yield from _short_requests(entry.limit, segment, (*path, "limit"))
    yield from _short_requests(job_class.limit, segment, ("limit",))


def _short_requests(limit: JobLimit, segment: float, path: tuple[str | int, ...]) -> Iterator[Mistake]:
    if limit.fixed is not None and limit.fixed < segment:
        yield Mistake(
            "a limit shorter than the segment kills every full segment",
            f"write at least {format_duration(segment)}, or exact",
            f"limit {format_duration(limit.fixed)}, segment {format_duration(segment)}",
            path,
        )


class Tenant(TenantTerms):
    """Somebody who submits jobs: a university, a company, a ministry."""

    classes: tuple[JobClass, ...] = Field(description="the kinds of jobs this tenant submits", min_length=1)


class Center(Frozen):
    """What the center has or plans: one pool of GPUs, or several."""

    have: OptionalGpus = Field(
        None,
        description="GPUs the center has or plans; the answer is compared with it",
        json_schema_extra={"unit": "GPUs"},
        examples=[512],
    )
    pools: Annotated[tuple[Pool, ...], Field(min_length=1)] | None = Field(
        None,
        description="several kinds of GPUs, each a pool of its own; in place of have",
        examples=["[{name: b200, have: 8160}, {name: h200, have: 2296}]"],
    )
    time_zone: TimeZone = Field(
        "UTC",
        description="IANA name; hours and weekdays of profiles, schedules and SLOs are local time here",
        examples=["Asia/Seoul"],
    )

    @model_validator(mode="after")
    def _have_or_pools(self) -> Center:
        if self.have is not None and self.pools is not None:
            what = "'have' and 'pools' both say what the center has"
            total = sum(pool.have or 0 for pool in self.pools)
            remedy = "keep one of them" + (f"; the pools have {total} together" if total else "")
            raise Mistake(what, remedy, f"have {self.have}", ("have",), at_key=True)
        return self


class Study(Frozen):
    """What is simulated and how sure the answer must be."""

    horizon: PositiveDuration = Field(
        description="length of one replication, warm-up and cool-down included",
        json_schema_extra={"unit": "s"},
        examples=["28d"],
    )
    start: Start = Field(
        "Mon 00:00",
        description="when the horizon begins, local time: a weekday, or a date (with Z or +09:00 it is converted); "
        "fixes which hours and days the profiles and schedules meet",
        examples=["Mon 00:00", "2026-02-02 09:00"],
    )
    warm_up: Duration = Field(
        0.0,
        description="jobs submitted before this time fill the center but are not counted",
        json_schema_extra={"unit": "s"},
        examples=["7d"],
    )
    cool_down: CoolDown = Field(
        "auto",
        description="jobs submitted in the last part of the horizon are not counted, so that counted jobs "
        "are decided; auto = the longest that an SLO takes to be decided, the shortest allowed",
        json_schema_extra={"unit": "s"},
        examples=["auto", "12h"],
    )
    attainment: Probability = Field(
        0.95,
        description="probability, asked of the center, that a period like the counted one meets all SLOs",
        json_schema_extra={"unit": "1"},
    )
    confidence: Probability = Field(
        0.95, description="confidence, asked of our answer", json_schema_extra={"unit": "1"}
    )
    tolerance: Tolerance = Field(
        0.01,
        description="how wide the interval around the answer may be, relative to the answer",
        json_schema_extra={"unit": "1"},
    )
    granularity: Gpus = Field(
        8, description="GPUs are bought in multiples of this", json_schema_extra={"unit": "GPUs"}
    )
    min_gpus: OptionalGpus = Field(
        None, description="smallest center to consider (default: found)", json_schema_extra={"unit": "GPUs"}
    )
    max_gpus: OptionalGpus = Field(
        None, description="largest center to consider (default: found)", json_schema_extra={"unit": "GPUs"}
    )
    vary: Text = Field(
        "gpus",
        description="what size searches over: gpus, demand, or the name of a pool",
        examples=["gpus", "demand"],
    )
    demand: Factor = Field(
        1.0,
        description="factor on all arrival rates and scheduled counts",
        json_schema_extra={"unit": "1"},
        examples=["120%"],
    )
    min_demand: OptionalFactor = Field(
        None,
        description="with vary: demand, smallest factor to consider (default: found)",
        json_schema_extra={"unit": "1"},
        examples=["50%"],
    )
    max_demand: OptionalFactor = Field(
        None,
        description="with vary: demand, largest factor to consider (default: found)",
        json_schema_extra={"unit": "1"},
        examples=["200%"],
    )
    demand_step: DemandStep = Field(
        0.01,
        description="with vary: demand, factors are multiples of this",
        json_schema_extra={"unit": "1"},
        examples=["1%"],
    )
    demand_uncertainty: Uncertainty = Field(
        0.0,
        description="sigma of one lognormal factor (median 1) on all arrival rates, one for each replication",
        json_schema_extra={"unit": "1"},
        examples=["20%"],
    )
    seed: Seed = Field(1, description="seed of all random numbers", json_schema_extra={"unit": "1"})


__all__ = [
    "Arrivals",
    "Center",
    "JobClass",
    "JobLimit",
    "Stream",
    "Study",
    "Tenant",
    "read_limit",
]
