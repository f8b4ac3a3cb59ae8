"""What a job takes from other tenants, worked out by hand: the two searches, and cohorts that own (R24, R25, S20, S21).

All jobs may be victims unless it is said; backfill is skip.
"""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import SKIP, Cohort, JobClass, Policy, Sharing, Tenant
from sharing_case import SharingCase, job

A, B, C, D, E, F = range(6)


def of(tenant: int, tier: int = 0) -> JobClass:
    """Jobs that may be evicted at any time."""
    return JobClass(tier=tier, tenant=tenant, preemptible=True)


def pair(within: str = "lower", threshold: int | None = None, shared: int = 0) -> Sharing:
    """Tenants 0, which reclaims from any, and 1, which evicts nobody: 4 each, and what their cohort owns beside."""
    first = Tenant(2, (4,), within=within, reclaim="any", borrow_preempts=threshold)
    return Sharing((first, Tenant(2, (4,))), (Cohort(nominal=(shared,)),))


# ---- the two searches -----------------------------------------------------------------------------------------------
# 8 GPUs, 4 and 4. A(0,2,40,0 low) B(0,3,40,1) C(1,3,40,1) D(5,4,10,0 high) E(6,1,4,1) F(7,1,3,0 low)
# D: 2 + 4 > 4, but it is 4 once A has left: what the others borrowed goes if tenant 0 does not borrow then. Owning: C
# (latest): 3 free; B is left out, tenant 1 has 3; A: 5 free, 0 + 4 <= 4. Without C's removal 2 are free: no.
# tick 0....5....10...15...
#   A  =====x         ====...     5: 1 is free, A and C want more. 6: E, the fourth of tenant 1. 10: E ends: F borrows.
#   B  ========================================
#   C   ====x         ====...     15: D ends, 5 free: A of its own, C borrows.
#   D       ==========
#   E        ====
#   F            ===
OWN_AND_OTHERS = SharingCase(
    "own and others' jobs leave together, and the tenant is within its nominal",
    (job(0, 2, 40), job(0, 3, 40, 2), job(1, 3, 40, 2), job(5, 4, 10, 1), job(6, 1, 4, 2), job(7, 1, 3)),
    (of(0), of(0, tier=1), of(1)),
    pair(),
    (8,),
    starts=((0, A), (0, B), (1, C), (5, D), (6, E), (10, F), (15, A), (15, C)),
    evictions=((5, C), (5, A)),
    ends=(55, 40, 55, 15, 10, 13),
    policy=Policy(SKIP),
)

# 11 GPUs, 4 and 4 and 3 of the cohort. A(0,2,40,0 high) B(0,1,40,0 low) C(0,5,40,1) D(5,4,10,0 high) E(6,1,4,1)
# Owning: without C and B there are 2 + 4 > 4 still. Borrowing: C may not be taken then; B: 4 free: enough.
#   A  ========================================
#   B  =====x         ====...     5: all 11 are used, E waits.
#   C  ========================================
#   D       ==========
#   E                 ====        15: D ends: B of its own, E borrows.
OWN_AND_BORROWING = SharingCase(
    "own jobs leave for one that borrows where the nominal is out of reach",
    (job(0, 2, 40, 1), job(0, 1, 40), job(0, 5, 40, 2), job(5, 4, 10, 1), job(6, 1, 4, 2)),
    (of(0), of(0, tier=1), of(1)),
    pair(shared=3),
    (11,),
    starts=((0, A), (0, B), (0, C), (5, D), (15, B), (15, E)),
    evictions=((5, B),),
    ends=(40, 55, 40, 15, 19),
    policy=Policy(SKIP),
)

