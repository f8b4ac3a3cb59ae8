"""The engine against queueing theory: exact values inside narrow intervals.

Each check forms a 99.9 % Student interval over at least 32 independent replications and asks that it holds the exact
value and that its half-width is at most the stated share of it: an interval that is wide proves nothing. False alarms:
a fresh seed would break one given check with probability 0.001, so by Bonferroni one of the quick checks (96) with at
most 0.10 and one of all (224) with at most 0.23. The seeds are fixed, so nothing here ever fails by chance. The
intervals keep what they promise: over 1,500 seeds of a small queue the deviations had mean -0.04 and spread 1.01.

Runs start empty. Windows are in relaxation times of the queue, 1 / (mu (sqrt c - sqrt a)^2): 10 of them (and 10 mean
service times) are cut, 50 or more are counted. Exact values: `gpusim.stats.queueing`, itself checked to 10 digits, the
shared ground truth, and the table in design/domain.md section 9, given here where it is used.
"""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.spec import ALL, NONE, SKIP, Policy, RunSpec
from gpusim.stats import queueing
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal
from gpusim.workload.jobs import Jobs
from queues import UNIT, Estimate, Poisson, Replications, queue, ratio, relaxation, replicate

LAWS = {
    "exponential": Exponential(1.0),
    "lognormal": LogNormal(math.exp(-0.5), 1.0),
    "fixed": Deterministic(1.0),
}
DEVIATIONS: list[float] = []


def agree(estimate: Estimate, exact: float, *, within: float) -> None:
    """The interval holds the exact value and is no wider than `within` of it to either side."""
    assert 0.0 < estimate.half_width <= within * exact
    DEVIATIONS.append(estimate.deviation(exact))
    assert estimate.holds(exact), f"{estimate.value} should be {exact}: z = {DEVIATIONS[-1]:.2f}"


def seed(*case: object) -> int:
    """A seed for each case, so that cases do not share their luck."""
    return zlib.crc32(repr(case).encode())


def steady(tau: float, relaxations: float, cool_down: float = 10.0) -> dict[str, float]:
    """Windows of a queue with relaxation time tau."""
    return {"warm_up": 10.0 * (tau + 1.0), "count": relaxations * (tau + 1.0), "cool_down": cool_down}


# ---- waits of M/G/c -----------------------------------------------------------------------------------------------


# servers, load per server, relaxation times a replication, widest interval of P(W > 0), of E[W]
@pytest.mark.parametrize(
    ("servers", "load", "relaxations", "delay_within", "wait_within"),
    [
        (1, 0.8, 250, 0.01, 0.08),
        (2, 0.8, 250, 0.015, 0.08),
        (8, 0.8, 250, 0.035, 0.12),
        (8, 0.9, 60, 0.02, 0.12),
        (64, 0.9, 60, 0.1, 0.25),
        (100, 0.8, 200, 0.25, 0.5),
        pytest.param(100, 0.95, 250, 0.03, 0.08, marks=pytest.mark.slow),
        pytest.param(1000, 0.99, 25, 0.05, 0.25, marks=pytest.mark.slow),
    ],
)
def test_waits_of_mmc_are_those_of_erlang_c(
    servers: int, load: float, relaxations: float, delay_within: float, wait_within: float
) -> None:
    offered = servers * load
    windows = steady(relaxation(servers, offered), relaxations, cool_down=20.0 / (servers - offered))
    spec = queue(Poisson(offered), seed=seed("mmc", servers, load), limits=[0.0], **windows)
    runs = replicate(spec, servers, 32)
    agree(runs.late(0), queueing.erlang_c(servers, offered), within=delay_within)
    agree(runs.wait(), queueing.mean_wait(servers, offered), within=wait_within)


def test_tail_of_the_wait_of_mmc_is_exponential() -> None:
    quantiles = {0.95: (3.301556, 0.25), 0.99: (5.313354, 0.55)}  # domain.md 9, and the widest interval
    windows = steady(relaxation(8, 7.2), 120, cool_down=30.0)
    spec = queue(Poisson(7.2), seed=seed("tail"), limits=[t for t, _ in quantiles.values()], **windows)
    runs = replicate(spec, 8, 32)
    for level, (probability, (t, within)) in enumerate(quantiles.items()):
        assert t == pytest.approx(queueing.wait_quantile(8, 7.2, probability), abs=5e-7)
        agree(runs.late(level), 1.0 - probability, within=within)


