"""Fair orders and users at the engine's door: what does not fit is refused with a remedy, defaults change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.spec import (
    FAIR_TREE,
    FAIRSHARE,
    MULTIFACTOR,
    WEIGHTED_SHARE,
    ClassTable,
    Fairness,
    Policy,
    RunSpec,
    Sharing,
    Windows,
)
from gpusim.errors import RunError, WorkloadError
from gpusim.workload.jobs import Jobs

NOBODY = Sharing.nobody(2, 2, 1)
JOBS = Jobs(submit=[0] * 4, service=[5, 5, 2, 2], gpus=[2] * 4, job_class=[0, 0, 1, 1], user=[0, 1, 0, 1])


def nobody(**changes: Any) -> Sharing:
    return replace(NOBODY, **changes)


def weights(*values: Any, **changes: Any) -> Fairness:
    return Fairness(*values, **changes)


def spec(order: int = FAIRSHARE, **parts: Any) -> RunSpec:
    sharing = nobody(borrowers_last=order != WEIGHTED_SHARE, users=[2, 2])
    whole: dict[str, Any] = {
        "jobs": JOBS,
        "classes": ClassTable([0, 0], [0, 1], [-1, -1], 2),
        "policy": Policy(order=order),
        "windows": Windows(0, 100, 100),
        "sharing": sharing,
        "fairness": weights([1, 3]),
    }
    return RunSpec(**whole | parts)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "order": (
        lambda: Policy(order=6),
        "policy.order: is out of range (6); use a whole number from 0 to 5",
    ),
    "no sharing": (
        lambda: spec(sharing=None),
        "policy.order: is a fair order, and nobody shares (2); give the",
    ),
    "no weights": (
        lambda: spec(fairness=None),
        "policy.order: is a fair order without weights (2); give the",
    ),
    "two sweeps": (
        lambda: spec(WEIGHTED_SHARE, sharing=NOBODY),
        "sharing.borrowers_last: does not go with the order WEIGHTED_SHARE; give borrowers_last=False",
    ),
    "bounded pass": (
        lambda: spec(policy=Policy(order=WEIGHTED_SHARE, max_tests=3), sharing=nobody(borrowers_last=False)),
        "policy.max_tests: does not go with the order WEIGHTED_SHARE (3); leave it at -1",
    ),
    "few weights": (
        lambda: spec(fairness=weights([1])),
        "fairness.weight: has the wrong length (1); give a weight for each of the 2 tenants",
    ),
    "no weight": (lambda: weights([]), "fairness.weight: has the wrong length (0); give one weight"),
    "many nodes": (lambda: weights(np.ones(4097, int)), "fairness.weight: has the wrong length (4097)"),
    "heavy": (lambda: weights([1, 2**31]), "fairness.weight[1]: is out of range (2147483648); use a whole"),
    "fraction": (lambda: weights([1, 0.5]), "fairness.weight[1]: is not a whole number (0.5)"),
    "below a tenant": (
        lambda: spec(fairness=weights([1, 1, 1], [1, 2, -1])),
        "fairness.account_parent[0]: is a tenant (1); name an account, 2 to 2, or -1",
    ),
    "below a tenant, no accounts": (
        lambda: spec(fairness=weights([1, 1], [-1, 0])),
        "fairness.account_parent[1]: is a tenant (0); name no account: -1",
    ),
    "circle": (
        lambda: weights([1, 1, 1, 1], [2, -1, 3, 2]),
        "fairness.account_parent[0]: leads in a circle; let each path end in -1",
    ),
    "no such account": (lambda: weights([1, 1], [-1, 2]), "fairness.account_parent[1]: is out of range (2)"),
    "parents": (lambda: weights([1, 1], [-1]), "fairness.account_parent: has the wrong length (1); give 2"),
    "classes": (
        lambda: spec(fairness=weights([1, 1], qos=[0])),
        "fairness.qos: has the wrong length (1); give 2 values, one for each class",
    ),
    "qos": (lambda: weights([1], qos=[2**20 + 1]), "fairness.qos: is out of range (1048577)"),
    "period": (lambda: weights([1], calc_period=0), "fairness.calc_period: is out of range (0)"),
    "decay": (lambda: weights([1], decay_q32=2**32 + 1), "fairness.decay_q32: is out of range"),
    "age": (lambda: weights([1], max_age=0), "fairness.max_age: is out of range (0)"),
    "factor": (lambda: weights([1], w_size=-1), "fairness.w_size: is out of range (-1)"),
    "no user": (lambda: nobody(users=[1, 0]), "sharing.users[1]: is out of range (0); use a whole"),
    "users": (lambda: nobody(users=[1]), "sharing.users: has the wrong length (1); give 2 values"),
    "users' GPUs": (lambda: nobody(user_max_gpus=[-2, 1]), "sharing.user_max_gpus[0]: is out of"),
    "users' jobs": (
        lambda: nobody(user_max_jobs=[1]),
        "sharing.user_max_jobs: has the wrong length",
    ),
    "many users": (
        lambda: nobody(users=[2**20, 1], user_max_jobs=[5, 5]),
        "sharing.users: are too many (1,048,577 with limits); limit at most 1,048,576 users",
    ),
    "unknown user": (
        lambda: spec(sharing=nobody(users=[2, 1])),
        "jobs.user[3]: is no user of the job's tenant (1); use 0 to 0, or give its tenant more sharing.users",
    ),
    "unknown user of a table": (
        lambda: spec(jobs=[JOBS, JOBS], sharing=nobody(users=[1, 2])),
        "jobs[0].user[1]: is no user of the job's tenant (1); use 0 to 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_a_remedy(case: str) -> None:
    make, said = REFUSED[case]
    with pytest.raises(RunError) as caught:
        make()
    assert all(problem.remedy and problem.code for problem in caught.value.problems)
    assert str(caught.value).startswith(said)


def test_users_of_a_table_are_whole_numbers_from_0() -> None:
    columns: dict[str, Any] = {"submit": [0, 5], "service": [1, 1], "gpus": [1, 1]}
    for bad in ([0, -1], [0, 2**28], [0], [0, 0.5]):
        with pytest.raises(WorkloadError, match="user"):
            Jobs(**columns, user=bad)
    table = Jobs(**columns | {"submit": [5, 0]}, user=[1, 2])
    assert table.user.tolist() == [2, 1]
    assert table.user.dtype == np.int32
    assert table != Jobs(**columns | {"submit": [5, 0]})
    assert Jobs(**columns).user.tolist() == [0, 0]


def test_users_without_limits_cost_nothing_and_may_be_many() -> None:
    many = spec(sharing=nobody(users=[2**20, 2**20]))
    assert "user" not in many.arrays
    limited = spec(sharing=nobody(users=[2, 2**20], user_max_jobs=[1, -1]))
    assert limited.arrays["user_offset"].tolist() == [0, 2, 2]
    assert limited.arrays["user"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("order", [FAIRSHARE, FAIR_TREE, MULTIFACTOR])
def test_a_weight_of_0_is_behind_everybody_from_the_beginning(order: int) -> None:
    fairness = weights([0, 1], w_fairshare=1)
    records = run_batch(spec(order, fairness=fairness), 0, 2, records=True).records
    assert records is not None
    assert records.start.tolist() == [4, 9, 0, 2]


def test_a_user_has_no_more_than_its_limit() -> None:
    sharing = nobody(users=[2, 2], user_max_jobs=[1, -1], user_max_gpus=[-1, 1])
    jobs = Jobs(
        submit=[0] * 5, service=[5] * 5, gpus=[1, 1, 1, 2, 1], job_class=[0, 0, 0, 1, 1], user=[0, 0, 1, 1, 1]
    )
    result = run_batch(
        spec(0, jobs=jobs, sharing=sharing, policy=Policy(-1)), 0, 8, records=True, causes=True
    )
    assert result.records is not None
    assert result.records.start.tolist() == [
        0,
        5,
        0,
        -1,
        0,
    ]  # the fourth asks for more than its user may have
    assert result.counts[0, 1, 1] == 1
    assert result.causes is not None
    assert result.causes[0, 0].tolist() == [0, 0, 5, 0, 0, 0, 0, 0]  # quota
