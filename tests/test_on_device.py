"""Results that stay on a device: the cpu's integers, memory that goes with its array, cells read where they lie."""

from __future__ import annotations

import contextlib
import gc
import random
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from device_columns import Column
from emulated_device import EmulatedDevice, emulated
from generators import random_capacities, random_center, random_generator
from gpusim.engine import backend as backends
from gpusim.engine import device_share, device_work
from gpusim.engine.batch import run_batch
from gpusim.engine.device_arrays import DeviceArray
from gpusim.engine.device_memory import Need
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import Policy, RunSpec
from gpusim.errors import BackendUnavailable, DeviceMemoryError, RunError
from test_device_contract import PER_CELL, SLICES, TINY, crowd, sliced, unequal
from test_device_driver import Interrupted, failing, spec_of
from test_second_look import FaultyDevice


def stay(spec: RunSpec, *cells: Any, **options: Any) -> BatchResult:
    result = run_batch(spec, *cells, backend="emulated", on_device=True, **options)
    assert result.on_device
    return result


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Memory must go when the last name does, not when the collector comes round."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def model_bytes(spec: RunSpec, device: EmulatedDevice) -> int:
    assert device_share.has_image(spec, device)
    return device_share._planned(
        device_share.Batch(spec, False, False, False, -1), CELL, np.zeros(1, np.int64), ROOM, 0
    )["image_bytes"]


CELL = {
    "replication": np.zeros(1, np.int64),
    "draw": np.zeros(1, np.int32),
    "demand_ppm": np.full(1, 10**6, np.int64),
    "gpus": np.ones((1, 1), np.int32),
}
OUTPUTS = 9
"""Arrays of a result without levels, which `slo` is about, without histograms and records."""
ROOM = dict.fromkeys(device_work.MOST_ROOM, 64)


# ---- the same integers ------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(seed=st.integers(0, 2**63), events=st.sampled_from(SLICES))
@pytest.mark.slow
def test_what_stays_is_what_the_cpu_gives(seed: int, events: int) -> None:
    rng = random.Random(seed)
    question = random_generator(seed, rng.choice([5, 40]))
    spec = random_center(question, seed)
    n = rng.choice([1, 2, 33])
    gpus = np.array(random_capacities(rng, spec.classes.n_pools, n), np.int32).reshape(n, -1)
    replication = np.array([rng.randrange(2**32) for _ in range(n)], np.int64)
    options: dict[str, Any] = {
        "early": rng.random() < 0.3,
        "histogram": rng.random() < 0.3,
        "records": n == 1 and rng.random() < 0.5,
        **question.cell,
    }
    names = ("status", "passed", "first_violated") if options["early"] else PER_CELL
    expected = run_batch(spec, replication, gpus, backend="cpu", threads=1, **options)
    given: list[Any] = [replication, gpus]
    if rng.random() < 0.5:
        given = [Column(replication, np.int64), Column(gpus, np.int32)]
    with emulated() as (device,), sliced(events):
        result = stay(spec, *given, **options, **(TINY if rng.random() < 0.4 else {}))
        for name in names:
            assert isinstance(getattr(result, name), DeviceArray)
        assert unequal(result.to_host(), expected, names) == []
        assert unequal(result.head(1).to_host(), expected.head(1), names) == [] or n == 0
        del result
        assert len(device.memory) == 1  # the model


def test_rounds_and_reruns_write_into_the_same_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, n = spec_of(100, 300, 20), 300
    cells = (np.arange(n) % 3, 2 + np.arange(n) % 7)
    expected = run_batch(spec, *cells, backend="cpu", histogram=True)

    def seventy(need: Need, cells: int, workers: int, free: int) -> tuple[int, int]:
        return min(cells, 70), min(workers, cells, 70)

    monkeypatch.setattr(device_share, "fitting", seventy)
    with emulated() as (device,), sliced(1 << 40):
        result = stay(spec, *cells, histogram=True, queue_slots=64)
        assert device.said.count("launch") >= 300 / 70 + 2
        assert result.reruns >= 100
        assert unequal(result.to_host(), expected) == []


