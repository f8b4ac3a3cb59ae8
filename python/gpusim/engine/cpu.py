"""The host engine: the C++ core on a pool of threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from gpusim import _native
from gpusim.engine.spec import RunSpec
from gpusim.errors import GpusimError, Problem, RunError, UsageError

Progress = Callable[[int, int], Any]

MAX_THREADS = 256
"""Most threads of one batch."""


def usable_cores() -> int:
    """Threads used by default: `GPUSIM_NUM_THREADS`, else the cores that affinity and the cgroup's quota allow."""
    wanted = os.environ.get("GPUSIM_NUM_THREADS", "")
    if not wanted:
        return min(_native.usable_cores(), MAX_THREADS)
    if not wanted.isdecimal() or len(wanted) > 9 or not 1 <= int(wanted) <= MAX_THREADS:
        remedy = f"set it to a number from 1 to {MAX_THREADS}, or unset it"
        raise UsageError(
            Problem("GPUSIM_NUM_THREADS", "is not a number of threads", remedy, found=wanted[:40])
        )
    return int(wanted)


def run(
    spec: RunSpec,
    cells: dict[str, npt.NDArray[Any]],
    *,
    early: bool,
    histogram: bool,
    causes: bool = False,
    records: int,
    threads: int,
    progress: Progress | None,
    room: dict[str, int],
) -> dict[str, Any]:
    """Run cells on the host; arguments as in `gpusim.engine.batch.run_batch`, already checked."""
    arrays: dict[str, Any] = _call(
        _native.run,
        spec,
        cells,
        early=early,
        histogram=histogram,
        causes=causes,
        records=records,
        threads=threads,
        progress=progress,
        **room,
    )
    return arrays


def generate(spec: RunSpec, replication: int, draw: int, demand_ppm: int) -> dict[str, Any]:
    """Jobs of one replication in job-index order: the columns of a job table."""
    columns: dict[str, Any] = _call(_native.generate, spec, replication, draw=draw, demand_ppm=demand_ppm)
    return columns


def count_jobs(spec: RunSpec, replication: int, draw: int, demand_ppm: int) -> int:
    """Jobs that a generated replication submits before the horizon; none is stored."""
    return int(_call(_native.count_jobs, spec, replication, draw=draw, demand_ppm=demand_ppm))


def offered(
    spec: RunSpec,
    which: dict[str, npt.NDArray[Any]],
    *,
    demand_ppm: int,
    shift: int,
    instants: int,
    threads: int,
) -> dict[str, Any]:
    """Offered load of replications at ticks k 2^shift; arguments as in `gpusim.engine.offered`, already checked."""
    options = {"demand_ppm": demand_ppm, "shift": shift, "instants": instants, "threads": threads}
    arrays: dict[str, Any] = _call(_native.offered, spec, which, **options)
    return arrays


def _call(native: Callable[..., Any], spec: RunSpec, *args: Any, **options: Any) -> Any:
    """Call the core; what it raises becomes a `RunError`, what Python code it calls raises passes unchanged."""
    try:
        return native(spec.arrays, *args, seed=_signed(spec.seed), **options)
    except GpusimError:
        raise
    except MemoryError as error:
        remedy = "run fewer cells at a time, with fewer threads, or over a shorter horizon"
        raise RunError(Problem("memory", "ran out", remedy, "run/memory")) from error
    except (ValueError, IndexError, TypeError, RuntimeError) as error:
        trace = error.__traceback__
        if trace is not None and trace.tb_next is not None:  # raised in Python: a callback, a signal handler
            raise
        remedy = "please report this: an earlier check should have said what to change"
        raise RunError(Problem("engine", f"an internal check failed: {error}", remedy, "run/bug")) from error


def _signed(seed: int) -> int:
    """The 64 bits of `seed` as a signed number, which is what crosses the boundary."""
    return seed - (1 << 64) if seed >= 1 << 63 else seed
