"""Run many cells (replication x capacity) of one `RunSpec`: the engine's one door."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gpusim.engine import backend as _backend
from gpusim.engine import cpu
from gpusim.engine.cpu import Progress
from gpusim.engine.result import STATUS_OK, STATUS_TEXT, BatchResult
from gpusim.engine.spec import RunSpec
from gpusim.errors import Problem, RunError
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator

MOST_RECORDS = 200_000_000
"""Job records kept at most: about 8 GB."""


def run_batch(
    spec: RunSpec,
    replication: npt.ArrayLike,
    gpus: npt.ArrayLike,
    *,
    early: bool = False,
    histogram: bool = False,
    records: bool = False,
    backend: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    lanes: int = 1,
    running_slots: int | None = None,
    queue_slots: int = 1024,
    profile_slots: int = 2048,
) -> BatchResult:
    """Simulate every cell; the same integers for any backend, thread count, order and batch.

    Parameters
    ----------
    spec : RunSpec
        What all cells share.
    replication, gpus : array of int, shape (n,), or int
        Each cell's replication (random streams, or which stored workload) and capacity [GPU].
    early : bool, default False
        Stop a run as soon as its verdict is certain; only `status`, `passed` and `first_violated` are then
        meaningful, and equal those of the whole run.
    histogram, records : bool, default False
        Keep wait histograms; keep job records (one cell only).
    backend : {"auto", "cuda", "cupy", "cpu"}
    threads : int, optional
        Default: all usable cores.
    progress : callable(done, total), optional
        Called about every 50 ms from the calling thread; returning False stops the batch.
    lanes : {1, 32}
        32 emulates the device's strips on the host: slow, the same integers.
    running_slots, queue_slots, profile_slots : int
        Initial working memory; grows where a run needs more.

    Returns
    -------
    BatchResult

    Raises
    ------
    RunError
        If a run could not be completed (with its cell and status), unless `progress` stopped it.
    BackendUnavailable
        If the named backend cannot run here.
    """
    replications = np.ascontiguousarray(np.atleast_1d(replication), dtype=np.int64)
    capacities = np.ascontiguousarray(np.atleast_1d(gpus), dtype=np.int32)
    replications, capacities = (
        np.ascontiguousarray(a) for a in np.broadcast_arrays(replications, capacities)
    )
    name = _backend.choose(backend)
    kept = _jobs_in(spec, int(replications[0])) if records else -1
    if kept > MOST_RECORDS:
        what, remedy = "too many job records to keep", "shorten the horizon or do without records"
        raise RunError([Problem("records", what, remedy, "engine/records", str(kept))])
    if running_slots is None:
        running_slots = _slots_for(int(capacities.max(initial=0)))
    stopped = False

    def report(done: int, total: int) -> bool:
        nonlocal stopped
        if progress is not None and progress(done, total) is False:
            stopped = True
        return not stopped

    arrays = cpu.run(
        spec,
        replications,
        capacities,
        early=early,
        histogram=histogram,
        records=kept,
        threads=threads,
        progress=report,
        room={
            "lanes": lanes,
            "running_slots": running_slots,
            "queue_slots": queue_slots,
            "profile_slots": profile_slots,
        },
    )
    result = BatchResult.from_arrays(arrays, name)
    failed = np.flatnonzero(result.status != STATUS_OK)
    if len(failed) and not stopped:
        i = int(failed[0])
        where = f"replication {replications[i]}, {capacities[i]} GPUs"
        what = f"the run could not be completed: {STATUS_TEXT[int(result.status[i])]}"
        raise RunError(
            [Problem(where, what, "shorten the horizon or bound the queue (max_waiting)", "engine/run")]
        )
    return result


def generate_jobs(spec: RunSpec, replication: int) -> Jobs:
    """The jobs of one replication as a stored table, in job-index order (ids are job indices).

    Running the table gives the same integers as running the generator.
    """
    columns = cpu.generate(spec, replication)
    return Jobs(id=np.arange(len(columns["submit"])), **columns)


def _jobs_in(spec: RunSpec, replication: int) -> int:
    if isinstance(spec.jobs, Generator):
        return len(cpu.generate(spec, replication)["submit"])
    tables: Sequence[Jobs] = [spec.jobs] if isinstance(spec.jobs, Jobs) else spec.jobs
    return len(tables[replication])


def _slots_for(capacity: int) -> int:
    """Slots that always suffice up to 1,024 running jobs: a job holds at least one GPU."""
    return max(32, min(1024, 1 << max(capacity - 1, 0).bit_length()))
