"""The configurations on which a device must give the host's integers, each with a name; seeds are fixed.

What a run can be is covered feature by feature on stored and generated jobs, then all at once by random centers (those
of `tests/generators.py`). Nothing here needs more than NumPy and the engine, so that a bare machine can run it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpusim.engine.spec import (
    ALL,
    FAIR_TREE,
    FAIRSHARE,
    MULTIFACTOR,
    NONE,
    SJF,
    SKIP,
    SLOWDOWN,
    TURNAROUND,
    TURNED_AWAY,
    WAIT,
    WEIGHTED_SHARE,
    ClassTable,
    Closures,
    Fairness,
    Policy,
    RunSpec,
    SloTable,
    Windows,
)
from gpusim.workload.distributions import Exponential
from gpusim.workload.jobs import Jobs
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator
from workloads import HOUR, center_mix, mmc, shared_mix

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
import generators

FAIR_ORDERS = {
    "fair share": FAIRSHARE,
    "fair tree": FAIR_TREE,
    "multifactor": MULTIFACTOR,
    "weighted share": WEIGHTED_SHARE,
}
POLICIES = {"FIFO": NONE, "EASY": 1, "skip": SKIP, "K=2": 2, "K=4": 4, "all": ALL}
MANY = 256
"""Cells of a configuration on a device: more than one per multiprocessor, fewer than one per worker."""
RANDOM_CENTERS = (0, 1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18)
"""Seeds; 0 has no jobs, the others have hundreds."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Configuration:
    """One batch.

    Parameters
    ----------
    name : str
        What a failure is reported by.
    spec : callable
        Makes the spec anew, so that no engine knows how much room another one has needed.
    gpus : tuple
        Capacities that the cells take in turn [GPU], rows of them where there are pools.
    cells : int
        How many cells there are on a device.
    columns : mapping
        Further columns of the cells, the same for all.
    options : mapping
        Options of `run_batch`: what is kept, and the first room.
    reruns : bool
        The room is so small that runs must be repeated: if none was, the configuration has not tested what it is for.
    """

    name: str
    spec: Callable[[], RunSpec]
    gpus: tuple[Any, ...]
    cells: int = MANY
    columns: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    reruns: bool = False

    def batch(self, most: int | None = None) -> tuple[RunSpec, dict[str, Any]]:
        """The spec, and the arguments of `run_batch` for at most so many cells."""
        spec, n = self.spec(), self.cells if most is None else min(self.cells, most)
        rows = [self.gpus[i % len(self.gpus)] for i in range(n)]
        number = np.arange(n) % len(spec.tables) if spec.tables else np.arange(n)
        first = self.columns.get("replication", 0)
        others = {name: value for name, value in self.columns.items() if name != "replication"}
        cells = {"replication": number + first, "gpus": np.array(rows, np.int32), **others}
        return spec, {**cells, **self.options}


# ---- stored jobs -------------------------------------------------------------------------------------------------


