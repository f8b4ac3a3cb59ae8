"""Preemption worked out by hand: Kueue's matrix, the search, urgent jobs, several passes (R24-R27, S20-S22)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import SKIP, Cohort, JobClass, Policy, Sharing, Tenant, Windows
from sharing_case import NO_CAUSE, SharingCase, flat, job

A, B, C, D, E = range(5)

# ---- inside a tenant ------------------------------------------------------------------------------------------------
# One tenant, no quotas, 4 GPUs, skip. Class 0 low, 1 high.
# A(0,2,30,low) B(1,1,30,high) P(2,2,10,high) C(3,1,30,high) Z(4,4,5,low)
# tick 0....5....10...15...20...25...30...35...40...45
#   A  ==============================                 never: P waits for A. C fits beside.
#   B   ==============================
#   P                                ==========
#   C     ==============================
#   Z                                          =====
#
#   A  ==x         ==============================     lower: A leaves at 2 and starts again from nothing at 12.
#   P    ==========                                   Z waits for A, which came before it.
LOW_HIGH = (JobClass(tier=0, preemptible=True), JobClass(tier=1, preemptible=True))


def within(level: str, evicts: bool) -> SharingCase:
    return SharingCase(
        f"within {level}, victim of a lower tier",
        (job(0, 2, 30), job(1, 1, 30, 1), job(2, 2, 10, 1), job(3, 1, 30, 1), job(4, 4, 5)),
        LOW_HIGH,
        Sharing((Tenant(within=level),)),
        (4,),
        starts=(
            ((0, A), (1, B), (2, C), (3, D), (12, A), (42, E))
            if evicts
            else ((0, A), (1, B), (3, D), (30, C), (40, E))
        ),
        evictions=((2, A),) if evicts else (),
        ends=(42, 31, 12, 33, 47) if evicts else (30, 31, 40, 33, 45),
        policy=Policy(SKIP),
    )


# A(0,2,30) B(1,1,5) P(2,2,10) C(3,1,30) D(20,1,1), all of one tier. P needs 2, 1 is free; C takes it at 3.
# 6: B ends, 1 free. C is newer than P: with lower_or_newer it leaves. A and B are older: never victims.
#   A  ==============================
#   B   =====
#   P        ==========
#   C     ===x         ==============================
#   D                      =
def within_newer(level: str, evicts: bool) -> SharingCase:
    return SharingCase(
        f"within {level}, victim of the same tier and newer",
        (job(0, 2, 30), job(1, 1, 5), job(2, 2, 10), job(3, 1, 30), job(20, 1, 1)),
        LOW_HIGH[:1],
        Sharing((Tenant(within=level),)),
        (4,),
        starts=(
            ((0, A), (1, B), (3, D), (6, C), (16, D), (20, E))
            if evicts
            else ((0, A), (1, B), (3, D), (20, E), (30, C))
        ),
        evictions=((6, D),) if evicts else (),
        ends=(30, 6, 16, 46, 21) if evicts else (30, 6, 40, 33, 21),
        policy=Policy(SKIP),
    )


# ---- reclaim: the preemptor fits its nominal ------------------------------------------------------------------------
# 5 and 5. A(0,3,40,1) B(1,3,40,1) C(2,2,40,1) P(5,4,10,0) D(6,1,5,1). Tenant 1 has 8: 3 over its nominal.
# P has tier 1, D tier 0, and A, B, C have tier 0, 1 or 2.
#   A  ========================================    evicted C (the latest start): 4 free for P.
#   B   =======================================>   6: nothing is left for D. 15: C again, and D.
#   C    ===x         ==========...
#   P       ==========
#   D                 =====
# Nobody is evicted: P waits until A ends. With `never` its 4 are kept for it and D may not borrow (R20); with
# `lower` they are not: D 6-11.
TIERS = (
    JobClass(tier=1, tenant=0),
    JobClass(tier=0, tenant=1, preemptible=True),
    JobClass(tier=2, tenant=1, preemptible=True),
    JobClass(tier=1, tenant=1, preemptible=True),
)


def reclaim(level: str, victims: str, evicts: bool) -> SharingCase:
    c = ("lower", "higher", "equal").index(victims) + 1
    if evicts:
        starts: tuple[tuple[int, ...], ...] = ((0, A), (1, B), (2, C), (5, D), (15, C), (15, E))
        ends = (40, 41, 55, 15, 20)
    elif level == "never":
        starts, ends = ((0, A), (1, B), (2, C), (40, D), (40, E)), (40, 41, 42, 50, 45)
    else:
        starts, ends = ((0, A), (1, B), (2, C), (6, E), (40, D)), (40, 41, 42, 50, 11)
    return SharingCase(
        f"reclaim {level}, victims of {victims} tier",
        (job(0, 3, 40, c), job(1, 3, 40, c), job(2, 2, 40, c), job(5, 4, 10), job(6, 1, 5, 1)),
        TIERS,
        Sharing((Tenant(2, (5,), reclaim=level), Tenant(2, (5,))), (Cohort(),)),
        (10,),
        starts,
        ((5, C),) if evicts else (),
        ends,
    )


# ---- borrowing while preempting: the preemptor does not fit its nominal ---------------------------------------------
# 3, 3 and 4. A(0,4,40,1, tier 1) B(1,3,40,2, tier 0) C(2,2,40,1, tier 3) P(5,5,10,0) E(6,1,4,0); P, E: tier 5 (or 1).
# Tenant 1 is 3 over its nominal, tenant 2 is not: B is safe whatever its tier. P would borrow 2.
#   A  =====x         ====...     evicted A: 5 free for P. 15: E, then A (it borrows: second sweep).
#   P       ==========
#   E                 ====
# Nobody evicted: E fits the nominal and goes at 6; P waits until A ends at 40.
BORROW_TIERS = (
    JobClass(tier=5, tenant=0),
    JobClass(tier=1, tenant=1, preemptible=True),
    JobClass(tier=0, tenant=2, preemptible=True),
    JobClass(tier=3, tenant=1, preemptible=True),
)


def borrowing(level: str, threshold: int | None, tier: int, evicts: bool) -> SharingCase:
    return SharingCase(
        f"a borrower of tier {tier} with reclaim {level} and threshold {threshold}",
        (job(0, 4, 40, 1), job(1, 3, 40, 2), job(2, 2, 40, 3), job(5, 5, 10), job(6, 1, 4)),
        (JobClass(tier=tier, tenant=0), *BORROW_TIERS[1:]),
        Sharing(
            (Tenant(3, (3,), reclaim=level, borrow_preempts=threshold), Tenant(3, (3,)), Tenant(3, (4,))),
            (Cohort(),),
        ),
        (10,),
        starts=(
            ((0, A), (1, B), (2, C), (5, D), (15, E), (15, A))
            if evicts
            else ((0, A), (1, B), (2, C), (6, E), (40, D))
        ),
        evictions=((5, A),) if evicts else (),
        ends=(55, 41, 42, 15, 19) if evicts else (40, 41, 42, 50, 10),
    )


# ---- the search -----------------------------------------------------------------------------------------------------
TWO = (JobClass(tenant=0, preemptible=True), JobClass(tenant=1))

# Tenant 0 has 6, tenant 1 has 4 and reclaims. A(0,4,20,0) B(1,4,20,0) C(2,2,20,0) D(5,3,10,1) E(6,1,5,1)
# tick 0....5....10...15...20...25...30...35
#   A  ====================             A, B, C use 10, 4 borrowed. D wants 3 of its own 4.
#   B   ====x          ====================    C (latest) is added: 2 free; B is added: 6 free, enough.
#   C    ====================           Walk back: with B alone gone 4 are free, enough: C is spared.
#   D       ==========
#   E        =====                      6: the fourth of tenant 1. 11: 1 free. 15: B again, from nothing.
BORROW_RECLAIM = SharingCase(
    "borrow, then reclaim, and spare on the way back",
    (job(0, 4, 20), job(1, 4, 20), job(2, 2, 20), job(5, 3, 10, 1), job(6, 1, 5, 1)),
    TWO,
    Sharing((Tenant(2, (6,)), Tenant(2, (4,), reclaim="any")), (Cohort(),)),
    (10,),
    starts=((0, A), (1, B), (2, C), (5, D), (6, E), (15, B)),
    evictions=((5, B),),
    ends=(20, 35, 22, 15, 11),
    also={
        "lost": [0, 16, 0, 0, 0],
        "preemptions": [0, 1, 0, 0, 0],
        "longest_cascade": 1,
        "start": [0, 1, 2, 5, 6],
    },
)

# The same on 20 GPUs: 10 are free, but quotas are not: the same must go.
BY_QUOTA_ALONE = replace(BORROW_RECLAIM, name="victims for quota alone, GPUs being free", gpus=(20,))

# 8 GPUs, within lower. A(0,4,30,low) B(1,1,30,low) C(2,2,30,low) D(3,1,30,low) E(5,5,10,high).
# Added: D (1 free), C (3), B (4), A (8). Walk back from the last but one: B is spared (7), C is (5), D is not (4
# without it). From the first to the last it would have been B and A who leave.
#   A  =====x         ====...     15: A and D.
#   B   ==============================
#   C    ==============================
#   D     ==x         ====...
#   E       ==========
WALK_BACK = SharingCase(
    "the walk back goes from the last to the first",
    (job(0, 4, 30), job(1, 1, 30), job(2, 2, 30), job(3, 1, 30), job(5, 5, 10, 1)),
    LOW_HIGH,
    Sharing((Tenant(within="lower"),)),
    (8,),
    starts=((0, A), (1, B), (2, C), (3, D), (5, E), (15, A), (15, D)),
    evictions=((5, D), (5, A)),
    ends=(45, 31, 32, 45, 15),
)

# 2 and 2, tenant 0 reclaims, one sweep. A(0,4,10,1) B(0,2,5,0) C(3,1,1,0). A starts first, borrowing 2. B, in the same
# pass, may not take what has just started. 3: C comes: B evicts A, C borrows. 8: B ends: A.
#   A  ===x    ==========
#   B     =====
#   C     =
JUST_STARTED = SharingCase(
    "a job that started in this tick is no victim",
    (job(0, 4, 10, 1), job(0, 2, 5), job(3, 1, 1)),
    (JobClass(), JobClass(tenant=1, preemptible=True)),
    replace(flat(2, 2, reclaim="any"), borrowers="in_order"),
    (4,),
    starts=((0, A), (3, B), (3, C), (8, A)),
    evictions=((3, A),),
    ends=(18, 8, 4),
)

# Two trees. Tenant 0, alone, has 4 and reclaims; tenants 1 (1) and 2 (3) are a cohort. 4 GPUs.
# A(0,4,20,1) borrows 3, is exempt until 5. P(1,2,5,0): A is of another tree: no victim, at 7 as at 1, no wake-up at 5.
OTHER_TREE = SharingCase(
    "nobody reclaims from another tree",
    (job(0, 4, 20, 1), job(1, 2, 5), job(7, 1, 1, 2)),
    (JobClass(tier=5), JobClass(tenant=1, preemptible=True, exempt=5), JobClass(tenant=2)),
    Sharing((Tenant(nominal=(4,), reclaim="any"), Tenant(3, (1,)), Tenant(3, (3,))), (Cohort(),)),
    (4,),
    starts=((0, A), (20, B), (20, C)),
    ends=(20, 25, 21),
    also={"end_tick": 25},
)
OTHER_TREE_ASLEEP = replace(
    OTHER_TREE,
    name="nor wakes the scheduler for it",
    jobs=OTHER_TREE.jobs[:2],
    starts=((0, A),),
    ends=(-1, -1),
    outcome={A: "running", B: "waiting"},
    windows=Windows(0, 15, 15),
    also={"end_tick": 1},
)

# 4, 3 and 3. C(0,3,40,2) D(0,1,40,2) A(1,3,40,1) B(2,1,40,1) P(5,4,10,0), tenant 0 reclaims. Both others are 1 over.
# B (latest) is added: tenant 1 is down to 3, so A is left out, though it started after D. D is added: 4 free. C is
# left out too. Walk back: without B's removal 3 are free: no.
#   A   ========================================
#   B    ===x         ========...
#   C  ========================================
#   D  =====x         ========...
#   P       ==========
LEFT_OUT = SharingCase(
    "a tenant that is down to its nominal loses no more",
    (job(0, 3, 40, 2), job(0, 1, 40, 2), job(1, 3, 40, 1), job(2, 1, 40, 1), job(5, 4, 10)),
    tuple(JobClass(tenant=t, preemptible=True) for t in range(3)),
    Sharing((Tenant(3, (4,), reclaim="any"), Tenant(3, (3,)), Tenant(3, (3,))), (Cohort(),)),
    (10,),
    starts=((0, 0), (0, 1), (1, 2), (2, 3), (5, 4), (15, 1), (15, 3)),
    evictions=((5, 3), (5, 1)),
    ends=(40, 55, 41, 55, 15),
    also={"longest_cascade": 2},
)

# 6 and 4; within lower, reclaim any. A(0,3,40,1) B(1,3,40,1) C(2,2,40,0 low) D(3,1,40,0 low) P(5,3,10,0 high)
# Others over nominal go first: B (tenant 1 is 2 over), though C and D have lower tiers: 1 + 3 free: enough.
#   B   ====x         ====...      15: P ends: C and D run on; B: 4 free, borrows 2 of the 3 it uses.
#   P       ==========
# Without B's class being preemptible: D (latest start) and C leave: D is spared on the way back (1 + 2 free).
OTHERS_FIRST = SharingCase(
    "other tenants over nominal before the own",
    (job(0, 3, 40, 2), job(1, 3, 40, 2), job(2, 2, 40), job(3, 1, 40), job(5, 3, 10, 1)),
    (JobClass(preemptible=True), JobClass(tier=9), JobClass(tier=5, tenant=1, preemptible=True)),
    Sharing((Tenant(2, (6,), within="lower", reclaim="any"), Tenant(2, (4,))), (Cohort(),)),
    (10,),
    starts=((0, A), (1, B), (2, C), (3, D), (5, E), (15, B)),
    evictions=((5, B),),
    ends=(40, 55, 42, 43, 15),
)
OWN_LAST = replace(
    OTHERS_FIRST,
    name="the own if the others may not be victims",
    classes=(*OTHERS_FIRST.classes[:2], JobClass(tier=5, tenant=1)),
    starts=((0, A), (1, B), (2, C), (3, D), (5, E), (15, C)),
    evictions=((5, C),),
    ends=(40, 41, 55, 43, 15),
)

# Not enough: 4 GPUs, A(0,3,20) may not be a victim, B(0,1,20) may; P(2,2,5, high) would need both: nobody leaves.
# Q(3,1,5,high) takes B's. P waits for A. B: 8: Q ends.
#   A  ====================
#   B  ===x    ====================
#   P                      =====     (at 20)
#   Q     =====
NOT_ENOUGH = SharingCase(
    "if all candidates are not enough, nobody is evicted",
    (job(0, 3, 20), job(0, 1, 20, 1), job(2, 2, 5, 2), job(3, 1, 5, 2)),
    (JobClass(), JobClass(preemptible=True), JobClass(tier=1)),
    Sharing((Tenant(within="lower"),)),
    (4,),
    starts=((0, A), (0, B), (3, D), (8, B), (20, C)),
    evictions=((3, B),),
    ends=(20, 28, 25, 8),
    policy=Policy(SKIP),
)

# ---- several passes in a tick ---------------------------------------------------------------------------------------
# Two pools of 2, within lower. M(0,2,20, tier 1, pools 0 and 1) L(1,2,30, tier 0, pool 1) H(5,2,5, tier 2, pool 0)
# K(6,1,3, tier 0, pool 0) N(7,2,4, as L). 5: H evicts M; second pass: M evicts L in pool 1; third: L finds nothing.
#   M 0 =====x                        10: H ends: K. 25: M ends: L again, from nothing, in its place before N.
#   M 1      ====================
#   L 1  ====x                   ==============================
#   H 0      =====
#   K 0           ===
#   N 1                                                        ====
CASCADE = SharingCase(
    "a victim takes from another in the next pass of the tick",
    (job(0, 2, 20), job(1, 2, 30, 1), job(5, 2, 5, 2), job(6, 1, 3, 3), job(7, 2, 4, 1)),
    (
        JobClass(tier=1, pools=(0, 1), preemptible=True),
        JobClass(tier=0, pools=(1,), preemptible=True),
        JobClass(tier=2),
        JobClass(tier=0),
    ),
    Sharing((Tenant(within="lower"),)),
    (2, 2),
    starts=((0, A), (1, B, 1), (5, C), (5, A, 1), (10, D), (25, B, 1), (55, E, 1)),
    evictions=((5, A), (5, B)),
    ends=(25, 55, 10, 13, 59),
    also={
        "longest_cascade": 2,
        "pool": [1, 1, 0, 0, 1],
        "first_pool": [0, 1, 0, 0, 1],
        "lost": [10, 8, 0, 0, 0],
    },
)

# 4 GPUs, skip. Tenant 0 preempts nobody, tenant 1 within lower. A(0,3,20,1 low) B(0,1,20,0) W(1,1,4,0, high)
# P(2,2,5,1, high) X(3,1,2,0, high). 2: W is looked at before P and finds nothing. P evicts A: 1 is left over: W starts
# in the second pass. 6: W ends: X. 7: P ends: 2 free, A needs 3. 8: X ends: A.
#   A  ==x      ====================
#   W    ====
#   P    =====
#   X        ==
SECOND_PASS = SharingCase(
    "what an eviction leaves over goes in the second pass of the tick",
    (job(0, 3, 20, 1), job(0, 1, 20), job(1, 1, 4), job(2, 2, 5, 2), job(3, 1, 2)),
    (JobClass(tier=1), JobClass(tenant=1, preemptible=True), JobClass(tier=1, tenant=1)),
    Sharing((Tenant(), Tenant(within="lower"))),
    (4,),
    starts=((0, B), (0, A), (2, D), (2, C), (6, E), (8, A)),
    evictions=((2, A),),
    ends=(28, 20, 6, 7, 8),
    policy=Policy(SKIP),
    also={"lost": [6, 0, 0, 0, 0]},
)

# ---- urgent ---------------------------------------------------------------------------------------------------------
# 5 and 5, each alone, skip. A(0,5,20,0, tier 0) B(1,5,20,1, tier 1) U(4,7,5,0, tier 3, urgent) C(5,3,2,1) D(6,1,2,0)
# U: 7 > 5, no matter. A (lowest tier) is added: 5 free; B: 10 free. Without B's removal: 5. Both go.
#   A  ====x    ====================    4: A: 7 used of 5. B: 3 free. 5: C: 3 of tenant 1. 9: B, A. D: 5 + 1 > 5.
#   B   ===x    ====================    29: A ends: D.
#   U      =====
#   C       ==
URGENT = SharingCase(
    "an urgent job takes from every lower tier, quotas ignored",
    (job(0, 5, 20), job(1, 5, 20, 1), job(4, 7, 5, 2), job(5, 3, 2, 1), job(6, 1, 2)),
    (
        JobClass(preemptible=True),
        JobClass(tier=1, tenant=1, preemptible=True),
        JobClass(tier=3, urgent=True),
    ),
    flat(5, 5, alone=True),
    (10,),
    starts=((0, A), (1, B), (4, C), (5, D), (9, B), (9, A), (29, E)),
    evictions=((4, A), (4, B)),
    ends=(29, 29, 9, 7, 31),
    policy=Policy(SKIP),
)
# An urgent job of the tier of its victim takes nothing, though its tenant reclaims; it needs no quota: 5: B ends.
# 3 and 5 in a cohort of 8. B(0,6,5,1) U(2,4,5,0): 2 free; reclaim any does not apply to it.
URGENT_EQUAL = SharingCase(
    "an urgent job takes from strictly lower tiers only",
    (job(0, 6, 5, 1), job(2, 4, 5)),
    (JobClass(tier=1, urgent=True), JobClass(tier=1, tenant=1, preemptible=True)),
    flat(3, 5, reclaim="any"),
    (8,),
    starts=((0, A), (5, B)),
    ends=(5, 10),
    also={"causes": [{**NO_CAUSE, "capacity": 4 * 3}, NO_CAUSE]},  # never for quota
)

URGENT_ASLEEP = replace(
    URGENT_EQUAL,
    name="and wakes the scheduler for no other",
    classes=(URGENT_EQUAL.classes[0], replace(URGENT_EQUAL.classes[1], exempt=4)),
    starts=((0, A),),
    ends=(-1, -1),
    outcome={A: "running", B: "waiting"},
    windows=Windows(0, 5, 5),
    also={"end_tick": 2},
)

# Limits take part in the search. Tenant 0: 4 GPUs at most, within lower. A(0,2,20,low) B(0,2,20,low) P(3,1,5,high):
# 6 are free, but 4 + 1 > 4: B (highest index of equal ones) leaves. C(3,..) none. 8: P ends: B.
LIMITED = SharingCase(
    "a job over its tenant's limit evicts its own",
    (job(0, 2, 20), job(0, 2, 20), job(3, 1, 5, 1)),
    (JobClass(preemptible=True), JobClass(tier=1)),
    Sharing((Tenant(within="lower", max_gpus=4),)),
    (10,),
    starts=((0, A), (0, B), (3, C), (8, B)),
    evictions=((3, B),),
    ends=(20, 28, 8),
)

PREEMPTION_CASES = (
    *(
        within(level, evicts)
        for level, evicts in (("never", False), ("lower", True), ("lower_or_newer", True))
    ),
    *(
        within_newer(level, evicts)
        for level, evicts in (("never", False), ("lower", False), ("lower_or_newer", True))
    ),
    reclaim("never", "lower", False),
    reclaim("lower", "lower", True),
    reclaim("any", "lower", True),
    reclaim("never", "higher", False),
    reclaim("lower", "higher", False),
    reclaim("any", "higher", True),
    reclaim("lower", "equal", False),
    reclaim("any", "equal", True),
    borrowing("never", 4, 5, False),
    borrowing("lower", None, 5, False),
    borrowing("any", None, 5, False),
    borrowing("lower", 0, 5, False),
    borrowing("lower", 1, 5, True),
    borrowing("any", 1, 5, True),
    borrowing("any", 3, 5, True),
    borrowing("any", 9, 1, False),
    BORROW_RECLAIM,
    BY_QUOTA_ALONE,
    WALK_BACK,
    JUST_STARTED,
    OTHER_TREE,
    OTHER_TREE_ASLEEP,
    LEFT_OUT,
    OTHERS_FIRST,
    OWN_LAST,
    NOT_ENOUGH,
    CASCADE,
    SECOND_PASS,
    URGENT,
    URGENT_EQUAL,
    URGENT_ASLEEP,
    LIMITED,
)
