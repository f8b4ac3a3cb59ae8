"""The uniform law of run times: `uniform: [10h, 14h]`, every length between equally likely.

Each job draws its own. A number that is the same for all jobs but not known exactly is another thing: see
elicited.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_serializer, model_validator

from gpusim.scenario.fields import read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.units import format_duration, show

_FORM = "write uniform: [10h, 14h]"


class Uniform(Frozen):
    """Run times between two ends, all equally likely."""

    low: float = Field(description="shortest run time", json_schema_extra={"unit": "s"})
    high: float = Field(description="longest run time", json_schema_extra={"unit": "s"})

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and set(value) == {"low", "high"}:
            return value  # made in Python
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise Mistake("uniform needs two durations, shortest and longest", _FORM, show(value))
        ends: list[float] = []
        mistakes: list[Mistake] = []
        for index, each in enumerate(value):
            try:
                ends.append(read_positive_duration(each))
            except ValueError as error:
                mistakes += [mistake.under((index,)) for mistake in mistakes_of(error)]
        raise_all(mistakes)
        if ends[0] >= ends[1]:
            low, high = format_duration(min(ends)), format_duration(max(ends))
            remedy = f"write [{low}, {high}]" if low != high else f"write deterministic: {low}"
            raise Mistake("the durations of uniform must rise", remedy, f"[{value[0]}, {value[1]}]")
        return {"low": ends[0], "high": ends[1]}

    @model_serializer(mode="plain")
    def _as_list(self) -> list[str]:
        return [format_duration(self.low), format_duration(self.high)]

    @property
    def max(self) -> float:
        """Longest run time [s]."""
        return self.high

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        top = min(self.high, max(self.low, cut))
        inside = (top * top - self.low * self.low) / (2 * (self.high - self.low))
        return max(0.0, min(cut, inside + min(top, cut) * self.share_above(top)))

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        return min(1.0, max(0.0, (self.high - seconds) / (self.high - self.low)))

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        return self.low + share * (self.high - self.low)
