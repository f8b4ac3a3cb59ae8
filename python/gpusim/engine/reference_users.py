"""Limits of a tenant's users (S34)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpusim.engine.reference_terms import Job, Tenant

if TYPE_CHECKING:
    from gpusim.engine.reference_center import Center


def user_admits(run: Center, i: int, without: Sequence[int] = ()) -> bool:
    """Whether the user of job i, which is not urgent, may run it beside what runs, but these."""
    if run.sharing is None:
        return True
    tenant = run.class_of(i).tenant
    row = run.sharing.tenants[tenant]
    own = [
        run.jobs[k].gpus
        for k in run.running
        if k not in without and (run.class_of(k).tenant, run.jobs[k].user) == (tenant, run.jobs[i].user)
    ]
    if row.user_max_jobs is not None and len(own) + 1 > row.user_max_jobs:
        return False
    return row.user_max_gpus is None or sum(own) + run.jobs[i].gpus <= row.user_max_gpus


def user_could_ever(row: Tenant, job: Job) -> bool:
    """Whether the job alone is within its user's limit of GPUs (R9)."""
    return row.user_max_gpus is None or job.gpus <= row.user_max_gpus
