"""Durations, counts, shares and rates as people write them: `36h`, `10_456`, `95%`, `40/day`.

Every unit of time stands once, in `UNITS`. Inside gpusim a duration is a float in seconds, a share a float
between 0 and 1, a rate a float in 1/s and a count an int; text exists only at the edges. Each `parse_*`
takes what a YAML reader hands over (text or a bare number) and raises `UnitError` with a remedy; each
`format_*` gives text that the matching `parse_*` reads back to the same value, unless `digits` asks for
rounding.

A duration in months or years is refused, since neither has a fixed length; so is a bare `m`, which could be
minute or month. In a rate a month is 30 days and a year 365 days: `3/year` is an average, not a calendar.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from numbers import Real

from gpusim.suggest import did_you_mean


@dataclass(frozen=True)
class Unit:
    """One unit of time."""

    symbol: str  # what we print
    seconds: float  # its length in s
    names: tuple[str, ...]  # what we also read, lower case


UNITS: tuple[Unit, ...] = (
    Unit("ms", 0.001, ("msec", "millisecond", "milliseconds")),
    Unit("s", 1.0, ("sec", "secs", "second", "seconds")),
    Unit("min", 60.0, ("mins", "minute", "minutes")),
    Unit("h", 3600.0, ("hr", "hrs", "hour", "hours")),
    Unit("d", 86_400.0, ("day", "days")),
    Unit("w", 604_800.0, ("wk", "week", "weeks")),
)
"""All units of time, shortest first."""

_BY_NAME = {name: unit for unit in UNITS for name in (unit.symbol, *unit.names)}
_PRINTED = tuple(unit for unit in reversed(UNITS) if unit.symbol != "w")  # 28d reads better than 4w
_NO_FIXED_LENGTH = {
    "m": "'m' could be a minute or a month; write min (or 30d)",
    "mo": "a month has no fixed length; write 30d",
    "month": "a month has no fixed length; write 30d",
    "months": "a month has no fixed length; write 30d",
    "y": "a year has no fixed length; write 365d",
    "yr": "a year has no fixed length; write 365d",
    "year": "a year has no fixed length; write 365d",
    "years": "a year has no fixed length; write 365d",
}
RATE_UNITS: tuple[tuple[str, float], ...] = (
    ("year", 365 * 86_400.0),
    ("month", 30 * 86_400.0),
    ("week", 604_800.0),
    ("day", 86_400.0),
    ("h", 3600.0),
    ("min", 60.0),
    ("s", 1.0),
)
"""What a rate may be per, longest first, with the length in s. A month is 30 days and a year 365 days here."""

_RATE_NAMES = {"mo": "month", "months": "month", "y": "year", "yr": "year", "years": "year"}
_LONG_COUNT = 10_000  # a count of units of five digits or more is hard to read: 1868832s
_DURATION_FORM = "write a number and a unit: 90s, 15min, 36h, 7d or 4w"
_NUMBER_FORM = "write a plain number such as 1.6 or 10_456"
_PIECE = re.compile(r"\s*(\d[\d_]*(?:\.\d+)?|\.\d+)\s*([^\W\d_]+)\s*")
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_CLOCK = re.compile(r"(\d+):(\d{1,2})(?::(\d{1,2}))?")


class UnitError(ValueError):
    """Text that is not a duration, count, share or rate.

    Attributes
    ----------
    what : str
        What is wrong.
    remedy : str
        What to write instead.
    found : str
        The value found.
    """

    def __init__(self, what: str, remedy: str, found: object) -> None:
        self.what, self.remedy, self.found = what, remedy, show(found)
        super().__init__(f"{what} ({self.found}); {remedy}")


def show(value: object) -> str:
    """Return a value as an error message quotes it: short, on one line, text in quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping with " + (", ".join(str(key) for key in list(value)[:4]) or "no keys")
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:56] + "...'"


def parse_number(value: object) -> float:
    """Read a finite number: `1.6`, `10_456`, `1e3`.

    Raises
    ------
    UnitError
        If `value` is not a number, or is NaN or infinite.
    """
    form = _NUMBER_FORM
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        raise UnitError("not a number", form, value)
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            raise UnitError("not a number", _number_hint(text) or form, value)
        if re.match(r"[+-]?0\d", text):
            plain = text.replace("_", "").lstrip("+-0") or "0"
            raise UnitError("a leading zero makes this number ambiguous", f"write {plain}", value)
        number = float(text.replace("_", ""))
    else:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise UnitError("not a finite number", form, value)
    return number


