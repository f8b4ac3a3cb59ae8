"""Schedules: jobs that are submitted at known times, not at random ones.

    {at: 7d, count: 5, within: 4d}                          5 jobs, each at its own random time in 4 days
    {daily: "09:00", days: weekdays, count: 40, within: 1min}

`at` counts from the start of the study (warm-up included); `daily` is local time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from gpusim.scenario.demand_fields import JobCount, OptionalTimeOfDay
from gpusim.scenario.fields import Duration, OptionalDuration
from gpusim.scenario.frozen import Frozen, one_of
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.scenario.week import DAY, DAYS, EVERY_DAY, WEEKDAYS, WEEKEND, read_day
from gpusim.suggest import did_you_mean
from gpusim.units import format_duration, show

_WORDS: Mapping[str, tuple[int, ...]] = {"weekdays": WEEKDAYS, "weekends": WEEKEND, "all": EVERY_DAY}
_DAYS_FORM = "write weekdays, weekends, all, or a list such as [Mon, Tue]"


def _read_days(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        if value in _WORDS:
            return _WORDS[value]
        near = did_you_mean(value, [*_WORDS, *DAYS])
        if near in DAYS:
            return (read_day(value),)
        raise Mistake(
            "unknown days", f"did you mean '{near}'? {_DAYS_FORM}" if near else _DAYS_FORM, show(value)
        )
    if not isinstance(value, (list, tuple)) or not value:
        raise Mistake("not days of the week", _DAYS_FORM, show(value))
    days: list[int] = []
    mistakes: list[Mistake] = []
    for index, each in enumerate(value):
        try:
            days.append(each if type(each) is int and 0 <= each < 7 else read_day(each))
        except ValueError as error:
            mistakes += [mistake.under((index,)) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    return tuple(sorted(set(days)))


def _write_days(days: tuple[int, ...] | None) -> Any:
    for word, meant in _WORDS.items():
        if days == meant:
            return word
    return None if days is None else [DAYS[day] for day in days]


Days = Annotated[
    tuple[int, ...] | None,
    BeforeValidator(_read_days),
    PlainSerializer(_write_days, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [*_WORDS, None]},
                {"type": "array", "items": {"enum": list(DAYS)}, "minItems": 1, "maxItems": 7},
            ],
            "examples": ["weekdays", ["Mon", "Tue"]],
        }
    ),
]


class ScheduledItem(Frozen):
    """Jobs that are submitted once, at a time of the study, or on some days of every week."""

    at: OptionalDuration = Field(
        None,
        description="when, from the start of the study (warm-up included)",
        json_schema_extra={"unit": "s"},
        examples=["7d"],
    )
    daily: OptionalTimeOfDay = Field(
        None,
        description="at which time of the day, local",
        json_schema_extra={"unit": "s"},
        examples=["09:00"],
    )
    days: Days = Field(
        None,
        description="with daily: on which days: weekdays, weekends, all, or a list (default: all)",
        examples=["weekdays", "[Mon, Tue]"],
    )
    count: JobCount = Field(
        description="how many jobs (or chains) are submitted each time",
        json_schema_extra={"unit": "jobs"},
        examples=[40],
    )
    within: Duration = Field(
        0.0,
        description="each of them at its own random time within so long",
        json_schema_extra={"unit": "s"},
        examples=["1min"],
    )

    @model_validator(mode="after")
    def _at_or_daily(self) -> ScheduledItem:
        one_of(self, ("at", "daily"), "time of this item of the schedule", "at: 7d, count: 5")
        mistakes: list[Mistake] = []
        if self.days is not None and self.daily is None:
            mistakes.append(
                Mistake("'days' without 'daily'", "remove it, or write daily: 09:00", path=("days",))
            )
        if self.daily is not None and self.within > DAY:
            what = "'within' is longer than a day, so one day's jobs run into the next's"
            mistakes.append(Mistake(what, "write at most 24h", format_duration(self.within), ("within",)))
        raise_all(mistakes)
        return self

    @property
    def jobs(self) -> int:
        """Jobs (or chains) of each time, a whole number."""
        return round(self.count)

    @property
    def per_week(self) -> float:
        """Mean number of jobs (or chains) a week; 0 for an item that comes once."""
        return float(self.count) * len(self.days or EVERY_DAY) if self.daily is not None else 0.0

    def occurrences(self, start_of_week_offset: float, horizon: float) -> list[tuple[float, float, int]]:
        """Return (time [s from the start], within [s], count) of each time before `horizon`, in order.

        Parameters
        ----------
        start_of_week_offset : float
            Time since Monday 00:00 local when the study begins [s].
        horizon : float
            Length of a replication [s].
        """
        if self.at is not None:
            return [(self.at, self.within, self.jobs)] if self.at < horizon else []
        assert self.daily is not None
        days, found = self.days or EVERY_DAY, []
        day = int(start_of_week_offset // DAY)
        while (time := day * DAY + self.daily - start_of_week_offset) < horizon:
            if time >= 0 and day % 7 in days:
                found.append((time, self.within, self.jobs))
            day += 1
        return found
