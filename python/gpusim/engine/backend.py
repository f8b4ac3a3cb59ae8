"""Which engine runs a batch, and why the others do not.

`auto` takes the first of cuda, cupy and cpu that can run here, and the cpu for batches too small to be worth a device's
while. A named engine never falls back to another.
"""

from __future__ import annotations

import importlib
import math
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from gpusim import _native
from gpusim.engine.cpu import _call
from gpusim.engine.device import _ONE_AT_A_TIME, Device
from gpusim.engine.device_memory import usable
from gpusim.engine.limits import MILLION
from gpusim.engine.spec import RunSpec
from gpusim.errors import BackendUnavailable, Problem, UsageError
from gpusim.workload.source import Generator, Source
from gpusim.workload.table_layout import table_mean

BACKENDS = ("auto", "cuda", "cupy", "cpu")
MODULES = {"cuda": "gpusim.engine.cuda", "cupy": "gpusim.engine.cupy"}
"""Engines on a device, in the order in which `auto` tries them; each has `reason()` and `devices()`."""
NOT_ON_DEVICE: tuple[str, ...] = ()
"""What the cpu does and devices do not; such a batch is refused by name before a launch."""

DEVICE_MIN_JOBS = 20_000_000
"""Jobs expected in a batch below which `auto` takes the cpu. An estimate, not yet measured on a GPU: a second's work of
a host of 16 cores. `GPUSIM_DEVICE_MIN_JOBS` sets another number."""
DEVICE_MIN_CELLS = 64
"""Cells below which `auto` takes the cpu, however long they are: each runs on one warp of a device, far slower than on
a core, and fewer leave most of the device idle. An estimate, not yet measured; 1 where `GPUSIM_DEVICE_MIN_JOBS` is
set."""

_BUILT_WITHOUT = (
    "this gpusim was built without its CUDA engine; install a build that has it, or CuPy for --backend cupy"
)
_CPU = "use --backend cpu"


@dataclass(frozen=True)
class Choice:
    """The engine of a batch.

    Attributes
    ----------
    engine : str
    devices : sequence of Device
        To run on; none for the cpu.
    passed_over : dict of str to str
        Engines that `auto` would have preferred, and why it did not take them.
    """

    engine: str
    devices: Sequence[Device] = ()
    passed_over: Mapping[str, str] = field(default_factory=dict)


@cache
def reason_unavailable(name: str) -> str | None:
    """Why an engine on a device cannot run here, and what to do about it; None if it can. Asked once a process."""
    module = _module(name)
    if module is None:
        return _BUILT_WITHOUT
    found: str | None = module.reason()
    return found or None


def reasons_unavailable() -> dict[str, str]:
    """Backends that cannot run here, each with the reason in words."""
    return {name: why for name in MODULES if (why := reason_unavailable(name)) is not None}


@cache
def devices_of(name: str) -> Sequence[Device]:
    """Devices of an engine, empty where it cannot run. The same objects each time: models stay in their memory."""
    if name not in MODULES or reason_unavailable(name) is not None:
        return ()
    module = _module(name)
    found: Sequence[Device] = module.devices() if module is not None else ()
    return found


def choose(backend: str) -> str:
    """Name of the engine to use for a study of many batches.

    Parameters
    ----------
    backend : str
        "auto" or the name of one engine. A named engine never falls back to another.

    Returns
    -------
    str
        For "auto" on a machine with a device both engines, as ``"cuda or cpu"``: each batch takes one of them.

    Raises
    ------
    BackendUnavailable
        If the engine is unknown or cannot run here; says why and what to do.
    """
    if backend != "auto":
        return select(backend).engine
    device = _best_device()
    return "cpu" if device is None else f"{device} or cpu"


def abreast(backend: str, spec: RunSpec) -> int:
    """About how many early runs of a spec the devices of an engine make at once; 0 for the cpu.

    As many as have workers and, with the room that earlier runs needed, memory. For "auto" those of the engine on a
    device that it prefers: whether a batch goes there, `select` says.
    """
    name = _best_device() if backend == "auto" else backend
    devices = () if name is None else devices_of(name)
    if not devices:
        return 0
    one = {
        "replication": np.zeros(1, np.int64),
        "draw": np.zeros(1, np.int32),
        "demand_ppm": np.full(1, MILLION, np.int64),
        "gpus": np.ones((1, spec.classes.n_pools), np.int32),
    }
    planned = _call(_native.device_plan, spec, one, early=True, **spec.room)
    results = sum(np.dtype(dtype).itemsize * math.prod(shape) for _, dtype, shape, _ in planned["outputs"])
    need = planned["worker_bytes"] + planned["slot_bytes"] + results
    with _ONE_AT_A_TIME:
        return sum(
            min(
                device.processors * device.workers_per_processor(planned["family"]),
                usable(device.free_bytes()) // need,
            )
            for device in devices
        )


def select(backend: str, spec: RunSpec | None = None, cells: Mapping[str, Any] | None = None) -> Choice:
    """Engine and devices of one batch.

    Parameters
    ----------
    backend : str
        "auto" or the name of one engine.
    spec, cells : optional
        The batch, for "auto": small ones run on the cpu.

    Raises
    ------
    BackendUnavailable
        As in `choose`.
    """
    if backend == "cpu":
        return _ON_CPU
    if backend == "auto":
        return _automatic(spec, cells)
    if backend not in MODULES:
        raise _refused(
            backend, f"is not a backend; use one of {', '.join(BACKENDS)}, for example --backend cpu"
        )
    why = reason_unavailable(backend)
    if why is not None:
        raise _refused(backend, why)
    return Choice(backend, devices_of(backend))


