"""A device's share of a batch: how much memory it takes, what is put where, and its launches.

Everything of a share but the model lies in one block of memory, which is released whatever happens. The model (its
*image*) is uploaded once per `RunSpec` and device and stays until the spec is gone, or its memory is needed.
"""

from __future__ import annotations

import contextlib
import struct
import weakref
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gpusim import _native
from gpusim.engine.cpu import _call
from gpusim.engine.device_memory import Need, fitting, half, require
from gpusim.engine.spec import RunSpec

if TYPE_CHECKING:
    from gpusim.engine.device import Device
    from gpusim.engine.resident import Resident

WORKERS_PER_BLOCK = 4
"""`kBlockThreads` of `csrc/cuda/kernel.cuh` in warps."""
RESERVED_BYTES = 1024
"""Shared memory that the system takes of every block [byte]."""
NOT_RUN = 5
"""Status of a cell that was never run."""
PIECE_BYTES = 64 << 20
"""A download pauses after so many bytes [byte]: some milliseconds, so that a launch that has ended is soon seen."""
_ALIGNED = 256
_CELLS = ("replication", "draw", "demand_ppm", "gpus")

Output = tuple[str, str, tuple[int, ...], int]  # name, dtype, shape, what it holds where no run has written


@dataclass(frozen=True)
class Batch:
    """What all shares of a batch have in common; see `gpusim.engine.batch.run_batch`."""

    spec: RunSpec
    early: bool
    histogram: bool
    causes: bool
    records: int  # job records of the only cell, -1 none
    resident: Resident | None = None  # where all columns and outputs lie, if results stay on the device


