"""Closures of a pool: draining, overlaps, preemption in front of one, calendar pools, worked out by hand (S36)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import NONE, SKIP, Closure, JobClass, Policy, Sharing, Tenant, Windows
from sharing_case import NO_CAUSE, NO_IDLE, SharingCase, job
from sharing_case import H as HORIZON

A, B, C, D, E = range(5)
NOBODY = Sharing((Tenant(),))

# ---- draining -------------------------------------------------------------------------------------------------------
# 4 GPUs, 2 of them closed in [10, 20), EASY. A(0,2,8) B(1,4,12) C(2,2,6) D(3,2,30) E(9,1,1), all in one line.
#   tick  0.........10........20..........32....38......................62
#   closed          2222222222
#   A     ========
#   B      ...................============         8 + 12 > 10: it is promised 20.
#   C       ======
#   D        .............................==============================     D would be in B's way.
#   E              =                               E ends as the closure begins.
# Causes: B has no room in 1-8, in 9-10 beside E, and in 10-20; in 8-9 the profile refuses it. D stands behind it
# until 20, then nothing is free. Idle: 2 in 0-2: B is too large; drained 4 in 8-9 for B, 3 in 9-10 for D; 2 that are
# not closed in 10-20, which D could have: reserved; 2 in 32-62, then 4.
DRAIN = SharingCase(
    "closures: drained by EASY",
    (job(0, 2, 8), job(1, 4, 12), job(2, 2, 6), job(3, 2, 30), job(9, 1, 1)),
    (JobClass(),),
    NOBODY,
    (4,),
    ((0, A), (2, C), (9, E), (20, B), (32, D)),
    ends=(8, 32, 8, 62, 10),
    policy=Policy(1),
    closures=(Closure(0, 10, 20, 2),),
    also={
        "causes": [{**NO_CAUSE, "capacity": 28 + 4 + 40 + 24, "reservation": 4, "behind_own": 34}],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 16 + 12 + 48 + 60 + 1,
                "closed": 20,
                "drained": 4 + 3,
                "reserved": 20,
                "free": 4 + 60 + 4 * (HORIZON - 62),
            }
        ],
    },
)
# First come, first served: B stops all that come after it.
#   tick  0.........10........20..........32....38......................62
#   A     ========
#   B      ...................============
#   C       ..............................======
#   D        .............................==============================
#   E              .............................=
# Causes: B has no room in 1-8 and 10-20; in 8-10 the profile refuses it. C 2-20, D 3-32 and E 9-32 stand behind the
# first; C in 20-32 and E in 32-38 are it, and nothing is free. Idle: 2 in 0-2: B is too large; 2 in 2-3, which C could
# have, until 8: reserved; drained 2 in 3-8 for D, 4 in 8-10; reserved 2 in 10-20 for C; 1 in 38-39, 2 until 62.
DRAIN_NONE = replace(
    DRAIN,
    name="closures: drained by first come, first served",
    policy=Policy(NONE),
    starts=((0, A), (20, B), (32, C), (32, D), (38, E)),
    ends=(8, 32, 38, 62, 39),
    also={
        "causes": [
            {
                **NO_CAUSE,
                "capacity": 28 + 40 + 24 + 6,
                "reservation": 8,
                "behind_own": 36 + 58 + 23,
            }
        ],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 16 + 12 + 48 + 60 + 1,
                "closed": 20,
                "drained": 10 + 8,
                "reserved": 2 + 20,
                "free": 4 + 1 + 46 + 4 * (HORIZON - 62),
            }
        ],
    },
)
# Skip: D goes at 8, beside the closure, and E at 9. B never has room before 38: D stands behind it in 3-8.
#   tick  0.........10........20................38..........50
#   A     ========
#   B      .....................................============
#   C       ======
#   D        .....==============================
#   E              =
# Idle, all free, as B is too large: 2 in 0-2, 2 in 8-9, 1 in 9-10, 2 in 20-38; 4 from 50 on.
DRAIN_SKIP = replace(
    DRAIN,
    name="closures: who fits beside a closure starts",
    policy=Policy(SKIP),
    starts=((0, A), (2, C), (8, D), (9, E), (38, B)),
    ends=(8, 50, 8, 38, 10),
    also={
        "causes": [{**NO_CAUSE, "capacity": 28 + 120, "behind_own": 10}],
        "idle": [
            {
                **NO_IDLE,
                "allocated": 16 + 12 + 48 + 60 + 1,
                "closed": 20,
                "free": 4 + 2 + 1 + 36 + 4 * (HORIZON - 50),
            }
        ],
    },
)
# 2 GPUs, all closed in [10, 15). A(0,1,10) ends as it begins; B(0,1,11) would not; C(0,1,5, limit 11) might not.
#   A  ==========.....
#   B                 ===========
#   C                 =====
EXACT = SharingCase(
    "closures: a limit may end exactly where a closure begins",
    (job(0, 1, 10), job(0, 1, 11), job(0, 1, 5, limit=11)),
    (JobClass(),),
    NOBODY,
    (2,),
    ((0, A), (15, B), (15, C)),
    ends=(10, 26, 20),
    policy=Policy(SKIP),
    closures=(Closure(0, 10, 15, 2),),
)
# 4 GPUs, all closed in [10, 20), first come, first served. A(0,2,10) B(0,4,5) C(0,2,10): C could run until 10 exactly;
# it is B that it waits for: the 2 idle GPUs are reserved, not drained.
NOT_DRAINED = SharingCase(
    "closures: who could end where one begins is not held back by it",
    (job(0, 2, 10), job(0, 4, 5), job(0, 2, 10)),
    (JobClass(),),
    NOBODY,
    (4,),
    ((0, A), (20, B), (25, C)),
    ends=(10, 25, 35),
    closures=(Closure(0, 10, 20, 4),),
    also={
        "idle": [
            {**NO_IDLE, "allocated": 60, "closed": 40, "reserved": 20, "free": 20 + 4 * (HORIZON - 35)},
        ],
    },
)
# 6 GPUs. Closed: 2 in [10, 20), 3 in [15, 25), 4 in [18, 19): together 2 | 5 | 6 (not 9) | 5 | 3.
# A(0,4,12): 4 + 2 in 10-12. B(1,2,20) fits from 20 on. C(2,1,3). D(13,1,5) ends at 18; E(13,1,6) must wait for 19.
#   tick     0.........10...15..18.19.20...25
#   closed             22222555556 53333333
#   A        ============
#   B                               ====================
#   C          ===
#   D                     =====
#   E                             ======
# Idle: 1 in 1-2, 2 in 5-10: drained for B; 12-15: 4, 3, 3 for B (and E).
OVERLAP = SharingCase(
    "closures: overlapping ones add up to at most all there is",
    (job(0, 4, 12), job(1, 2, 20), job(2, 1, 3), job(13, 1, 5), job(13, 1, 6)),
    (JobClass(),),
    NOBODY,
    (6,),
    ((0, A), (2, C), (13, D), (19, E), (20, B)),
    ends=(12, 40, 5, 18, 25),
    policy=Policy(SKIP),
    closures=(Closure(0, 10, 20, 2), Closure(0, 15, 25, 3), Closure(0, 18, 19, 4)),
    also={
        "idle": [
            {
                **NO_IDLE,
                "allocated": 48 + 40 + 3 + 5 + 6,
                "closed": 10 + 15 + 6 + 5 + 15,
                "drained": 2 + 10 + 4 + 6,
                "free": 2 + 3 + 60 + 6 * (HORIZON - 40),
            }
        ],
    },
)
# 1 GPU, closed at 5, 12 and 19. A(0,5) B(0,7) C(0,6) D(0,6): between closures there are 6 ticks.
#   A  =====#      #      #
#   B                      =======
#   C        ======#      #
#   D               ======#
GAPS = SharingCase(
    "closures: what fits between two of them goes there",
    (job(0, 1, 5), job(0, 1, 7), job(0, 1, 6), job(0, 1, 6)),
    (JobClass(),),
    NOBODY,
    (1,),
    ((0, A), (6, C), (13, D), (20, B)),
    ends=(5, 27, 12, 19),
    policy=Policy(1),
    closures=(Closure(0, 5, 6, 1), Closure(0, 12, 13, 1), Closure(0, 19, 20, 1)),
)
# Two that touch are one: 2 GPUs, [10, 20) and [20, 25). A(0,1,12) B(21,1,2) start at 25.
TOUCH = SharingCase(
    "closures: between two that touch nobody starts",
    (job(0, 1, 12), job(21, 1, 2)),
    (JobClass(),),
    NOBODY,
    (2,),
    ((25, A), (25, B)),
    ends=(37, 27),
    closures=(Closure(0, 10, 20, 2), Closure(0, 20, 25, 2)),
)

# ---- preemption -----------------------------------------------------------------------------------------------------
# 2 GPUs, closed in [12, 20). L(0,2,10, preemptible) H(5,2,8,high) S(6,2,4,high), skip. H would last until 13: it
# evicts nobody. S ends at 10: it evicts L, which needs 10 ticks again: 28, behind H.
#   L  ======x                     ==========
#   H                      ========
#   S        ====
EVICT = SharingCase(
    "closures: nobody is evicted for who cannot end in time",
    (job(0, 2, 10), job(5, 2, 8, 1), job(6, 2, 4, 1)),
    (JobClass(preemptible=True), JobClass(tier=1)),
    Sharing((Tenant(within="lower"),)),
    (2,),
    ((0, A), (6, C), (20, B), (28, A)),
    ((6, A),),
    (38, 28, 10),
    policy=Policy(SKIP),
    closures=(Closure(0, 12, 20, 2),),
)
# With a grace of 3 S would last until 13 as well.
EVICT_GRACE = replace(
    EVICT,
    name="closures: the grace of victims has to fit too",
    classes=(JobClass(preemptible=True, grace=3), JobClass(tier=1)),
    starts=((0, A), (20, B), (28, C)),
    evictions=(),
    ends=(10, 28, 32),
)

# ---- calendars ------------------------------------------------------------------------------------------------------
# Pool 1 is open in [10, 20) only. A(0,2,8) and B(0,2,5) may run there, C(0,1,5) in pool 0: A 10-18; for B it is too
# late then, until the horizon.
CALENDAR = SharingCase(
    "closures: a pool that is open for a while",
    (job(0, 2, 8, 1), job(0, 2, 5, 1), job(0, 1, 5)),
    (JobClass(), JobClass(pools=(1,))),
    NOBODY,
    (1, 2),
    ((0, C, 0), (10, A, 1)),
    ends=(18, -1, 5),
    outcome={B: "waiting"},
    policy=Policy(SKIP),
    closures=(Closure(1, 0, 10, 2), Closure(1, 20, HORIZON, 2)),
)
# B(1,2,8) C(2,2,9) D(3,2,2) may run in pool 0, which A(0,2,30) holds, then in pool 1, open in [10, 20): B 10-18, then
# D; for C that is too late, it has pool 0 at 30.
PREFERS = SharingCase(
    "closures: a reservation takes the pool that opens first",
    (job(0, 2, 30), job(1, 2, 8, 1), job(2, 2, 9, 1), job(3, 2, 2, 1)),
    (JobClass(), JobClass(pools=(0, 1))),
    NOBODY,
    (2, 2),
    ((0, A, 0), (10, B, 1), (18, D, 1), (30, C, 0)),
    ends=(30, 18, 39, 20),
    policy=Policy(1),
    closures=(Closure(1, 0, 10, 2), Closure(1, 20, HORIZON, 2)),
)
# A closure does not reject: A(2,4,5) is as large as the pool, which is closed in [0, 10).
WHOLE = SharingCase(
    "closures: capacity is what the pool has when it is open",
    (job(2, 4, 5),),
    (JobClass(),),
    NOBODY,
    (4,),
    ((10, A),),
    ends=(15,),
    closures=(Closure(0, 0, 10, 100),),
    also={
        "causes": [{**NO_CAUSE, "capacity": 32}],
        "idle": [{**NO_IDLE, "allocated": 20, "closed": 40, "free": 4 * (HORIZON - 15)}],
    },
)

# ---- ticks ----------------------------------------------------------------------------------------------------------
# Both ends are passes, also while nobody waits.
TICKS = SharingCase(
    "closures: both ends are events",
    (job(0, 1, 2),),
    (JobClass(),),
    NOBODY,
    (2,),
    ((0, A),),
    ends=(2,),
    closures=(Closure(0, 10, 20, 1),),
    also={"end_tick": 20},
)
TICKS_CUT = replace(
    TICKS,
    name="closures: not after the horizon",
    windows=Windows(0, 20, 20),
    also={"end_tick": 10},
)
# A scheduler period of 7: the closure ends at 20, the pass is at 21.
PERIOD = SharingCase(
    "closures: with a scheduler period the pass comes at its next multiple",
    (job(0, 2, 12),),
    (JobClass(),),
    NOBODY,
    (2,),
    ((21, A),),
    ends=(33,),
    policy=Policy(period=7),
    closures=(Closure(0, 10, 20, 2),),
)

# ---- deeper backfill ------------------------------------------------------------------------------------------------
# No closures; the profile with three reservations. 4 GPUs: A(0,3,10) B(1,3,10) C(2,2,5) D(3,4,5) E(4,1,30).
# Promised: B 10, C 20, D 25. E fits beside B and C, not beside D.
#   tick  0.........10........20...25...30............................60
#   A     ==========
#   B      .........==========
#   C       ..................=====
#   D        ......................=====
#   E         ..........................==============================
DEEP = SharingCase(
    "backfill: three reservations hold the third one's place",
    (job(0, 3, 10), job(1, 3, 10), job(2, 2, 5), job(3, 4, 5), job(4, 1, 30)),
    (JobClass(),),
    NOBODY,
    (4,),
    ((0, A), (10, B), (20, C), (25, D), (30, E)),
    ends=(10, 20, 25, 30, 60),
    policy=Policy(3),
)
# Two reservations: nothing holds D's place, and E goes at 4.
#   tick  0.........10........20...25.......34...39
#   A     ==========
#   B      .........==========
#   C       ..................=====
#   D        ...............................=====
#   E         ==============================
LESS_DEEP = replace(
    DEEP,
    name="backfill: two reservations do not",
    starts=((0, A), (4, E), (10, B), (20, C), (34, D)),
    ends=(10, 20, 25, 39, 34),
    policy=Policy(2),
)

CLOSURE_CASES = (
    DRAIN,
    DRAIN_NONE,
    DRAIN_SKIP,
    EXACT,
    NOT_DRAINED,
    OVERLAP,
    GAPS,
    TOUCH,
    EVICT,
    EVICT_GRACE,
    CALENDAR,
    PREFERS,
    WHOLE,
    TICKS,
    TICKS_CUT,
    PERIOD,
    DEEP,
    LESS_DEEP,
)