def test_where_memory_is_short_fewer_runs_go_abreast() -> None:
    spec, n = spec_of(100), 40
    expected = run_batch(spec, np.zeros(n, int), 3, backend="cpu")
    with emulated() as (device,):
        kept = stay(spec, np.zeros(n, int), 3)
        total = (device.used_bytes + (device.most_bytes - device.used_bytes) // 4) * 17 // 16
        abreast = device.launches[0][1]
        del kept
    with emulated(EmulatedDevice(total_bytes=total)) as (device,):
        assert unequal(stay(spec, np.zeros(n, int), 3).to_host(), expected) == []
        assert device.launches[0][1] < abreast
        assert device.most_bytes <= total


def test_no_cells_are_no_rows_and_no_memory() -> None:
    with emulated() as (device,):
        result = stay(RunSpec(crowd(5)), [], 4, histogram=True)
        assert result.counts.shape == (0, 1, 11)
        assert result.counts.__cuda_array_interface__["data"] == (0, False)
        assert device.memory == {}
        assert unequal(result.to_host(), run_batch(RunSpec(crowd(5)), [], 4, histogram=True)) == []


def test_results_of_one_batch_can_be_cells_of_the_next() -> None:
    spec = spec_of(40)
    with emulated() as (device,):
        first = stay(spec, [0, 0], [50, 60])
        uploads = device.said.count("upload")
        second = stay(
            spec, first.status, first.jobs
        )  # zeros, as it should be; int32 is not what a launch reads
        assert second.jobs.get().tolist() == [40, 40]
        assert device.said.count("upload") == uploads + 6  # four columns, the order, the statuses


def test_a_batch_that_is_stopped_says_which_cells_were_not_run() -> None:
    spec = spec_of(4, 300)
    with emulated() as (device,), sliced(60):
        rounds = OUTPUTS + 2  # after the outputs, the columns and the model

        def until_the_last_reruns(done: int, total: int) -> bool:
            return device.said.count("allocate") < rounds + 4

        result = stay(spec, np.arange(40) % 2, 8, queue_slots=4, progress=until_the_last_reruns)
        assert result.reruns > 0
        assert set(result.to_host().status.tolist()) == {0, 5}
        assert (result.to_host().status[::2] == 0).all()


def test_cells_that_were_never_begun_are_rows_of_zeros() -> None:
    spec = spec_of(300)
    with emulated(), sliced(10):
        result = stay(spec, np.zeros(40, int), 8, histogram=True, progress=lambda *_: False).to_host()
    assert (result.status == 5).all()
    begun = result.counts.any(axis=(1, 2))
    assert 0 < begun.sum() < 40
    for name in PER_CELL[1:]:
        assert not getattr(result, name)[~begun].any()


# ---- memory -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("uncollected")
def test_each_array_keeps_its_own_memory_until_the_last_view_is_gone() -> None:
    spec = spec_of(60)
    with emulated() as (device,):
        result = stay(spec, np.zeros(50, int), 3, histogram=True)
        model = model_bytes(spec, device)
        arrays = [getattr(result, each.name) for each in fields(result)]
        held = sum(array.nbytes for array in arrays if isinstance(array, DeviceArray))
        assert device.used_bytes == model + held
        counts, rows = result.counts, result.sums[3:5]
        whole_sums = result.sums.nbytes
        expected = result.to_host()
        del result, arrays
        assert device.used_bytes == model + counts.nbytes + whole_sums
        assert np.array_equal(rows.get(), expected.sums[3:5])
        row = rows[0]
        del rows, counts
        assert device.used_bytes == model + whole_sums
        assert np.array_equal(row.get(), expected.sums[3])
        del row
        assert device.used_bytes == model


@pytest.mark.usefixtures("uncollected")
def test_records_are_arrays_of_their_own() -> None:
    spec = spec_of(60)
    expected = run_batch(spec, 0, 3, backend="cpu", records=True).records
    with emulated() as (device,):
        records = stay(spec, 0, 3, records=True).records
        assert records is not None
        assert expected is not None
        assert len(device.memory) == 1 + 9
        start = records.start
        del records
        assert len(device.memory) == 2
        assert np.array_equal(start.get(), expected.start)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    ("call", "after"),
    [
        *(("allocate", k) for k in (0, 1, 5, OUTPUTS, OUTPUTS + 1, OUTPUTS + 2)),
        *(("zero", 0), ("zero", 7), ("upload", 0), ("upload", 4), ("upload", 5), ("upload", 6)),
        *(("launch", 0), ("launch", 3), ("wait", 0), ("wait", 3), ("download", 0), ("download", 6)),
        *(("array", 0), ("array", 6)),
    ],
)
@pytest.mark.slow
def test_whatever_fails_nothing_stays_allocated_not_even_while_the_error_lives(call: str, after: int) -> None:
    device = EmulatedDevice()
    failing(device, call, after, Interrupted())
    with emulated(device), sliced(30):
        with pytest.raises(Interrupted) as caught:
            stay(spec_of(200), np.zeros(9, int), 3)
        assert device.memory == {}
        assert caught.value is not None


@pytest.mark.usefixtures("uncollected")
def test_a_run_that_cannot_be_completed_is_an_error_that_holds_no_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(device_work.MOST_ROOM, "queue_slots", 64)
    spec = RunSpec([crowd(4), crowd(300)], policy=Policy(1))
    with emulated() as (device,):
        with pytest.raises(
            RunError, match=r"replication 1, 8 GPUs: .* more waiting jobs than slots"
        ) as caught:
            stay(spec, [0, 1, 0], 8, queue_slots=4)
        assert len(device.memory) == 1  # the model
        assert caught.value is not None


