"""Orders by use against plain models of their own: who has used what, and who must start before whom (S30-S33)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import pytest

from gpusim.engine.reference import (
    FAIR_TREE,
    FAIRSHARE,
    MULTIFACTOR,
    NONE,
    SKIP,
    WEIGHTED_SHARE,
    Cohort,
    Fairness,
    Outcome,
    Sharing,
    Tenant,
)
from gpusim.engine.reference_fairness import FairKeys
from sharing_features import random_fairness
from sharing_random import SharedCenter, random_shared_center
from sharing_stays import on_many, stays_of, waits_of
from slurm_fair_tree import FairTree

ONE = 2**20


def in_one_pool(seed: int, order: int) -> SharedCenter:
    """A random center in which nothing but the order and the GPUs of one pool decides."""
    case = random_shared_center(seed, features=False)
    assert case.sharing is not None
    tenants, rng = len(case.sharing.tenants), random.Random(f"one pool {seed}")
    gpus = (max(job.gpus for job in case.jobs),)
    return replace(
        case,
        gpus=gpus,
        classes=tuple(
            replace(row, pools=(0,), preemptible=False, urgent=False, tenant=k % tenants)
            for k, row in enumerate(case.classes)
        ),
        policy=replace(case.policy, order=order, backfill=NONE, period=1, max_tests=-1),
        fairness=random_fairness(rng, tenants, len(case.classes), gpus),
        sharing=never_blocking([rng.choice([None, 0, 0, 1, 2]) for _ in range(tenants)]),
    )


def never_blocking(nominal: Sequence[int | None]) -> Sharing:
    """Tenants that own so much, or have no quota, in a cohort that owns more than anybody could borrow."""
    cohort = len(nominal)
    rows = tuple(Tenant() if own is None else Tenant(cohort, (own,)) for own in nominal)
    return Sharing(rows, (Cohort(nominal=(10**6,)),), borrowers="in_order")


def trees(case: SharedCenter, out: Outcome) -> list[FairTree]:
    """The tree of accounts as of each multiple of the period, 0 included, until the last start."""
    fairness = case.fairness
    assert fairness is not None
    assert case.sharing is not None
    period, tenants = fairness.calc_period, range(len(case.sharing.tenants))
    at = Counter[tuple[int, int]]()  # [GPUs] by (tenant, tick)
    for stay in stays_of(case, out):
        for tick in range(stay.begin, min(stay.end, out.starts[-1][0])):
            at[tenant_of(case, stay.job), tick] += case.jobs[stay.job].gpus
    used = Counter[tuple[int, int]]()  # [GPU-ticks] that count, by (tenant, period)
    for (t, tick), gpus in at.items():
        owned = case.sharing.tenants[t].nominal[:1] if fairness.over_quota else ()
        used[t, tick // period] += max(0, gpus - owned[0]) if owned else gpus  # type: ignore[operator]
    parent = fairness.account_parent or (-1,) * len(fairness.weight)
    usage = [0 for _ in tenants]
    found = [FairTree(parent, fairness.weight, usage)]
    for k in range(out.starts[-1][0] // period):
        usage = [(usage[t] * fairness.decay_q32 >> 32) + used[t, k] for t in tenants]
        found.append(FairTree(parent, fairness.weight, usage))
    return found


def key_of(case: SharedCenter, out: Outcome, i: int, last: int, tree: FairTree) -> tuple[object, ...]:
    """What orders the queue in a pass, by the rules in words."""
    fairness, job = case.fairness, case.jobs[i]
    assert fairness is not None
    row = case.classes[job.job_class]
    key: object
    if case.policy.order == FAIRSHARE:
        key = tree.plain(row.tenant)
    elif case.policy.order == FAIR_TREE:
        key = tree.ranks(tree.plain)[row.tenant]
    else:
        rank = tree.ranks(tree.plain)[row.tenant]
        age = min(max(out.eligible[i], last) - out.eligible[i], fairness.max_age)
        factors = (
            (fairness.w_age, Fraction(age, fairness.max_age)),
            (fairness.w_fairshare, Fraction(tree.users - rank, tree.users)),
            (fairness.w_size, Fraction(job.gpus, case.gpus[0])),
            (fairness.w_qos, Fraction(fairness.qos[job.job_class] if fairness.qos else 0, ONE)),
        )
        key = -sum(weight * int(factor * ONE) for weight, factor in factors)
    return -row.tier, key, out.eligible[i], i


@pytest.mark.parametrize("order", [FAIRSHARE, FAIR_TREE, MULTIFACTOR])
@pytest.mark.slow
def test_nobody_starts_while_a_job_waits_that_comes_first(order: int) -> None:
    seen: Counter[str] = Counter()

    @partial(on_many, centers=100)
    def check(seed: int) -> None:
        case = in_one_pool(seed, order)
        out = case.answer()
        waits = {i: list(waits_of(case, out, i)) for i in range(len(case.jobs))}
        period = case.fairness.calc_period if case.fairness is not None else 1
        tree = trees(case, out) if out.starts else []
        for tick in sorted({tick for tick, _, _ in out.starts}):
            k = tick // period
            keys = {i: key_of(case, out, i, k * period, tree[k]) for i, _ in _near(waits, tick)}
            started = [keys[i] for at, i, _ in out.starts if at == tick]
            left = [keys[i] for i, end in _near(waits, tick) if end > tick]
            assert started == sorted(started)
            assert not left or started[-1] < min(left)
            seen["a choice"] += bool(left)
            seen["not the eldest"] += any(
                key[2:] < started[0][2:] and key[0] == started[0][0] for key in left
            )

    check()
    assert seen["a choice"] > 100
    assert seen["not the eldest"] > 15, seen


def _near(waits: dict[int, list[tuple[int, int]]], tick: int) -> list[tuple[int, int]]:
    """(job, end of its wait) of who waits at a tick, or whose wait ends there."""
    return [(i, end) for i, spans in waits.items() for begin, end in spans if begin <= tick <= end]


@on_many
@pytest.mark.slow
def test_the_lowest_share_goes_next_among_the_first_of_each_line(seed: int) -> None:
    case, rng = in_one_pool(seed, WEIGHTED_SHARE), random.Random(f"shares {seed}")
    assert case.sharing is not None
    assert case.fairness is not None
    tenants = len(case.sharing.tenants)
    nominal = [rng.choice([0, 1, 2, 4]) for _ in range(tenants)]
    case = replace(  # quotas never block
        case,
        classes=tuple(replace(row, patience=-1) for row in case.classes),
        policy=replace(case.policy, backfill=SKIP, max_waiting=-1),
        sharing=never_blocking(nominal),
    )
    out = case.answer()
    stays = stays_of(case, out)
    waits = {i: list(waits_of(case, out, i)) for i in range(len(case.jobs))}
    for tick in sorted({tick for tick, _, _ in out.starts}):
        used = Counter[int]()
        for stay in stays:
            if stay.begin < tick < stay.end:
                used[tenant_of(case, stay.job)] += case.jobs[stay.job].gpus
        left = sorted((i for i, _ in _near(waits, tick)), key=lambda i: (out.eligible[i], i))
        assert [i for at, i, _ in out.starts if at == tick] == by_share(case, left, used, nominal)


def by_share(case: SharedCenter, left: list[int], used: Counter[int], nominal: list[int]) -> list[int]:
    """Who starts, if GPUs are all that blocks; `left` is first come, first served."""
    assert case.fairness is not None
    weights, started = case.fairness.weight, []
    while left:
        tier = max(case.classes[case.jobs[i].job_class].tier for i in left)
        heads: dict[int, tuple[bool, Fraction, int, int]] = {}  # share of the first job of each tenant
        for place, i in enumerate(left):
            tenant = tenant_of(case, i)
            if case.classes[case.jobs[i].job_class].tier == tier and tenant not in heads:
                borrowed = max(0, used[tenant] + case.jobs[i].gpus - nominal[tenant])
                share = Fraction(borrowed, weights[tenant] or 1)
                heads[tenant] = (borrowed > 0 and weights[tenant] == 0, share, place, i)
        weightless = [head for head in heads.values() if head[0]]
        i = min(
            [head for head in heads.values() if not head[0]] or [(True, 0, *head[2:]) for head in weightless]
        )[-1]
        left.remove(i)
        if used.total() + case.jobs[i].gpus <= case.gpus[0]:
            used[tenant_of(case, i)] += case.jobs[i].gpus
            started.append(i)
    return started


def tenant_of(case: SharedCenter, i: int) -> int:
    return case.classes[case.jobs[i].job_class].tenant


@on_many
def test_usage_is_the_decayed_sum_of_the_periods(seed: int) -> None:
    rng = random.Random(seed)
    period, decay = rng.choice([1, 7, 100, 300]), rng.choice([0.0, 0.25, 0.5, 0.9, 0.9999, 1.0])
    fairness = Fairness((1, 3), calc_period=period, decay_q32=round(decay * 2**32))
    keys, used = FairKeys(fairness, 2), Counter[tuple[int, int]]()
    now = 0
    for _ in range(40):
        end = now + rng.choice([1, period, rng.randint(1, 5 * period)])
        gpus = Counter({t: rng.randint(0, 1000) for t in (0, 1)})
        keys.elapse(now, end, gpus)
        for tick in range(now, end):
            for t in (0, 1):
                used[t, tick // period] += gpus[t]
        now = end
    periods = now // period
    for t, weight in ((0, 1), (1, 3)):
        direct = sum(used[t, k] * decay ** (periods - 1 - k) for k in range(periods))
        lost = sum(decay**k for k in range(periods))  # less than 1 is lost to rounding in each period
        assert direct - lost - 1e-6 * direct <= keys.usage[t] <= direct * (1 + 1e-6)
        assert keys.level[t] == keys.usage[t] * ONE // weight
