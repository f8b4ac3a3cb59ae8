"""Fair orders by what was used: Fair Tree, fairshare with decay, weights of 0, worked out by hand (S30, S31)."""

from __future__ import annotations

from gpusim.engine.reference import FAIR_TREE, FAIRSHARE, Fairness, JobClass, Policy, Sharing, Tenant
from sharing_case import SharingCase, job

A, B, C, D, E, F, G, H = range(8)


def fair(
    name: str,
    jobs: tuple[tuple[int, int, int, int], ...],
    fairness: Fairness,
    gpus: int,
    starts: tuple[tuple[int, int], ...],
    ends: tuple[int, ...],
    order: int = FAIR_TREE,
) -> SharingCase:
    """Jobs (submit, GPUs, run time, tenant); tenants own nothing."""
    tenants = 1 + max(tenant for *_, tenant in jobs)
    return SharingCase(
        name,
        tuple(job(*one) for one in jobs),
        tuple(JobClass(tenant=t) for t in range(tenants)),
        Sharing((Tenant(),) * tenants),
        (gpus,),
        starts,
        ends=ends,
        policy=Policy(order=order),
        fairness=fairness,
    )


# ---- Fair Tree ------------------------------------------------------------------------------------------------------
# 8 GPUs, a period of 10, nothing forgotten. Accounts a (tenants 0, 1) and b (2, 3). A(0,3,10,0) B(0,1,10,1)
# C(0,2,10,2) D(0,2,10,3) fill the first period; E(1,8,5,0) F(2,8,5,3) G(3,8,5,2) H(4,8,5,1) take all GPUs in turn.
#
# Both accounts weigh 1. 10: 30 10 | 20 20: 40 = 40, so all four are sorted together: 1, then 2 and 3, then 0: H.
# 15: keys as before: F (3 and 2 are tied, F came first). 20: 30 50 | 20 60: 80 = 80: G, then E.
#   tick  0.........10...15...20...25...30
#   E                               =====
#   F                     =====
#   G                          =====
#   H                =====
FIRST_PERIOD = ((0, 3, 10, 0), (0, 1, 10, 1), (0, 2, 10, 2), (0, 2, 10, 3))
IN_TURN = (*FIRST_PERIOD, (1, 8, 5, 0), (2, 8, 5, 3), (3, 8, 5, 2), (4, 8, 5, 1))
AT_ONCE = ((0, A), (0, B), (0, C), (0, D))
MERGED = fair(
    "fair tree: accounts with equal keys are sorted together",
    IN_TURN,
    Fairness((1, 1, 1, 1, 1, 1), (4, 4, 5, 5, -1, -1), 10),
    8,
    (*AT_ONCE, (10, H), (15, F), (20, G), (25, E)),
    (10, 10, 10, 10, 30, 20, 25, 15),
)
# a weighs 2: 40 / 2 before 40: H, E. 20: (70 + 50) / 2 = 60 after 40: F, G.
NOT_MERGED = fair(
    "fair tree: the account decides before the tenant",
    IN_TURN,
    Fairness((1, 1, 1, 1, 2, 1), (4, 4, 5, 5, -1, -1), 10),
    8,
    (*AT_ONCE, (10, H), (15, E), (20, F), (25, G)),
    (10, 10, 10, 10, 20, 25, 30, 15),
)
# No accounts: 10: 1 first, then 2 and 3, then 0, as in the first; 20: 30 50 20 60: G, E.
FLAT_TREE = fair(
    "fair tree: without accounts it is the order of usage",
    IN_TURN,
    Fairness((1, 1, 1, 1), (), 10),
    8,
    (*AT_ONCE, (10, H), (15, F), (20, G), (25, E)),
    (10, 10, 10, 10, 30, 20, 25, 15),
)
# Tenant 0 stands beside account b (1, 2). A(0,4,10,0) B(0,1,10,1) C(0,3,10,2) D(1,8,10,2) E(2,8,10,1) F(3,8,10,0)
# G(21,8,5,0). 10: 40 | 10 + 30: tenant 0 ties with b, so with b's first, 1; 2 is behind both: E before F.
# 20: 40 | 90 + 30: F. 30: 120 | 90 + 30: 0 ties with 2: D before G.
#   D                              ==========
#   E          ==========
#   F                    ==========
#   G                                        =====
BESIDE = fair(
    "fair tree: a tenant tied with an account ranks with the account's first",
    (
        *((0, 4, 10, 0), (0, 1, 10, 1), (0, 3, 10, 2)),
        *((1, 8, 10, 2), (2, 8, 10, 1), (3, 8, 10, 0), (21, 8, 5, 0)),
    ),
    Fairness((1, 1, 1, 1), (-1, 3, 3, -1), 10),
    8,
    ((0, A), (0, B), (0, C), (10, E), (20, F), (30, D), (40, G)),
    (10, 10, 10, 40, 20, 30, 45),
)
# Account 3 holds tenant 1 and account 4 (weight 3), which holds tenant 0; tenant 2 stands beside it.
# A(0,3,10,0) B(0,2,10,1) C(0,4,10,2) D(1,9,5,1) E(2,9,5,0) F(3,9,5,2) G(16,9,5,0).
# 10: 2: 40 | account 3: 50, in it account 4: 30 / 3, tenant 1: 20: F, E, D. 20: 85 | 95: 75 / 3, 20: D before G.
NESTED = fair(
    "fair tree: accounts inside accounts",
    (
        *((0, 3, 10, 0), (0, 2, 10, 1), (0, 4, 10, 2)),
        *((1, 9, 5, 1), (2, 9, 5, 0), (3, 9, 5, 2), (16, 9, 5, 0)),
    ),
    Fairness((1, 1, 1, 1, 3), (4, 3, -1, -1, 3), 10),
    9,
    ((0, A), (0, B), (0, C), (10, F), (15, E), (20, D), (25, G)),
    (10, 10, 10, 25, 20, 15, 30),
)
# Who has used nothing comes first, who has no weight last. 1 GPU, tenants 0 and 3 weigh 0.
# A(0,1,10,1) B(1,1,5,0) C(2,1,5,1) D(3,1,5,2) E(4,1,5,3) F(16,1,5,1): D, C, then F before B and E.
ZEROS = fair(
    "fair tree: no usage first, no weight last",
    ((0, 1, 10, 1), (1, 1, 5, 0), (2, 1, 5, 1), (3, 1, 5, 2), (4, 1, 5, 3), (16, 1, 5, 1)),
    Fairness((0, 1, 1, 0), (), 10),
    1,
    ((0, A), (10, D), (15, C), (20, F), (25, B), (30, E)),
    (10, 30, 20, 15, 35, 25),
)
# An account of weight 0 is behind a tenant that has used all there is; inside it usage decides.
# Tenants 0, 1 in account 3 (weight 0), 2 beside it. A(0,1,10,2) B(1,1,5,0) C(2,1,5,1) D(3,1,5,2) E(4,1,5,0).
# 10: D, then B and C are tied: B, at 15. 20: 2: 15 | 0: 5, 1: 0: C, then E.
ZERO_ACCOUNT = fair(
    "fair tree: an account without weight is last",
    ((0, 1, 10, 2), (1, 1, 5, 0), (2, 1, 5, 1), (3, 1, 5, 2), (4, 1, 5, 0)),
    Fairness((1, 1, 1, 0), (3, 3, -1, -1), 10),
    1,
    ((0, A), (10, D), (15, B), (20, C), (25, E)),
    (10, 20, 25, 15, 30),
)

