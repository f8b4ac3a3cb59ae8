"""The engine equals the oracle where jobs are held for approval and GPUs are closed, in every field, on every path."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from cases import Case, differences
from contract_cases import random_contract_case, random_held_case
from emulated_device import EmulatedDevice, emulated
from gpusim.engine import reference as oracle
from gpusim.engine.batch import run_batch
from gpusim.engine.spec import ClassTable, Closures, Policy, RunSpec, Sharing
from gpusim.errors import RunError
from gpusim.workload.jobs import Jobs
from shared_case import SharedCase, shared_differences
from test_device_contract import sliced

TINY = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4, "held_slots": 32, "chain_slots": 1}
PATHS: dict[str, dict[str, int]] = {"host": {}, "lanes": {"lanes": 32}, "overflow": TINY}
EVERY = [(name, everybody) for everybody in (False, True) for name in PATHS]
"""Paths, and whether passes look at everybody."""


def compare(case: Case, paths: Sequence[tuple[str, bool]] = EVERY) -> oracle.Outcome:
    """The oracle's outcome, which the engine has on these paths."""
    expected = case.answer()
    for name, everybody in paths:
        spec = case.spec(always_profile=everybody)
        shared = isinstance(case, SharedCase)
        result = run_batch(spec, 0, case.cell, records=True, causes=shared, threads=1, **PATHS[name])
        found = shared_differences(result, expected) if shared else differences(result, expected)
        assert not found, (name, everybody)
    return expected


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_with_approval_and_closures(seed: int) -> None:
    compare(random_contract_case(seed), some_paths(seed))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_engine_equals_oracle_where_jobs_are_held_and_nobody_shares(seed: int) -> None:
    compare(random_held_case(seed), some_paths(seed))


def some_paths(seed: int) -> list[tuple[str, bool]]:
    return [EVERY[0], EVERY[1 + seed % (len(EVERY) - 1)]]


@pytest.mark.slow
def test_engine_equals_oracle_on_thousands_of_contracts_with_hundreds_of_each_fate() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=3000)
    @given(seed=st.integers(0, 2**63))
    def check(seed: int) -> None:
        case = random_contract_case(seed)
        seen.update(fates(case, compare(case, some_paths(seed))))

    check()
    assert min(seen[name] for name in FATES) >= 100, seen.most_common()[::-1][:5]


@pytest.mark.slow
@settings(max_examples=1500)
@given(seed=st.integers(0, 2**63))
def test_engine_equals_oracle_on_many_centers_of_held_jobs_on_every_path(seed: int) -> None:
    compare(random_held_case(seed))


def fates(case: SharedCase, out: oracle.Outcome) -> set[str]:
    """What happened in a run."""
    had = {f"idle {name}" for row in out.idle for name, ticks in row.items() if ticks}
    had |= {"held"} if any(row["held"] for row in out.causes) else set()
    if case.closures:
        had.add(f"backfill {case.policy.backfill}")
        had |= {"closed and evicted"} if out.evictions else set()
        refused = case.policy.backfill in (oracle.NONE, oracle.SKIP) and any(
            row["reservation"] for row in out.causes
        )
        had |= {"refused by a closure"} if refused else set()
        had |= {"pools"} if len(case.gpus) > 1 else set()
    had |= {"held at the end"} if any(row["held"] for row in out.counts) else set()
    return had


FATES = {
    *(
        "idle drained",
        "idle closed",
        "idle reserved",
        "idle quota_idle",
        "idle free",
        "held",
        "held at the end",
        "refused by a closure",
    ),
    *("backfill 0", "backfill -1", "backfill 1", "backfill 3", "backfill -2", "closed and evicted", "pools"),
}


