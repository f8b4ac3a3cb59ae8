"""The field types of the demand: numbers that may be uncertain, factors, times of the day.

Like fields.py, of which they are a part; see there for how a type is made. Which numbers may be uncertain is
decided here: those of an `UncertainField`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from gpusim.scenario.elicited import UncertainField, write_number
from gpusim.scenario.fields import (
    DURATION_SCHEMA_DATA,
    SHARE_SCHEMA_DATA,
    read_optional,
    read_positive_duration,
)
from gpusim.scenario.mistakes import Mistake
from gpusim.units import (
    UnitError,
    format_duration,
    format_rate,
    format_share,
    parse_count,
    parse_duration,
    parse_number,
    parse_rate,
    parse_share,
    show,
)

LARGEST_BATCH_MEAN = 1000.0  # jobs; the table of sizes has 22 times as many entries
LARGEST_COUNT = 1_000_000  # jobs of one item of a schedule
SHAPES = (0.1, 20.0)  # of a Weibull law
LARGEST_MULTIPLE = 1000.0  # of demand, or of a rate within the week
_CLOCK_TIME = re.compile(r"(\d{1,2}):(\d{2})")


def _read_sigma(value: object) -> float:
    sigma = parse_number(value)
    if not 0 < sigma <= 5:
        remedy = (
            "write for example 1.6; for a spread of 0 use deterministic"
            if sigma <= 0
            else "write for example 1.6"
        )
        raise Mistake("sigma must be above 0 and at most 5", remedy, show(value))
    return sigma


def _read_load(value: object) -> float:
    load = parse_number(value)
    if load < 0:
        raise Mistake(
            "a load cannot be negative", "write the mean number of GPUs in use, 0 or more", show(value)
        )
    return load


def _read_ratio(value: object) -> float:
    ratio = parse_number(value)
    if not 1 <= ratio <= LARGEST_MULTIPLE:
        what = f"the ratio of the busiest to the quietest hour must lie between 1 and {LARGEST_MULTIPLE:g}"
        below = 0 < ratio < 1
        raise Mistake(what, f"write {1 / ratio:.4g}" if below else "write for example 2.5", show(value))
    return ratio


def _read_batch_mean(value: object) -> float:
    mean = parse_number(value)
    if not 1 <= mean <= LARGEST_BATCH_MEAN:
        what = f"the mean size of a batch must lie between 1 and {LARGEST_BATCH_MEAN:g}"
        raise Mistake(what, "write for example 4; 1 is no batches", show(value))
    return mean


def _read_correlation(value: object) -> float:
    correlation = parse_share(value)
    if not 0 <= correlation < 1:
        what = "the correlation must be at least 0 and below 1"
        raise Mistake(what, "write for example 0.5; 0 is none", show(value))
    return correlation


def _read_job_count(value: object) -> float:
    count = parse_number(value)
    if not 0 <= count <= LARGEST_COUNT:
        bound = "0 or more" if count < 0 else f"at most {LARGEST_COUNT:,}"
        raise Mistake(f"a count of jobs must be {bound}", "write for example 40", show(value))
    return count


def _read_whole_job_count(value: object) -> float:
    return _read_job_count(parse_count(value))


def _read_shape(value: object) -> float:
    shape = parse_number(value)
    if not SHAPES[0] <= shape <= SHAPES[1]:
        what = f"the shape must lie between {SHAPES[0]:g} and {SHAPES[1]:g}"
        raise Mistake(what, "write for example 0.5; 1 is exponential", show(value))
    return shape


def read_factor(value: object) -> float:
    """Read a factor of 0 or more: `1.2` or `120%`."""
    percent = isinstance(value, str) and value.strip().endswith("%")
    factor = parse_share(value) if percent else parse_number(value)
    if factor < 0:
        raise Mistake("a factor cannot be negative", "write 0 or more, for example 60% or 0.6", show(value))
    if factor > LARGEST_MULTIPLE:
        remedy = f"write at most {LARGEST_MULTIPLE:g}; 120% is 1.2"
        raise Mistake(f"a factor above {LARGEST_MULTIPLE:g}", remedy, show(value))
    return factor


def read_positive_factor(value: object) -> float:
    """Read a factor above 0: `1.2` or `120%`."""
    factor = read_factor(value)
    if factor <= 0:
        raise Mistake("this factor must be above 0", "write for example 120% or 1.2", show(value))
    return factor


def _read_demand_step(value: object) -> float:
    step = read_factor(value)
    millionths = step * 1_000_000
    if not 0 < step <= 1 or abs(millionths - round(millionths)) > 1e-6:
        what = "the step of demand must be a whole number of millionths, above 0 and at most 100%"
        raise Mistake(what, "write for example 1%", show(value))
    return round(millionths) / 1_000_000


def _write_factor(factor: float) -> str:
    return format_share(factor) if factor <= 1 else f"{write_number(factor)}"


def read_time_of_day(value: object) -> float:
    """Read a time of day in s since midnight: `14h`, `09:30` or `9h30min`."""
    if isinstance(value, str) and (clock := _CLOCK_TIME.fullmatch(value.strip())):
        hours, minutes = int(clock[1]), int(clock[2])
        if hours < 24 and minutes < 60:
            return hours * 3600.0 + minutes * 60.0
        raise Mistake("no time of the day", "write a time from 00:00 to 23:59", show(value))
    seconds = _as_time_of_day(value)
    if seconds >= 86_400:
        raise Mistake("no time of the day", "write a time below 24h, for example 14h or 09:30", show(value))
    return seconds


def _as_time_of_day(value: object) -> float:
    try:
        return parse_duration(value)
    except UnitError as error:
        raise Mistake("not a time of the day", "write for example 14h or 09:30", show(value)) from error


def write_time_of_day(seconds: float) -> str:
    """Write a time of day: `09:30`; one that is no whole minute as a duration."""
    minutes = round(seconds / 60)
    if minutes * 60 != seconds:
        return format_duration(seconds)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


_RATE: dict[str, Any] = {"type": "string", "examples": ["40/day", "2.5/h", "3/min", "3/year"]}
_NUMBER: dict[str, Any] = {"type": ["number", "string"]}
_SHARE_SCHEMA = WithJsonSchema(SHARE_SCHEMA_DATA)
_OPTIONAL_SHARE_SCHEMA = WithJsonSchema({"type": ["string", "number", "null"], "examples": ["95%", 0.95]})
_TIME_OF_DAY_SCHEMA = WithJsonSchema({"type": ["string", "null"], "examples": ["14h", "09:30"]})
_AS_FACTOR = PlainSerializer(_write_factor, return_type=str, when_used="json-unless-none")
_AS_TIME_OF_DAY = PlainSerializer(write_time_of_day, return_type=str, when_used="json-unless-none")

Sigma = Annotated[float, UncertainField(_read_sigma, write_number, _NUMBER)]
OptionalRate = Annotated[float | None, UncertainField(parse_rate, format_rate, _RATE, optional=True)]
OptionalLoad = Annotated[float | None, UncertainField(_read_load, write_number, _NUMBER, optional=True)]
SomeDuration = Annotated[float, UncertainField(read_positive_duration, format_duration, DURATION_SCHEMA_DATA)]
OptionalSomeDuration = Annotated[
    float | None, UncertainField(read_positive_duration, format_duration, DURATION_SCHEMA_DATA, optional=True)
]
OptionalRatio = Annotated[float | None, UncertainField(_read_ratio, write_number, _NUMBER, optional=True)]
OptionalMultiple = Annotated[
    float | None, UncertainField(read_factor, _write_factor, SHARE_SCHEMA_DATA, optional=True)
]
OptionalBatchMean = Annotated[
    float | None, UncertainField(_read_batch_mean, write_number, _NUMBER, optional=True)
]
JobCount = Annotated[
    float, UncertainField(_read_job_count, write_number, _NUMBER, read_plain=_read_whole_job_count)
]
Shape = Annotated[float, UncertainField(_read_shape, write_number, _NUMBER)]

Factor = Annotated[float, BeforeValidator(read_positive_factor), _AS_FACTOR, _SHARE_SCHEMA]
OptionalFactor = Annotated[
    float | None, BeforeValidator(read_optional(read_positive_factor)), _AS_FACTOR, _OPTIONAL_SHARE_SCHEMA
]
DemandStep = Annotated[float, BeforeValidator(_read_demand_step), _AS_FACTOR, _SHARE_SCHEMA]
TimeOfDay = Annotated[float, BeforeValidator(read_time_of_day), _AS_TIME_OF_DAY, _TIME_OF_DAY_SCHEMA]
OptionalTimeOfDay = Annotated[
    float | None, BeforeValidator(read_optional(read_time_of_day)), _AS_TIME_OF_DAY, _TIME_OF_DAY_SCHEMA
]
Correlation = Annotated[float, BeforeValidator(_read_correlation), WithJsonSchema(_NUMBER)]
