"""Random small centers in which tenants of nested cohorts take GPUs from each other, for every reason (S20, S21).

Quotas add up to the pool, cohorts own some of them, and most jobs may be evicted: who borrowed is in somebody's way.
"""

from __future__ import annotations

import random

from gpusim.engine.reference import NONE, SKIP, Cohort, Job, JobClass, Policy, Sharing, Tenant, Windows
from shared_case import SharedCase


def contested_case(rng: random.Random) -> SharedCase:
    """Two to five tenants in one to four cohorts; short queues of long jobs, high tiers after low ones."""
    pools, tenants, cohorts = (
        rng.choice([1, 1, 1, 2]),
        rng.choice([2, 3, 4, 5]),
        rng.choice([1, 1, 1, 2, 3, 4]),
    )
    rows = tuple(_tenant(rng, tenants + rng.randrange(cohorts), pools) for _ in range(tenants))
    above = [-1 if k == 0 else tenants + rng.randrange(k) for k in range(cohorts)]
    tree = tuple(_cohort(rng, parent, pools) for parent in above)
    owned = [sum(_gpus(node.nominal[pool]) for node in (*rows, *tree)) for pool in range(pools)]
    gpus = tuple(max(1, own + rng.choice([0, 0, 0, 0, 1, -1])) for own in owned)
    classes = tuple(
        _job_class(rng, t, tier, pools) for t in range(tenants) for tier in (0, rng.choice([1, 2]))
    )

    span, longest = rng.choice([20, 40]), rng.choice([10, 30, 60])
    jobs = tuple(
        _job(rng, submit, longest, rng.randrange(tenants), high=rng.random() < submit / span)
        for submit in sorted(rng.randint(0, span) for _ in range(rng.randint(12, 30)))
    )
    end = span + 1
    return SharedCase(
        jobs,
        classes,
        Policy(backfill=rng.choice([SKIP, SKIP, SKIP, NONE, 1, 2])),
        gpus,
        Windows(0, end, end + rng.choice([20, 500])),
        (),
        Sharing(rows, tree, borrowers=rng.choice(["last", "last", "in_order"])),
    )


def _tenant(rng: random.Random, parent: int, pools: int) -> Tenant:
    reclaim = rng.choice(["any", "any", "any", "any", "lower", "never"])
    return Tenant(
        parent,
        tuple(rng.choice([0, 3, 4, 5, 6]) for _ in range(pools)),
        _limit(rng, 0.1, pools),
        _limit(rng, 0.25, pools),
        strict=rng.random() < 0.25,
        within=rng.choice(["lower", "lower", "lower", "lower_or_newer", "lower_or_newer", "never"]),
        reclaim=reclaim,
        borrow_preempts=rng.choice([None, None, None, None, 0, 1]) if reclaim != "never" else None,
    )


def _cohort(rng: random.Random, parent: int, pools: int) -> Cohort:
    own = tuple(rng.choice([0, 1, 2, 3, 4]) for _ in range(pools))
    return Cohort(parent, own, _limit(rng, 0.1, pools), _limit(rng, 0.2, pools))


def _limit(rng: random.Random, chance: float, pools: int) -> tuple[int | None, ...]:
    return tuple(rng.choice([0, 1, 2]) if rng.random() < chance else None for _ in range(pools))


def _gpus(amount: object) -> int:
    assert isinstance(amount, int)
    return amount


def _job_class(rng: random.Random, tenant: int, tier: int, pools: int) -> JobClass:
    return JobClass(
        tier,
        tenant,
        pools=tuple(rng.sample(range(pools), rng.randint(1, pools))),
        preemptible=rng.random() < (0.6 if tier else 0.95),
        exempt=rng.choice([0, 0, 0, 0, 3]),
        grace=rng.choice([0, 0, 0, 2]),
        requeue=rng.choice(["place", "place", "tail", "cancel"]),
        urgent=rng.random() < 0.04,
    )


def _job(rng: random.Random, submit: int, longest: int, tenant: int, high: bool) -> Job:
    service = rng.randint(1, longest)
    gpus = rng.choice([2, 3, 4, 5]) if high else rng.choice([1, 1, 2, 3])
    return Job(submit, service, service + rng.choice([0, 0, 5]), gpus, 2 * tenant + high)
