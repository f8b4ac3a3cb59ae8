"""The oracle's ranks are those of a walk down the tree, level by level."""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from slurm_fair_tree import FairTree, oracle_keys


def random_tree(rng: random.Random, users: int, accounts: int) -> tuple[int, ...]:
    nodes = users + accounts
    return tuple(
        rng.choice([-1, *range(max(users, n + 1), nodes)]) if max(users, n + 1) < nodes else -1
        for n in range(nodes)
    )


@settings(deadline=None, max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_ranks_are_those_of_a_walk_down_the_tree(seed: int) -> None:
    rng = random.Random(seed)
    users, accounts = rng.randint(1, 9), rng.randint(0, 5)
    parent = random_tree(rng, users, accounts)
    shares = tuple(rng.choice([0, 1, 1, 2]) for _ in parent)
    usage = [rng.choice([0, 0, 4, 4, 8, 12]) for _ in range(users)]  # many ties
    tree = FairTree(parent, shares, usage)
    assert oracle_keys(shares, parent, usage).rank == tree.ranks(tree.plain)


@settings(deadline=None, max_examples=300)
@given(seed=st.integers(0, 2**32))
@pytest.mark.slow
def test_ranks_are_slurm_s_where_no_accounts_with_usage_are_level(seed: int) -> None:
    rng = random.Random(seed)
    users, accounts = rng.randint(1, 9), rng.randint(0, 5)
    parent = random_tree(rng, users, accounts)
    shares = tuple(rng.choice([0, 1, 2, 3]) for _ in parent)
    usage = [rng.choice([0, 0, 10 + k, 20 + 3 * k]) for k in range(users)]
    tree = FairTree(parent, shares, usage)
    levels = [(parent[n], tree.plain(n)) for n in range(users, len(parent)) if tree.usage[n] > 0]
    if len(set(levels)) == len(levels):
        assert oracle_keys(shares, parent, usage).rank == tree.ranks(tree.normalised)
