"""The engine equals the oracle, job by job, in every field, on every path through the core.

Each random case is run through the host strips, the 32 emulated lanes, EASY by the general profile, and a first
attempt in far too little room (forced overflow and rerun). A case is one center; a CI run has more than 2,000.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from cases import Case, cases, differences
from gpusim.engine.batch import run_batch
from gpusim.engine.spec import Policy, RunSpec
from gpusim.workload.jobs import Jobs

TINY = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4}
PATHS = {
    "host": {},
    "lanes": {"lanes": 32},
    "overflow": TINY,
    "lanes and overflow": {"lanes": 32, **TINY},
}


@settings(max_examples=400)
@given(case=cases())
def test_engine_equals_oracle_job_by_job(case: Case) -> None:
    compare(case)


@pytest.mark.slow
@settings(max_examples=5000)
@given(case=cases())
def test_engine_equals_oracle_on_thousands_of_cases(case: Case) -> None:
    compare(case)


def compare(case: Case) -> None:
    expected = case.answer()
    for always_profile in (False, True):
        spec = case.spec(always_profile=always_profile)
        for name, path in PATHS.items():
            result = run_batch(spec, 0, case.gpus, records=True, **path)
            assert not differences(result, expected), (name, always_profile)


@settings(max_examples=300)
@given(case=cases())
def test_early_run_gives_the_verdict_of_the_whole_run(case: Case) -> None:
    spec = case.spec()
    whole = run_batch(spec, 0, np.arange(1, 25))
    early = run_batch(spec, 0, np.arange(1, 25), early=True)
    assert np.array_equal(whole.passed, early.passed)
    assert np.array_equal(early.first_violated >= 0, ~early.passed)


@pytest.mark.parametrize("lanes", [1, 32])
def test_forced_overflow_is_really_forced(lanes: int) -> None:
    jobs = Jobs(submit=np.zeros(300), service=np.arange(1, 301), gpus=np.ones(300))
    spec = RunSpec(jobs, policy=Policy(backfill=2))
    roomy = run_batch(spec, 0, 100, records=True, lanes=lanes)
    tight = run_batch(spec, 0, 100, records=True, lanes=lanes, **TINY)
    assert roomy.reruns == 0
    assert tight.reruns >= 5
    assert np.array_equal(roomy.records.start, tight.records.start)
