"""`auto` repeats one cell of a device on the cpu, and does not use what differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emulated_device import EmulatedDevice, emulated
from gpusim.engine.batch import run_batch
from gpusim.engine.spec import ClassTable, Policy, RunSpec
from gpusim.workload.jobs import Jobs


class FaultyDevice(EmulatedDevice):
    """Adds one to a number of an array that it gives back."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.nth, self.downloads = nth, 0

    def download(self, address: int, array: npt.NDArray[Any]) -> None:
        super().download(address, array)
        if array.size > 1:  # not the counters
            self.downloads += 1
            if self.downloads == self.nth:
                array.reshape(-1)[-1] += 1


def spec() -> RunSpec:
    jobs = Jobs(submit=[0, 1, 2, 2], service=[5, 5, 5, 9], gpus=[1, 2, 3, 3])
    return RunSpec(jobs, ClassTable.single(), Policy(1))


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUSIM_DEVICE_MIN_JOBS", "0")


@pytest.mark.usefixtures("any_size")
def test_what_is_the_same_is_used_and_looked_at_once() -> None:
    model, device = spec(), EmulatedDevice()
    with emulated(device):
        first = run_batch(model, 0, [3, 4, 6])
        second = run_batch(model, 0, [3, 4, 6])
    assert first.backend == second.backend == "emulated"
    assert np.array_equal(first.sums, run_batch(model, 0, [3, 4, 6], backend="cpu").sums)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize(
    "nth", [2, 3, 4]
)  # the first are the statuses: a run that seems too large is repeated
def test_what_differs_is_run_on_the_cpu(nth: int) -> None:
    model, device = spec(), FaultyDevice(nth)
    expected = run_batch(model, 0, [3, 4, 6], backend="cpu")
    with emulated(device):
        result = run_batch(model, 0, [3, 4, 6])
    assert device.downloads >= nth
    assert result.backend == "cpu"
    assert "gave other integers than the cpu" in result.passed_over["emulated"]
    for name in ("status", "counts", "sums", "extremes"):
        assert np.array_equal(getattr(result, name), getattr(expected, name))


@pytest.mark.usefixtures("any_size")
def test_a_device_named_by_the_user_is_not_looked_at() -> None:
    with emulated(FaultyDevice(2)):
        assert run_batch(spec(), 0, [3, 4, 6], backend="emulated").backend == "emulated"
