"""Sizes, hours and days in a service level: `of 16-64 GPUs`, `submitted 08:00-22:00 on weekdays`.

Each kind has a reader, which takes what people write (`8-22h`, `at least 16`, `Mon to Fri`), and a writer,
which gives the one canonical wording. What is read from a canonical wording is written the same again.

Hours are seconds of the local day, (0, 0) the whole day; from > to runs over midnight, and the day is then
the one in which the hours begin. Days are a bit mask, Monday = 1, all days = 127.
"""

from __future__ import annotations

import re

from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean
from gpusim.units import UnitError, parse_count

LARGEST_GANG = 2**31 - 2  # upper end of an open size range; the engine's counts are int32
WHOLE_DAY = (0.0, 0.0)
EVERY_DAY = 127
WEEKDAYS, WEEKENDS = 31, 96

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SETS = {
    "weekdays": WEEKDAYS,
    "weekday": WEEKDAYS,
    "working days": WEEKDAYS,
    "weekends": WEEKENDS,
    "weekend": WEEKENDS,
    "all days": EVERY_DAY,
    "every day": EVERY_DAY,
}
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BY_NAME = {
    name: index
    for index, (short, long) in enumerate(zip(_DAYS, _LONG, strict=True))
    for name in (short.lower(), long, long + "s")
} | {"tues": 1, "thur": 3, "thurs": 3}

_CLOCK = r"(\d{1,3})(?::(\d{1,3}))?\s*(?:h|o'clock)?"
HOURS = re.compile(
    rf"(?:(?:in|at|between|from|during)\s+)?{_CLOCK}\s*(?:-|to|and|until|till)\s*{_CLOCK}(?=$|[\s,])",
    re.IGNORECASE,
)
"""Two times of the day; groups: hour, minute, hour, minute."""

_COUNT = r"(\d[\d_,.]*[kK]?)"
_RANGE = re.compile(rf"(?:between\s+)?{_COUNT}\s*(?:-|to|and|\.\.)\s*{_COUNT}")
_AT_LEAST = re.compile(rf"(?:>=|at least|from)\s*{_COUNT}|{_COUNT}\s*(?:\+|or more|and more|and up)")
_AT_MOST = re.compile(rf"(?:<=|at most|up to)\s*{_COUNT}|{_COUNT}\s*(?:or fewer|or less)")
_ABOVE_BELOW = re.compile(rf"(?P<sign>>|<|more than|above|over|fewer than|less than|below)\s*{_COUNT}")


def read_sizes(text: str) -> tuple[int, int]:
    """Read `16-64`, `64`, `>= 16` or `<= 8`: the least and the largest gang that a level counts [GPUs].

    Raises
    ------
    Mistake
        If it is none of these, or the range runs backwards.
    """
    text = text.strip().lower()
    if match := _RANGE.fullmatch(text):
        low, high = _size(match[1], text), _size(match[2], text)
        if low > high:
            raise Mistake(
                "this range of gang sizes runs backwards",
                f"write of {high}-{low} GPUs",
                f"'{text}'",
                code="slo-size",
            )
        return low, high
    if match := _AT_LEAST.fullmatch(text):
        return _size(match[1] or match[2], text), LARGEST_GANG
    if match := _AT_MOST.fullmatch(text):
        return 1, _size(match[1] or match[2], text)
    if match := _ABOVE_BELOW.fullmatch(text):
        count, above = _size(match[2], text), match["sign"] in (">", "more than", "above", "over")
        meant = f">= {count + 1}" if above else f"<= {max(1, count - 1)}"
        raise Mistake(
            "this range of gang sizes is open", f"write of {meant} GPUs", f"'{text}'", code="slo-size"
        )
    size = _size(text, text)
    return size, size


def _size(text: str, found: str) -> int:
    form = "write for example of 8 GPUs, of 16-64 GPUs, of >= 16 GPUs or of <= 8 GPUs"
    try:
        size = parse_count(text)
    except UnitError as error:
        raise Mistake("not a gang size", form, f"'{found}'", code="slo-size") from error
    if not 1 <= size <= LARGEST_GANG:
        raise Mistake("a gang has at least 1 GPU and fewer than 2^31", form, f"'{found}'", code="slo-size")
    return size


