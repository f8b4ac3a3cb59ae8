"""Kueue's fair sharing at admission: the tenant that borrows least for its weight goes next (S33)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gpusim.engine.reference_fairness import level_key

if TYPE_CHECKING:
    from gpusim.engine.reference_pass import Pass


def in_turn(scan: Pass, queue: Sequence[int]) -> Iterator[int]:
    """The jobs of a queue, tier by tier; shares are computed anew whenever the next one is asked for."""
    run, left = scan.run, list(queue)
    while left:
        tier = run.class_of(left[0]).tier  # the queue begins with the largest
        heads: dict[int, int] = {}  # the first job of each tenant
        for i in left:
            if run.class_of(i).tier == tier:
                heads.setdefault(run.class_of(i).tenant, i)
        i = min(heads.values(), key=lambda head: (share(scan, head), run.queued[head], head))
        left.remove(i)
        yield i


def share(scan: Pass, i: int) -> int:
    """What the tenant of job i would borrow in all pools if it started in the first of its own, by weight."""
    run = scan.run
    assert run.fairness is not None
    tenant, use = run.class_of(i).tenant, scan.use()
    borrowed = 0
    for pool in range(len(run.gpus)):
        nominal = run.quotas.nominal[tenant][pool] if run.quotas is not None else None
        if nominal is not None:
            wanted = run.jobs[i].gpus if pool == run.allowed(i)[0] else 0
            borrowed += max(0, use.gpus[tenant, pool] + wanted - nominal)
    return level_key(borrowed, run.fairness.weight[tenant]) if borrowed else 0
