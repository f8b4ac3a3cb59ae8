"""What is drawn on top of a random shared center: orders by use, users, approval, closures (S30-S36).

Every feature has random numbers of its own, drawn after the center: a seed means the same center with and without.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from gpusim.engine import reference as oracle
from gpusim.engine.reference import Closure, Fairness

if TYPE_CHECKING:
    from sharing_random import SharedCenter

ONE = 2**20


def with_features(seed: int, center: SharedCenter) -> SharedCenter:
    """Each feature with some probability, so that many centers have several and some have none."""
    rng = random.Random(f"features {seed}")
    if rng.random() < 0.4:
        center = with_order(rng, center)
    if rng.random() < 0.35:
        center = with_users(rng, center)
    if rng.random() < 0.25:
        center = with_approval(rng, center)
    if rng.random() < 0.35:
        center = with_closures(rng, center)
    return center


def with_order(rng: random.Random, center: SharedCenter) -> SharedCenter:
    """Fair Tree, multifactor or weighted share, or fairshare with other weights."""
    orders = [oracle.FAIR_TREE, oracle.MULTIFACTOR, oracle.WEIGHTED_SHARE]
    order = rng.choice([*orders, *orders, oracle.FAIRSHARE])
    sharing, policy = center.sharing, replace(center.policy, order=order)
    assert sharing is not None
    if order == oracle.WEIGHTED_SHARE:
        sharing, policy = replace(sharing, borrowers="in_order"), replace(policy, max_tests=-1)
    fairness = random_fairness(rng, len(sharing.tenants), len(center.classes), center.gpus)
    return replace(center, sharing=sharing, policy=policy, fairness=fairness)


def random_fairness(rng: random.Random, tenants: int, classes: int, gpus: tuple[int, ...]) -> Fairness:
    """Up to 3 accounts, one perhaps inside another; weights with ties and zeros; short periods; all use or a part."""
    accounts = rng.choice([0, 0, 1, 2, 3])
    nodes = tenants + accounts

    def parent(first: int) -> int:
        above = range(max(tenants, first), nodes)
        return rng.choice(above) if above and rng.random() < 0.75 else -1

    return Fairness(
        tuple(rng.choice([0, 1, 1, 1, 2, 5]) for _ in range(nodes)),
        tuple(parent(n + 1) for n in range(nodes)) if rng.random() < 0.8 else (),
        calc_period=rng.choice([1, 4, 9, 16]),
        decay_q32=rng.choice([0, 2**31, 3 * 10**9, 2**32]),
        w_age=rng.choice([0, 1, 100, ONE]),
        w_fairshare=rng.choice([0, 1, 100, ONE]),
        w_size=rng.choice([0, 0, 50, ONE]),
        w_qos=rng.choice([0, 0, 50, ONE]),
        max_age=rng.choice([1, 7, 40, 1000]),
        qos=tuple(rng.choice([0, ONE // 3, ONE]) for _ in range(classes)) if rng.random() < 0.7 else (),
        over_quota=rng.random() < 0.5,
        center_pools=some_pools(rng, gpus),
    )


def some_pools(rng: random.Random, gpus: tuple[int, ...]) -> int:
    """How many of the first pools are the center, which has GPUs; 0: all."""
    fewer = [n for n in range(1, len(gpus)) if sum(gpus[:n]) > 0]
    return rng.choice([0, len(gpus), *fewer, *fewer])


def with_users(rng: random.Random, center: SharedCenter) -> SharedCenter:
    """One to three users of each tenant, some with limits."""
    assert center.sharing is not None
    most = max(center.gpus)
    rows = tuple(
        replace(
            row,
            users=rng.choice([1, 2, 3]),
            user_max_gpus=rng.choice([None, most // 2 + 1, 2]),
            user_max_jobs=rng.choice([None, None, 1, 2]),
        )
        for row in center.sharing.tenants
    )
    users = [rows[row.tenant].users for row in center.classes]
    jobs = tuple(replace(job, user=rng.randrange(users[job.job_class])) for job in center.jobs)
    return replace(center, jobs=jobs, sharing=replace(center.sharing, tenants=rows))


def with_approval(rng: random.Random, center: SharedCenter) -> SharedCenter:
    """Holds of every length: many jobs at the same call, or each its own."""
    call = rng.choice([1, 5, 12])
    jobs = tuple(
        job if job.after >= 0 else replace(job, delay=-job.submit % call + rng.choice([0, 0, 1, 8]))
        for job in center.jobs
    )
    return replace(center, jobs=jobs)


def with_closures(rng: random.Random, center: SharedCenter) -> SharedCenter:
    """One to four closures, which may overlap, touch, and close more than there is."""
    last = center.jobs[-1].submit

    def closure() -> Closure:
        pool = rng.randrange(len(center.gpus))
        start = rng.choice([0, last // 2, rng.randint(0, last + 20), rng.randint(0, last + 20)])
        gpus = rng.choice([1, 2, max(1, center.gpus[pool] // 2), center.gpus[pool], 10**6])
        return Closure(pool, start, start + rng.choice([1, 2, 5, 10, 40]), gpus)

    closures = sorted((closure() for _ in range(rng.randint(1, 4))), key=lambda one: (one.pool, one.start))
    return replace(center, closures=tuple(closures), policy=replace(center.policy, kill_at_limit=True))
