"""Quotas, borrowing, lending, sweeps, strict tenants, ceilings, limits, worked out by hand (R16-R22, S13-S19)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import SKIP, Cohort, JobClass, Policy, Share, Sharing, Tenant
from sharing_case import SharingCase, flat, job

OF = tuple(JobClass(tenant=t) for t in range(4))  # class t: a plain job of tenant t
A, B, C, D, E, F, G = range(7)


def tenants(*rows: Tenant, cohorts: tuple[Cohort, ...] = (Cohort(),), borrowers: str = "last") -> Sharing:
    return Sharing(rows, cohorts, borrowers)


# Tenant 0 has 6 and lends at most 2, tenant 1 has 4: it may use 4 + 2.
# A(0,5,10,1) B(1,2,10,1) C(2,1,10,1) D(3,4,10,0) E(4,1,10,0) F(5,7,10,1)
# tick 0....5....10...15...     A: borrows 1. B: 5 + 2 > 6, waits; C: 6 of 6.
#   A  ==========               D: the 4 that tenant 0 never lends are free for it. E: its fifth GPU is one of
#   B            ==========     those on loan, all used: waits.
#   C    ==========             F: 7 > 6, never: rejected.
#   D     ==========            10: A ends. B: 1 + 2 of its own 4. E: one of its own that came back.
#   E            ==========
LENDING_LIMIT = SharingCase(
    "a lending limit keeps GPUs at home and caps the borrower",
    (job(0, 5, 10, 1), job(1, 2, 10, 1), job(2, 1, 10, 1), job(3, 4, 10), job(4, 1, 10), job(5, 7, 10, 1)),
    OF[:2],
    tenants(Tenant(2, (6,), lend=(2,)), Tenant(2, (4,))),
    (10,),
    starts=((0, A), (2, C), (3, D), (10, B), (10, E)),
    ends=(10, 20, 12, 13, 20, -1),
    outcome={F: "rejected"},
)

# Tenant 0 has 4 and borrows at most 2 of the 6 of tenant 1.
# A(0,4,10,0) B(1,3,10,0) C(2,2,10,0) D(3,7,10,0) E(4,5,5,1)
# tick 0....5....10...15...     B: 4 + 3 > 6. C: 6. D: 7 > 6, rejected.
#   A  ==========               E: 4 free, 5 wanted: blocked, and keeps 5 from borrowers (R20).
#   B            ==========     10: E goes first (its own 5), then B: 2 + 3 = 5 <= 6.
#   C    ==========
#   E            =====
BORROWING_LIMIT = SharingCase(
    "a borrowing limit",
    (job(0, 4, 10), job(1, 3, 10), job(2, 2, 10), job(3, 7, 10), job(4, 5, 5, 1)),
    OF[:2],
    tenants(Tenant(2, (4,), borrow=(2,)), Tenant(2, (6,))),
    (10,),
    starts=((0, A), (2, C), (10, E), (10, B)),
    ends=(10, 20, 12, -1, 15),
    outcome={D: "rejected"},
)

# 6 of tenant 0, 4 of tenant 1. A(0,5,10,1) B(1,4,20,1) C(2,6,5,0) D(3,1,30,1) E(4,1,3,0)
# tick 0....5....10...15...20   A and B: 9 of 10. C wants its own 6: one is left, blocked.
#   A  ==========               It may not reclaim, so its 6 are kept: D may not borrow the last one, nor may E, of the
#   B   ====================    same tenant.
#   C            =====          10: A ends: 6 free: C. D: 5th GPU of tenant 1, E: 7th of tenant 0; none left to borrow.
#   D                 =====...  15: C ends: E, within what tenant 0 owns, and in the second sweep D.
#   E                 ===
OWNER = SharingCase(
    "an owner that may not reclaim is protected from borrowers",
    (job(0, 5, 10, 1), job(1, 4, 20, 1), job(2, 6, 5), job(3, 1, 30, 1), job(4, 1, 3)),
    OF[:2],
    flat(6, 4),
    (10,),
    starts=((0, A), (1, B), (10, C), (15, E), (15, D)),
    ends=(10, 21, 15, 45, 18),
)
# The same, but tenant 0 may reclaim (from nobody here: no job is preemptible). D borrows at 3. 10: 5 are left, not
# enough for C, but for E: C waits for B too.
OWNER_THAT_RECLAIMS = replace(
    OWNER,
    name="an owner that may reclaim is not",
    sharing=flat(6, 4, reclaim="any"),
    starts=((0, A), (1, B), (3, D), (10, E), (21, C)),
    ends=(10, 21, 26, 33, 13),
)

# Two tenants alone, 5 each, one sweep. A(0,3,10,0) B(1,4,10,0) C(2,2,10,0) D(3,5,10,1)
# tick 0....5....10...15...20..     B: 3 + 4 > 5, quota-blocked. Strict: C stands behind it. D is another tenant's.
#   A  ==========                   10: A ends: B. C: 4 + 2 > 5. 20: B ends: C.
#   B            ==========
#   C                      ==========
#   D     ==========
STRICT = SharingCase(
    "a strict tenant's later jobs stop behind a quota-blocked one",
    (job(0, 3, 10), job(1, 4, 10), job(2, 2, 10), job(3, 5, 10, 1)),
    OF[:2],
    replace(flat(5, 5, alone=True, strict=True), borrowers="in_order"),
    (10,),
    starts=((0, A), (3, D), (10, B), (20, C)),
    ends=(10, 20, 30, 13),
)
# Skip: C starts at 2. 10: A ends: B: 2 + 4 > 5. 12: C ends: B.
SKIPPING = replace(
    STRICT,
    name="a skip tenant's do not",
    sharing=replace(flat(5, 5, alone=True), borrowers="in_order"),
    starts=((0, A), (2, C), (3, D), (12, B)),
    ends=(10, 22, 12, 13),
)
# Strict with two sweeps: B does not fit the nominal and is put off, and so is C, which does: as with one sweep (S17).
STRICT_SWEEPS = replace(
    STRICT,
    name="with two sweeps a strict tenant's job within its nominal does not overtake one beyond it",
    sharing=flat(5, 5, alone=True, strict=True),
)

# 8 GPUs, 4 and 4, tenant 0 is strict. A(0,3,10,0) B(0,2,6,1) C(1,4,5,0) D(2,1,5,0) E(3,2,4,1) F(4,1,3,0 urgent)
# tick 0....5....10...15    C: would borrow 3 of the 3 that are left, wants 4: put off, blocked. D is within the nominal
#   A  ==========           and F urgent: they stand behind C. E is another tenant's.
#   B  ======               6: B ends: 3 left for C. 7: E ends: 5: C and D. All 8 are used: F waits for A.
#   C         =====
#   D         =====
#   E     ====
#   F            ===
STRICT_BORROWER = SharingCase(
    "nobody overtakes a strict tenant's borrower, urgent or not",
    (job(0, 3, 10), job(0, 2, 6, 1), job(1, 4, 5), job(2, 1, 5), job(3, 2, 4, 1), job(4, 1, 3, 2)),
    (*OF[:2], JobClass(urgent=True)),
    tenants(Tenant(2, (4,), strict=True), Tenant(2, (4,))),
    (8,),
    starts=((0, A), (0, B), (3, E), (7, C), (7, D), (10, F)),
    ends=(10, 6, 12, 12, 7, 13),
    policy=Policy(backfill=SKIP),
)

# Two pools of 4, 2 of each tenant in each; tenant 0 is strict.
# A(0,2,10,0 in 0) B(0,2,10,1 in 0) C(0,3,6,1 in 1) D(1,1,5,0 in 0) E(2,3,5,1 in 1) F(3,2,4,0 in 1)
# tick   0....5....10...15   D: beyond the nominal in pool 0, which is full: put off. So is F, of 2 in pool 1.
#   A 0  ==========
#   B 0  ==========          6: C ends. E borrows 1 of pool 1, and is older than F: 1 is left.
#   C 1  ======              10: A and B end: D is within the nominal. F is behind nobody, but 1 is left.
#   D 0            =====     11: E ends: F.
#   E 1        =====
#   F 1             ====
STRICT_POOLS = SharingCase(
    "nor in another pool",
    (
        *(job(0, 2, 10), job(0, 2, 10, 2), job(0, 3, 6, 3), job(1, 1, 5), job(2, 3, 5, 3)),
        job(3, 2, 4, 1),
    ),
    (JobClass(), JobClass(pools=(1,)), JobClass(tenant=1), JobClass(tenant=1, pools=(1,))),
    tenants(Tenant(2, (2, 2), strict=True), Tenant(2, (2, 2))),
    (4, 4),
    starts=((0, A), (0, B), (0, C, 1), (6, E, 1), (10, D), (11, F, 1)),
    ends=(10, 10, 6, 15, 11, 15),
    policy=Policy(backfill=SKIP),
)
# Skip: 6: F goes first, within its nominal, 6-10: 2 are left for E. 10: A, B and F end: D, then E, which borrows.
SKIPPING_POOLS = replace(
    STRICT_POOLS,
    name="but a skip tenant's jobs within its nominal do",
    sharing=tenants(Tenant(2, (2, 2)), Tenant(2, (2, 2))),
    starts=((0, A), (0, B), (0, C, 1), (6, F, 1), (10, D), (10, E, 1)),
    ends=(10, 10, 6, 15, 15, 10),
)

# 5 and 5. A(0,5,10,0) B(1,3,10,0) C(1,5,10,1) D(2,1,5,0)
# last: tick 1: B would borrow, C would not: C first. B and D find nothing left until A ends.
#   A  ==========                   in order: B borrows 3 at 1. C: 2 left, blocked; its 5 are kept, so
#   B  last      ==========         D may not borrow either. 10: A ends: C, then D of its own.
#   C   ==========
#   D            =====
SWEEPS = SharingCase(
    "with two sweeps borrowers come last",
    (job(0, 5, 10), job(1, 3, 10), job(1, 5, 10, 1), job(2, 1, 5)),
    OF[:2],
    flat(5, 5),
    (10,),
    starts=((0, A), (1, C), (10, B), (10, D)),
    ends=(10, 20, 11, 15),
)
IN_ORDER = replace(
    SWEEPS,
    name="with one they come in their turn",
    sharing=replace(flat(5, 5), borrowers="in_order"),
    starts=((0, A), (1, B), (10, C), (10, D)),
    ends=(10, 11, 20, 15),
)

# Tenants 0, 1 in cohort 4; tenants 2, 3 in cohort 5, which lends at most 1; both in cohort 6. 3 GPUs each.
# A(0,5,10,0) B(1,2,10,1) C(2,1,10,0) D(3,6,10,2) E(4,4,10,3) F(5,1,10,2) G(6,1,5,2)
#   A  ==========               Cohort 4 may have 6 + 1: A and B take all 7. C: none left.
#   B   ==========              D: cohort 5 keeps 5 for its own, and nothing is left above: 6 > 5.
#   C            ==========     E: 4 of the 5. F: the last of them. G: none left.
#   D                ==========     10: A ends, 5 come back: C (its own), G (from above).
#   E      ==========           D: 3 of the root are left after C and G: no. 11: B ends: 5. 14: E ends: D.
#   F       ==========
#   G            =====
NESTED = SharingCase(
    "nested cohorts with a lending limit in between",
    (
        *(job(0, 5, 10, 0), job(1, 2, 10, 1), job(2, 1, 10, 0), job(3, 6, 10, 2), job(4, 4, 10, 3)),
        *(job(5, 1, 10, 2), job(6, 1, 5, 2)),
    ),
    OF,
    tenants(
        *(Tenant(4, (3,)), Tenant(4, (3,)), Tenant(5, (3,)), Tenant(5, (3,))),
        cohorts=(Cohort(6), Cohort(6, lend=(1,)), Cohort()),
    ),
    (12,),
    starts=((0, A), (1, B), (4, E), (5, F), (10, C), (10, G), (14, D)),
    ends=(10, 11, 20, 24, 14, 15, 15),
)

# Tenants 0, 1 (3 each) in cohort 3, which borrows at most 1 from cohort 4, where tenant 2 has 6.
# A(0,7,10,0) B(1,1,5,1) C(2,4,10,2) D(3,8,1,0)
# A: 3 + 3 + 1. B: its own cohort has nothing left; 1 GPU is kept for it (R20). C: 12 - 7 - 1 = 4. D: 8 > 7: rejected.
# 10: A ends: B.
COHORT_LIMIT = SharingCase(
    "a cohort's borrowing limit binds all its tenants together",
    (job(0, 7, 10, 0), job(1, 1, 5, 1), job(2, 4, 10, 2), job(3, 8, 1, 0)),
    OF[:3],
    tenants(Tenant(3, (3,)), Tenant(3, (3,)), Tenant(4, (6,)), cohorts=(Cohort(4, borrow=(1,)), Cohort())),
    (12,),
    starts=((0, A), (2, C), (10, B)),
    ends=(10, 15, 12, -1),
    outcome={D: "rejected"},
)

# A cohort with 4 of its own, two tenants without any. A(0,3,5,0) B(1,2,5,1) C(1,1,9,1) D(2,5,1,0)
# A: 3 of the 4. B: 1 left. C: takes it. D: 5 > 4, rejected. 5: A ends: B.
COHORT_OWN = SharingCase(
    "a cohort's own quota is shared by tenants who have none",
    (job(0, 3, 5, 0), job(1, 2, 5, 1), job(1, 1, 9, 1), job(2, 5, 1, 0)),
    OF[:2],
    tenants(Tenant(2, (0,)), Tenant(2, (0,)), cohorts=(Cohort(nominal=(4,)),)),
    (8,),
    starts=((0, A), (1, C), (5, B)),
    ends=(5, 10, 10, -1),
    outcome={D: "rejected"},
)

# backfill 3. Tenant 0 has 8 of 10, tenant 1 has 10, each alone.
# A(0,6,10,1) B(1,6,10,0) C(2,3,5,0) D(2,2,5,0) E(3,2,20,1) F(4,3,5,1) G(5,2,30,1)
#   A  ==========                        B: res 10-20. C: 6 reserved + 3 > 8, though 4 are free. D: 6 + 2: 2-7.
#   B            ==========              E: 6 + 2 of tenant 1, and 2 free beside B: 3-23.
#   C                      =====         F: 8 + 3 > 10: quota-blocked, no reservation. G: res 7-37.
#   D    =====                           7: D ends: G 7-37, beside B still.
#   E     ====================           10: A ends: B. C: 6 + 3 > 8. F: 4 + 3, but nothing is free.
#   F                      =====         20: B ends, 6 free: C and F.
#   G         ==============================
BACKFILL = SharingCase(
    "a reservation counts for its own tenant, a quota-blocked job gets none",
    (
        *(job(0, 6, 10, 1), job(1, 6, 10), job(2, 3, 5), job(2, 2, 5), job(3, 2, 20, 1)),
        *(job(4, 3, 5, 1), job(5, 2, 30, 1)),
    ),
    OF[:2],
    flat(8, 10, alone=True, reclaim="any"),
    (10,),
    starts=((0, A), (2, D), (3, E), (7, G), (10, B), (20, C), (20, F)),
    ends=(10, 20, 25, 7, 23, 25, 37),
    policy=Policy(backfill=3),
)
# The same without reclaim: C is within its nominal and blocked, so its 3 are kept (R20), for its own tenant too:
# D finds 8 - 6 - 3 < 2. G: 2 free at 5, 5-35. 10: B, D gets a reservation. 20: C and D; F: 1 free. 23: E ends: F.
BACKFILL_OWNER = replace(
    BACKFILL,
    name="what is kept for an owner is kept from its own later jobs too",
    sharing=flat(8, 10, alone=True),
    starts=((0, A), (3, E), (5, G), (10, B), (20, C), (20, D), (23, F)),
    ends=(10, 20, 25, 25, 23, 28, 35),
)

# Shares of 10 GPUs: 25 %, 25 %, 50 %: 2.5 -> 3 (the lower node of equal remainders), 2.5 -> 2, 5.
# A(0,3,5,0) B(0,3,5,1) C(1,2,5,1) D(2,5,5,2): B: 3 > 2, rejected.
SHARES = SharingCase(
    "shares are rounded by largest remainder, ties to the first",
    (job(0, 3, 5, 0), job(0, 3, 5, 1), job(1, 2, 5, 1), job(2, 5, 5, 2)),
    OF[:3],
    tenants(*(Tenant(nominal=(Share(p),)) for p in (250_000, 250_000, 500_000)), cohorts=()),
    (10,),
    starts=((0, A), (1, C), (2, D)),
    ends=(5, -1, 6, 7),
    outcome={B: "rejected"},
)
# Tenant 1 owns what tenant 0 (33.3 % of 10: 3) and the cohort (2) leave: 5. Tenant 1 borrows nothing, lends nothing.
# A(0,5,5,1) B(0,1,5,1) C(0,5,5,0): B: 6 > 5, rejected? No: as large as its share, it waits: 5-10. C: 3 + 2.
UNASSIGNED = SharingCase(
    "the unassigned tenant has what the others leave",
    (job(0, 5, 5, 1), job(0, 1, 5, 1), job(0, 5, 5, 0), job(1, 6, 5, 1), job(1, 6, 5, 0)),
    OF[:2],
    Sharing(
        (Tenant(2, (Share(333_000),)), Tenant(2, borrow=(0,), lend=(0,))),
        (Cohort(nominal=(2,)),),
        unassigned=1,
    ),
    (10,),
    starts=((0, A), (0, C), (5, B)),
    ends=(5, 10, 5, -1, -1),
    outcome={D: "rejected", E: "rejected"},
)

# What stands in its own row means nothing, and no share is spread to it.
UNASSIGNED_ENTRY = replace(
    UNASSIGNED,
    name="whatever its own entry says",
    sharing=Sharing(
        (Tenant(2, (Share(333_000),)), Tenant(2, (Share(666_999),), borrow=(0,), lend=(0,))),
        (Cohort(nominal=(2,)),),
        unassigned=1,
    ),
)

# No quotas. Tenant 0: at most 4 GPUs; tenant 1: at most 2 jobs.
# A(0,3,10,0) B(1,2,10,0) C(2,1,10,0) D(3,1,10,1) E(3,1,10,1) F(3,1,2,1) G(4,5,1,0)
# B: 3 + 2 > 4. C: 4. D, E: two jobs. F: the third. G: 5 > 4, rejected. 10: A ends: B. 13: D, E end: F.
LIMITS = SharingCase(
    "most GPUs and most jobs of a tenant",
    (
        *(job(0, 3, 10), job(1, 2, 10), job(2, 1, 10), job(3, 1, 10, 1), job(3, 1, 10, 1)),
        *(job(3, 1, 2, 1), job(4, 5, 1)),
    ),
    OF[:2],
    Sharing((Tenant(max_gpus=4), Tenant(max_jobs=2))),
    (10,),
    starts=((0, A), (2, C), (3, D), (3, E), (10, B), (13, F)),
    ends=(10, 20, 12, 13, 13, 15, -1),
    outcome={G: "rejected"},
)

# EASY, 4 GPUs, tenant 0 runs at most one job. A(0,3,10,1) J(1,2,5,0) K(2,1,3,0)
#   A  ==========             J: res 10-15. It is its tenant's one job: K waits though a GPU is free.
#   J            =====        15: J ends: K.
#   K                 ===
RESERVED_JOB = SharingCase(
    "a reserved job counts as one of its tenant's",
    (job(0, 3, 10, 1), job(1, 2, 5), job(2, 1, 3)),
    OF[:2],
    Sharing((Tenant(max_jobs=1), Tenant())),
    (4,),
    starts=((0, A), (10, B), (15, C)),
    ends=(10, 15, 18),
    policy=Policy(backfill=1),
)
RESERVED_GPUS = replace(
    RESERVED_JOB,
    name="reserved GPUs count among those its tenant may use at most",
    sharing=Sharing((Tenant(max_gpus=2), Tenant())),
)

# 4 GPUs, each tenant alone: 2, 2 and no quota. A(0,4,5,2) U(1,3,4,0 urgent) B(2,2,4,1). Nobody may be a victim.
# 5: A ends. U is beyond its nominal but urgent: first sweep, first in the queue. 9: B.
URGENT_SWEEP = SharingCase(
    "an urgent job is in the first sweep whatever it uses",
    (job(0, 4, 5, 2), job(1, 3, 4, 3), job(2, 2, 4, 1)),
    (*OF[:3], JobClass(urgent=True)),
    tenants(Tenant(nominal=(2,)), Tenant(nominal=(2,)), Tenant(), cohorts=()),
    (4,),
    starts=((0, A), (5, B), (9, C)),
    ends=(5, 9, 13),
)
FREE_SWEEP = replace(
    URGENT_SWEEP,
    name="a job of a tenant without a quota is in the first sweep",
    classes=(*OF[:3], JobClass(tenant=2)),
)

# Two pools of 2. Tenant 0, alone: 2 in pool 0, 1 in pool 1. A(0,2,10,1 in 0) B(0,1,10,0 in 1) J(1,1,5,0 in 0 or 1)
# K(2,1,3,1 in 1). J: pool 0 is full; pool 1 has a free GPU but no quota. J blocks pool 0 (or waits for it with a
# reservation), not pool 1: K starts. 10: J in pool 0.
QUOTA_BLOCKED_POOL = SharingCase(
    "a blocked job blocks only pools in which it has quota",
    (job(0, 2, 10, 1), job(0, 1, 10, 3), job(1, 1, 5), job(2, 1, 3, 2)),
    (
        *(JobClass(pools=(0, 1)), JobClass(tenant=1), JobClass(tenant=1, pools=(1,))),
        JobClass(pools=(1,)),
    ),
    tenants(Tenant(nominal=(2, 1)), Tenant(), cohorts=()),
    (2, 2),
    starts=((0, A), (0, B, 1), (2, D, 1), (10, C)),
    ends=(10, 10, 15, 5),
)
QUOTA_BLOCKED_POOL_EASY = replace(
    QUOTA_BLOCKED_POOL,
    name="a blocked job gets a reservation only where it has quota",
    policy=Policy(backfill=1),
)

# Two pools of 4, 2 of each tenant in each. A(0,3,10,1 in 0) B(0,3,20,1 in 1) P(1,2,5,0 in 0 or 1) C(2,1,5,1 in 0)
# D(2,1,5,1 in 1). P finds 1 in each. Its 2 are kept in pool 0, the first: C may not borrow there, D may in pool 1.
# 10: A ends: P and C.
OWNER_TWO_POOLS = SharingCase(
    "an owner is protected in the first of its pools only",
    (job(0, 3, 10, 1), job(0, 3, 20, 2), job(1, 2, 5), job(2, 1, 5, 1), job(2, 1, 5, 2)),
    (JobClass(pools=(0, 1)), JobClass(tenant=1), JobClass(tenant=1, pools=(1,))),
    tenants(Tenant(2, (2, 2)), Tenant(2, (2, 2)), cohorts=(Cohort(),)),
    (4, 4),
    starts=((0, A), (0, B, 1), (2, E, 1), (10, C), (10, D)),
    ends=(10, 20, 15, 15, 7),
)

# Two pools of 4, tenant 0 has 2 in pool 0 and 4 in pool 1, and prefers pool 0; it may use 5 in all. Tenant 1 is free.
# A(0,2,9,0) B(0,3,4,0) C(1,1,5,0) D(1,4,2,1 in pool 1) E(2,2,2,1 in pool 0)
# A: pool 0, B: 3 > 2 - 2 there, so pool 1; 5 in all: C: quota-blocked in both. D: pool 1 has 1 left: blocks it (none).
# E: 2 are left in pool 0. 4: B and E end: C: 2 used in pool 0, so pool 1 again. D: 3 left. 9: C ends: D.
POOLS = SharingCase(
    "two pools: where quota and GPUs allow, the preferred one first",
    (job(0, 2, 9), job(0, 3, 4), job(1, 1, 5), job(1, 4, 2, 1), job(2, 2, 2, 2)),
    (JobClass(pools=(0, 1)), JobClass(tenant=1, pools=(1,)), JobClass(tenant=1)),
    Sharing((Tenant(nominal=(2, 4), max_gpus=5), Tenant()), borrowers="in_order"),
    (4, 4),
    starts=((0, A), (0, B, 1), (2, E), (4, C, 1), (9, D, 1)),
    ends=(9, 4, 9, 11, 4),
)

QUOTA_CASES = (
    LENDING_LIMIT,
    BORROWING_LIMIT,
    OWNER,
    OWNER_THAT_RECLAIMS,
    STRICT,
    SKIPPING,
    STRICT_SWEEPS,
    STRICT_BORROWER,
    STRICT_POOLS,
    SKIPPING_POOLS,
    SWEEPS,
    IN_ORDER,
    NESTED,
    COHORT_LIMIT,
    COHORT_OWN,
    BACKFILL,
    BACKFILL_OWNER,
    SHARES,
    UNASSIGNED,
    UNASSIGNED_ENTRY,
    LIMITS,
    RESERVED_JOB,
    RESERVED_GPUS,
    URGENT_SWEEP,
    FREE_SWEEP,
    QUOTA_BLOCKED_POOL,
    QUOTA_BLOCKED_POOL_EASY,
    OWNER_TWO_POOLS,
    POOLS,
)