@dataclass
class Share:
    """Cells of a batch that one device runs at a time. `open` gives it its memory, `close` takes it back.

    Attributes
    ----------
    rows : numpy.ndarray of int64
        Its cells, longest expected first, by their row in the batch.
    halved : bool
        Whether it was planned for half of the memory: another share may be open beside it.
    done : int
        How many of its cells need no further launch.
    """

    device: Device
    batch: Batch
    cells: dict[str, npt.NDArray[Any]]
    rows: npt.NDArray[np.int64]
    room: dict[str, int]
    workers: int
    near_bytes: int
    planned: dict[str, Any]
    halved: bool
    done: int = 0
    _base: int = 0
    _at: dict[str, int] = field(default_factory=dict)
    _arguments: bytearray = field(default_factory=bytearray)
    _running: bool = False

    @property
    def is_done(self) -> bool:
        """Whether no cell needs a further launch."""
        return self.done >= len(self.rows)

    def open(self) -> Iterator[None]:
        """Allocate, upload, and set to zero what a launch expects to be zero; pauses after every copy."""
        n = len(self.rows)
        uploads = {**self.cells, "order": np.arange(n, dtype=np.int64)}
        outputs: list[Output] = self.planned["outputs"]
        if self.batch.resident is not None:
            uploads, outputs = {"order": self.rows}, []
        sizes = {name: array.nbytes for name, array in uploads.items()}
        sizes |= {"next": 8, "done": 8, "slots": self.workers * self.planned["slot_bytes"]}
        sizes |= {f"output {name}": _nbytes(dtype, shape) for name, dtype, shape, _ in outputs}
        first = next(iter(sizes))
        sizes |= {
            "scratch": self.workers * self.planned["worker_bytes"],
            "near": self.workers * self.near_bytes,
        }
        offset, at = 0, {}
        for name, size in sizes.items():
            at[name] = offset
            offset += _aligned(size)
        _OPEN.append(self)
        self._image = image(self.batch.spec, self.device, self.planned["image_bytes"])
        self._base = self.device.allocate(offset)
        self._at = {name: self._base + start for name, start in at.items()}
        self.device.zero(self._at[first], at["scratch"])
        for name, array in uploads.items():
            if array.nbytes:
                self.device.upload(self._at[name], array)
                yield
        for name, dtype, shape, fill in outputs:
            if fill:
                self.device.upload(self._at[f"output {name}"], np.full(shape, fill, dtype))
                yield
        self._arguments = self._built()

    def _built(self) -> bytearray:
        """The kernels' argument, but for the budget: it costs a look at all stored jobs, so it is built once."""
        addresses = {name.removeprefix("output "): address for name, address in self._at.items()}
        if self.batch.resident is not None:
            addresses |= self.batch.resident.at
        return bytearray(
            _call(
                _native.device_arguments,
                self.batch.spec,
                early=self.batch.early,
                **self.room,
                near_bytes=self.near_bytes,
                n=len(self.rows),
                workers=self.workers,
                image=self._image,
                addresses=addresses,
            )
        )

    def launch(self, budget: int) -> None:
        """Start a slice of so many events a worker."""
        struct.pack_into("=q", self._arguments, _native.BUDGET_OFFSET, budget)
        arguments = bytes(self._arguments)
        blocks = -(-self.workers // WORKERS_PER_BLOCK)
        self._running = True
        self.device.launch(self.planned["family"], blocks, WORKERS_PER_BLOCK * self.near_bytes, arguments)

    def wait(self) -> None:
        """Until the slice has ended; asks how many cells are done."""
        self.device.wait()
        self._running = False
        done = np.zeros(1, np.uint64)
        self.device.download(self._at["done"], done)
        self.done = int(done[0])

    def results(self) -> Generator[None, None, dict[str, Any]]:
        """Outputs of its cells, downloaded; of results that stay the status alone. Pauses after every piece."""
        if self.batch.resident is not None:
            return {"status": self.batch.resident.status(self.rows)}
        arrays: dict[str, Any] = {}
        for name, dtype, shape, _ in self.planned["outputs"]:
            array = np.empty(shape, dtype)
            yield from self._download(f"output {name}", array)
            arrays[name] = array
        return _nested(arrays)

    def _download(self, name: str, array: npt.NDArray[Any]) -> Iterator[None]:
        flat, size = array.reshape(-1), array.itemsize
        step = max(1, PIECE_BYTES // size)
        for begin in range(0, len(flat), step):
            self.device.download(self._at[name] + begin * size, flat[begin : begin + step])
            yield

    def close(self) -> None:
        """Release its memory, after a launch under way has ended."""
        running, self._running = self._running, False
        base, self._base = self._base, 0
        _OPEN[:] = [share for share in _OPEN if share is not self]
        try:
            if running:
                with contextlib.suppress(Exception):  # the failure that led here is the one to tell
                    self.device.wait()
        finally:
            if base:
                self.device.release(base)


def plan(
    device: Device,
    batch: Batch,
    cells: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    room: dict[str, int],
) -> Share:
    """As many of the cells `rows` as the device has memory for, from the first; nothing is allocated.

    Where that is not all of them, another share is to fit beside it, and this one takes half of the memory, if the
    device then still has as many workers as it can use. Where results stay, one share is open at a time: all write into
    the same statuses.

    Raises
    ------
    DeviceMemoryError
        If not even one fits: what it needs, what is free.
    """
    draft = _draft(device, batch, cells, rows, room)
    free = device.free_bytes()
    n, workers = fitting(draft.need, len(rows), draft.workers, free)
    if n < len(rows) and _drop_images(device, batch.spec):
        free = device.free_bytes()
        n, workers = fitting(draft.need, len(rows), draft.workers, free)
    require(draft.need, n, len(rows), device)
    alone = n == len(rows) or batch.resident is not None
    less = None if alone else half(draft.need, len(rows), draft.workers, free)
    return draft.share(n, workers, False) if less is None else draft.share(*less, True)


def plan_beside(
    device: Device,
    batch: Batch,
    cells: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    room: dict[str, int],
) -> Share | None:
    """As `plan`, in what a share that is open has left free; None if that is too little for all workers."""
    draft = _draft(device, batch, cells, rows, room)
    n, workers = fitting(draft.need, len(rows), draft.workers, device.free_bytes())
    return draft.share(n, workers, True) if workers == draft.workers else None


@dataclass(frozen=True)
class _Draft:
    """A share of all the cells asked for, whether or not they fit; `workers` are as many as can be abreast."""

    device: Device
    batch: Batch
    cells: dict[str, npt.NDArray[Any]]
    rows: npt.NDArray[np.int64]
    room: dict[str, int]
    workers: int
    near: int
    planned: dict[str, Any]
    need: Need

    def share(self, n: int, workers: int, halved: bool) -> Share:
        """The first n cells with so many workers."""
        rows, planned = self.rows[:n], self.planned
        if n < len(self.rows):
            planned = _planned(self.batch, self.cells, rows, self.room, self.near)
        part = {name: np.ascontiguousarray(self.cells[name][rows]) for name in _CELLS}
        room = dict(self.room)
        return Share(self.device, self.batch, part, rows, room, workers, self.near, planned, halved)


def _draft(
    device: Device,
    batch: Batch,
    cells: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    room: dict[str, int],
) -> _Draft:
    planned = _planned(batch, cells, rows, room, 0)
    abreast = max(1, device.workers_per_processor(planned["family"]) // WORKERS_PER_BLOCK) * WORKERS_PER_BLOCK
    workers = min(len(rows), device.processors * abreast)
    far, near = planned["worker_bytes"], near_bytes(device, workers)
    planned = _planned(batch, cells, rows, room, near)
    # No more than what the core has moved into it: the rest of it is cache. Pieces are aligned to 64 bytes where they
    # were, and to less where they are, so that what was moved has room in as many bytes as were saved.
    near = min(near, _aligned(far - planned["worker_bytes"], 64) + 64 if near else 0)
    planned = _planned(batch, cells, rows, room, near)
    results = sum(_nbytes(dtype, shape) for _, dtype, shape, _ in planned["outputs"])
    own = -(-results // len(rows)) + sum(_aligned(cells[name][:1].nbytes, 8) for name in _CELLS)
    need = Need(
        model=0 if has_image(batch.spec, device) else planned["image_bytes"],
        cell=8 + (own if batch.resident is None else 0),  # 8: its place in the order
        worker=planned["worker_bytes"] + planned["slot_bytes"] + near,
        pieces=_ALIGNED * (len(planned["outputs"]) + 10),
    )
    return _Draft(device, batch, cells, rows, room, workers, near, planned, need)


def near_bytes(device: Device, workers: int) -> int:
    """Shared memory for each of so many workers, spread evenly over the processors [byte]."""
    blocks = -(-workers // WORKERS_PER_BLOCK)
    abreast = -(-blocks // device.processors)
    return max(0, device.shared_bytes // abreast - RESERVED_BYTES) // WORKERS_PER_BLOCK & ~63


def empty_outputs(
    device: Device, batch: Batch, cells: dict[str, npt.NDArray[Any]], room: dict[str, int]
) -> dict[str, Any]:
    """What a batch without cells returns."""
    planned = _planned(batch, cells, np.zeros(0, np.int64), room, 0)
    return _nested({name: np.empty(shape, dtype) for name, dtype, shape, _ in planned["outputs"]})


# ---- models -----------------------------------------------------------------------------------------------------


class _Image:
    """A model in a device's memory, released with the spec that it belongs to."""

    def __init__(self, spec: RunSpec, device: Device, n: int) -> None:
        self.device = device
        self.address = device.allocate(n)
        self.release = weakref.finalize(spec, device.release, self.address)
        self.release.atexit = False  # the process's end frees it, and the device may be gone by then


_IMAGES: weakref.WeakKeyDictionary[RunSpec, list[_Image]] = weakref.WeakKeyDictionary()


def has_image(spec: RunSpec, device: Device) -> bool:
    """Whether the model of `spec` lies in the device's memory."""
    return any(image.device is device for image in _IMAGES.get(spec, ()))


def image(spec: RunSpec, device: Device, n: int) -> int:
    """Address of the model of `spec` on the device, n bytes; it is uploaded unless it is there."""
    for there in _IMAGES.get(spec, ()):
        if there.device is device:
            return there.address
    new = _Image(spec, device, n)
    try:
        device.upload(new.address, _call(_native.device_image, spec, base=new.address))
    except BaseException:
        new.release()
        raise
    _IMAGES.setdefault(spec, []).append(new)
    return new.address


_OPEN: list[Share] = []
"""Shares that use a model: a batch under way keeps its own, whatever a batch that its progress callback runs needs."""


def forget(spec: RunSpec, device: Device) -> bool:
    """Release the model of `spec` on the device unless an open share uses it; whether it was released."""
    if any(share.batch.spec is spec and share.device is device for share in _OPEN):
        return False
    mine = [image for image in _IMAGES.get(spec, ()) if image.device is device]
    for image in mine:
        _IMAGES[spec].remove(image)
        image.release()
    return bool(mine)


def _drop_images(device: Device, but: RunSpec) -> bool:
    """Release all models on the device but one; whether there were any."""
    dropped = [forget(spec, device) for spec in list(_IMAGES) if spec is not but]
    return any(dropped)


# ---- shapes -----------------------------------------------------------------------------------------------------

_RECORDS = {
    **{
        name: name
        for name in ("submit", "eligible", "start", "end", "job_class", "pool", "outcome", "preemptions")
    },
    "record_gpus": "gpus",
}
"""Outputs that are job records; `gpus` is a column of cells, too."""


def _planned(
    batch: Batch,
    cells: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    room: dict[str, int],
    near: int,
) -> dict[str, Any]:
    part = {name: np.ascontiguousarray(cells[name][rows]) for name in _CELLS}
    planned: dict[str, Any] = _call(
        _native.device_plan,
        batch.spec,
        part,
        early=batch.early,
        histogram=batch.histogram,
        causes=batch.causes,
        records=batch.records,
        **room,
        near_bytes=near,
    )
    return planned


def _nested(arrays: dict[str, Any]) -> dict[str, Any]:
    """Arrays as `gpusim._native.run` returns them: those of job records in a dictionary of their own."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        if name in _RECORDS:
            found.setdefault("records", {})[_RECORDS[name]] = array
        else:
            found[name] = array
    return found


def _nbytes(dtype: Any, shape: tuple[int, ...]) -> int:
    return int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))


def _aligned(n: int, to: int = _ALIGNED) -> int:
    return -(-n // to) * to
