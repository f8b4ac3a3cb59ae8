"""Numbers that lie in a device's memory, for the checks of the engine's door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpusim.engine.cupy import INSTALL
from gpusim.errors import Problem, RunError

_DLPACK_HOST = 1  # kDLCPU


def to_host(values: Any) -> Any:
    """An array of a device as a numpy array; anything else as it is.

    Parameters
    ----------
    values : object
        What has ``__cuda_array_interface__`` (CuPy, Numba, PyTorch) or, on a device, ``__dlpack__``. Numbers of cells
        are checked on the host, and are few.
    """
    kind = type(values)
    if kind is int or isinstance(values, (np.ndarray, np.generic, list, tuple)):
        return values
    if hasattr(kind, "__cuda_array_interface__") or hasattr(values, "__cuda_array_interface__"):
        return _fetched(values, lambda cupy: cupy.asarray(values))
    if hasattr(values, "__dlpack__") and hasattr(values, "__dlpack_device__"):
        if values.__dlpack_device__()[0] == _DLPACK_HOST:
            return np.from_dlpack(values)
        return _fetched(values, lambda cupy: cupy.from_dlpack(values))
    return values


def _fetched(values: Any, wrap: Callable[[Any], Any]) -> Any:
    """Copy to the host, by the array's own method where it has CuPy's."""
    if hasattr(values, "get") and type(values).__module__.partition(".")[0] == "cupy":
        return values.get()
    try:
        import cupy
    except ImportError:
        what, remedy = (
            "are in a device's memory, and CuPy is not installed",
            f"copy them to the host, or {INSTALL}",
        )
        raise RunError([Problem("cells", what, remedy, "engine/spec", type(values).__name__)]) from None
    return wrap(cupy).get()
