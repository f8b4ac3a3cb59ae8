"""First come, first served job by job (`csrc/core/fifo.h`) gives the integers of the loop over events, in every field.

`always_events` forces the loop. Small centers are compared with the oracle too, with and without records, which take
different ways through the accounts.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from cases import Case, differences, random_case
from engine_runs import PER_CELL
from generators import Question, random_capacities, random_center, random_generator
from gpusim.engine import reference as oracle
from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS, BatchResult
from gpusim.engine.spec import ClassTable, Policy, RunSpec, Windows
from gpusim.workload.jobs import Jobs

TINY = {"running_slots": 32, "queue_slots": 4}
PATHS: tuple[dict[str, int], ...] = ({}, {"lanes": 32}, TINY, {"lanes": 32, **TINY})
SEEDS = st.integers(0, 2**63)


def fifo_case(seed: int) -> Case:
    """A random case as one pool that serves in order; every other one with a few hundred jobs and up to 200 GPUs."""
    rng = random.Random(f"fifo {seed}")
    case = random_case(seed)
    jobs = [replace(job, after=-1, delay=0) for job in case.jobs]
    gpus = case.gpus[0]
    if rng.random() < 0.5:
        gpus = rng.choice([1, 8, 40, 90, 200])
        span, longest, largest = rng.choice([10, 60, 300]), rng.choice([5, 60]), rng.choice([1, 2, gpus + 1])
        jobs = [
            oracle.Job(
                rng.randint(0, span),
                rng.randint(1, longest),
                rng.randint(1, 2 * longest),
                rng.randint(1, largest),
                rng.randrange(len(case.classes)),
            )
            for _ in range(rng.randint(100, 400))
        ]
    policy = oracle.Policy(kill_at_limit=case.policy.kill_at_limit, window=case.policy.window)
    return replace(
        case,
        jobs=tuple(sorted(jobs, key=lambda job: job.submit)),
        classes=tuple(replace(c, tier=0, patience=-1, pools=(0,)) for c in case.classes),
        policy=policy,
        gpus=(gpus,),
    )


def by_events(spec: RunSpec) -> RunSpec:
    return replace(spec, policy=replace(spec.policy, always_events=True))


def same(fast: BatchResult, slow: BatchResult) -> None:
    for name in (*PER_CELL, "passed", "first_violated", "status"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), err_msg=name)


def check_case(case: Case) -> oracle.Outcome:
    expected = case.answer()
    specs = (case.spec(), by_events(case.spec()))
    for path in PATHS:
        for spec in specs:
            for records in (False, True):
                result = run_batch(spec, 0, case.cell, records=records, threads=1, **path)
                assert not differences(result, expected), (path, spec.policy.always_events, records)
    wide = np.array([[n] for n in (0, 1, 2, 3, 5, *case.gpus, 30, 100, 300)], np.int32)
    whole = [run_batch(spec, 0, wide, histogram=True) for spec in specs]
    same(*whole)
    return expected


@settings(max_examples=80)
@given(seed=SEEDS)
@pytest.mark.slow
def test_job_by_job_is_the_loop_and_the_oracle(seed: int) -> None:
    check_case(fifo_case(seed))


@pytest.mark.slow
def test_job_by_job_is_the_loop_and_the_oracle_thousands_of_times() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=4000)
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        out = check_case(fifo_case(seed))
        seen.update({*out.outcome})
        seen["a ring overflows"] += out.max_waiting > 64
        seen["slots overflow"] += out.max_running > 32

    check()
    fates = ("unsubmitted", "waiting", "running", "finished", "killed_limit", "rejected")
    assert min(seen[name] for name in (*fates, "a ring overflows", "slots overflow")) >= 100, seen


def served_in_order(seed: int) -> tuple[Question, RunSpec]:
    """Generated jobs of any kind but chains, in a center of one pool that serves in order."""
    question = random_generator(seed, jobs=400)
    rows = [replace(row, segment=0, delay=0) for row in question.generator.sources]
    spec = random_center(question._replace(generator=replace(question.generator, sources=tuple(rows))), seed)
    n = len(spec.classes.tier)
    classes = ClassTable([0] * n, spec.classes.tenant, [-1] * n, 2, killed_ok=spec.classes.killed_ok)
    policy = Policy(kill_at_limit=spec.policy.kill_at_limit)
    return question, replace(spec, classes=classes, policy=policy)


def check_generated(seed: int, seen: Counter[str]) -> None:
    question, spec = served_in_order(seed)
    gpus = random_capacities(random.Random(f"fifo {seed}"), 1, 4)
    for path in PATHS:
        fast, slow = (
            run_batch(each, question.replication, gpus, histogram=True, threads=1, **question.cell, **path)
            for each in (spec, by_events(spec))
        )
        same(fast, slow)
    for index, name in enumerate(COUNTS):
        seen[name] += int((fast.counts[:, :, index] > 0).any())


@settings(max_examples=30)
@given(seed=SEEDS)
@pytest.mark.slow
def test_generated_jobs_too(seed: int) -> None:
    check_generated(seed, Counter())


@pytest.mark.slow
def test_generated_jobs_too_thousands_of_times() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=2000)
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        check_generated(seed, seen)

    check()
    assert min(seen[name] for name in ("rejected", "killed_limit", "finished", "waiting", "running")) >= 100


@pytest.mark.parametrize("lanes", [1, 32])
def test_gangs_by_hand(lanes: int) -> None:
    # 4 GPUs. 0 holds 3 until 10 and 1 the fourth until 4. 2 wants 2: not at 4, so at 10; 3, which would fit at
    # 4, stays behind it; 4 is larger than the center.
    jobs = Jobs(submit=[0, 0, 1, 2, 3], service=[10, 4, 5, 5, 5], gpus=[3, 1, 2, 1, 5])
    spec = RunSpec(jobs, windows=Windows(0, 12, 12))
    result = run_batch(spec, 0, 4, records=True, lanes=lanes)
    assert result.records is not None
    assert result.records.start.tolist() == [0, 0, 10, 10, -1]
    assert result.records.end.tolist() == [10, 4, -1, -1, -1]
    assert result.extremes[0].tolist() == [2, 2, 10]  # most waiting, most running, last event
    assert run_batch(spec, 0, 4, lanes=lanes).integrals[0].tolist() == [30 + 4 + 4 + 2, 9 + 8, 18 + 8, 14 + 4]


@pytest.mark.parametrize("lanes", [1, 32])
def test_a_full_ring_or_calendar_repeats_the_run(lanes: int) -> None:
    jobs = Jobs(submit=np.zeros(900), service=np.arange(1, 901), gpus=np.ones(900))
    roomy, tight = (run_batch(RunSpec(jobs), 0, 100, lanes=lanes, **path) for path in ({}, TINY))
    assert roomy.reruns == 0
    assert tight.reruns == 6  # 32 to 128 running, 64 to 1024 waiting
    same(roomy, tight)