@pytest.mark.parametrize(
    ("servers", "load", "relaxations", "wait", "within"),
    [
        (1, 0.8, 200, 2.0, 0.06),
        (2, 0.8, 200, 0.90328388, 0.06),
        (8, 0.8, 200, 0.15195380, 0.08),
        (8, 0.9, 60, 0.44997326, 0.09),
        (64, 0.9, 60, 0.02673413, 0.16),
    ],
)
def test_waits_of_mdc_are_the_numerical_ones(
    servers: int, load: float, relaxations: float, wait: float, within: float
) -> None:
    offered = servers * load
    windows = steady(relaxation(servers, offered), relaxations, cool_down=20.0 / (servers - offered))
    spec = queue(Poisson(offered, LAWS["fixed"]), seed=seed("mdc", servers, load), **windows)
    agree(replicate(spec, servers, 32).wait(), wait, within=within)


@pytest.mark.parametrize(
    ("law", "wait", "within"),
    [("fixed", 2.0, 0.06), ("exponential", 4.0, 0.06), ("lognormal", 5.436564, 0.12)],
)
def test_one_server_waits_as_pollaczek_and_khintchine_say(law: str, wait: float, within: float) -> None:
    service = LAWS[law]
    scv = service.second_moment() / service.mean() ** 2 - 1.0
    assert queueing.mean_wait_mg1(0.8, service.mean(), scv) == pytest.approx(wait, abs=5e-7)
    spec = queue(
        Poisson(0.8, service), seed=seed("mg1", law), warm_up=1000.0, count=12_000.0, cool_down=500.0
    )
    agree(replicate(spec, 1, 48).wait(), wait, within=within)


# ---- the ground truth of sizing -----------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of ground_truth_mmc.csv: the smallest center that meets a target, and what it achieves."""

    metric: str
    offered: float
    t: float
    target: float
    smallest: int
    value: float
    value_below: float


FROZEN = [
    Row("p_wait_gt_t", 10, 0.0, 0.2, 14, 0.174131933595050, 0.285270453036493),
    Row("p_wait_gt_t", 10, 0.1, 0.1, 15, 0.0618918241799936, 0.116724125743709),
    Row("p_wait_gt_t", 10, 1.0, 0.05, 13, 0.0142027795486594, 0.0608180826186049),
    Row("mean_wait", 10, 0.0, 0.1, 13, 0.0950901510121643, 0.224694112149135),
    Row("p_wait_gt_t", 20, 0.0, 0.1, 27, 0.0960631895831135, 0.143399928448923),
    Row("p_wait_gt_t", 20, 0.01, 0.2, 25, 0.198904761407084, 0.286384717745756),
    Row("p_wait_gt_t", 50, 0.1, 0.1, 58, 0.0873638498694164, 0.122393836711091),
]

# Offered load: total time counted at each size. The table has no load between 200 and 500.
TIME = {10: 150_000, 20: 100_000, 50: 70_000, 100: 70_000, 200: 40_000}


def manageable(row: Row) -> bool:
    """Rows that this time can settle: events not rare, neighbours 20 % apart, relaxation below 20 services.

    The last leaves out rows in which the size is so close to the load (t = 1 mostly) that runs would have to be
    thousands of service times long.
    """
    rarest = {10: 0.005, 20: 0.007, 50: 0.03, 100: 0.03, 200: 0.08}
    mean = row.metric == "mean_wait"
    return (
        row.offered in TIME
        and (queueing.erlang_c(row.smallest, row.offered) if mean else row.value) >= rarest[int(row.offered)]
        and math.isfinite(row.value_below)
        and row.value_below >= 1.2 * row.value
        and relaxation(row.smallest - 1, row.offered) <= 20.0
    )


def settle(rows: list[Row], offered: int, time: float) -> list[float]:
    """Check rows of one load at the smallest size and one below, told apart; returns relative half-widths."""
    sizes = sorted({row.smallest - below for row in rows for below in (0, 1)})
    limits = sorted({row.t for row in rows})
    tau = max(relaxation(size, offered) for size in sizes)
    replications = 48
    spec = queue(
        Poisson(offered),
        seed=seed("ground truth", offered),
        limits=limits,
        warm_up=10.0 * (tau + 1.0),
        count=max(time / replications, 50.0 * tau),
        cool_down=20.0,
    )
    runs = {size: replicate(spec, size, replications) for size in sizes}
    widths = []
    for row in rows:
        for size, exact, other in (
            (row.smallest, row.value, row.value_below),
            (row.smallest - 1, row.value_below, row.value),
        ):
            estimate = (
                runs[size].wait() if row.metric == "mean_wait" else runs[size].late(limits.index(row.t))
            )
            agree(estimate, exact, within=0.3)
            assert not estimate.holds(other)
            widths.append(estimate.half_width / exact)
    return widths


