"""Approval before the queue: calls that come now and then, a decision that takes its time, and few that are granted.

What a class submits are then applications. A share `accept` of them becomes jobs; such a job is held from its
application until the next call plus the time of the decision, and waits only from then on. The applications that are
refused are left out, which is exact for arrivals at random: a thinned Poisson process is one. A `rate` counts
applications, a `load` and a `schedule` count what is granted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from gpusim.scenario.fields import Share, read_optional, read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.moments import OptionalMoment, since_start
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.week import DAY, WEEK
from gpusim.suggest import did_you_mean
from gpusim.units import format_duration, parse_duration, show

if TYPE_CHECKING:
    from gpusim.scenario.profile import Profile

CALLS = {"weekly": WEEK, "monthly": 30 * DAY, "quarterly": 365 * DAY / 4, "yearly": 365 * DAY}
"""Words for how often calls come [s]; a month is 30 days, as in rates."""
_LONGEST_SHARE = 0.999  # a decision without a longest time counts as this quantile long


def _read_calls(value: object) -> float:
    if isinstance(value, str) and value.strip().isalpha():
        if value.strip() in CALLS:
            return CALLS[value.strip()]
        near = did_you_mean(value, CALLS)
        remedy = f"did you mean '{near}'? " if near else ""
        raise Mistake("not how often calls come", f"{remedy}write {', '.join(CALLS)} or 90d", show(value))
    return read_positive_duration(value)


def _read_delay(value: object) -> object:
    """A duration is the same for all; 0 is none."""
    if value is None or isinstance(value, (Mapping, RunTime)):
        return value
    seconds = parse_duration(value)
    return None if seconds == 0 else {"deterministic": value}


OptionalCalls = Annotated[
    float | None,
    BeforeValidator(read_optional(_read_calls)),
    PlainSerializer(format_duration, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": ["string", "null"], "examples": ["monthly", "90d"]}),
]


class Approval(Frozen):
    """Jobs of the class are applications first."""

    calls: OptionalCalls = Field(
        None,
        description="applications are decided on at calls that come so often: weekly, monthly (30 d), quarterly, "
        "yearly or a duration (default: at any time)",
        json_schema_extra={"unit": "s"},
        examples=["monthly", "90d"],
    )
    first: OptionalMoment = Field(
        None,
        description="one of the calls, the others follow from it: a time since the study begins, or a date (default: "
        "when the study begins)",
        json_schema_extra={"unit": "s"},
        examples=["2026-03-01"],
    )
    accept: Share = Field(
        1.0,
        description="share of the applications that is granted; a rate counts applications, a load or a schedule what "
        "is granted",
        json_schema_extra={"unit": "1"},
        examples=["31%"],
    )
    delay: Annotated[RunTime | None, BeforeValidator(_read_delay)] = Field(
        None,
        description="how long the decision takes after the call: a duration, or a law as for run_time (default: no "
        "time)",
        json_schema_extra={"unit": "s", "like": "run_time"},
        examples=["{lognormal: {median: 30d, sigma: 0.3, max: 90d}}"],
    )

    @property
    def holds(self) -> bool:
        """Whether jobs are held at all."""
        return self.calls is not None or self.delay is not None

    def phase(self, start: str, zone: tzinfo) -> float:
        """One of the calls [s since the study begins]; 0 where a date has no meaning."""
        return 0.0 if self.first is None else since_start(self.first, start, zone) or 0.0

    def call_after(self, time: float, phase: float) -> float:
        """The first call that is not before a time; the time itself without calls [s]."""
        return time if self.calls is None else phase + self.calls * math.ceil((time - phase) / self.calls)

    @property
    def mean_delay(self) -> float:
        """Mean time of the decision [s]."""
        return 0.0 if self.delay is None else self.delay.mean()

    @property
    def longest(self) -> float:
        """Time that (almost) every approval takes at most [s]."""
        if self.delay is None:
            return self.calls or 0.0
        most = self.delay.max if self.delay.max is not None else self.delay.quantile(_LONGEST_SHARE)
        return (self.calls or 0.0) + most


def mean_until_call(
    calls: float, phase: float, window: tuple[float, float], profile: Profile | None, week_phase: float
) -> float:
    """Mean time from an application to the next call, over those of a window [s].

    Exact for a constant rate, and for one that follows a profile up to half an hour's change of it.

    Parameters
    ----------
    calls, phase : float
        Calls come at phase + k calls [s since the study begins].
    window : tuple of two floats
        Begin and end [s since the study begins].
    profile : Profile or None
        How the rate changes within the week; None: not.
    week_phase : float
        Time since Monday 00:00 when the study begins [s].
    """
    begin, end = window
    first = phase + calls * math.ceil((begin - phase) / calls)
    cuts = np.concatenate(([begin], np.arange(first, end, calls), [end]))
    if profile is not None:
        cuts = np.union1d(cuts, np.arange(begin, end, 3600.0))
    low, high = cuts[:-1], cuts[1:]
    middle = (low + high) / 2
    weight = high - low
    if profile is not None:
        weight = np.diff([_until(profile, float(t) + week_phase) for t in cuts])
    left = phase + calls * np.ceil((middle - phase) / calls) - middle
    return float(np.average(left, weights=weight))


def _until(profile: Profile, time: float) -> float:
    weeks, rest = divmod(time, WEEK)
    return weeks * profile.cumulative(WEEK) + profile.cumulative(rest)
