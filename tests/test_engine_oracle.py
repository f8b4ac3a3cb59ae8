"""The engine equals the oracle, job by job, in every field, on every path through the core.

Each random case is run through the host strips, the 32 emulated lanes, EASY by the general profile, and a first
attempt in far too little room (forced overflow and rerun). A case is one center; a CI run has more than 5,000.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from cases import Case, cases, differences, random_case
from gpusim.engine import reference as oracle
from gpusim.engine.batch import run_batch
from gpusim.engine.spec import Policy, RunSpec
from gpusim.workload.jobs import Jobs

TINY = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4, "held_slots": 32, "chain_slots": 1}
PATHS: dict[str, dict[str, int]] = {
    "host": {},
    "lanes": {"lanes": 32},
    "overflow": TINY,
    "lanes and overflow": {"lanes": 32, **TINY},
}
MILLION = 1_000_000


@settings(max_examples=200)
@given(case=cases())
def test_engine_equals_oracle_job_by_job(case: Case) -> None:
    compare(case)


@pytest.mark.slow
def test_engine_equals_oracle_on_thousands_of_cases_with_hundreds_of_each_feature() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=5000)
    @given(seed=st.integers(0, 2**63))
    def check(seed: int) -> None:
        case = random_case(seed)
        if seed % 16 == 0:  # rare among the cases
            case = replace(case, policy=replace(case.policy, backfill=oracle.SKIP))
        seen.update(features(case))
        seen.update(had(case, compare(case)))

    check()
    assert set(seen) == FEATURES | FATES
    assert min(seen[name] for name in FEATURES) >= 500, seen.most_common()[::-1][:5]
    assert min(seen[name] for name in FATES) >= 250, seen.most_common()[::-1][:5]


def long_case(seed: int) -> Case:
    """A random case with up to 300 jobs: queues of several chunks and, on more GPUs, releases of several shelves.

    The plain cases have at most 60 jobs, which fit one chunk of the queue and one of the release list.
    """
    rng = random.Random(f"long {seed}")
    case = random_case(seed)
    jobs = list(case.jobs)
    span = rng.choice([10, 60, 200])
    extra = [
        replace(
            rng.choice(jobs),
            submit=rng.randint(0, span),
            service=rng.randint(1, 60),
            limit=rng.randint(1, 90),
            gpus=rng.choice([1, 1, 2, rng.randint(1, 5)]),
            after=-1,
            delay=0,
        )
        for _ in range(rng.randint(150, 240))
    ]
    order = sorted(range(len(jobs) + len(extra)), key=lambda i: (jobs + extra)[i].submit)
    rank = {i: k for k, i in enumerate(order)}
    merged = tuple(
        replace(job, after=rank[job.after]) if job.after >= 0 else job
        for job in ((jobs + extra)[i] for i in order)
    )
    more = rng.choice([1, 1, 8])
    policy = replace(case.policy, order=rng.choice([oracle.FIFO, oracle.SJF]))
    if rng.random() < 0.7:
        policy = replace(policy, max_waiting=-1, tenant_max_waiting=())
    return replace(case, jobs=merged, gpus=tuple(more * n for n in case.gpus), policy=policy)


def wide_case(seed: int) -> Case:
    """Hundreds of GPUs and of jobs of a few GPUs each, with large ones among them that need a reservation.

    Up to 200 jobs run at a time: the release list has several shelves, which are split and joined.
    """
    rng = random.Random(f"wide {seed}")
    gpus = tuple(rng.choice([90, 150, 200]) for _ in range(rng.choice([1, 1, 2])))
    pools = [tuple(rng.sample(range(len(gpus)), len(gpus))) for _ in range(3)]
    classes = tuple(
        oracle.JobClass(tier=rng.choice([0, 0, 1]), patience=rng.choice([-1, -1, 20]), pools=p) for p in pools
    )

    def job() -> oracle.Job:
        size = rng.randint(20, 80) if rng.random() < 0.05 else rng.choice([1, 1, 1, 2])
        service = rng.randint(20, 150)
        limit = rng.choice([service, 2 * service, rng.randint(15, 200)])
        return oracle.Job(rng.randint(0, 60), service, limit, size, rng.randrange(len(classes)))

    policy = oracle.Policy(
        backfill=rng.choice([1, 1, 2, 3, 5, oracle.ALL]),
        kill_at_limit=rng.random() < 0.7,
        order=rng.choice([oracle.FIFO, oracle.FIFO, oracle.SJF]),
        window=rng.choice([-1, -1, 30]),
    )
    jobs = sorted((job() for _ in range(rng.randint(150, 320))), key=lambda j: j.submit)
    return Case(tuple(jobs), classes, policy, gpus, oracle.Windows(0, 60, 1500), ())


@settings(max_examples=4)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_with_many_running_jobs(seed: int) -> None:
    compare(wide_case(seed))


@pytest.mark.slow
def test_engine_equals_oracle_with_many_running_jobs_hundreds_of_times() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=200)
    @given(seed=st.integers(0, 2**63))
    def check(seed: int) -> None:
        out = compare(wide_case(seed))
        seen["a shelf is split"] += out.max_running > 64
        seen["and another"] += out.max_running > 96

    check()
    assert min(seen.values()) >= 50, seen


def calm_case(seed: int) -> Case:
    """Long jobs that hold most of the center, a large job that waits for them, and many small ones that come after.

    While nothing but arrivals happens, EASY looks at the newcomers only, and so do passes with more reservations where
    nobody fits beside the first; here that is most of the time.
    """
    rng = random.Random(f"calm {seed}")
    gpus = rng.choice([8, 16, 30])
    classes = tuple(
        oracle.JobClass(tier=rng.choice([0, 0, 0, 1, 2]), patience=rng.choice([-1, -1, -1, 15]))
        for _ in range(rng.choice([1, 1, 2, 3]))
    )

    def job(submit: int, limit: int, size: int) -> oracle.Job:
        service = rng.choice([limit, limit, rng.randint(1, limit), rng.randint(1, 2 * limit)])
        return oracle.Job(submit, service, limit, size, rng.randrange(len(classes)))

    held, jobs = 0, []
    while held < gpus * 2 // 3:
        size = rng.randint(1, max(1, gpus // 3))
        jobs.append(job(0, rng.choice([40, 60, 80]), size))
        held += size
    jobs += [
        job(rng.randint(0, 3), rng.choice([5, 50]), rng.randint(gpus // 2, gpus))
        for _ in range(rng.randint(1, 2))
    ]
    jobs += [
        job(rng.randint(1, 60), rng.choice([1, 5, 20, 70]), rng.choice([1, 1, 2, gpus // 4]))
        for _ in range(rng.randint(10, 80))
    ]
    policy = oracle.Policy(
        backfill=rng.choice([1, 1, 2, 5, oracle.ALL]),
        max_waiting=rng.choice([-1, -1, 6]),
        kill_at_limit=rng.random() < 0.7,
    )
    windows = oracle.Windows(0, 500, rng.choice([60, 500]) + 500)
    return Case(tuple(sorted(jobs, key=lambda j: j.submit)), classes, policy, (gpus,), windows, ())


@pytest.mark.parametrize("lanes", [1, 32])
def test_newcomers_that_outlast_the_shadow_share_its_spare_gpus(lanes: int) -> None:
    # 10 GPUs. 0 holds 6 until 10; 1 wants 8, so it is reserved at 10, where 2 are spare. 2 takes them at 2; nothing
    # but arrivals later, 3 finds none left, though 2 are free.
    jobs = Jobs(submit=[0, 1, 2, 3], service=[10, 5, 100, 100], gpus=[6, 8, 2, 2])
    result = run_batch(RunSpec(jobs, policy=Policy(1)), 0, 10, records=True, lanes=lanes)
    assert result.records.start.tolist() == [0, 10, 2, 15]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_while_nothing_but_arrivals_happens(seed: int) -> None:
    compare(calm_case(seed))


@pytest.mark.slow
@settings(max_examples=1000)
@given(seed=st.integers(0, 2**63))
def test_engine_equals_oracle_while_nothing_but_arrivals_happens_a_thousand_times(seed: int) -> None:
    compare(calm_case(seed))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_in_long_queues(seed: int) -> None:
    compare(long_case(seed))


@pytest.mark.slow
def test_engine_equals_oracle_in_hundreds_of_long_queues() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=400)
    @given(seed=st.integers(0, 2**63))
    def check(seed: int) -> None:
        case = long_case(seed)
        out = compare(case)
        seen["more than a chunk waits"] += out.max_waiting > 64

    check()
    assert min(seen.values()) >= 100, seen


def compare(case: Case) -> oracle.Outcome:
    """The oracle's outcome, which the engine has on every path."""
    expected = case.answer()
    for always_profile in (False, True):
        spec = case.spec(always_profile=always_profile)
        for name, path in PATHS.items():
            result = run_batch(spec, 0, case.cell, records=True, threads=1, **path)
            assert not differences(result, expected), (name, always_profile)
    return expected


