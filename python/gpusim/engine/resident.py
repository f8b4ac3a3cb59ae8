"""What a batch keeps on one device from its beginning to its end, so that its results can stay there.

The columns of all cells and the outputs of all cells, each in one piece, row i for cell i. A launch gets the rows that
it is to run as its `order`; rounds and reruns write into the same outputs, and nothing is gathered afterwards. A run
overwrites its whole row, whatever an earlier one has left there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.device_arrays import Allocation
from gpusim.engine.device_memory import Need, usable
from gpusim.engine.device_share import (
    NOT_RUN,
    Batch,
    _aligned,
    _drop_images,
    _nbytes,
    _nested,
    _planned,
    has_image,
)
from gpusim.errors import DeviceMemoryError, Problem

if TYPE_CHECKING:
    from gpusim.engine.device import Device

_PIECE = 256
"""Lost to alignment by one allocation, at most [byte]."""


class Resident:
    """Columns and outputs of a batch on a device.

    Parameters
    ----------
    device : Device
    batch : Batch
    cells : dict
        Columns of all cells, on the host.
    in_place : mapping of str to int
        Addresses of those columns that lie on the device already. The others are uploaded.
    room : dict
        Working memory to begin with; only to see whether a run will fit beside the outputs.

    Attributes
    ----------
    at : dict of str to int
        Addresses of columns and outputs, as `_native.device_arguments` wants them.
    arrays : dict
        The outputs as arrays of the device, as `gpusim.engine.cpu.run` names them; `passed` is bool.

    Raises
    ------
    DeviceMemoryError
        If the outputs do not fit with the memory of one run: before anything is allocated.
    """

    def __init__(
        self,
        device: Device,
        batch: Batch,
        cells: dict[str, npt.NDArray[Any]],
        in_place: Mapping[str, int],
        room: dict[str, int],
    ) -> None:
        self._n = n = len(cells["replication"])
        planned = _planned(batch, cells, np.arange(n, dtype=np.int64), room, 0)
        columns = {name: column for name, column in cells.items() if name not in in_place}
        _make_room(device, batch, n, planned, sum(column.nbytes for column in columns.values()))
        self._device = device
        self._allocated: list[Allocation] = []
        self.at: dict[str, int] = dict(in_place)
        try:
            self._columns = self._upload(columns)
            arrays = {name: self._output(name, *rest) for name, *rest in planned["outputs"]}
        except BaseException:
            self.release()
            raise
        self.arrays: dict[str, Any] = _nested(arrays)

    def status(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Statuses of these cells, on the host."""
        all_of_them = np.empty(self._n, np.int32)
        self._device.download(self.at["status"], all_of_them)
        return all_of_them[rows]

    def repeat(self, rows: npt.NDArray[np.int64]) -> None:
        """Have these cells count as not run."""
        rows = np.sort(rows)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            if len(run):
                fill = np.full(len(run), NOT_RUN, np.int32)
                self._device.upload(self.at["status"] + fill.itemsize * int(run[0]), fill)

    def hand_over(self) -> dict[str, Any]:
        """The outputs, which from now on belong to their arrays alone; the columns are released."""
        if self._columns is not None:
            self._columns.release()
        self._allocated.clear()
        return self.arrays

    def release(self) -> None:
        """Release everything now, though an error's traceback may still refer to it."""
        for allocation in self._allocated:
            allocation.release()

    def _allocate(self, n: int) -> Allocation:
        self._allocated.append(Allocation(self._device, n))
        return self._allocated[-1]

    def _upload(self, columns: dict[str, npt.NDArray[Any]]) -> Allocation | None:
        """One block for what is not in place."""
        total = sum(_aligned(column.nbytes) for column in columns.values())
        block = self._allocate(total) if total else None
        address = block.address if block is not None else 0
        for name, column in columns.items():
            self.at[name] = address
            if column.nbytes:
                self._device.upload(address, np.ascontiguousarray(column))
            address += _aligned(column.nbytes)
        return block

    def _output(self, name: str, dtype: str, shape: tuple[int, ...], fill: int) -> Any:
        """An array of its own, so that its memory goes with it. Runs that were never begun leave it as it is now."""
        n = _nbytes(dtype, shape)
        owner = self._allocate(n) if n else None
        self.at[name] = address = owner.address if owner is not None else 0
        if n and fill:
            self._device.upload(address, np.full(shape, fill, dtype))
        elif n:
            self._device.zero(address, n)
        return self._device.array(address, shape, np.bool_ if name == "passed" else dtype, owner)


def _make_room(device: Device, batch: Batch, n: int, planned: dict[str, Any], column_bytes: int) -> None:
    """Release models of other specs if they stand in the way; raise DeviceMemoryError if that is not enough."""
    if n == 0:
        return
    outputs = sum(_nbytes(dtype, shape) for _, dtype, shape, _ in planned["outputs"])
    need = Need(
        model=0 if has_image(batch.spec, device) else planned["image_bytes"],
        cell=-(-(outputs + column_bytes) // n) + 8,  # its place in the order
        worker=planned["worker_bytes"] + planned["slot_bytes"],
        pieces=_PIECE * (len(planned["outputs"]) + 10),
    )
    free = usable(device.free_bytes())
    if need.of(n, 1) > free and _drop_images(device, batch.spec):
        free = usable(device.free_bytes())
    if need.of(n, 1) <= free:
        return
    fit = max(0, (free - need.of(0, 1)) // need.cell)
    what = (
        f"results of {n:,} cells that are to stay there need {need.cell * n:,} bytes, beside "
        f"{need.of(0, 1):,} for the model and one run; {free:,} are free; largest batch that fits: {fit:,} cells"
    )
    remedy = "run fewer cells at a time, do without histograms and records, or have results come to the host"
    raise DeviceMemoryError([Problem(f"memory of {device.name}", what, remedy, "run/device-memory")])