# 10 GPUs, 4 and 4. A(0,4,40,0 low) B(0,4,40,1) C(1,2,40,1 urgent, no victim) D(5,4,10,0 high) E(6,2,5,0 high)
# C takes the 2 that nobody owns: the cohort is 2 overdrawn. 5: tenant 0 uses its 4: B is not tried. Without A 2 are
# left, D wants 4: nobody leaves. 6: E wants 2: A leaves. Then D: 2 + 4 > 4, with B gone or not.
#   A  ======x              ========================================
#   B  ===========x                             ====...
#   C   ========================================
#   D             ==========     11: E ends: D is within the nominal and reclaims B. 21: A. B: 4 + 2 of 8 used.
#   E        =====               41: C ends: B.
FULL_TENANT = SharingCase(
    "a tenant that uses all it owns takes nothing of others to be within its nominal",
    (job(0, 4, 40), job(0, 4, 40, 2), job(1, 2, 40, 3), job(5, 4, 10, 1), job(6, 2, 5, 1)),
    (of(0), of(0, tier=1), of(1), JobClass(tenant=1, urgent=True)),
    pair(),
    (10,),
    starts=((0, A), (0, B), (1, C), (6, E), (11, D), (21, A), (41, B)),
    evictions=((6, A), (11, B)),
    ends=(61, 81, 41, 21, 11),
    policy=Policy(SKIP),
)
# Tier 0 may leave for who borrows: borrowing, B: 2 left; A: 6. Without B's removal 2: no. D 5-15, and E borrows 2 of
# what is left. 15: A. B as before.
FULL_TENANT_WITH_THRESHOLD = replace(
    FULL_TENANT,
    name="unless it may take while it borrows",
    sharing=pair(threshold=0),
    starts=((0, A), (0, B), (1, C), (5, D), (6, E), (15, A), (41, B)),
    evictions=((5, B), (5, A)),
    ends=(55, 81, 41, 15, 11),
)

# 8 GPUs, 4 and 4, tier 0 may leave for who borrows. A(0,2,40,0 tier 0) B(0,4,40,1 tier 0) C(1,2,40,1 tier 2)
# D(5,4,10,0 tier 1) E(6,2,4,1 tier 1). Borrowing: B: 4 free, D borrows 2. (Owning would take A, too.)
#   A  ========================================
#   B  =====x             ====...     6: E: 2 + 2 of its own, but all 8 are used. 15: D ends: E; B: 4 + 4 > 4, 2 free.
#   C   ========================================
#   D       ==========                19: E ends: B borrows.
#   E                 ====
BORROWING_FIRST = SharingCase(
    "with a threshold the search in which the tenant borrows comes first",
    (job(0, 2, 40), job(0, 4, 40, 2), job(1, 2, 40, 3), job(5, 4, 10, 1), job(6, 2, 4, 4)),
    (of(0), of(0, tier=1), of(1), of(1, tier=2), of(1, tier=1)),
    pair(threshold=0),
    (8,),
    starts=((0, A), (0, B), (1, C), (5, D), (15, E), (19, B)),
    evictions=((5, B),),
    ends=(40, 59, 41, 15, 19),
    policy=Policy(SKIP),
)
# A(0,2,40,0 tier 0) B(0,1,40,1 tier 0) C(1,5,40,1 tier 2) D(4,3,7,1 tier 1) E(5,4,10,0 tier 1)
# Borrowing: B: 1 free; A: 3. Owning: B, C: 2 + 4 > 4; A: 8 free, 0 + 4 <= 4. Back: without C's removal 3 are free: no.
# Without B's 7: B is spared.
#   A  =====x      ====...            Second pass: 3 are free: D of its own (1 + 3). 12: D ends: A borrows.
#   B  ========================================
#   C   ====x         ====...         15: E ends, 5 free: C borrows.
#   D       =======
#   E       ==========
OWNING_NEXT = SharingCase(
    "then that in which it does not, which takes jobs of higher tiers",
    (job(0, 2, 40), job(0, 1, 40, 2), job(1, 5, 40, 3), job(4, 3, 7, 4), job(5, 4, 10, 1)),
    BORROWING_FIRST.classes,
    pair(threshold=0),
    (8,),
    starts=((0, A), (0, B), (1, C), (5, E), (5, D), (12, A), (15, C)),
    evictions=((5, C), (5, A)),
    ends=(52, 40, 55, 12, 15),
    policy=Policy(SKIP),
)

