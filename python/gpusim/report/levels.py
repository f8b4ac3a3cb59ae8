"""The table of service levels, and the words around it, as every page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from gpusim.plan.band import OccupancyOutcome
from gpusim.plan.measure import Attainment, Estimate, SloOutcome
from gpusim.report import words
from gpusim.report.layout import NO, YES, Column, table
from gpusim.scenario.slo import PERIOD_METRICS
from gpusim.units import format_share


def levels_table(
    slos: Sequence[SloOutcome], together: Attainment | None, required: float, below: Attainment | None = None
) -> RenderableType:
    """Each level: how often it holds, the share of jobs in time, and how far that is from the share asked.

    Parameters
    ----------
    slos : sequence of SloOutcome
    together : Attainment or None
        All levels together.
    required : float
        Share of periods asked.
    below : Attainment or None
        All together one step below an answer; then each level is shown there too, those that fail most often first.
    """
    lower = any(slo.below is not None for slo in slos)
    columns = (
        Column("", number=False),
        Column("service level", number=False),
        Column("periods met"),
        *((Column("just below"),) if lower else ()),
        Column("jobs in time"),
        Column("slack"),
    )
    ordered = sorted(slos, key=_least_below_first) if lower else slos
    rows = []
    for slo in ordered:
        met = slo.attainment
        rows.append(
            [
                YES if met.value >= required else NO,
                slo.sentence,
                words.measured(met.value, met.low, met.high),
                *([_share(slo.below)] if lower else ()),
                _jobs(slo, lower),
                "" if slo.slack is None else words.points(slo.slack),
            ]
        )
    if together is not None:
        sign = YES if together.share >= required else NO
        all_below = words.UNKNOWN if below is None else words.percent(below.share)
        share = words.measured(together.share, together.low, together.high)
        rows.append([sign, "all together", share, *([all_below] if lower else ()), "", ""])
    return table(columns, rows, last_apart=together is not None)


def _least_below_first(slo: SloOutcome) -> tuple[float, float]:
    below = slo.attainment if slo.below is None else slo.below
    return below.value, slo.attainment.value


def _share(estimate: Estimate | None) -> str:
    return words.UNKNOWN if estimate is None else words.percent(estimate.value)


def _jobs(slo: SloOutcome, short: bool) -> str:
    if slo.metric in PERIOD_METRICS:
        return _measured_in_a_period(slo)
    if slo.share is None:
        return "no job"
    if short:
        return words.percent(slo.share.value)
    return words.measured(slo.share.value, slo.share.low, slo.share.high)


def _measured_in_a_period(slo: SloOutcome) -> str:
    """The mean of what such a level limits, in words of its own."""
    if slo.measured is None:
        return "nothing to judge"
    if slo.metric == "longest_cascade":
        return f"mean {words.few(slo.measured.value)}"
    return f"mean {words.percent(slo.measured.value)}"


def occupancy_table(levels: Sequence[OccupancyOutcome]) -> RenderableType | None:
    """Levels on occupancy; None if there are none."""
    if not levels:
        return None
    columns = (Column("occupancy level", number=False), Column("periods met"), Column("occupancy"))
    rows = [
        (
            each.sentence,
            _measured(each.attainment),
            _measured(each.at_answer),
        )
        for each in levels
    ]
    return table(columns, rows)


def _measured(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not run"
    return words.measured(estimate.value, estimate.low, estimate.high)


def levels_in_words(number: int) -> str:
    """`all 4 service levels`; 0 where the number is not known."""
    if number == 1:
        return "the service level"
    return f"all {number} service levels" if number else "all service levels"


def legend(required: float, confidence: float, below: str = "") -> str:
    """What the numbers of the table mean; `below` names what the column "just below" is about."""
    under = f"Just below: periods met {below}. " if below else ""
    return (
        f"Periods met: {format_share(required)} is asked. {under}Slack: jobs in time minus the share asked, in "
        f"percentage points. In brackets: {format_share(confidence)} intervals."
    )


def undecided(slos: Sequence[SloOutcome]) -> str | None:
    """A sentence about jobs that nobody can judge; None if there are none."""
    worst = max(slos, key=lambda slo: slo.censored_share, default=None)
    if worst is None or worst.censored == 0:
        return None
    return (
        f"{worst.censored:,} jobs of '{worst.sentence}' ({words.percent(worst.censored_share)}) were undecided at the "
        "end of their period and are left out."
    )
