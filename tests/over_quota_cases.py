"""Orders that go by use beyond quotas only, worked out by hand (S30)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import FAIRSHARE, Cohort, Fairness, JobClass, Policy, Sharing, Tenant
from sharing_case import SharingCase, flat, job

A, B, C, D, E, F = range(6)
OF = tuple(JobClass(tenant=t) for t in range(3))  # class t: a job of tenant t
BEYOND = Fairness((1, 1), calc_period=10, decay_q32=2**31, over_quota=True)

# 4 GPUs, all owned by tenant 0; keys every 10 ticks, usage halved.
# A(0,2,10,0) B(0,2,10,1) C(1,4,5,1) D(2,4,5,0) E(11,4,5,1) F(16,4,5,0). Both use 20 until 10.
#   tick 0.........10...15...20...25...30     beyond quotas
#   A    ==========
#   B    ==========
#   C     ..............=====                 10: 0 | 20: D, then C.
#   D      ........=====                      20: 0 | 20 / 2 + 4 * 5: F, then E.
#   E               ..............=====
#   F                    ....=====
WITHIN = SharingCase(
    "beyond quotas: who uses what it owns goes first",
    (job(0, 2, 10), job(0, 2, 10, 1), job(1, 4, 5, 1), job(2, 4, 5), job(11, 4, 5, 1), job(16, 4, 5)),
    OF[:2],
    replace(flat(4, 0), borrowers="in_order"),
    (4,),
    ((0, A), (0, B), (10, D), (15, C), (20, F), (25, E)),
    ends=(10, 10, 20, 15, 30, 25),
    policy=Policy(order=FAIRSHARE),
    fairness=BEYOND,
)
# All use counts: 10: 20 | 20: C came first. 15: D. 20: 30 | 30: E came first.
#   C     .........=====
#   D      .............=====
#   E               .........=====
#   F                    .........=====
ALL_USE = replace(
    WITHIN,
    name="beyond quotas: by all use the two are tied",
    starts=((0, A), (0, B), (10, C), (15, D), (20, E), (25, F)),
    ends=(10, 10, 15, 20, 25, 30),
    fairness=replace(BEYOND, over_quota=False),
)

# 4 GPUs: tenant 0 owns 1, tenant 1 owns 3; tenant 2 has no quota: all it uses counts. Usage is halved every 10 ticks.
# A(0,3,10,0) B(0,1,10,2) C(1,4,10,0) D(2,4,10,2) E(3,4,10,1) F(4,4,10,1)
#   tick 0.........10........20........30........40........50
#   A    ==========
#   B    ==========
#   C     .............................==========             10: 2 * 10 | 0 | 10: E, which came after D.
#   D      ..................==========                       20: 10 | (4 - 3) * 10 | 5: D.
#   E       .......==========                                 30: 5 | 5 | 2 + 40: C came before F.
#   F        ....................................==========
HALVED = SharingCase(
    "beyond quotas: what was borrowed long ago counts less",
    (
        *(job(0, 3, 10), job(0, 1, 10, 2), job(1, 4, 10)),
        *(job(2, 4, 10, 2), job(3, 4, 10, 1), job(4, 4, 10, 1)),
    ),
    OF,
    Sharing((Tenant(3, (1,)), Tenant(3, (3,)), Tenant()), (Cohort(),), borrowers="in_order"),
    (4,),
    ((0, A), (0, B), (10, E), (20, D), (30, C), (40, F)),
    ends=(10, 10, 40, 30, 20, 50),
    policy=Policy(order=FAIRSHARE),
    fairness=Fairness((1, 1, 1), calc_period=10, decay_q32=2**31, over_quota=True),
)
# Nothing is forgotten: 20: 20 | 10 | 10: D came before F. 30: 20 | 10 | 50: F.
REMEMBERED = replace(
    HALVED,
    name="beyond quotas: without decay all that was ever borrowed counts",
    starts=((0, A), (0, B), (10, E), (20, D), (30, F), (40, C)),
    ends=(10, 10, 50, 30, 20, 40),
    fairness=Fairness((1, 1, 1), calc_period=10, over_quota=True),
)

# Two pools of 4; tenants 0 and 1 own 2 of each, tenant 2 has no quota.
# A(0,4,6,0 in 0) B(0,3,10,1 in 1) C(5,4,5,2 in 0) D(7,4,5,0 in 0) E(8,4,5,1 in 0)
#   tick  0.....6...10..11...16
#   A 0   ======
#   B 1   ==========
#   C 0        .=====
#   D 0          .........=====       11: of all use 24 | 30, of all pools together 0 | 0: D would be first. Beyond the
#   E 0           ...=====            quota of each pool: 2 * 6 | 1 * 10: E is.
BY_POOL = SharingCase(
    "beyond quotas: what is left over in one pool does not make up for another",
    (job(0, 4, 6), job(0, 3, 10, 1), job(5, 4, 5, 2), job(7, 4, 5), job(8, 4, 5, 3)),
    (JobClass(), JobClass(tenant=1, pools=(1,)), JobClass(tenant=2), JobClass(tenant=1)),
    Sharing((Tenant(3, (2, 2)), Tenant(3, (2, 2)), Tenant()), (Cohort(),), borrowers="in_order"),
    (4, 4),
    ((0, A, 0), (0, B, 1), (6, C, 0), (11, E, 0), (16, D, 0)),
    ends=(6, 10, 11, 21, 16),
    policy=Policy(order=FAIRSHARE),
    fairness=Fairness((1, 1, 1), calc_period=10, over_quota=True),
)

OVER_QUOTA_CASES = (WITHIN, ALL_USE, HALVED, REMEMBERED, BY_POOL)
