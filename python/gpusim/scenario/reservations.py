"""Reservations: GPUs kept for some jobs, or for nobody, at known times.

    {name: audit, gpus: 64, from: 2026-03-02 08:00, to: 2026-03-06 18:00, classes: [ministry/audit]}     once
    {name: course, gpus: 32, every: weekdays, hours: 09-12, classes: [notebook], only: true}             standing
    {name: service, gpus: 512, from: 10d, to: 10d8h, every: 30d}                                         maintenance

While a reservation lasts, its GPUs are closed to all other jobs, and the center is drained for it beforehand: a job
starts only if its limit leaves those GPUs free in time. Jobs of `classes` may use them; without classes nobody does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import tzinfo
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from gpusim.scenario.expected import service_intervals
from gpusim.scenario.fields import Gpus, Name, Switch, Text, read_optional, read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.moments import OptionalMoment, since_start
from gpusim.scenario.slo_words import EVERY_DAY, clock, days_in_words, read_days, read_when
from gpusim.scenario.week import DAY, WEEK
from gpusim.units import UnitError, format_duration, show

EVERY_FORM = "write day, weekdays, weekends, days such as Mon, Wed, or a time such as week or 30d"
Window = tuple[float, float]


def _read_every(value: object) -> float | str:
    """Read how often: days of the week, as text, or the time from one to the next [s]."""
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(each) for each in value)
    text = value.strip() if isinstance(value, str) else value
    if text == "week":
        return WEEK
    if text == "day":
        return "day"
    try:
        return read_positive_duration(text)
    except UnitError as error:
        if error.what not in ("not a duration", "a duration without a unit") or not isinstance(text, str):
            raise
    try:
        days = read_days(text)
    except Mistake as mistake:
        raise Mistake("not how often a reservation comes", EVERY_FORM, show(value)) from mistake
    return "day" if days == EVERY_DAY else days_in_words(days)


def _read_hours(value: object) -> str:
    form = "write for example 08-22 or 22:00-06:00"
    if not isinstance(value, str):
        raise Mistake("not hours of the day", f"{form}, in quotes", show(value))
    try:
        (begin, end), days = read_when(value)
    except Mistake as mistake:
        raise Mistake("not hours of the day", form, show(value)) from mistake
    if days != EVERY_DAY:
        raise Mistake("days among the hours", "write them as every: weekdays", show(value))
    return f"{clock(begin)}-{clock(end or DAY)}"


OptionalEvery = Annotated[
    float | str | None,
    PlainValidator(read_optional(_read_every)),
    PlainSerializer(lambda v: format_duration(v) if isinstance(v, float) else v, when_used="json"),
    WithJsonSchema({"type": ["string", "array", "null"], "examples": ["weekdays", "week", "30d"]}),
]
OptionalHours = Annotated[
    str | None,
    BeforeValidator(read_optional(_read_hours)),
    WithJsonSchema({"type": ["string", "null"], "examples": ["08-22"]}),
]


class Reservation(Frozen):
    """GPUs kept at known times."""

    name: Name = Field(description="name of the reservation, unique in the file", examples=["course"])
    gpus: Gpus = Field(description="GPUs that are kept", json_schema_extra={"unit": "GPUs"}, examples=[64])
    start: OptionalMoment = Field(
        None,
        alias="from",
        description="begins then: a time since the study begins, or a date; with every: of the first",
        json_schema_extra={"unit": "s"},
        examples=["2026-03-02 08:00"],
    )
    end: OptionalMoment = Field(
        None,
        alias="to",
        description="ends then; with every: of the first",
        json_schema_extra={"unit": "s"},
        examples=["2026-03-06 18:00"],
    )
    every: OptionalEvery = Field(
        None,
        description="comes again: day, weekdays, weekends or days such as Mon, Wed, with hours; or week, or a time "
        "such as 30d, with from and to (default: once)",
        examples=["weekdays"],
    )
    hours: OptionalHours = Field(
        None, description="hours of the day on those days, local time", examples=["08-22"]
    )
    classes: tuple[Text, ...] = Field(
        (),
        description="whose jobs may use the GPUs: all, a tenant, a class, or tenant/class (default: nobody's, as in "
        "maintenance)",
        examples=["[notebook]"],
    )
    only: Switch = Field(
        False,
        description="true: jobs of these classes run nowhere else; false: they try it first, then their pools",
    )
    pool: Name | None = Field(
        None,
        description="the pool that the GPUs belong to (default: the only one)",
        examples=["b200"],
    )

    def ends(self, start: str, zone: tzinfo) -> tuple[float | None, float | None]:
        """`from` and `to` [s since the study begins]; None where they are not given, or a date has no meaning."""
        first, last = (
            None if moment is None else since_start(moment, start, zone) for moment in (self.start, self.end)
        )
        return first, last

    def windows(self, start: str, zone: tzinfo, week_phase: float, horizon: float) -> list[Window]:
        """When it is open, within the horizon, in order and apart from each other [s since the study begins].

        Parameters
        ----------
        start : str
            Of the study, as `read_start` writes it.
        zone : tzinfo
            Of the center.
        week_phase : float
            Time since Monday 00:00 when the study begins [s].
        horizon : float
            Length of a replication [s].
        """
        found = ((max(0.0, a), min(horizon, b)) for a, b in self._all(start, zone, week_phase, horizon))
        joined: list[Window] = []
        for begin, end in sorted(window for window in found if window[0] < window[1]):
            if joined and begin <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((begin, end))
        return joined

    def _all(self, start: str, zone: tzinfo, week_phase: float, horizon: float) -> Iterator[Window]:
        first, last = self.ends(start, zone)
        if self.hours is not None:
            days = (
                EVERY_DAY if not isinstance(self.every, str) or self.every == "day" else read_days(self.every)
            )
            between = (0.0 if first is None else first, horizon if last is None else last)
            opens, closes = read_when(self.hours)[0]
            yield from service_intervals(between, week_phase, (opens, closes), days)
        elif first is not None and last is not None:
            period = DAY if self.every == "day" else self.every
            if not isinstance(period, float):
                yield first, last
                return
            for k in range(max(0, math.floor(-last / period)), math.ceil((horizon - first) / period)):
                yield first + k * period, last + k * period


def when_in_words(reservation: Reservation) -> str:
    """When it is open, for a page."""
    parts = []
    if reservation.hours is not None:
        days = "every day" if reservation.every in (None, "day") else f"on {reservation.every}"
        parts.append(f"{days} {reservation.hours}")
    ends = (("from", reservation.start), ("to", reservation.end))
    shown = [
        f"{word} {format_duration(moment, 3) if isinstance(moment, float) else moment}"
        for word, moment in ends
        if moment is not None
    ]
    if shown:
        parts.append(" ".join(shown))
    if reservation.hours is None and reservation.every is not None:
        every = reservation.every
        parts.append(f"every {format_duration(every, 3) if isinstance(every, float) else every}")
    return ", ".join(parts)
