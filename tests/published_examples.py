"""Examples of preemption that Kueue publishes in its tests, as facts: quotas, what runs, who must leave.

Sources, of the repository kubernetes-sigs/kueue on GitHub. Its cluster queues are our tenants, its CPUs our GPUs, its
priorities our tiers; cases of two resources or of several pod sets have no counterpart.

- "preemption": cases of TestPreemption in pkg/scheduler/preemption/preemption_test.go (commit 014d9490, 2025), by name,
  long ones cut by "..".
- "hierarchical": cases of TestHierarchicalPreemptions in preemption_hierarchical_test.go beside it (commit 054bf634).
- "collectCandidatesInSubtree": no case but the rule of that function, in classical/hierarchical_preemption.go beside it
  (commit 01c0b270).
"""

from __future__ import annotations

from dataclasses import dataclass

from gpusim.engine.reference import SKIP, Cohort, Job, JobClass, Policy, Sharing, Tenant, Windows
from shared_case import SharedCase

COMES, LAST = 100, 120  # [ticks] the newcomer, and the end of the run


@dataclass(frozen=True)
class Running:
    """What runs when the newcomer comes: whose, of which priority, how many GPUs."""

    name: str
    tenant: int
    tier: int
    gpus: int


@dataclass(frozen=True)
class Example:
    """A center, what runs in it in the order of admission, and whom a newcomer evicts."""

    source: str
    name: str
    tenants: tuple[Tenant, ...]
    cohorts: tuple[Cohort, ...]
    running: tuple[Running, ...]
    newcomer: Running
    evicted: frozenset[str]
    starts: bool  # whether it starts at once: where it evicts nobody, only if there is room

    def case(self) -> SharedCase:
        """Everybody admitted a tick after the other, the newcomer last; what is evicted is gone."""
        jobs = (*self.running, self.newcomer)
        classes = tuple(JobClass(row.tier, row.tenant, preemptible=True, requeue="cancel") for row in jobs)
        table = tuple(
            Job(COMES if i == len(self.running) else i, 1000, 1000, row.gpus, i) for i, row in enumerate(jobs)
        )
        gpus = sum(node.nominal[0] or 0 for node in (*self.tenants, *self.cohorts) if node.nominal)
        return SharedCase(
            table,
            classes,
            Policy(SKIP),
            (gpus,),
            Windows(0, LAST, LAST),
            (),
            Sharing(self.tenants, self.cohorts),
        )


def cq(
    parent: int,
    nominal: int,
    borrow: int | None = None,
    lend: int | None = None,
    within: str = "never",
    reclaim: str = "never",
    threshold: int | None = None,
) -> Tenant:
    return Tenant(
        parent, (nominal,), (borrow,), (lend,), within=within, reclaim=reclaim, borrow_preempts=threshold
    )


STANDALONE = (cq(-1, 6, within="lower"),), ()
COHORT = (cq(2, 6, 6, within="lower", reclaim="lower"), cq(2, 6, 6, reclaim="any")), (Cohort(),)
NO_LIMITS = (cq(2, 6, within="lower", reclaim="lower"), cq(2, 6, reclaim="any")), (Cohort(),)
LEGION = (cq(1, 6, 12, within="lower", reclaim="lower"),), (Cohort(),)
LEND = (
    (cq(2, 6, lend=4, within="lower", reclaim="lower"), cq(2, 6, lend=2, within="lower", reclaim="lower")),
    (Cohort(),),
)
THREE = (cq(3, 2, within="lower", reclaim="any"), cq(3, 2), cq(3, 2)), (Cohort(),)
WITH_SHARED = (
    (
        cq(5, 1, 12, reclaim="lower", threshold=0),
        cq(5, 1, 12, within="lower", reclaim="any", threshold=0),
        cq(5, 1, 12, reclaim="lower", threshold=0),
        cq(5, 0, 13, reclaim="lower", threshold=0),
        cq(5, 10),
    ),
    (Cohort(),),
)
HIERARCHY = (
    (cq(3, 0, within="lower", reclaim="lower", threshold=0), cq(3, 0), cq(4, 0)),
    (Cohort(4, (4,)), Cohort(nominal=(1,))),
)


