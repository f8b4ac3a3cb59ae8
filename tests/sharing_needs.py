"""Which rules of S30-S36 a shared center makes use of."""

from __future__ import annotations

from gpusim.engine.reference import FAIRSHARE
from sharing_case import SharingCase
from sharing_random import SharedCenter


def needs(case: SharingCase | SharedCenter) -> set[str]:
    """Names of the features without which the case cannot be run."""
    tenants = case.sharing.tenants if case.sharing is not None else ()
    features = {
        "order": case.policy.order >= FAIRSHARE,
        "users": any(row.user_max_gpus is not None or row.user_max_jobs is not None for row in tenants),
        "approval": any(job.delay > 0 and job.after < 0 for job in case.jobs),
        "closures": bool(case.closures),
    }
    return {name for name, needed in features.items() if needed}
