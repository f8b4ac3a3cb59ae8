"""A second model of quotas in a tree of cohorts: GPUs are taken out of tanks one at a time.

Written from what the words mean, not from the formula. Every node has a tank. Its own quota is in it, and what its
children put up for loan. It puts some of its tank up for loan to its parent: all, or as much as its lending limit
allows; the rest stays at home and serves this node only. A root has nobody to lend to.

A node that needs a GPU takes one from home if there is one. If not, it takes one from its parent, which gets it in the
same way: first of all the node may have back what it put up, then it borrows, up to its limit. GPUs that came from
the parent are given back first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Tank:
    """One node."""

    parent: int
    quota: int
    borrow: int | None
    lend: int | None
    put_up: int = 0  # for loan, in the parent's tank
    home: int = 0  # GPUs here that nobody has taken
    from_parent: int = 0  # GPUs taken out of the parent's tank


@dataclass
class Tanks:
    """A tree, filled."""

    nodes: list[Tank]
    taken: dict[int, int] = field(default_factory=dict)  # by tenant

    def __post_init__(self) -> None:
        for node in self.nodes:
            node.home = node.quota
        for n in sorted(range(len(self.nodes)), key=self.depth, reverse=True):  # the deepest put up first
            node = self.nodes[n]
            if node.parent >= 0:
                node.put_up = node.home if node.lend is None else min(node.lend, node.home)
                node.home -= node.put_up
                self.nodes[node.parent].home += node.put_up

    def depth(self, n: int) -> int:
        parent = self.nodes[n].parent
        return 0 if parent < 0 else 1 + self.depth(parent)

    def take(self, n: int) -> bool:
        """One GPU for node n; nothing changes where there is none."""
        node = self.nodes[n]
        if node.home > 0:
            node.home -= 1
            return True
        borrowed = node.from_parent - node.put_up  # beyond what it put up itself
        if node.parent < 0 or (node.borrow is not None and borrowed >= node.borrow):
            return False
        if not self.take(node.parent):
            return False
        node.from_parent += 1
        return True

    def give(self, n: int) -> None:
        """One GPU comes back from node n."""
        node = self.nodes[n]
        if node.from_parent > 0:
            node.from_parent -= 1
            self.give(node.parent)
        else:
            node.home += 1

    def most(self, n: int) -> int:
        """GPUs that node n could take now."""
        taken = 0
        while self.take(n):
            taken += 1
        for _ in range(taken):
            self.give(n)
        return taken

    def admit(self, tenant: int, gang: int) -> bool:
        """A gang, whole or not at all."""
        if gang > self.most(tenant):
            return False
        for _ in range(gang):
            self.take(tenant)
        self.taken[tenant] = self.taken.get(tenant, 0) + gang
        return True

    def release(self, tenant: int, gang: int) -> None:
        for _ in range(gang):
            self.give(tenant)
        self.taken[tenant] -= gang


@dataclass(frozen=True)
class Tree:
    """Tenants, then cohorts: (parent, quota, borrow, lend) of each node."""

    tenants: int
    rows: Sequence[tuple[int, int, int | None, int | None]]

    def tanks(self) -> Tanks:
        return Tanks([Tank(*row) for row in self.rows])


def random_tree(rng: random.Random) -> Tree:
    """Up to 5 tenants under up to 4 cohorts, with and without limits; often one tree, sometimes several."""
    tenants, cohorts = rng.randint(1, 5), rng.randint(0, 4)
    limit = lambda: rng.choice([None, None, 0, 1, rng.randint(0, 8)])  # noqa: E731
    rows = []
    for n in range(tenants + cohorts):
        above = [c for c in range(tenants, tenants + cohorts) if c > n]
        parent = rng.choice(above) if above and rng.random() < 0.9 else -1
        quota = rng.randint(0, 6) if n < tenants else rng.choice([0, 0, 0, rng.randint(0, 6)])
        rows.append((parent, quota, limit(), limit()))
    return Tree(tenants, rows)