def _number_hint(text: str) -> str:
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text):
        return f"write {text.replace(',', '_')}"
    if re.fullmatch(r"\d+,\d+", text):
        return f"use a point: {text.replace(',', '.')}"
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKM])", text):
        return f"write {float(match[1]) * (1e6 if match[2] == 'M' else 1e3):_.0f}"
    if re.fullmatch(r"0[xob][0-9a-fA-F_]+", text):
        return f"write {int(text, 0)}"
    return ""


def parse_count(value: object) -> int:
    """Read a whole number: `512`, `10_456`, `1e3`.

    Raises
    ------
    UnitError
        If `value` is not a whole number.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[+-]?[1-9][\d_]{0,40}", value.strip()):
        return int(value)  # exact, whatever its size
    try:
        number = parse_number(value)
    except UnitError as error:
        if error.remedy == _NUMBER_FORM:
            raise UnitError(error.what, "write a whole number such as 8 or 10_456", value) from error
        raise
    if number != int(number):
        raise UnitError("not a whole number", f"write {math.floor(number)} or {math.ceil(number)}", value)
    return int(number)


def parse_duration(value: object) -> float:
    """Read a duration in seconds: `90s`, `15min`, `36h`, `7d`, `4w`, `1h30min`.

    Parameters
    ----------
    value : str, timedelta or 0
        Text; a bare number is refused unless it is 0, because it has no unit.

    Returns
    -------
    float
        Seconds, 0 or more.

    Raises
    ------
    UnitError
        If the unit is missing or unknown, or the duration is negative.

    Examples
    --------
    >>> parse_duration("1h30min")
    5400.0
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        if seconds < 0:
            raise UnitError("a duration cannot be negative", "write 0s or more", value)
        return seconds
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        raise UnitError("not a duration", _DURATION_FORM, value)
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        return _bare_duration(text, value)
    if text.startswith("-"):
        raise UnitError("a duration cannot be negative", f"write {text.lstrip('- ')}", value)
    if clock := _CLOCK.fullmatch(text):
        hours, minutes = int(clock[1]), int(clock[2])
        raise UnitError(
            "a duration with colons can be read in two ways",
            f"write {hours}h{minutes}min or {hours}min{minutes}s",
            value,
        )
    total, at = 0.0, 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise UnitError("not a duration", _DURATION_FORM, value)
        total += float(piece[1].replace("_", "")) * _unit(piece[2], value).seconds
        at = piece.end()
    if not text or not math.isfinite(total):
        raise UnitError("not a duration", _DURATION_FORM, value)
    return total


def _bare_duration(text: str, value: object) -> float:
    number = float(text.replace("_", ""))
    if number < 0:
        raise UnitError("a duration cannot be negative", "write 0s or more", value)
    if number != 0 or not math.isfinite(number):
        raise UnitError("a duration without a unit", f"write {text}s, {text}min, {text}h or {text}d", value)
    return 0.0


def _unit(name: str, value: object) -> Unit:
    unit = _BY_NAME.get(name.lower())
    if unit is None:
        remedy = _NO_FIXED_LENGTH.get(name.lower())
        if remedy is None:
            near = did_you_mean(name, _BY_NAME)
            symbols = ", ".join(known.symbol for known in UNITS)
            remedy = f"units are {symbols}" + (f"; did you mean {_BY_NAME[near].symbol}?" if near else "")
        raise UnitError(f"unknown unit of time '{name}'", remedy, value)
    return unit


def parse_share(value: object) -> float:
    """Read a share as a fraction: `95%` and `0.95` are 0.95. Its range is the caller's business.

    Raises
    ------
    UnitError
        If `value` is not a number, or a bare number above 1 that must have meant percent.
    """
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return parse_number(value.strip()[:-1].strip()) / 100
        except UnitError as error:
            raise UnitError("not a share", "write a percentage such as 95%", value) from error
    try:
        number = parse_number(value)
    except UnitError as error:
        raise UnitError("not a share", "write a percentage such as 95%", value) from error
    if number > 1:
        raise UnitError("a share above 1", f"write {number:.10g}% or a fraction up to 1", value)
    return number