# ---- cohorts that own -----------------------------------------------------------------------------------------------
# Tenants 0 (none) and 1 (2) in cohort 3, which owns 4; tenant 2 (2) in cohort 4, which owns 2; both in cohort 5: 10.
# A(0,1,40,1) B(0,4,40,2) C(1,3,40,2) D(5,4,10,0) E(6,1,3,1). Cohort 4 may have 4 and uses 7. D: tenant 0 owns nothing,
# but 1 + 4 <= 4 + 2 in cohort 3: it reclaims C (latest): 5 free. A is of a tenant within its nominal.
#   A  ========================================
#   B  ========================================
#   C   ====x         ====...     5: 1 is free. 6: E. 9: E ends: 1 is free. 15: D ends: C borrows.
#   D       ==========
#   E        ===
COHORT_RECLAIMS = SharingCase(
    "a tenant reclaims what its cohort owns from one of another cohort",
    (job(0, 1, 40, 1), job(0, 4, 40, 2), job(1, 3, 40, 2), job(5, 4, 10), job(6, 1, 3, 1)),
    (of(0), of(1), of(2)),
    Sharing(
        (Tenant(3, (0,), reclaim="any"), Tenant(3, (2,)), Tenant(4, (2,))),
        (Cohort(5, (4,)), Cohort(5, (2,)), Cohort()),
    ),
    (10,),
    starts=((0, A), (0, B), (1, C), (5, D), (6, E), (15, C)),
    evictions=((5, C),),
    ends=(40, 40, 55, 15, 9),
    policy=Policy(SKIP),
)

# Tenants 1 (2) and 2 (4) in cohort 4; tenants 0 (4) and 3 (none) beside it in cohort 5: 10 in all. 0 and 2 reclaim.
# A(0,3,40,3 tier 1) B(0,4,40,1) C(1,2,40,1) D(5,4,10,0) E(6,1,4,2). Tenant 1 has 6 and owns 2, but cohort 4 owns 6:
# D may not take B or C, though they are of a lower tier: A leaves. E is of cohort 4: C (latest) leaves for it.
#   A  =====x         ====...
#   B  ========================================
#   C   =====x   ====...               6: 1 is free. 10: E ends, 2 free: A wants 3, C 2.
#   D       ==========
#   E        ====                      15: D ends: A.
COHORT_SPARED = SharingCase(
    "who borrows inside a cohort within its quota is safe from outsiders",
    (job(0, 3, 40, 3), job(0, 4, 40, 1), job(1, 2, 40, 1), job(5, 4, 10), job(6, 1, 4, 2)),
    (of(0), of(1), of(2), of(3, tier=1)),
    Sharing(
        (Tenant(5, (4,), reclaim="any"), Tenant(4, (2,)), Tenant(4, (4,), reclaim="any"), Tenant(5, (0,))),
        (Cohort(5), Cohort()),
    ),
    (10,),
    starts=((0, A), (0, B), (1, C), (5, D), (6, E), (10, C), (15, A)),
    evictions=((5, A), (6, C)),
    ends=(55, 40, 50, 15, 10),
    policy=Policy(SKIP),
)

# Tenant 0 (3, lends 1) in cohort 2, which owns 2; tenant 1 (3) in cohort 3; both in cohort 4: 8 in all, 2 of them local
# to tenant 0. A(0,6,40,1) B(5,5,10,0) C(16,1,40,0) D(20,5,5,0) E(21,4,5,0)
# B: 5 > 3. Of 5, 2 are local: 0 + 3 <= 2 + 1 in cohort 2: it reclaims A, 3 of which are borrowed.
# D: C uses 1 of the 2: 4 are left to find, 0 + 4 > 3: nothing. E: 3 are: it reclaims A.
# tick 0....5....10...15...20...25......55...60...
#   A  =====x         ======x    ========x    ====...   26: E ends: A, as it is older than D.
#   B       ==========
#   C                  ====================             56: C ends: 2 are local again, 3 in cohort 2: D reclaims A.
#   D                                     =====
#   E                       =====
REST = SharingCase(
    "a cohort must own what is not local to the tenant only",
    (job(0, 6, 40, 1), job(5, 5, 10), job(16, 1, 40), job(20, 5, 5), job(21, 4, 5)),
    (of(0), of(1)),
    Sharing(
        (Tenant(2, (3,), lend=(1,), reclaim="any"), Tenant(3, (3,))), (Cohort(4, (2,)), Cohort(4), Cohort())
    ),
    (8,),
    starts=((0, A), (5, B), (15, A), (16, C), (21, E), (26, A), (56, D), (61, A)),
    evictions=((5, A), (21, A), (56, A)),
    ends=(101, 15, 56, 61, 26),
    policy=Policy(SKIP),
)