def test_results_that_do_not_fit_are_refused_before_anything_is_allocated() -> None:
    spec = spec_of(10)
    with emulated() as (device,):
        stay(spec, np.zeros(100, int), 3, histogram=True)
        total = device.most_bytes
    with emulated(EmulatedDevice("small", total_bytes=total)) as (device,):
        with pytest.raises(DeviceMemoryError) as caught:
            stay(spec_of(10), np.zeros(200, int), 3, histogram=True)
        assert device.said == []
        said = str(caught.value)
        assert said.startswith("memory of small: results of 200 cells that are to stay there need ")
        fit = int(said.split("largest batch that fits: ")[1].split(" cells")[0])
        assert 100 <= fit < 200
        with pytest.raises(DeviceMemoryError):
            stay(spec_of(10), np.zeros(fit + 1, int), 3, histogram=True)
        result = stay(spec_of(10), np.zeros(fit, int), 3, histogram=True)
        assert result.jobs.get().tolist() == [10] * fit


def test_models_of_other_specs_make_room() -> None:
    old, new = spec_of(40_000), spec_of(10)
    with emulated() as (device,):
        stay(new, 0, 3)
        needed = device.most_bytes
    with emulated() as (device,):
        run_batch(old, 0, 1 << 17, backend="emulated")
        model = device.used_bytes
        device.total_bytes = needed + model // 2
        assert model // 2 > 2 * needed  # so that the model alone is in the way, and what is left alone is not
        assert stay(new, 0, 3).jobs.get().tolist() == [10]
        assert not device_share.has_image(old, device)


# ---- cells where they lie ---------------------------------------------------------------------------------------


def columns(n: int, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "replication": Column(np.arange(n) % 2, np.int64),
        "gpus": Column(2 + np.arange(n) % 5, np.int32),
        "demand_ppm": Column(np.full(n, 10**6), np.int64),
        "draw": Column(np.zeros(n), np.int32),
    }
    return {**found, **changes}


def test_columns_that_fit_are_read_where_they_lie_and_never_uploaded() -> None:
    spec, n = spec_of(30, 50), 20
    given = columns(n)
    given["replication"].values[:] = 1  # what lies on the device
    given["replication"].shown = np.zeros(n)  # what was checked
    with emulated() as (device,):
        result = stay(spec, **given)
        assert result.jobs.get().tolist() == [50] * n
        assert device.said.count("upload") == 3  # the statuses, the model, the order
        assert device.said.count("allocate") == OUTPUTS + 2  # and the model and the working memory
        assert [column.fetched for column in given.values()] == [1, 1, 1, 1]  # for the checks and the plan


def test_columns_are_still_there_in_every_round_and_slice() -> None:
    spec, n = spec_of(30, 50), 200
    expected = run_batch(spec, np.arange(n) % 2, 2 + np.arange(n) % 5, backend="cpu")
    with emulated(), sliced(7):
        result = stay(spec, **columns(n), queue_slots=4, running_slots=32)
        assert unequal(result.to_host(), expected) == []


