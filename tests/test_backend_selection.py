"""Which engine runs a batch: `auto` by fitness and size, a named one or nothing, and reasons in words."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cli_calls import call
from emulated_device import EmulatedDevice, emulated
from gpusim.engine import backend, host_array
from gpusim.engine.batch import run_batch
from gpusim.engine.spec import RunSpec, Windows
from gpusim.errors import BackendUnavailable, DeviceMemoryError, RunError, UsageError
from gpusim.workload.distributions import Exponential
from gpusim.workload.jobs import Jobs
from gpusim.workload.source import Generator
from sources import batches, events, make_source

SPEC = RunSpec(Jobs(submit=[0, 1, 2], service=[5, 5, 5], gpus=[1, 2, 3]))
MANY = {"replication": np.zeros(100_000, np.int64), "demand_ppm": np.full(100_000, 1_000_000)}


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets which engines on a device there are: names with what their `reason()` says."""

    def there_are(**reasons: str | None) -> None:
        modules = {}
        for name, why in reasons.items():
            module = ModuleType(f"pretended_{name}")
            module.reason = lambda why=why: why  # type: ignore[attr-defined]
            module.devices = lambda name=name: [EmulatedDevice(name)]  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, module.__name__, module)
            modules[name] = module.__name__
        monkeypatch.setattr(backend, "MODULES", modules)
        backend.ask_again()

    yield there_are
    monkeypatch.undo()
    backend.ask_again()


# ---- which one --------------------------------------------------------------------------------------------------


def test_devices_do_everything_that_the_cpu_does() -> None:
    assert backend.NOT_ON_DEVICE == ()


def test_auto_takes_the_first_engine_that_can_run(engines: Callable[..., None]) -> None:
    engines(cuda=None, cupy=None)
    assert backend.select("auto").engine == "cuda"
    engines(cuda="not built; build it", cupy=None)
    choice = backend.select("auto")
    assert (choice.engine, choice.devices[0].name) == ("cupy", "cupy")
    assert choice.passed_over == {"cuda": "not built; build it"}
    engines(cuda="not built; build it", cupy="no driver; install one")
    choice = backend.select("auto")
    assert (choice.engine, choice.devices) == ("cpu", ())
    assert set(choice.passed_over) == {"cuda", "cupy"}


def test_an_engine_after_the_best_one_is_not_even_asked(engines: Callable[..., None]) -> None:
    engines(cuda=None, cupy=None)
    sys.modules["pretended_cupy"].reason = lambda: pytest.fail("asked")  # type: ignore[attr-defined]
    assert backend.select("auto", SPEC, MANY).engine == "cpu"


def test_engines_are_asked_once_a_process(engines: Callable[..., None]) -> None:
    engines(cuda="no; no", cupy="no; no")
    asked: list[int] = []
    sys.modules["pretended_cuda"].reason = lambda: asked.append(1) or "no; no"  # type: ignore[attr-defined]
    for _ in range(3):
        assert run_batch(SPEC, 0, 3).passed_over == {"cuda": "no; no", "cupy": "no; no"}
    assert len(asked) == 1


def test_small_batches_run_on_the_cpu_and_say_so(
    engines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GPUSIM_DEVICE_MIN_JOBS", raising=False)
    engines(cuda=None)
    few = backend.select("auto", SPEC, {"replication": np.zeros(63, np.int64)})
    assert few.engine == "cpu"
    assert few.passed_over["cuda"].startswith("63 cells are fewer than 64")
    light = backend.select("auto", SPEC, MANY)
    assert light.engine == "cpu"
    assert light.passed_over["cuda"].startswith("about 300,000 jobs are fewer than 20,000,000")
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", "300000")
    assert backend.select("auto", SPEC, MANY).engine == "cuda"
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", "300001")
    assert backend.select("auto", SPEC, MANY).engine == "cpu"
    assert backend.select("cuda", SPEC, MANY).engine == "cuda"  # named: whatever its size


@pytest.mark.parametrize("value", ["many", "-1", "1e6", "9" * 30])
def test_a_threshold_that_is_no_number_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", value)
    with pytest.raises(UsageError, match="GPUSIM_DEVICE_MIN_JOBS"):
        backend.thresholds()


def test_a_study_names_both_engines_where_there_is_a_device(engines: Callable[..., None]) -> None:
    engines(cuda=None)
    assert backend.choose("auto") == "cuda or cpu"
    engines(cuda="no; no")
    assert backend.choose("auto") == "cpu"


def test_a_named_engine_never_falls_back_and_says_why_and_what_to_do(engines: Callable[..., None]) -> None:
    engines(cuda="the driver is too old (12.2, 13.0 needed); install a newer driver", cupy=None)
    with pytest.raises(BackendUnavailable) as caught:
        run_batch(SPEC, 0, 3, backend="cuda")
    assert str(caught.value) == (
        "backend 'cuda': the driver is too old (12.2, 13.0 needed); install a newer driver, or use --backend cpu"
    )
    assert caught.value.exit_code == 4


def test_an_unknown_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        BackendUnavailable, match="'abacus': is not a backend; use one of auto, cuda, cupy, cpu"
    ):
        run_batch(SPEC, 0, 3, backend="abacus")


