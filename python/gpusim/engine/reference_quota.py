"""Quotas of the oracle: who may use how much of a pool, by Kueue's formula in a tree of cohorts (R16-R18, S13-S16).

Everything is computed anew for every question, from the leaves up and from the root down.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpusim.engine.reference_terms import Amount, Cohort, Share, Sharing, Tenant

MILLION = 1_000_000


@dataclass
class Use:
    """What tenants hold at one moment."""

    gpus: Counter[tuple[int, int]] = field(default_factory=Counter)  # by (tenant, pool)
    jobs: Counter[int] = field(default_factory=Counter)  # by tenant

    def total(self, tenant: int) -> int:
        """GPUs of a tenant over all pools."""
        return sum(gpus for (other, _), gpus in self.gpus.items() if other == tenant)


def spread(column: Sequence[Amount], capacity: int) -> list[int | None]:
    """One column of amounts in GPUs; shares are rounded by largest remainder, ties to the lowest node (S14)."""
    ppm = {n: amount.ppm for n, amount in enumerate(column) if isinstance(amount, Share)}
    floors = {n: capacity * share // MILLION for n, share in ppm.items()}
    left = capacity * sum(ppm.values()) // MILLION - sum(floors.values())
    for n in sorted(ppm, key=lambda n: (-(capacity * ppm[n] % MILLION), n))[:left]:
        floors[n] += 1
    return [floors[n] if isinstance(amount, Share) else amount for n, amount in enumerate(column)]


class Quotas:
    """The tree with its amounts in GPUs. Nodes are the tenants, then the cohorts; amounts are [node][pool]."""

    def __init__(self, sharing: Sharing, gpus: Sequence[int]) -> None:
        self.tenants = sharing.tenants
        nodes: list[Tenant | Cohort] = [*sharing.tenants, *sharing.cohorts]
        self.parent = [node.parent for node in nodes]
        self.children = [[n for n, above in enumerate(self.parent) if above == k] for k in range(len(nodes))]
        self.nominal: list[list[int | None]] = [[] for _ in nodes]
        self.borrow: list[list[int | None]] = [[] for _ in nodes]
        self.lend: list[list[int | None]] = [[] for _ in nodes]
        for pool, capacity in enumerate(gpus):
            given = [node.nominal[pool] if node.nominal else None for node in nodes]
            for n in range(len(self.tenants), len(nodes)):  # a cohort's own quota is 0 unless given
                given[n] = given[n] or 0
            if sharing.unassigned >= 0:
                given[sharing.unassigned] = None
            nominal = spread(given, capacity)
            if sharing.unassigned >= 0:
                nominal[sharing.unassigned] = max(0, capacity - sum(amount or 0 for amount in nominal))
            borrow = spread([node.borrow[pool] if node.borrow else None for node in nodes], capacity)
            lend = spread([node.lend[pool] if node.lend else None for node in nodes], capacity)
            for n in range(len(nodes)):
                self.nominal[n].append(nominal[n])
                self.borrow[n].append(borrow[n])
                self.lend[n].append(lend[n])

    def path(self, node: int) -> list[int]:
        """The node and all that is above it, up to the root of its tree."""
        return [node] if self.parent[node] < 0 else [node, *self.path(self.parent[node])]

    def root(self, node: int) -> int:
        """The top of the node's tree, perhaps itself."""
        return self.path(node)[-1]

    def subtree(self, node: int, pool: int) -> int:
        """Quota of a node and of what its children lend it."""
        lent = sum(self.subtree(child, pool) - self.local(child, pool) for child in self.children[node])
        return (self.nominal[node][pool] or 0) + lent

    def local(self, node: int, pool: int) -> int:
        """The part of its subtree's quota that a node never lends."""
        lend = self.lend[node][pool]
        return 0 if lend is None else max(0, self.subtree(node, pool) - lend)

    def used(self, node: int, pool: int, use: Use) -> int:
        """What a tenant uses, or what the children of a cohort use beyond their local quotas."""
        if node < len(self.tenants):
            return use.gpus[node, pool]
        children = self.children[node]
        return sum(max(0, self.used(child, pool, use) - self.local(child, pool)) for child in children)

    def avail(self, node: int, pool: int, use: Use) -> int:
        """GPUs that a node may take on top of what it uses (R17, S13); negative where it has too many already."""
        subtree, used = self.subtree(node, pool), self.used(node, pool, use)
        if self.parent[node] < 0:
            return subtree - used
        local = self.local(node, pool)
        from_parent = self.avail(self.parent[node], pool, use)
        borrow = self.borrow[node][pool]
        if borrow is not None:
            from_parent = min(from_parent, subtree - local - max(0, used - local) + borrow)
        return max(0, local - used) + from_parent

    def limited(self, tenant: int, pool: int) -> bool:
        """Whether the tenant has a quota in the pool."""
        return self.nominal[tenant][pool] is not None

    def fits_nominal(self, tenant: int, pool: int, gang: int, use: Use) -> bool:
        """Whether the tenant has a quota in the pool and the gang needs nothing borrowed."""
        nominal = self.nominal[tenant][pool]
        return nominal is not None and use.gpus[tenant, pool] + gang <= nominal

    def owners(self, tenant: int, pool: int, gang: int, use: Use) -> list[int]:
        """The tenant and the cohorts above it, as far as they own enough for a gang of the tenant (S20)."""
        found, rest = [], gang
        for node in self.path(tenant):
            used = self.used(node, pool, use)
            if used + rest <= self.subtree(node, pool):
                found.append(node)
            rest = max(0, rest - max(0, self.local(node, pool) - used))
        return found

    def may_lose(self, other: int, tenant: int, pool: int, use: Use) -> bool:
        """Whether another tenant, and each cohort above it that is not above this one, uses more than it owns (S20)."""
        apart = [node for node in self.path(other) if node not in self.path(tenant)]
        return all(self.used(node, pool, use) > self.subtree(node, pool) for node in apart)

    def admits(self, tenant: int, pool: int, gang: int, use: Use, reserved: Use) -> bool:
        """The quota test (S15) with the limits of the tenant (S25); what is `reserved` counts for its tenant only."""
        row = self.tenants[tenant]
        if row.max_gpus is not None and use.total(tenant) + reserved.total(tenant) + gang > row.max_gpus:
            return False
        if row.max_jobs is not None and use.jobs[tenant] + reserved.jobs[tenant] + 1 > row.max_jobs:
            return False
        if not self.limited(tenant, pool):
            return True
        return gang + reserved.gpus[tenant, pool] <= self.avail(tenant, pool, use)

    def could_ever(self, tenant: int, pool: int, gang: int) -> bool:
        """Whether the gang is within the tenant's ceiling: the same with nothing used by anybody (R18, S16)."""
        most = self.tenants[tenant].max_gpus
        if most is not None and gang > most:
            return False
        return not self.limited(tenant, pool) or gang <= self.avail(tenant, pool, Use())
