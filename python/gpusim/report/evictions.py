"""What preemption costs, as every page shows it."""

from __future__ import annotations

from collections.abc import Callable

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
        told = f"Nobody was evicted in {words.things(found.replications, 'period')}."
        lost = found.classes[-1].lost
        overheads = f" Checkpoints cost {_percent(lost)} of the GPU-time used." if lost.value > 0 else ""
        return section(title, plain(told + overheads))
    cancels = any(c.cancelled is not None and c.cancelled.value > 0 for c in found.classes)
    columns = (
        Column("class", number=False),
        Column("evictions a job"),
        Column("jobs evicted"),
        *((Column("jobs cancelled"),) if cancels else ()),
        Column("waited again"),
        Column("GPU-time lost"),
    )
    rows = [
        (
            c.name,
            _or_nothing(c.per_job, words.few),
            _or_nothing(c.evicted, words.percent),
            *((_or_nothing(c.cancelled, words.percent),) if cancels else ()),
            words.UNKNOWN if c.requeued_wait is None else words.duration(c.requeued_wait.value),
            _percent(c.lost),
        )
        for c in found.classes
    ]
    ended = "Cancelled: by an eviction, for good; later segments of their chains are not counted. "
    return section(
        title,
        table(columns, rows, last_apart=True),
        plain(
            f"Waited again: after the first eviction, mean over the jobs evicted. {ended if cancels else ''}"
            "GPU-time lost: unsaved work, overheads and grace, as a share of the GPU-time used; grace is lost by the "
            "class that evicts and waits for it. Longest cascade: "
            f"{words.things(found.longest_cascade, 'eviction')} at once, "
            f"{words.few(found.mean_cascade)} in a mean period."
        ),
    )


def _or_nothing(found: Estimate | None, text: Callable[[float], str]) -> str:
    return "" if found is None else text(found.value)


def _percent(share: Estimate) -> str:
    return words.percent(share.value)
