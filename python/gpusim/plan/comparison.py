"""What `compare` returns: variants of a scenario, priced in GPUs."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.plan.answer import Spent, as_json
from gpusim.plan.output import finite
from gpusim.plan.provenance import Provenance

COMPARISON_SCHEMA = 2
"""Version of the JSON form."""
BASE = "as it is"
"""Name of the scenario without changes."""
CHANGED = "as changed"
"""Name of the scenario with the changes given with the call."""

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BindingCount:
    """In how many replications a level is missed one step below the replication's own critical size."""

    sentence: str
    replications: int


@dataclass(frozen=True)
class LevelShift:
    """In how many replications a level holds at one size, without a change and with it.

    Attributes
    ----------
    sentence : str
    gpus : int
        The size: what the scenario compared with needs.
    before, after : int
        Replications in which the level holds there: in the scenario compared with, and in the variant.
    shown : bool
        More went one way than chance explains (exact sign test at the study's confidence, of each level alone).
    """

    sentence: str
    gpus: int
    before: int
    after: int
    shown: bool


@dataclass(frozen=True)
class Cost:
    """What a variant cost: runs, and seconds of wall time."""

    name: str
    runs: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Compared:
    """One variant.

    Attributes
    ----------
    name, about : str
    changes : dict of str to value
        What it sets.
    against : str
        The variant it is compared with; empty for one that is only compared with.
    gpus : float
        The `attainment` quantile of its critical sizes; infinite where too many replications meet the levels with no
        size considered.
    difference, low, high : float or None
        How many GPUs more than `against` that is, and its interval: those of all variants hold together.
    low_alone, high_alone : float or None
        The interval of this difference if no other had been asked for.
    mean, standard_error : float or None
        Mean paired difference of the critical sizes.
    pairs : int
        Replications behind the mean: those with a critical size on both sides.
    binding : tuple of BindingCount
        Levels that decide, most often first; several can be missed together.
    shifts : tuple of LevelShift
        Who pays and who gains at equal size, who pays most first.
    never : int
        Replications that meet the levels with no size considered.
    infeasible : str
        The proof, where no number of GPUs is enough; else empty.
    offered_load, peak_load : float
        Mean and largest number of GPUs in use if nobody waited.
    critical : (n,) float64
        The critical size of each replication [GPU], infinite where there is none.
    """

    name: str
    about: str
    changes: dict[str, Any]
    against: str
    gpus: float
    difference: float | None
    low: float | None
    high: float | None
    low_alone: float | None
    high_alone: float | None
    mean: float | None
    standard_error: float | None
    pairs: int
    binding: tuple[BindingCount, ...]
    shifts: tuple[LevelShift, ...]
    never: int
    infeasible: str
    offered_load: float
    peak_load: float
    critical: Float64

    @property
    def shown(self) -> bool:
        """Whether the interval, which holds together with all others, excludes 0: otherwise no effect is shown."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["binding"] = [dataclasses.asdict(each) for each in self.binding]
        data["shifts"] = [dataclasses.asdict(each) for each in self.shifts]
        return data | {"critical": self.critical.tolist(), "shown": self.shown}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Variants of a scenario, priced in GPUs.

    Attributes
    ----------
    base : Compared
        The scenario as it is.
    variants : tuple of Compared
    vary : str
        "gpus", or the pool whose GPUs are counted.
    attainment, confidence : float
        The quantile compared; of all intervals together.
    replications, step : int
        Replications of each variant; GPUs between the sizes tried.
    complete : bool
        No variant was left out, or left unexplained, for want of time.
    costs : tuple of Cost
        Of each scenario, in the order in which they were measured; of one left out, until then.
    """

    base: Compared
    variants: tuple[Compared, ...]
    vary: str
    attainment: float
    confidence: float
    replications: int
    step: int
    complete: bool
    horizon: str
    notes: tuple[str, ...]
    spent: Spent
    costs: tuple[Cost, ...]
    provenance: Provenance

    def __str__(self) -> str:
        return "\n".join(f"{each.name}: {_in_words(each)}" for each in (self.base, *self.variants))

    def __getitem__(self, name: str) -> Compared:
        """The variant of this name."""
        return {each.name: each for each in (self.base, *self.variants)}[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data; numbers without a finite value are None."""
        data = {
            "schema": COMPARISON_SCHEMA,
            "kind": "compare",
            "vary": self.vary,
            "attainment": self.attainment,
            "confidence": self.confidence,
            "replications": self.replications,
            "step": self.step,
            "complete": self.complete,
            "base": self.base.to_dict(),
            "variants": [each.to_dict() for each in self.variants],
            "horizon": self.horizon,
            "notes": list(self.notes),
            "spent": dataclasses.asdict(self.spent)
            | {"variants": [dataclasses.asdict(each) for each in self.costs]},
            "provenance": dataclasses.asdict(self.provenance),
        }
        return finite(data)  # type: ignore[no-any-return]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the JSON text; with `path`, also write it there (whole or not at all)."""
        return as_json(self.to_dict(), path)


def _in_words(each: Compared) -> str:
    if each.infeasible:
        return each.infeasible
    size = "no size considered is enough" if math.isinf(each.gpus) else f"{each.gpus:,.0f} GPUs"
    if each.difference is None or each.low is None or each.high is None:
        return size
    return f"{size}, {each.difference:+,.0f} [{each.low:+,.0f}, {each.high:+,.0f}] against {each.against}"
