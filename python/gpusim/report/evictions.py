"""What preemption costs, as every page shows it."""

from __future__ import annotations

from rich.console import RenderableType

from gpusim.plan.evictions import Evictions
from gpusim.plan.measure import Estimate
from gpusim.report import words
from gpusim.report.layout import Column, plain, section, table


def evictions_section(found: Evictions | None) -> RenderableType | None:
    """Evictions by class; None where nobody can be evicted."""
    if found is None:
        return None
    title = "Preemption"
    if found.longest_cascade == 0:
        return section(title, plain(f"Nobody was evicted in {words.things(found.replications, 'period')}."))
    columns = (
        Column("class", number=False),
        Column("evictions a job"),
        Column("jobs evicted"),
        Column("waited again"),
        Column("GPU-time lost"),
    )
    rows = [
        (
            c.name,
            words.few(c.per_job.value),
            _percent(c.evicted),
            words.UNKNOWN if c.requeued_wait is None else words.duration(c.requeued_wait.value),
            _percent(c.lost),
        )
        for c in found.classes
    ]
    return section(
        title,
        table(columns, rows, last_apart=True),
        plain(
            "Waited again: after the first eviction, mean over the jobs evicted. GPU-time lost: unsaved "
            "work, overheads and grace, as a share of the GPU-time used. Longest cascade: "
            f"{words.things(found.longest_cascade, 'eviction')} at once, "
            f"{words.few(found.mean_cascade)} in a mean period."
        ),
    )


def _percent(share: Estimate) -> str:
    return words.percent(share.value)