@settings(max_examples=40)
@given(seed=st.integers(0, 2**63))
@pytest.mark.slow
def test_early_runs_give_the_verdict_of_the_whole_run(seed: int) -> None:
    for case in (random_contract_case(seed), random_held_case(seed)):
        rng = random.Random(repr(case.jobs))
        gpus = np.array(
            [case.gpus, *([rng.choice([0, 1, 2, 5, 8, 24]) for _ in case.gpus] for _ in range(4))], np.int32
        )
        whole = run_batch(case.spec(), 0, gpus)
        for lanes in (1, 32):
            assert np.array_equal(
                whole.passed, run_batch(case.spec(), 0, gpus, early=True, lanes=lanes).passed
            )


@settings(max_examples=30)
@given(seed=st.integers(0, 2**63), events=st.sampled_from((1, 7, 1 << 40)))
@pytest.mark.slow
def test_a_device_gives_the_integers_of_the_oracle_in_slices(seed: int, events: int) -> None:
    case = random_contract_case(seed)
    with emulated(EmulatedDevice()), sliced(events):
        result = run_batch(case.spec(), 0, case.cell, records=True, causes=True, backend="emulated", **TINY)
    assert not shared_differences(result, case.answer())


def test_a_job_alone_is_held_and_its_wait_counts_from_then_on() -> None:
    jobs = Jobs(submit=[0, 5], service=[10, 10], gpus=[1, 1], delay=[7, 0])
    for lanes in (1, 32):
        result = run_batch(RunSpec(jobs), 0, 1, records=True, lanes=lanes)
        assert result.records is not None
        assert result.records.eligible.tolist() == [7, 5]
        assert result.records.start.tolist() == [15, 5]  # it joins behind the other
        assert result.sums[0, 0, 0] == 8


def test_a_closure_is_kept_free_by_every_backfill() -> None:
    # 4 GPUs, 2 of them closed in [10, 20). Jobs of 3 GPUs for 8 ticks at 0, of 3 for 8 at 1, of 1 for 30 at 2.
    jobs = Jobs(submit=[0, 1, 2], service=[8, 8, 30], gpus=[3, 3, 1])
    starts = {0: [0, 20, 20], -1: [0, 20, 2], 1: [0, 20, 2], -2: [0, 20, 2]}
    for backfill, expected in starts.items():
        spec = RunSpec(
            jobs,
            policy=Policy(backfill=backfill),
            sharing=Sharing.nobody(1, 1, 1),
            closures=Closures([0], [10], [20], [2]),
        )
        for lanes in (1, 32):
            result = run_batch(spec, 0, 4, records=True, causes=True, lanes=lanes)
            assert result.records is not None
            assert result.records.start.tolist() == expected
            assert result.idle is not None
            assert result.idle[0, 0, 5] == 20


MISTAKES = {
    "pool": (lambda: Closures([-1], [0], [1], [1]), "closures.pool"),
    "GPUs": (lambda: Closures([0], [0], [1], [0]), "closures.gpus"),
    "empty": (lambda: Closures([0], [5], [5], [1]), r"closures\[0\]: is empty"),
    "order": (lambda: Closures([0, 0], [5, 4], [6, 6], [1, 1]), r"closures\[1\]: comes before"),
    "lengths": (lambda: Closures([0, 0], [5], [6], [1]), "differ in length"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_closure_that_cannot_be_meant_is_refused(mistake: str) -> None:
    make, message = MISTAKES[mistake]
    with pytest.raises(RunError, match=message):
        make()


def test_all_mistakes_of_closures_are_told_together() -> None:
    with pytest.raises(RunError) as caught:
        Closures([-1], [-1], [1 << 50], [0])
    assert len(caught.value.problems) == 4
    closures = Closures([3], [0], [1], [1])
    jobs = Jobs(submit=[0], service=[1], gpus=[1])
    with pytest.raises(RunError) as caught:
        RunSpec(jobs, ClassTable.single(), Policy(kill_at_limit=False), closures=closures)
    assert [problem.where for problem in caught.value.problems] == [
        "closures",
        "policy.kill_at_limit",
        "closures.pool[0]",
    ]