@pytest.mark.parametrize("offered", [10, 20, 50])
def test_smallest_center_and_the_one_below_have_their_frozen_values(offered: int) -> None:
    rows = [row for row in FROZEN if row.offered == offered]
    settle(rows, offered, {10: 40_000, 20: 20_000, 50: 20_000}[offered])


@pytest.mark.slow
@pytest.mark.parametrize("offered", TIME)
def test_smallest_center_and_the_one_below_have_the_ground_truth(
    offered: int, shared_data: Path, summary_line: Callable[[str], None]
) -> None:
    rows = [row for row in ground_truth(shared_data) if row.offered == offered and manageable(row)]
    before = len(DEVIATIONS)
    widths = settle(rows, offered, TIME[offered])
    worst = max(map(abs, DEVIATIONS[before:]))
    summary_line(
        f"ground truth a = {offered}: {len(rows)} rows at n* and n* - 1, worst |z| {worst:.2f}, "
        f"widest half-width {max(widths):.1%}"
    )


def test_at_least_forty_rows_of_the_ground_truth_are_checked(shared_data: Path) -> None:
    rows = [row for row in ground_truth(shared_data) if manageable(row)]
    assert len(rows) >= 40
    assert {row.t for row in rows if row.metric == "p_wait_gt_t"} == {0.0, 0.01, 0.1, 1.0}
    assert {row.offered for row in rows} == set(TIME)
    assert sum(row.metric == "mean_wait" for row in rows) >= 8
    assert set(FROZEN) <= set(rows)


def ground_truth(folder: Path) -> list[Row]:
    with (folder / "ground_truth_mmc.csv").open() as file:
        lines = csv.reader(line for line in file if not line.startswith("#"))
        next(lines)
        return [
            Row(m, float(a), float(t or 0), float(p), int(n), *map(float, v))
            for m, a, t, p, n, *v, _, _ in lines
        ]


@pytest.mark.parametrize("gang", [2, 7, 64])
def test_gangs_of_one_size_need_that_size_times_the_smallest_center(gang: int) -> None:
    row = FROZEN[0]
    center = {"seed": seed("gangs"), "limits": [0.0, 0.1], "warm_up": 50.0, "count": 500.0, "cool_down": 20.0}
    single, gangs = (queue(Poisson(row.offered, gpus={g: 1.0}), **center) for g in (1, gang))
    for size in (row.smallest, row.smallest - 1):
        one = run_batch(single, np.arange(8), size)
        for spare in (0, gang - 1):  # GPUs that make no whole gang are of no use
            many = run_batch(gangs, np.arange(8), gang * size + spare)
            assert np.array_equal(one.slo, many.slo)
            assert np.array_equal(one.counts, many.counts)
            assert np.array_equal(one.sums * [1, 1, gang], many.sums)


# ---- bounds, priorities, loss ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("servers", "places", "offered", "time"), [(1, 5, 0.8, 20_000), (4, 10, 3.2, 6000), (8, 16, 12.0, 1000)]
)
def test_bounded_queue_is_mmck(servers: int, places: int, offered: float, time: float) -> None:
    exact = queueing.loss_queue(servers, places, offered)
    policy = Policy(max_waiting=places - servers)
    spec = queue(
        Poisson(offered), seed=seed("mmck", servers), warm_up=100.0, count=time, cool_down=50.0, policy=policy
    )
    runs = replicate(spec, servers, 32)
    agree(runs.lost(), exact.blocking, within=0.05)
    agree(runs.wait(), exact.mean_wait, within=0.03)
    agree(ratio(runs.integral("waiting_jobs"), time), exact.mean_waiting, within=0.03)
    assert runs.result.extremes[:, 0].max() == places - servers


@pytest.mark.parametrize(
    ("servers", "loads", "relaxations", "within"),
    [
        (1, (0.4, 0.4), 150, 0.08),
        (8, (2.4, 4.8), 60, 0.2),
        (64, (16.0, 41.6), 50, 0.2),
        (8, (1.6, 2.4, 3.2), 60, 0.2),
    ],
    ids=["one server", "two classes", "many servers", "three classes"],
)
def test_tiers_wait_as_in_a_priority_queue(
    servers: int, loads: tuple[float, ...], relaxations: float, within: float
) -> None:
    exact = queueing.priority_mean_waits(servers, loads)
    tau = relaxation(servers, sum(loads))
    streams = [Poisson(load, tier=-rank) for rank, load in enumerate(loads)]
    windows = steady(tau, relaxations, cool_down=30.0 * (tau + 1.0))
    spec = queue(*streams, seed=seed("priority", servers, loads), **windows)
    runs = replicate(spec, servers, 32)
    for rank, wait in enumerate(exact):
        agree(runs.wait(rank), wait, within=within)


