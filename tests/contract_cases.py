"""Random small centers with approval and closures (S35, S36)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TypeVar

from cases import random_case
from center_case import Case
from contested_cases import contested_case
from gpusim.engine import reference as oracle
from gpusim.engine.reference_terms import Closure, Sharing
from shared_case import SharedCase
from shared_cases import random_shared_case
from sharing_random import random_shared_center

AnyCase = TypeVar("AnyCase", bound=Case)


def random_held_case(seed: int) -> Case:
    """A random case that nobody shares, some of whose jobs are held at first."""
    return with_holds(random.Random(f"held {seed}"), random_case(seed))


def random_contract_case(seed: int) -> SharedCase:
    """A shared case of either kind, with closures, holds or both; backfill of every kind as often.

    In some GPUs are kept for owners, a pass looks at few jobs, or there is none at most ticks: that is seen in causes.
    """
    rng = random.Random(f"contracts {seed}")
    kind = rng.random()
    if kind < 0.3:
        case = with_owners(rng, contested_case(rng))
    else:
        case = random_shared_case(seed) if kind < 0.65 else of_center(seed)
    backfill = rng.choice([oracle.NONE, oracle.SKIP, 1, 1, 3, oracle.ALL])
    case = replace(case, policy=replace(case.policy, backfill=backfill))
    if rng.random() < 0.3:
        case = replace(case, policy=replace(case.policy, max_tests=rng.choice([1, 2, 4])))
    if rng.random() < 0.3:
        case = replace(case, policy=replace(case.policy, period=rng.choice([2, 3, 5])))
    which = rng.random()
    if which < 0.6:
        case = with_holds(rng, case)
    return with_closures(rng, case) if which > 0.2 else case


def of_center(seed: int) -> SharedCase:
    """A shared center without orders by use and users."""
    center = random_shared_center(seed, features=False)
    policy = center.policy
    if policy.order > oracle.SJF:
        policy = replace(policy, order=oracle.FIFO)
    sharing = center.sharing or Sharing(())
    return SharedCase(center.jobs, center.classes, policy, center.gpus, center.windows, center.slos, sharing)


def with_owners(rng: random.Random, case: SharedCase) -> SharedCase:
    """Nobody may reclaim, so GPUs are kept for owners (R20); cohorts own more than there is in some."""
    assert case.sharing is not None
    rows = tuple(replace(row, reclaim="never", borrow_preempts=None) for row in case.sharing.tenants)
    most = rng.choice([0, 3, 6])
    cohorts = tuple(
        replace(row, nominal=tuple(rng.randint(0, most) for _ in case.gpus)) for row in case.sharing.cohorts
    )
    return replace(case, sharing=replace(case.sharing, tenants=rows, cohorts=cohorts))


def with_holds(rng: random.Random, case: AnyCase) -> AnyCase:
    """Everybody held to the next call, some longer, also first jobs of chains."""
    call, chance = rng.choice([1, 1, 4, 12]), rng.choice([0.3, 1.0])
    longer = rng.choice([[0], [0, 0, 1, 8], [3], [0, 5, 500]])
    jobs = tuple(
        replace(job, delay=-job.submit % call + rng.choice(longer))
        if job.after < 0 and rng.random() < chance
        else job
        for job in case.jobs
    )
    return replace(case, jobs=jobs)


def with_closures(rng: random.Random, case: SharedCase) -> SharedCase:
    """Up to ten closures that overlap, touch, close more than there is, or come when nothing happens any more."""
    last = case.jobs[-1].submit if case.jobs else 0
    many = rng.choice([1, 2, 3, 10])

    def closure() -> Closure:
        pool = rng.randrange(len(case.gpus))
        start = rng.choice([0, last // 2, rng.randint(0, last + 20), rng.randint(0, 2 * last + 60)])
        own = case.gpus[pool]
        gpus = rng.choice([1, max(1, own // 3), max(1, own // 2), max(1, own), 10**6])
        return Closure(pool, start, start + rng.choice([1, 2, 5, 10, 40, 400]), gpus)

    closures = sorted((closure() for _ in range(rng.randint(1, many))), key=lambda one: (one.pool, one.start))
    return replace(case, closures=tuple(closures), policy=replace(case.policy, kill_at_limit=True))