# Tenants 0 and 1 (none) in cohort 3, which owns 6; tenant 2 (2) beside it in cohort 4: 8. Tenant 0 reclaims, and takes
# tier 0 while it borrows. A(0,3,40,1 tier 0) B(0,2,40,2 tier 2) C(1,3,40,2 tier 2) D(5,3,10,0 tier 1)
# E(6,2,4,1 tier 0) F(7,3,5,0 tier 1). D: 3 + 3 <= 6 in cohort 3: C (latest) is reclaimed, before A, whose tier is 0.
# F: 6 + 3 > 6: nothing to reclaim; A leaves, as F may borrow.
#   A  =======x       ====...       12: F ends, 3 free: C (tier 2).
#   B  ========================================
#   C   ====x      ====...          15: D ends, 3 free: A. E waits until B ends at 40.
#   D       ==========
#   E                                          ====
#   F         =====
RECLAIMED_FIRST = SharingCase(
    "what is reclaimed goes before other jobs, of whatever tier",
    (
        *(job(0, 3, 40, 1), job(0, 2, 40, 2), job(1, 3, 40, 2), job(5, 3, 10), job(6, 2, 4, 1)),
        job(7, 3, 5),
    ),
    (of(0, tier=1), of(1), of(2, tier=2)),
    Sharing(
        (Tenant(3, (0,), reclaim="any", borrow_preempts=0), Tenant(3, (0,)), Tenant(4, (2,))),
        (Cohort(4, (6,)), Cohort()),
    ),
    (8,),
    starts=((0, B), (0, A), (1, C), (5, D), (7, F), (12, C), (15, A), (40, E)),
    evictions=((5, C), (7, A)),
    ends=(55, 40, 52, 15, 44, 12),
    policy=Policy(SKIP),
)

# Tenants 1 (none) and 2 (4) in cohort 4, which owns 1; tenants 0 (5, reclaims) and 3 (none) beside it in cohort 5: 10.
# A(0,3,40,3) B(0,2,40,2) C(1,2,40,1) D(2,2,40,1) E(5,5,10,0) F(6,1,3,3). Cohort 4 has 5 and uses 6. E: D (latest): 3
# free. C is left out: its tenant has 2 too many still, but cohort 4 is down to 4. A: 6 free. Without D's removal 4: no.
#   A  =====x         ====...     5: 1 is free: A and D want more. 6: F borrows it.
#   B  ========================================
#   C   ========================================
#   D    ===x         ====...     15: E ends, 6 free: A and D.
#   E       ==========
#   F        ===
COHORT_LEFT_OUT = SharingCase(
    "a cohort that is down to its quota loses no more",
    (
        *(job(0, 3, 40, 3), job(0, 2, 40, 2), job(1, 2, 40, 1), job(2, 2, 40, 1), job(5, 5, 10)),
        job(6, 1, 3, 3),
    ),
    tuple(of(t) for t in range(4)),
    Sharing(
        (Tenant(5, (5,), reclaim="any"), Tenant(4, (0,)), Tenant(4, (4,)), Tenant(5, (0,))),
        (Cohort(5, (1,)), Cohort()),
    ),
    (10,),
    starts=((0, B), (0, A), (1, C), (2, D), (5, E), (6, F), (15, A), (15, D)),
    evictions=((5, D), (5, A)),
    ends=(55, 40, 41, 55, 15, 9),
    policy=Policy(SKIP),
)

RECLAIM_CASES = (
    OWN_AND_OTHERS,
    OWN_AND_BORROWING,
    FULL_TENANT,
    FULL_TENANT_WITH_THRESHOLD,
    BORROWING_FIRST,
    OWNING_NEXT,
    COHORT_RECLAIMS,
    COHORT_SPARED,
    REST,
    RECLAIMED_FIRST,
    COHORT_LEFT_OUT,
)
