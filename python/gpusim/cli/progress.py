"""Progress on stderr: what is being done, the bracket so far, runs and seconds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpusim.plan.runs import Progress

_STAGES = {"search": "searching", "measure": "measuring the answer", "simulate": "simulating"}


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
    low, high = state.bracket
    if low is not None and high is not None:
        bracket = f"between {low:,} and {high:,} GPUs" if low < high else f"near {low:,} GPUs"
    elif low is not None:
        bracket = f"above {low:,} GPUs"
    elif high is not None:
        bracket = f"at most {high:,} GPUs"
    else:
        bracket = f"at {state.gpus:,} GPUs"
    return f"{bracket}, {state.runs:,} runs"
