"""The run-time laws with a formula for everything, and the means that follow from them.

A run time is X, or min(X, max) when a `max` is given: long jobs are cut at `max`, not drawn again. A job
whose request is shorter than its run time is killed at the request, so what a job *uses* is min(X, max,
limit). Means are exact up to the rounding of the engine's clock (at most half a tick a job).

    lognormal     E min(X, m) = e^(mu + s^2/2) Phi((ln m - mu - s^2)/s) + m (1 - Phi((ln m - mu)/s)),
                  mu = ln median, s = sigma
    exponential   E min(X, m) = mean (1 - e^(-m/mean))
    weibull       E min(X, m) = scale Gamma(1 + 1/k) P(1/k, (m/scale)^k), k = shape, P: incomplete gamma ratio
    hyperexponential  the mean of the exponential ones, weighted with their shares
"""

from __future__ import annotations

import math
from statistics import NormalDist

from pydantic import Field, model_validator

from gpusim.scenario.demand_fields import OptionalSomeDuration, Shape, Sigma, SomeDuration
from gpusim.scenario.elicited import support
from gpusim.scenario.fields import OptionalPositiveDuration
from gpusim.scenario.frozen import Frozen, one_of
from gpusim.scenario.incomplete_gamma import incomplete_gamma
from gpusim.scenario.mistakes import Mistake
from gpusim.units import format_duration

_NORMAL = NormalDist()


class Lognormal(Frozen):
    """Run times whose logarithm is normal: most jobs short, a few very long."""

    median: SomeDuration = Field(
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
        largest = support(self.median)[1]
        if self.max is not None and self.max < largest:
            raise Mistake(
                "max is shorter than the median, so more than half of the jobs would be cut",
                f"write at least {format_duration(largest)}, or lower the median",
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

    mean_time: SomeDuration = Field(
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


class Weibull(Frozen):
    """Run times with a stretched (shape below 1) or a thin (above 1) tail; shape 1 is exponential."""

    shape: Shape = Field(
        description="1 is exponential; below 1 the longer a job has run the longer it goes on",
        json_schema_extra={"unit": "1"},
        examples=[0.5],
    )
    scale_time: OptionalSomeDuration = Field(
        None,
        alias="scale",
        description="63% of the jobs run shorter than this; give it or the mean",
        json_schema_extra={"unit": "s"},
        examples=["1h"],
    )
    mean_time: OptionalSomeDuration = Field(
        None,
        alias="mean",
        description="mean run time before the cut at max; give it or the scale",
        json_schema_extra={"unit": "s"},
        examples=["2h"],
    )
    max: OptionalPositiveDuration = Field(
        None,
        description="longest run time: draws above it become it (default: no longest)",
        json_schema_extra={"unit": "s"},
        examples=["72h"],
    )

    @model_validator(mode="after")
    def _scale_or_mean(self) -> Weibull:
        one_of(self, ("scale_time", "mean_time"), "way to say how long a Weibull run is", "scale: 1h")
        return self

    @property
    def scale(self) -> float:
        """The scale [s]; from `scale`, or what `mean` needs."""
        if self.scale_time is not None:
            return float(self.scale_time)
        assert self.mean_time is not None
        return self.mean_time / math.gamma(1 + 1 / self.shape)

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        cut = min(cut, math.inf if self.max is None else self.max)
        whole = self.scale * math.gamma(1 + 1 / self.shape)
        if math.isinf(cut):
            return whole
        return whole * incomplete_gamma(1 / self.shape, (max(0.0, cut) / self.scale) ** self.shape)

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        if self.max is not None and seconds >= self.max:
            return 0.0
        return math.exp(-((max(0.0, seconds) / self.scale) ** self.shape))

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        seconds = float(self.scale * (-math.log1p(-share)) ** (1 / self.shape))
        return seconds if self.max is None else min(seconds, self.max)


__all__ = ["Exponential", "Frozen", "Lognormal", "Weibull", "one_of"]
