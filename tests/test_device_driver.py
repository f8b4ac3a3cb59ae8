"""The driver of devices: memory, launches, polling and failures; that results are right is `test_device_contract`."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from emulated_device import EmulatedDevice, emulated
from gpusim import _native
from gpusim.engine import device_share
from gpusim.engine.batch import run_batch
from gpusim.engine.device import Slices, longest_first
from gpusim.engine.device_memory import Need, fitting, usable
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import Policy, RunSpec
from gpusim.errors import DeviceMemoryError, Problem, RunError
from test_device_contract import PER_CELL, crowd, sliced, unequal


def spec_of(*sizes: int, backfill: int = 1) -> RunSpec:
    return RunSpec([crowd(n) for n in sizes], policy=Policy(backfill))


def run(spec: RunSpec, *cells: Any, **options: Any) -> BatchResult:
    return run_batch(spec, *cells, backend="emulated", **options)


# ---- slices -----------------------------------------------------------------------------------------------------


@given(budget=st.integers(64, 1 << 40), took=st.floats(0, 1e6))
def test_a_budget_changes_eightfold_at_most_and_stays_in_bounds(budget: int, took: float) -> None:
    slices = Slices()
    after = slices.after(budget, took)
    assert slices.least <= after <= slices.most
    assert after <= 8 * budget
    assert after >= min(budget // 8, slices.most)


def test_budgets_settle_at_a_fifth_of_a_second() -> None:
    for rate in (1e3, 3e5, 1e8):  # events of a worker in a second
        budget, slices = Slices().first, Slices()
        for _ in range(20):
            budget = slices.after(budget, budget / rate)
        assert budget / rate == pytest.approx(0.2, rel=0.01)


def test_a_slice_ends_between_events_and_the_next_goes_on() -> None:
    spec = spec_of(200)
    with emulated() as (device,), sliced(5):
        run(spec, 0, 3)
        assert device.said.count("launch") == device.said.count("wait") > 10
    with emulated() as (device,), sliced(1 << 40):
        run(spec, 0, 3)
        assert device.said.count("launch") == 1


# ---- several devices --------------------------------------------------------------------------------------------


def test_every_device_is_launched_before_one_is_waited_for() -> None:
    said: list[str] = []
    devices = [EmulatedDevice("a"), EmulatedDevice("b")]
    for device in devices:
        device.said = said
    with emulated(*devices), sliced(1 << 40):
        run(spec_of(50), np.zeros(8, int), 3)
    calls = [call for call in said if call in ("launch", "wait")]
    assert calls == ["launch", "launch", "wait", "wait"]


def test_cells_are_dealt_out_and_the_longest_come_first() -> None:
    cells = {"gpus": np.array([[9], [2], [5], [2]], np.int32), "demand_ppm": np.array([1, 1, 1, 7])}
    assert longest_first(cells).tolist() == [3, 1, 2, 0]
    devices = [EmulatedDevice("a"), EmulatedDevice("b")]
    with emulated(*devices):
        run(spec_of(50), np.zeros(5, int), [9, 2, 5, 3, 4])
    assert [len(device.launches) > 0 for device in devices] == [True, True]
    with emulated(EmulatedDevice("a"), EmulatedDevice("b")) as (one, other):
        run(spec_of(50), 0, 9)
        assert one.launches
        assert not other.launches


def test_workers_are_as_many_as_cells_processors_and_memory_allow() -> None:
    spec = spec_of(30)
    for n, processors, workers, blocks in ((1, 2, 8, 1), (9, 2, 8, 3), (500, 2, 8, 4), (500, 3, 4, 3)):
        with emulated(EmulatedDevice(processors=processors, workers=workers)) as (device,):
            run(spec, np.zeros(n, int), 3)
            assert device.launches[0][1] == blocks
            assert device.launches[0][2] * -(-blocks // processors) <= device.shared_bytes


def test_no_more_shared_memory_is_taken_than_is_used() -> None:
    spec, asked = spec_of(30), []
    for shared in (8 << 10, 128 << 10, 1 << 20):
        with emulated(EmulatedDevice(processors=1, workers=4, shared_bytes=shared)) as (device,):
            run(spec, 0, 40)
            asked.append(device.launches[0][2])
            assert asked[-1] <= shared - 1024
    assert asked[1] == asked[2] < 64 << 10
    assert asked[0] > 4 << 10


# ---- the model --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_model_is_uploaded_once_per_spec_and_device_and_goes_with_the_spec() -> None:
    spec = spec_of(30)
    with emulated() as (device,):
        run(spec, 0, 3)
        assert len(device.memory) == 1  # the model alone
        before = device.said.count("allocate")
        run(spec, 0, [3, 4])
        assert device.said.count("allocate") == before + 1
        assert len(device.memory) == 1
        other = spec_of(40)
        run(other, 0, 3)
        assert len(device.memory) == 2
        del spec
        gc.collect()
        assert len(device.memory) == 1
        del other
        gc.collect()
        assert device.memory == {}


def test_models_of_other_specs_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = spec_of(4000), spec_of(4001)
    with emulated() as (device,):
        run(old, 0, 100)
        model, most = device.used_bytes, device.most_bytes
        device.total_bytes = int(1.1 * most)
        assert model > 0.1 * most  # so that both models and the rest do not fit
        run(new, 0, 100)
        assert len(device.memory) == 1
        assert not device_share.has_image(old, device)


@pytest.mark.parametrize("same", [False, True])
def test_a_batch_within_a_batch_leaves_the_model_of_the_outer_one(same: bool) -> None:
    outer, cells, told = spec_of(4000), ([0, 0], [90, 100]), []
    inner = outer if same else spec_of(4001)
    expected = run_batch(outer, *cells, backend="cpu")
    with emulated() as (device,):
        run(outer, *cells)
        total = device.most_bytes

    def interrupted(done: int, of: int) -> None:
        raise Interrupted

    def nested(done: int, of: int) -> None:
        if told:
            return
        # Either has models released: to make room, or after a failure.
        with pytest.raises(Interrupted if same else DeviceMemoryError):
            run(inner, *cells, progress=interrupted)
        told.append(done)

    with emulated(EmulatedDevice(total_bytes=int((3 if same else 1.2) * total))) as (device,), sliced(1000):
        assert unequal(run(outer, *cells, progress=nested), expected) == []
        assert len(told) == 1
        assert device.said.count("launch") > 3
        assert len(device.memory) == 1


# ---- memory -----------------------------------------------------------------------------------------------------

SIZES = st.integers(0, 1 << 40)


@given(
    model=SIZES,
    cell=st.integers(1, 1 << 30),
    worker=st.integers(1, 1 << 30),
    pieces=st.integers(0, 1 << 20),
    cells=st.integers(1, 10**6),
    workers=st.integers(1, 10**4),
    free=SIZES,
)
def test_what_fits_is_all_or_within_what_is_free_or_not_even_one(
    model: int, cell: int, worker: int, pieces: int, cells: int, workers: int, free: int
) -> None:
    need = Need(model, cell, worker, pieces)
    workers = min(workers, cells)
    n, w = fitting(need, cells, workers, free)
    if n == 0:
        assert w == 0
        assert need.of(1, 1) > usable(free)
        return
    assert 1 <= w <= workers
    assert w <= n <= cells
    assert need.of(n, w) <= usable(free)
    if need.of(cells, workers) <= usable(free):
        assert (n, w) == (cells, workers)


def test_a_batch_larger_than_memory_is_cut_and_gives_the_same() -> None:
    spec = spec_of(100, 60, 20)
    n = 300
    cells = (np.arange(n) % 3, 2 + np.arange(n) % 7)
    expected = run_batch(spec, *cells, backend="cpu", histogram=True)
    with emulated() as (device,):
        run(spec, [0], 2, histogram=True)
        total = 2 * device.most_bytes
    with emulated(EmulatedDevice(total_bytes=total)) as (device,), sliced(1 << 40):
        result = run(spec, *cells, histogram=True)
        assert device.said.count("launch") >= 10
        assert device.most_bytes <= total
    assert unequal(result, expected) == []


def test_what_cannot_fit_is_refused_before_anything_is_allocated() -> None:
    with emulated(EmulatedDevice("tiny", total_bytes=30_000)) as (device,):
        with pytest.raises(DeviceMemoryError) as caught:
            run(spec_of(10), [0, 0, 0], 3)
        assert device.said == []
        assert device.memory == {}
    said = str(caught.value)
    assert said.startswith("memory of tiny: one run needs ")
    assert "are free; largest batch that fits: 0 of 3 cells" in said
    assert "--backend cpu" in said
    assert caught.value.exit_code == 5


def test_a_device_without_room_leaves_its_cells_to_the_others() -> None:
    spec = spec_of(30)
    expected = run_batch(spec, np.zeros(6, int), [1, 2, 3, 4, 5, 6], backend="cpu")
    with emulated(EmulatedDevice("full", total_bytes=1000), EmulatedDevice("free")) as (full, _):
        result = run(spec, np.zeros(6, int), [1, 2, 3, 4, 5, 6])
        assert full.said == []
    assert unequal(result, expected) == []


def test_a_run_that_outgrows_the_device_says_so_and_leaves_nothing() -> None:
    spec = spec_of(3000)
    with emulated() as (device,):
        run(spec_of(10), 0, 3, queue_slots=64)
        total = 2 * device.most_bytes
    with emulated(EmulatedDevice(total_bytes=total)) as (device,):
        with pytest.raises(DeviceMemoryError):
            run(spec, 0, 1, queue_slots=64)
        assert device.memory == {}


# ---- stopping and failing ---------------------------------------------------------------------------------------


def test_progress_counts_up_to_all_cells_and_never_back() -> None:
    seen: list[tuple[int, int]] = []
    spec = spec_of(4, 300)
    with emulated(), sliced(2):
        result = run(spec, np.arange(40) % 2, 8, queue_slots=4, progress=lambda *said: seen.append(said))
    assert result.reruns > 0
    done = [k for k, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (40, 40)
    assert len(set(done)) > 5


def test_progress_may_stop_a_batch_and_what_is_done_is_kept() -> None:
    spec = spec_of(200)
    expected = run_batch(spec, np.zeros(40, int), 3, backend="cpu")
    with emulated() as (device,), sliced(100):
        result = run(spec, np.zeros(40, int), 3, progress=lambda done, total: done < 8)
        assert len(device.memory) == 1
    done = result.status == 0
    assert 8 <= done.sum() < 40
    assert set(result.status.tolist()) == {0, 5}
    for name in PER_CELL:
        assert np.array_equal(getattr(result, name)[done], getattr(expected, name)[done])


class Interrupted(BaseException):
    """Stands for KeyboardInterrupt, which pytest takes for itself."""


def failing(device: EmulatedDevice, call: str, after: int, error: BaseException) -> None:
    """Have one call of the device raise, after so many that do not."""
    real: Callable[..., Any] = getattr(device, call)
    times = itertools.count()

    def fail(*args: Any) -> Any:
        if next(times) == after:
            raise error
        return real(*args)

    setattr(device, call, fail)


@pytest.mark.parametrize(
    ("call", "after"),
    [
        *(("allocate", 0), ("allocate", 1), ("zero", 0), ("upload", 0), ("upload", 1), ("upload", 4)),
        *(("launch", 0), ("launch", 3), ("wait", 0), ("wait", 3), ("download", 0), ("download", 9)),
    ],
)
def test_whatever_fails_nothing_stays_allocated(call: str, after: int) -> None:
    devices = [EmulatedDevice("a"), EmulatedDevice("b")]
    failing(devices[1], call, after, Interrupted())
    with emulated(*devices), sliced(30), pytest.raises(Interrupted):
        run(spec_of(200), np.zeros(9, int), 3)
    assert [device.memory for device in devices] == [{}, {}]


def test_an_interrupt_in_progress_leaves_nothing() -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with emulated() as (device,), sliced(1):
        with pytest.raises(KeyboardInterrupt):
            run(spec_of(100), 0, 3, progress=interrupt)
        assert device.memory == {}


def test_a_failed_launch_is_a_run_error_and_the_device_can_be_used_again() -> None:
    spec = spec_of(100)
    device = EmulatedDevice()
    failing(device, "wait", 1, RunError([Problem("emulated", "failed", "try again", "run/device")]))
    with emulated(device), sliced(10):
        with pytest.raises(RunError, match="emulated: failed; try again"):
            run(spec, 0, 3)
        del device.wait  # as it was
        assert unequal(run(spec, 0, 3), run_batch(spec, 0, 3, backend="cpu")) == []


def test_emulation_refuses_what_is_no_launch() -> None:
    with pytest.raises(ValueError):
        _native.emulate("easy", 1, 0, b"short")
