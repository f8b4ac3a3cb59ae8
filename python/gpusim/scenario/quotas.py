"""The tree of quotas, and what a tenant could use at most: Kueue's formula with nothing used by anybody (R17, R18).

The engine applies quotas; here stands only what the checks, the first guess of a size and the compiler need: who
belongs to whom, amounts in GPUs for a pool of a given size, and ceilings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gpusim.scenario.amounts import MILLION, Amount, Amounts
from gpusim.scenario.sharing import Cohort, TenantTerms

NOBODY = -1
"""Parent of a node that belongs to no cohort."""


@dataclass(frozen=True)
class Node:
    """A tenant or a cohort in the tree."""

    name: str
    parent: int
    quota: Amounts | None
    borrow: Amounts | None
    lend: Amounts | None


@dataclass(frozen=True)
class QuotaTree:
    """Tenants, then cohorts, with what they own, borrow and lend.

    Attributes
    ----------
    nodes : tuple of Node
        The tenants in the order of the file, then the cohorts of the file, then those that are only named.
    tenants : int
        How many of them are tenants.
    """

    nodes: tuple[Node, ...]
    tenants: int

    @classmethod
    def of(cls, tenants: Sequence[TenantTerms], cohorts: Sequence[Cohort] = ()) -> QuotaTree:
        """Make the tree; a cohort that is named but not listed owns nothing and belongs to nobody."""
        members: list[TenantTerms | Cohort] = [*tenants, *cohorts]
        listed = [cohort.name for cohort in cohorts]
        named = dict.fromkeys(m.cohort for m in members if m.cohort is not None and m.cohort not in listed)
        names = [*listed, *named]
        parents = [NOBODY if m.cohort is None else len(tenants) + names.index(m.cohort) for m in members]
        nodes = [
            Node(member.name, parent, member.quota, member.borrow, member.lend)
            for member, parent in zip(members, parents, strict=True)
        ]
        nodes += [Node(name, NOBODY, None, None, None) for name in named]
        return cls(tuple(nodes), len(tenants))

    def under(self, contract: str) -> QuotaTree:
        """The tree as it is (`quotas`), without quotas (`shared`), or without cohorts (`partitioned`)."""
        if contract == "quotas":
            return self
        keeps = contract == "partitioned"
        nodes = [
            Node(n.name, NOBODY, n.quota if keeps else None, None, None) for n in self.nodes[: self.tenants]
        ]
        return QuotaTree(tuple(nodes), self.tenants)

    def path(self, node: int) -> list[int]:
        """The node, its cohort, and so on; ends before what was there already."""
        path: list[int] = []
        while node != NOBODY and node not in path:
            path.append(node)
            node = self.nodes[node].parent
        return path

    @property
    def circles(self) -> list[int]:
        """Nodes that belong to themselves in the end."""
        return [k for k, node in enumerate(self.nodes) if k in self.path(node.parent)]

    @property
    def unassigned(self) -> int:
        """The tenant whose quota is the rest; -1 none."""
        return next(
            (k for k, node in enumerate(self.nodes) if node.quota is not None and node.quota.rest), -1
        )

    def tenants_of(self, node: int) -> list[int]:
        """The tenants in a cohort and in the cohorts inside it."""
        return [k for k in range(self.tenants) if node in self.path(k)[1:]]

    def neighbours(self, tenant: int) -> list[int]:
        """The other tenants of the same tree of cohorts."""
        root = self.path(tenant)[-1]
        return [k for k in self.tenants_of(root) if k != tenant]

    def reclaims(self, tenant: int) -> bool:
        """Whether the tenant owns anything, or anybody in a cohort above it that is inside another."""
        near = self.path(tenant)[:-1] or [tenant]
        return any(
            node.quota is not None and not node.quota.is_zero and not set(near).isdisjoint(self.path(k))
            for k, node in enumerate(self.nodes)
        )

    def limited(self, tenant: int) -> bool:
        """Whether a quota binds the tenant."""
        node = self.nodes[tenant]
        return node.quota is not None or node.parent != NOBODY

    def nominal(self, pool: str, gpus: int) -> tuple[int, ...]:
        """GPUs that each node owns of a pool of so many; without a quota 0."""
        found = _in_gpus(tuple(_amount(node.quota, pool) for node in self.nodes), gpus)
        owned = [amount or 0 for amount in found]
        if self.unassigned >= 0:
            owned[self.unassigned] = max(0, gpus - sum(owned))
        return tuple(owned)

    def ceiling(self, tenant: int, pool: str, gpus: int) -> int | None:
        """Most GPUs of a pool of `gpus` that a tenant could use if nobody used any; None if no quota binds it."""
        return None if not self.limited(tenant) else self._ceiling(tenant, pool, gpus)

    def _ceiling(self, node: int, pool: str, gpus: int) -> int:
        owned, local, borrow = _resolved(self, pool, gpus)
        parent = self.nodes[node].parent
        if parent == NOBODY:
            return owned[node]
        more = self._ceiling(parent, pool, gpus)
        limit = borrow[node]
        return local[node] + (more if limit is None else min(more, owned[node] - local[node] + limit))


def _amount(amounts: Amounts | None, pool: str) -> Amount | None:
    return None if amounts is None else amounts.of(pool)


def _in_gpus(column: tuple[Amount | None, ...], gpus: int) -> list[int | None]:
    """Amounts in GPUs; shares together are rounded down, and what is left goes to the largest remainders."""
    shares = {
        k: amount.ppm for k, amount in enumerate(column) if amount is not None and amount.ppm is not None
    }
    found: list[int | None] = [None if amount is None else amount.gpus for amount in column]
    for k, ppm in shares.items():
        found[k] = gpus * ppm // MILLION
    left = gpus * sum(shares.values()) // MILLION - sum(gpus * ppm // MILLION for ppm in shares.values())
    for k in sorted(shares, key=lambda k: (-(gpus * shares[k] % MILLION), k))[:left]:
        found[k] = (found[k] or 0) + 1
    return found


@lru_cache(maxsize=64)
def _resolved(
    tree: QuotaTree, pool: str, gpus: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int | None, ...]]:
    """(quota with what members lend, the part never lent, borrowing limit) of each node [GPUs]."""
    nodes = range(len(tree.nodes))
    lend = _in_gpus(tuple(_amount(node.lend, pool) for node in tree.nodes), gpus)
    borrow = _in_gpus(tuple(_amount(node.borrow, pool) for node in tree.nodes), gpus)
    owned, local = list(tree.nominal(pool, gpus)), [0] * len(tree.nodes)
    for k in sorted(nodes, key=lambda k: -len(tree.path(k))):  # members before their cohorts
        limit = lend[k]
        local[k] = 0 if limit is None else max(0, owned[k] - limit)
        parent = tree.nodes[k].parent
        if parent != NOBODY:
            owned[parent] += owned[k] - local[k]
    return tuple(owned), tuple(local), tuple(borrow)
