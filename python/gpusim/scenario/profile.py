"""Profiles: how the arrival rate rises and falls within a day and a week, around its mean.

    {peak: 14h, ratio: 2.5, weekend: 60%}           a cosine, busiest at 14:00, 2.5 times its quietest hour
    {hours: [24 numbers], days: [7 numbers]}        a number for each hour from 00:00, and each day from Monday

The rate is the product of a shape of the day and a factor of the weekday, scaled so that its mean over the
week is 1: `rate` and `load` stay means over the week. Times are the center's local time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gpusim.scenario.demand_fields import OptionalMultiple, OptionalRatio, OptionalTimeOfDay
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.scenario.week import DAY, WEEK
from gpusim.units import parse_number, parse_share, show

HOUR = 3600.0  # s


def _weights(count: int, thing: str) -> Callable[[object], tuple[float, ...] | None]:
    def read(value: object) -> tuple[float, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise Mistake(f"not a list of {thing}", f"write {count} numbers in brackets", show(value))
        numbers: list[float] = []
        mistakes: list[Mistake] = []
        for index, each in enumerate(value):
            try:
                numbers.append(_read_weight(each))
            except ValueError as error:
                mistakes += [mistake.under((index,)) for mistake in mistakes_of(error)]
        raise_all(mistakes)
        if len(numbers) != count:
            change = "add" if len(numbers) < count else "take away"
            remedy = f"{change} {abs(count - len(numbers))}"
            raise Mistake(f"a profile needs {count} {thing}", remedy, f"{len(numbers)} numbers")
        if not any(numbers):
            what = f"all {count} {thing} are 0, so no job ever arrives"
            raise Mistake(what, "write the busy ones above 0, or remove the profile", f"{count} zeros")
        return tuple(numbers)

    return read


def _read_weight(value: object) -> float:
    percent = isinstance(value, str) and value.strip().endswith("%")
    number = parse_share(value) if percent else parse_number(value)
    if number < 0:
        raise Mistake("a rate cannot be negative", "write 0 or more", show(value))
    return number


def _list_schema(count: int) -> WithJsonSchema:
    items = {"type": ["number", "string"]}
    return WithJsonSchema({"type": ["array", "null"], "items": items, "minItems": count, "maxItems": count})


_Numbers = tuple[float, ...] | None
_Hours = Annotated[_Numbers, BeforeValidator(_weights(24, "hours")), _list_schema(24)]
_Days = Annotated[_Numbers, BeforeValidator(_weights(7, "days")), _list_schema(7)]


class Profile(Frozen):
    """How the arrival rate changes within a day and a week; its mean over the week is 1."""

    peak: OptionalTimeOfDay = Field(
        None,
        description="busiest time of the day, local; the rate of the day is a cosine around it",
        json_schema_extra={"unit": "s"},
        examples=["14h"],
    )
    ratio: OptionalRatio = Field(
        None,
        description="rate at the busiest time over the rate at the quietest, twelve hours away",
        json_schema_extra={"unit": "1"},
        examples=[2.5],
    )
    weekend: OptionalMultiple = Field(
        None,
        description="rate on Saturdays and Sundays, relative to the other days (default: 100%)",
        json_schema_extra={"unit": "1"},
        examples=["60%"],
    )
    hours: _Hours = Field(
        None,
        description="24 numbers: the rate in each hour of the day, from 00:00, on any scale",
        json_schema_extra={"unit": "1"},
    )
    days: _Days = Field(
        None,
        description="7 numbers: the rate on each day, from Monday, on any scale",
        json_schema_extra={"unit": "1"},
    )

    @model_validator(mode="after")
    def _one_shape(self) -> Profile:
        mistakes: list[Mistake] = []
        if all(getattr(self, name) is None for name in ("peak", "ratio", "weekend", "hours", "days")):
            remedy = "write for example {peak: 14h, ratio: 2.5, weekend: 60%}, or remove the profile"
            raise Mistake("an empty profile", remedy)
        if (self.peak is None) != (self.ratio is None):
            missing, given = ("ratio", "peak") if self.ratio is None else ("peak", "ratio")
            example = "ratio: 2.5" if missing == "ratio" else "peak: 14h"
            mistakes.append(
                Mistake(f"'{given}' without '{missing}'", f"add {example}", path=(given,), at_key=True)
            )
        for one, other in (("hours", "peak"), ("hours", "ratio"), ("days", "weekend")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                what = f"'{one}' and '{other}' both say how the rate changes"
                mistakes.append(Mistake(what, "keep one of them", path=(other,), at_key=True))
                break
        raise_all(mistakes)
        return self

    def weekly(self, bins: int) -> list[float]:
        """Mean relative rate of each of `bins` equal parts of the week from Monday 00:00; their mean is 1."""
        edges = [self.cumulative(WEEK * index / bins) for index in range(bins + 1)]
        total = math.fsum(edge - before for before, edge in pairwise(edges))
        return [(edge - before) * bins / total for before, edge in pairwise(edges)]

    def cumulative(self, seconds: float) -> float:
        """Integral of the relative rate from Monday 00:00 [s], `seconds` in [0, 1 week]; not yet scaled."""
        day, rest = divmod(min(seconds, WEEK), DAY)
        whole, factors = self._until(DAY), self._days
        before = math.fsum(factors[: int(day)]) * whole
        return before + (factors[int(day)] * self._until(rest) if day < 7 else 0.0)

    @property
    def _days(self) -> tuple[float, ...]:
        if self.days is not None:
            return self.days
        weekend = 1.0 if self.weekend is None else float(self.weekend)
        return (1.0,) * 5 + (weekend,) * 2

    def _until(self, seconds: float) -> float:
        """Integral of the shape of the day from midnight [s]."""
        if self.hours is not None:
            hour = min(23, int(seconds // HOUR))
            return math.fsum(self.hours[:hour]) * HOUR + self.hours[hour] * (seconds - hour * HOUR)
        if self.ratio is None or self.peak is None:
            return seconds
        depth, turn = (self.ratio - 1) / (self.ratio + 1), 2 * math.pi / DAY
        swing = math.sin(turn * (seconds - self.peak)) + math.sin(turn * self.peak)
        return seconds + depth * swing / turn
