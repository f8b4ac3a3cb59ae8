"""The answer to "how many GPUs": a number, its interval, its guarantee and its reasons."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

from gpusim.plan.agreements import Agreements
from gpusim.plan.band import Band
from gpusim.plan.evictions import Evictions
from gpusim.plan.infeasible import Ceiling
from gpusim.plan.measure import Attainment, ClassShare, Estimate, SloOutcome
from gpusim.plan.output import finite, write_text
from gpusim.plan.provenance import Provenance
from gpusim.plan.rules import RuleOfThumb
from gpusim.plan.why import Why
from gpusim.stats.evidence import SizingResult
from gpusim.units import format_share

ANSWER_SCHEMA = 2
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


@dataclass(frozen=True)
class Findings:
    """What explains an answer, whatever was varied.

    Attributes
    ----------
    infeasible : str or None
        Why nothing can be recommended, with the level that decides; None if something can.
    ceiling : Ceiling or None
        What unlimited GPUs give; where they are too few, the proof and the remedy.
    slos : tuple of SloOutcome
        Every level, measured at the answer (or at the most generous value considered if there is none), with what it is
        one step below the interval.
    binding_slo : str or None
        The level that fails most often one step below the interval; None if nothing smaller was considered.
    have : Attainment or None
        P(all levels met) with the GPUs the center has.
    at_answer, below : Attainment or None
        The same at the value of `slos`, and one step below the interval.
    occupancy : Estimate or None
        Share of the GPUs allocated at the value of `slos`.
    classes : tuple of ClassShare
        How often each class occurs.
    rules : tuple of RuleOutcome
        What a spreadsheet would say.
    evictions : Evictions or None
        What preemption costs there; None where no class is preemptible.
    agreements : Agreements or None
        What leases, approvals and reservations come to there; None without any.
    why : Why or None
        Why jobs wait and GPUs idle at the value of `slos`.
    band : Band or None
        Sizes that also meet the levels on occupancy; None without such levels.
    offered_load, peak_load : float
        Mean and largest number of GPUs in use if nobody waited.
    assumptions, assumed, warnings : tuple of str
        Sentences of the scenario, paths of the numbers it marks as assumed, doubts.
    horizon : str
        The simulated period, in words.
    """

    infeasible: str | None
    ceiling: Ceiling | None
    slos: tuple[SloOutcome, ...]
    binding_slo: str | None
    have: Attainment | None
    at_answer: Attainment | None
    below: Attainment | None
    occupancy: Estimate | None
    classes: tuple[ClassShare, ...]
    rules: tuple[RuleOutcome, ...]
    evictions: Evictions | None
    agreements: Agreements | None
    why: Why | None
    band: Band | None
    offered_load: float
    peak_load: float
    assumptions: tuple[str, ...]
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    horizon: str


@dataclass(frozen=True, eq=False)
class Answer:
    """The smallest center, or pool, that meets every service level, certified.

    Attributes
    ----------
    vary : str
        "gpus", or the name of the pool that the numbers count.
    pools : dict of str to (int or None)
        GPUs there are in each pool; those that do not vary stay so.
    sizing : SizingResult
        The statistical result: interval, guarantee, evidence per stage, replication ranges, notes.
    findings : Findings
        What explains it.
    spent : Spent
    provenance : Provenance
    """

    vary: str
    pools: dict[str, int | None]
    sizing: SizingResult
    findings: Findings
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

    @property
    def infeasible(self) -> str | None:
        """Why no size can be recommended; None if one can."""
        return self.findings.infeasible

    @property
    def slos(self) -> tuple[SloOutcome, ...]:
        """Every level, measured at the answer."""
        return self.findings.slos

    @property
    def binding_slo(self) -> str | None:
        """The level that fails most often one step below the interval."""
        return self.findings.binding_slo

    @property
    def at_answer(self) -> Attainment | None:
        """P(all levels met) at the answer."""
        return self.findings.at_answer

    @property
    def below(self) -> Attainment | None:
        """P(all levels met) one step below the interval."""
        return self.findings.below

    @property
    def have(self) -> Attainment | None:
        """P(all levels met) with what the center has."""
        return self.findings.have

    @property
    def rules(self) -> tuple[RuleOutcome, ...]:
        """What a spreadsheet would say."""
        return self.findings.rules

    @property
    def band(self) -> Band | None:
        """Sizes that also meet the levels on occupancy."""
        return self.findings.band

    @property
    def offered_load(self) -> float:
        """Mean GPUs in use if nobody waited."""
        return self.findings.offered_load

    @property
    def peak_load(self) -> float:
        """Largest expected number of GPUs in use if nobody waited."""
        return self.findings.peak_load

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the planner must know about this answer."""
        return self.findings.warnings

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the scenario says it assumes."""
        return self.findings.assumptions

    def __str__(self) -> str:
        if self.infeasible is not None:
            return self.infeasible
        where = "GPUs" if self.vary == "gpus" else f"GPUs in pool {self.vary}"
        if self.gpus is None:
            low = "?" if self.gpus_low is None else f"{self.gpus_low:,}"
            return f"not decided: no size is certified yet (at least {low} {where})"
        confidence = f"{format_share(self.sizing.confidence)} confidence"
        number = f"{self.gpus:,} {where} ({self.gpus_low:,} - {self.gpus_high:,}, {confidence})"
        if self.sizing.low_is_grid_minimum:
            number = f"at most {self.gpus:,} {where} (no smaller size was considered, {confidence})"
        return (
            f"{number} keep all service levels in at least {format_share(self.sizing.attainment)} of periods"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data; numbers without a finite value are None."""
        s = self.sizing
        data = {
            "schema": ANSWER_SCHEMA,
            "kind": "size",
            "vary": self.vary,
            "pools": self.pools,
            "gpus": self.gpus,
            "gpus_low": s.gpus_low,
            "gpus_high": s.gpus_high,
            "tolerance": s.tolerance_gpus,
            **certificate(s),
            "evidence": [
                {**dataclasses.asdict(e), "share": e.share, "low": e.low, "high": e.high} for e in s.evidence
            ],
            **explanation(self.findings),
            "spent": dataclasses.asdict(self.spent),
            "provenance": dataclasses.asdict(self.provenance),
        }
        return finite(data)  # type: ignore[no-any-return]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the JSON text; with `path`, also write it there (whole or not at all)."""
        return as_json(self.to_dict(), path)


