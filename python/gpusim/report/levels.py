"""The table of service levels, and the words around it, as every page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from gpusim.plan.measure import Attainment, SloOutcome
from gpusim.report import words
from gpusim.report.layout import NO, YES, Column, table
from gpusim.units import format_share


def levels_table(slos: Sequence[SloOutcome], together: Attainment | None, required: float) -> RenderableType:
    """Each level: how often it holds, the share of jobs in time, and how far that is from the share asked."""
    columns = (
        Column("", number=False),
        Column("service level", number=False),
        Column("periods met"),
        Column("jobs in time"),
        Column("slack"),
    )
    rows = [
        (
            YES if slo.attainment.value >= required else NO,
            slo.sentence,
            words.measured(slo.attainment.value, slo.attainment.low, slo.attainment.high),
            "no job" if slo.share is None else words.measured(slo.share.value, slo.share.low, slo.share.high),
            "" if slo.slack is None else words.points(slo.slack),
        )
        for slo in slos
    ]
    if together is not None:
        sign = YES if together.share >= required else NO
        rows.append(
            (sign, "all together", words.measured(together.share, together.low, together.high), "", "")
        )
    return table(columns, rows, last_apart=together is not None)


def levels_in_words(number: int) -> str:
    """`all 4 service levels`; 0 where the number is not known."""
    if number == 1:
        return "the service level"
    return f"all {number} service levels" if number else "all service levels"


def legend(required: float, confidence: float) -> str:
    """What the numbers of the table mean."""
    return (
        f"Periods met: {format_share(required)} is asked. Slack: jobs in time minus the share asked, in percentage "
        f"points. In brackets: {format_share(confidence)} intervals."
    )


def undecided(slos: Sequence[SloOutcome]) -> str | None:
    """A sentence about jobs that nobody can judge; None if there are none."""
    worst = max(slos, key=lambda slo: slo.censored, default=None)
    if worst is None or worst.censored == 0:
        return None
    return f"{worst.censored:,} jobs of '{worst.sentence}' were undecided at the end of their period and are left out."
