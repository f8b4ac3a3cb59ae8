"""One cell of what a device has run, once more on the cpu.

The engines share one source and give the same integers; but a driver, a compiler or a device may be at fault, and a
wrong number is worse than a slow one. So `auto` believes an engine on a device, for each spec, when one cell has been
seen to be the same.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine import cpu
from gpusim.engine.host_array import to_host
from gpusim.engine.result import STATUS_OK
from gpusim.engine.spec import RunSpec

_VERDICT = ("status", "passed")
"""What an early run promises."""
_WHOLE = (
    *_VERDICT,
    "counts",
    "sums",
    "slo",
    "pool_gpu_ticks",
    "integrals",
    "extremes",
    "jobs",
    "first_violated",
)

_believed: weakref.WeakKeyDictionary[RunSpec, set[str]] = weakref.WeakKeyDictionary()


def disbelieve(
    engine: str,
    spec: RunSpec,
    cells: dict[str, npt.NDArray[Any]],
    arrays: dict[str, Any],
    *,
    early: bool,
    room: dict[str, int],
) -> str | None:
    """Why the integers of an engine on a device are not to be used; None if they may be.

    Parameters
    ----------
    engine : str
    spec, cells, early
        The batch, as in `gpusim.engine.cpu.run`.
    arrays : dict
        What the device returned, on the host or there. Its complete cell of the most GPUs, which is seldom a long
        run, is run again.
    room : dict
        Working memory of the run on the cpu.
    """
    if engine in _believed.get(spec, ()):
        return None
    complete = np.flatnonzero(to_host(arrays["status"]) == STATUS_OK)
    if not len(complete):
        return None  # stopped before any cell was complete: there is nothing to believe
    chosen = int(complete[int(cells["gpus"][complete].sum(axis=1, dtype=np.int64).argmax())])
    one = {name: np.ascontiguousarray(column[chosen : chosen + 1]) for name, column in cells.items()}
    again = cpu.run(spec, one, early=early, histogram=False, records=-1, threads=1, progress=None, room=room)
    for name in _VERDICT if early else _WHOLE:
        if not np.array_equal(again[name][0], to_host(arrays[name][chosen])):
            return (
                f"gave other integers than the cpu ({name} of replication {one['replication'][0]}); please report "
                "this, with `gpusim info`"
            )
    _believed.setdefault(spec, set()).add(engine)
    return None
