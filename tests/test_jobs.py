"""The job table: what it accepts, how it rounds, and what it keeps."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.errors import (
    BackendUnavailable,
    DeviceMemoryError,
    GpusimError,
    Infeasible,
    NotConverged,
    Problem,
    RunError,
    ScenarioError,
    UsageError,
    WorkloadError,
)
from gpusim.suggest import did_you_mean
from gpusim.workload.jobs import Jobs
from gpusim.workload.usage import in_use


def jobs_of(**changes: Any) -> Jobs:
    return Jobs(**({"submit": [0, 5, 5], "service": [10, 20, 30], "gpus": [1, 2, 4]} | changes))


# ---- columns


def test_columns_have_the_types_the_engine_takes_and_are_read_only() -> None:
    jobs = jobs_of()
    types = {name: column.dtype.name for name, column in jobs.to_dict().items()}
    assert types == {
        "id": "int64", "submit": "int64", "service": "int64", "limit": "int64", "gpus": "int32",
        "job_class": "uint16", "after": "int64", "delay": "int64", "user": "int32",
    }  # fmt: skip
    for column in jobs.to_dict().values():
        assert column.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    with pytest.raises(AttributeError):
        jobs.submit = jobs.service  # type: ignore[misc]


def test_the_input_is_neither_changed_nor_shared() -> None:
    submit = np.array([5, 0, 3])
    jobs = jobs_of(submit=submit)
    submit[:] = 99
    assert jobs.submit.tolist() == [0, 3, 5]


def test_defaults_are_row_numbers_the_run_time_and_class_zero() -> None:
    jobs = jobs_of(submit=[9, 5, 5])
    assert jobs.id.tolist() == [1, 2, 0]
    assert jobs.limit.tolist() == jobs.service.tolist() == [20, 30, 10]
    assert jobs.job_class.tolist() == [0, 0, 0]
    assert (jobs.tick, jobs.source, jobs.dropped, jobs.unix_start) == (1.0, "table", {}, None)


def test_jobs_stand_in_order_of_submit_time_then_id() -> None:
    jobs = jobs_of(submit=[5, 5, 0], id=[9, 3, 7], job_class=[1, 2, 3], limit=[1, 2, 3])
    assert jobs.id.tolist() == [7, 3, 9]
    assert jobs.gpus.tolist() == [4, 2, 1]
    assert jobs.job_class.tolist() == jobs.limit.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    "column",
    [
        [1, 2, 4], (1, 2, 4), np.array([1, 2, 4], np.uint8), np.array([1.0, 2.0, 4.0], np.float32),
        np.array([1, 2, 4], dtype=object), range(1, 4), np.array([1, 0, 2, 0, 4])[::2],
        np.array([1, 2, 4], np.uint64),
    ],
)  # fmt: skip
def test_any_sequence_of_numbers_is_accepted(column: Any) -> None:
    jobs = jobs_of(submit=column, service=column, gpus=column, limit=column, id=column, job_class=column)
    assert jobs.submit.tolist() == jobs.gpus.tolist() == jobs.id.tolist() == [int(value) for value in column]


@pytest.mark.slow
def test_pandas_columns_are_accepted() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "when": pandas.to_datetime(["2024-01-01 00:00:10", "2024-01-01 00:00:00", "2024-01-02 00:00:00"]),
        "run": pandas.to_timedelta(["1s", "90min", "1.5s"]),
        "gpus": pandas.array([1, 2, 4], dtype="Int64"),
    })  # fmt: skip
    for when in (frame["when"], frame["when"].dt.tz_localize("Asia/Seoul")):
        jobs = Jobs(submit=when, service=frame["run"], gpus=frame["gpus"])
        assert jobs.submit.tolist() == [0, 10, 86400]
        assert jobs.service.tolist() == [5400, 1, 2]
        assert jobs.gpus.tolist() == [2, 1, 4]
    assert jobs.unix_start == 1704034800  # midnight in Seoul


@pytest.mark.parametrize("zone", [None, datetime.timezone.utc])
def test_dates_become_seconds_from_the_first(zone: datetime.timezone | None) -> None:
    day = datetime.datetime(2024, 1, 1, tzinfo=zone)
    hour = datetime.timedelta(hours=1)
    jobs = jobs_of(submit=[day + hour, day, day + 2 * hour], service=[hour, hour / 2, hour])
    assert jobs.submit.tolist() == [0, 3600, 7200]
    assert jobs.service.tolist() == [1800, 3600, 3600]
    assert jobs.unix_start == 1704067200


def test_numpy_dates_are_accepted() -> None:
    jobs = jobs_of(
        submit=np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "M8[D]"),
        service=np.array([1, 2, 3], "m8[h]"),
    )
    assert jobs.submit.tolist() == [0, 86400, 172800]
    assert jobs.service.tolist() == [3600, 7200, 10800]


# ---- ticks


def test_submit_is_rounded_down_and_durations_half_up_to_at_least_one_tick() -> None:
    jobs = jobs_of(submit=[0.99, 1.0, 1.999], service=[0.001, 1.5, 2.4999], limit=[0.5, 0.49, 1e6 + 0.5])
    assert jobs.submit.tolist() == [0, 1, 1]
    assert jobs.service.tolist() == [1, 2, 2]
    assert jobs.limit.tolist() == [1, 1, 1_000_001]


@given(st.integers(0, 2**40), st.sampled_from([0.1, 0.01, 0.001, 0.7, 60.0, 1 / 3]))
def test_a_whole_number_of_ticks_stays_whole(count: int, tick: float) -> None:
    jobs = Jobs(submit=[count * tick], service=[(count + 1) * tick], gpus=[1], tick=tick)
    assert (jobs.submit[0], jobs.service[0]) == (count, count + 1)


def test_the_largest_values_are_accepted() -> None:
    largest = {"submit": 2**43 - 1, "service": 2**30, "limit": 2**43 - 1, "gpus": 2**31 - 2}
    largest |= {"id": 2**63 - 1, "job_class": 65535}
    jobs = Jobs(**{name: [value] for name, value in largest.items()})
    assert {name: int(jobs.to_dict()[name][0]) for name in largest} == largest
    chain = Jobs(submit=[0, 0], service=[1, 1], gpus=[1, 1], after=[-1, 0], delay=[0, 2**43 - 1])
    assert chain.delay.tolist() == [0, 2**43 - 1]


# ---- chains


def test_a_table_without_after_has_no_chains() -> None:
    jobs = jobs_of()
    assert not jobs.has_chains
    assert jobs.after.tolist() == [-1, -1, -1]
    assert jobs.delay.tolist() == [0, 0, 0]
    assert not jobs_of(after=[-1, -1, -1]).has_chains


def test_after_names_rows_of_the_input_and_follows_them_when_jobs_are_sorted() -> None:
    #  input row      0  1  2  3        queue order: 2, 1, 3, 0
    jobs = Jobs(
        submit=[9, 5, 0, 5], service=[1, 2, 3, 4], gpus=[1] * 4, after=[3, 2, -1, 1], delay=[7, 0, 0, 5]
    )
    assert jobs.id.tolist() == [2, 1, 3, 0]
    assert jobs.after.tolist() == [-1, 0, 1, 2]
    assert jobs.delay.tolist() == [0, 0, 5, 7]
    assert jobs.has_chains


@given(st.data())
def test_every_job_keeps_its_predecessor_whatever_the_order_of_the_rows(data: st.DataObject) -> None:
    submit = sorted(data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=12)))
    free = list(range(len(submit)))  # jobs that nobody follows yet, in queue order
    before: list[int] = []
    for row in range(len(submit)):
        choice = data.draw(st.sampled_from([-1, *(other for other in free if other < row)]))
        free = [other for other in free if other != choice]
        before.append(choice)
    order = data.draw(st.permutations(range(len(submit))))
    place = {row: k for k, row in enumerate(order)}
    jobs = Jobs(
        submit=[submit[row] for row in order],
        service=[1] * len(order),
        gpus=[1] * len(order),
        id=order,
        after=[place.get(before[row], -1) for row in order],
    )
    assert jobs.id.tolist() == list(range(len(submit)))
    assert jobs.after.tolist() == before


def test_a_delay_is_rounded_half_up_and_may_be_zero() -> None:
    jobs = jobs_of(after=[-1, 0, 1], delay=[0, 0.49, 1.5])
    assert jobs.delay.tolist() == [0, 0, 2]
    hours = jobs_of(after=[-1, 0, 1], delay=[datetime.timedelta(hours=h) for h in (0, 1, 2)], tick=60)
    assert hours.delay.tolist() == [0, 60, 120]


def test_a_job_without_a_predecessor_is_held_from_its_submit_on() -> None:
    jobs = jobs_of(after=[-1, 0, -1], delay=[60, 60, 60])
    assert jobs.delay.tolist() == [60, 60, 60]
    assert jobs.has_holds
    alone = jobs_of(delay=[0, 0.5, 9])
    assert alone.delay.tolist() == [0, 1, 9]
    assert alone.has_holds
    assert not alone.has_chains
    assert not jobs_of(after=[-1, 0, -1], delay=[0, 60, 0]).has_holds


def test_jobs_that_follow_others_differ_from_jobs_that_do_not() -> None:
    assert jobs_of(after=[-1, 0, -1]) != jobs_of()
    assert jobs_of(after=[-1, 0, -1], delay=[0, 1, 0]) != jobs_of(after=[-1, 0, -1])
    assert pickle.loads(pickle.dumps(jobs_of(after=[-1, 0, -1]))).after.tolist() == [-1, 0, -1]


#  job 0 (1 GPU)   0..10
#  job 1 (2 GPUs)             13..33 (3 s after job 0)
#  job 2 (4 GPUs)                   33..63
def test_the_load_of_a_chain_is_spread_over_the_time_it_takes() -> None:
    jobs = jobs_of(after=[-1, 0, 1], delay=[0, 3, 0])
    assert jobs.starts_without_waiting().tolist() == [0, 13, 33]
    assert jobs.offered_load == 170 / 63
    early = jobs_of(submit=[0, 50, 50], after=[-1, 0, -1])
    assert early.starts_without_waiting().tolist() == [0, 50, 50]
    held = jobs_of(after=[-1, 0, -1], delay=[5, 3, 1])
    assert held.starts_without_waiting()[:2].tolist() == [5, 18]


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ([-1, 3, -1], "jobs[1].after: is no row of the table (3)"),
        ([-2, -1, -1], "jobs[0].after: is no row of the table (-2)"),
        ([-1, 1, -1], "jobs[1].after: follows itself (jobs[1])"),
        ([1, -1, -1], "jobs[0].after: follows a job that does not queue before it (jobs[1])"),
        ([-1, 2, -1], "jobs[1].after: follows a job that does not queue before it (jobs[2])"),
        ([-1, 0, 0], "jobs[2].after: names a job that another one follows already (jobs[0], followed by"),
        ([-1, 0.5, -1], "jobs[1].after: is not the number of a row (0.5)"),
        ([-1, -1], "jobs: columns differ in length (submit 3, service 3, gpus 3, after 2)"),
    ],
)
def test_a_chain_that_cannot_be_is_refused_with_its_row(after: list[Any], message: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        jobs_of(after=after)
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)


def test_every_problem_of_a_chain_is_reported_at_once() -> None:
    with pytest.raises(WorkloadError) as caught:
        jobs_of(after=[7, 0, 0], delay=[0, -1, 2**44], gpus=[1, 0, 1])
    assert [problem.code for problem in caught.value.problems] == [
        "workload/after", "workload/no-gpus", "workload/negative-time", "workload/too-large", "workload/after-twice",
    ]  # fmt: skip


# ---- the object


def test_offered_load_is_the_time_mean_in_use_without_a_limit() -> None:
    jobs = jobs_of()  # 1 x 10 + 2 x 20 + 4 x 30 GPU-ticks between 0 and 35
    assert jobs.offered_load == 170 / 35
    assert jobs.offered_load == in_use(jobs.submit, jobs.submit + jobs.service, jobs.gpus).mean


def test_the_text_says_how_many_jobs_and_how_much_load() -> None:
    assert repr(jobs_of()) == (
        "Jobs(3 jobs, 7 GPUs asked (1 to 4), submits over 5 s, offered load 4.857 GPUs, from table)"
    )
    assert len(jobs_of()) == 3


def test_equality_is_of_jobs_and_not_of_their_order_in_the_input() -> None:
    assert jobs_of() == jobs_of(submit=[5, 5, 0], service=[20, 30, 10], gpus=[2, 4, 1], id=[1, 2, 0])
    assert jobs_of() != jobs_of(gpus=[1, 2, 5])
    assert jobs_of() != jobs_of(tick=0.5, submit=[0, 2.5, 2.5], service=[5, 10, 15])
    assert jobs_of() != "jobs"


def test_a_pickled_table_is_equal_and_still_read_only() -> None:
    again = pickle.loads(pickle.dumps(jobs_of()))
    assert again == jobs_of()
    assert not any(column.flags.writeable for column in again.to_dict().values())


# ---- errors and suggestions


@pytest.mark.parametrize(
    ("kind", "builtin", "exit_code"),
    [
        (Infeasible, GpusimError, 1), (UsageError, ValueError, 2), (ScenarioError, ValueError, 3),
        (WorkloadError, ValueError, 3), (BackendUnavailable, RuntimeError, 4), (RunError, RuntimeError, 5),
        (DeviceMemoryError, MemoryError, 5), (NotConverged, GpusimError, 6),
    ],
)  # fmt: skip
def test_errors_keep_their_exit_code_and_survive_pickling(
    kind: type[GpusimError], builtin: type[Exception], exit_code: int
) -> None:
    error = kind([Problem("a.yaml:3", "is wrong", "write 4", "x/y", "3")], more=2)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, kind)
    assert isinstance(again, builtin)
    assert isinstance(again, GpusimError)
    assert (again.exit_code, again.code, again.problems, again.more) == (exit_code, "x/y", error.problems, 2)
    assert str(again) == str(error) == "3 problems\n  - a.yaml:3: is wrong (3); write 4\n  - and 2 more"


def test_a_long_list_of_problems_is_cut_after_twenty() -> None:
    error = WorkloadError([Problem(f"jobs[{k}]", "is wrong") for k in range(35)])
    lines = str(error).splitlines()
    assert lines[0] == "35 problems"
    assert lines[20:] == ["  - jobs[19]: is wrong", "  - and 15 more"]


def test_one_problem_is_one_line() -> None:
    assert str(RunError("stopped")) == "stopped"
    assert str(UsageError(Problem("x", "is missing", "name a file"))) == "x: is missing; name a file"


@pytest.mark.parametrize(
    ("word", "found"),
    [("backfil", "backfill"), ("BACK_FILL", "backfill"), ("max-wait", "max_wait"), ("zebra", None)],
)
def test_the_nearest_allowed_word_is_offered(word: str, found: str | None) -> None:
    assert did_you_mean(word, ["backfill", "max_wait", "tenants"]) == found
