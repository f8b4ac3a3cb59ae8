"""Weighted share: who borrows least for its weight goes next, worked out by hand (S33)."""

from __future__ import annotations

from gpusim.engine.reference import (
    SKIP,
    WEIGHTED_SHARE,
    Cohort,
    Fairness,
    JobClass,
    Policy,
    Sharing,
    Tenant,
)
from sharing_case import SharingCase, job

A, B, C, D, E, F, G, H = range(8)


def share(
    name: str,
    jobs: tuple[tuple[int, int, int], ...],
    nominal: tuple[int, ...],
    common: int,
    weight: tuple[int, ...],
    gpus: int,
    first: tuple[int, ...],
    then: tuple[int, ...],
) -> SharingCase:
    """Jobs (GPUs, tenant, tier) of 10 ticks, all submitted at 0; who starts at 0 and at 10, in order."""
    classes = tuple(dict.fromkeys((tenant, tier) for _, tenant, tier in jobs))
    rows = tuple(Tenant(len(nominal), (own,)) for own in nominal)
    return SharingCase(
        name,
        tuple(job(0, q, 10, classes.index((tenant, tier))) for q, tenant, tier in jobs),
        tuple(JobClass(tenant=tenant, tier=tier) for tenant, tier in classes),
        Sharing(rows, (Cohort(nominal=(common,)),), borrowers="in_order"),
        (gpus,),
        (*((0, i) for i in first), *((10, i) for i in then)),
        ends=tuple(20 if i in then else 10 for i in range(len(jobs))),
        policy=Policy(SKIP, order=WEIGHTED_SHARE),
        fairness=Fairness(weight),
    )


# 12 GPUs, 4 for each tenant. A(4,0) B(4,0) C(3,1) D(3,1) E(1,2). Shares of the first of each: A C E 0: A.
# B would borrow 4, C and E nothing: C; D would borrow 2, E nothing: E (8 used). D 2 before B 4: D (11). B waits.
LOWEST = share(
    "weighted share: the lowest goes next",
    ((4, 0, 0), (4, 0, 0), (3, 1, 0), (3, 1, 0), (1, 2, 0)),
    (4, 4, 4),
    0,
    (1, 1, 1),
    12,
    (A, C, E, D),
    (B,),
)
# Tenant 0 weighs 4: B 4 / 4 before D 2: B (12). D waits.
WEIGHED = share(
    "weighted share: what is borrowed is divided by the weight",
    ((4, 0, 0), (4, 0, 0), (3, 1, 0), (3, 1, 0), (1, 2, 0)),
    (4, 4, 4),
    0,
    (4, 1, 1),
    12,
    (A, C, E, B),
    (D,),
)
# 4 GPUs of the cohort. A B C D of tenant 0, E F G H of 1, a GPU each. A 1 E 1: A (older index). B 2 E 1: E.
# B 2 F 2: B. C 3 F 2: F. The same again at 10.
TURNS = share(
    "weighted share: shares are computed anew after every start",
    ((1, 0, 0),) * 4 + ((1, 1, 0),) * 4,
    (0, 0),
    4,
    (1, 1),
    4,
    (A, E, B, F),
    (C, G, D, H),
)
# Weights 2 and 1: A 1/2. B 2/2 E 1: B (index). C 3/2 E 1: E. C 3/2 F 2: C. At 10: D 1/2, then F G H.
TWO_TO_ONE = share(
    "weighted share: two for one",
    ((1, 0, 0),) * 4 + ((1, 1, 0),) * 4,
    (0, 0),
    4,
    (2, 1),
    4,
    (A, B, E, C),
    (D, F, G, H),
)
# 4 GPUs: one each, 2 of the cohort. A B of tenant 1, which has no weight, C D E of 0. A borrows nothing: 0, first by
# index. B would borrow: after C, D and E.
NO_WEIGHT = share(
    "weighted share: without weight nobody borrows before others",
    ((1, 1, 0), (1, 1, 0), (1, 0, 0), (1, 0, 0), (1, 0, 0)),
    (1, 1),
    2,
    (1, 0),
    4,
    (A, C, D, E),
    (B,),
)
# 4 GPUs, 2 each. A(2,0,high) B(2,0,high) C(2,1): B borrows 2, but its tier is the higher one.
TIERS = share(
    "weighted share: the tier comes first",
    ((2, 0, 1), (2, 0, 1), (2, 1, 0)),
    (2, 2),
    0,
    (1, 1),
    4,
    (A, B),
    (C,),
)
# Inside a line it is first come, first served: A(3,0) does not fit beside B(2,1); C(1,0) is behind A but is looked at.
# A: 3 - 2 = 1, B 0: B first. Then A (3 > 2 free: blocked, skipped), then C: 1 - 2 < 0: starts.
LINE = share(
    "weighted share: the next of a line follows one that is blocked",
    ((3, 0, 0), (2, 1, 0), (1, 0, 0)),
    (2, 2),
    0,
    (1, 1),
    4,
    (B, C),
    (A,),
)
# Two pools of 4, nominal 2 each. A(0,4,30,0) borrows 2 in pool 1. B(0,4,10,1) C(1,2,5,0) D(2,3,5,1) in pool 0.
# 10: C: 2 + 0, D: 0 + 1: D. 15: C.
#   pool 1  A ==============================
#   pool 0  B ==========
#   pool 0  C                =====
#   pool 0  D           =====
BOTH_POOLS = SharingCase(
    "weighted share: what is borrowed in all pools counts",
    (job(0, 4, 30, 0), job(0, 4, 10, 2), job(1, 2, 5, 1), job(2, 3, 5, 2)),
    (JobClass(pools=(1,)), JobClass(), JobClass(tenant=1)),
    Sharing((Tenant(2, (2, 2)), Tenant(2, (2, 2))), (Cohort(),), borrowers="in_order"),
    (4, 4),
    ((0, A, 1), (0, B), (10, D), (15, C)),
    ends=(30, 10, 20, 15),
    policy=Policy(order=WEIGHTED_SHARE),
    fairness=Fairness((1, 1)),
)
# A gang counts where it would rather run. Two pools of 4, both full until 10 (A, B of tenant 2). Tenant 0 owns 2 of
# pool 0, tenant 1 all of pool 1, the cohort 2 of pool 0. C(1,4,5,0) may run in 0, then 1: it would borrow 2.
# D(2,4,5,1) may run in 1, then 0: nothing: D first.
PREFERRED = SharingCase(
    "weighted share: a gang counts in the first of its pools",
    (job(0, 4, 10), job(0, 4, 10, 1), job(1, 4, 5, 2), job(2, 4, 5, 3)),
    (
        JobClass(tenant=2, pools=(0,)),
        JobClass(tenant=2, pools=(1,)),
        JobClass(pools=(0, 1)),
        JobClass(tenant=1, pools=(1, 0)),
    ),
    Sharing(
        (Tenant(3, (2, 0)), Tenant(3, (0, 4)), Tenant(3, (0, 0))),
        (Cohort(nominal=(2, 0)),),
        borrowers="in_order",
    ),
    (4, 4),
    ((0, A, 0), (0, B, 1), (10, D, 1), (10, C, 0)),
    ends=(10, 10, 15, 15),
    policy=Policy(order=WEIGHTED_SHARE),
    fairness=Fairness((1, 1, 1)),
)

