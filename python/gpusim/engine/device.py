"""Run a batch on devices: memory, launches in slices, polling, reruns. The simulation itself is the core's.

One driver for every device (ARCHITECTURE.md 4b): it knows addresses and numbers of bytes; what lies at them is
computed by `gpusim._native`. Cells are taken longest first and dealt out among the devices; where memory holds too
few of them, they are cut into shares, which take turns (`device_turns`). Neither changes a result, for a run is a
function of (model, cell) alone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gpusim.engine import device_share
from gpusim.engine.cpu import Progress
from gpusim.engine.device_share import Batch
from gpusim.engine.device_turns import take_turns
from gpusim.engine.device_work import MOST_ROOM, Work
from gpusim.engine.resident import Resident
from gpusim.engine.spec import RunSpec


class Device(Protocol):
    """What the driver asks of a device. Addresses are numbers; sizes are bytes.

    Calls come from one thread at a time, but for `release` and for copies of what `array` has made, which may come from
    any thread at any time.

    Launches follow each other; `upload`, `zero` and `download` follow each other, too, and run beside a launch:

    - What was uploaded or zeroed before `launch` was called is there before the launch starts.
    - A copy does not wait for a launch that is under way. So the driver touches nothing that such a launch uses: it
      uploads to, zeroes, downloads from and releases only what no launch uses, or after `wait`.
    - `upload` and `zero` may return before they are done. `download` and `release` come after them.
    """

    @property
    def name(self) -> str:
        """For people: ``NVIDIA H100 80GB HBM3``."""

    @property
    def index(self) -> int:
        """As CUDA counts the visible devices."""

    @property
    def processors(self) -> int:
        """Multiprocessors."""

    @property
    def shared_bytes(self) -> int:
        """Shared memory of one multiprocessor [byte]."""

    def workers_per_processor(self, family: str) -> int:
        """Warps of this family's kernel that fit a multiprocessor at once, shared memory aside."""

    def free_bytes(self) -> int:
        """Memory that could be allocated now [byte]."""

    def allocate(self, n: int) -> int:
        """Address of n new bytes, aligned to 256; may wait for a launch. Raises `DeviceMemoryError` if none are."""

    def release(self, address: int) -> None:
        """Give back what `allocate` has returned. May wait for a launch under way, though it does not use it."""

    def upload(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy a C-contiguous array to the device; the array may be changed as soon as this returns."""

    def download(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy from the device into a C-contiguous array; all of it is there when this returns."""

    def zero(self, address: int, n: int) -> None:
        """Set n bytes to zero."""

    def array(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, owner: object) -> Any:
        """What lies at `address` as an array for people, which keeps `owner`; address 0 where it has no element."""

    def launch(self, family: str, blocks: int, shared_bytes: int, arguments: bytes) -> None:
        """Start a kernel with this shared memory a block [byte] and this one argument; does not wait."""

    def ready(self) -> bool:
        """Whether the launch has ended. Of one that failed it says anything, or raises `RunError`; `wait` does."""

    def wait(self) -> None:
        """Until the launch has ended. Raises `RunError` if it failed."""


@dataclass(frozen=True)
class Slices:
    """How long a launch lasts: a number of events a worker, chosen so that a launch takes about `seconds`.

    Parameters
    ----------
    seconds : float, default 0.2
        Aimed at [s]: Ctrl-C and progress wait so long.
    first, least, most : int
        Events of a worker in the first launch, and bounds.
    """

    seconds: float = 0.2
    first: int = 1 << 8
    least: int = 64
    most: int = 1 << 40

    def after(self, budget: int, took: float) -> int:
        """Budget of the next launch after one with `budget` events that took so long [s]."""
        factor = min(8.0, max(0.125, self.seconds / max(took, 1e-9)))
        return max(self.least, min(self.most, int(budget * factor)))


def run_on(
    devices: Sequence[Device],
    spec: RunSpec,
    cells: dict[str, npt.NDArray[Any]],
    *,
    early: bool,
    histogram: bool,
    causes: bool = False,
    records: int,
    room: dict[str, int],
    progress: Progress | None,
    slices: Slices | None = None,
    in_place: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Run cells on one or more devices of this host.

    Parameters
    ----------
    devices : sequence of Device
        At least one; cells are dealt out among them.
    spec, cells, early, histogram, causes, records, progress
        As in `gpusim.engine.cpu.run`, already checked.
    room : dict
        Working memory to begin with, by `running_slots`, `queue_slots`, ...
    slices : Slices, optional
    in_place : mapping of str to int, optional
        If given, results stay on the device, of which there is one; these columns of the cells lie there already, at
        these addresses. Default: results come to the host.

    Returns
    -------
    dict
        The arrays of `gpusim.engine.cpu.run`, `reruns` and `room`; equal to it for every integer but `reruns`.
        Cells that `progress` has stopped have status 5. Results that stay are arrays of the device; `passed` is bool.

    Raises
    ------
    DeviceMemoryError
        If not even one cell fits, or not all results that are to stay: before anything is allocated, unless a rerun
        needs the memory.
    RunError
        If a launch failed.
    """
    with _ONE_AT_A_TIME:
        batch = Batch(spec, early, histogram, causes, records)
        return _run_on([*devices], batch, cells, room, progress, slices, in_place)


_ONE_AT_A_TIME = threading.RLock()
"""Devices are used by one thread at a time. A progress callback may run a batch of its own."""


def _run_on(
    devices: list[Device],
    batch: Batch,
    cells: dict[str, npt.NDArray[Any]],
    room: dict[str, int],
    progress: Progress | None,
    slices: Slices | None,
    in_place: Mapping[str, int] | None,
) -> dict[str, Any]:
    sizes = {name: room[name] for name in MOST_ROOM}
    resident = None if in_place is None else Resident(devices[0], batch, cells, in_place, sizes)
    work = Work(replace(batch, resident=resident), cells, sizes, progress)
    try:
        take_turns(devices, work, longest_first(cells), slices or Slices())
    except BaseException:
        if resident is not None:
            resident.release()
        for device in devices:
            device_share.forget(batch.spec, device)
        raise
    if resident is not None:
        work.outputs = resident.hand_over()
    outputs = work.outputs or device_share.empty_outputs(devices[0], batch, cells, work.room)
    return {**outputs, "reruns": work.reruns, "room": work.room}


def longest_first(cells: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Cells in the order in which they are taken: more demand first, then fewer GPUs, whose queues are longer.

    So the last to end are short, and few workers wait for them. A matter of speed only.
    """
    order = np.lexsort((cells["gpus"].sum(axis=1, dtype=np.int64), -cells["demand_ppm"]))
    return order.astype(np.int64)
