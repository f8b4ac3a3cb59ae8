"""Arrays of a device as CuPy hands them out, over host memory: an emulated device reads them where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np


class Column:
    """What the engine asks of a CuPy array.

    Parameters
    ----------
    values : array_like
        What lies on the device.
    dtype : numpy dtype
    index : int
        Its device.
    shown : array_like, optional
        What `get` returns instead, to see which of the two is used.
    """

    def __init__(self, values: Any, dtype: Any, *, index: int = 0, shown: Any = None) -> None:
        own = isinstance(values, np.ndarray) and values.dtype == dtype  # else strides would be lost
        self.values = values if own else np.array(values, dtype)
        self.index, self.shown, self.fetched = index, shown, 0

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        packed = self.values.flags.c_contiguous
        return {
            "shape": self.values.shape,
            "typestr": self.values.dtype.str,
            "data": (self.values.ctypes.data, False),
            "strides": None if packed else self.values.strides,
            "stream": 1,
            "version": 3,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.index

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def get(self) -> Any:
        self.fetched += 1
        return self.values.copy() if self.shown is None else np.array(self.shown, self.values.dtype)


Column.__module__ = "cupy"