# ---- fairshare ------------------------------------------------------------------------------------------------------
# 2 GPUs, each job takes both. A period of 10, usage halved. A(0,10,0) B(1,10,1) C(2,10,1) D(12,4,0) E(13,4,0)
# F(14,4,0) G(15,4,0) H(16,4,1).
# 10: 20 | 0: B. 20: 10 | 20: D, and frozen: E at 24, F at 28. 30: 5 + 20 = 25 | 10: C at 32. 40: 12 + 4 = 16 |
# 5 + 16 = 21: G at 42, H at 46.
#   tick  0.........10........20........30........40........50
#   C                                     ==========
#   D                         ====
#   E                             ====
#   F                                 ====
#   G                                               ====
#   H                                                   ====
TWICE = fair(
    "usage is halved twice, and keys are frozen in between",
    (
        *((0, 2, 10, 0), (1, 2, 10, 1), (2, 2, 10, 1), (12, 2, 4, 0)),
        *((13, 2, 4, 0), (14, 2, 4, 0), (15, 2, 4, 0), (16, 2, 4, 1)),
    ),
    Fairness((1, 1), (), 10, 2**31),
    2,
    ((0, A), (10, B), (20, D), (24, E), (28, F), (32, C), (42, G), (46, H)),
    (10, 20, 42, 24, 28, 32, 46, 50),
    FAIRSHARE,
)
# Nothing is forgotten: 20: 20 | 20: tied, C came first. 30: 20 | 40: D, E, F. 40: 40 | 40: G came first.
REMEMBERED = fair(
    "usage that is not halved ties",
    tuple((one.submit, one.gpus, one.service, one.job_class) for one in TWICE.jobs),
    Fairness((1, 1), (), 10),
    2,
    ((0, A), (10, B), (20, C), (30, D), (34, E), (38, F), (42, G), (46, H)),
    (10, 20, 30, 34, 38, 42, 46, 50),
    FAIRSHARE,
)
# Before the first multiple nobody has used anything; who has no weight is last already. A(0,5,1) B(1,5,0) C(2,5,1).
NO_WEIGHT = fair(
    "no weight is last from the beginning",
    ((0, 1, 5, 1), (1, 1, 5, 0), (2, 1, 5, 1)),
    Fairness((0, 1), (), 100),
    1,
    ((0, A), (5, C), (10, B)),
    (5, 15, 10),
    FAIRSHARE,
)

FAIR_TREE_CASES = (
    MERGED,
    NOT_MERGED,
    FLAT_TREE,
    BESIDE,
    NESTED,
    ZEROS,
    ZERO_ACCOUNT,
    TWICE,
    REMEMBERED,
    NO_WEIGHT,
)
