"""Leases: whole nodes for a term, used in part, taken back early where the holder uses too little.

A lease holds its GPUs for the class's run time, its *term*. Its holder uses a share of them, drawn from `use`. Where
there is a threshold, a review some time after the start takes back the leases below it. The simulation knows when GPUs
are held; what is *used* of them is an expectation, worked out from the law of use factors.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from gpusim.scenario.fields import Gpus, OptionalPositiveDuration, read_optional
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.use_law import UseField
from gpusim.units import format_share, parse_share, show


def _read_threshold(value: object) -> float:
    share = parse_share(value)
    if not 0 < share <= 1:
        raise Mistake("this share must be above 0 and at most 100%", "write for example 30%", show(value))
    return share


OptionalUseShare = Annotated[
    float | None,
    BeforeValidator(read_optional(_read_threshold)),
    PlainSerializer(format_share, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": ["string", "number", "null"], "examples": ["30%", 0.3]}),
]


class Lease(Frozen):
    """Jobs of the class are leases: the run time is the term, and GPUs come in whole nodes."""

    use: UseField = Field(
        description="share of its GPU-time that a holder uses, or a law of it over the leases: {uniform: [20%, 80%]}, "
        "{triangular: [10%, 50%, 90%]}, {pick: {10%: 30%, 70%: 70%}}",
        json_schema_extra={"unit": "1"},
        examples=["50%"],
    )
    reclaim_below: OptionalUseShare = Field(
        None,
        description="leases that use less are taken back at the review (default: none)",
        json_schema_extra={"unit": "1"},
        examples=["30%"],
    )
    review: OptionalPositiveDuration = Field(
        None,
        description="the use is looked at so long after the start",
        json_schema_extra={"unit": "s"},
        examples=["14d"],
    )
    node: Gpus = Field(
        8, description="GPUs of a node; leases are multiples of it", json_schema_extra={"unit": "GPUs"}
    )

    @property
    def clawed(self) -> float:
        """Share of the leases that are taken back at the review, if they last so long."""
        return 0.0 if self.reclaim_below is None else self.use.below(self.reclaim_below)[0]

    def mean_uses(self) -> tuple[float, float]:
        """Mean use factors of the leases that are taken back, and of those that are kept; 0 where there are none."""
        share, integral = self.use.below(0.0 if self.reclaim_below is None else self.reclaim_below)
        clawed = integral / share if share > 0 else 0.0
        kept = (self.use.mean - integral) / (1 - share) if share < 1 else 0.0
        return clawed, kept

    def held(self, term: RunTime, cut: float) -> float:
        """Mean time that a lease holds its GPUs, of which only the first `cut` counts [s]."""
        whole, until_review = self.parts(term, cut)
        return whole + until_review

    def parts(self, term: RunTime, cut: float) -> tuple[float, float]:
        """The same of the leases that are kept, and of those taken back, each times its share of the leases [s]."""
        share = self.clawed
        if share == 0 or self.review is None:
            return term.mean(cut), 0.0
        return (1 - share) * term.mean(cut), share * term.mean(min(self.review, cut))