@pytest.mark.parametrize(
    "change",
    [
        {"replication": Column(np.arange(20) % 2, np.int32)},
        {"gpus": Column(2 + np.arange(20) % 5, np.int64)},
        {"gpus": Column(np.repeat(2 + np.arange(20, dtype=np.int32) % 5, 3)[::3], np.int32)},
        {"demand_ppm": Column([10**6], np.int64)},
        {"replication": Column(np.arange(20) % 2, np.int64, index=1)},
        {"gpus": (2 + np.arange(20) % 5).tolist()},
        {"draw": 0},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_column_that_does_not_fit_is_copied_alone(change: dict[str, Any]) -> None:
    spec = spec_of(30, 50)
    expected = run_batch(spec, np.arange(20) % 2, 2 + np.arange(20) % 5, backend="cpu")
    given = columns(20)
    if isinstance(change.get("replication"), Column) and change["replication"].index:
        given = {"gpus": given["gpus"], **given}  # the order does not choose the device: replication does
        devices = [EmulatedDevice("here", index=0)]
    else:
        devices = [EmulatedDevice()]
    with emulated(*devices) as (device,):
        result = stay(spec, **{**given, **change})
        assert device.said.count("upload") == 4
        assert unequal(result.to_host(), expected) == []


def test_capacities_of_pools_are_a_table_and_of_one_pool_a_column_or_a_table() -> None:
    spec = spec_of(30, 50)
    with emulated() as (device,):
        result = stay(spec, **columns(20, gpus=Column((2 + np.arange(20) % 5)[:, None], np.int32)))
        assert device.said.count("upload") == 3
        assert result.jobs.get().tolist() == [30, 50] * 10


def test_cells_on_a_device_are_checked_as_any() -> None:
    with emulated(), pytest.raises(RunError, match=r"gpus\[1\]: is out of range \(-9\)"):
        stay(spec_of(3), 0, Column([3, -9], np.int32))


def test_results_that_come_to_the_host_leave_the_columns_alone() -> None:
    spec = spec_of(30, 50)
    with emulated():
        result = run_batch(spec, **columns(20), backend="emulated")
    assert isinstance(result.jobs, np.ndarray)
    assert not result.on_device
    assert result.to_host() is result


# ---- which device -----------------------------------------------------------------------------------------------


class CurrentDevice(EmulatedDevice):
    """The one that CuPy would take."""

    is_current = True


def test_one_device_runs_the_batch_that_of_the_cells_the_current_or_the_first() -> None:
    spec = spec_of(30)

    def ran(devices: list[EmulatedDevice], gpus: Any) -> list[str]:
        with emulated(*devices):
            result = stay(spec, np.zeros(8, int), gpus)
            assert result.jobs.__dlpack_device__() == (
                2,
                next(device.index for device in devices if device.launches),
            )
        return [device.name for device in devices if device.launches]

    def plain() -> list[EmulatedDevice]:
        return [EmulatedDevice("a", index=0), EmulatedDevice("b", index=3)]

    assert ran(plain(), 3) == ["a"]
    assert ran(plain(), Column(np.full(8, 3), np.int32, index=3)) == ["b"]
    assert ran(plain(), Column(np.full(8, 3), np.int32, index=7)) == ["a"]
    assert ran([*plain(), CurrentDevice("c", index=1)], 3) == ["c"]
    assert ran([*plain(), CurrentDevice("c", index=1)], Column(np.full(8, 3), np.int32, index=3)) == ["b"]


def test_the_cpu_is_refused_by_name() -> None:
    with pytest.raises(RunError, match=r"on_device: keeps results on a device.*name a backend with a device"):
        run_batch(spec_of(3), 0, 3, backend="cpu", on_device=True)
    with pytest.raises(RunError, match="on_device"):
        run_batch(spec_of(3), 0, 3, lanes=32, on_device=True)


def test_auto_takes_a_device_however_small_the_batch_or_says_why_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GPUSIM_DEVICE_MIN_JOBS", raising=False)
    spec = spec_of(3)
    only = {"emulated": "emulated_device"}
    monkeypatch.setattr(backends, "MODULES", only)
    with emulated():
        assert run_batch(spec, 0, 3).backend == "cpu"
        result = run_batch(spec, 0, 3, on_device=True)
        assert (result.backend, result.jobs.get().tolist()) == ("emulated", [3])
    with pytest.raises(BackendUnavailable) as caught:
        run_batch(spec, 0, 3, on_device=True)
    assert str(caught.value) == (
        "backend 'auto': finds no device for on_device (emulated: nothing is emulated); leave on_device out"
    )


@pytest.mark.usefixtures("uncollected")
def test_auto_does_not_hand_out_what_differs_from_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "MODULES", {"emulated": "emulated_device"})
    spec, device = spec_of(3), FaultyDevice(3)  # statuses twice, then the row of an array
    with emulated(device):
        with pytest.raises(BackendUnavailable, match="gave other integers than the cpu") as caught:
            run_batch(spec, [0, 0], [3, 4], on_device=True)
        assert len(device.memory) == 1  # the model
        assert caught.value is not None


# ---- a GPU ------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cuda", "cupy"])
def test_on_a_gpu_results_stay_and_are_the_cpu_s(name: str) -> None:
    refused = backends.reason_unavailable(name)
    if refused is not None:
        pytest.skip(f"gpu: {refused}")
    spec, n = spec_of(100, 300, 20), 300
    replication, gpus = np.arange(n) % 3, (2 + np.arange(n) % 7).astype(np.int32)
    expected = run_batch(spec, replication, gpus, backend="cpu", histogram=True)
    given: list[Any] = [replication, gpus]
    with contextlib.suppress(ImportError):
        import cupy

        given = [cupy.asarray(replication), cupy.asarray(gpus)]
    (device, *_) = backends.devices_of(name)
    for _ in range(2):  # the second finds kernels and model there
        free = device.free_bytes()
        result = run_batch(spec, *given, backend=name, on_device=True, histogram=True, queue_slots=64)
        assert device.free_bytes() < free
        assert unequal(result.to_host(), expected) == []
        counts = result.counts
        del result
        held = device.free_bytes()
        del counts
        assert device.free_bytes() >= held
    assert device.free_bytes() == free