def test_tiers_with_unlike_service_times_wait_as_cobham_says() -> None:
    urgent = Poisson(0.3, Exponential(1.0), tier=1)
    patient = Poisson(0.2, Exponential(2.0), tier=0)
    spec = queue(urgent, patient, seed=seed("cobham"), warm_up=500.0, count=20_000.0, cool_down=1000.0)
    runs = replicate(spec, 1, 32)
    agree(runs.wait(0), 1.571428571, within=0.05)
    agree(runs.wait(1), 5.238095238, within=0.08)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("servers", "sizes", "loads", "time"),
    [
        (8, (1, 8), (2.0, 0.25), 4000.0),
        (64, (1, 8, 32), (16.0, 2.0, 0.5), 800.0),
        pytest.param(1024, (1, 8, 64, 256), (100.0, 40.0, 5.0, 0.5), 1500.0, marks=pytest.mark.slow),
    ],
)
def test_lost_gangs_depend_on_the_service_law_only_through_its_mean(
    servers: int, sizes: tuple[int, ...], loads: tuple[float, ...], time: float, law: str
) -> None:
    exact = queueing.gang_loss(servers, sizes, loads)
    streams = [Poisson(load, LAWS[law], {size: 1.0}) for size, load in zip(sizes, loads, strict=True)]
    policy = Policy(max_waiting=0)
    spec = queue(
        *streams, seed=seed("loss", servers, law), warm_up=50.0, count=time, cool_down=1.0, policy=policy
    )
    runs = replicate(spec, servers, 32)
    for job_class, blocking in enumerate(exact.blocking):
        agree(runs.lost(job_class), blocking, within=0.12)
    agree(ratio(runs.integral("allocated"), time * servers), exact.occupancy, within=0.02)
    assert not runs.result.extremes[:, 0].any()


# ---- gangs in order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "share", "waits"),
    [
        (0.5, 0.5, (0.70066293, 0.58499066, 0.81633520)),
        (0.8, 0.5, (2.15337732, 1.97342131, 2.33333333)),
        (1.2, 0.9, (1.54724175, 1.47472870, 2.19985920)),
    ],
)
def test_gangs_in_order_wait_as_the_markov_chain_says(
    rate: float, share: float, waits: tuple[float, float, float]
) -> None:
    center = {"seed": seed("gang wait", rate), "warm_up": 200.0, "count": 8000.0, "cool_down": 200.0}
    small, big = Poisson(rate * share), Poisson(rate * (1.0 - share), gpus={2: 1.0})
    apart = replicate(queue(small, big, **center), 2, 32)
    mixed = replicate(queue(Poisson(rate, gpus={1: share, 2: 1.0 - share}), **center), 2, 32)
    for estimate, wait in zip((apart.wait(), apart.wait(0), apart.wait(1)), waits, strict=True):
        agree(estimate, wait, within=0.1)
    agree(mixed.wait(), waits[0], within=0.1)


