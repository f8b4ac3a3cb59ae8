"""Requeue rules, checkpoints, grace, exempt times, causes and fair order, worked out by hand (R28-R36, S22-S30)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import (
    FAIRSHARE,
    NONE,
    SKIP,
    Fairness,
    JobClass,
    Policy,
    Sharing,
    Tenant,
    Windows,
)
from sharing_case import NO_CAUSE, NO_IDLE, SharingCase, flat, job

A, B, C, D, E, F, G = range(7)
WITHIN = Sharing((Tenant(within="lower"),))

# ---- requeue --------------------------------------------------------------------------------------------------------
# 2 GPUs. V(0,2,10) W(1,2,4) F(1,1,2, after V) H(2,2,3, high): H evicts V at 2 and ends at 5.
#   place: V 0-2 x, 5-15; W 15-19; F eligible 15, behind W: 19-21.
#   tail:  V 0-2 x, W 5-9 (eligible 1 before 2), V 9-19; F 19-21.
#   cancel: V ends at 2, F with it; W 5-9.


def requeue(
    rule: str,
    starts: tuple[tuple[int, ...], ...],
    ends: tuple[int, ...],
    outcome: dict[int, str] | None = None,
    **also: object,
) -> SharingCase:
    return SharingCase(
        f"requeue: {rule}",
        (job(0, 2, 10), job(1, 2, 4, 1), job(1, 1, 2, 1, after=0), job(2, 2, 3, 2)),
        (JobClass(preemptible=True, requeue=rule), JobClass(), JobClass(tier=1)),
        WITHIN,
        (2,),
        ((0, A), (2, D), *starts),
        ((2, A),),
        ends,
        outcome=outcome or {},
        also=also,
    )


PLACE = requeue(
    "place", ((5, A), (15, B), (19, C)), (15, 19, 21, 5), lost=[4, 0, 0, 0], eligible=[0, 1, 15, 2]
)
TAIL = requeue("tail", ((5, B), (9, A), (19, C)), (19, 9, 21, 5), lost=[4, 0, 0, 0], eligible=[0, 1, 19, 2])
CANCEL = requeue("cancel", ((5, B),), (2, 9, -1, 5), {A: "cancelled", C: "cancelled"}, lost=[4, 0, 0, 0])

# ---- work -----------------------------------------------------------------------------------------------------------
# 1 GPU. V: 10 ticks of work, H: 3. V writes a checkpoint after every 4 ticks of work, in 1 tick, and restarts in 2.
# Undisturbed: 4 w 4 w 2 = 12 ticks. What is saved, what the second start takes, and what is lost:
VICTIM = JobClass(preemptible=True, checkpoint=4, checkpoint_cost=1, restart=2)
HIGH = JobClass(tier=1)


def work(
    name: str,
    at: tuple[int, ...],
    starts: tuple[tuple[int, ...], ...],
    end: int,
    lost: int,
    victim: JobClass = VICTIM,
    limit: int = 50,
    **also: object,
) -> SharingCase:
    """V is evicted at each of these ticks by a job of 3 ticks, which waits for the grace of V first."""
    return SharingCase(
        name,
        (job(0, 1, 10, 0, limit), *(job(tick, 1, 3, 1) for tick in at)),
        (victim, HIGH),
        WITHIN,
        (1,),
        ((0, A), *starts),
        tuple((tick, A) for tick in at),
        (end, *(tick + victim.grace + 3 for tick in at)),
        also={"lost": [lost, *(victim.grace for _ in at)], **also},
    )


WORK_CASES = (
    # no eviction: 10 of work in 12 ticks, 2 for checkpoints
    work("checkpoints take time", (), (), 12, 2),
    # at 7: |4 w 2: 4 saved, 3 lost. 6 left: r r 4 w 2 = 9, 3 of them overhead: 10-19
    work("the last checkpoint counts", (7,), ((7, B), (10, A)), 19, 3 + 3),
    # at 4: the checkpoint has just begun: nothing saved. r r + 12: 7-21, 4 overhead
    work("a checkpoint that is being written does not", (4,), ((4, B), (7, A)), 21, 4 + 4),
    # at 5: it is written: 4 saved, its tick lost. 6 left: 8-17
    work("a checkpoint that is written does", (5,), ((5, B), (8, A)), 17, 1 + 3),
    # at 7, grace 1: all 6 saved, 1 lost. H works 8-11. 4 left: r r 4 = 6: 11-17, 2 lost. H loses the grace.
    work("with enough grace all is saved", (7,), ((7, B), (11, A)), 17, 1 + 2, replace(VICTIM, grace=1)),
    # at 7, cost 2, grace 1: |4 ww 1: 4 saved: 3 lost. H until 11. 6 left: r r 4 ww 2 = 10, 4 lost: 11-21
    work(
        "with too little grace only the last checkpoint is",
        (7,),
        ((7, B), (11, A)),
        21,
        3 + 4,
        replace(VICTIM, checkpoint_cost=2, grace=1),
    ),
    # at 5, cost 2, grace 2: |4 w: 4 of work are done, all saved: 1 lost. H 5-10. 6 left: r r 4 ww 2: 10-20, 4 lost
    work(
        "what is done while a checkpoint is written is what was done before",
        (5,),
        ((5, B), (10, A)),
        20,
        1 + 4,
        replace(VICTIM, checkpoint_cost=2, grace=2),
    ),
    # no checkpoints, long grace: all 7 lost. H 7-15 (grace 5). 10 left: r r + 10: 15-27
    work(
        "without checkpoints all is lost, whatever the grace",
        (7,),
        ((7, B), (15, A)),
        27,
        7 + 2,
        replace(VICTIM, checkpoint=None, grace=5),
    ),
    # at 7 as above, again at 11, one tick into the restart: nothing done, 1 lost. 14: 9 ticks again.
    work(
        "a restart that is evicted at once is lost",
        (7, 11),
        ((7, B), (10, A), (11, C), (14, A)),
        23,
        3 + 1 + 3,
        preemptions=[2, 0, 0],
    ),
    # cost 0: no grace is enough: at 9 all 9 saved. 1 left: r r 1: 12-15
    work(
        "a free checkpoint needs no grace", (9,), ((9, B), (12, A)), 15, 2, replace(VICTIM, checkpoint_cost=0)
    ),
)

# V alone with a limit of 11: 12 ticks of wall time are too long: killed at 11, with 9 of 10 done.
KILLED = replace(
    work("checkpoints count against the limit", (), (), 11, 2, limit=11), outcome={A: "killed_limit"}
)
# Limits do not end it: 12 ticks.
NOT_KILLED = replace(
    work("in replays the limit never ends it", (), (), 12, 2, limit=11), policy=Policy(kill_at_limit=False)
)
# limit 12, c = 4, k = 1, r = 7; evicted at 2 by H (3): restart at 5: 7 + 12 > 12: killed at 17. Work in 5 ticks: 4.
KILLED_LATER = replace(
    work(
        "the limit counts anew at every start, overhead included",
        (2,),
        ((2, B), (5, A)),
        17,
        2 + (12 - 4),
        replace(VICTIM, restart=7),
        limit=12,
    ),
    outcome={A: "killed_limit"},
)

# Grace of several victims: the largest counts. 3 GPUs, EASY. A(0,1,20, grace 2) B(0,1,20, grace 4) P(3,3,5, high)
# J(3,3,2, high). P holds from 3, works from 7: 3-12, estimated end 12. J: 12-14. A, B: 14-34.
#   A  ===x          ====...
#   B  ===x          ====...
#   P     ggggwwwww
#   J              ==
GRACE = SharingCase(
    "the largest grace of the victims delays the preemptor's work",
    (job(0, 1, 20), job(0, 1, 20, 1), job(3, 3, 5, 2), job(3, 3, 2, 2)),
    (JobClass(preemptible=True, grace=2), JobClass(preemptible=True, grace=4), HIGH),
    WITHIN,
    (3,),
    starts=((0, A), (0, B), (3, C), (12, D), (14, A), (14, B)),
    evictions=((3, B), (3, A)),
    ends=(34, 34, 12, 14),
    policy=Policy(backfill=1),
    also={"lost": [3, 3, 3 * 4, 0]},
)

# 1 GPU, within lower. V(0,1,10, tier 0, grace 3) P(2,1,10, tier 1) H(9,1,2, tier 2). P works from 5.
# P: a checkpoint after 4, cost 1, no grace. 9: 4 ticks of work, nothing written: 7 lost. 11-23: 2 of 12 lost. V 23-33.
#   V  =x                     ==========
#   P    gggwwwwx  ============
#   H           ==
EVICTED_PREEMPTOR = SharingCase(
    "the grace a preemptor waited is no work when it is evicted itself",
    (job(0, 1, 10), job(2, 1, 10, 1, 20), job(9, 1, 2, 2)),
    (
        JobClass(preemptible=True, grace=3),
        JobClass(tier=1, preemptible=True, checkpoint=4, checkpoint_cost=1),
        JobClass(tier=2),
    ),
    WITHIN,
    (1,),
    starts=((0, A), (2, B), (9, C), (11, B), (23, A)),
    evictions=((2, A), (9, B)),
    ends=(33, 23, 11),
    also={"lost": [2, 7 + 2, 0]},
)
# Its checkpoints are free: all 4 are saved, 3 lost. 6 left: 11-17. V 17-27.
EVICTED_PREEMPTOR_SAVES = replace(
    EVICTED_PREEMPTOR,
    name="nor is it saved",
    classes=(
        EVICTED_PREEMPTOR.classes[0],
        replace(EVICTED_PREEMPTOR.classes[1], checkpoint_cost=0),
        JobClass(tier=2),
    ),
    starts=((0, A), (2, B), (9, C), (11, B), (17, A)),
    ends=(27, 17, 11),
    also={"lost": [2, 3, 0]},
)

# 4 GPUs, EASY. Tenant 0 within lower, tenant 1 preempts nobody. A(0,2,10,1) B(0,2,20,0 low, grace 3) R(1,4,5,1, tier 2)
# P(2,2,16,0, tier 1) Q(3,2,14,0, tier 1) W(11,2,9,0 low). R: res 20-25.
#   A  ==========                            P: in place of B it would hold 2-21: into R's time. No.
#   B  ===x                     ====...      Q: 3-20, grace included: B leaves. Q works from 6.
#   R                      =====             10: A ends: P (to 26) and B (to 30) do not fit before R.
#   P                           ====...      11: W to 20: fits, for Q is expected until 20, not 17.
#   Q     gggwwwwwwwwwwwwww                  20: R. 25: P and B.
#   W             =========
GRACE_IN_PROFILE = SharingCase(
    "the grace is part of the time a preemptor needs",
    (
        *(job(0, 2, 10, 1), job(0, 2, 20), job(1, 4, 5, 2), job(2, 2, 16, 3), job(3, 2, 14, 3)),
        job(11, 2, 9),
    ),
    (
        JobClass(preemptible=True, grace=3),
        JobClass(tenant=1),
        JobClass(tier=2, tenant=1),
        JobClass(tier=1),
    ),
    Sharing((Tenant(within="lower"), Tenant())),
    (4,),
    starts=((0, A), (0, B), (3, E), (11, F), (20, C), (25, D), (25, B)),
    evictions=((3, B),),
    ends=(10, 45, 25, 41, 20, 20),
    policy=Policy(backfill=1),
    also={"lost": [0, 6, 0, 0, 6, 0]},
)

# ---- exempt time ----------------------------------------------------------------------------------------------------
# 2 GPUs. V(0,2,30, exempt 10) H(3,2,5, high) H'(16,2,5, high).
#   V  ==========x    ==========x    ====...    10: wake-up: V's exempt time is over. 15: V again, exempt until 25.
#   H            =====                           25: wake-up for H'.
#   H'                          =====
EXEMPT = SharingCase(
    "the end of an exempt time wakes the scheduler",
    (job(0, 2, 30), job(3, 2, 5, 1), job(16, 2, 5, 1)),
    (JobClass(preemptible=True, exempt=10), HIGH),
    WITHIN,
    (2,),
    starts=((0, A), (10, B), (15, A), (25, C), (30, A)),
    evictions=((10, A), (25, A)),
    ends=(60, 15, 30),
    also={"lost": [40, 0, 0], "preemptions": [2, 0, 0]},
)
# Passes at multiples of 4: H at 12 (wake-up at 10). 17: H ends; 20: H' before V. 25: H' ends; 28: V.
EXEMPT_PERIOD = replace(
    EXEMPT,
    name="with a period it does at its next multiple",
    policy=Policy(period=4),
    starts=((0, A), (12, B), (20, C), (28, A)),
    evictions=((12, A),),
    ends=(58, 17, 25),
    also={"lost": [2 * 12, 0, 0]},
)
# Nobody who waits could evict V: no wake-up. The last tick in which anything happens is W's submit.
NO_WAKE = SharingCase(
    "nobody is woken for a job that could not preempt",
    (job(0, 2, 30), job(3, 2, 5, 1)),
    (JobClass(preemptible=True, exempt=10), JobClass()),
    WITHIN,
    (2,),
    starts=((0, A),),
    ends=(-1, -1),
    outcome={A: "running", B: "waiting"},
    windows=Windows(0, 20, 20),
    also={"end_tick": 3},
)
# Tenant 0 is not over its nominal, so tenant 1 gets nothing from it, but its class could reclaim: a pass at 10.
WAKE_FOR_NOTHING = SharingCase(
    "amounts are not looked at before a wake-up",
    (job(0, 2, 30), job(3, 2, 5, 1)),
    (JobClass(preemptible=True, exempt=10), JobClass(tenant=1)),
    flat(2, 2, reclaim="any"),
    (2,),
    starts=((0, A),),
    ends=(-1, -1),
    outcome={A: "running", B: "waiting"},
    windows=Windows(0, 20, 20),
    also={"end_tick": 10},
)

# Two pools of 1, within lower. A(0,1,30 in 0, tier 9) V(0,1,30 in 1, exempt 5) H(1,1,5 in 0, tier 1): V is elsewhere.
NO_WAKE_ELSEWHERE = SharingCase(
    "nobody is woken for a job that waits for another pool",
    (job(0, 1, 30), job(0, 1, 30, 1), job(1, 1, 5, 2)),
    (JobClass(tier=9), JobClass(pools=(1,), preemptible=True, exempt=5), JobClass(tier=1)),
    WITHIN,
    (1, 1),
    starts=((0, A), (0, B, 1)),
    ends=(-1, -1, -1),
    outcome={A: "running", B: "running", C: "waiting"},
    windows=Windows(0, 20, 20),
    also={"end_tick": 1},
)

# ---- causes and idle GPUs -------------------------------------------------------------------------------------------
# 9 GPUs, EASY, tenants alone with 5 each; window [0, 30).
# A(0,5,10,0) B(0,3,4,0) C(1,1,5,0) D(2,4,20,1) E(3,1,5,1) X(4,1,2,1, 3 ticks after A) F(11,5,5,0)
# tick 0....5....10...15...20...25...30
#   A  ==========                         B: quota 0-10 (3 GPUs: 30). C: behind B 1-10 (9). E: nothing free, 3-10 (7).
#   B            ====                     10: B, C, E. F: 4 + 5 > 5: quota until 14, 1 + 5 > 5 until 15: 4 * 5 = 20.
#   C            =====                    15: F.
#   D    ====================             X: held 4-13 (9); 5 + 1 > 5: quota 13-15 (2); 15-20 nothing free (5).
#   E            =====                    Idle: 0-2: 4 while B waits for quota: 8. 2-14: none (10-14: 3 + 1 + 4 + 1).
#   X                      ==             14-15: 3 while F waits for quota: 3. 15-20 none. 20-22: 4 free: 8.
#   F                 =====               22-30: 9 free: 72. Allocated: 50 + 12 + 5 + 80 + 5 + 2 + 25 = 179.
CAUSES = SharingCase(
    "quota, behind the own, capacity, held; quota_idle and free",
    (
        *(job(0, 5, 10), job(0, 3, 4), job(1, 1, 5), job(2, 4, 20, 1), job(3, 1, 5, 1)),
        *(replace(job(4, 1, 2, 1, after=0), delay=3), job(11, 5, 5)),
    ),
    (JobClass(), JobClass(tenant=1)),
    flat(5, 5, alone=True),
    (9,),
    starts=((0, A), (2, D), (10, B), (10, C), (10, E), (15, G), (20, F)),
    ends=(10, 14, 15, 22, 15, 22, 20),
    policy=Policy(backfill=1),
    windows=Windows(0, 30, 1000),
    also={
        "causes": [
            {**NO_CAUSE, "quota": 50, "behind_own": 9},
            {**NO_CAUSE, "quota": 2, "capacity": 12, "held": 9},
        ],
        "idle": [{**NO_IDLE, "quota_idle": 11, "free": 80, "allocated": 179}],
    },
)

# 4 GPUs, no quotas, window [0, 40). A(0,3,10) B(1,4,5) C(2,1,20, another tenant)
#   A  ==========               B: capacity 1-10: 36. C: 1 is free, but B's reservation (or turn) stands before it:
#   B            =====          2-10: 8; 10-15: nothing free: 5.
#   C                 =====>    Idle: 0-2: 1 free (B is too large): 2. 2-10: kept: 8. 15-35: 3: 60. 35-40: 4: 20.
RESERVED = SharingCase(
    "a small job behind a reservation",
    (job(0, 3, 10), job(1, 4, 5), job(2, 1, 20, 1)),
    (JobClass(), JobClass(tenant=1)),
    None,
    (4,),
    starts=((0, A), (10, B), (15, C)),
    ends=(10, 15, 35),
    policy=Policy(backfill=1),
    windows=Windows(0, 40, 1000),
    also={
        "causes": [{**NO_CAUSE, "capacity": 36}, {**NO_CAUSE, "reservation": 8, "capacity": 5}],
        "idle": [{**NO_IDLE, "reserved": 8, "free": 82, "allocated": 70}],
    },
)
IN_TURN = replace(
    RESERVED,
    name="a small job behind a large one that blocks",
    policy=Policy(backfill=NONE),
    also={
        "causes": [{**NO_CAUSE, "capacity": 36}, {**NO_CAUSE, "priority": 8, "capacity": 5}],
        "idle": RESERVED.also["idle"],
    },
)
# skip, one test a pass: C is not looked at while B stands before it.
NOT_TESTED = replace(
    IN_TURN, name="a small job that the pass does not look at", policy=Policy(SKIP, max_tests=1)
)
# The same with passes at multiples of 4 only: A 0-10; B: none at 1: joins with cause capacity. C joins at 2: priority.
# Pass at 4: the same. A ends at 10, B starts at 12: until then the causes of 4 stay: B capacity 1-12: 44, C priority
# 2-12: 10; 12-20: capacity (B ends 17, C's next pass is 20): 8. C 20-40. Idle, labels as of the last pass:
# 0-4: 1 (label of 0: free): 4; 4-10: 1, 10-12: 4: reserved: 6 + 8; 12-17: none; 17-20: 4, label of 12: free: 12;
# 20-40: 3: 60.
IN_TURN_PERIOD = replace(
    IN_TURN,
    name="causes and labels stay until the next pass",
    policy=Policy(backfill=NONE, period=4),
    starts=((0, A), (12, B), (20, C)),
    ends=(10, 17, 40),
    also={
        "causes": [{**NO_CAUSE, "capacity": 44}, {**NO_CAUSE, "priority": 10, "capacity": 8}],
        "idle": [{**NO_IDLE, "reserved": 14, "free": 76, "allocated": 70}],
    },
)

# ---- fair order -----------------------------------------------------------------------------------------------------
# 1 GPU, a key every 10 ticks, usage halved. A(0,10,0) B(1,5,0) C(2,5,1) D(3,5,0) E(16,5,1) F(21,5,0)
# 10: usage 10 | 0: C. 15: keys as before; B. 20: 10/2 + 5 = 10 | 0 + 5: E before D. 25: as of 20, only tenant 0: D.
# 30: 10/2 + 5 = 10 | floor(5/2) + 5 = 7: F.
#   A  ==========
#   B                 =====
#   C            =====
#   D                           =====
#   E                      =====
#   F                                =====
FAIR = SharingCase(
    "the tenant that used less of late goes first",
    (job(0, 1, 10), job(1, 1, 5), job(2, 1, 5, 1), job(3, 1, 5), job(16, 1, 5, 1), job(21, 1, 5)),
    (JobClass(), JobClass(tenant=1)),
    Sharing((Tenant(), Tenant())),
    (1,),
    starts=((0, A), (10, C), (15, B), (20, E), (25, D), (30, F)),
    ends=(10, 20, 15, 30, 25, 35),
    policy=Policy(order=FAIRSHARE),
    fairness=Fairness((1, 1), calc_period=10, decay_q32=2**31),
)
# Tenant 0 weighs 4: 20: 10/4 | 5: D before E. 25: F before E. 30: E.
FAIR_WEIGHT = replace(
    FAIR,
    name="usage is divided by the weight",
    fairness=Fairness((4, 1), calc_period=10, decay_q32=2**31),
    starts=((0, A), (10, C), (15, B), (20, D), (25, F), (30, E)),
    ends=(10, 20, 15, 25, 35, 30),
)
# Nothing is forgotten (decay 1): 20: 15 | 5. 30: 20 | 10. As above; G(31,5,1) goes at 35.
FAIR_MEMORY = replace(
    FAIR,
    name="without decay all that was ever used counts",
    jobs=(*FAIR.jobs, job(31, 1, 5, 1)),
    fairness=Fairness((1, 1), calc_period=10),
    starts=((0, A), (10, C), (15, B), (20, E), (25, D), (30, F), (35, G)),
    ends=(10, 20, 15, 30, 25, 35, 40),
)
# Keys are finer than GPU-ticks, and all but the last period is forgotten (decay 0). Tenant 0 weighs 2.
# A(0,5,0) B(5,2,1) C(7,4,2) D(8,3,0) E(9,3,1). 10: 5 / 2 | 2 / 1: E before D at 11.
FAIR_FINE = SharingCase(
    "keys are finer than usage",
    (job(0, 1, 5), job(5, 1, 2, 1), job(7, 1, 4, 2), job(8, 1, 3), job(9, 1, 3, 1)),
    (JobClass(), JobClass(tenant=1), JobClass(tenant=2)),
    Sharing((Tenant(),) * 3),
    (1,),
    starts=((0, A), (5, B), (7, C), (11, E), (14, D)),
    ends=(5, 7, 11, 17, 14),
    policy=Policy(order=FAIRSHARE),
    fairness=Fairness((2, 1, 1), calc_period=10, decay_q32=0),
)

# A multiple is a wake-up while somebody waits: ticks 10 and 20, not 30.
FAIR_WAKES = SharingCase(
    "keys are a wake-up only while somebody waits",
    (job(0, 1, 25), job(1, 1, 10, 1)),
    FAIR.classes,
    FAIR.sharing,
    (1,),
    starts=((0, A), (25, B)),
    ends=(25, -1),
    outcome={B: "running"},
    policy=FAIR.policy,
    fairness=FAIR.fairness,
    windows=Windows(0, 34, 34),
    also={"end_tick": 25},
)
FAIR_WOKEN = replace(
    FAIR_WAKES,
    name="keys wake the scheduler while somebody waits",
    starts=((0, A),),
    ends=(-1, -1),
    outcome={A: "running", B: "waiting"},
    windows=Windows(0, 24, 24),
    also={"end_tick": 20},
)

TIME_CASES = (
    PLACE,
    TAIL,
    CANCEL,
    *WORK_CASES,
    KILLED,
    NOT_KILLED,
    KILLED_LATER,
    GRACE,
    EVICTED_PREEMPTOR,
    EVICTED_PREEMPTOR_SAVES,
    GRACE_IN_PROFILE,
    EXEMPT,
    EXEMPT_PERIOD,
    NO_WAKE,
    WAKE_FOR_NOTHING,
    NO_WAKE_ELSEWHERE,
    CAUSES,
    RESERVED,
    IN_TURN,
    NOT_TESTED,
    IN_TURN_PERIOD,
    FAIR,
    FAIR_WEIGHT,
    FAIR_MEMORY,
    FAIR_FINE,
    FAIR_WAKES,
    FAIR_WOKEN,
)
