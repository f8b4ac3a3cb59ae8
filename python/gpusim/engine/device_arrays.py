"""Results that stay in a device's memory: who releases it, and an array for those who have no CuPy."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.cupy import INSTALL

if TYPE_CHECKING:
    from gpusim.engine.device import Device

_CUDA = 2  # kDLCUDA


class Allocation:
    """A block of a device's memory, released when nothing refers to it any more.

    Parameters
    ----------
    device : Device
    n : int
        Size [byte].

    Attributes
    ----------
    address : int
    release : callable
        Gives the block back now; a second call does nothing.
    """

    def __init__(self, device: Device, n: int) -> None:
        self.address = device.allocate(n)
        self.release = weakref.finalize(self, device.release, self.address)
        self.release.atexit = False  # the process's end frees it, and the device may be gone by then


class DeviceArray:
    """An array in a device's memory, C-contiguous, for libraries that know ``__cuda_array_interface__``.

    ``torch.as_tensor(array, device="cuda")``, ``cupy.asarray(array)`` and ``numba.cuda.as_cuda_array(array)`` take it
    without a copy and keep its memory alive. It computes nothing itself; ``array[i]`` and ``array[i:j]`` are views of
    its rows. ``__dlpack__`` is CuPy's, and needs it installed.

    Parameters
    ----------
    device : Device
    address : int
    shape : tuple of int
    dtype : numpy dtype
    owner : object
        Kept as long as the array: what releases the memory.
    """

    def __init__(
        self, device: Device, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, owner: object
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._device, self._address, self._owner = device, address, owner

    def __repr__(self) -> str:
        return f"<DeviceArray {self.dtype} {self.shape} on {self._device.name}>"

    @property
    def ndim(self) -> int:
        """How many sides it has."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Size [byte]."""
        return int(self.dtype.itemsize * np.prod(self.shape, dtype=np.int64))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3. No stream: whatever filled the array has ended."""
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self._address if self.nbytes else 0, False),
            "strides": None,
            "stream": None,
            "version": 3,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        """``(kDLCUDA, index of the device)``."""
        return _CUDA, self._device.index

    def __dlpack__(self, **options: Any) -> Any:
        """The capsule that CuPy makes of it, without a copy.

        Raises
        ------
        BufferError
            Without CuPy.
        """
        try:
            import cupy
        except ImportError:
            raise BufferError(
                f"DLPack of this array needs CuPy ({INSTALL}); __cuda_array_interface__ needs nothing"
            ) from None
        return cupy.asarray(self).__dlpack__(**options)

    def get(self) -> npt.NDArray[Any]:
        """A copy on the host, for any thread. Whoever else writes to the array must have ended."""
        array = np.empty(self.shape, self.dtype)
        if array.nbytes:
            self._device.download(self._address, array)
        return array

    def __array__(self, *_: Any, **__: Any) -> npt.NDArray[Any]:
        raise TypeError(f"{self!r} is not copied to the host by itself; call its get()")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without sides has no length")
        return self.shape[0]

    def __getitem__(self, rows: Any) -> DeviceArray:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._view(start, (max(0, stop - start), *self.shape[1:]))
        elif isinstance(rows, (int, np.integer)) and not isinstance(rows, bool):
            row = range(len(self))[int(rows)]  # IndexError where there is none
            return self._view(row, self.shape[1:])
        raise TypeError(
            f"{self!r} gives one row or consecutive ones; for more wrap it, as in cupy.asarray(array)"
        )

    def _view(self, row: int, shape: tuple[int, ...]) -> DeviceArray:
        row_bytes = self.nbytes // len(self) if len(self) else 0
        return DeviceArray(self._device, self._address + row * row_bytes, shape, self.dtype, self._owner)
