"""Run many cells (replication x capacity) of one `RunSpec`: the engine's one door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim import _native
from gpusim.engine import backend as _backend
from gpusim.engine import cpu, memory
from gpusim.engine.checked import column, integer, refuse, table
from gpusim.engine.cpu import MAX_THREADS, Progress
from gpusim.engine.device import run_on
from gpusim.engine.host_array import address_in_place, as_given, device_index, to_host
from gpusim.engine.limits import MILLION
from gpusim.engine.result import (
    CAUSES,
    COUNTS,
    EVICTIONS,
    EXTREMES,
    IDLE,
    INTEGRALS,
    SLO_COUNTS,
    STATUS_OK,
    STATUS_TEXT,
    SUMS,
    BatchResult,
)
from gpusim.engine.second_look import disbelieve
from gpusim.engine.spec import RunSpec
from gpusim.errors import BackendUnavailable, DeviceMemoryError, Problem, RunError
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator
from gpusim.workload.ticks import MAX_GPUS

MOST_RECORDS = 200_000_000
"""Job records kept at most: about 7 GB."""
RECORD_BYTES = 4 * 8 + 4 * 4 + 1
"""One record: four times, four int32 and a byte."""
GENERATED_BYTES = 256
"""Memory for one job while `generate_jobs` makes its table, which holds several copies [byte]."""
_FIRST_ROOM = {"queue_slots": 2048, "profile_slots": 2048, "held_slots": 64, "chain_slots": 64}
_ROOM = ("running_slots", *_FIRST_ROOM)
MAX_DEMAND = 1 << 32
"""Largest `demand_ppm`; an event of more than 64 jobs at this demand is refused earlier."""
MAX_REPLICATIONS = 1 << 32
"""Replications of generated jobs: their number is one word of the random counter."""


def run_batch(
    spec: RunSpec,
    replication: npt.ArrayLike,
    gpus: npt.ArrayLike,
    *,
    demand_ppm: npt.ArrayLike = MILLION,
    draw: npt.ArrayLike = 0,
    early: bool = False,
    histogram: bool = False,
    causes: bool = False,
    records: bool = False,
    on_device: bool = False,
    backend: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    lanes: int = 1,
    running_slots: int | None = None,
    queue_slots: int | None = None,
    profile_slots: int | None = None,
    held_slots: int | None = None,
    chain_slots: int | None = None,
) -> BatchResult:
    """Simulate every cell; the same integers for any backend, thread count, order and batch.

    Parameters
    ----------
    spec : RunSpec
        What all cells share.
    replication, gpus : array of int, shape (n,), or int
        Each cell's replication (random streams, or which stored workload) and capacity [GPU], 0 or more; with P
        pools `gpus` has shape (n, P) or (P,). These and the next two may lie in a device's memory (CuPy arrays, or
        anything with ``__cuda_array_interface__`` or DLPack); they are copied to the host, and checked there. With
        `on_device` the runs themselves read those arrays that are on the device chosen, C-contiguous, with a row for
        each cell, and int64 (`replication`, `demand_ppm`) or int32 (`gpus`, `draw`); others are copied to it.
        Nobody may write to them before the call returns.
    demand_ppm : array of int, shape (n,), or int
        Demand in millionths of the nominal one; generated jobs only, else 1,000,000.
    draw : array of int, shape (n,), or int
        Each cell's row of `Generator.rows`.
    early : bool, default False
        Stop a run as soon as its verdict is certain; only `status`, `passed` and `first_violated` are then
        meaningful. The first two equal those of the whole run; `first_violated` is *a* violated level, -1 if
        passed, and not always the one that the whole run names.
    histogram, causes, records : bool, default False
        Keep wait histograms; tell why jobs wait and GPUs are idle (needs `RunSpec.sharing`); keep job records (one cell
        only).
    on_device : bool, default False
        Leave the results in the memory of one device: of that on which the first of the cells' arrays that lies on a
        device lies; else, of "cupy", of CuPy's current one; else of the first. All other devices stay idle. See
        `BatchResult` for what its arrays then are; nothing waits any more when the call returns. "auto" then takes a
        device for small batches, too, and is an error where there is none: it never returns NumPy arrays instead.
    backend : {"auto", "cuda", "cupy", "cpu"}
        "auto" repeats one cell of a spec's first batch on the cpu and takes the cpu if the integers differ.
        "auto" takes the first that can run here, and the cpu for small batches (`gpusim.engine.backend`); the
        others never fall back.
    threads : int, optional
        1 to 256. Default: all usable cores. Of the cpu only.
    progress : callable(done, total), optional
        Called about every 50 ms (every 0.2 s on a device) from the calling thread; returning False stops the batch.
    lanes : {1, 32}
        32 emulates the device's strips on the host: slow, the same integers. Of the cpu only.
    running_slots, queue_slots, profile_slots, held_slots, chain_slots : int
        Initial working memory; grows where a run needs more. Default: what earlier batches of this spec needed.

    Returns
    -------
    BatchResult

    Raises
    ------
    RunError
        If a cell or an option is out of range, `on_device` is asked of the cpu, more memory or job records are needed
        than there may be (both before anything is allocated), or a run could not be completed (with its cell and
        status), unless `progress` stopped it.
    BackendUnavailable
        If the named backend cannot run here; with `on_device` also if "auto" finds no device, or one whose integers
        differ from the cpu's.
    DeviceMemoryError
        If the named backend's device has no memory for even one of the cells; with `on_device`, for all results.
    """
    given = {"replication": replication, "draw": draw, "demand_ppm": demand_ppm, "gpus": gpus}
    given = {name: as_given(values) for name, values in given.items()}
    cells = _cells(spec, **{name: to_host(values) for name, values in given.items()})
    replications, capacities = cells["replication"], cells["gpus"]
    if lanes != 1 and backend == "auto":
        backend = "cpu"
    choice = _select(backend, spec, cells, given, on_device)
    threads = cpu.usable_cores() if threads is None else integer("threads", threads, 1, MAX_THREADS)
    if integer("lanes", lanes, 1, 32) not in (1, 32):
        raise refuse("lanes", "are of no engine", "use 1, or 32 for the device's strips", str(lanes))
    if lanes != 1 and choice.devices:
        raise refuse("lanes", "are emulated on the host only", "leave them out, or use the cpu", str(lanes))
    first = {
        **_FIRST_ROOM,
        "running_slots": _slots_for(int(capacities.sum(axis=1, dtype=np.int64).max(initial=0))),
    }
    for name, slots in spec.room.items():
        first[name] = max(first[name], slots)
    wanted = (running_slots, queue_slots, profile_slots, held_slots, chain_slots)
    running_slots, queue_slots, profile_slots, held_slots, chain_slots = (
        first[name] if slots is None else slots for name, slots in zip(_ROOM, wanted, strict=True)
    )
    room = {
        "lanes": lanes,
        "running_slots": _power_of_two("running_slots", running_slots),
        "queue_slots": integer("queue_slots", queue_slots, 4, 1 << 26) + 63 & ~63,
        "profile_slots": integer("profile_slots", profile_slots, 4, 1 << 27),
        "held_slots": _power_of_two("held_slots", held_slots),
        "chain_slots": integer("chain_slots", chain_slots, 1, 1 << 27),
    }
    kept = _records_of(spec, cells) if records else -1
    if causes and spec.sharing is None:
        remedy = "give the spec a sharing; Sharing.nobody(...) changes nothing else"
        raise refuse("causes", "are told where tenants share the center", remedy)
    if not on_device:  # else the device is asked for room
        _check_memory(spec, len(replications), histogram, causes, kept)
    stopped = False

    def report(done: int, total: int) -> bool:
        nonlocal stopped
        if progress is not None and progress(done, total) is False:
            stopped = True
        return not stopped

    options: dict[str, Any] = {
        "early": early,
        "histogram": histogram,
        "causes": causes,
        "records": kept,
        "progress": report,
    }
    arrays = None
    if choice.devices:
        sizes = {name: room[name] for name in _ROOM}
        in_place = _in_place(given, cells, choice.devices[0].index) if on_device else None
        try:
            arrays = run_on(choice.devices, spec, cells, **options, room=sizes, in_place=in_place)
        except (BackendUnavailable, DeviceMemoryError) as error:
            if backend != "auto" or on_device:
                raise
            choice = _backend.Choice("cpu", (), {**choice.passed_over, choice.engine: str(error)})
    if arrays is not None and backend == "auto":
        why = disbelieve(choice.engine, spec, cells, arrays, early=early, room=room)
        if why is not None and on_device:
            del arrays  # what lies on the device goes now, not with the traceback
            raise _refused(choice.engine, why)
        if why is not None:
            arrays, choice = None, _backend.Choice("cpu", (), {**choice.passed_over, choice.engine: why})
    if arrays is None:
        arrays = cpu.run(spec, cells, **options, threads=threads, room=room)
    spec.room.update(arrays.pop("room"))
    result = BatchResult.from_arrays(arrays, choice.engine, choice.passed_over)
    status = to_host(result.status)
    failed = np.flatnonzero(status != STATUS_OK)
    if len(failed) and not stopped:
        del arrays, result  # what lies on a device goes now, not with the traceback
        i = int(failed[0])
        where = f"replication {replications[i]}, {' + '.join(map(str, capacities[i].tolist()))} GPUs"
        what = f"the run could not be completed: {STATUS_TEXT.get(int(status[i]), 'unknown status')}"
        raise RunError(
            [Problem(where, what, "shorten the horizon or bound the queue (max_waiting)", "engine/run")]
        )
    return result


def generate_jobs(spec: RunSpec, replication: int, *, demand_ppm: int = MILLION, draw: int = 0) -> Jobs:
    """The jobs of one replication as a stored table, in job-index order (ids are job indices).

    Running the table gives the same integers as running the generator.
    """
    none = np.zeros((1, spec.classes.n_pools), np.int32)
    given = [to_host(as_given(values)) for values in (replication, demand_ppm, draw)]
    cells = _cells(spec, given[0], none, *given[1:])
    if len(cells["replication"]) != 1:
        raise refuse("replication", "is not one number", "generate one replication at a time")
    memory.require(_records_of(spec, cells) * GENERATED_BYTES, "shorten the horizon")
    columns = cpu.generate(spec, *_only(cells))
    return Jobs(id=np.arange(len(columns["submit"])), **columns)


def _select(
    backend: str, spec: RunSpec, cells: dict[str, npt.NDArray[Any]], given: dict[str, Any], on_device: bool
) -> _backend.Choice:
    """Engine and devices: one device, with `on_device`."""
    if not on_device:
        return _backend.select(backend, spec, cells)
    if backend == "cpu":
        remedy = "name a backend with a device (cuda, cupy), or leave on_device out"
        raise refuse("on_device", "keeps results on a device, and this batch is one for the cpu", remedy)
    choice = _backend.select(backend)
    if not choice.devices:
        why = ", ".join(f"{name}: {reason.partition('; ')[0]}" for name, reason in choice.passed_over.items())
        raise _refused(backend, f"finds no device for on_device ({why})")
    where = [index for values in given.values() if (index := device_index(values)) is not None]
    chosen = [device for device in choice.devices if device.index in where[:1]]
    current = [device for device in choice.devices if getattr(device, "is_current", False)]
    return replace(choice, devices=[*chosen, *current, *choice.devices][:1])


def _refused(backend: str, what: str) -> BackendUnavailable:
    return BackendUnavailable(
        [Problem(f"backend '{backend}'", what, "leave on_device out", "backend/unavailable")]
    )


def _in_place(given: dict[str, Any], cells: dict[str, npt.NDArray[Any]], index: int) -> dict[str, int]:
    """Columns of the cells that a launch can read where they lie, by their addresses."""
    found = {name: address_in_place(values, cells[name], index) for name, values in given.items()}
    return {name: address for name, address in found.items() if address is not None}


def _cells(
    spec: RunSpec,
    replication: npt.ArrayLike,
    gpus: npt.ArrayLike,
    demand_ppm: npt.ArrayLike,
    draw: npt.ArrayLike,
) -> dict[str, npt.NDArray[Any]]:
    """The columns of the cells, all of one length, checked."""
    generated = isinstance(spec.jobs, Generator)
    last = (MAX_REPLICATIONS if generated else len(spec.tables)) - 1
    draws = len(spec.jobs.rows) if isinstance(spec.jobs, Generator) and spec.jobs.rows is not None else 1
    demand = (1, MAX_DEMAND) if generated else (MILLION, MILLION)
    columns = {
        "replication": column("replication", replication, np.int64, 0, last),
        "draw": column("draw", draw, np.int32, 0, draws - 1),
        "demand_ppm": column("demand_ppm", demand_ppm, np.int64, *demand),
    }
    capacities = _capacities(gpus, spec.classes.n_pools)
    if isinstance(spec.jobs, Generator) and columns["demand_ppm"].size:
        spec.jobs.check_demand(int(columns["demand_ppm"].min()), int(columns["demand_ppm"].max()))
    cells = {**columns, "gpus": capacities}
    lengths = {name: len(rows) for name, rows in cells.items()}
    several = {length for length in lengths.values() if length != 1}
    if len(several) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        remedy = "give one replication and one capacity per cell, or one for all"
        raise refuse("cells", "differ in length", remedy, found)
    n = several.pop() if several else 1
    return {name: rows if len(rows) == n else np.repeat(rows, n, axis=0) for name, rows in cells.items()}


def _capacities(gpus: npt.ArrayLike, pools: int) -> npt.NDArray[np.int32]:
    """Capacities as (n, P)."""
    try:
        given = np.asarray(gpus)
    except ValueError:  # rows of different length
        remedy = f"give one number for each of the {pools} pools"
        raise refuse("gpus", "has rows of different length", remedy) from None
    if pools == 1 and given.ndim < 2:
        return column("gpus", gpus, np.int32, 0, MAX_GPUS)[:, None]
    if given.ndim == 1:
        given = given[None, :]
    if given.ndim != 2 or given.shape[1] != pools:
        remedy = f"give one number for each of the {pools} pools"
        raise refuse("gpus", "has the wrong shape", remedy, f"shape {np.shape(gpus)}")
    return table("gpus", given, np.int32, 0, MAX_GPUS)


def _only(cells: dict[str, npt.NDArray[Any]]) -> tuple[int, int, int]:
    """Replication, draw and demand of the only cell."""
    return int(cells["replication"][0]), int(cells["draw"][0]), int(cells["demand_ppm"][0])


def _records_of(spec: RunSpec, cells: dict[str, npt.NDArray[Any]]) -> int:
    """How many job records the only cell has."""
    n = len(cells["replication"])
    if n != 1:
        raise refuse("records", "are kept for one cell", "run one cell at a time", f"{n} cells")
    chosen = _only(cells)
    kept = len(spec.tables[chosen[0]]) if spec.tables else cpu.count_jobs(spec, *chosen)
    if kept > MOST_RECORDS:
        what, remedy = "too many job records to keep", "shorten the horizon or do without records"
        raise RunError([Problem("records", what, remedy, "engine/records", f"{kept:,}")])
    return kept


def _check_memory(spec: RunSpec, cells: int, histogram: bool, causes: bool, records: int) -> None:
    """Refuse a batch whose results cannot fit."""
    classes, levels = len(spec.classes), len(spec.levels)
    rows = classes * (len(COUNTS) + len(SUMS)) + levels * len(SLO_COUNTS) + len(INTEGRALS) + len(EXTREMES)
    rows += spec.classes.n_pools
    rows += classes * len(EVICTIONS) + 1 if spec.sharing is not None else 0
    rows += classes * len(CAUSES) + spec.classes.n_pools * len(IDLE) if causes else 0
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