def example(
    name: str,
    center: tuple[tuple[Tenant, ...], tuple[Cohort, ...]],
    running: str,
    newcomer: tuple[int, int, int],
    evicted: str = "",
    starts: bool | None = None,
    source: str = "preemption",
) -> Example:
    """`running`: name, tenant, priority, GPUs of each; `newcomer`: (tenant, priority, GPUs)."""
    return Example(
        source,
        name,
        *center,
        tuple(Running(name, *map(int, row)) for name, *row in map(str.split, running.split(","))),
        Running("in", *newcomer),
        frozenset(evicted.split()),
        bool(evicted) if starts is None else starts,
    )


EXAMPLES = (
    example("preempt lowest priority", STANDALONE, "low 0 -1 2, mid 0 0 2, high 0 1 2", (0, 1, 2), "low"),
    example("preempt multiple", STANDALONE, "low 0 -1 2, mid 0 0 2, high 0 1 2", (0, 1, 3), "low mid"),
    example("no preemption for low priority", STANDALONE, "low 0 -1 3, mid 0 0 3", (0, -1, 1)),
    example("not enough low priority workloads", STANDALONE, "low 0 -1 3, mid 0 0 3", (0, 0, 4)),
    example(
        "some free quota, preempt low priority",
        STANDALONE,
        "low 0 -1 1, mid 0 0 1, high 0 1 3",
        (0, 1, 2),
        "low",
    ),
    example(
        "minimal set excludes low priority", STANDALONE, "low 0 -1 1, mid 0 0 2, high 0 1 3", (0, 1, 2), "mid"
    ),
    example(
        "reclaim quota from borrower",
        COHORT,
        "c1-low 0 -1 3, c2-mid 1 0 3, c2-high 1 1 6",
        (0, 1, 3),
        "c2-mid",
    ),
    # 8 of 12 are used: Kueue's test is told to preempt and finds nobody; in a center it simply borrows.
    example("no workloads borrowing", COHORT, "c1-high 0 1 4, c2-low-1 1 -1 4", (0, 1, 4), starts=True),
    example(
        "not enough workloads borrowing", COHORT, "c1-high 0 1 4, c2-low-1 1 -1 4, c2-low-2 1 -1 4", (0, 1, 4)
    ),
    example(
        "preempting locally and borrowing same resource in cohort",
        COHORT,
        "c1-med 0 0 4, c1-low 0 -1 4, c2-low-1 1 -1 4",
        (0, 1, 4),
        "c1-low",
    ),
    example(
        "preempting locally and borrowing same resource in cohort; no borrowing limit ..",
        NO_LIMITS,
        "d1-med 0 0 4, d1-low 0 -1 4, d2-low-1 1 -1 4",
        (0, 1, 4),
        "d1-low",
    ),
    example(
        "preempting locally and not borrowing same resource in 1-queue cohort",
        LEGION,
        "l1-med 0 0 4, l1-low 0 -1 2",
        (0, 1, 4),
        "l1-med",
    ),
    example(
        "do not reclaim borrowed quota from same priority for .. ReclaimFromLowerPriority",
        COHORT,
        "c1 0 0 2, c2-1 1 0 4, c2-2 1 0 4",
        (0, 0, 4),
    ),
    example(
        "reclaim borrowed quota from same priority for .. ReclaimFromAny",
        COHORT,
        "c1-1 0 0 4, c1-2 0 1 4, c2 1 0 2",
        (1, 0, 4),
        "c1-1",
    ),
    example(
        "preempt from all ClusterQueues in cohort",
        COHORT,
        "c1-low 0 -1 3, c1-mid 0 0 2, c2-low 1 -1 3, c2-mid 1 0 4",
        (0, 1, 4),
        "c1-low c2-low",
    ),
    # 3 of 12 are used: as above it borrows.
    example(
        "can't preempt workloads in ClusterQueue for withinClusterQueue=Never",
        COHORT,
        "c2-low 1 -1 3",
        (1, 1, 4),
        starts=True,
    ),
    example(
        "use BorrowWithinCohort; allow preempting a lower-priority workload .. while borrowing",
        WITH_SHARED,
        "a_best_effort_low 2 -1 10, b_best_effort_low 3 -1 1",
        (0, 0, 10),
        "a_best_effort_low",
    ),
    example(
        "use BorrowWithinCohort; .. above MaxPriorityThreshold, if borrowing is required even after the preemption",
        WITH_SHARED,
        "b_standard 1 1 10",
        (0, 2, 10),
    ),
    example(
        "use BorrowWithinCohort; .. above MaxPriorityThreshold, if borrowing is not required after the preemption",
        WITH_SHARED,
        "b_standard 1 1 13",
        (0, 2, 1),
        "b_standard",
    ),
    example(
        "use BorrowWithinCohort; don't allow .. from the same ClusterQueue",
        WITH_SHARED,
        "a_standard 0 1 13",
        (0, 2, 1),
    ),
    example(
        "use BorrowWithinCohort; only preempt from CQ if no workloads below threshold ..",
        WITH_SHARED,
        "a_standard_1 0 1 10, a_standard_2 0 1 1, b_standard_1 1 1 1, b_standard_2 1 2 1",
        (1, 3, 1),
        "b_standard_1",
    ),
    example(
        "use BorrowWithinCohort; preempt from CQ and from other CQs ..",
        WITH_SHARED,
        "b_standard_high 1 2 10, b_standard_mid 1 1 1, a_best_effort_low 2 -1 1, a_best_effort_lower 2 -2 1",
        (1, 2, 2),
        "b_standard_mid a_best_effort_lower",
    ),
    example(
        "reclaim quota from lender",
        LEND,
        "lend1-low 0 -1 3, lend2-mid 1 0 3, lend2-high 1 1 4",
        (0, 1, 3),
        "lend2-mid",
    ),
    example(
        "preempt from all ClusterQueues in cohort-lend",
        LEND,
        "lend1-low 0 -1 3, lend1-mid 0 0 2, lend2-low 1 -1 3, lend2-mid 1 0 4",
        (0, 0, 4),
        "lend1-low lend2-low",
    ),
    example(
        "cannot preempt from other ClusterQueues if exceeds requestable quota ..",
        LEND,
        "lend2-low 1 -1 10",
        (0, 0, 9),
    ),
    example(
        "preemptions from cq when target queue is exhausted for the single requested resource",
        THREE,
        "a1 0 -2 1, a2 0 -2 1, a3 0 -1 1, b1 1 0 1, b2 1 0 1, b3 1 0 1",
        (0, 0, 2),
        "a1 a2",
    ),
    example(
        "allow preemption from other cluster queues if target cq is not exhausted ..",
        THREE,
        "a1 0 -1 1, b1 1 0 1, b2 1 0 1, b3 1 0 1, b4 1 0 1, b5 1 -1 1",
        (0, 0, 2),
        "a1 b5",
    ),
    example(
        "long range preemption",
        ((cq(2, 10, reclaim="any"), cq(3, 0)), (Cohort(4), Cohort(4), Cohort())),
        "to-be-preempted 1 0 5",
        (0, 0, 8),
        "to-be-preempted",
    ),
    example(
        "preempt with hierarchical advantage",
        (
            (cq(2, 0, within="lower", reclaim="any"), cq(3, 0, within="lower", reclaim="any")),
            (Cohort(3, (2,)), Cohort()),
        ),
        "admitted2 1 0 2",
        (0, 0, 2),
        "admitted2",
        source="hierarchical",
    ),
    example(
        "avoid queues within nominal quota",
        (
            (
                cq(3, 0, within="lower", reclaim="any"),
                cq(4, 0, within="lower", reclaim="any"),
                cq(4, 2, within="lower", reclaim="any"),
            ),
            (Cohort(4, (2,)), Cohort()),
        ),
        "admitted1 2 -10 2, admitted2 1 0 2",
        (0, 0, 2),
        "admitted2",
        source="hierarchical",
    ),
    example(
        "preempt in cohort and own CQ",
        ((cq(2, 0, within="lower", reclaim="any", threshold=0), cq(2, 0)), (Cohort(3, (3,)), Cohort())),
        "not-preemptible 1 1 1, preemptible 1 0 1, own-queue 0 -1 1",
        (0, 1, 2),
        "preemptible own-queue",
        source="hierarchical",
    ),
    example(
        "prefer to preempt hierarchical candidate",
        ((cq(2, 0, within="lower", reclaim="any"), cq(3, 0)), (Cohort(3, (2,)), Cohort())),
        "borrowing 1 1 1, same-queue 0 -2 1",
        (0, 0, 1),
        "borrowing",
        source="hierarchical",
    ),
    example(
        "forced to preempt priority candidate",
        (
            (cq(3, 0, within="lower", reclaim="any", threshold=0), cq(3, 0), cq(4, 2)),
            (Cohort(4, (2,)), Cohort()),
        ),
        "nominal 2 -10 2, same-cohort 1 -1 2",
        (0, 0, 2),
        "same-cohort",
        source="hierarchical",
    ),
    example(
        "incoming workload fits in CQ nominal quota",
        ((cq(3, 4, within="lower", reclaim="any"), cq(3, 0), cq(4, 0)), (Cohort(4, (2,)), Cohort())),
        "borrowing 2 10 3, same-cohort 1 10 3",
        (0, 0, 4),
        "borrowing same-cohort",
        source="hierarchical",
    ),
    example(
        "preempt hierarchical and priority candidates",
        HIERARCHY,
        "borrowing 2 -1 2, same-cohort 1 -1 1, borrowing-high 2 1 2",
        (0, 0, 3),
        "borrowing same-cohort",
        source="hierarchical",
    ),
    example(
        "preempt hierarchical candidates and inside CQ",
        HIERARCHY,
        "borrowing 2 -1 2, same-queue 0 -1 1, borrowing-high 2 1 2",
        (0, 0, 3),
        "borrowing same-queue",
        source="hierarchical",
    ),
    example(
        "reclaim nominal quota from lowest priority workload, excluding non-borrowing",
        ((cq(3, 0, within="lower", reclaim="any"), cq(4, 0), cq(4, 2)), (Cohort(4, (3,)), Cohort())),
        "prio-8 1 8 1, prio-9 1 9 1, prio-10 1 9 1, nominal 2 -2 2",
        (0, 0, 1),
        "prio-8",
        source="hierarchical",
    ),
    example(
        "infeasible preemption all available workloads in pruned subtrees",
        (
            (cq(3, 0, within="lower", reclaim="any"), cq(3, 0), cq(4, 0)),
            (Cohort(5, (2,)), Cohort(5, (2,)), Cohort()),
        ),
        "other-1 2 -10 1, other-2 2 -10 1, same-cohort 1 0 2",
        (0, 0, 2),
        source="hierarchical",
    ),
    example(
        "respect lending limits",
        ((cq(2, 3, lend=2, within="lower", reclaim="any"), cq(3, 0)), (Cohort(3, (2,)), Cohort())),
        "borrowing 1 0 4",
        (0, -2, 5),
        "borrowing",
        source="hierarchical",
    ),
    example(
        "reclaim in complex hierarchy",
        (
            tuple(cq(parent, 0, within="lower", reclaim="any") for parent in (7, 10, 9, 12, 11)),
            (Cohort(), *(Cohort(parent, (4,)) for parent in (5, 5, 6, 6, 6, 8, 8))),
        ),
        "b1 0 -6 4, b2 0 -5 4, b3 1 -9 4, b4 1 -10 4, b5 2 -4 4, b6 2 -3 3, b7 3 4 2, b8 3 2 3",
        (4, -2, 7),
        "b1 b4",
        source="hierarchical",
    ),
    example(
        "subtrees within their quota hold no candidates",
        (
            (cq(4, 4, reclaim="any"), cq(5, 2), cq(5, 4), cq(6, 0)),
            (Cohort(7), Cohort(7), Cohort(7), Cohort()),
        ),
        "sibling 1 -1 6, outsider 3 0 3",
        (0, 0, 4),
        "outsider",
        source="collectCandidatesInSubtree",
    ),
)
