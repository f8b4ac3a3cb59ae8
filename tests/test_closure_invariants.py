"""Closures and approval in random shared centers: nothing runs into a closure, nobody starts before approval."""

from __future__ import annotations

from collections import Counter

import pytest

from gpusim.engine.reference import Closure
from sharing_random import SharedCenter
from sharing_stays import answered, on_many, overlap, running_at, stays_of


def closed(case: SharedCenter, pool: int, tick: int) -> int:
    here = [one.gpus for one in case.closures if one.pool == pool and one.start <= tick < one.end]
    return min(case.gpus[pool], sum(here))


@on_many
@pytest.mark.slow
def test_no_job_runs_into_a_closure_nor_could_have(seed: int) -> None:
    case, out = answered(seed)
    stays = stays_of(case, out)
    ticks = sorted({tick for one in case.closures for tick in (one.start, one.end)})
    for now in sorted({tick for tick, _, _ in out.starts}):
        running = running_at(stays, now)
        for later in [now, *(tick for tick in ticks if tick > now)]:
            for pool, gpus in enumerate(case.gpus):
                until_then = [
                    case.jobs[stay.job].gpus
                    for stay in running
                    if stay.pool == pool and max(stay.end, stay.begin + case.jobs[stay.job].limit) > later
                ]
                if case.closures:
                    assert sum(until_then) + closed(case, pool, later) <= gpus


@on_many
@pytest.mark.slow
def test_closed_gpus_are_those_of_the_closures(seed: int) -> None:
    case, out = answered(seed)
    ends = max((one.end for one in case.closures), default=0)
    for pool in range(len(case.gpus)):
        ticks = range(min(ends, case.windows.horizon))
        expected = sum(closed(case, pool, tick) for tick in ticks if overlap(case, tick, tick + 1))
        assert out.idle[pool]["closed"] == expected


@on_many
@pytest.mark.slow
def test_gpus_are_drained_only_in_front_of_a_closure(seed: int) -> None:
    case, out = answered(seed)
    for pool in range(len(case.gpus)):
        if not any(one.pool == pool and one.start > 0 for one in case.closures):
            assert out.idle[pool]["drained"] == 0


@on_many
@pytest.mark.slow
def test_nobody_is_eligible_before_approval(seed: int) -> None:
    case, out = answered(seed)
    for i, job in enumerate(case.jobs):
        approved = job.submit + job.delay
        if job.after < 0 and out.outcome[i] not in ("rejected", "unsubmitted"):
            assert out.eligible[i] == (approved if approved < case.windows.horizon else -1)
        assert out.start[i] < 0 or out.start[i] >= out.eligible[i]


def test_a_closure_of_everything_for_ever_lets_nobody_run() -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        case, _ = answered(seed)
        if not case.policy.kill_at_limit:
            continue
        horizon = case.windows.horizon
        shut = tuple(Closure(pool, 0, max(1, horizon), 10**6) for pool in range(len(case.gpus)))
        out = type(case)(**{**vars(case), "closures": shut}).answer()
        assert not out.starts
        assert sum(row["closed"] for row in out.idle) == sum(case.gpus) * overlap(case, 0, horizon)
        seen.update(out.outcome)
    assert seen["waiting"] > 50
