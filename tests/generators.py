"""Random generators of jobs for comparing engines: every kind of source, ties on purpose, tables at their edges.

Each is a pure function of a seed, as the centers of `cases` are. Tables are random monotone ones rather than compiled
laws: cheaper, and odder.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gpusim.engine.spec import (
    ALL,
    FIFO,
    NONE,
    SJF,
    SKIP,
    SLOWDOWN,
    TURNAROUND,
    TURNED_AWAY,
    WAIT,
    ClassTable,
    Policy,
    RunSpec,
    SloTable,
    Windows,
)
from gpusim.workload.alias import compile_alias
from gpusim.workload.quantile_table import NO_CAP, NO_CAP_FROM, NODES, QuantileTable
from gpusim.workload.source import MILLION, Generator, LimitMode, Source, source_key
from gpusim.workload.week_profile import WeekProfile, compile_profile

KINDS = ("plain", "batch", "scheduled", "renewal chain", "scheduled chain")
LARGEST = 12
"""Largest gang [GPU]."""


class Question(NamedTuple):
    """A generator, and which jobs of it are wanted."""

    generator: Generator
    classes: int
    horizon: int
    replication: int
    demand_ppm: int
    draw: int
    day: int

    @property
    def cell(self) -> dict[str, int]:
        """Demand and draw, as the door wants them."""
        return {"demand_ppm": self.demand_ppm, "draw": self.draw}


def random_generator(seed: int, jobs: int = 60) -> Question:
    """Up to five sources of about `jobs` jobs each over a horizon of 0 to some ten thousand ticks.

    With chains or batches in two of three sources, it is a few times as many jobs at most.
    """
    rng = random.Random(seed)
    horizon = rng.choice([1, 40, 700, 700, 5000, 5000, 5000, 30_000, 30_000])
    classes, k, draws = rng.randint(1, 4), rng.randint(1, 5), rng.choice([1, 1, 1, 3])
    demand_ppm = rng.choice([MILLION, MILLION, 300_000, 999_999, 1_000_001, 1_700_000, 4_000_000])
    week = 168 * rng.choice([1, 5, 60])
    profiles = tuple(random_profile(rng, week) for _ in range(rng.choice([0, 1, 2])))
    phase = rng.randrange(week) if profiles else 0
    rows, sources = np.zeros((draws, k), np.int32), []
    for column in range(k):
        job_class = rng.randrange(classes)
        variants = rng.randint(1, draws)
        of_column = [len(sources) + i for i in range(variants)]
        for _ in range(variants):
            fields = random_fields(rng, horizon, jobs, demand_ppm, profiles, phase)
            fields |= random_decisions(rng, horizon)
            key = source_key("tenant", f"class#{column}")
            sources.append(Source(key=key, job_class=job_class, name=f"t/c{column}", **fields))
        rows[:, column] = [rng.choice(of_column) for _ in range(draws)]
    demand = None
    if rng.random() < 0.3:  # a scale of 1/2 .. 2
        demand = random_table(rng, 32_768, 131_072, 0)
    generator = Generator(
        sources=tuple(sources),
        demand=demand,
        seed=rng.choice([0, 7, 2**64 - 1, rng.randrange(2**64)]),
        profiles=profiles,
        week_phase=phase,
        rows=rows,
    )
    replication = rng.choice([0, 1, 2**32 - 1, rng.randrange(2**32)])
    return Question(
        generator, classes, horizon, replication, demand_ppm, rng.randrange(draws), max(1, week // 7)
    )


def random_table(rng: random.Random, low: int, high: int, shift: int, bend: float = 1.0) -> QuantileTable:
    """Values rising from `low` to `high`; a large `bend` puts most of them near `low`."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    nodes = np.sort(low + (numbers.random(2 * NODES) ** bend * (high - low))).astype(np.int64)
    return QuantileTable(np.stack([nodes[:NODES], nodes[NODES:][::-1].copy()]), shift)


def random_profile(rng: random.Random, week: int) -> WeekProfile:
    """Bins without any arrivals among them."""
    bins = rng.choice([1, 7, 24, 168])
    return compile_profile([rng.choice([0, 0, 1, 5, 0.01]) for _ in range(bins - 1)] + [1], week)


