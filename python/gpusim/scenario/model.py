"""The models a scenario is made of: job classes, tenants, center, policy and study.

They mirror the file: a key of the file is a field here, with its description and unit, and these fields are
also the JSON schema. In Python durations are float seconds, shares fractions, rates 1/s. Everything is
frozen. What only the whole can know (names, windows, impossible gangs) is checked in checks.py; `Scenario`
itself is in scenario.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from gpusim.scenario.fields import (
    Backfill,
    CoolDown,
    Duration,
    Gpus,
    Name,
    OptionalDuration,
    OptionalGpus,
    OptionalLoad,
    OptionalRate,
    OptionalWaiting,
    PositiveDuration,
    Priority,
    Probability,
    Seed,
    Switch,
    Tolerance,
    Uncertainty,
    choice,
)
from gpusim.scenario.gpu_counts import GpuCountsField
from gpusim.scenario.laws import Frozen, RunTime, one_of
from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean
from gpusim.units import UnitError, format_duration, parse_duration, parse_number, show

LARGEST_FACTOR = 100.0  # of a request over the run time; keeps limits inside the engine's integers


class Arrivals(Frozen):
    """How often jobs of a class arrive (a Poisson process): exactly one of rate and load."""

    rate: OptionalRate = Field(
        None,
        description="mean number of jobs submitted per time",
        json_schema_extra={"unit": "1/s"},
        examples=["40/day"],
    )
    load: OptionalLoad = Field(
        None,
        description="mean number of GPUs this class keeps in use when nobody waits; the rate follows from it",
        json_schema_extra={"unit": "GPUs"},
        examples=[120],
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Arrivals:
        one_of(self, ("rate", "load"), "way to say how often jobs arrive", "rate: 40/day")
        return self


class JobLimit(Frozen):
    """How long jobs of a class ask for; the scheduler plans with it and kills a job that reaches it.

    Attributes
    ----------
    mode : str
        ``exact``: the request equals the run time. ``fixed``: every job asks for `fixed`; longer jobs are
        killed. ``factor``: run time x a uniform draw from `factor`, new for each job.
    fixed : float or None
        The request [s].
    factor : tuple of two floats or None
        Least and largest factor.
    """

    mode: Literal["exact", "fixed", "factor"] = "exact"
    fixed: float | None = None
    factor: tuple[float, float] | None = None


_LIMIT_FORM = "write exact, a duration such as 24h, or {factor: [1, 4]}"


def read_limit(value: object) -> JobLimit:
    """Read `exact`, `24h` or `{factor: [1, 4]}`."""
    if isinstance(value, JobLimit):
        return value
    if isinstance(value, Mapping):
        return JobLimit(mode="factor", factor=_read_factor(value))
    if value == "exact":
        return JobLimit()
    if isinstance(value, str) and value.isalpha():
        near = did_you_mean(value, ("exact",))
        raise Mistake("unknown limit", "did you mean 'exact'?" if near else _LIMIT_FORM, show(value))
    try:
        fixed = parse_duration(value)
    except UnitError as error:
        if error.what == "not a duration":
            raise Mistake("not a limit", _LIMIT_FORM, show(value)) from error
        raise
    if fixed <= 0:
        raise Mistake("a limit of 0 kills every job when it starts", _LIMIT_FORM, show(value))
    return JobLimit(mode="fixed", fixed=fixed)


def _read_factor(value: Mapping[Any, Any]) -> tuple[float, float]:
    wrong = [str(key) for key in value if key != "factor"]
    if wrong or "factor" not in value:
        path = (wrong[0],) if wrong else ()
        raise Mistake(
            "unknown limit", _LIMIT_FORM, show(wrong[0] if wrong else value), path, "unknown-key", bool(wrong)
        )
    given = value["factor"]
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise Mistake("factor needs two numbers, least and largest", "write [1, 4]", show(given), ("factor",))
    try:
        low, high = (parse_number(each) for each in given)
    except UnitError as error:
        raise Mistake(error.what, "write [1, 4]", error.found, ("factor",)) from error
    if not 0 < low <= high <= LARGEST_FACTOR:
        what = f"factors must rise and lie above 0 and at most {LARGEST_FACTOR:g}"
        fixed = sorted((low, high))
        remedy = (
            f"write [{fixed[0]:g}, {fixed[1]:g}]"
            if fixed[0] > 0 and fixed[1] <= LARGEST_FACTOR
            else "write [1, 4]"
        )
        raise Mistake(what, remedy, f"[{low:g}, {high:g}]", ("factor",))
    return low, high


def _write_limit(limit: JobLimit) -> Any:
    if limit.fixed is not None:
        return format_duration(limit.fixed)
    return {"factor": list(limit.factor)} if limit.factor is not None else "exact"


LimitField = Annotated[
    JobLimit,
    BeforeValidator(read_limit),
    PlainSerializer(_write_limit, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "factor": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
                    },
                    "required": ["factor"],
                    "additionalProperties": False,
                },
            ],
            "default": "exact",
            "examples": ["exact", "24h", {"factor": [1, 4]}],
        }
    ),
]


class JobClass(Frozen):
    """A kind of job: how often it arrives, how many GPUs it takes, how long it runs and how long it waits."""

    name: Name = Field(description="name of the class, unique in its tenant", examples=["training"])
    arrivals: Arrivals = Field(description="how often jobs arrive", examples=["{rate: 40/day}"])
    gpus: GpuCountsField = Field(
        description="GPUs of a job, all starting together: one count, or counts with their share of the jobs",
        json_schema_extra={"unit": "GPUs"},
        examples=[8, "{8: 60%, 16: 40%}"],
    )
    run_time: RunTime = Field(
        description="how long jobs run", examples=["{lognormal: {median: 2h, sigma: 1.6, max: 72h}}"]
    )
    limit: LimitField = Field(
        JobLimit(),
        description="how long jobs ask for: exact, a duration (longer jobs are killed), or {factor: [1, 4]}",
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

    @property
    def mean_gang(self) -> float:
        """Mean number of GPUs of a job."""
        return self.gpus.mean

    @property
    def largest_gang(self) -> int:
        """Largest number of GPUs of a job."""
        return self.gpus.largest

    @property
    def mean_service(self) -> float:
        """Mean time a started job holds its GPUs [s]: its run time, cut where `max` or the limit ends it."""
        if self.limit.fixed is not None:
            return self.run_time.mean(self.limit.fixed)
        if self.limit.factor is not None:
            return self.run_time.mean() * _mean_kept(*self.limit.factor)
        return self.run_time.mean()

    @property
    def rate(self) -> float:
        """Mean arrival rate [jobs/s]; from `arrivals.rate`, or what `arrivals.load` needs."""
        if self.arrivals.rate is not None:
            return self.arrivals.rate
        assert self.arrivals.load is not None
        return self.arrivals.load / (self.mean_gang * self.mean_service)

    @property
    def offered_load(self) -> float:
        """Mean GPUs in use by this class if nobody ever waited or left [GPUs]: rate x GPUs x time."""
        if self.arrivals.load is not None:
            return self.arrivals.load
        return self.rate * self.mean_gang * self.mean_service


def _mean_kept(low: float, high: float) -> float:
    """E min(1, U), U uniform on [low, high]: the share of a run that a request of U x run time allows."""
    if low >= 1:
        return 1.0
    if high <= 1:
        return (low + high) / 2
    return ((1 - low * low) / 2 + (high - 1)) / (high - low)


class Tenant(Frozen):
    """Somebody who submits jobs: a university, a company, a ministry."""

    name: Name = Field(description="name of the tenant, unique in the file", examples=["university"])
    max_waiting: OptionalWaiting = Field(
        None,
        description="most jobs of this tenant that may wait; further ones are refused (default: no limit)",
        json_schema_extra={"unit": "jobs"},
        examples=[1000],
    )
    classes: tuple[JobClass, ...] = Field(description="the kinds of jobs this tenant submits", min_length=1)


class Center(Frozen):
    """What the center has or plans."""

    have: OptionalGpus = Field(
        None,
        description="GPUs the center has or plans; the answer is compared with it",
        json_schema_extra={"unit": "GPUs"},
        examples=[512],
    )


Order = Annotated[Literal["fifo"], BeforeValidator(choice("fifo"))]


class Policy(Frozen):
    """How the scheduler chooses among waiting jobs."""

    order: Order = Field("fifo", description="order inside a priority tier: fifo = first come, first served")
    tiers: Switch = Field(
        True, description="true: jobs of a larger priority go first; false: priorities are ignored"
    )
    backfill: Backfill = Field(
        1,
        description="who may overtake a blocked job: none = nobody; K = jobs that delay none of the first K "
        "blocked ones (1 is EASY); all = jobs that delay nobody before them; skip = whoever fits",
        json_schema_extra={"unit": "reservations"},
    )
    max_waiting: OptionalWaiting = Field(
        None,
        description="most jobs that may wait in the center; further ones are refused (default: no limit)",
        json_schema_extra={"unit": "jobs"},
    )


class Study(Frozen):
    """What is simulated and how sure the answer must be."""

    horizon: PositiveDuration = Field(
        description="length of one replication, warm-up and cool-down included",
        json_schema_extra={"unit": "s"},
        examples=["28d"],
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
        "are decided; auto = the largest SLO limit, the shortest allowed",
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
    demand_uncertainty: Uncertainty = Field(
        0.0,
        description="sigma of one lognormal factor (median 1) on all arrival rates, one for each replication",
        json_schema_extra={"unit": "1"},
        examples=["20%"],
    )
    seed: Seed = Field(1, description="seed of all random numbers", json_schema_extra={"unit": "1"})
