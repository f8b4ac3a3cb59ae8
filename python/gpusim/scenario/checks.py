"""What only the whole scenario can know. This file: names, scopes, and the list of all checks.

Each check is one function that takes `Parts` (what could be read) and yields mistakes with paths from the
root. Windows are in windows.py, sizes and pools in checks_pools.py, demand in checks_demand.py, the clock in
checks_clock.py, cohorts and preemption in checks_sharing.py, quotas in checks_quotas.py,
accounts and contracts in checks_fairness.py, leases and approvals in checks_lease.py, reservations in
checks_reservations.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpusim.scenario.checks_clock import clock_mistakes
from gpusim.scenario.checks_demand import demand_mistakes, schedule_mistakes
from gpusim.scenario.checks_fairness import fairness_mistakes
from gpusim.scenario.checks_lease import lease_mistakes
from gpusim.scenario.checks_pools import pool_mistakes, size_mistakes, vary_mistakes
from gpusim.scenario.checks_quotas import quota_mistakes
from gpusim.scenario.checks_reservations import reservation_mistakes
from gpusim.scenario.checks_sharing import sharing_mistakes
from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.parts import ClassPart, Parts, salvage
from gpusim.scenario.slo import resolve_scope
from gpusim.scenario.windows import counted_window, window_mistakes


def check(parts: Parts) -> list[Mistake]:
    """Return every mistake of the whole, in no particular order."""
    checks = (
        _names,
        _scopes,
        window_mistakes,
        pool_mistakes,
        vary_mistakes,
        size_mistakes,
        demand_mistakes,
        schedule_mistakes,
        clock_mistakes,
        sharing_mistakes,
        quota_mistakes,
        fairness_mistakes,
        lease_mistakes,
        reservation_mistakes,
    )
    return [mistake for each in checks for mistake in each(parts)]


def _names(parts: Parts) -> Iterator[Mistake]:
    first: dict[Any, Path] = {}
    for path, name in parts.tenants:
        yield from _repeated(first, name, name, path, "tenant")
    for part in parts.classes:
        yield from _repeated(first, (part.path[:-1], part.name), part.name, part.path, "class of this tenant")


def _repeated(
    first: dict[Any, Path], key: Any, name: str | None, path: Path, thing: str
) -> Iterator[Mistake]:
    if name is None:
        return
    if key in first:
        remedy = f"rename one, for example {name}-2; the other is {dotted(first[key])}"
        yield Mistake(
            f"another {thing} has this name", remedy, f"'{name}'", (*path, "name"), "duplicate-name"
        )
    first.setdefault(key, path)


def _scopes(parts: Parts) -> Iterator[Mistake]:
    names = parts.class_names
    complete = bool(names) and all(tenant and name for tenant, name in names)
    first: dict[str, Path] = {}
    for path, slo in parts.slos:
        if slo is None:
            continue
        if complete and slo.judges_jobs:
            try:
                resolve_scope(slo.scope, names)
            except Mistake as mistake:
                yield mistake.under(path)
        if slo.sentence in first:
            remedy = f"remove one; the other is {dotted(first[slo.sentence])}"
            yield Mistake("the same SLO twice", remedy, f"'{slo.sentence}'", path, "duplicate-slo")
        first.setdefault(slo.sentence, path)


__all__ = ["ClassPart", "Parts", "check", "counted_window", "salvage"]
