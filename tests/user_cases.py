"""Limits of a tenant's users, worked out by hand (S34)."""

from __future__ import annotations

from dataclasses import replace

from gpusim.engine.reference import SKIP, Cohort, Job, JobClass, Policy, Sharing, Tenant
from sharing_case import NO_CAUSE, NO_IDLE, SharingCase, job
from sharing_case import H as HORIZON

A, B, C, D, E, F = range(6)


def of(user: int, one: Job) -> Job:
    """The job, of this user."""
    return replace(one, user=user)


# 10 GPUs, at most 4 for a user. A(0,4,10,u0) B(0,2,5,u0) C(0,4,10,u1): B waits for its user, C does not wait for B.
# 2 GPUs idle for 10 ticks as nobody else wants them: quota_idle 20.
GPUS = SharingCase(
    "users: most GPUs of a user",
    (of(0, job(0, 4, 10)), of(0, job(0, 2, 5)), of(1, job(0, 4, 10))),
    (JobClass(),),
    Sharing((Tenant(users=2, user_max_gpus=4),)),
    (10,),
    ((0, A), (0, C), (10, B)),
    ends=(10, 15, 10),
    also={
        "causes": [{**NO_CAUSE, "quota": 20}],
        "idle": [
            {**NO_IDLE, "allocated": 90, "quota_idle": 20, "free": 10 * HORIZON - 90 - 20},
        ],
    },
)
# One job of a user at a time. A(0,1,10,u0) B(0,1,5,u0) C(1,1,5,u1) D(2,1,5,u0).
#   A  ==========
#   B            =====
#   C   =====
#   D                 =====
JOBS = SharingCase(
    "users: most running jobs of a user",
    (of(0, job(0, 1, 10)), of(0, job(0, 1, 5)), of(1, job(1, 1, 5)), of(0, job(2, 1, 5))),
    (JobClass(),),
    Sharing((Tenant(users=2, user_max_jobs=1),)),
    (10,),
    ((0, A), (1, C), (10, B), (15, D)),
    ends=(10, 15, 6, 20),
)
# Users of two tenants are different people: the same numbers, limits of tenant 1 only.
# A(0,2,10,t0u0) B(0,2,10,t1u0) C(0,2,5,t0u0) D(0,2,5,t1u0).
TENANTS = SharingCase(
    "users: users of two tenants have nothing in common",
    (job(0, 2, 10), job(0, 2, 10, 1), job(0, 2, 5), job(0, 2, 5, 1)),
    (JobClass(), JobClass(tenant=1)),
    Sharing((Tenant(), Tenant(user_max_gpus=3))),
    (10,),
    ((0, A), (0, B), (0, C), (10, D)),
    ends=(10, 10, 5, 15),
)
# A user's limit is over all pools. Two pools of 4; A(0,2,10,pool 0) B(0,2,10,pool 1) C(0,1,5,pool 1), all of one user.
POOLS = SharingCase(
    "users: a limit is over all pools",
    (job(0, 2, 10), job(0, 2, 10, 1), job(0, 1, 5, 1)),
    (JobClass(), JobClass(pools=(1,))),
    Sharing((Tenant(user_max_gpus=4),)),
    (4, 4),
    ((0, A, 0), (0, B, 1), (10, C, 1)),
    ends=(10, 10, 15),
)
# 12 GPUs; a strict tenant of at most 9, 4 for each user. A(0,4,10,u0) B(0,2,5,u0) C(0,3,10,u1) D(0,2,5,u1)
# E(0,3,5,u2) F(0,1,5,u3): B waits for its user and D for its own, nobody else does; E is over the tenant's limit
# (4 + 3 + 3) and stops F. At 10: all.
STRICT = SharingCase(
    "users: who waits for its user stops nobody in a strict tenant",
    (
        *(of(0, job(0, 4, 10)), of(0, job(0, 2, 5)), of(1, job(0, 3, 10))),
        *(of(1, job(0, 2, 5)), of(2, job(0, 3, 5)), of(3, job(0, 1, 5))),
    ),
    (JobClass(),),
    Sharing((Tenant(strict=True, max_gpus=9, users=4, user_max_gpus=4),)),
    (12,),
    ((0, A), (0, C), (10, B), (10, D), (10, E), (10, F)),
    ends=(10, 15, 10, 15, 15, 15),
)
# 8 GPUs, 4 for each of two tenants of a cohort. A(0,2,10,0) B(1,2,5,0) C(1,4,10,1) D(2,2,5,1), one job for a user of
# tenant 0: B would fit its nominal and may not reclaim, but it waits for its user: nothing is kept; D borrows.
NOT_KEPT = SharingCase(
    "users: nothing is kept for who waits for its user",
    (job(0, 2, 10), job(1, 2, 5), job(1, 4, 10, 1), job(2, 2, 5, 1)),
    (JobClass(), JobClass(tenant=1)),
    Sharing((Tenant(2, (4,), user_max_jobs=1), Tenant(2, (4,))), (Cohort(),)),
    (8,),
    ((0, A), (1, C), (2, D), (10, B)),
    ends=(10, 15, 11, 7),
)
# 6 GPUs, 2 for a user. L(0,2,20,u0) K(1,2,20,u1) H(5,2,3,u0,high): K would be the first victim, but only L's leaving
# lets H's user have another job: K is spared.
#   L  =====x  ====================
#   K   ====================
#   H       ===
VICTIM = SharingCase(
    "users: the victim is one of the same user",
    (of(0, job(0, 2, 20)), of(1, job(1, 2, 20)), of(0, job(5, 2, 3, 1))),
    (JobClass(preemptible=True), JobClass(tier=1)),
    Sharing((Tenant(within="lower", users=2, user_max_gpus=2),)),
    (6,),
    ((0, A), (1, B), (5, C), (8, A)),
    ((5, A),),
    (28, 21, 8),
)
# 2 GPUs for a user of 8. A(0,3) is rejected; B(0,3,10,urgent) runs all the same; C(0,2,10,u1); D(1,1,5) waits for B.
URGENT = SharingCase(
    "users: a job beyond its user's limit is rejected, an urgent one is not",
    (job(0, 3, 10), job(0, 3, 10, 1), of(1, job(0, 2, 10)), job(1, 1, 5)),
    (JobClass(), JobClass(urgent=True)),
    Sharing((Tenant(users=2, user_max_gpus=2),)),
    (8,),
    ((0, B), (0, C), (10, D)),
    ends=(-1, 10, 10, 15),
    outcome={A: "rejected"},
)
# 4 GPUs, EASY, one job for a user. A(0,3,10,u1) B(1,4,10,u0) C(2,1,5,u0): B's reservation at 10 does not run: C goes.
RESERVED = SharingCase(
    "users: reservations do not count",
    (of(1, job(0, 3, 10)), of(0, job(1, 4, 10)), of(0, job(2, 1, 5))),
    (JobClass(),),
    Sharing((Tenant(users=2, user_max_jobs=1),)),
    (4,),
    ((0, A), (2, C), (10, B)),
    ends=(10, 20, 7),
    policy=Policy(1),
)
# A tenant's own limit sees the reservation (S25): C waits.
RESERVED_TENANT = replace(
    RESERVED,
    name="users: a tenant's limit does count reservations",
    jobs=(job(0, 3, 10, 1), *RESERVED.jobs[1:]),
    classes=(JobClass(), JobClass(tenant=1)),
    sharing=Sharing((Tenant(users=2, max_jobs=1), Tenant())),
    starts=((0, A), (10, B), (20, C)),
    ends=(10, 20, 25),
)
# Skip: a job of a user at the limit is passed over though GPUs are free, whatever its tier.
# 4 GPUs. A(0,1,10,u0) B(0,1,5,u0,high) C(0,1,5,u1): B of the higher tier is first: A waits for it.
TIER = SharingCase(
    "users: the higher tier of a user comes first",
    (of(0, job(0, 1, 10)), of(0, job(0, 1, 5, 1)), of(1, job(0, 1, 5))),
    (JobClass(), JobClass(tier=1)),
    Sharing((Tenant(users=2, user_max_jobs=1),)),
    (4,),
    ((0, B), (0, C), (5, A)),
    ends=(15, 5, 5),
    policy=Policy(SKIP),
)

USER_CASES = (
    GPUS,
    JOBS,
    TENANTS,
    POOLS,
    STRICT,
    NOT_KEPT,
    VICTIM,
    URGENT,
    RESERVED,
    RESERVED_TENANT,
    TIER,
)
