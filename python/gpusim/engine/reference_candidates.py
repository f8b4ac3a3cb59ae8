"""Who may be evicted for whom, and why (R24, S20, S24): Kueue's classical preemption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpusim.engine.reference_quota import Quotas
from gpusim.engine.reference_terms import JobClass

if TYPE_CHECKING:
    from gpusim.engine.reference_pass import Pass

RECLAIMED = "reclaimed"  # another tenant's: the job fits what its own tenant or cohort owns
WHILE_BORROWING = "while borrowing"  # another's, of a priority below the threshold
IF_NOT_BORROWING = "if not borrowing"  # another's, if the job fits its nominal once the victims have left
OWN = "own"  # its own tenant's
URGENT = "urgent"  # anybody's, for an urgent job

OTHERS = (RECLAIMED, WHILE_BORROWING, IF_NOT_BORROWING)


def class_could_preempt(quotas: Quotas | None, new: JobClass, old: JobClass) -> bool:
    """Whether a job of class `new` could ever evict one of class `old`, whatever the amounts (S24)."""
    if new.urgent:
        return new.tier > old.tier
    if quotas is None:
        return False
    row = quotas.tenants[new.tenant]
    if new.tenant == old.tenant:
        return (row.within != "never" and new.tier > old.tier) or (
            row.within == "lower_or_newer" and new.tier == old.tier
        )
    if quotas.root(new.tenant) != quotas.root(old.tenant) or row.reclaim == "never":
        return False
    return row.reclaim == "any" or new.tier > old.tier  # a threshold asks for a higher tier too


def why_victim(scan: Pass, new: int, old: int, pool: int) -> str | None:
    """Why running job `old` may be evicted from the pool for waiting job `new`; None: it may not."""
    run = scan.run
    row, other = run.class_of(new), run.class_of(old)
    age = scan.now - run.last_start[old]
    if run.pool[old] != pool or not other.preemptible or age == 0 or age < other.exempt:
        return None
    if row.urgent:
        return URGENT if other.tier < row.tier else None
    if run.quotas is None:
        return None
    if other.tenant == row.tenant:
        return OWN if _takes_own(scan, run.quotas, new, old) else None
    return _why_of_another(scan, run.quotas, new, old, pool)


def _takes_own(scan: Pass, quotas: Quotas, new: int, old: int) -> bool:
    """Whether the tenant of both lets one evict the other."""
    run = scan.run
    row, other = run.class_of(new), run.class_of(old)
    within = quotas.tenants[row.tenant].within
    if other.tier < row.tier:
        return within in ("lower", "lower_or_newer")
    newer = (run.queued[old], old) > (run.queued[new], new)
    return within == "lower_or_newer" and other.tier == row.tier and newer


def _why_of_another(scan: Pass, quotas: Quotas, new: int, old: int, pool: int) -> str | None:
    """Why a job of another tenant may be evicted, as things are now."""
    row, other, use = scan.run.class_of(new), scan.run.class_of(old), scan.use()
    tenant = quotas.tenants[row.tenant]
    if quotas.root(other.tenant) != quotas.root(row.tenant):
        return None
    if tenant.reclaim == "never" or (tenant.reclaim == "lower" and other.tier >= row.tier):
        return None
    if not quotas.may_lose(other.tenant, row.tenant, pool, use):
        return None

    owners = quotas.owners(row.tenant, pool, scan.run.jobs[new].gpus, use)
    if any(node not in quotas.path(other.tenant) for node in owners):
        return RECLAIMED
    threshold = tenant.borrow_preempts
    if threshold is not None and other.tier < row.tier and other.tier <= threshold:
        return WHILE_BORROWING
    return IF_NOT_BORROWING
