"""Why jobs wait and GPUs idle: closures, reservations, turns, what is kept for owners, by hand (S28, S29)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import NONE, SKIP, Closure, Cohort, JobClass, Policy, Sharing, Tenant
from sharing_case import NO_CAUSE, NO_IDLE, H, SharingCase, flat, job

A, B, C, D, E = range(5)
OF = tuple(JobClass(tenant=t) for t in range(5))  # class t: a job of tenant t, each a line of its own
EACH = Sharing((Tenant(),) * 5)

# ---- closures -------------------------------------------------------------------------------------------------------
# 4 GPUs, all closed in [10, 20). A(0,2,6,0) B(1,2,12,1) C(2,2,5,2) D(3,1,9,0) E(8,1,2,2)
#   tick 0.........10........20........30..
#   A    ======    ##########
#   B     .........##########============         B: 1 + 12 > 10, also at 6: the profile refuses it though 2 are free.
#   C      ........##########=====                C: 2 + 5 <= 10: only its turn: B blocks. From 6 on 6 + 5 > 10.
#   D       .......##########.....=========       D: 3 + 9 > 10.
#   E            ..##########.....==              E: behind C.
# From 10 on nothing is free. 20: B and C, 25: C ends: D and E.
# Idle: 0-1: 2, nobody waits. Until 10 drained for B: 2 in 1-6, 4 in 6-10. 27-32: 1, 32-34: 3, then 4.
CLOSED_NONE = SharingCase(
    "causes: a closure refuses, first come, first served blocks",
    (job(0, 2, 6), job(1, 2, 12, 1), job(2, 2, 5, 2), job(3, 1, 9), job(8, 1, 2, 2)),
    OF[:3],
    EACH,
    (4,),
    ((0, A), (20, B), (20, C), (25, D), (25, E)),
    ends=(6, 32, 25, 34, 27),
    policy=Policy(NONE),
    closures=(Closure(0, 10, 20, 4),),
    also={
        "causes": [
            {**NO_CAUSE, "reservation": 7, "capacity": 15},  # D in 3-10, in 10-25
            {**NO_CAUSE, "reservation": 2 * 9, "capacity": 2 * 10},  # B in 1-10, in 10-20
            {
                **NO_CAUSE,
                "priority": 2 * 4,  # C in 2-6
                "reservation": 2 * 4,  # C in 6-10
                "behind_own": 12,  # E in 8-20
                "capacity": 2 * 10 + 5,  # C in 10-20, E in 20-25
            },
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 12 + 24 + 10 + 9 + 2,
                "closed": 40,
                "drained": 10 + 16,
                "free": 2 + 5 + 6 + 4 * (H - 34),
            }
        ],
    },
)
# C goes at 2, E at 8: both end in time. B has no room in 2-6, D none in 3-6; in 6-10 they have, but not long enough.
#   tick 0.........10........20........30..
#   A    ======    ##########
#   B     .........##########============
#   C      =====   ##########
#   D       .......##########=========
#   E            ==##########
# Drained: 2 in 1-2, none in 2-6, 2 in 6-7, 4 in 7-8, 3 in 8-10. Free: 2 in 0-1, 1 in 20-29, 2 in 29-32, then 4.
CLOSED_SKIP = replace(
    CLOSED_NONE,
    name="causes: a closure refuses who has room, skip",
    starts=((0, A), (2, C), (8, E), (20, B), (20, D)),
    ends=(6, 32, 7, 29, 10),
    policy=Policy(SKIP),
    also={
        "causes": [
            {**NO_CAUSE, "reservation": 4, "capacity": 3 + 10},
            {**NO_CAUSE, "reservation": 2 + 8, "capacity": 8 + 20},
            NO_CAUSE,
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 12 + 24 + 10 + 9 + 2,
                "closed": 40,
                "drained": 2 + 2 + 4 + 6,
                "free": 2 + 9 + 6 + 4 * (H - 32),
            }
        ],
    },
)
# B is promised 20, in whose way nobody is.
CLOSED_EASY = replace(CLOSED_SKIP, name="causes: a closure refuses who has room, EASY", policy=Policy(1))

# ---- reservations and turns -----------------------------------------------------------------------------------------
# 6 GPUs, EASY. A(0,4,10,0) B(1,5,5,1) C(2,1,20,2) D(3,1,8,3) E(6,1,4,4)
#   tick 0.........10...15......22
#   A    ==========
#   B     .........=====               B is promised 10-15, with 1 GPU beside it.
#   C      ====================        C takes that one.
#   D       ............========       D would run until 11: the reservation refuses it, though 1 is free until 6.
#   E          ====                    E ends in time. From then on nothing is free for D.
# Idle: 0-2: 2, B is too large; 2-3: 1, B is; 3-6: 1, reserved. 15-22: 4, 22-23: 5, then 6.
REFUSED = SharingCase(
    "causes: EASY's reservation refuses",
    (job(0, 4, 10), job(1, 5, 5, 1), job(2, 1, 20, 2), job(3, 1, 8, 3), job(6, 1, 4, 4)),
    OF,
    EACH,
    (6,),
    ((0, A), (2, C), (6, E), (10, B), (15, D)),
    ends=(10, 15, 22, 23, 10),
    policy=Policy(1),
    also={
        "causes": [
            NO_CAUSE,
            {**NO_CAUSE, "capacity": 5 * 9},
            NO_CAUSE,
            {**NO_CAUSE, "reservation": 3, "capacity": 9},  # D in 3-6, in 6-15
            NO_CAUSE,
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 40 + 25 + 20 + 8 + 4,
                "reserved": 3,
                "free": 4 + 1 + 28 + 5 + 6 * (H - 23),
            }
        ],
    },
)
# First come, first served: there are no reservations, so C, D and E wait for their turn, until B and C go at 10.
#   tick 0.........10...15..19..23.....30
#   A    ==========
#   B     .........=====
#   C      ........====================
#   D       ............========
#   E          .........====
OUT_OF_TURN = replace(
    REFUSED,
    name="causes: first come, first served refuses nobody, it is not their turn",
    starts=((0, A), (10, B), (10, C), (15, D), (15, E)),
    ends=(10, 15, 30, 23, 19),
    policy=Policy(NONE),
    also={
        "causes": [
            NO_CAUSE,
            {**NO_CAUSE, "capacity": 5 * 9},
            {**NO_CAUSE, "priority": 8},
            {**NO_CAUSE, "priority": 7, "capacity": 5},
            {**NO_CAUSE, "priority": 4, "capacity": 5},
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 40 + 25 + 20 + 8 + 4,
                "reserved": 2 * 8,
                "free": 4 + 12 + 16 + 35 + 6 * (H - 30),
            }
        ],
    },
)
# 4 GPUs, EASY, two tests a pass. A(0,3,10,0) B(1,4,5,1) C(2,1,20,2) D(3,1,5,3) E(4,1,9,4)
#   tick 0.........10...15...20.......29....35
#   A    ==========
#   B     .........=====                         B is promised 10-15.
#   C      .............====================     C is in its way: tested and refused.
#   D       ............=====                    D, not tested, would have ended at 8: it is not its turn.
#   E        ................=========           E, not tested either, would not: 4 + 9 > 10: reservation.
# 10: B; C is the second. 15: C and D. E is the third: 2 are free, nothing is reserved: priority until D ends.
# Idle: 0-2: 1, B is too large; 2-10: 1 reserved; 15-20: 2 reserved; 20-29: 2, 29-35: 3, then 4.
UNTESTED = SharingCase(
    "causes: who is not tested waits for a turn unless a reservation refuses it",
    (job(0, 3, 10), job(1, 4, 5, 1), job(2, 1, 20, 2), job(3, 1, 5, 3), job(4, 1, 9, 4)),
    OF,
    EACH,
    (4,),
    ((0, A), (10, B), (15, C), (15, D), (20, E)),
    ends=(10, 15, 35, 20, 29),
    policy=Policy(1, max_tests=2),
    also={
        "causes": [
            NO_CAUSE,
            {**NO_CAUSE, "capacity": 4 * 9},
            {**NO_CAUSE, "reservation": 8, "capacity": 5},
            {**NO_CAUSE, "priority": 7, "capacity": 5},
            {**NO_CAUSE, "reservation": 6, "capacity": 5, "priority": 5},
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 30 + 20 + 20 + 5 + 9,
                "reserved": 8 + 10,
                "free": 2 + 18 + 18 + 4 * (H - 35),
            }
        ],
    },
)

# ---- what is kept for owners ----------------------------------------------------------------------------------------
# 10 GPUs, EASY; 6, 3 and 3 are owned, more than there are. A(0,5,10,1) B(1,4,20,2) C(2,6,5,0) D(3,1,30,1) E(5,2,8,2)
#   tick 0....5....10...15....21.23                    45
#   A    ==========
#   B     ====================
#   C      ........=====                          C: 9 + 6 > 12: quota. It may not reclaim: its 6 are kept.
#   D       ............==============================  D: 9 + 1 <= 12 and 1 is free, but 9 + 6 + 1 > 12: quota.
#   E         ..........========                  E: 9 + 2 <= 12, but 1 is free: capacity.
# 10: C; nothing is free. 15: D and E.
# Idle: 0-1: 5, 1-2: 1, nobody waits. 2-5: 1: quota_idle: C fails, D does for what is kept. 5-10: 1: E is too large.
# 15-21: 3, 21-23: 7, 23-45: 9, then 10.
KEPT = SharingCase(
    "causes: what is kept for an owner is a matter of quotas",
    (job(0, 5, 10, 1), job(1, 4, 20, 2), job(2, 6, 5), job(3, 1, 30, 1), job(5, 2, 8, 2)),
    OF[:3],
    flat(6, 3, 3),
    (10,),
    ((0, A), (1, B), (10, C), (15, D), (15, E)),
    ends=(10, 21, 15, 45, 23),
    policy=Policy(1),
    also={
        "causes": [
            {**NO_CAUSE, "quota": 6 * 8},
            {**NO_CAUSE, "quota": 7, "capacity": 5},
            {**NO_CAUSE, "capacity": 2 * 10},
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 50 + 80 + 30 + 30 + 16,
                "quota_idle": 3,
                "free": 5 + 1 + 5 + 18 + 14 + 198 + 10 * (H - 45),
            }
        ],
    },
)
# Tenant 0 may reclaim, though nobody is preemptible: nothing is kept, D goes at 3 and E has no room. 10: E, borrowing;
# for C 5 + 2 + 6 > 12 then, 18: E ends: 5 + 6 <= 12, but 5 are free: it waits for B, until 21.
#   tick 0....5....10.....18.21...26.....33
#   A    ==========
#   B     ====================
#   C      ...................=====
#   D       ==============================
#   E         .....========
# Idle: 0-1: 5, 1-2: 1, 2-3: 1: quota_idle (C). 10-18: 3, C: 7 + 6 > 12: quota_idle. 18-21: 5: C is too large.
# 21-26: 3, 26-33: 9, then 10.
NOT_KEPT = replace(
    KEPT,
    name="causes: nothing is kept for an owner that may reclaim",
    sharing=Sharing((Tenant(3, (6,), reclaim="any"), Tenant(3, (3,)), Tenant(3, (3,))), (Cohort(),)),
    starts=((0, A), (1, B), (3, D), (10, E), (21, C)),
    ends=(10, 21, 26, 33, 18),
    also={
        "causes": [
            {**NO_CAUSE, "quota": 6 * 16, "capacity": 6 * 3},  # C in 2-18, in 18-21
            NO_CAUSE,
            {**NO_CAUSE, "capacity": 2 * 5},  # 10 + 2 <= 12, nothing is free
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 50 + 80 + 30 + 30 + 16,
                "quota_idle": 1 + 24,
                "free": 5 + 1 + 15 + 15 + 63 + 10 * (H - 33),
            }
        ],
    },
)
# Passes at multiples of 4, B submitted at 0. In a tick without a pass nothing is kept: D joins at 3 with priority, at
# 4 it is quota. A ends at 10, C goes at 12; it ends at 17, D and E go at 20.
#   tick 0...4...8.10.12...17.20......28                    50
#   A    ==========  ,
#   B    ====================
#   C      ..........=====
#   D       .................==============================
#   E         ...............========
# Idle, by the label of the last pass: 0-4: 1, free (nobody waits). 4-8: 1 quota_idle. 8-10: 1, 10-12: 6: E is too
# large at 8: free. 17-20: 6: so are all at 12. 20-28: 7, 28-50: 9, then 10.
KEPT_PERIOD = replace(
    KEPT,
    name="causes: between passes nothing is kept",
    jobs=(job(0, 5, 10, 1), job(0, 4, 20, 2), *KEPT.jobs[2:]),
    starts=((0, A), (0, B), (12, C), (20, D), (20, E)),
    ends=(10, 20, 17, 50, 28),
    policy=Policy(1, period=4),
    also={
        "causes": [
            {**NO_CAUSE, "quota": 6 * 10},
            {**NO_CAUSE, "priority": 1, "quota": 8, "capacity": 8},
            {**NO_CAUSE, "capacity": 2 * 15},
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 50 + 80 + 30 + 30 + 16,
                "quota_idle": 4,
                "free": 4 + 2 + 12 + 18 + 56 + 198 + 10 * (H - 50),
            }
        ],
    },
)

CAUSE_CASES = (
    CLOSED_NONE,
    CLOSED_SKIP,
    CLOSED_EASY,
    REFUSED,
    OUT_OF_TURN,
    UNTESTED,
    KEPT,
    NOT_KEPT,
    KEPT_PERIOD,
)