def as_json(data: dict[str, Any], path: str | os.PathLike[str] | None = None) -> str:
    """The JSON text of a result; with `path`, also written there."""
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    if path is not None:
        write_text(path, text)
    return text


def certificate(s: SizingResult) -> dict[str, Any]:
    """The keys that say how sure an answer is."""
    return {
        "resolved": s.resolved,
        "certified": s.certified,
        "guarantee": s.guarantee,
        "attainment": s.attainment,
        "confidence": s.confidence,
        "feasible": s.feasible,
        "smaller_insufficient_claim": s.smaller_insufficient_claim,
        "low_is_grid_minimum": s.low_is_grid_minimum,
        "non_monotone": s.non_monotone._asdict() if s.non_monotone else None,
        "p_value": s.p_value,
        "out_of_time": s.out_of_time,
        "replications_needed": s.replications_needed,
        "replication_ranges": {stage: list(r) for stage, r in s.ranges.items()},
        "runs": s.runs,
        "notes": list(s.notes),
    }


def explanation(found: Findings) -> dict[str, Any]:
    """The keys that explain an answer."""
    return {
        "infeasible_because": found.infeasible,
        "ceiling": None if found.ceiling is None else _ceiling(found.ceiling),
        "binding_slo": found.binding_slo,
        "slos": [dataclasses.asdict(slo) for slo in found.slos],
        "at_answer": plain(found.at_answer),
        "below": plain(found.below),
        "have": plain(found.have),
        "occupancy": None if found.occupancy is None else dataclasses.asdict(found.occupancy),
        "band": None if found.band is None else dataclasses.asdict(found.band),
        "classes": [dataclasses.asdict(c) for c in found.classes],
        "evictions": None if found.evictions is None else dataclasses.asdict(found.evictions),
        "agreements": None if found.agreements is None else dataclasses.asdict(found.agreements),
        "why": None if found.why is None else dataclasses.asdict(found.why),
        "offered_load": found.offered_load,
        "peak_load": found.peak_load,
        "rules_of_thumb": [
            {"name": r.rule.name, "gpus": r.rule.gpus, "attainment": plain(r.attainment)} for r in found.rules
        ],
        "assumptions": list(found.assumptions),
        "assumed": list(found.assumed),
        "warnings": list(found.warnings),
        "horizon": found.horizon,
    }


def plain(attainment: Attainment | None) -> dict[str, Any] | None:
    """An attainment as data."""
    return dataclasses.asdict(attainment) if attainment else None


def _ceiling(ceiling: Ceiling) -> dict[str, Any]:
    return {
        "infeasible": ceiling.infeasible,
        "attainment": {k: v for k, v in dataclasses.asdict(ceiling.attainment).items() if k != "gpus"},
        "impossible": [dataclasses.asdict(each) for each in ceiling.impossible],
    }
