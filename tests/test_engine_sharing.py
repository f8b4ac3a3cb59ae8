"""The engine equals the oracle where tenants share a center, in every field and on every path through the core.

Host strips and emulated lanes, passes that look at everybody and those that pass over who cannot start, and a first
attempt in far too little room.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from cases import Case, differences, random_case
from contested_cases import contested_case
from gpusim.engine import reference as oracle
from gpusim.engine.batch import run_batch
from gpusim.engine.reference_terms import Cohort, Sharing, Tenant
from gpusim.errors import RunError
from shared_case import SharedCase, shared_differences
from shared_cases import random_fair_case, random_shared_case
from sharing_case import SharingCase
from sharing_cases import SHARING_CASES
from sharing_random import SharedCenter, random_shared_center

TINY = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4, "held_slots": 32, "chain_slots": 1}
PATHS: dict[str, dict[str, int]] = {"host": {}, "lanes": {"lanes": 32}, "overflow": TINY}
EVERY = [(name, everybody) for everybody in (False, True) for name in PATHS]
"""Paths, and whether passes look at everybody."""


def compare(case: SharedCase, paths: Sequence[tuple[str, bool]] = EVERY) -> oracle.Outcome:
    """The oracle's outcome, which the engine has on these paths."""
    expected = case.answer()
    for name, everybody in paths:
        spec = case.spec(always_profile=everybody)
        result = run_batch(spec, 0, case.cell, records=True, causes=True, threads=1, **PATHS[name])
        assert not shared_differences(result, expected), (name, everybody)
    return expected


def shared(case: Case, sharing: Sharing | None = None) -> SharedCase:
    """A case whose tenants own nothing, unless told what they do."""
    tenants = 1 + max(row.tenant for row in case.classes)
    return SharedCase(
        case.jobs,
        case.classes,
        case.policy,
        case.gpus,
        case.windows,
        case.slos,
        sharing or Sharing((Tenant(),) * tenants),
    )


@settings(max_examples=120)
@given(seed=st.integers(0, 2**63))
def test_engine_equals_oracle_job_by_job(seed: int) -> None:
    compare(random_shared_case(seed))


@pytest.mark.slow
def test_engine_equals_oracle_on_thousands_of_shared_centers_with_hundreds_of_each_fate() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=5000)
    @given(seed=st.integers(0, 2**63))
    def check(seed: int) -> None:
        case = random_shared_case(seed)
        seen.update(fates(case, compare(case, [EVERY[0], EVERY[1 + seed % (len(EVERY) - 1)]])))

    check()
    assert min(seen[name] for name in FATES) >= 100, seen.most_common()[::-1][:5]


def fates(case: SharedCase, out: oracle.Outcome) -> set[str]:
    """What happened in a run."""
    had = {name for row in out.causes for name, ticks in row.items() if ticks}
    had |= {f"idle {name}" for row in out.idle for name, ticks in row.items() if ticks}
    if out.evictions:
        had.add("evicted")
        rows = [case.classes[case.jobs[job].job_class] for _, job in out.evictions]
        had |= {f"requeue {row.requeue}" for row in rows}
        had |= {"checkpoints"} if any(row.checkpoint for row in rows) else set()
    if out.longest_cascade > 1:
        had.add("cascade")
    if any(n > 1 for n in out.preemptions):
        had.add("evicted again")
    return had


FATES = {
    *("held", "behind_own", "quota", "reservation", "priority", "capacity"),
    *("idle reserved", "idle quota_idle", "idle free", "evicted", "cascade", "evicted again", "checkpoints"),
    *("requeue place", "requeue tail", "requeue cancel"),
}


@settings(max_examples=100)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_in_fair_orders_and_with_users(seed: int) -> None:
    compare(random_fair_case(seed), [EVERY[0], EVERY[1 + seed % (len(EVERY) - 1)]])


@pytest.mark.slow
def test_engine_equals_oracle_on_thousands_of_centers_with_fair_orders_and_users() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=2500)
    @given(seed=st.integers(0, 2**63))
    def check(seed: int) -> None:
        case = random_fair_case(seed)
        out = compare(case, [EVERY[0], EVERY[1 + seed % (len(EVERY) - 1)]])
        seen.update(needs_of(case) | fates(case, out))

    check()
    wanted = {f"order {order}" for order in range(2, 6)} | {"users", "evicted", "cascade", "quota", "held"}
    wanted |= {"beyond quotas", "a part of the pools"}
    assert min(seen[name] for name in wanted) >= 50, seen.most_common()[::-1][:5]


def needs_of(case: SharedCase) -> set[str]:
    """Its order, what that goes by, and whether users have limits."""
    assert case.sharing is not None
    fairness, order = case.fairness, case.policy.order
    goes_by: set[str] = set()
    if fairness is not None and fairness.over_quota and order < oracle.WEIGHTED_SHARE:
        goes_by.add("beyond quotas")
    if fairness is not None and 0 < fairness.center_pools < len(case.gpus) and order == oracle.MULTIFACTOR:
        goes_by.add("a part of the pools")
    rows = case.sharing.tenants
    limits = any(row.user_max_gpus is not None or row.user_max_jobs is not None for row in rows)
    return {f"order {order}"} | goes_by | ({"users"} if limits else set())


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
def test_engine_equals_oracle_where_tenants_of_nested_cohorts_take_from_each_other(seed: int) -> None:
    compare(contested_case(random.Random(seed)))