def critical_rate(gang: int, share: float, big_rate: float = 1.0) -> float:
    """Jobs a time that a center of `gang` GPUs can start in order, a share of one GPU and the rest of all GPUs.

    domain.md 9: one cycle from big job to big job, with H_g the g-th harmonic number.
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, gang + 1))])
    odds = share / (1.0 - share)
    few = sum(share**g * (1.0 - share) * harmonic[g] for g in range(gang))
    cycle = 1.0 / big_rate + few + share**gang * (harmonic[gang] + odds / gang)
    return (1.0 + odds) / cycle


def two_sizes(rate: float, small: int, big: int, share: float, big_rate: float) -> tuple[Poisson, Poisson]:
    return (
        Poisson(rate * share, gpus={small: 1.0}),
        Poisson(rate * (1.0 - share), Exponential(1.0 / big_rate), {big: 1.0}),
    )


@pytest.mark.parametrize(
    ("gpus", "sizes", "share", "big_rate", "exact"),
    [
        (2, (1, 2), 0.5, 1.0, 1.142857143),
        (8, (1, 8), 0.9, 1.0, 2.836792002),
        (8, (1, 8), 0.9, 0.25, 1.532541533),
        (64, (1, 64), 0.99, 1.0, 16.652005739),
        (10, (1, 4), 0.8, 1.0, 5.710820021),
        (10, (3, 10), 0.5, 1.0, 1.170731707),
        (64, (1, 32), 0.95, 0.5, 11.019543191),
        pytest.param(1024, (1, 1024), 0.999, 1.0, 124.261342974, marks=pytest.mark.slow),
    ],
)
def test_overloaded_center_starts_gangs_in_order_at_the_critical_rate(
    gpus: int, sizes: tuple[int, int], share: float, big_rate: float, exact: float
) -> None:
    if sizes == (1, gpus):
        assert critical_rate(gpus, share, big_rate) == pytest.approx(exact, abs=6e-10)
    streams = two_sizes(1.3 * exact, *sizes, share, big_rate)
    starts = max(10_000.0, (400.0 if gpus < 1000 else 250.0) / (1.0 - share))
    begin, end = 100.0, 100.0 + starts / exact
    started = [
        replicate(queue(*streams, seed=seed("saturated", gpus, sizes, share), count=time), gpus, 32).count(
            "started"
        )
        for time in (begin, end)
    ]
    agree(ratio(started[1] - started[0], end - begin), exact, within=0.05)


@pytest.mark.parametrize(("gang", "share"), [(2, 0.5), (8, 0.9)])
def test_queue_of_gangs_stays_below_the_critical_rate_and_grows_above_it(gang: int, share: float) -> None:
    critical, time = critical_rate(gang, share), 5000.0
    growth = {}
    for factor in (0.95, 1.05):
        spec = queue(
            *two_sizes(factor * critical, 1, gang, share, 1.0), seed=seed("stable", gang), count=time
        )
        growth[factor] = ratio(replicate(spec, gang, 32).count("waiting"), time).value / (0.05 * critical)
    assert growth[0.95] < 0.15
    assert 0.8 < growth[1.05] < 1.3


# ---- policies -------------------------------------------------------------------------------------------------------


def waits(policy: Policy, jobs: Jobs, gpus: int) -> list[int]:
    records = run_batch(RunSpec(jobs, policy=policy), 0, gpus, records=True).records
    assert records is not None
    return (records.start - records.submit).tolist()


@pytest.mark.parametrize(
    ("gpus", "easy", "fifo"),
    [
        (4, [0, 9, 10, 11], [0, 9, 10, 11]),
        (5, [0, 9, 100, 0], [0, 9, 10, 11]),
        (6, [0, 0, 9, 1], [0, 0, 9, 9]),
        (7, [0, 0, 1, 2], [0, 0, 1, 2]),
        (8, [0, 0, 1, 2], [0, 0, 1, 2]),
    ],
)
def test_one_more_gpu_can_make_a_job_wait_a_hundred_times_longer_under_easy(
    gpus: int, easy: list[int], fifo: list[int]
) -> None:
    jobs = Jobs(submit=[0, 1, 1, 1], gpus=[3, 3, 4, 2], service=[10, 1, 1, 100])  # statistics.md 8
    assert waits(Policy(1), jobs, gpus) == easy
    assert waits(Policy(1, always_profile=True), jobs, gpus) == easy
    assert waits(Policy(NONE), jobs, gpus) == fifo


@pytest.mark.parametrize("law", LAWS)
def test_backfill_changes_nothing_where_every_job_takes_one_gpu(law: str) -> None:
    def run(policy: Policy) -> Replications:
        stream = Poisson(10.0, LAWS[law], longest=4.0)
        center = {"warm_up": 20.0, "count": 150.0, "cool_down": 20.0, "limits": [0.0, 1.0]}
        return replicate(queue(stream, seed=seed("single"), policy=policy, **center), 11, 4)

    fifo = run(Policy(NONE)).result
    assert fifo.sums[:, 0, 0].min() > 100 * UNIT  # there was something to wait for
    for policy in (Policy(1), Policy(1, always_profile=True), Policy(4), Policy(SKIP), Policy(ALL)):
        other = run(policy).result
        for name in ("counts", "sums", "slo", "integrals", "extremes", "jobs"):
            assert np.array_equal(getattr(fifo, name), getattr(other, name)), (policy, name)


def test_worst_deviation_of_all_checks_is_within_the_interval(summary_line: Callable[[str], None]) -> None:
    worst = max(map(abs, DEVIATIONS), default=0.0)
    summary_line(f"theory: {len(DEVIATIONS)} checks, worst |z| {worst:.2f} (an interval ends at 3.29)")
    assert worst < 3.3