def random_fields(
    rng: random.Random,
    horizon: int,
    jobs: int,
    demand_ppm: int,
    profiles: tuple[WeekProfile, ...],
    phase: int,
) -> dict[str, Any]:
    """What a source of a random kind has, but for its key, class and name."""
    kind = rng.choice(KINDS)
    longest = rng.choice([1, 3, 40, 1000])  # service [tick]
    shift = rng.choice([0, 1, 8, 20])
    service = random_table(rng, 0, longest << shift, shift, rng.choice([1.0, 4.0]))
    if rng.random() < 0.3:  # the cap may lie below, inside or above the table
        cap = rng.choice([0, longest << shift >> 1, 2 * longest << shift, NO_CAP >> 20 << shift % 20])
        from_word = rng.choice([0, 1, 1 << 31, (1 << 32) - 1, NO_CAP_FROM, rng.randrange(1 << 32)])
        service = QuantileTable(service.nodes, shift, min(cap, 3000 << shift), from_word)
    sizes = rng.choice([[1], [2, 1], [1, 2, 4, LARGEST], [1, 2, 3, 5, 8]])
    alias = random_alias(rng, sizes)
    active = rng.random() < 0.95
    fields: dict[str, Any] = {
        "active": active,
        "service": service,
        "gpus": alias["value"],
        "threshold": alias["threshold"],
        "alias": alias["alias"],
        "until_tick": rng.choice([-1, -1, 0, horizon // 2, horizon // 2, horizon, 3 * horizon // 4]),
        **random_limit(rng, longest),
    }
    arrivals = jobs
    if kind.endswith("chain"):
        whole = max(1, service.largest >> shift)
        parts = rng.choice([1, 3, 70, 200])
        fields["segment"] = max(1, whole // parts)
        fields["delay"] = rng.choice([0, 0, 1, 30])
        arrivals = max(1, jobs // (1 + whole // fields["segment"]))
    if kind.startswith("scheduled"):
        most = min(64, 64 * MILLION // max(demand_ppm, MILLION))
        return fields | {"events": random_events(rng, horizon, arrivals, most), "gap": _unused_gap()}
    if kind == "batch":
        size = random_alias(rng, rng.choice([[1], [1, 7], [1, 63, 64, 65], [3, 150, 2]]))
        fields |= {f"batch_{name}": size[part] for name, part in _BATCH.items()}
        fields["spread"] = rng.choice([0, 1, 7, horizon // 5, horizon // 2, 5 * horizon])
        fields["common"] = rng.choice([0, 1, 32_767, 32_768, 40_000, 65_535])
        arrivals = max(1, 2 * jobs // int(size["value"].max()))
    if profiles and rng.random() < 0.7:
        fields["profile"] = rng.randrange(len(profiles))
    fields["from_tick"] = rng.choice([0, 0, 0, horizon // 3, horizon, rng.randint(0, horizon)])
    gap_shift = rng.choice([8, 8, 13, 20] if "profile" in fields else [0, 4, 8, 20])
    if "profile" in fields:
        start = profiles[fields["profile"]].operational(phase + fields["from_tick"])
        fields["profile_start"] = start
    mean = max(1, (horizon << gap_shift) // max(arrivals, 1))
    fields["gap"] = random_table(rng, 16, 2 * mean + 64, gap_shift, rng.choice([1.0, 3.0]))
    return fields


def random_decisions(rng: random.Random, horizon: int) -> dict[str, Any]:
    """Calls, a time to decide, users and claw-back, of a source of any kind; most have none of them."""
    fields: dict[str, Any] = {}
    if rng.random() < 0.2:
        period = rng.choice([1, 7, 100, horizon + 1])
        fields |= {"call_period": period, "call_phase": rng.randrange(-3 * period, period)}
    if rng.random() < 0.2:
        shift, longest = rng.choice([0, 1, 8, 20]), rng.choice([1, 30, 400])
        hold = random_table(rng, 0, longest << shift, shift, rng.choice([1.0, 4.0]))
        cap_from = rng.choice([NO_CAP_FROM, NO_CAP_FROM, 0, 1 << 31])
        fields["hold"] = QuantileTable(hold.nodes, shift, longest << shift >> 1, cap_from)
    if rng.random() < 0.2:
        fields["users"] = rng.choice([2, 3, 1000, 1 << 28])
    if rng.random() < 0.2:
        threshold = rng.choice([1, 1 << 30, 1 << 31, 1 << 32])
        fields |= {"claw_threshold": threshold, "claw_after": rng.choice([1, 5, 300, 10_000])}
    return fields


_BATCH = {"sizes": "value", "threshold": "threshold", "alias": "alias"}


def _unused_gap() -> QuantileTable:
    return QuantileTable(np.zeros((2, NODES), np.int64), 0)


def random_alias(rng: random.Random, outcomes: list[int]) -> Mapping[str, Any]:
    """Outcomes with random shares as an alias table."""
    weights = [rng.choice([0.001, 1.0, rng.random()]) for _ in outcomes]
    table = compile_alias(outcomes, [weight / sum(weights) for weight in weights])
    return {"value": table.gpus, "threshold": table.threshold, "alias": table.alias}


def random_events(rng: random.Random, horizon: int, jobs: int, most: int) -> np.ndarray[Any, Any]:
    """Events that touch but do not overlap, some of them empty, some all at one tick."""
    rows, tick = [], rng.choice([0, horizon // 7])
    while jobs > 0 and len(rows) < 40:
        count, within = (
            rng.choice([0, 1, 2, min(20, most), most]),
            rng.choice([0, 0, 1, 3, 50, 1 + horizon // 9]),
        )
        rows.append((tick, within, count))
        tick += within + rng.choice([0, 0, 1, horizon // 20])
        jobs -= count
    return np.array(rows or [(0, 0, 1)], dtype=np.int64)


def random_limit(rng: random.Random, longest: int) -> dict[str, Any]:
    """A limit of every mode; those to round up to may all be shorter than the service time."""
    mode = rng.choice([*LimitMode, LimitMode.FACTOR])
    if mode == LimitMode.FIXED:
        return {"limit_mode": mode, "limit_a": rng.choice([1, longest, 3 * longest])}
    choices = sorted({rng.choice([1, 2, 5, longest, 2 * longest, 100]) for _ in range(rng.randint(1, 4))})
    if mode == LimitMode.FACTOR:
        low = rng.choice([1, 32_768, 65_536, 65_537])
        fields = {"limit_mode": mode, "limit_a": low, "limit_b": low + rng.choice([0, 1, 65_536, 300_000])}
        return fields | ({"choices": np.array(choices, np.int64)} if rng.random() < 0.5 else {})
    if mode == LimitMode.PICK:
        rng.shuffle(choices)
        table = random_alias(rng, choices)
        picked = table["value"].astype(np.int64)
        return {
            "limit_mode": mode,
            "choices": picked,
            "choice_threshold": table["threshold"],
            "choice_alias": table["alias"],
        }
    return {"limit_mode": mode}


# ---- a center for the jobs --------------------------------------------------------------------------------------


def random_center(question: Question, seed: int) -> RunSpec:
    """A center of one to three pools in which the jobs of a question meet every policy and metric."""
    rng = random.Random(f"center of {seed}")
    pools, n = rng.choice([1, 1, 2, 3]), question.classes
    horizon = question.horizon
    warm_up = rng.choice([0, 0, horizon // 10])
    count_end = max(warm_up, rng.choice([horizon, horizon // 2, 3 * horizon // 4]))
    tenants = 2
    return RunSpec(
        question.generator,
        ClassTable(
            [rng.choice([0, 0, 1]) for _ in range(n)],
            [rng.randrange(tenants) for _ in range(n)],
            [rng.choice([-1, -1, -1, 0, 5, horizon // 50]) for _ in range(n)],
            tenants,
            killed_ok=np.array([rng.random() < 0.5 for _ in range(n)], bool),
            pools=tuple(tuple(rng.sample(range(pools), rng.randint(1, pools))) for _ in range(n)),
            n_pools=pools,
        ),
        Policy(
            rng.choice([NONE, SKIP, ALL, 1, 1, 1, 2, 4]),
            kill_at_limit=rng.random() < 0.7,
            max_waiting=rng.choice([-1, -1, -1, 30]),
            tenant_max_waiting=rng.choice([(), (), (20, -1)]),
            order=rng.choice([FIFO, FIFO, SJF]),
            window=rng.choice([-1, -1, 0, 20, 1000]),
            max_tests=rng.choice([-1, -1, 1, 5, 100]),
            period=rng.choice([1, 1, 1, 2, 60]),
        ),
        Windows(warm_up, count_end, horizon, day=question.day, week_phase=question.generator.week_phase),
        random_levels(rng, n, horizon, question.day),
    )


def random_levels(rng: random.Random, classes: int, horizon: int, day: int) -> SloTable:
    """Up to five levels of any metric and scope."""
    s = rng.randint(0, 5)
    metric = [rng.choice([WAIT, WAIT, TURNAROUND, TURNAROUND, SLOWDOWN, TURNED_AWAY]) for _ in range(s)]
    scoped = rng.random() < 0.5
    hours = [rng.randrange(day) if scoped else 0 for _ in range(2 * s)]
    limits = {
        SLOWDOWN: [1000, 1500, 3000, 20_000, 500_000],
        TURNAROUND: [10, 300, 1000, 5000, horizon // 3, horizon],
    }
    ticks = [0, 1, 10, 100, 1000, horizon]
    return SloTable(
        np.array(
            [[rng.choice(limits.get(m, ticks)) for _ in range(classes)] for m in metric], np.int64
        ).reshape(s, classes),
        [rng.choice([0, 300_000, 500_000, 900_000, 990_000, MILLION]) for _ in range(s)],
        np.array([[rng.random() < 0.7 for _ in range(classes)] for _ in range(s)], bool).reshape(s, classes),
        metric=metric,
        bound=[rng.choice([1, 10, 100]) for _ in range(s)],
        gpus_low=[rng.choice([1, 1, 2]) for _ in range(s)],
        gpus_high=[rng.choice([LARGEST, LARGEST, 4]) for _ in range(s)],
        hours_from=hours[:s],
        hours_to=hours[s:],
        days=[rng.choice([127, 127, 31, 96]) for _ in range(s)],
    )


def random_capacities(rng: random.Random, pools: int, cells: int) -> np.ndarray[Any, Any]:
    """Capacities of (cells, P) from nothing to plenty [GPU]."""
    sizes = [0, 2, LARGEST, LARGEST, 16, 24, 40, 100, 1000]
    return np.array([[rng.choice(sizes) for _ in range(pools)] for _ in range(cells)], np.int32)