@pytest.mark.slow
@settings(max_examples=2000)
@given(seed=st.integers(0, 2**63))
def test_engine_equals_oracle_on_thousands_of_contested_centers(seed: int) -> None:
    compare(contested_case(random.Random(seed)), [EVERY[0], EVERY[1 + seed % (len(EVERY) - 1)]])


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_on_another_kind_of_shared_centers(seed: int) -> None:
    compare(of_center(random_shared_center(seed)))


@pytest.mark.slow
@settings(max_examples=1200)
@given(seed=st.integers(0, 2**63))
def test_engine_equals_oracle_on_hundreds_of_the_other_kind(seed: int) -> None:
    compare(of_center(random_shared_center(seed)))


def of_center(center: SharedCenter) -> SharedCase:
    return SharedCase(
        center.jobs,
        center.classes,
        center.policy,
        center.gpus,
        center.windows,
        center.slos,
        center.sharing,
        center.fairness,
        center.closures,
    )


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
def test_where_nobody_owns_anything_sharing_changes_no_integer(seed: int) -> None:
    case = random_case(seed)
    result = run_batch(shared(case).spec(), 0, case.cell, records=True, causes=True, threads=1)
    assert not differences(result, case.answer())
    assert result.causes is not None
    assert result.causes[0, :, 1:].sum() == result.integrals[0, 2]  # every waiting GPU-tick has one cause


@pytest.mark.parametrize("case", SHARING_CASES, ids=lambda case: case.name)
def test_the_engine_does_what_was_worked_out_by_hand(case: SharingCase) -> None:
    sharing = case.sharing or Sharing((Tenant(),) * (1 + max(row.tenant for row in case.classes)))
    mine = SharedCase(
        case.jobs,
        case.classes,
        case.policy,
        case.gpus,
        case.windows,
        (),
        sharing,
        case.fairness,
        case.closures,
    )
    expected = case.expected()
    for lanes in (1, 32):
        result = run_batch(mine.spec(), 0, mine.cell, records=True, causes=True, threads=1, lanes=lanes)
        assert not shared_differences(result, mine.answer())
        assert result.records is not None
        if case.ends:
            assert result.records.end.tolist() == expected["end"]
        firsts: dict[int, int] = {}
        for tick, job, _ in sorted(expected["starts"], key=lambda start: start[0]):  # type: ignore[call-overload]
            firsts.setdefault(job, tick)
        starts = [firsts.get(i, -1) for i in range(len(case.jobs))]
        assert result.records.start.tolist() == starts
        times = Counter(job for _, job in case.evictions)
        assert result.records.preemptions.tolist() == [times[i] for i in range(len(case.jobs))]


def test_a_tenant_alone_is_not_held_up_by_a_cohort_that_is_overdrawn() -> None:
    # 2 GPUs. The cohort owns none, and its urgent job runs on one of them; the other is the lone tenant's.
    jobs = (oracle.Job(0, 10, 10, 1, 0), oracle.Job(1, 5, 5, 1, 1))
    classes = (oracle.JobClass(urgent=True), oracle.JobClass(tenant=1))
    tenants = (Tenant(2, nominal=(0,)), Tenant(nominal=(1,)))
    sharing = Sharing(tenants, (Cohort(),))
    policy = oracle.Policy(backfill=oracle.SKIP)
    case = SharedCase(jobs, classes, policy, (2,), oracle.Windows(0, 100, 100), (), sharing)
    assert compare(case).start == [0, 1]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_early_run_gives_the_verdict_of_the_whole_run(seed: int) -> None:
    check_early(random_shared_case(seed))


@pytest.mark.slow
@settings(max_examples=600)
@given(seed=st.integers(0, 2**63))
def test_early_runs_of_many_shared_centers_give_the_verdict_of_the_whole_run(seed: int) -> None:
    check_early(random_shared_case(seed))


def check_early(case: SharedCase) -> None:
    rng = random.Random(repr(case.jobs))
    gpus = np.array(
        [case.gpus, *([rng.choice([0, 1, 2, 5, 8, 24]) for _ in case.gpus] for _ in range(8))], np.int32
    )
    spec = case.spec()
    whole = run_batch(spec, 0, gpus)
    for lanes in (1, 32):
        early = run_batch(spec, 0, gpus, early=True, lanes=lanes)
        assert np.array_equal(whole.passed, early.passed)


def test_who_is_alone_starts_though_an_urgent_job_overdraws_the_cohort_of_the_others() -> None:
    sharing = Sharing((Tenant(2, (3,)), Tenant(-1, (1,))), (Cohort(),))
    classes = (oracle.JobClass(tenant=0, urgent=True), oracle.JobClass(tenant=1))
    jobs = (oracle.Job(0, 20, 20, 4, 0), oracle.Job(1, 5, 5, 1, 1))
    policy, windows = oracle.Policy(oracle.SKIP), oracle.Windows(0, 50, 50)
    out = compare(SharedCase(jobs, classes, policy, (5,), windows, (), sharing))
    assert out.start == [0, 1]


def test_causes_are_told_where_tenants_share_the_center() -> None:
    case = replace(random_case(1))
    with pytest.raises(RunError, match="causes"):
        run_batch(case.spec(), 0, case.cell, causes=True)
