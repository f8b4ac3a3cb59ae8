"""Who may be evicted for whom, and who is in the end (R24, R25, S20, S21, S24)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpusim.engine.reference_profile import Profile
from gpusim.engine.reference_quota import Quotas
from gpusim.engine.reference_terms import JobClass

if TYPE_CHECKING:
    from gpusim.engine.reference_pass import Pass

OTHER, OWN, URGENT = "other", "own", "urgent"  # why somebody may be a victim


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
    """Why running job `old` may be evicted from the pool for waiting job `new`; None: it may not (S20)."""
    run, quotas = scan.run, scan.run.quotas
    row, other = run.class_of(new), run.class_of(old)
    age = scan.now - run.last_start[old]
    if run.pool[old] != pool or not other.preemptible or age == 0 or age < other.exempt:
        return None
    if row.urgent:
        return URGENT if other.tier < row.tier else None
    if quotas is None:
        return None
    tenant = quotas.tenants[row.tenant]
    if other.tenant == row.tenant:
        lower = other.tier < row.tier
        newer = other.tier == row.tier and (run.queued[old], old) > (run.queued[new], new)
        allowed = (tenant.within in ("lower", "lower_or_newer") and lower) or (
            tenant.within == "lower_or_newer" and newer
        )
        return OWN if allowed else None

    use = scan.use()
    if quotas.root(other.tenant) != quotas.root(row.tenant) or tenant.reclaim == "never":
        return None
    if not quotas.over_nominal(other.tenant, pool, use):
        return None
    if quotas.fits_nominal(row.tenant, pool, run.jobs[new].gpus, use):
        return OTHER if tenant.reclaim == "any" or other.tier < row.tier else None
    threshold = tenant.borrow_preempts
    if threshold is not None and other.tier < row.tier and other.tier <= threshold:
        return OTHER
    return None


def victims(scan: Pass, new: int, pool: int) -> list[int]:
    """The running jobs that must leave the pool so that job `new` starts there now; empty if that cannot be (S21)."""
    run, quotas = scan.run, scan.run.quotas
    why = {old: why_victim(scan, new, old, pool) for old in run.running}
    candidates = sorted(
        (old for old in run.running if why[old] is not None),
        key=lambda old: (why[old] == OWN, run.class_of(old).tier, -run.last_start[old], -old),
    )
    added: list[int] = []
    for old in candidates:
        if why[old] == OTHER:
            assert quotas is not None
            if not quotas.over_nominal(run.class_of(old).tenant, pool, scan.use(without=added)):
                continue  # the tenant is down to its own quota
        added.append(old)
        if _starts_without(scan, new, pool, added):
            break
    else:
        return []
    for old in reversed(added[:-1]):
        fewer = [other for other in added if other != old]
        if _starts_without(scan, new, pool, fewer):
            added = fewer  # spared: it goes on running
    return added


def _starts_without(scan: Pass, new: int, pool: int, gone: Sequence[int]) -> bool:
    """Whether job `new` passes the quota test and fits the profile if these running jobs are gone."""
    if not scan.admits(new, pool, without=gone):
        return False
    profile: Profile = scan.profiles[pool].copy()
    for old in gone:
        profile.carve(scan.now, scan.run.estimated_end(old, scan.now), -scan.run.jobs[old].gpus)
    length = scan.run.grace_of(gone) + scan.run.jobs[new].limit
    return profile.fits(scan.now, length, scan.run.jobs[new].gpus)
