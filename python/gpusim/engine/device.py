"""Run a batch on devices: memory, launches in slices, polling, reruns. The simulation itself is the core's.

One driver for every device (ARCHITECTURE.md 4b): it knows addresses and numbers of bytes; what lies at them is
computed by `gpusim._native`. Cells are taken longest first; where memory holds too few of them or there are several
devices, they are cut into rounds and dealt out. Neither changes a result, for a run is a function of (model, cell)
alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gpusim.engine import device_share
from gpusim.engine.cpu import Progress
from gpusim.engine.device_share import Batch, Share
from gpusim.engine.resident import Resident
from gpusim.engine.spec import RunSpec
from gpusim.errors import DeviceMemoryError

ROOM_OF_STATUS = {
    1: "running_slots",
    2: "queue_slots",
    3: "profile_slots",
    6: "held_slots",
    7: "chain_slots",
}
"""Which working memory was full, by the statuses of `csrc/core/status.h` that say so."""
MOST_ROOM = {
    "running_slots": 1 << 20,
    "queue_slots": 1 << 27,
    "profile_slots": 1 << 28,
    "held_slots": 1 << 20,
    "chain_slots": 1 << 27,
}
"""Bounds of `csrc/cpu/ensemble.cpp`: a run that needs more ends with the status that says so."""


class Device(Protocol):
    """What the driver asks of a device. Addresses are numbers; sizes are bytes.

    Calls come from one thread at a time. `launch` does not wait; the driver calls `wait` after every launch, and before
    it downloads or releases anything that a launch uses.
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
        """Address of n new bytes, aligned to 256. Raises `DeviceMemoryError` where there are none."""

    def release(self, address: int) -> None:
        """Give back what `allocate` has returned."""

    def upload(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy a C-contiguous array to the device."""

    def download(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy from the device into a C-contiguous array."""

    def zero(self, address: int, n: int) -> None:
        """Set n bytes to zero."""

    def array(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, owner: object) -> Any:
        """What lies at `address` as an array for people, which keeps `owner`; address 0 where it has no element."""

    def launch(self, family: str, blocks: int, shared_bytes: int, arguments: bytes) -> None:
        """Start a kernel with this shared memory a block [byte] and this one argument; does not wait."""

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
    spec, cells, early, histogram, records, progress
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
        batch = Batch(spec, early, histogram, records)
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
    batch = replace(batch, resident=resident)
    work = _Work([*devices], cells, sizes, progress, slices or Slices())
    try:
        while not work.stopped and len(work.waiting):
            _round(batch, work)
    except BaseException:
        if resident is not None:
            resident.release()
        for device in devices:
            device_share.forget(batch.spec, device)
        raise
    if resident is not None:
        work.outputs = resident.hand_over()
    if not work.outputs:
        work.keep(device_share.empty_outputs(devices[0], batch, cells, work.room))
    return {**work.outputs, "reruns": work.reruns, "room": work.room}


@dataclass
class _Work:
    """A batch under way: which cells wait for a device, and what is known of the others."""

    devices: list[Device]  # that have had memory for it so far
    cells: dict[str, npt.NDArray[Any]]
    room: dict[str, int]
    progress: Progress | None
    slices: Slices
    waiting: npt.NDArray[np.int64] = field(init=False)  # cells, longest expected first
    outputs: dict[str, Any] = field(default_factory=dict)
    complete: int = 0  # cells with status 0
    shown: int = 0  # the number last reported
    reruns: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        self.waiting = longest_first(self.cells)

    def report(self, done: int) -> bool:
        """Tell how many cells are done, those of the launches under way included; whether to go on.

        A cell that will be repeated has been counted, so the number may stand still, but never falls.
        """
        total = len(self.cells["replication"])
        self.shown = max(self.shown, min(self.complete + done, total))
        if self.progress is not None and self.progress(self.shown, total) is False:
            self.stopped = True
        return not self.stopped

    def keep(self, arrays: dict[str, Any], rows: npt.NDArray[np.int64] | None = None) -> None:
        """Enter what a share has computed for the cells `rows`."""
        n = len(self.cells["replication"])
        for name, part in arrays.items():
            if rows is None or name == "records" or len(rows) == n == 1:
                self.outputs[name] = part
                continue
            if name not in self.outputs:
                fill = device_share.NOT_RUN if name == "status" else 0
                self.outputs[name] = np.full((n, *part.shape[1:]), fill, part.dtype)
            self.outputs[name][rows] = part

    def settle(self, batch: Batch, rows: npt.NDArray[np.int64]) -> None:
        """Have those cells repeated that found their memory full, with twice as much of that."""
        status = self.outputs["status"][rows]
        self.complete += int(np.count_nonzero(status == 0))
        again = np.zeros(len(rows), np.bool_)
        for full, name in ROOM_OF_STATUS.items():
            met = status == full
            if met.any() and 2 * self.room[name] <= MOST_ROOM[name]:
                self.room[name] *= 2
                again |= met
        self.reruns += int(np.count_nonzero(again))
        if batch.resident is not None:
            batch.resident.repeat(rows[again])
        self.waiting = np.concatenate([rows[again], self.waiting])


def longest_first(cells: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Cells in the order in which they are taken: more demand first, then fewer GPUs, whose queues are longer.

    So the last to end are short, and few workers wait for them. A matter of speed only.
    """
    order = np.lexsort((cells["gpus"].sum(axis=1, dtype=np.int64), -cells["demand_ppm"]))
    return order.astype(np.int64)


def _round(batch: Batch, work: _Work) -> None:
    """Deal out the cells that wait, run as many as memory holds, and keep what they gave."""
    shares: list[Share] = []
    hands = min(len(work.devices), len(work.waiting))
    for k, device in enumerate(work.devices[:hands]):
        rows = work.waiting[k::hands]
        try:
            shares.append(device_share.plan(device, batch, work.cells, rows, work.room))
        except DeviceMemoryError:  # its cells stay in the line: another device may have room for them
            work.devices.remove(device)
            if not work.devices:
                raise
    if not shares:
        return
    taken = np.concatenate([share.rows for share in shares])
    work.waiting = work.waiting[~np.isin(work.waiting, taken)]
    with device_share.opened(shares):
        for done in _launches(shares, work.slices):
            if not work.report(done):
                break
        for share in shares:
            work.keep(share.results(), share.rows)
    if not work.stopped:
        work.settle(batch, taken)


def _launches(
    shares: Sequence[Share], slices: Slices, clock: Callable[[], float] = time.perf_counter
) -> Iterator[int]:
    """Launch slices until every share is done; after each, the number of cells done.

    All shares that have work are launched before one is waited for.
    """
    budget, active = slices.first, [*shares]
    while active:
        begin = clock()
        for share in active:
            share.launch(budget)
        for share in active:
            share.wait()
        budget = slices.after(budget, clock() - begin)
        active = [share for share in active if not share.is_done]
        yield sum(share.done for share in shares)
