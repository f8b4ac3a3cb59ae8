"""How much demand fits: the largest factor on all demand that the GPUs there are carry at the levels asked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from gpusim.plan.answer import ANSWER_SCHEMA, Answer, certificate, explanation
from gpusim.plan.axis import NOMINAL
from gpusim.plan.measure import Attainment
from gpusim.plan.output import finite
from gpusim.units import format_share


@dataclass(frozen=True, eq=False)
class DemandAnswer(Answer):
    """The largest demand that a center carries, as a factor on that of the scenario, certified.

    The attributes are those of `Answer`, and `stated`. `sizing` is in millionths of the rates and counts of the
    scenario: its ``gpus_high`` is carried, its ``gpus_low`` (the larger factor) ends what may be carried.

    Attributes
    ----------
    stated : float
        `study.demand`: the factor that the scenario itself puts on its rates; `have` is measured there.
    """

    stated: float = 1.0

    @property
    def gpus(self) -> int:
        """GPUs of the center, all pools together."""
        return sum(n or 0 for n in self.pools.values())

    @property
    def factor(self) -> float | None:
        """The answer: this multiple of the scenario's demand is certainly carried; None if none is certified."""
        return _factor(self.sizing.gpus) if self.sizing.certified else None

    @property
    def factor_low(self) -> float | None:
        """The largest factor certified, equal to `factor`."""
        return _factor(self.sizing.gpus_high)

    @property
    def factor_high(self) -> float | None:
        """Every larger factor is too much (see `sizing.smaller_insufficient_claim`)."""
        return _factor(self.sizing.gpus_low)

    @property
    def load(self) -> float | None:
        """Offered load at `factor` [GPU]."""
        return None if self.factor is None else self.factor / self.stated * self.findings.offered_load

    def __str__(self) -> str:
        if self.findings.infeasible is not None:
            return self.findings.infeasible
        if self.factor is None:
            return f"not decided: no demand is certified to fit {self.gpus:,} GPUs"
        confidence = f"{format_share(self.sizing.confidence)} confidence"
        interval = (
            f"{format_share(self.factor)} - {format_share(self.factor_high or self.factor)}, {confidence}"
        )
        number = f"{format_share(self.factor)} of the stated demand ({interval})"
        if self.sizing.low_is_grid_minimum:
            number = f"at least {format_share(self.factor)} of the stated demand (no more was considered, {confidence})"
        share = format_share(self.sizing.attainment)
        return f"{self.gpus:,} GPUs carry {number} and keep all service levels in at least {share} of periods"

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data; numbers without a finite value are None."""
        s = self.sizing
        found = explanation(self.findings)
        for key in ("at_answer", "below", "have"):
            found[key] = _at_demand(getattr(self.findings, key))
        del found["rules_of_thumb"], found["band"]
        data = {
            "schema": ANSWER_SCHEMA,
            "kind": "size",
            "vary": "demand",
            "pools": self.pools,
            "gpus": self.gpus,
            "factor": self.factor,
            "factor_low": self.factor_low,
            "factor_high": self.factor_high,
            "load": self.load,
            "stated": self.stated,
            "tolerance": _factor(s.tolerance_gpus),
            **certificate(s),
            "evidence": [
                {
                    "demand": _factor(e.capacity),
                    **{k: v for k, v in dataclasses.asdict(e).items() if k != "capacity"},
                    "share": e.share,
                    "low": e.low,
                    "high": e.high,
                }
                for e in s.evidence
            ],
            **found,
            "spent": dataclasses.asdict(self.spent),
            "provenance": dataclasses.asdict(self.provenance),
        }
        return finite(data)  # type: ignore[no-any-return]


def _factor(millionths: int | None) -> float | None:
    return None if millionths is None else millionths / NOMINAL


def _at_demand(attainment: Attainment | None) -> dict[str, Any] | None:
    """An attainment whose size is a demand."""
    if attainment is None:
        return None
    data = dataclasses.asdict(attainment)
    return {"demand": _factor(data.pop("gpus")), **data}