# It counts there only. Pool 0 is full until 10 (A of tenant 2). D(1,4,5,1) owns 1 there: it would borrow 3; C(2,4,5,0)
# owns 2: 2 (and not 2 more of the 2 it owns in pool 1): C, D.
ONCE = SharingCase(
    "weighted share: a gang counts in one pool",
    (job(0, 4, 10), job(1, 4, 5, 1), job(2, 4, 5, 2)),
    (JobClass(tenant=2), JobClass(tenant=1), JobClass()),
    Sharing(
        (Tenant(3, (2, 2)), Tenant(3, (1, 4)), Tenant(3, (0, 0))),
        (Cohort(nominal=(1, 0)),),
        borrowers="in_order",
    ),
    (4, 6),
    ((0, A), (10, C), (15, B)),
    ends=(10, 20, 15),
    policy=Policy(order=WEIGHTED_SHARE),
    fairness=Fairness((1, 1, 1)),
)
# What is kept for an owner counts as used. Pools of 10 and 2. Tenant 0 owns 4 of pool 0, tenant 1 1 of pool 1, tenant 2
# 6 of pool 0, the cohort 1 of pool 1. A(0,8,20,2) holds pool 0, B(0,2,10,2) pool 1. C(1,4,5,0) finds 2 in pool 0: its 4
# are kept. D(2,2,5,0) would rather run there too: 4 + 2 - 4 = 2 borrowed; E(3,2,5,1) in pool 1: 1. 10: E. 15: D. 20: C.
KEPT = SharingCase(
    "weighted share: what is kept for an owner counts",
    (job(0, 8, 20), job(0, 2, 10, 1), job(1, 4, 5, 2), job(2, 2, 5, 3), job(3, 2, 5, 4)),
    (
        JobClass(tenant=2, pools=(0,)),
        JobClass(tenant=2, pools=(1,)),
        JobClass(pools=(0,)),
        JobClass(pools=(0, 1)),
        JobClass(tenant=1, pools=(1,)),
    ),
    Sharing(
        (Tenant(3, (4, 0)), Tenant(3, (0, 1)), Tenant(3, (6, 0))),
        (Cohort(nominal=(0, 1)),),
        borrowers="in_order",
    ),
    (10, 2),
    ((0, A, 0), (0, B, 1), (10, E, 1), (15, D, 1), (20, C, 0)),
    ends=(20, 10, 25, 20, 15),
    policy=Policy(order=WEIGHTED_SHARE),
    fairness=Fairness((1, 1, 1)),
)

WEIGHTED_SHARE_CASES = (
    LOWEST,
    WEIGHED,
    TURNS,
    TWO_TO_ONE,
    NO_WEIGHT,
    TIERS,
    LINE,
    BOTH_POOLS,
    PREFERRED,
    ONCE,
    KEPT,
)