def _refused(backend: str, why: str) -> BackendUnavailable:
    what, _, remedy = why.partition("; ")
    remedy = remedy if "--backend cpu" in remedy else f"{remedy}, or {_CPU}" if remedy else _CPU
    return BackendUnavailable([Problem(f"backend '{backend}'", what, remedy, "backend/unavailable")])


@cache
def _module(name: str) -> Any:
    """The module of an engine; None where this build has none."""
    try:
        return importlib.import_module(MODULES[name])
    except ImportError:
        return None


@cache
def _best_device() -> str | None:
    """The engine on a device that `auto` prefers here; those after it are not even asked."""
    return next((name for name in MODULES if reason_unavailable(name) is None), None)


@cache
def _without_device() -> Choice:
    return Choice("cpu", (), reasons_unavailable())


_ON_CPU = Choice("cpu")


def _automatic(spec: RunSpec | None, cells: Mapping[str, Any] | None) -> Choice:
    name = _best_device()
    if name is None:
        return _without_device()
    before = {other: why for other in MODULES if other != name and (why := _asked(other)) is not None}
    small = too_small(spec, cells) if spec is not None and cells is not None else None
    if small is not None:
        return Choice("cpu", (), {**before, name: small})
    return Choice(name, devices_of(name), before)


def _asked(name: str) -> str | None:
    """The reason of an engine that stands before the best one."""
    names = list(MODULES)
    best = _best_device()
    return reason_unavailable(name) if best is not None and names.index(name) < names.index(best) else None


def ask_again() -> None:
    """Forget what has been found out about engines: they have changed (tests do this)."""
    for found in (reason_unavailable, _module, _best_device, _without_device, devices_of):
        found.cache_clear()


# ---- how much work ----------------------------------------------------------------------------------------------


def thresholds() -> dict[str, int]:
    """Least `jobs` and `cells` of a batch that `auto` gives to a device; see `DEVICE_MIN_JOBS`."""
    own = os.environ.get("GPUSIM_DEVICE_MIN_JOBS", "")
    if not own:
        return {"jobs": DEVICE_MIN_JOBS, "cells": DEVICE_MIN_CELLS}
    if not own.isdecimal() or len(own) > 18:
        remedy = "set it to a whole number, 0 to use a device always, or unset it"
        raise UsageError(Problem("GPUSIM_DEVICE_MIN_JOBS", "is not a number of jobs", remedy, found=own[:40]))
    return {"jobs": int(own), "cells": 1}


def too_small(spec: RunSpec, cells: Mapping[str, Any]) -> str | None:
    """Why a batch is too small for a device; None if it is not."""
    least, n = thresholds(), len(cells["replication"])
    if n < least["cells"]:
        return f"{n:,} cells are fewer than {least['cells']:,}, too few to keep a device busy"
    jobs = expected_jobs(spec, cells) if least["jobs"] else 0
    if jobs < least["jobs"]:
        return f"about {jobs:,} jobs are fewer than {least['jobs']:,}, too few to be worth a device's while"
    return None


def expected_jobs(spec: RunSpec, cells: Mapping[str, Any]) -> int:
    """About how many jobs the cells submit together; uncertain demand is taken at its nominal value."""
    if spec.tables:
        lengths = [len(table) for table in spec.tables]
        return sum(lengths[replication] for replication in cells["replication"].tolist())
    if spec not in _RATES:
        _RATES[spec] = _jobs_of_a_run(spec)
    return int(_RATES[spec] * float(cells["demand_ppm"].sum(dtype=float)) / 1e6)


_RATES: weakref.WeakKeyDictionary[RunSpec, float] = weakref.WeakKeyDictionary()


def _jobs_of_a_run(spec: RunSpec) -> float:
    """Jobs expected in a run at nominal demand; with several draws, of the first."""
    generator = spec.jobs
    assert isinstance(generator, Generator)
    sources = (generator.sources[row] for row in generator.rows[0].tolist())
    return sum(_jobs_of(source, spec.windows.horizon) for source in sources)


def _jobs_of(source: Source, horizon: int) -> float:
    if not source.active:
        return 0.0
    if source.is_scheduled:
        arrivals = float(source.events[source.events[:, 0] < horizon, 2].sum())
    else:
        until = horizon if source.until_tick < 0 else min(source.until_tick, horizon)
        arrivals = max(0, until - source.from_tick) / max(table_mean(source.gap), 2.0**-source.gap.shift)
    per_arrival = _mean_batch(source) if source.is_batch else 1.0
    if source.is_chain:
        per_arrival = max(1.0, table_mean(source.service) / source.segment)
    return arrivals * per_arrival


def _mean_batch(source: Source) -> float:
    """Mean of Walker's alias table of batch sizes."""
    own = source.batch_threshold / 2.0**32
    return float((own * source.batch_sizes + (1.0 - own) * source.batch_sizes[source.batch_alias]).mean())
