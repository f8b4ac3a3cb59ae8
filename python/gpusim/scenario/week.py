"""The week: days by name, times of the clock, and where in the week a study begins.

A week begins on Monday at 00:00 in the center's time zone and has 7 days of 24 hours; a change to or from
summer time inside a study is ignored (the clock goes on as it stood at the start).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from gpusim.scenario.demand_fields import read_time_of_day
from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean
from gpusim.units import show

DAY = 86_400.0  # s
WEEK = 7 * DAY  # s
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS, WEEKEND, EVERY_DAY = (0, 1, 2, 3, 4), (5, 6), (0, 1, 2, 3, 4, 5, 6)

_START = re.compile(r"([^\W\d_]+)(?:\s+(\d{1,2}:\d{2}))?")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]\s*(\d{2}:\d{2}(?::\d{2})?)\s*(Z|[+-]\d{2}:?\d{2})?)?")
_START_FORM = "write for example Mon 00:00, 2026-02-02 or 2026-02-02 09:00"


def read_day(value: object) -> int:
    """Read a day by name, `Mon` or `Monday`; return its position, Monday = 0."""
    text = str(value).strip().lower()
    for index, (short, long) in enumerate(zip(DAYS, _LONG, strict=True)):
        if text in (short.lower(), long):
            return index
    near = did_you_mean(str(value), [*DAYS, *_LONG]) if isinstance(value, str) else None
    remedy = f"did you mean '{near.capitalize()}'? " if near else ""
    raise Mistake("not a day of the week", f"{remedy}write one of {', '.join(DAYS)}", show(value))


def read_start(value: object) -> str:
    """Read the start of a study; return it in its one wording: `Mon 00:00`, `2026-02-02 09:00` or with an offset.

    Raises
    ------
    Mistake
        If it is neither a day of the week nor a date, with or without a time.
    """
    text = str(value).strip()
    if match := _START.fullmatch(text):
        seconds = read_time_of_day(match[2] or "00:00")
        return f"{DAYS[read_day(match[1])]} {_clock(seconds)}"
    match = _DATE.fullmatch(text)
    if match is None or not isinstance(value, str):
        raise Mistake("not the start of a study", _START_FORM, show(value))
    try:
        moment = datetime.fromisoformat(f"{match[1]} {match[2] or '00:00'}{_offset(match[3])}")
    except ValueError as error:
        raise Mistake(f"no such time: {error}", _START_FORM, show(value)) from error
    return moment.isoformat(sep=" ", timespec="seconds" if moment.second else "minutes")


def is_date(text: str) -> bool:
    """Whether a text is meant as a date, not as a day of the week or a duration."""
    return re.match(r"\s*\d{4}-\d", text) is not None


def _offset(text: str | None) -> str:
    if text is None:
        return ""
    if text == "Z":
        return "+00:00"
    return text if ":" in text else f"{text[:3]}:{text[3:]}"


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def phase_of(start: str, zone: tzinfo) -> float:
    """Return how long after Monday 00:00, in `zone`, a study begins [s].

    Parameters
    ----------
    start : str
        As `read_start` returns it. A date without an offset is meant in `zone`.
    zone : tzinfo
        Time zone of the center.
    """
    if match := _START.fullmatch(start):
        return read_day(match[1]) * DAY + read_time_of_day(match[2])
    moment = datetime.fromisoformat(start)
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone)
    return moment.weekday() * DAY + moment.hour * 3600.0 + moment.minute * 60.0 + moment.second


def read_time_zone(value: object) -> str:
    """Read the IANA name of a time zone.

    Raises
    ------
    Mistake
        If there is none of this name, or the machine has no list of time zones.
    """
    if not isinstance(value, str) or not value.strip():
        raise Mistake("not a time zone", "write an IANA name such as Asia/Seoul, or UTC", show(value))
    if value != "UTC" and zone_named(value) is None:
        raise _unknown_zone(value)
    return value


def zone_named(name: str) -> tzinfo | None:
    """Return the time zone of this IANA name; None if it is not known here. UTC is known everywhere."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name == "UTC":
        return timezone(timedelta(0), "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _unknown_zone(name: str) -> Mistake:
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        return Mistake(
            "this machine has no list of time zones",
            "install it with: pip install tzdata; or write UTC",
            f"'{name}'",
            code="time-zone",
        )
    near = _near_zone(name, sorted(known))
    remedy = (
        f"did you mean '{near}'?" if near else "write an IANA name such as Asia/Seoul, Europe/Berlin or UTC"
    )
    return Mistake("unknown time zone", remedy, f"'{name}'", code="time-zone")


def _near_zone(name: str, known: Sequence[str]) -> str | None:
    """The zone most like `name`; a bare city finds its continent."""
    plain = name.strip().replace(" ", "_").lower()
    cities = [zone for zone in known if zone.lower().rpartition("/")[2] == plain.rpartition("/")[2]]
    own = [zone for zone in cities if zone.count("/") == 1 and not zone.startswith(("posix", "right", "Etc"))]
    return (own or cities)[0] if cities else did_you_mean(name, known)


TimeZone = Annotated[
    str,
    BeforeValidator(read_time_zone),
    WithJsonSchema({"type": "string", "examples": ["Asia/Seoul", "UTC"]}),
]
Start = Annotated[
    str,
    BeforeValidator(read_start),
    WithJsonSchema({"type": "string", "examples": ["Mon 00:00", "2026-02-02", "2026-02-02 09:00"]}),
]
