"""Run many cells (replication x capacity) of one `RunSpec`: the engine's one door."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpusim import _native
from gpusim.engine import backend as _backend
from gpusim.engine import cpu, memory
from gpusim.engine.checked import column, integer, refuse
from gpusim.engine.cpu import MAX_THREADS, Progress
from gpusim.engine.result import (
    COUNTS,
    EXTREMES,
    INTEGRALS,
    SLO_COUNTS,
    STATUS_OK,
    STATUS_TEXT,
    SUMS,
    BatchResult,
)
from gpusim.engine.spec import RunSpec
from gpusim.errors import Problem, RunError
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator
from gpusim.workload.ticks import MAX_GPUS

MOST_RECORDS = 200_000_000
"""Job records kept at most: about 7 GB."""
RECORD_BYTES = 3 * 8 + 2 * 4 + 1
"""One record: three times, two int32 and a byte."""
GENERATED_BYTES = 256
"""Memory for one job while `generate_jobs` makes its table, which holds several copies [byte]."""
MAX_REPLICATIONS = 1 << 32
"""Replications of generated jobs: their number is one word of the random counter."""


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
        Each cell's replication (random streams, or which stored workload) and capacity [GPU], 0 or more.
    early : bool, default False
        Stop a run as soon as its verdict is certain; only `status`, `passed` and `first_violated` are then
        meaningful. The first two equal those of the whole run; `first_violated` is *a* violated level, -1 if
        passed, and not always the one that the whole run names.
    histogram, records : bool, default False
        Keep wait histograms; keep job records (one cell only).
    backend : {"auto", "cuda", "cupy", "cpu"}
    threads : int, optional
        1 to 256. Default: all usable cores.
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
        If a cell or an option is out of range, more memory or job records are needed than there may be (both
        before anything is allocated), or a run could not be completed (with its cell and status), unless
        `progress` stopped it.
    BackendUnavailable
        If the named backend cannot run here.
    """
    replications, capacities = _cells(spec, replication, gpus)
    name = _backend.choose(backend)
    threads = cpu.usable_cores() if threads is None else integer("threads", threads, 1, MAX_THREADS)
    if integer("lanes", lanes, 1, 32) not in (1, 32):
        raise refuse("lanes", "are of no engine", "use 1, or 32 for the device's strips", str(lanes))
    if running_slots is None:
        running_slots = _slots_for(int(capacities.max(initial=0)))
    room = {
        "lanes": lanes,
        "running_slots": _power_of_two("running_slots", running_slots),
        "queue_slots": integer("queue_slots", queue_slots, 4, 1 << 27),
        "profile_slots": integer("profile_slots", profile_slots, 4, 1 << 28),
    }
    kept = _records_of(spec, replications) if records else -1
    _check_memory(spec, len(replications), histogram, kept)
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
        room=room,
    )
    result = BatchResult.from_arrays(arrays, name)
    failed = np.flatnonzero(result.status != STATUS_OK)
    if len(failed) and not stopped:
        i = int(failed[0])
        where = f"replication {replications[i]}, {capacities[i]} GPUs"
        what = f"the run could not be completed: {STATUS_TEXT.get(int(result.status[i]), 'unknown status')}"
        raise RunError(
            [Problem(where, what, "shorten the horizon or bound the queue (max_waiting)", "engine/run")]
        )
    return result


def generate_jobs(spec: RunSpec, replication: int) -> Jobs:
    """The jobs of one replication as a stored table, in job-index order (ids are job indices).

    Running the table gives the same integers as running the generator.
    """
    replications, _ = _cells(spec, replication, 0)
    if len(replications) != 1:
        raise refuse("replication", "is not one number", "generate one replication at a time")
    memory.require(_records_of(spec, replications) * GENERATED_BYTES, "shorten the horizon")
    columns = cpu.generate(spec, int(replications[0]))
    return Jobs(id=np.arange(len(columns["submit"])), **columns)


def _cells(
    spec: RunSpec, replication: npt.ArrayLike, gpus: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    last = (MAX_REPLICATIONS if isinstance(spec.jobs, Generator) else len(spec.tables)) - 1
    replications = column("replication", replication, np.int64, 0, last)
    capacities = column("gpus", gpus, np.int32, 0, MAX_GPUS)
    try:
        both = np.broadcast_arrays(replications, capacities)
    except ValueError:
        found = f"{len(replications)} and {len(capacities)}"
        remedy = "give one replication and one capacity per cell, or one for all"
        raise refuse("cells", "differ in length", remedy, found) from None
    return np.ascontiguousarray(both[0]), np.ascontiguousarray(both[1])


def _records_of(spec: RunSpec, replications: npt.NDArray[np.int64]) -> int:
    """How many job records the only cell has."""
    if len(replications) != 1:
        raise refuse(
            "records", "are kept for one cell", "run one cell at a time", f"{len(replications)} cells"
        )
    chosen = int(replications[0])
    kept = len(spec.tables[chosen]) if spec.tables else cpu.count_jobs(spec, chosen)
    if kept > MOST_RECORDS:
        what, remedy = "too many job records to keep", "shorten the horizon or do without records"
        raise RunError([Problem("records", what, remedy, "engine/records", f"{kept:,}")])
    return kept


def _check_memory(spec: RunSpec, cells: int, histogram: bool, records: int) -> None:
    """Refuse a batch whose results cannot fit."""
    classes, levels = len(spec.classes), len(spec.levels)
    rows = classes * (len(COUNTS) + len(SUMS)) + levels * len(SLO_COUNTS) + len(INTEGRALS) + len(EXTREMES)
    bins = classes * _native.HISTOGRAM_BINS if histogram else 0
    tables, kept = cells * (8 * (rows + bins) + 32), max(records, 0) * RECORD_BYTES
    remedy = "run fewer replications at a time" + (", or without histograms" if histogram else "")
    memory.require(tables + kept, remedy if tables > kept else "shorten the horizon or do without records")


def _power_of_two(where: str, value: int) -> int:
    slots = integer(where, value, 32, 1 << 20)
    if slots & (slots - 1):
        raise refuse(where, "is not a power of two", "use 32, 64, ..., 1,048,576", str(slots))
    return slots


def _slots_for(capacity: int) -> int:
    """Slots that always suffice up to 1,024 running jobs: a job holds at least one GPU."""
    return max(32, min(1024, 1 << max(capacity - 1, 0).bit_length()))
