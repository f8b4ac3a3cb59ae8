"""`Slo`: one service level as its sentence says it, and the sentence in its one canonical wording."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from gpusim.scenario.slo_words import EVERY_DAY, LARGEST_GANG, WHOLE_DAY, sizes_in_words, when_in_words
from gpusim.units import format_duration, format_share

MILLION = 1_000_000  # the engine compares shares in millionths, in whole numbers
BOUND = 600.0  # s; bound of the slowdown where the sentence names none
THOUSAND = 1000  # the engine compares slowdowns in thousandths

Metric = Literal[
    "wait",
    "turnaround",
    "slowdown",
    "turned_away",
    "deadline",
    "preemptions",
    "occupancy",
    "delivered",
    "fair_share_error",
    "longest_cascade",
]
PERIOD_METRICS = ("delivered", "fair_share_error", "longest_cascade")
"""What is judged once in a replication, not job by job."""


def judges_jobs(metric: Metric) -> bool:
    """Whether levels of a metric judge each job, not the center or a whole period."""
    return metric != "occupancy" and metric not in PERIOD_METRICS


class Slo(BaseModel):
    """One service level, read from its sentence.

    Which jobs count, and when a job has met or violated the level, is said by `gpusim.scenario.slo`.

    Attributes
    ----------
    metric : str
        Of each job ``wait``, ``turnaround``, ``slowdown`` (bounded), ``turned_away``, ``deadline`` or ``preemptions``;
        of a whole period ``occupancy``, ``delivered``, ``fair_share_error`` or ``longest_cascade``.
    limit : float
        Of wait and turnaround: the longest time that meets the level [s]; else 0.
    factor : float
        Of slowdown: the largest bounded slowdown that meets the level, at least 1 [1], a whole number of
        thousandths; else 0.
    most : float
        Of preemptions and of the longest cascade: the largest number that meets the level, a whole one; of the
        fair-share error the largest share, a whole number of millionths; else 0.
    bound : float
        Of slowdown: runs shorter than this count as this long [s].
    share : float
        Share of the jobs that must meet it, in (0, 1], a whole number of millionths. For ``turned_away`` the
        share that must *not* be turned away: `abandoned <= 5%` is 0.95. For ``delivered`` the share of what
        is granted.
    scope : str
        Class, tenant, ``tenant/class``, ``tenant/all``, ``all/class`` or ``all``; of ``delivered`` a tenant,
        or ``all`` for each of them.
    gpus_low, gpus_high : int
        Least and largest gang that counts [GPUs].
    hours : tuple of two floats
        Only jobs submitted in these hours count [s of the local day]; (0, 0) is the whole day.
    days : int
        And on these days: bit mask, Monday = 1, 127 all.
    occupancy : tuple of two floats or None
        Of occupancy: least and largest share of the GPUs in use, over the counted time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    metric: Metric
    limit: float = 0.0
    factor: float = 0.0
    most: float = 0.0
    bound: float = BOUND
    share: float = 1.0
    scope: str = "all"
    gpus_low: int = 1
    gpus_high: int = LARGEST_GANG
    hours: tuple[float, float] = WHOLE_DAY
    days: int = EVERY_DAY
    occupancy: tuple[float, float] | None = None

    @property
    def judges_jobs(self) -> bool:
        """Whether the level judges each job, not the center or a whole period."""
        return judges_jobs(self.metric)

    @property
    def share_ppm(self) -> int:
        """The share in millionths, as the engine counts."""
        return round(self.share * MILLION)

    @property
    def sentence(self) -> str:
        """The level in its one canonical wording; `parse_slo` reads it back to an equal level."""
        if self.metric == "occupancy":
            return _occupancy(self.occupancy or (0.0, 1.0))
        if self.metric == "delivered":
            return f"delivered >= {_share(self.share)} of granted for {self.scope}"
        if self.metric == "fair_share_error":
            return f"fair-share error <= {_share(self.most)}"
        if self.metric == "longest_cascade":
            return f"longest cascade <= {self.most:.0f}"
        jobs = f"{self.scope} jobs{sizes_in_words(self.gpus_low, self.gpus_high)}"
        jobs += when_in_words(self.hours, self.days)
        if self.metric == "turned_away":
            return f"abandoned <= {_share((MILLION - self.share_ppm) / MILLION)} of {jobs}"
        counted = f"for {_share(self.share)} of {jobs}"
        if self.metric == "deadline":
            return f"deadline met {counted}"
        if self.metric == "preemptions":
            return f"preemptions <= {self.most:.0f} {counted}"
        if self.metric == "slowdown":
            bound = "" if self.bound == BOUND else f" (bound {format_duration(self.bound)})"
            return f"bounded slowdown{bound} <= {_factor(self.factor)} {counted}"
        return f"{self.metric} <= {format_duration(self.limit)} {counted}"


def _occupancy(band: tuple[float, float]) -> str:
    low, high = band
    if high >= 1:
        return f"occupancy >= {_share(low)}"
    return (
        f"occupancy <= {_share(high)}" if low <= 0 else f"occupancy between {_share(low)} and {_share(high)}"
    )


def _share(share: float) -> str:
    return format_share(share)


def _factor(factor: float) -> str:
    text = f"{factor:.3f}"
    return text.rstrip("0").rstrip(".")
