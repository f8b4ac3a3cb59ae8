"""The hyperexponential law: each job is of one of several kinds, each exponential with a mean of its own.

A file writes `phases: {10min: 90%, 20h: 10%}` (mean of the phase: its share of the jobs), or, where a mean is
uncertain, a list: `phases: [{mean: {uniform: [5min, 15min]}, share: 90%}, {mean: 20h, share: 10%}]`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from gpusim.scenario.demand_fields import SomeDuration
from gpusim.scenario.elicited import Uncertain
from gpusim.scenario.fields import OptionalPositiveDuration, Share, read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.shares import check_sum, read_shares
from gpusim.units import format_duration, format_share, show

MOST_PHASES = 16
_EXAMPLE = "{10min: 90%, 20h: 10%}"


class Phase(Frozen):
    """One kind of jobs: exponential with this mean."""

    mean: SomeDuration = Field(
        description="mean run time of this kind", json_schema_extra={"unit": "s"}, examples=["10min"]
    )
    share: Share = Field(
        description="share of the jobs that are of this kind",
        json_schema_extra={"unit": "1"},
        examples=["90%"],
    )


def _read_phases(value: object) -> object:
    if isinstance(value, Mapping):
        shares = read_shares(value, read_positive_duration, "phases", _EXAMPLE)
        return [Phase.model_construct(mean=mean, share=share) for mean, share in shares.items()]
    if not isinstance(value, (list, tuple)):
        raise Mistake("not the phases of a law", f"write {_EXAMPLE}", show(value))
    return value


def _write_phases(phases: tuple[Phase, ...]) -> Any:
    if any(isinstance(phase.mean, Uncertain) for phase in phases) or len({p.mean for p in phases}) < len(
        phases
    ):
        return [phase.model_dump(mode="json") for phase in phases]
    return {format_duration(phase.mean): format_share(phase.share) for phase in phases}


Phases = Annotated[
    tuple[Phase, ...],
    BeforeValidator(_read_phases),
    PlainSerializer(_write_phases, when_used="json"),
    WithJsonSchema({"type": ["object", "array"], "examples": [{"10min": "90%", "20h": "10%"}]}),
]


class Hyperexponential(Frozen):
    """Run times of several kinds of jobs, each exponential; more variable than exponential."""

    phases: Phases = Field(
        description="mean run time of each kind, with its share of the jobs", examples=[_EXAMPLE]
    )
    max: OptionalPositiveDuration = Field(
        None,
        description="longest run time: draws above it become it (default: no longest)",
        json_schema_extra={"unit": "s"},
        examples=["72h"],
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Hyperexponential:
        if not 1 <= len(self.phases) <= MOST_PHASES:
            what = "no phases" if not self.phases else f"more than {MOST_PHASES} phases"
            raise Mistake(what, f"write {_EXAMPLE}", f"{len(self.phases)} phases", ("phases",))
        check_sum([phase.share for phase in self.phases], "phases", ("phases",))
        return self

    @property
    def _weights(self) -> list[tuple[float, float]]:
        total = math.fsum(phase.share for phase in self.phases)
        return [(float(phase.mean), phase.share / total) for phase in self.phases]

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        cut = max(0.0, min(cut, math.inf if self.max is None else self.max))
        return math.fsum(-share * mean * math.expm1(-cut / mean) for mean, share in self._weights)

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        if self.max is not None and seconds >= self.max:
            return 0.0
        return math.fsum(share * math.exp(-max(0.0, seconds) / mean) for mean, share in self._weights)

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        weights = self._weights
        scores = [-math.log1p(-share) * mean for mean, _ in weights]
        low, high = min(scores), max(scores)  # the law lies between its quickest and its slowest phase
        for _ in range(200):
            middle = (low + high) / 2
            above = math.fsum(weight * math.exp(-middle / mean) for mean, weight in weights)
            low, high = (middle, high) if above > 1 - share else (low, middle)
            if high - low <= 1e-15 * high:
                break
        seconds = (low + high) / 2
        return seconds if self.max is None else min(seconds, self.max)
