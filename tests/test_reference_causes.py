"""Causes and labels of the oracle: what cannot be, and that random centers have all that can (S28, S29)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from contract_cases import random_contract_case
from gpusim.engine.reference import NONE, SKIP
from gpusim.engine.reference_causes import Ledger
from gpusim.engine.reference_quota import Use
from sharing_stays import on_many


@on_many
def test_only_a_reservation_or_a_closure_refuses_who_has_room(seed: int) -> None:
    case = replace(random_contract_case(seed), closures=())
    out = replace(case, policy=replace(case.policy, backfill=(NONE, SKIP)[seed % 2])).answer()
    assert not any(row["reservation"] for row in out.causes)
    assert not any(row["drained"] for row in out.idle)


@on_many
@pytest.mark.slow
def test_nobody_waits_for_a_turn_where_every_pass_tries_everybody(seed: int) -> None:
    # use only grows during a pass that evicts nobody: who could start after it could have started in it
    case = random_contract_case(seed)
    assert case.sharing is not None
    rows = tuple(replace(row, strict=False) for row in case.sharing.tenants)
    policy = replace(case.policy, backfill=SKIP, max_tests=-1, period=1)
    out = replace(case, policy=policy, sharing=replace(case.sharing, tenants=rows)).answer()
    assert not any(row["priority"] for row in out.causes)
    assert not any(
        row["reserved"] for row in out.idle
    )  # whoever has room is kept from it by a closure: drained


WANTED = {
    *(
        "a closure refuses, no reservation",
        "a turn beside reservations",
        "kept for an owner",
        "between passes",
    ),
    *("idle for what is kept", "free, who passes but for what is kept is too large"),
}


@pytest.mark.slow
def test_every_way_to_a_cause_is_among_the_random_centers(monkeypatch: pytest.MonkeyPatch) -> None:
    here: set[str] = set()
    seen: Counter[str] = Counter()
    cause_of, label_of = Ledger.cause_of, Ledger.label_of

    def watched_cause(self: Ledger, i: int) -> str:
        cause, run = cause_of(self, i), self.run
        admitted = any(self.admits(i, pool, Use()) for pool in run.allowed(i))
        reserving = run.policy.backfill not in (NONE, SKIP)
        if cause == "reservation" and not reserving:
            here.add("a closure refuses, no reservation")
        if cause == "priority" and run.last_pass is None:
            here.add("between passes")
        if cause == "priority" and run.last_pass is not None and reserving:
            here.add("a turn beside reservations")
        if cause == "quota" and admitted:
            here.add("kept for an owner")
        return cause

    def watched_label(self: Ledger, pool: int) -> str:
        label, kept = label_of(self, pool), self.kept()
        waiting = [i for i in self.run.waiting if pool in self.run.allowed(i) and self.admits(i, pool, Use())]
        if label == "quota_idle" and waiting:
            here.add("idle for what is kept")
        too_large = [i for i in waiting if not self.has_room(i, pool) and not self.admits(i, pool, kept)]
        if label == "free" and self.run.free(pool) > 0 and too_large:
            here.add("free, who passes but for what is kept is too large")
        return label

    monkeypatch.setattr(Ledger, "cause_of", watched_cause)
    monkeypatch.setattr(Ledger, "label_of", watched_label)
    for seed in range(120):
        here.clear()
        random_contract_case(seed).answer()
        seen.update(here)
    assert min(seen[name] for name in WANTED) >= 3, seen.most_common()[::-1]