def jobs(seed: int, n: int, *, classes: int = 3, largest: int = 32, chains: bool = False) -> Jobs:
    """So many jobs of 1 to `largest` GPUs that about fill 40 GPUs; ties, and requests that are too long, on purpose.

    With chains, each third job waits for the one before it.
    """
    draw = np.random.default_rng([2026, seed])
    size = np.minimum(draw.integers(1, 9, n) * draw.choice([1, 1, 2, 4], n), largest)
    service = np.ceil(draw.exponential(60.0, n)).astype(np.int64)
    gap = float((size * service).mean()) / 40 if n else 1.0
    submit = np.sort(draw.integers(0, 1 + int(gap * n) // 5, n)) * 5
    after = np.full(n, -1)
    delay = np.zeros(n, np.int64)
    if chains:
        after[1::3] = np.arange(n)[:-1:3][: len(after[1::3])]
        delay[1::3] = draw.integers(0, 40, len(delay[1::3]))
    return Jobs(
        submit=submit,
        service=service,
        limit=service * draw.integers(1, 4, n),
        gpus=size.astype(np.int32),
        job_class=draw.integers(0, classes, n),
        after=after,
        delay=delay,
    )


def stored(policy: Policy, *, n: int = 400, tables: int = 3, **parts: Any) -> RunSpec:
    """Three tables of jobs of three classes; `parts` are columns of the classes, and kinds of jobs."""
    kinds = {name: parts.pop(name) for name in ("largest", "chains") if name in parts}
    slos = parts.pop("slos", None)
    columns = {"tier": [0, 0, 0], "tenant": [0, 0, 1], "patience": [-1, -1, -1], "tenants": 2} | parts
    windows = Windows(400, 4000, 6000, day=480, week_phase=100)
    workloads = [jobs(k, n, **kinds) for k in range(tables)]
    return RunSpec(workloads, ClassTable(**columns), policy, windows, slos or levels([WAIT, WAIT]))


def levels(metrics: list[int], *, scoped: bool = False) -> SloTable:
    """A level of each metric for three classes, some for certain sizes, hours and days only."""
    n = len(metrics)
    limit = [[1500] * 3 if metric == SLOWDOWN else [20, 90, 400] for metric in metrics]
    scope = {"gpus_low": [2] * n, "hours_from": [400] * n, "hours_to": [100] * n, "days": [31] * n}
    shares = [900_000 - 50_000 * k for k in range(n)]
    bound = [10] * n
    member = np.array([[k % 3 != c or n < 3 for c in range(3)] for k in range(n)], bool)
    return SloTable(limit, shares, member, metric=metrics, bound=bound, **(scope if scoped else {}))


EVERY_METRIC = (WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY)
ROOM = (24, 32, 40, 41, 64)
"""Capacities around that of the stored jobs [GPU]; some gangs do not fit the smallest."""


def of_stored() -> Iterator[Configuration]:
    """Feature by feature."""

    def case(name: str, policy: Policy, gpus: tuple[Any, ...] = ROOM, **given: Any) -> Configuration:
        own = {k: given.pop(k) for k in ("cells", "options", "reruns") if k in given}
        return Configuration(f"stored, {name}", partial(stored, policy, **given), gpus, **own)

    for name, backfill in POLICIES.items():
        yield case(name, Policy(backfill))
        yield case(f"sjf, {name}", Policy(backfill, order=SJF))
        yield case(f"tiers, {name}", Policy(backfill), tier=[0, 2, 1])
    for backfill, period in ((NONE, 7), (1, 60), (4, 13)):
        yield case(f"pass every {period} ticks, backfill {backfill}", Policy(backfill, period=period))
    for backfill, window in ((1, 0), (4, 50), (ALL, 200)):
        yield case(f"window {window}, backfill {backfill}", Policy(backfill, window=window))
    for backfill, tests in ((1, 2), (SKIP, 5), (4, 20), (NONE, 1)):
        yield case(f"max_tests {tests}, backfill {backfill}", Policy(backfill, max_tests=tests))
    yield case("max_waiting of the center", Policy(1, max_waiting=6))
    yield case("max_waiting of a tenant", Policy(NONE, tenant_max_waiting=(4, 1)))
    yield case("both max_waiting, K=4", Policy(4, max_waiting=9, tenant_max_waiting=(7, 2)))
    yield case("patience, FIFO", Policy(), patience=[0, 30, -1])
    yield case("patience, EASY", Policy(1), patience=[5, 60, 200])
    yield case("patience and period, K=4", Policy(4, period=20), patience=[5, 60, -1])
    for name in ("FIFO", "EASY", "all"):
        yield case(f"chains, {name}", Policy(POLICIES[name]), chains=True)
    yield case("chains, sjf, max_waiting", Policy(1, order=SJF, max_waiting=3), chains=True)
    yield case("runs outlast their limits", Policy(1, kill_at_limit=False))
    yield case("EASY by the general profile", Policy(1, always_profile=True))
    yield case("FIFO by events", Policy(always_events=True))
    two, three = ((20, 20), (32, 9), (0, 40)), ((16, 16, 16), (32, 8, 1))
    pair: dict[str, Any] = {"pools": ((0, 1), (1,), (1, 0)), "n_pools": 2}
    trio: dict[str, Any] = {"pools": ((2, 0, 1), (0, 1), (1, 2)), "n_pools": 3}
    for name, backfill in POLICIES.items():
        yield case(f"two pools, {name}", Policy(backfill), two, **pair)
    yield case("three pools, tiers, EASY", Policy(1), three, tier=[1, 0, 2], **trio)
    yield case("three pools, sjf, chains", Policy(1, order=SJF), three, chains=True, **trio)
    every = levels(list(EVERY_METRIC) * 2)
    yield case("levels of every metric", Policy(1), slos=every, killed_ok=np.array([True, False, True]))
    yield case("levels with a scope", Policy(), slos=levels(list(EVERY_METRIC), scoped=True))
    for name in ("FIFO", "EASY", "K=4"):
        yield case(f"histogram, {name}", Policy(POLICIES[name]), options={"histogram": True})
    for name in ("FIFO", "EASY", "all"):
        yield case(f"early, {name}", Policy(POLICIES[name]), slos=every, options={"early": True})
    for name, backfill in POLICIES.items():
        kept = {"records": True}
        yield case(f"records, {name}", Policy(backfill), (40,), cells=1, options=kept)
    yield case(
        "records, pools", Policy(1), ((24, 24),), chains=True, cells=1, options={"records": True}, **pair
    )
    tiny = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4, "held_slots": 32, "chain_slots": 1}
    for name in ("FIFO", "EASY", "K=4"):
        many: dict[str, Any] = {"n": 1200, "largest": 2, "options": tiny, "reruns": True}
        yield case(f"tiny rooms, {name}", Policy(POLICIES[name]), (32, 40), **many)
    yield case("tiny rooms, chains", Policy(1), (30,), n=900, chains=True, options=tiny, reruns=True)
    for n in (1, 31, 33, 63, 65):
        yield case(f"{n} jobs", Policy(1), n=n)
    yield case("no GPU at all", Policy(1), (0, 1))
    yield case("one run", Policy(1), (40,), cells=1)
    yield case("33 runs", Policy(4), cells=33)


# ---- generated jobs ----------------------------------------------------------------------------------------------


def mix(policy: Policy, jobs: int, load: float = 0.95) -> RunSpec:
    return replace(center_mix(jobs, load=load), policy=policy)


def of_generated() -> Iterator[Configuration]:
    """The mix of the 10,000-GPU center, single servers, many tiny runs, and centers of every kind of source."""
    around = (9_000, 9_500, 10_000, 10_001)
    for name, backfill in POLICIES.items():
        spec = partial(mix, Policy(backfill), *((800, 2.0) if backfill in (2, 4, ALL) else (3000, 0.95)))
        yield Configuration(f"mix, {name}", spec, around)
    yield Configuration("mix, EASY, sjf", partial(mix, Policy(1, order=SJF), 2000), around)
    kept = {"records": True}
    yield Configuration("mix, EASY, records", partial(mix, Policy(1), 5000), (10_000,), cells=1, options=kept)
    yield Configuration("mix, FIFO, records", partial(mix, Policy(), 5000), (10_000,), cells=1, options=kept)
    demand = {"demand_ppm": 1_300_000, "replication": (1 << 32) - 2 * MANY}
    yield Configuration("mix, EASY, more demand", partial(mix, Policy(1), 1500), around, columns=demand)
    yield Configuration("M/M/100", partial(mmc, 100, 0.95, 3000), (95, 100, 105))
    yield Configuration("M/M/100 by events", partial(single, Policy(always_events=True)), (95, 100, 105))
    yield Configuration("M/M/100, chains", partial(mmc, 100, 0.9, 1000, segment=30_000), (95, 100, 105))
    yield Configuration("M/M/3000, EASY", partial(wide, Policy(1)), (2990, 3000), cells=32)
    yield Configuration("100,000 runs of 20 jobs", partial(mmc, 3, 0.9, 20), (2, 3, 4), cells=100_000)
    tiny = {"running_slots": 32, "queue_slots": 4}
    crowd = partial(wide, Policy(1), 1.3)
    yield Configuration("M/M/3000, tiny rooms", crowd, (2500,), cells=8, options=tiny, reruns=True)
    for seed in RANDOM_CENTERS:
        yield random_center(seed)


def single(policy: Policy) -> RunSpec:
    return replace(mmc(100, 0.95, 3000), policy=policy)


def wide(policy: Policy, utilization: float = 0.98) -> RunSpec:
    """Thousands of running jobs: more than any shared memory holds."""
    return replace(mmc(3000, utilization, 9000), policy=policy)


def random_center(seed: int) -> Configuration:
    """Every kind of source, policy and level at once."""
    question = generators.random_generator(seed)
    rng = random.Random(f"capacities of {seed}")
    pools = generators.random_center(question, seed).classes.n_pools
    rows = tuple(map(tuple, generators.random_capacities(rng, pools, 5).tolist()))
    columns = {"replication": min(question.replication, (1 << 32) - MANY), **question.cell}
    spec = partial(generators.random_center, question, seed)
    return Configuration(f"random center {seed}", spec, rows, columns=columns, options={"histogram": True})


# ---- shared centers ----------------------------------------------------------------------------------------------


def of_shared() -> Iterator[Configuration]:
    """Tenants that borrow, reclaim and evict, under every policy."""

    def case(name: str, policy: str, gpus: tuple[int, ...] = (1100, 1300), **given: Any) -> Configuration:
        tenants = given.pop("tenants", 3)
        make = partial(shared_mix, 600, tenants=tenants, load=0.95, backfill=POLICIES[policy], gpus=1200)
        return Configuration(f"shared, {name}{policy}", make, gpus, **{"cells": 64, **given})

    for policy in POLICIES:
        yield case("", policy, options={"causes": True})
    yield case("40 tenants, ", "skip", tenants=40)
    for policy in ("skip", "EASY"):
        yield case("records, ", policy, (1200,), cells=1, options={"records": True, "causes": True})
        yield case("early, ", policy, options={"early": True})
    tiny = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4, "held_slots": 32, "chain_slots": 1}
    yield case("tiny rooms, ", "K=4", options=tiny, reruns=True)
    for name, order in FAIR_ORDERS.items():
        make = partial(in_order, order)
        yield Configuration(f"shared, {name}", make, (1100, 1300), cells=64, options={"causes": True})
    for policy in ("FIFO", "skip", "EASY", "K=4"):
        make = partial(agreed, policy)
        yield Configuration(
            f"shared, agreements, {policy}", make, (1100, 1300), cells=64, options={"causes": True}
        )


