"""The random contested centers hold what they are drawn for: victims of every kind, and searches of both."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from contested_cases import contested_case
from gpusim.engine import reference_pass
from gpusim.engine.reference_candidates import (
    IF_NOT_BORROWING,
    OTHERS,
    OWN,
    RECLAIMED,
    WHILE_BORROWING,
    why_victim,
)
from gpusim.engine.reference_pass import Pass
from gpusim.engine.reference_preemption import victims

WANTED = {
    *("reclaimed", "reclaimed through a cohort", "while borrowing", "if not borrowing", "own and others"),
    *("borrowing after owning", "safe in a cohort", "a cohort left out", "put off though within its nominal"),
}


def what_happens(scan: Pass, new: int, pool: int, found: list[int]) -> set[str]:
    """What is true of a search for the victims of job `new`, before they leave."""
    run, quotas, row = scan.run, scan.run.quotas, scan.run.class_of(new)
    if quotas is None or row.urgent:
        return set()
    tenant, gang, use = row.tenant, run.jobs[new].gpus, scan.use()
    why = {old: why_victim(scan, new, old, pool) for old in run.running if run.pool[old] == pool}
    kinds = {why[old] for old in found}

    def over_only_itself(old: int, gone: list[int]) -> bool:
        other, now = run.class_of(old).tenant, scan.use(without=gone)
        return quotas.used(other, pool, now) > quotas.subtree(other, pool) and not quotas.may_lose(
            other, tenant, pool, now
        )

    others = [old for old, reason in why.items() if reason in OTHERS]
    strangers = [old for old in why if run.class_of(old).tenant != tenant]
    threshold = quotas.tenants[tenant].borrow_preempts
    within = quotas.fits_nominal(tenant, pool, gang, use)
    after = quotas.fits_nominal(tenant, pool, gang, scan.use(without=found))
    facts = {
        "reclaimed": RECLAIMED in kinds,
        "reclaimed through a cohort": RECLAIMED in kinds and not within,
        "while borrowing": WHILE_BORROWING in kinds,
        "if not borrowing": IF_NOT_BORROWING in kinds,
        "own and others": OWN in kinds and len(kinds) > 1,
        "borrowing after owning": bool(
            found and others and threshold is None and RECLAIMED not in why.values() and not after
        )
        and quotas.fits_nominal(tenant, pool, 1, use),
        "safe in a cohort": any(
            over_only_itself(old, [])
            for old in strangers
            if quotas.root(tenant) == quotas.root(run.class_of(old).tenant)
        ),
        "a cohort left out": any(over_only_itself(old, found) for old in others if old not in found),
    }
    return {name for name, true in facts.items() if true}


@pytest.mark.slow
def test_every_kind_of_victim_and_search_is_among_the_contested_centers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Counter[str] = Counter()
    here: set[str] = set()
    overtakes = Pass.would_overtake

    def watched_victims(scan: Pass, new: int, pool: int) -> list[int]:
        found = victims(scan, new, pool)
        here.update(what_happens(scan, new, pool, found))
        return found

    def watched_overtaking(scan: Pass, i: int, put_off: list[int]) -> bool:
        put_off_too = overtakes(scan, i, put_off)
        here.update(["put off though within its nominal"] if put_off_too else [])
        return put_off_too

    monkeypatch.setattr(reference_pass, "victims", watched_victims)
    monkeypatch.setattr(Pass, "would_overtake", watched_overtaking)
    for seed in range(150):
        here.clear()
        contested_case(random.Random(seed)).answer()
        seen.update(here)
    assert min(seen[name] for name in WANTED) >= 3, seen.most_common()[::-1]
