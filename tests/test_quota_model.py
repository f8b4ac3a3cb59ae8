"""The oracle's quota formula against tanks of GPUs (tests/quota_model.py), and its rounding of shares."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gpusim.engine.reference import Cohort, Share, Sharing, Tenant
from gpusim.engine.reference_quota import Quotas, Use, spread
from quota_model import Tree, random_tree


def quotas_of(tree: Tree) -> Quotas:
    rows = [(p, (n,), (b,), (lend,)) for p, n, b, lend in tree.rows]
    sharing = Sharing(
        tuple(Tenant(*row) for row in rows[: tree.tenants]),
        tuple(Cohort(*row) for row in rows[tree.tenants :]),
    )
    return Quotas(sharing, (100,))


@pytest.mark.slow
def test_the_formula_is_what_the_tanks_give_on_thousands_of_trees() -> None:
    seen: Counter[str] = Counter()
    for seed in range(2000):
        rng = random.Random(f"tree {seed}")
        tree = random_tree(rng)
        quotas, tanks = quotas_of(tree), tree.tanks()
        for _ in range(5):
            use = Use(Counter({(t, 0): gpus for t, gpus in tanks.taken.items()}))
            for t in range(tree.tenants):
                assert quotas.avail(t, 0, use) == tanks.most(t), (seed, t, use)
            t, gang = rng.randrange(tree.tenants), rng.randint(1, 6)
            if rng.random() < 0.3 and tanks.taken.get(t, 0) >= gang:
                tanks.release(t, gang)
                seen["released"] += 1
            else:
                admitted = tanks.admit(t, gang)
                assert admitted == quotas.admits(t, 0, gang, use, Use()), (seed, t, gang)
                seen["admitted" if admitted else "refused"] += 1
            seen["borrowing"] += any(gpus > tree.rows[t][1] for t, gpus in tanks.taken.items())
        seen["three levels"] += max(tanks.depth(t) for t in range(tree.tenants)) >= 2
    assert min(seen.values()) > 400, seen


def test_the_ceiling_is_what_full_tanks_give() -> None:
    for seed in range(500):
        tree = random_tree(random.Random(f"ceiling {seed}"))
        quotas, tanks = quotas_of(tree), tree.tanks()
        for t in range(tree.tenants):
            most = tanks.most(t)
            assert quotas.could_ever(t, 0, most)
            assert not quotas.could_ever(t, 0, most + 1)


def test_use_beyond_quota_is_owed_by_the_whole_tree() -> None:
    # 3 and 3 in a cohort; an urgent job of tenant 0 uses 8: 2 more than there are. Tenant 1 has nothing left, nor
    # would it have with 3 at home that it never lends: the 2 that are missing at the root are missing for it (R17).
    for lend, left in ((None, -2), (0, 3 - 5)):
        sharing = Sharing((Tenant(2, (3,)), Tenant(2, (3,), lend=(lend,))), (Cohort(),))
        assert Quotas(sharing, (6,)).avail(1, 0, Use(Counter({(0, 0): 8}))) == left


@pytest.mark.parametrize(
    ("ppm", "capacity", "gpus"),
    [
        ((250_000, 250_000, 500_000), 10, [3, 2, 5]),  # remainders .5 .5 0: the first of equals
        ((333_333, 333_333, 333_334), 10, [3, 3, 4]),  # .33333 .33333 .33334
        ((333_333, 333_333, 333_333), 10, [3, 3, 3]),  # 9.99999 in all: 9
        ((100_000, 100_000, 100_000), 7, [1, 1, 0]),  # 2.1 in all: 2, one each to the first of equals
        ((1_000_000, 500_000), 3, [3, 1]),  # more than the pool: 4.5 in all: 4
        ((0, 0), 5, [0, 0]),
    ],
)
def test_shares_are_rounded_by_largest_remainder(
    ppm: tuple[int, ...], capacity: int, gpus: list[int]
) -> None:
    assert spread([Share(p) for p in ppm], capacity) == gpus


def test_rounding_gives_every_share_its_floor_or_one_more_and_loses_nothing() -> None:
    for seed in range(500):
        rng = random.Random(f"shares {seed}")
        capacity = rng.randint(0, 300)
        ppm = [rng.choice([0, 1, 125_000, rng.randint(0, 400_000)]) for _ in range(rng.randint(1, 8))]
        gpus = spread([Share(p) for p in ppm], capacity)
        assert sum(n or 0 for n in gpus) == capacity * sum(ppm) // 1_000_000
        assert all(
            n is not None and 0 <= n - capacity * p // 1_000_000 <= 1 for n, p in zip(gpus, ppm, strict=True)
        )


def test_amounts_in_gpus_stand_beside_shares_as_they_are() -> None:
    assert spread([4, Share(500_000), None, Share(500_000)], 5) == [4, 3, None, 2]


def test_the_unassigned_tenant_has_nothing_where_the_others_have_more_than_there_is() -> None:
    sharing = Sharing((Tenant(nominal=(6,)), Tenant()), unassigned=1)
    assert [Quotas(sharing, (gpus,)).nominal[1][0] for gpus in (4, 6, 9)] == [0, 0, 3]


def test_a_tenant_without_a_quota_in_one_pool_is_free_there_and_bound_in_the_other() -> None:
    quotas = Quotas(Sharing((Tenant(nominal=(None, 2)),)), (8, 8))
    assert quotas.admits(0, 0, 100, Use(), Use())
    assert not quotas.admits(0, 1, 3, Use(), Use())
