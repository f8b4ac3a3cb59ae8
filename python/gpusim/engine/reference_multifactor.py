"""Slurm's multifactor priority of a waiting job (S32)."""

from gpusim.engine.reference_terms import Fairness, Job

ONE = 2**20


def priority(fairness: Fairness, job: Job, age: int, rank: int, tenants: int, total: int) -> int:
    """The weighted sum of its factors, each in units of 2^-20; `age` in ticks, `total` GPUs of the center."""
    age_factor = min(age, fairness.max_age) * ONE // fairness.max_age
    fairshare = (tenants - rank) * ONE // tenants
    size = min(ONE, job.gpus * ONE // max(1, total))  # a job may wait for a pool beside a smaller center
    qos = fairness.qos[job.job_class] if fairness.qos else 0
    return (
        fairness.w_age * age_factor
        + fairness.w_fairshare * fairshare
        + fairness.w_size * size
        + fairness.w_qos * qos
    )
