"""The host engine: the C++ core on a pool of threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim import _native
from gpusim.engine.spec import RunSpec
from gpusim.errors import Problem, UsageError

Progress = Callable[[int, int], Any]


def usable_cores() -> int:
    """Cores this process may use: affinity, then the cgroup's quota, then `GPUSIM_NUM_THREADS`."""
    wanted = os.environ.get("GPUSIM_NUM_THREADS", "")
    if not wanted:
        return _native.usable_cores()
    if not wanted.isdecimal() or int(wanted) < 1:
        problem = Problem(
            "GPUSIM_NUM_THREADS", "is not a number of threads", "set it to 1 or more, or unset it"
        )
        raise UsageError([problem])
    return int(wanted)


def run(
    spec: RunSpec,
    replication: npt.NDArray[np.int64],
    gpus: npt.NDArray[np.int32],
    *,
    early: bool,
    histogram: bool,
    records: int,
    threads: int | None,
    progress: Progress | None,
    room: dict[str, int],
) -> dict[str, Any]:
    """Run cells on the host; arguments as in `gpusim.engine.batch.run_batch`, already checked."""
    return _native.run(
        spec.arrays,
        {"replication": replication, "gpus": gpus},
        seed=_signed(spec.seed),
        early=early,
        histogram=histogram,
        records=records,
        threads=threads or usable_cores(),
        progress=progress,
        **room,
    )


def generate(spec: RunSpec, replication: int) -> dict[str, Any]:
    """Jobs of one replication in job-index order: submit, service, limit, gpus, job_class."""
    return _native.generate(spec.arrays, replication, seed=_signed(spec.seed))


def _signed(seed: int) -> int:
    """The 64 bits of `seed` as a signed number, which is what crosses the boundary."""
    return seed - (1 << 64) if seed >= 1 << 63 else seed
