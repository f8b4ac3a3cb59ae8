"""A whole study on devices: the answer of the cpu, whatever was early, sliced or dealt out on the way to it."""

from __future__ import annotations

from typing import Any

import pytest

import gpusim
from emulated_device import EmulatedDevice, emulated


def plain(answer: Any) -> dict[str, Any]:
    """An answer without what it cost and which engine ran."""
    data: dict[str, Any] = answer.to_dict()
    del data["spent"]
    del data["provenance"]["backend"]
    return data


@pytest.mark.slow
def test_a_certified_answer_is_the_cpu_s() -> None:
    scenario = gpusim.example("quickstart")
    expected = plain(gpusim.size(scenario, backend="cpu", threads=2))
    with emulated(EmulatedDevice("a", processors=4), EmulatedDevice("b")) as devices:
        answer = plain(gpusim.size(scenario, backend="emulated", threads=2))
        assert all(len(device.launches) > 20 for device in devices)
    assert answer == expected