def test_a_module_that_is_not_built_is_a_reason(
    engines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines()
    monkeypatch.setattr(backend, "MODULES", {"cuda": "gpusim.engine.no_such_module"})
    assert "built without its CUDA engine" in backend.reasons_unavailable()["cuda"]


# ---- how much work ----------------------------------------------------------------------------------------------


def test_expected_jobs_are_about_those_submitted() -> None:
    horizon = 400_000
    sources = (
        make_source("a/plain"),
        make_source("a/some", gap=Exponential(500.0), from_tick=100_000, until_tick=300_000),
        make_source("a/batch", gap=Exponential(2000.0), **batches({1: 0.9, 5: 0.1})),
        make_source("a/times", **events((0, 100_000, 30), (300_000, 0, 20), (500_000, 0, 30))),
        make_source("a/off", active=False),
    )
    spec = RunSpec(Generator(sources=sources, seed=1), windows=Windows(0, horizon, horizon))
    for demand in (1_000_000, 1_700_000):
        cells = {"replication": np.arange(8), "demand_ppm": np.full(8, demand)}
        expected = backend.expected_jobs(spec, cells)
        jobs = int(run_batch(spec, np.arange(8), 50, demand_ppm=demand).jobs.sum())
        assert abs(expected - jobs) < 0.1 * jobs


# ---- what happens when a device disappoints ---------------------------------------------------------------------


def test_auto_goes_on_with_the_cpu_where_a_device_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "MODULES", {})
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", "0")
    with emulated(EmulatedDevice("small", total_bytes=1000)) as devices:
        result = run_batch(SPEC, 0, 3)
        with pytest.raises(DeviceMemoryError, match="memory of small: one run needs"):
            run_batch(SPEC, 0, 3, backend="emulated")
        assert devices[0].said == []  # refused before anything is allocated
    assert result.backend == "cpu"
    assert "one run needs" in result.passed_over["emulated"]
    assert "largest batch that fits: 0 of 1 cells" in result.passed_over["emulated"]


def test_lanes_are_the_cpu_s() -> None:
    with emulated():
        assert run_batch(SPEC, 0, 3, lanes=32).backend == "cpu"
        with pytest.raises(RunError, match="lanes: are emulated on the host only"):
            run_batch(SPEC, 0, 3, lanes=32, backend="emulated")


# ---- info -------------------------------------------------------------------------------------------------------


def test_info_shows_engines_devices_and_the_threshold(
    engines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(cuda=None, cupy="CuPy is not installed; pip install it")
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", "1234567")
    data = json.loads(call("info", "--json").out)["backends"]
    assert data["available"] == ["cuda", "cpu"]
    assert data["refused"] == {"cupy": "CuPy is not installed; pip install it"}
    free = 1 << 30
    assert data["devices"] == [{"backend": "cuda", "name": "cuda", "processors": 2, "free_bytes": free}]
    assert data["least_jobs_for_a_device"] == 1_234_567
    assert data["not_on_devices"] == []
    text = call("info").out
    assert "cuda, 2 processors, 1.0 GiB free" in text
    assert "1,234,567 jobs" in text


# ---- cells that lie elsewhere -----------------------------------------------------------------------------------


class OnDevice:
    """What a CuPy array looks like, over host memory."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self._values.shape, "typestr": self._values.dtype.str, "version": 3}

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def get(self) -> Any:
        return self._values


OnDevice.__module__ = "cupy"


class Exported:
    """What offers DLPack and nothing else."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._values.__dlpack_device__()

    def __dlpack__(self, **options: Any) -> Any:
        return self._values.__dlpack__(**options)


@pytest.mark.parametrize("wrap", [OnDevice, Exported])
def test_cells_of_a_device_give_the_same_and_are_checked_alike(wrap: Callable[[Any], Any]) -> None:
    expected = run_batch(SPEC, [0, 0], [3, 9])
    result = run_batch(SPEC, wrap([0, 0]), wrap(np.array([3, 9], np.int32)))
    assert np.array_equal(result.sums, expected.sums)
    assert len(run_batch(SPEC, 0, wrap([[3], [4]])).status) == 2
    with pytest.raises(RunError, match=r"gpus\[1\]: is out of range \(-9\)"):
        run_batch(SPEC, 0, wrap([3, -9]))
    with pytest.raises(RunError, match=r"gpus\[0\]: is not a whole number"):
        run_batch(SPEC, 0, wrap([3.0]))


def test_cells_of_a_device_without_cupy_are_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    foreign = type("Tensor", (OnDevice,), {"__module__": "torch", "get": None})([3])
    with pytest.raises(RunError, match=r"CuPy is not installed \(Tensor\); copy them to the host"):
        host_array.as_given(foreign)


def test_devices_are_the_same_objects_in_every_batch(engines: Callable[..., None]) -> None:
    """A model lies in the memory of a device object: a new object would have it uploaded again."""
    engines(cuda=None)
    assert backend.devices_of("cuda")[0] is backend.devices_of("cuda")[0]
    assert backend.select("cuda").devices[0] is backend.devices_of("cuda")[0]