def in_order(order: int) -> RunSpec:
    """Fair orders: five tenants in two accounts, whose users have limits."""
    spec = shared_mix(600, tenants=5, load=0.95, gpus=1200)
    assert spec.sharing is not None
    users = {"users": np.full(5, 8), "user_max_gpus": np.full(5, 512), "user_max_jobs": np.full(5, 6)}
    fairness = Fairness(
        weight=np.array([5, 1, 3, 1, 2, 2, 1]),
        account_parent=np.array([5, 5, 6, 6, -1, -1, -1]),
        calc_period=HOUR,
        decay_q32=(1 << 32) * 9 // 10,
        w_age=1000,
        w_fairshare=2000,
        w_size=300,
        w_qos=100,
        max_age=24 * HOUR,
        qos=np.arange(len(spec.classes)) << 15,
    )
    sharing = replace(spec.sharing, borrowers_last=False, **users)
    sources = [replace(source, users=8) for source in generator_of(spec).sources]
    return replace(
        spec,
        jobs=replace(generator_of(spec), sources=tuple(sources)),
        policy=replace(spec.policy, order=order),
        sharing=sharing,
        fairness=fairness,
    )


def agreed(policy: str) -> RunSpec:
    """Jobs that wait for calls, leases that are taken back, and a reservation every day."""
    spec = shared_mix(600, tenants=3, load=0.95, backfill=POLICIES[policy], gpus=1200)
    hold = compile_table(Exponential(2.0 * HOUR), 1.0, 16)
    called = {"call_period": 6 * HOUR, "hold": hold, "claw_threshold": 1 << 30, "claw_after": HOUR}
    sources = [
        replace(source, **called) if k % 3 == 0 else source
        for k, source in enumerate(generator_of(spec).sources)
    ]
    start = np.arange(8 * HOUR, spec.windows.horizon, 24 * HOUR)
    closures = Closures(np.zeros(len(start), np.int64), start, start + 4 * HOUR, np.full(len(start), 300))
    generator = replace(generator_of(spec), sources=tuple(sources))
    policies = replace(spec.policy, kill_at_limit=True)
    return replace(spec, jobs=generator, policy=policies, closures=closures)


def generator_of(spec: RunSpec) -> Generator:
    assert isinstance(spec.jobs, Generator)
    return spec.jobs


def configurations() -> list[Configuration]:
    """All of them; no two have one name."""
    return [*of_stored(), *of_generated(), *of_shared()]


def named(name: str) -> Configuration:
    """The configuration of this name."""
    return next(each for each in configurations() if each.name == name)
