"""Generated jobs: the engine's sources equal the plain generator bit by bit, and stored equals generated."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from generators import KINDS, Question, random_capacities, random_center, random_generator
from gpusim.engine import cpu
from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.reference_generator import generate
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import ALL, ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import MILLION, Generator, LimitMode, Source, source_key
from sources import batches, events, make_source, one

SIZES = {"a": ([1], [1.0]), "b": ([1, 2, 8], [0.5, 0.3, 0.2]), "c": ([4, 3], [0.9, 0.1])}
RUNS = {"a": Exponential(300.0), "b": LogNormal(600.0, 1.5, cap=7200.0), "c": Deterministic(1000.0)}
LIMITS = {
    "a": (LimitMode.EXACT, 0, 0),
    "b": (LimitMode.FACTOR, 65536, 4 * 65536),
    "c": (LimitMode.FIXED, 900, 0),
}
HORIZON = 200_000
COLUMNS = ("submit", "service", "limit", "gpus", "job_class", "after", "delay", "user")
ROWS = ("counts", "sums", "slo", "passed", "pool_gpu_ticks", "integrals", "extremes", "jobs", "histogram")
RECORDS = ("submit", "eligible", "start", "end", "gpus", "job_class", "pool", "outcome")
SEEDS = st.integers(0, 2**63)


def same(a: BatchResult, b: BatchResult, fields: tuple[str, ...] = ROWS) -> list[str]:
    """Fields in which two results differ, those of their records among them."""
    found = [name for name in fields if not np.array_equal(getattr(a, name), getattr(b, name))]
    if a.records is not None and b.records is not None:
        found += [n for n in RECORDS if not np.array_equal(getattr(a.records, n), getattr(b.records, n))]
    return found


# ---- every kind of source -----------------------------------------------------------------------------------------


def check_jobs(seed: int) -> None:
    """The jobs of one random generator, and their number."""
    question = random_generator(seed)
    expected = generate(question.generator, question.replication, question.horizon, **question.cell)
    spec = random_center(question, seed)
    where = (question.replication, question.draw, question.demand_ppm)
    found = cpu.generate(spec, *where)
    for name in COLUMNS:
        assert found[name].dtype == expected[name].dtype, name
        assert np.array_equal(found[name], expected[name]), name
    assert cpu.count_jobs(spec, *where) == len(expected["submit"])


@settings(max_examples=60)
@given(seed=SEEDS)
@pytest.mark.slow
def test_jobs_of_random_sources_equal_the_plain_generator_s(seed: int) -> None:
    check_jobs(seed)


@pytest.mark.slow
@settings(max_examples=800)
@given(seed=SEEDS)
def test_jobs_of_hundreds_of_random_generators_equal_the_plain_generator_s(seed: int) -> None:
    check_jobs(seed)


def features(question: Question) -> set[str]:
    """What is odd about a generator."""
    found = {
        "scaled demand": question.demand_ppm != MILLION,
        "uncertain demand": question.generator.demand is not None,
        "several draws": question.generator.draws > 1,
    }
    for source in question.generator.of_draw(question.draw):
        if not source.active:
            continue
        arrivals = "scheduled" if source.is_scheduled else "renewal"
        kind = f"{arrivals} chain" if source.is_chain else "scheduled" if source.is_scheduled else "plain"
        found["batch" if source.is_batch else kind] = True
        found[f"limit {LimitMode(source.limit_mode).name}"] = True
        longest = source.longest_service()
        one_of = {
            "profile": source.profile >= 0,
            "empty bins": source.profile >= 0
            and bool((np.diff(question.generator.profiles[source.profile].cum) == 0).any()),
            "from": source.from_tick > 0,
            "until": -1 < source.until_tick < question.horizon,
            "cap": source.cap_from < 1 << 32,
            "rounded limit": source.limit_mode == LimitMode.FACTOR and len(source.choices) > 0,
            "common word": source.common > 0,
            "spread": source.spread > 0,
            "batch above a block": source.is_batch and int(source.batch_sizes.max()) > 64,
            "chain above a block": source.is_chain and longest > 64 * source.segment,
            "ties in an event": source.is_scheduled
            and bool(((source.events[:, 1] < source.events[:, 2]) & (source.events[:, 2] > 1)).any()),
            "calls": source.call_period > 0,
            "hold": source.hold is not None,
            "users": source.users > 1,
            "claw-back": source.claw_threshold > 0,
            "full event": source.is_scheduled and int(source.events[:, 2].max()) == 64,
        }
        found |= {name: True for name, there in one_of.items() if there}
    return {name for name, there in found.items() if there}


@pytest.mark.slow
def test_random_generators_have_every_feature() -> None:
    rng = random.Random(1)
    seen = Counter(name for _ in range(300) for name in features(random_generator(rng.randrange(2**63))))
    missing = {*KINDS, *(f"limit {mode.name}" for mode in LimitMode)} - set(seen)
    assert not missing
    assert len(seen) == 28
    assert min(seen.values()) >= 9, seen.most_common()[::-1][:5]


@pytest.mark.parametrize("count", [63, 64])
@pytest.mark.parametrize("factor", [1, 4])
def test_an_event_may_have_64_jobs_at_the_demand_of_the_run(count: int, factor: int) -> None:
    generator = one(make_source(**events((10, 7, count // factor))))
    spec = RunSpec(generator, windows=Windows(0, 100, 100))
    assert len(generate_jobs(spec, 0, demand_ppm=factor * MILLION)) == count // factor * factor


@pytest.mark.slow
def test_a_batch_of_a_million_jobs_and_a_chain_of_as_many_leave_in_order() -> None:
    many = {"gap": Deterministic(50.0), "service": Deterministic(10.0)}
    for fields in (batches({10**6: 1.0}, spread=10**5), {"segment": 10, "service": Deterministic(1e7)}):
        spec = RunSpec(one(make_source(**{**many, **fields})), windows=Windows(0, 60, 60))
        jobs = generate_jobs(spec, 0)
        assert (np.diff(jobs.submit) >= 0).all()
        if jobs.has_chains:
            assert len(jobs) == 10**6
            assert np.array_equal(jobs.after, np.arange(-1, 10**6 - 1))
        else:  # one job each tenth of a tick from tick 50 on
            assert len(jobs) == 100
            assert np.array_equal(jobs.submit, 50 + np.arange(100) // 10)


# ---- runs of generated jobs ---------------------------------------------------------------------------------------


def check_stored(seed: int) -> None:
    """A run of generated jobs against one of their table, through both kinds of strips."""
    question = random_generator(seed)
    spec = random_center(question, seed)
    if cpu.count_jobs(spec, question.replication, question.draw, question.demand_ppm) == 0:
        return  # no table of no jobs
    table = generate_jobs(spec, question.replication, **question.cell)
    stored = replace(spec, jobs=table)
    gpus = random_capacities(random.Random(seed), spec.classes.n_pools, 1)
    asked: dict[str, Any] = {"histogram": True, "records": True, "threads": 1}
    expected = run_batch(stored, 0, gpus, **asked)
    for lanes in (1, 32):
        found = run_batch(spec, question.replication, gpus, lanes=lanes, **question.cell, **asked)
        assert not same(found, expected), lanes


@settings(max_examples=50)
@given(seed=SEEDS)
@pytest.mark.slow
def test_runs_of_random_sources_are_those_of_their_stored_jobs(seed: int) -> None:
    check_stored(seed)


@pytest.mark.slow
@settings(max_examples=500)
@given(seed=SEEDS)
def test_runs_of_hundreds_of_random_generators_are_those_of_their_stored_jobs(seed: int) -> None:
    check_stored(seed)


def check_verdicts(seed: int, jobs: int, seen: Counter[str]) -> None:
    """Early runs of several capacities; some end long before the others, others look for lost levels in vain."""
    question = random_generator(seed, jobs)
    spec = random_center(question, seed)
    gpus = random_capacities(random.Random(seed), spec.classes.n_pools, 6)
    whole = run_batch(spec, question.replication, gpus, **question.cell)
    for lanes in (1, 32):
        early = run_batch(spec, question.replication, gpus, early=True, lanes=lanes, **question.cell)
        assert np.array_equal(early.passed, whole.passed), lanes
        assert np.array_equal(early.first_violated >= 0, ~early.passed), lanes
        lost = np.flatnonzero(~early.passed)
        met, violated, _ = whole.slo[lost, early.first_violated[lost]].T
        share = spec.levels.share_ppm[early.first_violated[lost]]
        assert (met * MILLION < share * (met + violated)).all()  # the level that is named is lost
    seen["lost"] += len(lost)
    seen["won"] += int(whole.passed.sum()) if len(spec.levels) else 0
    seen["stopped while lost"] += int((early.jobs < whole.jobs)[~whole.passed].sum())
    seen["stopped while won"] += int((early.jobs < whole.jobs)[whole.passed].sum()) if len(spec.levels) else 0


def verdicts(examples: int, jobs: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(max_examples=examples)
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        check_verdicts(seed, jobs, seen)

    check()
    return seen


@pytest.mark.slow
def test_early_runs_of_random_sources_give_the_verdict_of_the_whole_run() -> None:
    seen = verdicts(40, 400)
    assert min(seen.values()) >= 5, seen


@pytest.mark.slow
def test_early_runs_of_many_random_generators_give_the_verdict_of_the_whole_run() -> None:
    seen = verdicts(150, 2000)
    assert min(seen.values()) >= 20, seen


def check_narrow_verdicts(seed: int, jobs: int) -> int:
    """Shares that each level of a run just reaches, and just misses; how many there were.

    A level that has exactly the violations that it can bear is not lost.
    """
    question = random_generator(seed, jobs)
    spec = random_center(question, seed)
    gpus = random_capacities(random.Random(seed), spec.classes.n_pools, 4)
    rows = run_batch(spec, question.replication, gpus, **question.cell).slo
    asked = 0
    for cell, level in np.argwhere((rows[:, :, 0] > 0) & (rows[:, :, 1] > 0)).tolist():
        met, violated, _ = rows[cell, level].tolist()
        reached = met * MILLION // (met + violated)
        table = spec.levels
        one_level = {
            field: getattr(table, field)[level : level + 1]
            for field in (
                "limit",
                "member",
                "metric",
                "bound",
                "gpus_low",
                "gpus_high",
                "hours_from",
                "hours_to",
                "days",
            )
        }
        for share in (reached, reached + 1):
            narrow = replace(spec, slos=SloTable(share_ppm=[share], **one_level))
            where = (question.replication, gpus[cell])
            early = run_batch(narrow, *where, early=True, **question.cell)
            assert bool(early.passed[0]) == (share == reached)
            asked += 1
    return asked


def narrow_verdicts(examples: int, jobs: int) -> int:
    asked = 0

    @settings(max_examples=examples)
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        nonlocal asked
        asked += check_narrow_verdicts(seed, jobs)

    check()
    return asked


@pytest.mark.slow
def test_early_runs_are_right_about_shares_that_are_just_reached_or_missed() -> None:
    assert narrow_verdicts(20, 1000) > 40


@pytest.mark.slow
def test_early_runs_are_right_about_hundreds_of_shares_that_are_just_reached_or_missed() -> None:
    assert narrow_verdicts(400, 1000) > 1000  # of twice as many jobs, two centers would take most of the time


# ---- one scenario at length ---------------------------------------------------------------------------------------


def source(name: str, gap_seconds: float, active: bool = True) -> Source:
    counts, shares = SIZES[name]
    table = compile_alias(counts, shares)
    mode, a, b = LIMITS[name]
    return Source(
        key=source_key("tenant", name),
        job_class="abc".index(name),
        active=active,
        gap=compile_table(Exponential(gap_seconds), 1.0, 20),
        service=compile_table(RUNS[name], 1.0, 16),
        gpus=table.gpus,
        threshold=table.threshold,
        alias=table.alias,
        limit_mode=mode,
        limit_a=a,
        limit_b=b,
    )


def generated(seed: int, backfill: int = 1) -> RunSpec:
    demand = compile_table(LogNormal(1.0, 0.2), 1 / 65536, 0)
    return RunSpec(
        Generator(
            sources=(source("a", 40.0), source("b", 90.0), source("c", 500.0)), demand=demand, seed=seed
        ),
        ClassTable([0, 1, 0], [0, 0, 1], [-1, 5000, -1], 2),
        Policy(backfill),
        Windows(10_000, 150_000, HORIZON),
        SloTable([600, 3600], [900_000, 950_000], [[True, True, False], [True, True, True]]),
    )


@pytest.mark.parametrize("seed", [0, 7, (1 << 64) - 1])
@pytest.mark.parametrize("replication", [0, 3, 123_456])
@pytest.mark.slow
def test_sampler_equals_the_reference_bit_by_bit(seed: int, replication: int) -> None:
    spec = generated(seed)
    assert isinstance(spec.jobs, Generator)
    expected = generate(spec.jobs, replication, HORIZON)
    jobs = generate_jobs(spec, replication)
    assert len(jobs) > 5000
    for name in COLUMNS:
        assert np.array_equal(getattr(jobs, name), expected[name]), name


@pytest.mark.parametrize("backfill", [0, 1, 3, -1, ALL])
def test_stored_jobs_give_the_integers_of_generated_ones(backfill: int) -> None:
    spec = generated(5, backfill)
    tables = [generate_jobs(spec, r) for r in range(3)]
    stored = RunSpec(tables, spec.classes, spec.policy, spec.windows, spec.slos)
    replication, gpus = np.repeat([0, 1, 2], 3), np.tile([70, 90, 120], 3)
    for early in (False, True):
        a = run_batch(spec, replication, gpus, histogram=True, early=early)
        b = run_batch(stored, replication, gpus, histogram=True, early=early)
        assert not same(a, b, ("passed",) if early else ROWS)


def changed(spec: RunSpec, replication: Any, gpus: Any) -> dict[str, Callable[[], tuple[BatchResult, Any]]]:
    """Other ways to run the same cells, each with the rows that it gives."""
    order = np.random.default_rng(0).permutation(len(gpus))
    room = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4, "held_slots": 32, "chain_slots": 1}
    return {
        "threads": lambda: (run_batch(spec, replication, gpus, threads=2), slice(None)),
        "order": lambda: (run_batch(spec, replication[order], gpus[order], threads=2), order),
        "alone": lambda: (run_batch(spec, replication[9], gpus[9]), slice(9, 10)),
        "lanes": lambda: (run_batch(spec, replication, gpus, lanes=32), slice(None)),
        "room": lambda: (run_batch(spec, replication, gpus, **room), slice(None)),
    }


@pytest.mark.parametrize("way", ["threads", "order", "alone", "lanes", "room"])
def test_results_do_not_depend_on_threads_lanes_order_batch_or_room(way: str) -> None:
    spec = generated(11)
    replication, gpus = np.repeat(np.arange(6), 4), np.tile([46, 52, 60, 80], 6)
    whole = run_batch(spec, replication, gpus, threads=1)
    other, rows = changed(spec, replication, gpus)[way]()
    for field in ROWS[:-1]:
        assert np.array_equal(getattr(whole, field)[rows], getattr(other, field)), field


def test_inactive_source_has_no_jobs_and_changes_no_other() -> None:
    alone = RunSpec(Generator(sources=(source("a", 40.0),), seed=3), windows=Windows(0, 1000, HORIZON))
    pair = RunSpec(
        Generator(sources=(source("a", 40.0), source("b", 90.0, active=False)), seed=3),
        ClassTable([0, 0], [0, 0], [-1, -1], 1),
        windows=Windows(0, 1000, HORIZON),
    )
    assert np.array_equal(generate_jobs(alone, 2).submit, generate_jobs(pair, 2).submit)
