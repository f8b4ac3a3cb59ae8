"""Run-time laws, and the means that follow from them in closed form.

A run time is X, or min(X, max) when a `max` is given: long jobs are cut at `max`, not drawn again. A job
whose request is shorter than its run time is killed at the request, so what a job *uses* is min(X, max,
limit). Means are exact up to the rounding of the engine's clock (at most half a tick a job).

    lognormal     E min(X, m) = e^(mu + s^2/2) Phi((ln m - mu - s^2)/s) + m (1 - Phi((ln m - mu)/s)),
                  mu = ln median, s = sigma
    exponential   E min(X, m) = mean (1 - e^(-m/mean))
    deterministic E min(X, m) = min(X, m)
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gpusim.scenario.fields import OptionalPositiveDuration, PositiveDuration, Sigma
from gpusim.scenario.mistakes import Mistake
from gpusim.units import format_duration

_NORMAL = NormalDist()


class Frozen(BaseModel):
    """What every scenario model has in common: no unknown keys, no change after it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lognormal(Frozen):
    """Run times whose logarithm is normal: most jobs short, a few very long."""

    median: PositiveDuration = Field(
        description="half of the jobs run shorter than this", json_schema_extra={"unit": "s"}, examples=["2h"]
    )
    sigma: Sigma = Field(
        description="standard deviation of the natural logarithm of the run time; one in six jobs runs "
        "longer than median x e^sigma",
        json_schema_extra={"unit": "1"},
        examples=[1.6],
    )
    max: OptionalPositiveDuration = Field(
        None,
        description="longest run time: draws above it become it (default: no longest)",
        json_schema_extra={"unit": "s"},
        examples=["72h"],
    )

    @model_validator(mode="after")
    def _max_above_median(self) -> Lognormal:
        if self.max is not None and self.max < self.median:
            raise Mistake(
                "max is shorter than the median, so more than half of the jobs would be cut",
                f"write at least {format_duration(self.median)}, or lower the median",
                format_duration(self.max),
                path=("max",),
            )
        return self

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        cut = min(cut, math.inf if self.max is None else self.max)
        mu, s = math.log(self.median), self.sigma
        whole = math.exp(mu + s * s / 2)
        if math.isinf(cut):
            return whole
        if cut <= 0:
            return 0.0
        z = (math.log(cut) - mu) / s
        return whole * _NORMAL.cdf(z - s) + cut * _NORMAL.cdf(-z)

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        if self.max is not None and seconds >= self.max:
            return 0.0
        return _NORMAL.cdf(-(math.log(seconds / self.median)) / self.sigma) if seconds > 0 else 1.0

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        seconds = self.median * math.exp(self.sigma * _NORMAL.inv_cdf(share))
        return seconds if self.max is None else min(seconds, self.max)


class Exponential(Frozen):
    """Run times without memory; the textbook queue."""

    mean_time: PositiveDuration = Field(
        alias="mean",
        description="mean run time before the cut at max",
        json_schema_extra={"unit": "s"},
        examples=["1h"],
    )
    max: OptionalPositiveDuration = Field(
        None,
        description="longest run time: draws above it become it (default: no longest)",
        json_schema_extra={"unit": "s"},
        examples=["24h"],
    )

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        cut = min(cut, math.inf if self.max is None else self.max)
        return -self.mean_time * math.expm1(-cut / self.mean_time)

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        if self.max is not None and seconds >= self.max:
            return 0.0
        return math.exp(-max(0.0, seconds) / self.mean_time)

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        seconds = -self.mean_time * math.log1p(-share)
        return seconds if self.max is None else min(seconds, self.max)


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
    deterministic: OptionalPositiveDuration = Field(
        None, description="every job runs exactly this long", json_schema_extra={"unit": "s"}, examples=["2h"]
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> RunTime:
        one_of(
            self,
            ("lognormal", "exponential", "deterministic"),
            "run_time law",
            "lognormal: {median: 2h, sigma: 1.6}",
        )
        return self

    @property
    def law(self) -> Literal["lognormal", "exponential", "deterministic"]:
        """Name of the law."""
        if self.lognormal is not None:
            return "lognormal"
        return "exponential" if self.exponential is not None else "deterministic"

    @property
    def max(self) -> float | None:
        """Longest run time [s]; None if the law has no end."""
        if self.lognormal is not None:
            return self.lognormal.max
        return self.exponential.max if self.exponential is not None else self.deterministic

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        law = self.lognormal or self.exponential
        return law.mean(cut) if law else min(self._exact, cut)

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        law = self.lognormal or self.exponential
        return law.share_above(seconds) if law else float(self._exact > seconds)

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        law = self.lognormal or self.exponential
        return law.quantile(share) if law else self._exact

    @property
    def _exact(self) -> float:
        assert self.deterministic is not None
        return self.deterministic


def one_of(model: BaseModel, names: tuple[str, ...], thing: str, example: str) -> None:
    """Raise `Mistake` unless exactly one of the fields `names` of `model` has a value."""
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) == 1:
        return
    if given:
        raise Mistake(
            f"more than one {thing}",
            f"keep one of {' and '.join(given)}",
            " and ".join(given),
            (given[1],),
            at_key=True,
        )
    raise Mistake(f"no {thing}", f"write for example {{{example}}}; allowed: {', '.join(names)}")
