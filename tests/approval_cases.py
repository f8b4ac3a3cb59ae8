"""Approval and leases that end early, worked out by hand (S35)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import Job, JobClass, Policy, Sharing, Tenant
from sharing_case import NO_CAUSE, SharingCase, job

A, B, C, D, E = range(5)
NOBODY = Sharing((Tenant(),))


def held(delay: int, one: Job) -> Job:
    """The job, eligible this long after its submit or its predecessor's end."""
    return replace(one, delay=delay)


# 1 GPU. A(0,5,held 5) B(1,10): A is eligible at 5, behind B: it waits 6.
#   tick 0....5....10...15
#   A    hhhhh . . .=====
#   B     ==========
HELD = SharingCase(
    "approval: a held job waits from when it is eligible",
    (held(5, job(0, 1, 5)), job(1, 1, 10)),
    (JobClass(),),
    NOBODY,
    (1,),
    ((1, B), (11, A)),
    ends=(16, 11),
    also={"eligible": [5, 1], "causes": [{**NO_CAUSE, "held": 5, "capacity": 6}]},
)
PATIENT = replace(
    HELD,
    name="approval: patience of 6 lasts from 5 to 11",
    classes=(JobClass(patience=6),),
)
IMPATIENT = replace(
    HELD,
    name="approval: patience of 5 ends at 10",
    classes=(JobClass(patience=5),),
    starts=((1, B),),
    ends=(-1, 11),
    outcome={A: "abandoned"},
    also={"eligible": [5, 1], "causes": [{**NO_CAUSE, "held": 5, "capacity": 5}]},
)
# One may wait. A(0,1,20) B(1,held 10) C(2) D(3): C waits, D is refused, and so is B when it joins at 11.
FULL = SharingCase(
    "approval: held jobs take no place in the queue, and find it full",
    (job(0, 1, 20), held(10, job(1, 1, 5)), job(2, 1, 5), job(3, 1, 5)),
    (JobClass(),),
    NOBODY,
    (1,),
    ((0, A), (20, C)),
    ends=(20, -1, 25, -1),
    outcome={B: "rejected_full", D: "rejected_full"},
    policy=Policy(max_waiting=1),
    also={"eligible": [0, 11, 2, 3]},
)
# A call closes at 10: A(1) B(3) C(7) join together, by index; D(8,5) needs no approval and is there before them.
CALL = SharingCase(
    "approval: who was held for the same call joins together",
    (held(9, job(1, 1, 5)), held(7, job(3, 1, 5)), held(3, job(7, 1, 5)), job(8, 1, 5)),
    (JobClass(),),
    NOBODY,
    (1,),
    ((8, D), (13, A), (18, B), (23, C)),
    ends=(18, 23, 28, 13),
)
# A(1,held 12) is eligible at 13, B(2,held 3) at 5, C(6) at 6: B 5-10, C 10-15, A 15-20.
OVERTAKEN = SharingCase(
    "approval: who is approved first comes first",
    (held(12, job(1, 1, 5)), held(3, job(2, 1, 5)), job(6, 1, 5)),
    (JobClass(),),
    NOBODY,
    (1,),
    ((5, B), (10, C), (15, A)),
    ends=(20, 10, 15),
)
# A chain is approved once: A(0,5,held 3) 3-8, B after A, 2 ticks later: 10.
CHAIN = SharingCase(
    "approval: the first of a chain is held, the next follow it",
    (held(3, job(0, 1, 5)), held(2, job(0, 1, 4, after=0))),
    (JobClass(),),
    NOBODY,
    (1,),
    ((3, A), (10, B)),
    ends=(8, 14),
    also={"eligible": [3, 10], "causes": [{**NO_CAUSE, "held": 3 + 10}]},
)
# A held job that could never start is rejected at its submit; held at the horizon it is neither.
NEVER = SharingCase(
    "approval: who is too large is rejected at once",
    (held(5, job(0, 2, 5)), held(2000, job(0, 1, 5))),
    (JobClass(),),
    NOBODY,
    (1,),
    (),
    ends=(-1, -1),
    outcome={A: "rejected", B: "held"},
    also={"eligible": [-1, -1], "end_tick": 0},
)
# ---- a lease that is clawed back ------------------------------------------------------------------------------------
# 6 GPUs, EASY. The lease A(0,4) has a term of 20 and ends at 8. B(1,4,5) is promised tick 20, so C(2,2,15) may go in
# front and D(3,2,18) may not. At 8 B goes, at 13 D, and with it E(9,2,3).
#   tick 0.......8....13...17
#   A    ========                (term until 20)
#   B     . . . .=====
#   C      ===============
#   D       . . . . . ==================
#   E             . . ===
CLAWED = SharingCase(
    "lease: GPUs that come back early go to who waits",
    (job(0, 4, 8, limit=20), job(1, 4, 5), job(2, 2, 15), job(3, 2, 18), job(9, 2, 3)),
    (JobClass(),),
    NOBODY,
    (6,),
    ((0, A), (2, C), (8, B), (13, D), (13, E)),
    ends=(8, 13, 17, 31, 16),
    policy=Policy(1),
)
# The whole term: D at 17, for B leaves it 2 GPUs; B at 20; for E nothing is left before 25.
WHOLE_TERM = replace(
    CLAWED,
    name="lease: the whole term",
    jobs=(job(0, 4, 20), *CLAWED.jobs[1:]),
    starts=((0, A), (2, C), (17, D), (20, B), (25, E)),
    ends=(20, 25, 17, 35, 28),
)

APPROVAL_CASES = (
    HELD,
    PATIENT,
    IMPATIENT,
    FULL,
    CALL,
    OVERTAKEN,
    CHAIN,
    NEVER,
    CLAWED,
    WHOLE_TERM,
)
