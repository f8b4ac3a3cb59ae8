"""Progress on stderr: what is being done, the bracket so far, runs and seconds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpusim.plan.runs import Progress

_STAGES = {
    "search": "searching",
    "scout": "finding the region",
    "pilot": "measuring the spread",
    "lower": "searching",
    "final": "searching",
    "sweep": "checking the answer",
    "fill-in": "checking the answer",
    "hold-out": "checking the answer",
    "audit": "looking above it",
    "measure": "explaining the answer",
    "simulate": "simulating",
}


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Callable[[Progress], object] | None]:
    """Yield a callback that draws a line on stderr, or None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Line

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Line(*columns, console=Console(stderr=True, highlight=False), transient=True) as line:
        task = line.add_task("preparing", total=None, detail="")

        def show(state: Progress) -> None:
            stage = _STAGES.get(state.stage, state.stage)
            line.update(
                task, description=stage, completed=state.done, total=state.total, detail=detail(state)
            )

        yield show


def detail(state: Progress) -> str:
    """The bracket so far and the runs so far."""
    too_little, enough = state.bracket
    demand = state.vary == "demand"

    def size(value: int) -> str:
        return f"{value / 1e6:.0%}" if demand else f"{value:,}"

    unit = "of the demand" if demand else "GPUs"
    if too_little is not None and enough is not None:
        low, high = sorted((too_little, enough))
        bracket = f"between {size(low)} and {size(high)} {unit}" if low < high else f"near {size(low)} {unit}"
    elif too_little is not None:
        bracket = f"{'below' if demand else 'above'} {size(too_little)} {unit}"
    elif enough is not None:
        bracket = f"at {'least' if demand else 'most'} {size(enough)} {unit}"
    else:
        bracket = f"at {size(state.value)} {unit}"
    return f"{bracket}, {state.runs:,} runs"
