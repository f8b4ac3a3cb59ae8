"""`RunTime`: how long the jobs of a class run, by exactly one of the laws."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Protocol, cast

from pydantic import Field, WithJsonSchema, model_validator

from gpusim.scenario.demand_fields import OptionalSomeDuration
from gpusim.scenario.frozen import Frozen, one_of
from gpusim.scenario.laws import Exponential, Lognormal, Weibull
from gpusim.scenario.phases import Hyperexponential
from gpusim.scenario.quantile_law import Quantiles
from gpusim.scenario.uniform_law import Uniform

LawName = Literal[
    "lognormal", "exponential", "deterministic", "uniform", "weibull", "hyperexponential", "quantiles"
]
LAWS: tuple[LawName, ...] = (
    "lognormal",
    "exponential",
    "deterministic",
    "uniform",
    "weibull",
    "hyperexponential",
    "quantiles",
)
"""Names of the run-time laws, as in a file."""


class _Law(Protocol):
    @property
    def max(self) -> float | None: ...
    def mean(self, cut: float = math.inf) -> float: ...
    def share_above(self, seconds: float) -> float: ...
    def quantile(self, share: float) -> float: ...


class _Always:
    """Every job runs exactly so long."""

    def __init__(self, seconds: float) -> None:
        self.max = seconds

    def mean(self, cut: float = math.inf) -> float:
        return max(0.0, min(self.max, cut))

    def share_above(self, seconds: float) -> float:
        return float(self.max > seconds)

    def quantile(self, share: float) -> float:
        return self.max


_QUANTILES_SCHEMA = WithJsonSchema(
    {
        "type": ["object", "null"],
        "additionalProperties": {"type": "string"},
        "examples": [{"5%": "30s", "50%": "10min", "95%": "3h", "100%": "48h"}],
    }
)


_UNIFORM_SCHEMA = WithJsonSchema(
    {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 2,
        "maxItems": 2,
        "examples": [["10h", "14h"]],
    }
)


class RunTime(Frozen):
    """How long jobs of a class run: exactly one law.

    In Python, ask `law` which one it is, and `mean`, `quantile`, `share_above` about any of them.
    """

    lognormal: Lognormal | None = Field(
        None, description="median, sigma and optional max", examples=["{median: 2h, sigma: 1.6, max: 72h}"]
    )
    exponential: Exponential | None = Field(
        None, description="mean and optional max", examples=["{mean: 1h}"]
    )
    deterministic: OptionalSomeDuration = Field(
        None, description="every job runs exactly this long", json_schema_extra={"unit": "s"}, examples=["2h"]
    )
    uniform: Annotated[Uniform | None, _UNIFORM_SCHEMA] = Field(
        None,
        description="shortest and longest run time; each job draws its own between them",
        json_schema_extra={"unit": "s"},
        examples=["[10h, 14h]"],
    )
    weibull: Weibull | None = Field(
        None,
        description="shape, scale or mean, and optional max",
        examples=["{shape: 0.5, scale: 1h, max: 72h}"],
    )
    hyperexponential: Hyperexponential | None = Field(
        None,
        description="kinds of jobs, each exponential, and optional max",
        examples=["{phases: {10min: 90%, 20h: 10%}}"],
    )
    quantiles: Annotated[Quantiles | None, _QUANTILES_SCHEMA] = Field(
        None,
        description="run time that a share of the jobs does not exceed; 0% is the shortest, 100% the longest",
        examples=["{5%: 30s, 50%: 10min, 95%: 3h, 100%: 48h}"],
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> RunTime:
        one_of(self, LAWS, "run_time law", "lognormal: {median: 2h, sigma: 1.6}")
        return self

    @property
    def law(self) -> LawName:
        """Name of the law."""
        return next(name for name in LAWS if getattr(self, name) is not None)

    @property
    def _law(self) -> _Law:
        law = getattr(self, self.law)
        return _Always(float(law)) if self.law == "deterministic" else cast(_Law, law)

    @property
    def max(self) -> float | None:
        """Longest run time [s]; None if the law has no end."""
        return self._law.max

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        return self._law.mean(cut)

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        return self._law.share_above(seconds)

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        return self._law.quantile(share)


__all__ = ["LAWS", "LawName", "RunTime"]
