"""Examples of quotas that Kueue publishes in its documentation and tests, as facts: what each tenant may still have.

Sources, of the repository kubernetes-sigs/kueue on GitHub, in the terms of published_examples.py:

- "cluster_queue": documentation page Concepts / Cluster Queue (site/content/en/docs/concepts/cluster_queue.md,
  commit 6a2cee3e, lending limits then beta since v0.9).
- "cohort": page Concepts / Cohort (cohort.md, commit 01486f00, 2025).
- "available": cases of TestAvailable in pkg/cache/resource_test.go (commit 014d9490), by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpusim.engine.reference import Cohort, Sharing, Tenant


@dataclass(frozen=True)
class Available:
    """Tenants and cohorts, what each tenant uses, and what it may still have, now and with nothing used."""

    source: str
    name: str
    sharing: Sharing
    used: tuple[int, ...]
    available: tuple[int, ...]
    potentially: tuple[int, ...]


def node(
    parent: int, nominal: int = 0, borrow: int | None = None, lend: int | None = None, cohort: bool = False
) -> Tenant | Cohort:
    return (Cohort if cohort else Tenant)(parent, (nominal,), (borrow,), (lend,))


def tree(
    tenants: Sequence[tuple[int | None, ...]], cohorts: Sequence[tuple[int | None, ...]] = ()
) -> Sharing:
    """Rows of (parent, nominal, borrow, lend)."""
    return Sharing(
        tuple(node(*row) for row in tenants),
        tuple(node(*row, cohort=True) for row in cohorts),
    )


AVAILABLE = (
    Available(
        "cluster_queue", "borrowing example", tree([(2, 9), (2, 12)], [(-1,)]), (0, 0), (21, 21), (21, 21)
    ),
    Available(
        "cluster_queue", "BorrowingLimit", tree([(2, 9, 1), (2, 12)], [(-1,)]), (0, 0), (10, 21), (10, 21)
    ),
    Available(
        "cluster_queue",
        "LendingLimit",
        tree([(2, 9), (2, 12, None, 1)], [(-1,)]),
        (0, 11),
        (10, 10),
        (10, 21),
    ),
    Available("cohort", "configuring quotas", tree([(1, 0)], [(-1, 12)]), (0,), (12,), (12,)),
    Available("available", "base cqs, red", tree([(-1, 0), (-1, 10)]), (2, 5), (0, 5), (0, 10)),  # in halves
    Available(
        "available",
        "cqs with cohort",
        tree([(2, 20), (2, 20, None, 18)], [(-1, 20)]),
        (2, 1),
        (56, 57),
        (58, 60),
    ),  # in halves
    Available("available", "cq borrows from cohort", tree([(1, 10)], [(-1, 10)]), (11,), (9,), (20,)),
    Available(
        "available",
        "cq oversubscription spills into cohort",
        tree([(2, 10), (2, 10, 0, 0)], [(-1, 10)]),
        (31, 0),
        (0, 0),
        (20, 10),
    ),
    Available(
        "available",
        "lending and borrowing limits respected",
        tree([(3, 10), (3, 10, 2), (3, 10, None, 5)], [(-1, 10)]),
        (20, 10, 6),
        (4, 2, 4),
        (35, 12, 40),
    ),
    Available(
        "available",
        "hierarchical cohort",
        tree([(2, 10), (3, 10, None, 0)], [(4, 10), (4, 10), (-1,)]),
        (10, 5),
        (20, 25),
        (30, 40),
    ),
    Available(
        "available",
        "hierarchical cohort respects borrowing limit",
        tree([(3, 10), (3, 10, 5), (4, 10)], [(5, 10, 5), (5, 10), (-1,)]),
        (0, 0, 0),
        (35, 15, 50),
        (35, 15, 50),
    ),
    Available(
        "available",
        "hierarchical cohort respects lending limit",
        tree([(4, 10, None, 5), (4, 10), (5, 0), (6, 0)], [(6, 0, None, 5), (6, 0), (-1,)]),
        (0, 0, 0, 0),
        (20, 15, 5, 5),
        (20, 15, 5, 5),
    ),
)
