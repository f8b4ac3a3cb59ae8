"""Examples of Kueue's documentation and tests come out here as there, from the oracle and from the engine."""

from __future__ import annotations

import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.reference import SKIP, Job, JobClass, Policy, Sharing, Tenant, Windows
from gpusim.engine.result import OUTCOMES
from published_examples import COMES, EXAMPLES, LAST, Example
from published_quotas import AVAILABLE, Available
from shared_case import SharedCase, shared_differences


def answer(case: SharedCase) -> tuple[list[int], list[str]]:
    """First starts and fates, on which oracle and engine agree."""
    expected = case.answer()
    for lanes in (1, 32):
        result = run_batch(case.spec(), 0, case.cell, records=True, causes=True, threads=1, lanes=lanes)
        assert not shared_differences(result, expected)
    assert result.records is not None
    return result.records.start.tolist(), [OUTCOMES[code] for code in result.records.outcome]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.source}: {e.name}")
def test_a_newcomer_evicts_whom_it_evicts_in_kueue(example: Example) -> None:
    starts, fates = answer(example.case())
    assert starts[:-1] == list(range(len(example.running)))  # everybody ran when it came
    evicted = {row.name for row, fate in zip(example.running, fates[:-1], strict=True) if fate == "cancelled"}
    assert evicted == example.evicted
    assert starts[-1] == (COMES if example.starts else -1)
    assert fates[:-1].count("running") == len(example.running) - len(evicted)


def filled(example: Available, tenant: int, gang: int, used: tuple[int, ...]) -> str:
    """What becomes of a gang where so many GPUs are used; urgent jobs use them, whatever the quotas say."""
    rows = [(t, n) for t, n in enumerate(used) if n]
    classes = (*(JobClass(tenant=t, urgent=True) for t, _ in rows), JobClass(tenant=tenant))
    jobs = (
        *(Job(0, 1000, 1000, n, i) for i, (_, n) in enumerate(rows)),
        Job(COMES, 1000, 1000, gang, len(rows)),
    )
    case = SharedCase(jobs, classes, Policy(SKIP), (1000,), Windows(0, LAST, LAST), (), example.sharing)
    starts, fates = answer(case)
    assert starts[:-1] == [0] * len(rows)
    return fates[-1]


@pytest.mark.parametrize("example", AVAILABLE, ids=lambda e: f"{e.source}: {e.name}")
def test_as_many_gpus_are_available_as_in_kueue_and_not_one_more(example: Available) -> None:
    for tenant, (now, ever) in enumerate(zip(example.available, example.potentially, strict=True)):
        if now:
            assert filled(example, tenant, now, example.used) == "running"
        assert filled(example, tenant, now + 1, example.used) == ("waiting" if now < ever else "rejected")
        if ever:
            assert filled(example, tenant, ever, (0,) * len(example.used)) == "running"
        assert filled(example, tenant, ever + 1, (0,) * len(example.used)) == "rejected"


def test_pending_work_of_the_owner_goes_before_new_work_that_borrows() -> None:
    # Concepts / Cluster Queue, borrowing example: 9 and 12. Team a has used its 9; team b has pending work. Team a's
    # job is older and would borrow 3; team b's, of 12, is admitted first.
    classes = (JobClass(tenant=0), JobClass(tenant=1))
    jobs = (
        *(Job(0, 1000, 1000, 9, 0), Job(0, 50, 50, 12, 1)),
        *(Job(10, 1000, 1000, 3, 0), Job(20, 1000, 1000, 12, 1)),
    )
    sharing = Sharing((Tenant(2, (9,)), Tenant(2, (12,))), AVAILABLE[0].sharing.cohorts)
    case = SharedCase(jobs, classes, Policy(SKIP), (21,), Windows(0, LAST, LAST), (), sharing)
    assert answer(case) == ([0, 0, -1, 50], ["running", "finished", "waiting", "running"])


def test_an_older_job_evicts_the_newest_of_its_priority() -> None:
    # TestPreemption, "preempt newer workloads with the same priority": 6 GPUs, own rule LowerOrNewerEqualPriority; wl1
    # (priority 2), wl3 and wl2 (priority 1, wl2 admitted last) have 2 each, and "in" (2, priority 1) is older than
    # they: wl2 leaves. Here "in" was evicted by wl1 first, as the others were exempt until tick 20.
    classes = (
        JobClass(tier=1, preemptible=True),
        JobClass(tier=1, preemptible=True, exempt=19, requeue="cancel"),
        JobClass(tier=1, preemptible=True, exempt=18, requeue="cancel"),
        JobClass(tier=2, preemptible=True),
    )
    jobs = tuple(Job(i, 1000, 1000, 2, i) for i in range(4))  # in, wl3, wl2, wl1
    sharing = Sharing((Tenant(nominal=(6,), within="lower_or_newer"),))
    case = SharedCase(jobs, classes, Policy(SKIP), (6,), Windows(0, LAST, LAST), (), sharing)
    assert answer(case) == ([0, 1, 2, 3], ["running", "running", "cancelled", "running"])
    out = case.answer()
    assert out.evictions == [(3, 0), (20, 2)]
    assert (20, 0, 0) in out.starts


def test_every_example_has_a_source_and_a_name_of_its_own() -> None:
    names = [(e.source, e.name) for e in (*EXAMPLES, *AVAILABLE)]
    assert len(set(names)) == len(names) >= 50
