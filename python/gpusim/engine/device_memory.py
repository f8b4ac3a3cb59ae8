"""Whether a batch fits a device's memory, how much of it does, and the words where none does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpusim.errors import DeviceMemoryError, Problem

if TYPE_CHECKING:
    from gpusim.engine.device import Device

SPARE = 16
"""One in so many bytes that are free is left alone: the system's own needs grow with the kernels in use."""


@dataclass(frozen=True)
class Need:
    """Memory of a share of a batch [byte].

    Parameters
    ----------
    model : int
        To upload; 0 if it is there.
    cell : int
        Of one cell: what it is, and its results.
    worker : int
        Working memory of one run at a time.
    pieces : int
        Lost to alignment.
    """

    model: int
    cell: int
    worker: int
    pieces: int

    def of(self, cells: int, workers: int) -> int:
        """Of so many cells and workers."""
        return self.model + self.pieces + cells * self.cell + workers * self.worker


def usable(free: int) -> int:
    """How much of what is free a batch may take [byte]."""
    return free - free // SPARE


def fitting(need: Need, cells: int, workers: int, free: int) -> tuple[int, int]:
    """How many cells and workers fit `free` bytes, at most those given; (0, 0) if not even one of each.

    Where not all fit, workers may take half of what there is: cells can come in a later round, but a processor without
    enough workers idles.
    """
    left = usable(free)
    if need.of(cells, workers) <= left:
        return cells, workers
    left -= need.model + need.pieces
    if left < need.cell + need.worker:
        return 0, 0
    for_workers = min(workers * need.worker, max(left // 2, need.worker))
    fit = min(cells, max(1, (left - for_workers) // need.cell))
    return fit, min(workers, fit, (left - fit * need.cell) // need.worker)


def half(need: Need, cells: int, workers: int, free: int) -> tuple[int, int] | None:
    """As `fitting`, for one of two shares that take turns in `free` bytes; None if it would cost workers.

    The model is there once, for both.
    """
    n, fit = fitting(need, cells, workers, need.model + max(0, free - need.model) // 2)
    return (n, fit) if fit == workers else None


def require(need: Need, fit: int, cells: int, device: Device) -> None:
    """Raise DeviceMemoryError if not one of `cells` fits; otherwise a batch is cut, and nobody needs to know."""
    if fit > 0:
        return
    free = usable(device.free_bytes())
    one = need.of(1, 1)
    what = (
        f"one run needs {_gib(one)} (model {_gib(need.model)}, working memory {_gib(need.worker)}, results "
        f"{_gib(need.cell)}), {_gib(free)} are free; largest batch that fits: 0 of {cells:,} cells"
    )
    remedy = "shorten the horizon, do without histograms and records, or use --backend cpu"
    raise DeviceMemoryError([Problem(f"memory of {device.name}", what, remedy, "run/device-memory")])


def _gib(n: int) -> str:
    return f"{n / 2**30:,.2f} GiB" if n >= 1 << 27 else f"{n / 2**20:,.2f} MiB"