def parse_rate(value: object) -> float:
    """Read a rate in 1/s: `40/day`, `2.5/h`, `3 per min`, `3/year` (365 d), `2/month` (30 d).

    Raises
    ------
    UnitError
        If there is no unit of time after the slash, or the rate is negative.
    """
    form = "write a number per unit of time: 40/day, 2.5/h or 3/min"
    if not isinstance(value, str):
        bare = isinstance(value, Real) and not isinstance(value, bool)
        raise UnitError(
            "a rate without a unit", f"write {value}/day, {value}/h or {value}/min" if bare else form, value
        )
    parts = re.fullmatch(r"\s*(.+?)\s*(?:/|\bper\b)\s*([^\W\d_]+)\s*", value)
    if parts is None:
        bare = bool(_NUMBER.fullmatch(value.strip()))
        hint = f"write {value}/day, {value}/h or {value}/min" if bare else form
        raise UnitError("a rate without a unit" if bare else "not a rate", hint, value)
    try:
        number = parse_number(parts[1])
    except UnitError as error:
        raise UnitError("not a rate", form, value) from error
    if number < 0:
        raise UnitError("a rate cannot be negative", "write 0/day or more", value)
    return number / _rate_unit(parts[2], value)


def _rate_unit(name: str, value: object) -> float:
    """Length [s] of what a rate is per."""
    plain = _RATE_NAMES.get(name.lower(), name.lower())
    if plain == "m":
        what = "'m' could be a minute or a month"
        number = str(value).partition("/")[0].strip()
        raise UnitError(what, f"write {number}/min or {number}/month", value)
    long = dict(RATE_UNITS).get(plain)
    return _unit(name, value).seconds if long is None else long


def format_duration(seconds: float, digits: int | None = None) -> str:
    """Write a duration.

    Parameters
    ----------
    seconds : float
        Duration in s.
    digits : int, optional
        Round to this many significant digits, for people; default: exact, as `parse_duration` reads it back.

    Examples
    --------
    >>> format_duration(129600), format_duration(5400), format_duration(4961.3, digits=3)
    ('36h', '90min', '1.38h')
    """
    if not math.isfinite(seconds):
        return str(seconds)
    if seconds < 0:
        return "-" + format_duration(-seconds, digits)
    if digits is not None:
        unit = next((unit for unit in _PRINTED if seconds >= unit.seconds), UNITS[0] if seconds else UNITS[1])
        return f"{_rounded(seconds / unit.seconds, digits)}{unit.symbol}"
    for unit in _PRINTED:
        count = round(seconds / unit.seconds)
        if count and count * unit.seconds == seconds and (unit.seconds >= 1 or seconds < 1):
            return (
                f"{count}{unit.symbol}"
                if count < _LONG_COUNT
                else _in_hundredths(seconds, f"{count}{unit.symbol}")
            )
    return f"{_plain(seconds)}s"


def _in_hundredths(seconds: float, text: str) -> str:
    """`21.63d` where that says exactly the same as `31147.2min` or 1868832s, else `text`."""
    for unit in _PRINTED:
        decimal = f"{_rounded_to_hundredths(seconds / unit.seconds)}{unit.symbol}"
        if len(decimal) < len(text) and seconds >= unit.seconds and parse_duration(decimal) == seconds:
            return decimal
    return text


def _rounded_to_hundredths(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def format_rate(per_second: float, digits: int | None = None) -> str:
    """Write a rate: `40/day`; exact unless `digits` is given."""
    if digits is not None:
        name, length = _readable_rate_unit(per_second)
        return f"{_rounded(per_second * length, digits)}/{name}"
    texts = (f"{_plain(round(per_second * length, 6))}/{name}" for name, length in reversed(RATE_UNITS))
    exact = [text for text in texts if parse_rate(text) == per_second]
    return min(exact, key=lambda text: (len(text), text)) if exact else f"{_plain(per_second)}/s"


def _readable_rate_unit(per_second: float) -> tuple[str, float]:
    """Unit in which a rate is a number from 1 to 1000: per day if it can be, a longer one if it must be."""
    short = [unit for unit in RATE_UNITS if unit[1] <= 86_400]
    if per_second * 86_400 >= 1:
        return next((unit for unit in short if per_second * unit[1] < 1000), short[-1])
    longer = [unit for unit in reversed(RATE_UNITS) if unit[1] > 86_400]
    return (
        next((unit for unit in longer if per_second * unit[1] >= 1), longer[-1]) if per_second else short[0]
    )


def format_share(share: float, digits: int | None = None) -> str:
    """Write a share as a percentage: `95%`; exact unless `digits` is given."""
    if digits is not None:
        return f"{_rounded(share * 100, digits)}%"
    text = f"{_plain(round(share * 100, 10))}%"
    return text if parse_share(text) == share else _plain(share)


def format_count(count: int) -> str:
    """Write a whole number in groups of three, as YAML reads it back: `10_456`."""
    return f"{count:_d}"


def _plain(number: float) -> str:
    """The shortest decimal text without an exponent that reads back to the same float."""
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def _rounded(number: float, digits: int) -> str:
    if number == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
