"""Cells run ahead on a device: they change no integer of an answer, count when asked for, and save launches."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpusim
from cli_calls import TINY
from emulated_device import EmulatedDevice, emulated
from gpusim.engine import backend
from gpusim.engine.batch import run_batch
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import Policy, RunSpec
from gpusim.errors import Problem, RunError
from gpusim.plan import runs as runs_module
from gpusim.plan.experiment import Experiment
from gpusim.plan.runs import Runs
from gpusim.plan.size import capacity_grid, prepared_runs, search
from gpusim.stats.critical import OutOfTime
from gpusim.workload.jobs import Jobs
from test_device_contract import sliced

Batches = list[tuple[int, bool]]


def tiny(*changes: str) -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TINY, overrides=changes)


def batched(monkeypatch: pytest.MonkeyPatch) -> Batches:
    """Cells of every batch of a plan's runs that is not asked of the cpu, and whether it was early."""
    seen: Batches = []

    def noted(spec: RunSpec, replication: Any, *args: Any, **options: Any) -> BatchResult:
        if options["backend"] != "cpu":
            seen.append((len(replication), options["early"]))
        return run_batch(spec, replication, *args, **options)

    monkeypatch.setattr(runs_module, "run_batch", noted)
    return seen


def numbers(*some: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(some, dtype=np.int64)


# ---- whole answers ----------------------------------------------------------------------------------------------


def test_an_answer_is_the_same_from_half_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = batched(monkeypatch)
    answers, early, launches = [], [], []
    for ahead in (True, False):
        if not ahead:
            monkeypatch.setattr(backend, "abreast", lambda *_: 0)
        with emulated(EmulatedDevice(processors=16, workers=8)) as (device,), sliced(1 << 40):
            batches.clear()
            answer = gpusim.size(tiny(), backend="emulated", threads=1).to_dict()
            early.append(sum(early for _, early in batches))
            launches.append(len(device.launches))
        del answer["spent"]["seconds"]
        answers.append(answer)
    assert answers[0] == answers[1]  # runs and jobs as well
    assert early[0] <= early[1] / 2
    assert launches[1] - launches[0] >= early[1] - early[0]


def test_a_search_says_how_much_was_run_ahead_and_for_nothing() -> None:
    scenario = tiny()
    spent = []
    for engine in ("cpu", "emulated"):
        with emulated(EmulatedDevice(processors=16, workers=8)):
            runs = prepared_runs(scenario, 1, engine, 1)
            found = search(scenario, runs, capacity_grid(scenario))
        assert runs.count == found.total_runs
        spent.append((runs.count, runs.jobs, found))
        assert 0 <= runs.unused <= runs.speculated
        assert (runs.speculated > 100) == (engine == "emulated")
        assert runs.speculated - runs.unused < runs.count
    assert spent[0] == spent[1]


@pytest.mark.parametrize("engine", ["cpu", "auto"])
def test_on_a_cpu_nobody_foresees_anything(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runs, "foresee", lambda *_: pytest.fail("foreseen"))
    monkeypatch.setattr(backend, "MODULES", {})
    backend.ask_again()
    runs = prepared_runs(tiny(), 1, engine, 1)
    search(tiny(), runs, capacity_grid(tiny()))
    assert (runs.ahead, runs.speculated, runs.unused) == (0, 0, 0)
    monkeypatch.undo()
    backend.ask_again()


# ---- what is run ahead ------------------------------------------------------------------------------------------


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs on an emulated device of 64 workers, and its batches."""
    batches = batched(monkeypatch)
    with emulated(EmulatedDevice(processors=8, workers=8)):
        yield prepared_runs(tiny(), 1, "emulated", 1), batches


def test_a_cell_run_ahead_counts_when_it_is_asked_for(ready: tuple[Runs, Batches]) -> None:
    runs, batches = ready
    alone = prepared_runs(tiny(), 1, "cpu", 1)
    assert runs.ahead == 64
    runs.foresee(numbers(0, 1, 2, 1), numbers(24, 24, 24, 24))
    asked = [(numbers(1, 2), 20), (numbers(0, 1), 24), (numbers(0, 2), 30), (numbers(2), 24)]
    for replications, value in asked:
        assert runs.evaluate(replications, value).tolist() == alone.evaluate(replications, value).tolist()
        assert (runs.count, runs.jobs) == (alone.count, alone.jobs)
        every = np.arange(3)
        for other in (18, 24, 28, 40):  # what is implied
            assert runs.open(every, other).tolist() == alone.open(every, other).tolist()
    assert batches == [(5, True), (2, True)]
    assert runs.speculated == 3
    assert runs.unused == 0


def test_no_more_runs_ahead_than_there_are_workers_left(ready: tuple[Runs, Batches]) -> None:
    runs, batches = ready
    for asked, foreseen, launched in ((10, 20, 30), (10, 500, 64), (64, 500, 64), (70, 500, 70)):
        runs.begin("search")
        value = 20 + len(batches)
        runs.foresee(np.arange(foreseen), np.full(foreseen, 40 + len(batches)))
        runs.evaluate(np.arange(asked), value)
        assert batches[-1] == (launched, True)


def test_cells_asked_for_and_cells_run_before_are_not_run_ahead(ready: tuple[Runs, Batches]) -> None:
    runs, batches = ready
    runs.foresee(numbers(0, 1, 2, 3), numbers(20, 20, 24, 24))
    runs.evaluate(numbers(0, 1), 20)
    runs.foresee(numbers(2, 3, 4), numbers(24, 24, 24))
    runs.evaluate(numbers(0, 1), 22)
    runs.evaluate(numbers(5), 20)  # nothing was foreseen with this one
    assert [n for n, _ in batches] == [4, 3, 1]


def test_whole_runs_are_not_run_ahead(ready: tuple[Runs, Batches]) -> None:
    runs, batches = ready
    runs.foresee(numbers(3, 4), numbers(24, 24))
    runs.begin("fill-in")
    assert runs.ahead == 0
    runs.evaluate(numbers(1, 2), 24)
    runs.begin("audit")
    runs.evaluate(numbers(1, 2), 30)
    assert batches == [(2, False), (2, True)]


def test_verdicts_take_what_was_run_ahead(ready: tuple[Runs, Batches]) -> None:
    runs, batches = ready
    alone = prepared_runs(tiny(), 1, "cpu", 1)
    runs.foresee(np.arange(6), np.full(6, 24))
    for each in (runs, alone):
        each.evaluate(numbers(6), 24)
    mine, other = runs.verdicts(np.arange(7), 24), alone.verdicts(np.arange(7), 24)
    assert mine[0].tolist() == other[0].tolist()
    assert mine[1] == other[1] == 1
    assert [n for n, _ in batches] == [7]
    assert (runs.count, runs.jobs) == (alone.count, alone.jobs)


@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_is_foreseen_and_asked_counts_like_on_the_cpu(
    seed: int, ready: tuple[Runs, Batches]
) -> None:
    runs, _ = ready
    alone, rng = prepared_runs(tiny(), 1, "cpu", 1), np.random.default_rng(seed)
    for _ in range(40):
        n = int(rng.integers(1, 12))
        replications = np.sort(rng.choice(16, n, replace=False))
        value = int(rng.integers(20, 28))
        if rng.random() < 0.7:
            cells = rng.permutation(16 * 8)[: int(rng.integers(0, 80))]
            runs.foresee(cells % 16, 20 + cells // 16)
        way = rng.choice(["evaluate", "verdicts", "cells"])
        results = []
        for each in (runs, alone):
            if way == "evaluate":
                results.append(each.evaluate(replications, value).tolist())
            elif way == "verdicts":
                passed, implied = each.verdicts(replications, value)
                results.append((passed.tolist(), implied))
            else:
                results.append(each.cells(replications, value + replications % 3).tolist())
        assert results[0] == results[1]
        assert (runs.count, runs.jobs) == (alone.count, alone.jobs)
    assert runs.speculated > 50


def test_another_scenario_shares_nothing_that_was_run_ahead(ready: tuple[Runs, Batches]) -> None:
    runs, batches = ready
    runs.foresee(numbers(1), numbers(22))
    runs.cells(numbers(0), numbers(22))
    runs.experiment = Experiment(tiny("tenants[0].classes[0].arrivals.load=30"), 1)
    alone = Runs(runs.experiment, runs.axis, 0.8, "cpu")
    assert runs.cells(numbers(1), numbers(22)).tolist() == alone.cells(numbers(1), numbers(22)).tolist()
    assert (batches[-1], runs.unused) == ((1, True), 1)


def test_an_uncertain_demand_is_not_compiled_for_replications_that_nobody_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uncertain = tiny("tenants[0].classes[0].arrivals.load={uniform: [18, 22]}")
    batches = batched(monkeypatch)
    with emulated(EmulatedDevice(processors=8, workers=8)):
        runs, alone = (prepared_runs(uncertain, 1, engine, 1) for engine in ("emulated", "cpu"))
        assert runs.experiment.uncertain
        runs.foresee(numbers(0, 1, 2, 3), numbers(24, 24, 24, 24))
        for replications, value in ((numbers(1, 2), 20), (numbers(1, 2), 24), (numbers(0, 3), 24)):
            expected = alone.evaluate(replications, value).tolist()
            assert runs.evaluate(replications, value).tolist() == expected
    assert [n for n, _ in batches] == [4, 2]
    assert (runs.count, runs.jobs) == (alone.count, alone.jobs)


# ---- when things go wrong ---------------------------------------------------------------------------------------


def test_a_stopped_batch_gives_a_prefix_of_what_was_asked_and_nothing_ahead(
    ready: tuple[Runs, Batches], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, _ = ready
    runs.foresee(numbers(2), numbers(20))
    whole = runs.cells(numbers(0), numbers(20))
    assert (runs.count, len(whole)) == (1, 1)

    def stopped(spec: RunSpec, replication: Any, *args: Any, **options: Any) -> BatchResult:
        """Of the cells asked, 1, 3, 4 (2 is known), 3 is not complete; all that are ahead are."""
        result = run_batch(spec, replication, *args, **options)
        assert replication.tolist() == [1, 3, 4, 5, 6]
        assert options["progress"](5, 5) is True
        runs.deadline = time.monotonic() - 1.0
        assert options["progress"](5, 5) is False
        status = np.where(replication == 3, 5, result.status).astype(np.int32)
        return dataclasses.replace(result, status=status)

    monkeypatch.setattr(runs_module, "run_batch", stopped)
    shown: list[tuple[int, int]] = []
    runs.on_progress = lambda progress: shown.append((progress.done, progress.total))
    runs.foresee(numbers(5, 6), numbers(20, 20))
    with pytest.raises(OutOfTime) as caught:
        runs.evaluate(numbers(1, 2, 3, 4), 20)
    assert caught.value.passes is not None
    assert len(caught.value.passes) == 2
    assert runs.count == 4  # 0, 1, 2 and 4
    assert runs.speculated == 1  # 5 and 6 are dropped
    assert all(done <= total == 4 for done, total in shown)
    with pytest.raises(OutOfTime):  # no time is left, not even for what is known
        runs.evaluate(numbers(5), 20)
    assert runs.count == 4


def test_a_failure_of_a_cell_that_nobody_asked_for_is_never_heard_of(
    ready: tuple[Runs, Batches], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, _ = ready
    tried: list[int] = []

    def picky(spec: RunSpec, replication: Any, gpus: Any, **options: Any) -> BatchResult:
        tried.append(len(replication))
        if 9 in replication:
            raise RunError(Problem("replication 9", "the run could not be completed"))
        return run_batch(spec, replication, gpus, **options)

    monkeypatch.setattr(runs_module, "run_batch", picky)
    runs.foresee(numbers(9), numbers(20))
    assert len(runs.evaluate(numbers(0, 1), 20)) == 2
    assert tried == [3, 2]
    assert (runs.ahead, runs.speculated) == (0, 0)
    with pytest.raises(RunError, match="replication 9"):
        runs.evaluate(numbers(9), 20)


# ---- auto -------------------------------------------------------------------------------------------------------


@pytest.fixture
def automatic(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes runs with backend "auto", where batches of about 10 cells or more go to a device of 64 workers."""
    batches = batched(monkeypatch)
    jobs = backend.expected_jobs(Experiment(tiny(), 1).spec, cells(1))

    def made(**device: Any) -> tuple[Runs, Batches]:
        return prepared_runs(tiny(), 1, "auto", 1), batches

    monkeypatch.setattr(backend, "MODULES", {})
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", str(10 * jobs))
    with emulated(EmulatedDevice(processors=8, workers=8)):
        yield made
    backend.ask_again()


def cells(n: int) -> dict[str, Any]:
    return {"replication": np.arange(n), "demand_ppm": np.full(n, 1_000_000)}


def test_auto_runs_ahead_beside_batches_that_go_to_a_device_by_themselves(
    automatic: Callable[..., tuple[Runs, Batches]],
) -> None:
    runs, batches = automatic()
    sizes = []
    for value, asked in enumerate((12, 12, 3, 12), start=20):
        assert runs.ahead == (64 if batches else 0)  # no device has run anything for this study at first
        runs.foresee(np.arange(100, 200), np.full(100, value))
        runs.evaluate(np.arange(asked), value)
        sizes.append(batches[-1][0])
    assert sizes == [12, 64, 3, 64]


def test_auto_runs_nothing_ahead_once_a_device_has_disappointed(
    automatic: Callable[..., tuple[Runs, Batches]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, batches = automatic()
    runs.evaluate(np.arange(12), 20)
    monkeypatch.setattr("gpusim.engine.batch.disbelieve", lambda *_, **__: "gave other integers")
    runs.foresee(np.arange(100, 200), np.full(100, 21))
    runs.evaluate(np.arange(12), 21)
    assert (batches[-1][0], runs.ahead) == (64, 0)
    monkeypatch.undo()


# ---- how many ---------------------------------------------------------------------------------------------------


def test_devices_work_on_as_many_runs_as_they_have_workers() -> None:
    spec = RunSpec([Jobs(submit=[0, 1], service=[5, 5], gpus=[1, 2])], policy=Policy(1))
    assert backend.abreast("cpu", spec) == backend.abreast("no such", spec) == 0
    with emulated(EmulatedDevice(processors=3, workers=8), EmulatedDevice(processors=2, workers=4)):
        assert backend.abreast("emulated", spec) == 32
        assert backend.abreast("cpu", spec) == 0


def test_memory_limits_how_many_runs_are_made_at_once() -> None:
    spec = RunSpec([Jobs(submit=[0, 1], service=[5, 5], gpus=[1, 2])], policy=Policy(1))
    with emulated(EmulatedDevice(processors=64, workers=16, total_bytes=64 << 20)) as (device,):
        some = backend.abreast("emulated", spec)
        assert 1 < some < 64 * 16
        before = device.most_bytes
        run_batch(spec, np.zeros(some, int), 3, early=True, backend="emulated", **spec.room)
        assert before < device.most_bytes <= device.total_bytes
        spec.room["queue_slots"] = 1 << 20  # what an earlier run has needed
        assert backend.abreast("emulated", spec) < some / 2
