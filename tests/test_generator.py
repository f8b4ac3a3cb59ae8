"""Generated jobs: the engine's sampler equals the plain numpy one bit by bit, and stored equals generated."""

from __future__ import annotations

import numpy as np
import pytest

from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.reference_generator import generate
from gpusim.engine.spec import ALL, ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, LimitMode, Source, source_key

SIZES = {"a": ([1], [1.0]), "b": ([1, 2, 8], [0.5, 0.3, 0.2]), "c": ([4, 3], [0.9, 0.1])}
RUNS = {"a": Exponential(300.0), "b": LogNormal(600.0, 1.5, cap=7200.0), "c": Deterministic(1000.0)}
LIMITS = {
    "a": (LimitMode.EXACT, 0, 0),
    "b": (LimitMode.FACTOR, 65536, 4 * 65536),
    "c": (LimitMode.FIXED, 900, 0),
}
HORIZON = 200_000


def source(name: str, gap_seconds: float, active: bool = True) -> Source:
    counts, shares = SIZES[name]
    table = compile_alias(counts, shares)
    mode, a, b = LIMITS[name]
    return Source(
        key=source_key("tenant", name),
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
def test_sampler_equals_the_reference_bit_by_bit(seed: int, replication: int) -> None:
    spec = generated(seed)
    expected = generate(spec.jobs, replication, HORIZON)
    jobs = generate_jobs(spec, replication)
    assert len(jobs) > 5000
    for name in ("submit", "service", "limit", "gpus", "job_class"):
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
        assert np.array_equal(a.passed, b.passed)
        if not early:
            for name in ("counts", "sums", "slo", "integrals", "extremes", "jobs", "histogram"):
                assert np.array_equal(getattr(a, name), getattr(b, name)), name


def test_results_do_not_depend_on_threads_lanes_order_batch_or_room() -> None:
    spec = generated(11)
    replication, gpus = np.repeat(np.arange(6), 4), np.tile([46, 52, 60, 80], 6)
    whole = run_batch(spec, replication, gpus, threads=1)
    order = np.random.default_rng(0).permutation(len(gpus))
    variants = {
        "threads": (run_batch(spec, replication, gpus, threads=2), slice(None)),
        "order": (run_batch(spec, replication[order], gpus[order], threads=2), order),
        "alone": (run_batch(spec, replication[9], gpus[9]), slice(9, 10)),
        "lanes": (run_batch(spec, replication, gpus, lanes=32), slice(None)),
        "room": (
            run_batch(spec, replication, gpus, running_slots=32, queue_slots=4, profile_slots=4),
            slice(None),
        ),
    }
    for name, (other, rows) in variants.items():
        for field in ("counts", "sums", "slo", "integrals", "extremes", "jobs", "passed"):
            assert np.array_equal(getattr(whole, field)[rows], getattr(other, field)), (name, field)


def test_inactive_source_has_no_jobs_and_changes_no_other() -> None:
    alone = RunSpec(Generator(sources=(source("a", 40.0),), seed=3), windows=Windows(0, 1000, HORIZON))
    pair = RunSpec(
        Generator(sources=(source("a", 40.0), source("b", 90.0, active=False)), seed=3),
        ClassTable([0, 0], [0, 0], [-1, -1], 1),
        windows=Windows(0, 1000, HORIZON),
    )
    assert np.array_equal(generate_jobs(alone, 2).submit, generate_jobs(pair, 2).submit)
