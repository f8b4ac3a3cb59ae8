"""What shared centers conserve, to the tick: work, GPU time, and waiting (Little's law is an identity of sums).

Streams that end early and a horizon that lets everything finish: every job is counted, and every GPU-tick of it.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.result import COUNTS, EVICTIONS, OUTCOMES, SUMS
from gpusim.engine.sharing import RECLAIM, REQUEUE, WITHIN, Sharing
from gpusim.engine.spec import ALL, NONE, SKIP, Policy, RunSpec
from gpusim.workload.source import Generator
from queues import UNIT, Poisson, queue
from sharing_queues import FINE, cohort, shared, terms
from test_theory import LAWS

GPUS = 16
STREAMS = (  # offered load 14 of 16 GPUs
    Poisson(2.0, tier=2),
    Poisson(1.0, gpus={2: 1.0}, tier=1),
    Poisson(0.75, gpus={4: 1.0}, tier=1),
    Poisson(2.0, gpus={2: 1.0}, tier=0),
    Poisson(3.0, tier=0),
)
TENANTS = (0, 1, 0, 2, 1)
SIZES = np.array([1, 2, 4, 2, 1])
Ints = npt.NDArray[np.int64]


def finite(
    sharing: Sharing, policy: Policy, patience: dict[int, float] | None = None, name: str = ""
) -> RunSpec:
    """300 time units of arrivals, and as many as it takes until the last job has ended."""
    spec = queue(*STREAMS, seed=zlib.crc32(name.encode()), count=900.0, policy=policy)
    assert isinstance(spec.jobs, Generator)
    sources = tuple(replace(source, until_tick=300 * UNIT) for source in spec.jobs.sources)
    spec = shared(replace(spec, jobs=replace(spec.jobs, sources=sources)), TENANTS, sharing)
    given_up = np.full(len(STREAMS), -1)
    for c, time in (patience or {}).items():
        given_up[c] = round(time * UNIT)
    return replace(spec, classes=replace(spec.classes, patience=given_up))


def quotas(**changes: Any) -> Sharing:
    """8, 5 and 3 GPUs of one cohort; the last tenant borrows at most 6 and the first lends at most 7."""
    return cohort(
        3,
        5,
        (3, 3, 3, -1),
        (8, 5, 3, 0),
        borrow=(None, None, 6, None),
        lend=(7, None, None, None),
        **(
            {
                "reclaim": [RECLAIM.index("any")] * 3,
                "within": [WITHIN.index("lower_or_newer")] * 3,
                "borrow_preempts": [1, 0, 0],
                "preemptible": [True, True, True, True, True],
            }
            | changes
        ),
    )


THIRD = UNIT // 3
TERMS = {
    "nobody": Sharing.nobody(3, 5, 1),
    "quotas": quotas(preemptible=[False] * 5),
    "all is lost": quotas(),
    "tail": quotas(requeue=[REQUEUE.index("tail")] * 5, exempt=[THIRD] * 5),
    "checkpoints": quotas(
        checkpoint=[0, THIRD, THIRD, UNIT, FINE],
        checkpoint_cost=[0, THIRD // 5, THIRD // 9, 0, 0],
        restart=[THIRD // 2, 0, THIRD, THIRD, 0],
    ),
    "grace": quotas(
        checkpoint=[UNIT] * 5, checkpoint_cost=[UNIT // 50] * 5, grace=[0, THIRD, UNIT // 60, THIRD, 0]
    ),
    "urgent": terms(3, 5, urgent=[True] + [False] * 4, preemptible=[False, False, True, True, True]),
}
POLICIES = {
    name: Policy(backfill, kill_at_limit=False)
    for name, backfill in (("skip", SKIP), ("none", NONE), ("easy", 1), ("all", ALL))
}


def column(table: Ints | None, names: tuple[str, ...], name: str) -> Ints:
    """Of the first run, by class."""
    assert table is not None
    return table[0, :, names.index(name)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("how", TERMS)
@pytest.mark.slow
def test_little_and_gpu_time_hold_to_the_tick(how: str, policy: str) -> None:
    spec = finite(TERMS[how], POLICIES[policy], {4: 2.0}, name=f"{how} {policy}")
    result = run_batch(spec, 0, GPUS, causes=True, records=True)
    counts = {name: column(result.counts, COUNTS, name) for name in COUNTS}
    sums = {name: column(result.sums, SUMS, name) for name in SUMS}
    evictions = {name: column(result.evictions, EVICTIONS, name) for name in EVICTIONS}
    gave_up = counts["abandoned"]
    assert np.array_equal(counts["submitted"], counts["finished"] + gave_up)
    assert result.causes is not None
    assert result.idle is not None
    assert result.records is not None

    # L = lambda W of those who wait, by class and so by tenant: the time integral of the number waiting is the sum of
    # waits. Those that give up have waited as long as their patience.
    waited = sums["wait"] + evictions["requeued_wait"] + gave_up * 2 * UNIT
    waiting = result.causes[0, :, 1:].sum(axis=1)
    assert np.array_equal(waiting, waited * SIZES)
    assert result.integrals[0, 1:3].tolist() == [waited.sum(), waiting.sum()]

    # L = lambda W in the center: what neither waits nor is gone runs.
    held = (sums["turnaround"] - sums["wait"] - evictions["requeued_wait"]) * SIZES
    assert np.array_equal(held, sums["gpu_ticks"])
    assert held.sum() == result.integrals[0, 0]

    # GPU time: held = work done + lost, and what is not held is idle.
    jobs, ran = generate_jobs(spec, 0), result.records.outcome == OUTCOMES.index("finished")
    work = np.zeros(len(SIZES), np.int64)
    np.add.at(work, jobs.job_class[ran], (jobs.gpus * jobs.service.astype(np.int64))[ran])
    assert np.array_equal(held, work + evictions["lost"])
    assert held.sum() + result.idle.sum() == GPUS * spec.windows.horizon
    evicts = how not in ("nobody", "quotas")
    assert evictions["preemptions"].sum() == result.records.preemptions.sum()
    assert (evictions["preemptions"].sum() > 100) == (evictions["lost"].sum() > 0) == evicts
    assert gave_up[4] > 0 or not evicts
    assert waiting[2:].min() > 0


def test_no_gpu_is_idle_while_a_job_of_one_waits_where_jobs_are_skipped_and_nobody_owns_anything() -> None:
    spec = finite(Sharing.nobody(3, 5, 1), POLICIES["skip"], name="skip")
    result = run_batch(spec, 0, GPUS, causes=True, records=True)
    records = result.records
    assert records is not None
    # Free GPUs and waiting jobs of one GPU after each tick in which anything starts, ends or arrives.
    ticks = np.unique(np.concatenate([records.submit, records.start, records.end]))

    def after(begin: Ints, end: Ints, weight: Ints) -> Ints:
        change = np.zeros(len(ticks), np.int64)
        np.add.at(change, np.searchsorted(ticks, begin), weight)
        np.add.at(change, np.searchsorted(ticks, end), -weight)
        return np.cumsum(change)

    free = GPUS - after(records.start, records.end, records.gpus.astype(np.int64))
    small = records.gpus == 1
    waits = after(records.submit[small], records.start[small], np.ones(small.sum(), np.int64))
    assert free.min() == 0
    assert waits.max() > 5
    assert not free[waits > 0].any()
    assert result.idle is not None
    assert result.idle[0, 0, [0, 1]].tolist() == [0, 0]  # reserved, quota_idle


@pytest.mark.parametrize("law", LAWS)
def test_one_gpu_is_busy_at_the_same_times_whoever_goes_first(law: str) -> None:
    # Work conservation on one server: the work left is one path for every order, with or without eviction, if
    # nothing is lost. So are busy periods, and with them the GPU time held in any window.
    streams = [Poisson(0.25, LAWS[law], tier=tier) for tier in (2, 1, 0)]
    spec = queue(*streams, seed=7, warm_up=100.0, count=1000.0)
    nobody = Sharing.nobody(3, 3, 1)
    free = {"checkpoint": [FINE] * 3, "preemptible": [True] * 3}
    terms_of = {
        "first come": nobody,
        "tiers": nobody,
        "urgent": terms(3, 3, urgent=[True] * 3, **free),
        "tail": terms(3, 3, urgent=[True, False, False], requeue=[1] * 3, **free),
        "within": terms(1, 3, within=[WITHIN.index("lower")], **free),
        "reclaim": cohort(3, 3, (3, 3, 3, -1), (0, 0, 1, 0), reclaim=[RECLAIM.index("any")] * 3, **free),
    }
    busy, evicted = set(), 0
    for name, sharing in terms_of.items():
        tiers = [0, 0, 0] if name == "first come" else spec.classes.tier
        run = replace(spec, classes=replace(spec.classes, tier=tiers))
        result = run_batch(shared(run, range(3) if sharing.tenants > 1 else [0] * 3, sharing), range(4), 1)
        busy.add(tuple(result.integrals[:, 0].tolist()))
        evicted += int(column(result.evictions, EVICTIONS, "preemptions").sum())
    assert len(busy) == 1
    assert evicted > 500
