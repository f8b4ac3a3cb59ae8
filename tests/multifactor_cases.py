"""Multifactor priority: age, size, fair share and quality of service against each other, by hand (S32)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import MULTIFACTOR, Fairness, JobClass, Policy, Sharing, Tenant
from sharing_case import SharingCase, job

A, B, C, D, E, F = range(6)
ONE = 2**20
BY_PRIORITY = Policy(order=MULTIFACTOR)

# ---- age and size ---------------------------------------------------------------------------------------------------
# 10 GPUs. A(0,10,30) B(1,6,10) C(12,10,10) D(25,10,10); sizes .6, 1, 1; a period of 10. At 30 the ages are 29 18 5,
# full at 100. Weight of age 4: B 1.16 + .6 = 1.76, C .72 + 1 = 1.72, D .2 + 1 = 1.2. 40: C 1.12 + 1, D .6 + 1.
#   tick 0.........10........20........30........40........50........60
#   A    ==============================
#   B     . . . . . . . . . . . . . . .==========
#   C                . . . . . . . . . . . . . . ==========
#   D                             . . . . . . . . . . . . .==========
AGE = SharingCase(
    "multifactor: age overtakes size",
    (job(0, 10, 30), job(1, 6, 10), job(12, 10, 10), job(25, 10, 10)),
    (JobClass(),),
    Sharing((Tenant(),)),
    (10,),
    ((0, A), (30, B), (40, C), (50, D)),
    ends=(30, 40, 50, 60),
    policy=BY_PRIORITY,
    fairness=Fairness((1,), (), 10, w_age=4, w_size=1, max_age=100),
)
# Weight of age 1: B .89, C 1.18, D 1.05. 40: B .99, D 1.15.
SIZE = replace(
    AGE,
    name="multifactor: size outweighs age",
    starts=((0, A), (30, C), (40, D), (50, B)),
    ends=(30, 60, 40, 50),
    fairness=Fairness((1,), (), 10, w_age=1, w_size=1, max_age=100),
)
# Ages are those of the last multiple, or of joining the queue: with a period of 100 all are 0.
FROZEN = replace(
    SIZE,
    name="multifactor: age stands still between multiples",
    fairness=Fairness((1,), (), 100, w_age=4, w_size=1, max_age=100),
)
# Full at 10: at 30 B and C are as old, C is larger. 40: so is D.
FULL = replace(
    SIZE,
    name="multifactor: age saturates",
    fairness=Fairness((1,), (), 10, w_age=100, w_size=1, max_age=10),
)
NOT_FULL = replace(
    AGE,
    name="multifactor: age that does not saturate decides",
    fairness=Fairness((1,), (), 10, w_age=100, w_size=1, max_age=1000),
)
# 10 GPUs and a pool of 10 of them that a reservation holds. A(0,10,30) B(1,6,10) D(12,10,10) E(25,10,10) as in AGE,
# C(2,5,40) in pool 1; weight of age 2.
# 30: B .58 + .6 = 1.18, D .36 + 1 = 1.36, E .1 + 1. 40: B .78 + .6 = 1.38, E .3 + 1 = 1.3.
#   tick  0.........10........20........30........40........50........60
#   A 0   ==============================
#   B 0    . . . . . . . . . . . . . . . . . . . .==========
#   C 1     ========================================
#   D 0               . . . . . . . . . ==========
#   E 0                            . . . . . . . . . . . . .==========
OF_CENTER = SharingCase(
    "multifactor: size is a part of the center",
    (job(0, 10, 30), job(1, 6, 10), job(2, 5, 40, 1), job(12, 10, 10), job(25, 10, 10)),
    (JobClass(), JobClass(pools=(1,))),
    Sharing((Tenant(),)),
    (10, 10),
    ((0, A), (2, C, 1), (30, D), (40, B), (50, E)),
    ends=(30, 50, 42, 40, 60),
    policy=BY_PRIORITY,
    fairness=Fairness((1,), (), 10, w_age=2, w_size=1, max_age=100, center_pools=1),
)
# Of all pools together the sizes are .3, .5, .5: 30: B .58 + .3 = .88, D .36 + .5 = .86. 40: D .56 + .5, E .3 + .5.
OF_ALL_POOLS = replace(
    OF_CENTER,
    name="multifactor: without a center size is a part of all pools",
    starts=((0, A), (2, C, 1), (30, B), (40, D), (50, E)),
    ends=(30, 40, 42, 50, 60),
    fairness=Fairness((1,), (), 10, w_age=2, w_size=1, max_age=100),
)

# ---- quality of service ---------------------------------------------------------------------------------------------
# 1 GPU. A(0,10) B(1,5) C(2,5, qos 1) D(3,5) E(4,5, qos 1/2); age in full after 10, at every tick.
# 10: .9, .8 + 1, .7, .6 + .5. 15: E 1.5, B and D 1. 20: B came first.
QOS = SharingCase(
    "multifactor: quality of service",
    (job(0, 1, 10), job(1, 1, 5), job(2, 1, 5, 1), job(3, 1, 5), job(4, 1, 5, 2)),
    (JobClass(), JobClass(), JobClass()),
    Sharing((Tenant(),)),
    (1,),
    ((0, A), (10, C), (15, E), (20, B), (25, D)),
    ends=(10, 25, 15, 30, 20),
    policy=BY_PRIORITY,
    fairness=Fairness((1,), (), 1, w_age=1, w_qos=1, max_age=10, qos=(0, ONE, ONE // 2)),
)

# ---- fair share -----------------------------------------------------------------------------------------------------
# 1 GPU, a period of 10. A(0,10,0) B(1,5,0) C(2,5,1) D(3,5,1) E(4,5,2) F(21,5,2).
# 10: 10 | 0 | 0: C, D (frozen at 15). 20: 10 | 10 | 0: E, F. 30: all have used 10: B.
THREE = tuple(JobClass(tenant=t) for t in range(3))
SHARE = SharingCase(
    "multifactor: fair share",
    (job(0, 1, 10), job(1, 1, 5), job(2, 1, 5, 1), job(3, 1, 5, 1), job(4, 1, 5, 2), job(21, 1, 5, 2)),
    THREE,
    Sharing((Tenant(),) * 3),
    (1,),
    ((0, A), (10, C), (15, D), (20, E), (25, F), (30, B)),
    ends=(10, 35, 15, 20, 25, 30),
    policy=BY_PRIORITY,
    fairness=Fairness((1, 1, 1), (), 10, w_fairshare=7),
)
# 10 GPUs. A(0,10,10,0) B(1,10,5,0) C(2,6,5,1) D(3,6,5,2). 10: 1 and 2 are tied, 0 has the rank 2 it has without ties:
# B 3 / 3 + 3 = 4, C and D 3 + 1.8. (With rank 1: B 2 + 3 would be first.)
TIES_COUNT = SharingCase(
    "multifactor: who comes after a tie has the rank it has without",
    (job(0, 10, 10), job(1, 10, 5), job(2, 6, 5, 1), job(3, 6, 5, 2)),
    THREE,
    Sharing((Tenant(),) * 3),
    (10,),
    ((0, A), (10, C), (15, D), (20, B)),
    ends=(10, 25, 15, 20),
    policy=BY_PRIORITY,
    fairness=Fairness((1, 1, 1), (), 10, w_fairshare=3, w_size=3),
)

# ---- evictions ------------------------------------------------------------------------------------------------------
# 2 GPUs, a period of 10. A tick of age is worth 1, both GPUs 10. V(0,2,20) W(1,1,5) H(12,2,3,high) N(13,2,5).
# H evicts V at 12. At 15 W is 9 old (at 10): 9 + 5 = 14, N is new: 10.
#   tail: V joined anew at 12, it has age 0: 10: W. 20: V 8 + 10, N 7 + 10: V, N.
#   place: V is 12 old: 22: V. 35: W 29 + 5, N 17 + 10: W, N.
TAIL = SharingCase(
    "multifactor: a job requeued at the tail is new",
    (job(0, 2, 20), job(1, 1, 5), job(12, 2, 3, 1), job(13, 2, 5)),
    (JobClass(preemptible=True, requeue="tail"), JobClass(tier=1)),
    Sharing((Tenant(within="lower"),)),
    (2,),
    ((0, A), (12, C), (15, B), (20, A), (40, D)),
    ((12, A),),
    (40, 20, 15, 45),
    policy=BY_PRIORITY,
    fairness=Fairness((1,), (), 10, w_age=100, w_size=10, max_age=100),
)
PLACE = replace(
    TAIL,
    name="multifactor: a job requeued in its place keeps its age",
    classes=(JobClass(preemptible=True, requeue="place"), JobClass(tier=1)),
    starts=((0, A), (12, C), (15, A), (35, B), (40, D)),
    ends=(35, 40, 15, 45),
)
# Both GPUs worth 5. V(0,1,20) W(1,2,5) H(12,2,3,high). At 15: V is 12 old, at its eviction: 12 + 2.5; W 9 + 5: V.
# (With the age of the last multiple, 10, it would be W.)
TO_EVICTION = SharingCase(
    "multifactor: age counts up to the eviction",
    (job(0, 1, 20), job(1, 2, 5), job(12, 2, 3, 1)),
    PLACE.classes,
    PLACE.sharing,
    (2,),
    ((0, A), (12, C), (15, A), (35, B)),
    ((12, A),),
    (35, 40, 15),
    policy=BY_PRIORITY,
    fairness=Fairness((1,), (), 10, w_age=100, w_size=5, max_age=100),
)

MULTIFACTOR_CASES = (
    AGE,
    SIZE,
    FROZEN,
    FULL,
    NOT_FULL,
    OF_CENTER,
    OF_ALL_POOLS,
    QOS,
    SHARE,
    TIES_COUNT,
    TAIL,
    PLACE,
    TO_EVICTION,
)
