"""Moments of a study: a time since it begins, such as `7d`, or a date of the center, such as `2026-03-02 08:00`."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gpusim.scenario.fields import LONGEST_DURATION, read_optional
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.week import is_date, read_start
from gpusim.units import UnitError, format_duration, parse_duration, show

Moment = float | str
"""Seconds since the study begins, or a date as `read_start` writes it."""

_FORM = "write a time since the study begins such as 7d, or a date such as 2026-03-02 08:00"


def read_moment(value: object) -> Moment:
    """Read `7d`, `0s` or `2026-03-02 08:00`."""
    if isinstance(value, str) and is_date(value):
        return read_start(value)
    try:
        seconds = parse_duration(value)
    except UnitError as error:
        if error.what == "not a duration":
            raise Mistake("not a moment", _FORM, show(value)) from error
        raise
    if seconds > LONGEST_DURATION:
        raise Mistake("this moment is three centuries away", _FORM, show(value))
    return seconds


def since_start(moment: Moment, start: str, zone: tzinfo) -> float | None:
    """Seconds from the start of a study to a moment, possibly negative; None for a date in a study without one."""
    if not isinstance(moment, str):
        return moment
    if not is_date(start):
        return None
    return (_instant(moment, zone) - _instant(start, zone)).total_seconds()


def _instant(date: str, zone: tzinfo) -> datetime:
    """A date on the center's clock, which goes on as it stood: summer time is ignored, as in all of a study."""
    moment = datetime.fromisoformat(date)
    return moment if moment.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)


def write_moment(moment: Moment | None) -> str | None:
    """Write a moment as a file holds it."""
    return format_duration(moment) if isinstance(moment, float) else moment


_SCHEMA: dict[str, Any] = {"type": ["string", "number", "null"], "examples": ["7d", "2026-03-02 08:00"]}
OptionalMoment = Annotated[
    float | str | None,
    PlainValidator(read_optional(read_moment)),
    PlainSerializer(write_moment, when_used="json"),
    WithJsonSchema(_SCHEMA),
]