def sizes_in_words(low: int, high: int) -> str:
    """Write a size range as it ends a sentence: ` of 16-64 GPUs`, or nothing for all sizes."""
    if (low, high) == (1, LARGEST_GANG):
        return ""
    if low == high:
        return f" of {low} GPU{'s' if low > 1 else ''}"
    if high == LARGEST_GANG:
        return f" of >= {low} GPUs"
    return f" of <= {high} GPUs" if low == 1 else f" of {low}-{high} GPUs"


def read_when(text: str) -> tuple[tuple[float, float], int]:
    """Read what follows `submitted`: hours, days, or hours and days.

    Returns
    -------
    hours : tuple of two floats
        Seconds of the day.
    days : int
        Bit mask, Monday = 1.

    Raises
    ------
    Mistake
        If an hour or a day is none.
    """
    hours, days, rest = WHOLE_DAY, EVERY_DAY, text.strip(" ,")
    match = HOURS.match(rest)
    if match:
        hours = _hours(match)
        rest = rest[match.end() :].strip(" ,")
    if rest or not match:
        days = read_days(re.sub(r"^on\s+", "", rest, flags=re.IGNORECASE))
    return hours, days


def _hours(match: re.Match[str]) -> tuple[float, float]:
    found = f"'{match[0]}'"
    ends = []
    for hour, minute in ((match[1], match[2]), (match[3], match[4])):
        seconds = int(hour) * 3600 + int(minute or 0) * 60
        if seconds > 86_400 or int(minute or 0) > 59 or len(minute or "00") != 2:
            shown = f"{hour}:{minute or '00'}"
            raise Mistake(
                f"{shown} is no time of the day",
                "write times from 00:00 to 24:00, for example submitted 08:00-22:00",
                found,
                code="slo-hours",
            )
        ends.append(seconds)
    begin, end = ends[0] % 86_400, ends[1] % 86_400
    if begin == end and ends != [0, 86_400]:
        raise Mistake(
            "these hours begin and end at the same time",
            "leave the hours out for the whole day, or write for example submitted 08:00-22:00",
            found,
            code="slo-hours",
        )
    return float(begin), float(end)


def read_days(text: str) -> int:
    """Read `weekdays`, `weekends`, `Mon`, `Mon, Wed` or `Mon-Thu` as a bit mask, Monday = 1.

    Raises
    ------
    Mistake
        If a word is no day.
    """
    mask = 0
    for part in re.split(r"\s*(?:,|&|\+|\band\b)\s*", text.strip().lower()):
        if part in _SETS:
            mask |= _SETS[part]
            continue
        first, dash, last = (word.strip() for word in re.sub(r"\bto\b", "-", part).partition("-"))
        start, stop = _day(first, text), _day(last, text) if dash else _day(first, text)
        for step in range((stop - start) % 7 + 1):
            mask |= 1 << (start + step) % 7
    return mask


def _day(word: str, found: str) -> int:
    if word in _BY_NAME:
        return _BY_NAME[word]
    allowed = [*_DAYS, "weekdays", "weekends"]
    near = did_you_mean(word, [*_LONG, *allowed]) if word else None
    if near in _LONG:
        near = _DAYS[_LONG.index(near)]
    remedy = f"did you mean '{near}'? " if near else ""
    raise Mistake(
        f"'{word}' is no day of the week" if word else "no hours and no days after 'submitted'",
        f"{remedy}write for example submitted 08:00-22:00 on weekdays; days: {', '.join(allowed)}",
        f"'{found}'" if found else "",
        code="slo-days",
    )


def when_in_words(hours: tuple[float, float], days: int) -> str:
    """Write service hours as they end a sentence: ` submitted 08:00-22:00 on weekdays`, or nothing."""
    if hours == WHOLE_DAY and days == EVERY_DAY:
        return ""
    text = "" if hours == WHOLE_DAY else f" {clock(hours[0])}-{clock(hours[1] or 86_400)}"
    return f" submitted{text}" + ("" if days == EVERY_DAY else f" on {days_in_words(days)}")


def days_in_words(days: int) -> str:
    """Write a bit mask of days: `weekdays`, `weekends`, `Mon, Wed`."""
    if days in (WEEKDAYS, WEEKENDS):
        return "weekdays" if days == WEEKDAYS else "weekends"
    return ", ".join(name for index, name in enumerate(_DAYS) if days >> index & 1)


def clock(seconds: float) -> str:
    """Write a time of the day: `08:00`."""
    minutes = round(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
