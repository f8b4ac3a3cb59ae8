"""Random small centers that tenants share: nested cohorts, borrowing, chains of preemption, fair orders, users."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import hypothesis.strategies as st

from cases import random_case
from center_case import Case
from contested_cases import contested_case
from gpusim.engine import reference as oracle
from gpusim.engine.reference_terms import Amount, Cohort, Fairness, Share, Sharing, Tenant
from shared_case import SharedCase
from sharing_features import some_pools


def random_shared_case(seed: int) -> SharedCase:
    """A random case, shared by two to six tenants; crowded in most, so that quotas bind and victims are found.

    In some, tenants of nested cohorts take from each other (`contested_cases.py`).
    """
    if (rng := random.Random(f"contested {seed}")).random() < 0.4:
        case = contested_case(rng)
        backfill = rng.choice(
            [case.policy.backfill, 1, 2, oracle.ALL]
        )  # reservations that refuse somebody are rare
        return replace(case, policy=replace(case.policy, backfill=backfill))
    rng = random.Random(f"shared {seed}")
    plain = random_case(rng.randrange(2**62))
    tenants = rng.choice([2, 2, 3, 4, 6])
    plain = _spread_out(rng, plain, tenants)
    if rng.random() < 0.7:
        plain = _busy(rng, plain)
    sharing = _sharing(rng, plain, tenants)
    classes = tuple(_preemption(rng, row) for row in plain.classes)
    if rng.random() < 0.75:  # otherwise the policy stays whatever it is
        backfill = rng.choice([oracle.NONE, oracle.SKIP, oracle.SKIP, 1, 1, 2, 3, oracle.ALL])
        plain = replace(plain, policy=replace(plain.policy, backfill=backfill))
    return SharedCase(plain.jobs, classes, plain.policy, plain.gpus, plain.windows, plain.slos, sharing)


def random_fair_case(seed: int) -> SharedCase:
    """A random shared case whose order is one of the fair ones, or whose users have limits, or both."""
    rng = random.Random(f"fair {seed}")
    case = random_shared_case(rng.randrange(2**62))
    kind = rng.choice(["order", "order", "order", "users", "both"])
    if kind != "users":
        case = _fair(rng, case)
    if kind != "order":
        case = _with_users(rng, case)
    return case


def _fair(rng: random.Random, case: SharedCase) -> SharedCase:
    assert case.sharing is not None
    orders = (oracle.FAIRSHARE, oracle.FAIR_TREE, oracle.MULTIFACTOR, oracle.WEIGHTED_SHARE)
    policy, sharing = replace(case.policy, order=rng.choice(orders)), case.sharing
    if policy.order == oracle.WEIGHTED_SHARE:
        policy, sharing = replace(policy, max_tests=-1), replace(sharing, borrowers="in_order")
    fairness = _fairness(rng, len(sharing.tenants), len(case.classes), case.gpus)
    tiers = (0,) if rng.random() < 0.5 else (0, 1)  # few tiers: lines of many tenants in each
    classes = tuple(replace(row, tier=rng.choice(tiers)) for row in case.classes)
    return replace(case, classes=classes, policy=policy, sharing=sharing, fairness=fairness)


def _fairness(rng: random.Random, tenants: int, classes: int, gpus: tuple[int, ...]) -> Fairness:
    """Accounts up to four deep, weights with zeros and ties, periods from every tick to never; all use or a part."""
    accounts = rng.choice([0, 0, 1, 2, 4, 6])
    nodes = tenants + accounts
    deep = rng.random() < 0.5

    def parent(node: int) -> int:
        above = range(max(tenants, node + 1), nodes)
        if not above or rng.random() < 0.2:
            return -1
        return above[0] if deep and node >= tenants else rng.choice(above)

    one = 1 << 20
    weights = rng.choice([(1,), (0, 1, 1, 2), (1, 3, 7, 2**31 - 1), (0, 5)])
    factor = rng.choice([(0, 1, 20), (0, one // 3, one), (one,)])
    return Fairness(
        weight=tuple(rng.choice(weights) for _ in range(nodes)),
        account_parent=tuple(parent(node) for node in range(nodes)) if accounts else (),
        calc_period=rng.choice([1, 2, 3, 5, 7, 20, 60, 10**6]),
        decay_q32=rng.choice([0, 1, 2**31, 2**32 - 2**20, 2**32]),
        **{name: rng.choice(factor) for name in ("w_age", "w_fairshare", "w_size", "w_qos")},
        max_age=rng.choice([1, 3, 10, 100, 10**6]),
        qos=tuple(rng.choice([0, 1, one // 2, one]) for _ in range(classes)) if rng.random() < 0.7 else (),
        over_quota=rng.random() < 0.5,
        center_pools=some_pools(rng, gpus),
    )


def _with_users(rng: random.Random, case: SharedCase) -> SharedCase:
    assert case.sharing is not None
    most = max(case.gpus)
    rows = tuple(
        replace(
            row,
            users=rng.choice([1, 2, 3]),
            user_max_gpus=rng.choice([None, most, most // 2 + 1, rng.randint(0, 2)]),
            user_max_jobs=rng.choice([None, None, 0, 1, 2]),
        )
        for row in case.sharing.tenants
    )
    jobs = tuple(
        replace(job, user=rng.randrange(rows[case.classes[job.job_class].tenant].users)) for job in case.jobs
    )
    return replace(case, jobs=jobs, sharing=replace(case.sharing, tenants=rows))


def _spread_out(rng: random.Random, case: Case, tenants: int) -> Case:
    """Classes of every tenant, in a few tiers; each job in one of them."""
    tiers = rng.choice([(0,), (0, 1), (0, 1, 2), (-1, 0, 5)])
    rows = tuple(
        replace(rng.choice(case.classes), tenant=t, tier=rng.choice(tiers))
        for t in range(tenants)
        for _ in range(rng.choice([1, 2, 2, 3]))
    )
    jobs = tuple(replace(job, job_class=rng.randrange(len(rows))) for job in case.jobs)
    slos = tuple(
        replace(
            slo,
            classes=frozenset(rng.sample(range(len(rows)), rng.randint(1, len(rows)))),
            limits={},
            metric=rng.choice([slo.metric, slo.metric, oracle.PREEMPTIONS]),
        )
        for slo in case.slos
    )
    return replace(case, classes=rows, jobs=jobs, slos=tuple(_few(rng, slo) for slo in slos))


def _few(rng: random.Random, slo: oracle.Slo) -> oracle.Slo:
    return replace(slo, limit=rng.choice([0, 0, 1, 2])) if slo.metric == oracle.PREEMPTIONS else slo


def _busy(rng: random.Random, case: Case) -> Case:
    """Everybody at once, nobody refused, and run times long enough to be interrupted."""
    span, length = rng.choice([4, 15, 40]), rng.choice([1, 3, 6])
    jobs = sorted(
        (
            replace(
                job,
                submit=job.submit % span if job.after < 0 else job.submit,
                service=job.service * length,
                limit=job.limit * length,
            )
            for job in case.jobs
            if job.after < 0
        ),
        key=lambda job: job.submit,
    )
    if not jobs:
        return case
    classes = tuple(replace(row, patience=rng.choice([-1, -1, -1, row.patience])) for row in case.classes)
    policy = replace(case.policy, max_waiting=-1, tenant_max_waiting=())
    windows = replace(case.windows, warm_up=rng.choice([0, 0, 3]), count_end=span + 3)
    windows = replace(windows, horizon=windows.count_end + rng.choice([0, 30, 5000]))
    return replace(case, jobs=tuple(jobs), classes=classes, policy=policy, windows=windows)


def _sharing(rng: random.Random, case: Case, tenants: int) -> Sharing:
    """Tenants alone, in one cohort, or in a tree of cohorts."""
    cohorts = rng.choice([0, 1, 1, 1, 2, 3])
    pools = len(case.gpus)
    parts = [rng.random() + 0.1 for _ in range(tenants)]
    as_shares = rng.random() < 0.4

    def amount(part: float, pool: int) -> Amount:
        if as_shares:
            return Share(int(1_000_000 * part))
        return int(case.gpus[pool] * part + rng.random())

    def column(draw: Callable[[int], Amount]) -> tuple[Amount, ...]:
        return tuple(draw(pool) for pool in range(pools))

    def limit(chance: float) -> Callable[[int], Amount]:
        return lambda pool: amount(rng.choice([0.0, 0.2, 0.5]), pool) if rng.random() < chance else None

    whole = sum(parts) * rng.choice([0.8, 1.0, 1.0, 1.5])
    limited = rng.choice([0.0, 0.0, 0.3, 0.7])

    def tenant(t: int) -> Tenant:
        parent = tenants + rng.randrange(cohorts) if cohorts and rng.random() < 0.9 else -1
        alone = parent < 0
        no_quota = alone and rng.random() < 0.5
        return Tenant(
            parent=parent,
            nominal=column(lambda pool: None if no_quota else amount(parts[t] / whole, pool)),
            borrow=column(limit(limited)),
            lend=column(limit(limited)),
            strict=rng.random() < 0.3,
            within=rng.choice(["never", "lower", "lower", "lower_or_newer"]),
            reclaim=rng.choice(["never", "lower", "any", "any"]),
            borrow_preempts=rng.choice([None, None, 0, 1, 5]),
            max_gpus=rng.choice([None] * 6 + [rng.randint(0, 2 * max(case.gpus))]),
            max_jobs=rng.choice([None] * 6 + [rng.randint(0, 4)]),
        )

    def cohort(k: int) -> Cohort:
        parent = tenants + rng.randrange(k) if k and rng.random() < 0.8 else -1
        extra = column(lambda pool: rng.choice([0, 0, 0, amount(0.2, pool)]))
        return Cohort(
            parent=parent, nominal=extra, borrow=column(limit(limited)), lend=column(limit(limited))
        )

    return Sharing(
        tenants=tuple(tenant(t) for t in range(tenants)),
        cohorts=tuple(cohort(k) for k in range(cohorts)),
        borrowers=rng.choice(["last", "last", "in_order"]),
        unassigned=rng.randrange(tenants) if rng.random() < 0.1 else -1,
    )


def _preemption(rng: random.Random, row: oracle.JobClass) -> oracle.JobClass:
    checkpoint = rng.choice([None, None, 1, 2, 5])
    return replace(
        row,
        preemptible=rng.random() < 0.75,
        exempt=rng.choice([0, 0, 0, 1, 3, 8]),
        grace=rng.choice([0, 0, 0, 1, 3]),
        requeue=rng.choice(["place", "place", "tail", "cancel"]),
        checkpoint=checkpoint,
        checkpoint_cost=rng.choice([0, 0, 1]),
        restart=rng.choice([0, 0, 1, 2]),
        urgent=rng.random() < 0.1,
    )


def shared_cases() -> st.SearchStrategy[SharedCase]:
    """Random cases; a failing one is named by its seed."""
    return st.integers(0, 2**63).map(random_shared_case)
