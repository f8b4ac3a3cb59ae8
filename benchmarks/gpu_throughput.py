"""Jobs and events a second of a device beside the host's own engine on all its cores: in turns, in one run.

Both simulate the same runs, as many as the device has workers, and their results must be equal. How many jobs a run
has is found by a pilot, so that a repeat of the slower engine takes about a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gpu_engines import HOST, call, watched
from gpu_parity import differences
from gpu_rows import Rows, Skip, spread
from gpusim.engine.cpu import usable_cores
from gpusim.engine.spec import ALL, NONE, SJF, SKIP, Policy, RunSpec, Windows
from workloads import CENTER_GPUS, center_mix, mmc, shared_mix

REPEATS = 3
SECONDS = 1.0
"""Of a repeat of the slower engine, about [s]."""
FEWEST, MOST = 2_000, 1_000_000
"""Jobs of a run. With fewer than the first, the mix's center is hardly full."""
PILOT_RUNS, PILOT_JOBS = 8_192, 200
NATIONAL_GPUS = 9_800
"""About what `korea-nacc` needs."""
NATIONAL_FEWEST = 120_000
"""Jobs of a run, below which nobody has waited in it."""
NATIONAL_JOBS = 350_000
"""About what a run of `korea-nacc` submits."""


@dataclass(frozen=True)
class Workload:
    """What is simulated: `spec(jobs)` makes runs of about so many jobs, `gpus` is their capacity [GPU].

    With fewer than `fewest` jobs the center is hardly full.
    """

    name: str
    spec: Callable[[int], RunSpec]
    gpus: int
    fewest: int = FEWEST


def mix(policy: Policy, load: float, jobs: int) -> RunSpec:
    return replace(center_mix(jobs, load=load), policy=policy)


def national(jobs: int) -> RunSpec:
    """`korea-nacc` as shipped, over a shorter or longer horizon."""
    try:
        from gpusim.plan.experiment import run_spec
        from gpusim.scenario import example
    except ImportError as error:
        raise Skip(f"a scenario cannot be read here: {error}") from None
    whole = run_spec(example("korea-nacc"), 1)
    windows = whole.windows
    part = min(1.0, jobs / NATIONAL_JOBS)
    scaled = [round(part * t) for t in (windows.warm_up, windows.count_end, windows.horizon)]
    return replace(whole, windows=Windows(*scaled, day=windows.day, week_phase=windows.week_phase))


def workloads() -> list[Workload]:
    """In order of importance: the last are left out where time is short."""
    policies = {"FIFO": Policy(), "EASY": Policy(1)}
    found = [
        Workload(f"mix, {name}, load {load}", partial(mix, policy, load), CENTER_GPUS)
        for name, policy in policies.items()
        for load in (0.85, 0.95)
    ]
    found.append(Workload("korea-nacc", national, NATIONAL_GPUS, NATIONAL_FEWEST))
    found.append(Workload("shared by 16 tenants, load 0.85", shared_mix, CENTER_GPUS))
    found.append(Workload("M/M/100, FIFO, load 0.95", partial(mmc, 100, 0.95), 100))
    others = {
        "skip": Policy(SKIP),
        "EASY, sjf": Policy(1, order=SJF),
        "FIFO by events": Policy(NONE, always_events=True),
        "K=4": Policy(4),
        "all": Policy(ALL),
    }
    for name, policy in others.items():
        found.append(Workload(f"mix, {name}, load 0.85", partial(mix, policy, 0.85), CENTER_GPUS))
    return found


def batch(workload: Workload, runs: int) -> dict[str, Any]:
    return {"replication": np.arange(runs), "gpus": workload.gpus}