def features(case: Case) -> set[str]:
    """What a case has, apart from jobs that wait."""
    policy, chained = case.policy, any(job.after >= 0 for job in case.jobs)
    backfill = {oracle.NONE: "none", oracle.SKIP: "skip", oracle.ALL: "all", 1: "easy"}
    there = {
        "several pools": len(case.gpus) > 1,
        "preferences": any(len(c.pools) > 1 for c in case.classes),
        "chains": chained,
        "delays": chained and any(job.delay > 0 for job in case.jobs),
        "sjf": policy.order == oracle.SJF,
        "window": policy.window >= 0 and policy.backfill not in (oracle.NONE, oracle.SKIP),
        "max_tests": policy.max_tests >= 0,
        "period": policy.period > 1,
        "recorded run times": not policy.kill_at_limit,
        "killed_ok": policy.kill_at_limit and any(c.killed_ok for c in case.classes),
        "max_waiting": policy.max_waiting >= 0,
        "bounds of tenants": any(bound >= 0 for bound in policy.tenant_max_waiting),
        "patience": any(c.patience >= 0 for c in case.classes),
        "tiers": len({c.tier for c in case.classes}) > 1,
        "warm-up": case.windows.warm_up > 0,
        "wait level": any(s.metric == oracle.WAIT for s in case.slos),
        "slowdown level": any(s.metric == oracle.SLOWDOWN for s in case.slos),
        "turned-away level": any(s.metric == oracle.TURNED_AWAY for s in case.slos),
        "turnaround level of chains": chained and any(s.metric == oracle.TURNAROUND for s in case.slos),
        "limits by class": any(s.limits for s in case.slos),
        "sizes": any(s.gpus_low > 1 or s.gpus_high < 2**31 - 1 for s in case.slos),
        "hours": any(s.hours_from < s.hours_to for s in case.slos),
        "hours over midnight": any(s.hours_from > s.hours_to for s in case.slos),
        "days": any(s.days != 127 for s in case.slos),
    }
    return {f"backfill {backfill.get(policy.backfill, 'K')}", *(name for name, has in there.items() if has)}


