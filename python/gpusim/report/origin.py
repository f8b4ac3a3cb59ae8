"""Where a result comes from and what it cost: enough to judge it and to get it again."""

from __future__ import annotations

from rich.console import RenderableType

from gpusim.plan.answer import Spent
from gpusim.plan.provenance import Provenance
from gpusim.report import words
from gpusim.report.layout import facts, section


def origin(spent: Spent, provenance: Provenance) -> RenderableType:
    """The last section of a page."""
    cost = (
        f"{words.things(spent.runs, 'run')}, {words.large(spent.jobs)} jobs, {words.duration(spent.seconds)} "
        f"on {words.things(spent.threads, 'thread')}"
    )
    rows = (
        ("cost", cost),
        ("scenario", f"{provenance.scenario}, hash {provenance.scenario_hash[:12]}"),
        ("seed", str(provenance.seed)),
        ("made by", f"gpusim {provenance.version}, {provenance.backend} engine"),
        ("repeat", provenance.command),
    )
    return section("Where this comes from", facts(rows))
