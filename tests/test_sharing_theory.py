"""Shared centers against queueing theory: exact values inside narrow intervals, and sums that must agree to the tick.

Everything here runs in the kernel for shared centers: each class is a tenant's, and where nobody owns anything the
terms are `Sharing.nobody`. A check asks that the exact value is within four standard errors, those of 32 independent
replications, and that the interval is no wider than stated; seeds are fixed.
Values to nine decimals are those of design/domain.md 9; the formulas are in sharing_formulas.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import sharing_formulas as theory
from gpusim.engine.batch import run_batch
from gpusim.engine.sharing import RECLAIM, WITHIN, Sharing
from gpusim.engine.spec import ALL, NONE, SKIP, Policy
from gpusim.stats import queueing
from gpusim.workload.distributions import Deterministic, Exponential
from queues import UNIT, Poisson, Replications, queue, ratio, relaxation, replicate
from sharing_formulas import Moments, exponential, fixed
from sharing_queues import (
    CHECKS,
    FINE,
    LONG,
    MOST,
    RUNS,
    agree,
    cohort,
    evicted,
    seed,
    shared,
    sojourn,
    terms,
)


def steady(servers: int, offered: float, relaxations: float) -> dict[str, float]:
    """Windows: 10 relaxation times cut, so many counted, 30 for the last counted job to end."""
    tau = relaxation(servers, offered) + 1.0
    return {"warm_up": 10.0 * tau, "count": relaxations * tau, "cool_down": 30.0 * tau}


# ---- priorities without preemption ------------------------------------------------------------------------------

NON_PREEMPTIVE = [  # servers, loads, mean waits of domain.md 9, relaxation times, widest interval
    (1, (0.4, 0.4), (1.333333333, 6.666666667), 150, 0.2),
    (8, (2.4, 4.8), (0.125273748, 1.252737482), 30, 0.4),
    (64, (16.0, 41.6), (0.006472152, 0.064721524), 30, 0.45),
    (8, (1.6, 2.4, 3.2), (0.109614530, 0.219229059, 1.753832475), 30, 0.4),
]


@LONG
@pytest.mark.parametrize("backfill", [NONE, SKIP])
@pytest.mark.parametrize(("servers", "loads", "waits", "relaxations", "within"), NON_PREEMPTIVE)
@pytest.mark.slow
def test_tenants_of_different_tiers_wait_as_cobham_says(
    servers: int,
    loads: tuple[float, ...],
    waits: tuple[float, ...],
    relaxations: float,
    within: float,
    backfill: int,
    times: int,
) -> None:
    assert queueing.priority_mean_waits(servers, loads) == pytest.approx(waits, abs=6e-10)
    streams = [Poisson(load, tier=-rank) for rank, load in enumerate(loads)]
    windows = steady(servers, sum(loads), times * relaxations)
    spec = queue(
        *streams, seed=seed("cobham", servers, loads, backfill, times), policy=Policy(backfill), **windows
    )
    classes = len(loads)
    runs = replicate(shared(spec, range(classes), Sharing.nobody(classes, classes, 1)), servers, RUNS)
    for k, wait in enumerate(waits):
        agree(
            f"non-preemptive M/M/{servers} {loads}, W{k + 1}", runs.wait(k), wait, within=within / times**0.5
        )


def test_tenants_with_unlike_service_times_wait_as_cobham_says() -> None:
    streams = Poisson(0.3, tier=1), Poisson(0.2, Exponential(2.0), tier=0)
    spec = queue(*streams, seed=seed("unlike"), warm_up=500.0, count=40_000.0, cool_down=1000.0)
    runs = replicate(shared(spec, [0, 1], Sharing.nobody(2, 2, 1)), 1, 32)
    agree("non-preemptive M/M/1, unlike rates, W1", runs.wait(0), 1.571428571, within=0.05)
    agree("non-preemptive M/M/1, unlike rates, W2", runs.wait(1), 5.238095238, within=0.08)


@LONG
@pytest.mark.slow
def test_work_conservation_gives_every_order_of_tiers_the_same_weighted_wait(times: int) -> None:
    # Kleinrock's law for M/M/c with one rate: sum of a_k W_k does not depend on who goes first.
    servers, loads = 8, (1.6, 2.4, 3.2)
    exact = sum(loads) * queueing.mean_wait(servers, sum(loads))
    orders = [(2, 1, 0), (0, 1, 2), (1, 2, 0)] if times == 1 else list(itertools.permutations(range(3)))
    waits = np.zeros((len(orders), 3))
    for i, tiers in enumerate(orders):
        streams = [Poisson(a, tier=tier) for a, tier in zip(loads, tiers, strict=True)]
        spec = queue(*streams, seed=seed("law", tiers, times), **steady(servers, sum(loads), 30 * times))
        runs = replicate(shared(spec, range(3), Sharing.nobody(3, 3, 1)), servers, RUNS)
        weighted = sum(a * runs.total("wait", k) / runs.count("started", k) for k, a in enumerate(loads))
        agree(f"conservation law, tiers {tiers}", ratio(weighted, 1.0), exact, within=0.3 / times**0.5)
        waits[i] = [runs.wait(k).value for k in range(3)]
    assert (waits.max(axis=0) > 3.0 * waits.min(axis=0)).all()  # the waits themselves do depend on it


def test_equal_run_times_give_every_order_of_tiers_the_same_queue_to_the_tick() -> None:
    # M/D/c: who goes first changes nothing in when GPUs become free, so the number waiting is one path for all orders.
    loads = (1.6, 2.4, 3.2)
    seen = set()
    for tiers in [*itertools.permutations(range(3)), (0, 0, 0)]:
        for backfill in (NONE, SKIP, 1, ALL):
            streams = [Poisson(a, Deterministic(1.0), tier=t) for a, t in zip(loads, tiers, strict=True)]
            spec = queue(*streams, seed=seed("path"), count=300.0, policy=Policy(backfill))
            result = run_batch(shared(spec, range(3), Sharing.nobody(3, 3, 1)), [0, 1], 8)
            seen.add((result.integrals[:, [0, 1, 3]].tobytes(), result.extremes[:, :2].tobytes()))
            assert result.integrals[:, 1].min() > 10 * UNIT
    assert len(seen) == 1


# ---- priorities with preemption ---------------------------------------------------------------------------------


def urgent(classes: int) -> tuple[list[int], Sharing]:
    """Each class its own tenant; all but the last evict lower tiers, all but the first are evicted."""
    return list(range(classes)), terms(
        classes,
        classes,
        urgent=np.arange(classes) < classes - 1,
        preemptible=np.arange(classes) > 0,
        checkpoint=[FINE] * classes,
    )


def within_one_tenant(classes: int) -> tuple[list[int], Sharing]:
    """All classes of one tenant without a quota, who evicts his own lower tiers."""
    none = Sharing.nobody(1, classes, 1)
    changes: dict[str, Any] = {
        "within": np.array([WITHIN.index("lower")]),
        "preemptible": np.arange(classes) > 0,
        "checkpoint": np.full(classes, FINE),
    }
    return [0] * classes, replace(none, **changes)


def owner_and_borrowers(classes: int, servers: int) -> tuple[list[int], Sharing]:
    """The first tenant owns everything and takes it back; the others borrow, and evict lower tiers as borrowers."""
    return list(range(classes)), cohort(
        classes,
        classes,
        parent=[classes] * classes + [-1],
        nominal=[servers] + [0] * classes,
        reclaim=[RECLAIM.index("any")] * classes,
        borrow_preempts=[0] * classes,
        preemptible=[True] * classes,
        checkpoint=[FINE] * classes,
    )


TERMS: dict[str, Callable[[int, int], tuple[list[int], Sharing]]] = {
    "urgent": lambda classes, servers: urgent(classes),
    "within": lambda classes, servers: within_one_tenant(classes),
    "reclaim": owner_and_borrowers,
}


@LONG
@pytest.mark.parametrize("terms_of", TERMS)
@pytest.mark.parametrize(
    ("servers", "loads", "sojourns", "relaxations", "within"),
    [
        (1, (0.4, 0.4), (1.666666667, 8.333333333), 150, 0.2),
        (8, (2.4, 4.8), (1.000631670, 2.315058522), 30, 0.25),
        (8, (1.6, 2.4, 3.2), (1.000042004, 1.024573662, 2.954610286), 30, 0.25),
        pytest.param(
            *(64, (16.0, 24.0, 17.6), (1.0, 1.000021098, 1.158833153), 30, 0.1), marks=pytest.mark.slow
        ),
    ],
)
@pytest.mark.slow
def test_evicting_tenants_leave_sooner_as_preemptive_resume_says(
    servers: int,
    loads: tuple[float, ...],
    sojourns: tuple[float, ...],
    relaxations: float,
    within: float,
    terms_of: str,
    times: int,
) -> None:
    assert theory.preemptive_sojourns(servers, loads) == pytest.approx(sojourns, abs=6e-10)
    streams = [Poisson(load, tier=-rank) for rank, load in enumerate(loads)]
    windows = steady(servers, sum(loads), times * relaxations)
    spec = queue(*streams, seed=seed("resume", servers, loads, terms_of, times), **windows)
    runs = replicate(shared(spec, *TERMS[terms_of](len(loads), servers)), servers, RUNS)
    for k, time in enumerate(sojourns):
        agree(
            f"preemptive M/M/{servers} {loads} {terms_of}, T{k + 1}",
            sojourn(runs, k),
            time,
            within=within / times**0.5,
        )
    assert not evicted(runs, "preemptions", 0).any()
    assert evicted(runs, "preemptions", len(loads) - 1).all()
    assert not evicted(runs, "lost", len(loads) - 1).any()


@pytest.mark.parametrize("terms_of", TERMS)
@pytest.mark.slow
def test_evicting_tenants_with_unlike_service_times_leave_as_preemptive_resume_says(terms_of: str) -> None:
    moments = exponential(1.0), exponential(2.0)
    exact = theory.preemptive_sojourns_mg1((0.3, 0.2), [m.mean for m in moments], [m.second for m in moments])
    assert exact == pytest.approx((1.428571429, 8.095238095), abs=6e-10)
    streams = Poisson(0.3, tier=0), Poisson(0.2, Exponential(2.0), tier=-1)
    spec = queue(
        *streams, seed=seed("unlike resume", terms_of), warm_up=500.0, count=40_000.0, cool_down=3000.0
    )
    runs = replicate(shared(spec, *TERMS[terms_of](2, 1)), 1, 32)
    for k, time in enumerate(exact):
        agree(f"preemptive M/M/1, unlike rates, {terms_of}, T{k + 1}", sojourn(runs, k), time, within=0.08)


# ---- work that evictions destroy --------------------------------------------------------------------------------

HIGH, LOW = (
    0.3,
    0.15,
)  # arrival rates; the lower class has runs of fixed length, so that repetition has moments
WORK, TIME = 2.0, 10_000.0


def interrupted(name: str, low: Poisson, **changes: Any) -> Replications:
    """One GPU, an urgent tenant and one that is evicted."""
    spec = queue(
        Poisson(HIGH, tier=1),
        low,
        seed=seed(name),
        warm_up=1000.0,
        count=TIME,
        cool_down=1000.0,
        policy=Policy(kill_at_limit=False),
    )
    sharing = terms(2, 2, urgent=[True, False], preemptible=[False, True], **changes)
    return replicate(shared(spec, [0, 1], sharing), 1, 32)


@pytest.mark.parametrize(
    ("checkpoint", "cost", "restart"),
    [(0.0, 0.0, 0.0), (0.0, 0.0, 0.25), (0.5, 0.01, 0.0), (0.5, 0.05, 0.25), (0.75, 0.1, 0.0)],
)
def test_evicted_work_is_repeated_from_its_last_checkpoint(
    checkpoint: float, cost: float, restart: float
) -> None:
    # Gaver's completion times: C is as long as it takes to get every piece done without an interruption.
    high = exponential(1.0)
    busy = theory.busy_period(HIGH, high)
    every = checkpoint or WORK
    done, evictions = theory.completion(HIGH, busy, WORK, every, cost, restart)
    running, _ = theory.completion(HIGH, theory.ZERO, WORK, every, cost, restart)
    ticks = {name: [0, round(x * UNIT)] for name, x in (("checkpoint", checkpoint), ("restart", restart))}
    runs = interrupted(
        f"repeat {checkpoint} {cost} {restart}",
        Poisson(LOW, Deterministic(WORK), tier=0),
        checkpoint_cost=[0, round(cost * UNIT)],
        **ticks,
    )
    what = f"repeat, checkpoint {checkpoint:g} cost {cost:g} restart {restart:g}"
    agree(f"{what}, T1", sojourn(runs, 0), 1.0 / (1.0 - HIGH), within=0.04)
    exact = theory.low_sojourn(LOW, done, HIGH, busy)
    agree(f"{what}, T2", sojourn(runs, 1), exact, within=0.25)
    finished = runs.count("finished", 1)
    agree(
        f"{what}, evictions a job", ratio(evicted(runs, "preemptions", 1, 1), finished), evictions, within=0.1
    )
    agree(f"{what}, lost", ratio(evicted(runs, "lost", 1), TIME), LOW * (running.mean - WORK), within=0.1)


@pytest.mark.parametrize("law", ["exponential", "fixed"])
@pytest.mark.parametrize(("grace", "restart"), [(0.2, 0.0), (0.2, 0.3), (0.5, 0.1)])
def test_a_grace_saves_the_work_and_delays_who_evicts(grace: float, restart: float, law: str) -> None:
    # Nothing is lost but the restart; the evicting job begins `grace` late, so its busy period is longer (R30).
    high, low = exponential(1.0), exponential(WORK) if law == "exponential" else fixed(WORK)
    late = Moments(1.0 + grace, high.second + 2.0 * grace + grace**2)
    evicting = theory.busy_period(HIGH, high, late)
    done, evictions, running = theory.saved_completion(HIGH, evicting, low, restart)
    low_runs = LOW * running  # share of time; the rest without an urgent job is idle
    no_urgent = 1.0 - HIGH * high.mean - HIGH * low_runs * grace
    runs = interrupted(
        f"grace {grace} {restart} {law}",
        Poisson(LOW, Exponential(WORK) if law == "exponential" else Deterministic(WORK), tier=0),
        checkpoint=[0, UNIT],
        grace=[0, round(grace * UNIT)],
        restart=[0, round(restart * UNIT)],
    )
    what = f"grace {grace:g} restart {restart:g} {law}"
    first = theory.set_up_sojourn(HIGH, high, low_runs / no_urgent, grace)
    agree(f"{what}, T1", sojourn(runs, 0), first, within=0.04)
    exact = theory.low_sojourn(LOW, done, HIGH, theory.busy_period(HIGH, high))
    agree(f"{what}, T2", sojourn(runs, 1), exact, within=0.25)
    finished = runs.count("finished", 1)
    agree(
        f"{what}, evictions a job", ratio(evicted(runs, "preemptions", 1, 1), finished), evictions, within=0.1
    )
    agree(
        f"{what}, lost by who evicts",
        ratio(evicted(runs, "lost", 0), TIME),
        HIGH * low_runs * grace,
        within=0.1,
    )
    if restart:
        lost = LOW * (running - WORK)
        agree(f"{what}, lost by restarts", ratio(evicted(runs, "lost", 1), TIME), lost, within=0.1)
    else:
        assert not evicted(runs, "lost", 1).any()


def test_worst_deviation_of_all_checks_is_within_the_interval(summary_line: Callable[[str], None]) -> None:
    worst = max((abs(estimate.deviation(exact)) for _, exact, estimate in CHECKS), default=0.0)
    summary_line(f"shared centers: {len(CHECKS)} checks, worst |z| {worst:.2f} (at most 4)")
    assert worst <= MOST
