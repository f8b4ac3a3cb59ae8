"""Numbers that lie in a device's memory, at the engine's door: copied for its checks, used where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.cupy import INSTALL
from gpusim.engine.device_arrays import DeviceArray
from gpusim.errors import Problem, RunError

_HOST, _CUDA = 1, 2  # kDLCPU, kDLCUDA


def as_given(values: Any) -> Any:
    """What the engine works on, without a copy: a device's array with ``get``, or anything of the host as it is.

    Parameters
    ----------
    values : object
        What has ``__cuda_array_interface__`` (CuPy, Numba, PyTorch) or, on a device, ``__dlpack__``. CuPy wraps what
        is not its own.

    Raises
    ------
    RunError
        If CuPy is needed for that and not installed.
    """
    kind = type(values)
    if kind is int or isinstance(values, (np.ndarray, np.generic, list, tuple, DeviceArray)):
        return values
    if hasattr(values, "get") and kind.__module__.partition(".")[0] == "cupy":
        return values
    if hasattr(kind, "__cuda_array_interface__") or hasattr(values, "__cuda_array_interface__"):
        return _cupy_for(values).asarray(values)
    if hasattr(values, "__dlpack__") and hasattr(values, "__dlpack_device__"):
        if values.__dlpack_device__()[0] == _HOST:
            return np.from_dlpack(values)
        return _cupy_for(values).from_dlpack(values)
    return values


def is_on_device(given: Any) -> bool:
    """Whether what `as_given` has returned lies in a device's memory."""
    return hasattr(type(given), "__cuda_array_interface__")


def to_host(given: Any) -> Any:
    """A NumPy copy of a device's array, when everything on its stream has ended; anything of the host as it is."""
    return given.get() if is_on_device(given) else given


def device_index(given: Any) -> int | None:
    """On which device an array lies, as CUDA counts the visible ones; None on the host, or if it does not say."""
    if not is_on_device(given) or not hasattr(given, "__dlpack_device__"):
        return None
    kind, index = given.__dlpack_device__()
    return int(index) if kind == _CUDA else None


def address_in_place(given: Any, checked: npt.NDArray[Any], index: int) -> int | None:
    """Where the numbers of `checked` lie on a device already, in exactly its type and order.

    Parameters
    ----------
    given : object
        From `as_given`.
    checked : numpy.ndarray
        The same numbers on the host, (n,) or (n, P), of the type that a launch reads.
    index : int
        The device.

    Returns
    -------
    int or None
        The address, if nothing need be copied: there, of the same type and the same number of rows (a number for all
        cells is no column), C-contiguous and aligned.
    """
    if device_index(given) != index:
        return None
    facts = given.__cuda_array_interface__
    shape = tuple(facts["shape"])
    if shape != checked.shape and (*shape, 1) != checked.shape:
        return None
    strides, size = facts.get("strides"), checked.itemsize
    packed = tuple(size * int(np.prod(shape[k + 1 :], dtype=np.int64)) for k in range(len(shape)))
    address = int(facts["data"][0])
    fits = np.dtype(facts["typestr"]) == checked.dtype and strides in (None, packed)
    return address if fits and address and address % size == 0 and facts.get("mask") is None else None


def _cupy_for(values: Any) -> Any:
    try:
        import cupy
    except ImportError:
        what, remedy = (
            "are in a device's memory, and CuPy is not installed",
            f"copy them to the host, or {INSTALL}",
        )
        raise RunError([Problem("cells", what, remedy, "engine/spec", type(values).__name__)]) from None
    return cupy
