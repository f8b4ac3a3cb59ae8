"""Who is evicted in the end: the search for victims (R25, S21), Kueue's classical preemption.

Who may be is in `reference_candidates.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gpusim.engine.reference_candidates import IF_NOT_BORROWING, OTHERS, OWN, RECLAIMED, URGENT, why_victim
from gpusim.engine.reference_profile import Profile

if TYPE_CHECKING:
    from gpusim.engine.reference_pass import Pass

BORROWING, OWNING = False, True  # the two searches: whether the job must fit its tenant's nominal in the end


def victims(scan: Pass, new: int, pool: int) -> list[int]:
    """The running jobs that must leave the pool so that job `new` starts there now; empty if that cannot be."""
    why = {old: reason for old in scan.run.running if (reason := why_victim(scan, new, old, pool))}
    for owning in _searches(scan, new, pool, why):
        if found := _search(scan, new, pool, why, owning):
            return found
    return []


def _searches(scan: Pass, new: int, pool: int, why: Mapping[int, str]) -> list[bool]:
    """Which searches are made, in this order."""
    quotas, tenant = scan.run.quotas, scan.run.class_of(new).tenant
    if quotas is None or not any(reason in OTHERS for reason in why.values()):
        return [BORROWING]  # an urgent job's, too
    if quotas.tenants[tenant].borrow_preempts is None:
        if not quotas.fits_nominal(tenant, pool, 1, scan.use()):  # it uses all that it owns
            return [BORROWING]
        if RECLAIMED not in why.values():
            return [OWNING, BORROWING]
    return [BORROWING, OWNING]


def _search(scan: Pass, new: int, pool: int, why: Mapping[int, str], owning: bool) -> list[int]:
    """Add one candidate after the other until the job passes; then spare, from the last to the first, who can be."""
    added: list[int] = []
    for old in sorted(why, key=lambda old: _place(scan, old, why[old])):
        if why[old] == IF_NOT_BORROWING and not owning:
            continue
        if why[old] in OTHERS and not _may_lose(scan, new, old, pool, added):
            continue  # its tenant or cohort is down to what it owns
        added.append(old)
        if _starts_without(scan, new, pool, added, owning):
            break
    else:
        return []
    for old in reversed(added[:-1]):
        fewer = [other for other in added if other != old]
        if _starts_without(scan, new, pool, fewer, owning):
            added = fewer  # spared: it goes on running
    return added


def _place(scan: Pass, old: int, reason: str) -> tuple[int, int, int, int]:
    """The order of candidates: the kind, the lowest tier, the latest last start, the highest index."""
    kind = 0 if reason in (RECLAIMED, URGENT) else 2 if reason == OWN else 1
    return kind, scan.run.class_of(old).tier, -scan.run.last_start[old], -old


def _may_lose(scan: Pass, new: int, old: int, pool: int, added: Sequence[int]) -> bool:
    """Whether the tenant of job `old`, another one, still uses more than it owns if those added are gone."""
    quotas, use = scan.run.quotas, scan.use(without=added)
    assert quotas is not None
    return quotas.may_lose(scan.run.class_of(old).tenant, scan.run.class_of(new).tenant, pool, use)


def _starts_without(scan: Pass, new: int, pool: int, gone: Sequence[int], owning: bool) -> bool:
    """Whether job `new` passes the quota test and fits the profile if these running jobs are gone."""
    run, gang = scan.run, scan.run.jobs[new].gpus
    if not scan.admits(new, pool, without=gone):
        return False
    if owning:
        assert run.quotas is not None
        if not run.quotas.fits_nominal(run.class_of(new).tenant, pool, gang, scan.use(without=gone)):
            return False
    profile: Profile = scan.profiles[pool].copy()
    for old in gone:
        profile.carve(scan.now, run.estimated_end(old, scan.now), -run.jobs[old].gpus)
    return profile.fits(scan.now, run.grace_of(gone) + run.jobs[new].limit, gang)