def in_turns(calls: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Clock times of each call, which take turns [s]."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, function in calls.items():
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def measure(
    workload: Workload,
    name: str,
    engine: Mapping[str, Any],
    *,
    pilot_runs: int = PILOT_RUNS,
    target: float = SECONDS,
    beside: tuple[str, Mapping[str, Any]] = ("host", HOST),
    repeats: int = REPEATS,
) -> dict[str, Any]:
    """One row: an engine beside another, on as many runs as fill the device.

    Parameters
    ----------
    workload : Workload
    name : str
        The engine's, in the row.
    engine : mapping
        Options of `run_batch`.
    pilot_runs : int
        Cells of the pilot: more than any device has workers.
    target : float
        Seconds of a repeat of the slower engine, about [s].
    beside : (str, mapping)
        The other engine.
    repeats : int
    """
    engines = {name: engine, beside[0]: beside[1]}
    pilot = workload.spec(PILOT_JOBS)
    with watched() as seen:
        call(engine, pilot, batch(workload, pilot_runs))
    runs = seen.workers or pilot_runs
    cells = batch(workload, runs)

    def prepared(jobs: int) -> tuple[dict[str, Callable[[], Any]], dict[str, Any]]:
        """Calls of both engines, and their results: an untimed call finds the room that runs need."""
        spec = workload.spec(jobs)
        calls = {key: partial(call, each, spec, cells) for key, each in engines.items()}
        return calls, {key: function() for key, function in calls.items()}

    calls, results = prepared(workload.fewest)
    slower = max(each[0] for each in in_turns(calls, 1).values())
    if target > slower:
        calls, results = prepared(int(min(MOST, workload.fewest * target / slower)))
    with watched() as seen:
        seconds = in_turns(calls, repeats)
    total = int(results[name].jobs.sum())
    found = differences(results[beside[0]], results[name])
    pairs = [b / a for a, b in zip(seconds[name], seconds[beside[0]], strict=True)]
    return {
        "name": workload.name,
        "engine": name,
        "beside": beside[0],
        "cores": usable_cores(),
        "runs": runs,
        "jobs_a_run": round(total / runs),
        "running": int(results[name].extremes[:, 1].max()),
        "jobs": total,
        "family": seen.family,
        "processors": seen.processors,
        "runs_a_processor": round(runs / seen.processors, 2) if seen.processors else None,
        "busy_share": round(seen.busy / sum(seconds[name]), 3) if seen.rounds else None,
        "seconds": {key: spread(each) for key, each in seconds.items()},
        "jobs_per_second": {key: spread([total / s for s in each]) for key, each in seconds.items()},
        "events_per_second": {key: spread([2 * total / s for s in each]) for key, each in seconds.items()},
        "ratio": spread(pairs),
        "equal": not found,
        "differences": found[:3],
    }


def one_run(name: str, engine: Mapping[str, Any], jobs: int = 100_000) -> dict[str, Any]:
    """How long a single run takes on a device, and on one core: what the last run of a batch costs."""
    workload = Workload("", partial(mix, Policy(1), 0.85), CENTER_GPUS)
    spec, cells = workload.spec(jobs), batch(workload, 1)
    calls = {
        name: partial(call, engine, spec, cells),
        "host": partial(call, HOST, spec, {**cells, "threads": 1}),
    }
    total = max(int(function().jobs.sum()) for function in calls.values())  # untimed: both find their room
    seconds = in_turns(calls, REPEATS)
    found = {key: spread(each) for key, each in seconds.items()}
    return {"name": "one run of the mix, EASY, load 0.85", "engine": name, "jobs": total, "latency": found}


def step(
    rows: Rows, name: str, engine: Mapping[str, Any], *, latency_jobs: int = 100_000, **options: Any
) -> None:
    """Every workload, then the latency of one run."""
    slowest = 6.0
    for workload in workloads():
        if not rows.has(workload.name, 1.5 * slowest):
            continue
        begin = time.monotonic()
        try:
            rows.add(**measure(workload, name, engine, **options))
        except Skip as reason:
            rows.add(name=workload.name, skipped=str(reason))
        slowest = max(slowest, time.monotonic() - begin)
    if rows.has("one run of the mix, EASY, load 0.85", 3.0):
        rows.add(**one_run(name, engine, latency_jobs))
