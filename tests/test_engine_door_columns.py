"""The engine's door, column by column: pools, orders, periods, levels, chains, demand and draws.

What cannot be meant is refused where it is given, with the value found and a remedy, before the core sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.spec import SLOWDOWN, ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.errors import GpusimError, RunError, WorkloadError
from gpusim.workload.distributions import Deterministic, Exponential
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator
from gpusim.workload.week_profile import compile_profile
from sources import WEEK, batches, events, make_source, one, profiled

JOBS = Jobs(submit=[0, 1, 2], service=[5, 5, 5], gpus=[1, 2, 3])
SHORT = Windows(0, 10, 10)
TWO_POOLS = RunSpec(JOBS, ClassTable(0, 0, -1, 1, pools=((0, 1),), n_pools=2))


def classes(**changed: Any) -> ClassTable:
    return ClassTable(**{"tier": 0, "tenant": 0, "patience": -1, "tenants": 1, **changed})


def slos(**changed: Any) -> SloTable:
    return SloTable(**{"limit": [5], "share_ppm": [900_000], "member": [[True]], **changed})


def chained(**columns: Any) -> Jobs:
    return Jobs(submit=[0, 1, 2], service=[1, 1, 1], gpus=[1, 1, 1], **columns)


def generated(demand: dict[str, Any] | None = None, **fields: Any) -> object:
    """A short run of one source."""
    return run_batch(RunSpec(one(make_source(**fields)), windows=SHORT), 0, 3, **(demand or {}))


def refused(
    call: Callable[[], object], error: type[GpusimError] | tuple[type[GpusimError], ...] = RunError
) -> str:
    with pytest.raises(error) as caught:
        call()
    assert "internal check" not in str(caught.value)
    return str(caught.value)


# ---- parts ----------------------------------------------------------------------------------------------------------

TICK = "use a whole number from {} to 8,796,093,022,207"
PARTS: dict[str, tuple[Callable[[], object], str]] = {
    "no pool": (
        lambda: classes(pools=((),)),
        "classes.pools[0]: names no pool, or one twice (()); name each allowed pool once",
    ),
    "a pool twice": (
        lambda: classes(pools=((0, 0),)),
        "classes.pools[0]: names no pool, or one twice ((0, 0))",
    ),
    "no such pool": (
        lambda: classes(pools=((0, 2),), n_pools=2),
        "classes.pools[0][1]: is out of range (2); use a whole number from 0 to 1",
    ),
    "negative pool": (lambda: classes(pools=((-1,),)), "classes.pools[0]: is out of range (-1)"),
    "half a pool": (lambda: classes(pools=((0.5,),)), "classes.pools[0][0]: is not a whole number (0.5)"),
    "named pool": (
        lambda: classes(pools=(("h200",),)),
        "classes.pools[0][0]: is not a whole number ('h200')",
    ),
    "rows of pools": (
        lambda: classes(pools=((0,), (0,))),
        "classes: differ in length, or are none or too many (tier 1, tenant 1, patience 1, killed_ok 1, pools 2)",
    ),
    "no pools at all": (lambda: classes(n_pools=0), "classes.n_pools: is out of range (0)"),
    "many pools": (
        lambda: classes(n_pools=1025),
        "classes.n_pools: is out of range (1025); use a whole number from 1 to 1,024",
    ),
    "killed_ok as a number": (
        lambda: classes(killed_ok=[1]),
        "classes.killed_ok: is not a column of flags (int64, shape (1,)); give one True or False per row",
    ),
    "killed_ok as one flag": (lambda: classes(killed_ok=True), "classes.killed_ok: is not a column of flags"),
    "killed_ok of other length": (lambda: classes(killed_ok=[True, False]), "classes: differ in length"),
    "ragged killed_ok": (lambda: classes(killed_ok=[[True], [True, False]]), "classes.killed_ok: "),
    "order": (lambda: Policy(order=6), "policy.order: is out of range (6); use a whole number from 0 to 5"),
    "named order": (lambda: Policy(order="sjf"), "policy.order: is not a whole number ('sjf')"),
    "window": (lambda: Policy(window=-2), "policy.window: is out of range (-2); " + TICK.format(-1)),
    "half a window": (lambda: Policy(window=0.5), "policy.window: is not a whole number (0.5)"),
    "long window": (lambda: Policy(window=2**43), "policy.window: is out of range (8796093022208)"),
    "max_tests": (lambda: Policy(max_tests=-2), "policy.max_tests: is out of range (-2)"),
    "huge max_tests": (lambda: Policy(max_tests=2**63), "policy.max_tests: is out of range"),
    "no period": (lambda: Policy(period=0), "policy.period: is out of range (0); " + TICK.format(1)),
    "a flag for a period": (lambda: Policy(period=True), "policy.period: is not a whole number (True)"),
    "long period": (lambda: Policy(period=2**43), "policy.period: is out of range"),
    "no day": (lambda: Windows(0, 1, 2, day=0), "windows.day: is out of range (0); " + TICK.format(1)),
    "part of a day": (lambda: Windows(0, 1, 2, day=0.5), "windows.day: is not a whole number (0.5)"),
    "week_phase": (lambda: Windows(0, 1, 2, week_phase=-1), "windows.week_phase: is out of range (-1)"),
    "late week_phase": (lambda: Windows(0, 1, 2, week_phase=2**43), "windows.week_phase: is out of range"),
    "metric": (lambda: slos(metric=[5]), "slos.metric: is out of range (5); use a whole number from 0 to 4"),
    "named metric": (lambda: slos(metric=["wait"]), "slos.metric[0]: is not a whole number ('wait')"),
    "metrics": (
        lambda: slos(metric=[0, 1]),
        "slos: columns differ in length (share_ppm 1, member 1, metric 2",
    ),
    "bound": (lambda: slos(bound=[-1]), "slos.bound: is out of range (-1)"),
    "gpus_low": (lambda: slos(gpus_low=[-1]), "slos.gpus_low: is out of range (-1)"),
    "gpus_high": (lambda: slos(gpus_high=[2**31]), "slos.gpus_high: is out of range (2147483648)"),
    "hours_from": (lambda: slos(hours_from=[-1]), "slos.hours_from: is out of range (-1)"),
    "hours_to": (lambda: slos(hours_to=[2**43]), "slos.hours_to: is out of range (8796093022208)"),
    "hours of a longer day": (
        lambda: RunSpec(JOBS, windows=Windows(0, 5, 9, day=10), slos=slos(hours_from=[11])),
        "slos.hours_from: ",
    ),
    "hours to a longer day": (
        lambda: RunSpec(JOBS, windows=Windows(0, 5, 9, day=10), slos=slos(hours_to=[11])),
        "slos.hours_to: ",
    ),
    "an eighth day": (
        lambda: slos(days=[128]),
        "slos.days: is out of range (128); use a whole number from 0 to 127",
    ),
    "shape of limits": (
        lambda: slos(limit=[[1, 2]]),
        "slos.limit: has the wrong shape ((1, 2), member (1, 1)); give one limit per level and class",
    ),
    "limits of limits": (lambda: slos(limit=[[[1]]]), "slos.limit: is not a table (shape (1, 1, 1))"),
    "ragged limits": (lambda: slos(limit=[[1], [2, 3]]), "slos.limit: "),
    "negative limit of a class": (lambda: slos(limit=[[-1]]), "slos.limit[0]: is out of range (-1)"),
    "half a limit": (lambda: slos(limit=[[0.5]]), "slos.limit[0][0]: is not a whole number (0.5)"),
    "huge slowdown": (
        lambda: slos(limit=[2**20], metric=[SLOWDOWN]),
        "slos.limit: is too large for a slowdown (1048576); use at most 1,048,575 thousandths",
    ),
    "a delay beyond the clock": (
        lambda: RunSpec(chained(after=[-1, 0, 1], delay=[0, 2**42, 2**42])),
        "jobs: could run past the last tick, 2^43 - 2",
    ),
    "another week": (
        lambda: RunSpec(
            one(
                make_source(**profiled(compile_profile([1.0, 3.0], WEEK), 100)),
                profiles=(compile_profile([1.0, 3.0], WEEK),),
                week_phase=100,
            ),
            windows=Windows(0, 5, 9, week_phase=7),
        ),
        "windows.week_phase: is not that of the sources (100 and 7); give both the same",
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_columns_that_cannot_be_meant_are_refused(case: str) -> None:
    make, said = PARTS[case]
    assert refused(make).startswith(said)


def test_a_slowdown_may_be_a_thousand() -> None:
    assert slos(limit=[2**20 - 1], metric=[SLOWDOWN]).limit.tolist() == [[1_048_575]]


def test_limits_given_once_are_those_of_every_class() -> None:
    table = SloTable([5, 6], [0, 0], np.ones((2, 3), bool))
    assert table.limit.tolist() == [[5, 5, 5], [6, 6, 6]]


CHAINS: dict[str, tuple[Callable[[], object], str]] = {
    "a later job": (
        lambda: chained(after=[1, -1, -1]),
        "jobs[0].after: follows a job that does not queue before it",
    ),
    "itself": (lambda: chained(after=[0, -1, -1]), "jobs[0].after: follows itself"),
    "a fork": (
        lambda: chained(after=[-1, 0, 0]),
        "jobs[2].after: names a job that another one follows already",
    ),
    "no row": (lambda: chained(after=[-1, 5, -1]), "jobs[1].after: is no row of the table (5)"),
    "delay": (lambda: chained(after=[-1, 0, -1], delay=[0, -1, 0]), "jobs[1].delay: is negative"),
}


@pytest.mark.parametrize("case", CHAINS)
def test_chains_that_cannot_be_meant_are_refused(case: str) -> None:
    make, said = CHAINS[case]
    assert refused(make, WorkloadError).startswith(said)


# ---- cells ----------------------------------------------------------------------------------------------------------

CELLS: dict[str, tuple[Any, str]] = {
    "one number": (5, "gpus: has the wrong shape (shape ()); give one number for each of the 2 pools"),
    "three numbers": ([[1, 2, 3]], "gpus: has the wrong shape (shape (1, 3))"),
    "three numbers in a row": ([1, 2, 3], "gpus: has the wrong shape (shape (3,))"),
    "one pool each": ([[1], [2]], "gpus: has the wrong shape (shape (2, 1))"),
    "a cube": (np.zeros((1, 1, 2), int), "gpus: has the wrong shape (shape (1, 1, 2))"),
    "ragged": ([[1], [2, 3]], "gpus: has "),
    "negative": ([[4, -1]], "gpus["),
    "fraction": ([[4, 0.5]], "gpus["),
    "too many": ([[2**31 - 1, 4]], "gpus["),
    "text": ([["4", "5"]], "gpus["),
}


@pytest.mark.parametrize("case", CELLS)
def test_capacities_that_are_not_one_number_for_each_pool_are_refused(case: str) -> None:
    gpus, said = CELLS[case]
    assert refused(lambda: run_batch(TWO_POOLS, 0, gpus)).startswith(said)


def test_one_row_of_capacities_is_one_cell() -> None:
    expected = run_batch(TWO_POOLS, 0, [[1, 3]]).sums
    assert np.array_equal(run_batch(TWO_POOLS, 0, [1, 3]).sums, expected)
    assert len(run_batch(TWO_POOLS, 0, [[1, 3]] * 4).status) == 4
    assert len(run_batch(RunSpec(JOBS), 0, [[1], [3]]).status) == 2  # one pool may be given as a table


STORED = RunSpec(JOBS)
DEMAND: dict[str, tuple[Callable[[], object], str]] = {
    "of stored jobs": (
        lambda: run_batch(STORED, 0, 3, demand_ppm=2_000_000),
        "demand_ppm: is out of range (2000000)",
    ),
    "a draw of stored jobs": (lambda: run_batch(STORED, 0, 3, draw=1), "draw: is out of range (1)"),
    "none": (lambda: generated({"demand_ppm": 0}), "demand_ppm: is out of range (0)"),
    "a factor": (lambda: generated({"demand_ppm": 1.5}), "demand_ppm[0]: is not a whole number (1.5)"),
    "huge": (lambda: generated({"demand_ppm": 2**33}), "demand_ppm: is out of range"),
    "no such draw": (
        lambda: generated({"draw": 1}),
        "draw: is out of range (1); use a whole number from 0 to 0",
    ),
    "negative draw": (lambda: generated({"draw": -1}), "draw: is out of range (-1)"),
    "lengths": (lambda: generated({"draw": [0, 0], "demand_ppm": [10**6] * 3}), "cells: differ in length"),
    "jobs of no such draw": (
        lambda: generate_jobs(RunSpec(one(make_source()), windows=SHORT), 0, draw=1),
        "draw: is out of range (1)",
    ),
    "jobs of no demand": (
        lambda: generate_jobs(RunSpec(one(make_source()), windows=SHORT), 0, demand_ppm=-5),
        "demand_ppm: is out of range (-5)",
    ),
}


@pytest.mark.parametrize("case", DEMAND)
def test_demand_and_draws_out_of_range_are_refused(case: str) -> None:
    call, said = DEMAND[case]
    assert refused(call).startswith(said)


BEYOND: dict[str, Callable[[], object]] = {
    "an event of 68 jobs": lambda: generated({"demand_ppm": 4_000_000}, **events((3, 5, 17))),
    "gaps of nothing": lambda: generated({"demand_ppm": 2**31}, gap=Exponential(1e-3)),
    "gaps past 2^56": lambda: generated({"demand_ppm": 1}, gap=Exponential(2.0**23)),
    "a spread of 2^40 ticks": lambda: generated(**batches({2: 1.0}, spread=2**40)),
    "a batch of 2^25": lambda: generated(**batches({2**25: 1.0})),
    "a chain of 2^25": lambda: generated(segment=1, service=Deterministic(2.0**25)),
    "three million events": lambda: generated(
        events=np.stack([np.arange(3 << 20), *np.zeros((2, 3 << 20), np.int64)], axis=1),
        gap=Deterministic(1.0),
    ),
}


@pytest.mark.parametrize("case", BEYOND)
def test_no_source_reaches_the_core_that_the_core_would_not_take(case: str) -> None:
    # "An internal check failed" would be no remedy.
    refused(BEYOND[case], (RunError, WorkloadError))


def test_each_cell_has_its_own_demand_and_draw() -> None:
    sources = (make_source(), make_source(gap=Exponential(20.0)))
    rows = np.array([[0], [1]], np.int32)
    windows = Windows(0, 100_000, 100_000)
    spec = RunSpec(Generator(sources=sources, seed=1, rows=rows), windows=windows)
    jobs = run_batch(spec, 0, 5, demand_ppm=[10**6, 2 * 10**6, 10**6], draw=[0, 0, 1]).jobs
    assert 1.9 < jobs[1] / jobs[0] < 2.1
    assert 2.8 < jobs[2] / jobs[0] < 3.2
    alone = RunSpec(Generator(sources=sources[1:], seed=1), windows=windows)
    assert run_batch(alone, 0, 5).jobs[0] == jobs[2]


# ---- options --------------------------------------------------------------------------------------------------------

OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "held_slots": (
        {"held_slots": 48},
        "held_slots: is not a power of two (48); use 32, 64, ..., 1,048,576",
    ),
    "few held_slots": ({"held_slots": 16}, "held_slots: is out of range (16)"),
    "many held_slots": ({"held_slots": 2**21}, "held_slots: is out of range (2097152)"),
    "fraction of held_slots": ({"held_slots": 32.0}, "held_slots: is not a whole number (32.0)"),
    "chain_slots": (
        {"chain_slots": 0},
        "chain_slots: is out of range (0); use a whole number from 1 to 134,217,728",
    ),
    "many chain_slots": ({"chain_slots": 2**28}, "chain_slots: is out of range"),
    "a flag for chain_slots": ({"chain_slots": True}, "chain_slots: is not a whole number (True)"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_room_out_of_range_is_refused(case: str) -> None:
    options, said = OPTIONS[case]
    assert refused(lambda: run_batch(STORED, 0, 3, **options)).startswith(said)