FEATURES = {
    *(f"backfill {name}" for name in ("none", "skip", "all", "easy", "K")),
    *("several pools", "preferences", "chains", "delays", "sjf", "window", "max_tests", "period"),
    *("recorded run times", "killed_ok", "max_waiting", "bounds of tenants", "patience", "tiers", "warm-up"),
    *("wait level", "slowdown level", "turned-away level", "turnaround level of chains"),
    *("limits by class", "sizes", "hours", "hours over midnight", "days"),
}


def had(case: Case, out: oracle.Outcome) -> set[str]:
    """What happened to jobs of a case."""
    waited = any(s > e >= 0 for s, e in zip(out.start, out.eligible, strict=True))
    second = {job.job_class: case.classes[job.job_class].pools[1:] for job in case.jobs}
    other = any(p in second[job.job_class] for p, job in zip(out.pool, case.jobs, strict=True))
    return {*out.outcome} | ({"waited"} if waited else set()) | ({"second choice"} if other else set())


FATES = {
    *("unsubmitted", "waiting", "running", "finished", "killed_limit", "abandoned"),
    *("rejected", "rejected_full", "held", "cancelled", "waited", "second choice"),
}


@settings(max_examples=120)
@given(case=cases())
@pytest.mark.slow
def test_early_run_gives_the_verdict_of_the_whole_run(case: Case) -> None:
    check_early(case)


@pytest.mark.slow
@settings(max_examples=3000)
@given(case=cases())
def test_early_runs_of_thousands_of_cases_give_the_verdict_of_the_whole_run(case: Case) -> None:
    check_early(case)


def check_early(case: Case) -> None:
    rng = random.Random(repr(case.jobs))
    sizes = [0, 1, 2, 3, 5, 8, 12, 24, 30]
    gpus = np.array([case.gpus, *([rng.choice(sizes) for _ in case.gpus] for _ in range(12))], np.int32)
    spec = case.spec()
    whole = run_batch(spec, 0, gpus)
    for lanes in (1, 32):
        early = run_batch(spec, 0, gpus, early=True, lanes=lanes)
        assert np.array_equal(whole.passed, early.passed)
        assert np.array_equal(early.first_violated >= 0, ~early.passed)
        lost = np.flatnonzero(~early.passed)
        named = early.first_violated[lost]
        met, violated, _ = whole.slo[lost, named].T
        assert (met * MILLION < spec.levels.share_ppm[named] * (met + violated)).all()


@pytest.mark.parametrize("lanes", [1, 32])
def test_forced_overflow_is_really_forced(lanes: int) -> None:
    jobs = Jobs(submit=np.zeros(300), service=np.arange(1, 301), gpus=np.ones(300))
    spec = RunSpec(jobs, policy=Policy(backfill=2))
    roomy = run_batch(spec, 0, 100, records=True, lanes=lanes)
    tight = run_batch(spec, 0, 100, records=True, lanes=lanes, **TINY)
    assert roomy.reruns == 0
    assert tight.reruns >= 5
    assert roomy.records is not None
    assert tight.records is not None
    assert np.array_equal(roomy.records.start, tight.records.start)


@pytest.mark.parametrize("lanes", [1, 32])
def test_forced_overflow_of_chains_is_really_forced(lanes: int) -> None:
    # 100 chains of three, all submitted at once: 200 jobs are held
    after = np.concatenate([np.full(100, -1), np.arange(200)])
    jobs = Jobs(submit=np.zeros(300), service=np.ones(300), gpus=np.ones(300), after=after)
    spec = RunSpec(jobs)
    roomy = run_batch(spec, 0, 30, records=True, lanes=lanes, held_slots=256, chain_slots=100)
    tight = run_batch(spec, 0, 30, records=True, lanes=lanes, held_slots=32, chain_slots=1)
    assert roomy.reruns == 0
    assert tight.reruns == 10  # 32 to 256 held jobs, 1 to 128 chains
    assert roomy.records is not None
    assert tight.records is not None
    assert np.array_equal(roomy.records.start, tight.records.start)
    assert roomy.records.end.max() == 10  # 30 jobs a tick, never a GPU idle
