"""Kueue's preemption matrix, every row: within x reclaim x borrowing while preempting, one center for all (S20, S21).

10 GPUs, skip. Tenant 0 preempts; tenant 1 has 4 and uses 6. Quotas exceed the pool by 3, so that GPUs alone block.

    job  submit  GPUs  run  tenant  tier
    X         0     4   40       1     9  never a victim
    OL        0     1   60       1     0  other, lower
    OH        0     1   60       1     2  other, higher
    L         0     1   60       0     0  own, lower
    Y         0     1   60       0     1  own, as high as P and older
    P         2     3    5       0     1  the preemptor
    W         3     1   60       0     1  own, as high as P and newer

    tick 0.........10.........15 ......... 40.........
    X    ==================================
    OL   ==========x          ====================...     (if it is a victim)
    P              ==========                             evicting two
    P                                      ==========     evicting nobody
    W       ===========================================

2 GPUs are free when P comes, 1 after W: P lacks 2, and every possible victim has 1. Until tick 10 all of them are
exempt; then P takes the first two who may be victims, in the order OL, OH (others over nominal first, the lower
tier first), L, W; with fewer than two nobody leaves. P fits a nominal of 6 (Y, L, W, P), and borrows with one of 3.
"""

from __future__ import annotations

from gpusim.engine.reference import SKIP, Cohort, JobClass, Policy, Sharing, Tenant
from sharing_case import SharingCase, job

X, OL, OH, L, Y, P, W = range(7)
JOBS = (
    *(job(0, 4, 40, 0), job(0, 1, 60, 1), job(0, 1, 60, 2), job(0, 1, 60, 3), job(0, 1, 60, 4)),
    *(job(2, 3, 5, 5), job(3, 1, 60, 4)),
)
CLASSES = (
    JobClass(tier=9, tenant=1),
    JobClass(tier=0, tenant=1, preemptible=True, exempt=10),
    JobClass(tier=2, tenant=1, preemptible=True, exempt=10),
    JobClass(tier=0, preemptible=True, exempt=10),
    JobClass(tier=1, preemptible=True, exempt=7),
    JobClass(tier=1),
)
# (within, reclaim): victims if P fits its nominal; if it borrows without a threshold; with one of tier 0
ROWS: dict[tuple[str, str], tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    ("never", "never"): ((), (), ()),
    ("never", "lower"): ((), (), ()),  # OL alone is not enough
    ("never", "any"): ((OL, OH), (), ()),
    ("lower", "never"): ((), (), ()),  # L alone is not enough
    ("lower", "lower"): ((OL, L), (), (OL, L)),
    ("lower", "any"): ((OL, OH), (), (OL, L)),  # OH has a higher tier: never for a borrower
    ("lower_or_newer", "never"): ((L, W), (L, W), (L, W)),
    ("lower_or_newer", "lower"): ((OL, L), (L, W), (OL, L)),
    ("lower_or_newer", "any"): ((OL, OH), (L, W), (OL, L)),
}


def row(
    within: str, reclaim: str, nominal: int, threshold: int | None, victims: tuple[int, ...]
) -> SharingCase:
    preemptor = Tenant(2, (nominal,), within=within, reclaim=reclaim, borrow_preempts=threshold)
    ends = [40, 60, 60, 60, 60, 15 if victims else 45, 63]
    for victim in victims:
        ends[victim] = 15 + 60
    again = sorted(victims, key=lambda i: (-CLASSES[JOBS[i].job_class].tier, i))
    return SharingCase(
        f"matrix: within {within}, reclaim {reclaim}, nominal {nominal}, threshold {threshold}",
        JOBS,
        CLASSES,
        Sharing((preemptor, Tenant(2, (4,))), (Cohort(nominal=(9 - nominal,)),), borrowers="in_order"),
        (10,),
        (
            *((0, X), (0, OH), (0, Y), (0, OL), (0, L), (3, W)),
            *(((10, P), *((15, i) for i in again)) if victims else ((40, P),)),
        ),
        tuple((10, victim) for victim in victims),
        tuple(ends),
        policy=Policy(SKIP),
    )


MATRIX_CASES = tuple(
    row(within, reclaim, nominal, threshold, victims)
    for (within, reclaim), answers in ROWS.items()
    for (nominal, threshold), victims in zip(((6, None), (3, None), (3, 0)), answers, strict=True)
)
