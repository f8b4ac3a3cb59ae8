"""The answer to "how many GPUs": a number, its interval, its guarantee and its reasons."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

from gpusim.plan.measure import Attainment, SloOutcome
from gpusim.plan.output import finite, write_text
from gpusim.plan.provenance import Provenance
from gpusim.plan.rules import RuleOfThumb
from gpusim.stats.evidence import SizingResult
from gpusim.units import format_share

ANSWER_SCHEMA = 1
"""Version of the JSON form; it changes when a key is renamed or removed."""


@dataclass(frozen=True)
class RuleOutcome:
    """A rule of thumb, and how often all levels would hold with that many GPUs."""

    rule: RuleOfThumb
    attainment: Attainment | None


@dataclass(frozen=True)
class Spent:
    """What the answer cost."""

    runs: int
    jobs: int
    seconds: float
    threads: int


@dataclass(frozen=True, eq=False)
class Answer:
    """The smallest center that meets every service level, certified.

    Attributes
    ----------
    sizing : SizingResult
        The statistical result: interval, guarantee, evidence per stage, replication ranges, notes.
    infeasible : str or None
        Why no size can be recommended, with the level that decides; None if one can.
    slos : tuple of SloOutcome
        Every level, measured at `gpus_high` (or at the largest size considered if there is none).
    binding_slo : str or None
        The level that fails most often one step below `gpus_low`; None if nothing smaller was considered.
    have : Attainment or None
        P(all levels met) with the GPUs the center has.
    at_answer, below : Attainment or None
        The same at the size of `slos`, and one step below `gpus_low`.
    occupancy : float or None
        Mean share of GPUs allocated at `gpus`.
    rules : tuple of RuleOutcome
        What a spreadsheet would say.
    offered_load : float
        Mean GPUs in use if nobody waited.
    assumptions, warnings : tuple of str
    horizon : str
        The simulated period, in words.
    spent : Spent
    provenance : Provenance
    """

    sizing: SizingResult
    infeasible: str | None
    slos: tuple[SloOutcome, ...]
    binding_slo: str | None
    have: Attainment | None
    at_answer: Attainment | None
    below: Attainment | None
    occupancy: float | None
    rules: tuple[RuleOutcome, ...]
    offered_load: float
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    horizon: str
    spent: Spent
    provenance: Provenance

    @property
    def gpus(self) -> int | None:
        """The answer [GPU], equal to `gpus_high`; None if no size is certified enough."""
        return self.sizing.gpus if self.sizing.certified else None

    @property
    def gpus_low(self) -> int | None:
        """Every smaller size is too small (see `sizing.smaller_insufficient_claim`, `low_is_grid_minimum`)."""
        return self.sizing.gpus_low

    @property
    def gpus_high(self) -> int | None:
        """The smallest size certified to be enough."""
        return self.sizing.gpus_high

    @property
    def resolved(self) -> bool:
        """Answered as asked: certified and no wider than the tolerance, or certainly infeasible."""
        return self.sizing.resolved

    @property
    def feasible(self) -> bool | None:
        """False: certainly no size considered is enough; None: not decided."""
        return self.sizing.feasible

    def __str__(self) -> str:
        if self.infeasible is not None:
            return self.infeasible
        if self.gpus is None:
            low = "?" if self.gpus_low is None else f"{self.gpus_low:,}"
            return f"not decided: no size is certified yet (at least {low} GPUs)"
        confidence = f"{format_share(self.sizing.confidence)} confidence"
        number = f"{self.gpus:,} GPUs ({self.gpus_low:,} - {self.gpus_high:,}, {confidence})"
        if self.sizing.low_is_grid_minimum:
            number = f"at most {self.gpus:,} GPUs (no smaller size was considered, {confidence})"
        return (
            f"{number} keep all service levels in at least {format_share(self.sizing.attainment)} of periods"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data; numbers without a finite value are None."""
        s = self.sizing
        data = {
            "schema": ANSWER_SCHEMA,
            "kind": "size",
            "gpus": self.gpus,
            "gpus_low": s.gpus_low,
            "gpus_high": s.gpus_high,
            "tolerance": s.tolerance_gpus,
            "resolved": s.resolved,
            "certified": s.certified,
            "guarantee": s.guarantee,
            "attainment": s.attainment,
            "confidence": s.confidence,
            "feasible": s.feasible,
            "infeasible_because": self.infeasible,
            "binding_slo": self.binding_slo,
            "slos": [dataclasses.asdict(slo) for slo in self.slos],
            "evidence": [
                {**dataclasses.asdict(e), "share": e.share, "low": e.low, "high": e.high} for e in s.evidence
            ],
            "at_answer": _plain(self.at_answer),
            "below": _plain(self.below),
            "have": _plain(self.have),
            "occupancy": self.occupancy,
            "offered_load": self.offered_load,
            "rules_of_thumb": [
                {"name": r.rule.name, "gpus": r.rule.gpus, "attainment": _plain(r.attainment)}
                for r in self.rules
            ],
            "smaller_insufficient_claim": s.smaller_insufficient_claim,
            "low_is_grid_minimum": s.low_is_grid_minimum,
            "non_monotone": s.non_monotone._asdict() if s.non_monotone else None,
            "p_value": s.p_value,
            "out_of_time": s.out_of_time,
            "replications_needed": s.replications_needed,
            "replication_ranges": {stage: list(r) for stage, r in s.ranges.items()},
            "runs": s.runs,
            "notes": list(s.notes),
            "assumptions": list(self.assumptions),
            "warnings": list(self.warnings),
            "horizon": self.horizon,
            "spent": dataclasses.asdict(self.spent),
            "provenance": dataclasses.asdict(self.provenance),
        }
        return finite(data)  # type: ignore[no-any-return]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the JSON text; with `path`, also write it there (whole or not at all)."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text


def _plain(attainment: Attainment | None) -> dict[str, Any] | None:
    return dataclasses.asdict(attainment) if attainment else None
