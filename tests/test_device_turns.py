"""Two shares take turns on a device that cannot hold all cells: what overlaps, and that it changes no result.

The emulated device computes a launch as late as it can, when it is waited for, and refuses every call that touches
memory which a launch under way uses. So whatever is done too early gives other integers, or fails.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from emulated_device import EmulatedDevice, emulated
from gpusim import _native
from gpusim.engine import device_share, device_work
from gpusim.engine.batch import run_batch
from gpusim.engine.device_memory import Need, fitting, half, usable
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import RunSpec
from test_device_contract import PER_CELL, sliced, unequal
from test_device_driver import Interrupted, failing, run, spec_of

CELLS = (np.arange(200) % 3, 2 + np.arange(200) % 7)
SMALL = {"queue_slots": 64, "running_slots": 32, "profile_slots": 64}
"""Working memory small enough for all workers to fit where few cells do."""


def question(**room: int) -> tuple[RunSpec, BatchResult, int]:
    """A model, what the cpu makes of CELLS, and the bytes of a device that holds all of them."""
    spec = spec_of(60, 40, 20)
    expected = run_batch(spec, *CELLS, backend="cpu", histogram=True)
    with emulated() as (device,):
        turns(spec, **room)
        return spec_of(60, 40, 20), expected, device.most_bytes


def turns(spec: RunSpec, **options: Any) -> BatchResult:
    return run(spec, *CELLS, histogram=True, **{**SMALL, **options})


def test_what_fits_at_once_is_one_share() -> None:
    spec, expected, total = question()
    with emulated(EmulatedDevice(total_bytes=int(1.1 * total))) as (device,), sliced(30):
        assert unequal(turns(spec), expected) == []
        assert device.beside == []
        assert device.said.count("allocate") == 2  # the model and the share


def test_copies_are_made_while_the_other_share_computes() -> None:
    spec, expected, total = question()
    with emulated(EmulatedDevice(total_bytes=total // 3)) as (device,), sliced(1 << 40):
        assert unequal(turns(spec), expected) == []
        shares = device.said.count("launch")
        arrays = 10
        assert shares > 5
        beside = Counter(device.beside)
        # All but what has to come before the first launch, and after the last.
        assert beside["release"] == beside["zero"] == shares - 1
        assert beside["upload"] == device.said.count("upload") * (shares - 1) // shares
        assert beside["download"] >= arrays * (shares - 1)
        assert device.most_bytes <= device.total_bytes


def test_a_share_is_put_aside_at_any_copy_and_nothing_is_copied_again() -> None:
    spec, expected, total = question()
    downloads = []
    for polls in (0, 1, 5, -1):
        device = EmulatedDevice(total_bytes=total // 3, polls=polls)
        counted, real = Counter[str](), device.download
        with emulated(device), sliced(40), patch.object(device, "download") as download:
            download.side_effect = lambda address, array, real=real, counted=counted: (
                counted.update(array=array.size > 1),
                real(address, array),
            )
            assert unequal(turns(spec), expected) == []
        assert bool(device.beside) == (polls != 0)
        downloads.append(counted["array"])
    assert len(set(downloads)) == 1


def test_shares_take_no_turns_where_that_would_cost_workers() -> None:
    spec, expected, total = question(queue_slots=1 << 12)
    total = int(0.55 * total)
    with emulated(EmulatedDevice(total_bytes=total, processors=20)) as (device,), sliced(50):
        assert unequal(turns(spec, queue_slots=1 << 12), expected) == []
        assert device.said.count("allocate") > 2
        assert device.beside == []


@given(
    model=st.integers(0, 1 << 40),
    cell=st.integers(1, 1 << 30),
    worker=st.integers(1, 1 << 30),
    cells=st.integers(1, 10**6),
    workers=st.integers(1, 10**4),
    free=st.integers(0, 1 << 40),
)
def test_two_halves_fit_with_all_their_workers_or_there_are_none(
    model: int, cell: int, worker: int, cells: int, workers: int, free: int
) -> None:
    need, workers = Need(model, cell, worker, 256), min(workers, cells)
    less = half(need, cells, workers, free)
    if less is None:
        return
    n, w = less
    assert w == workers <= n <= fitting(need, cells, workers, free)[0]
    assert 2 * need.of(n, w) - need.model <= usable(free) + need.model


@settings(max_examples=15)
@given(
    part=st.integers(2, 6),
    events=st.sampled_from((3, 40, 1 << 40)),
    devices=st.integers(1, 3),
    polls=st.sampled_from((0, 1, 7, -1)),
    tiny=st.booleans(),
    piece=st.sampled_from((10_000, 64 << 20)),
)
@pytest.mark.slow
def test_results_are_the_cpu_s_however_shares_are_cut_and_overlapped(
    part: int, events: int, devices: int, polls: int, tiny: bool, piece: int
) -> None:
    room = {} if tiny else {"queue_slots": 128}
    spec, expected, total = question(**room)
    seen: list[int] = []
    own = [EmulatedDevice(f"{k}", total_bytes=total // part, polls=polls) for k in range(devices)]
    pieces = [patch.object(module, "PIECE_BYTES", piece) for module in (device_share, device_work)]
    with emulated(*own), sliced(events), pieces[0], pieces[1]:
        options = {"progress": lambda done, of: seen.append(done), **room}
        result = turns(spec, **options)
    assert unequal(result, expected) == []
    assert seen == sorted(seen)
    assert seen[-1] == len(CELLS[0])
    assert [len(device.memory) for device in own] == [1] * devices  # the model


def test_cells_whose_memory_was_full_run_again_among_the_others() -> None:
    spec = spec_of(60, 200, 20)
    expected = run_batch(spec, *CELLS, backend="cpu", histogram=True)
    _, _, total = question()
    with emulated(EmulatedDevice(total_bytes=total // 4)) as (device,), sliced(1 << 40):
        result = turns(spec)
        assert result.reruns > 0
        assert device.beside
    assert unequal(result, expected) == []
    assert (
        spec.room["queue_slots"] == 256
    )  # twice as much as was full, however many shares have found it full


def test_the_argument_is_built_once_a_share() -> None:
    spec, _, total = question()
    real, built = _native.device_arguments, []
    device = EmulatedDevice(total_bytes=total // 3)
    with (
        emulated(device),
        sliced(5),
        patch.object(_native, "device_arguments", side_effect=real) as called,
    ):
        turns(spec)
        built.append(called.call_count)
    assert built[0] == device.said.count("allocate") - 1 < device.said.count("launch") // 3


# ---- stopping and failing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("least", [1, 60, 130])
def test_a_batch_that_is_stopped_keeps_what_is_done(least: int) -> None:
    spec, expected, total = question()
    with emulated(EmulatedDevice(total_bytes=total // 3, polls=3)) as (device,), sliced(100):
        stop = {"progress": lambda done, of: done < least}
        result = turns(spec, **stop)
        assert len(device.memory) == 1
    done = result.status == 0
    assert least <= done.sum() < 200
    assert set(result.status.tolist()) == {0, 5}
    for name in PER_CELL:
        assert np.array_equal(getattr(result, name)[done], getattr(expected, name)[done])


@pytest.mark.parametrize(
    ("call", "after"),
    [
        *(("allocate", 2), ("allocate", 3), ("zero", 1), ("zero", 2), ("upload", 7), ("upload", 14)),
        *(("launch", 1), ("launch", 9), ("wait", 1), ("wait", 9), ("ready", 3), ("ready", 17)),
        *(("download", 5), ("download", 30)),
    ],
)
def test_whatever_fails_while_two_shares_are_open_nothing_stays(call: str, after: int) -> None:
    spec, _, total = question()
    devices = [EmulatedDevice(name, total_bytes=total // 5, polls=4) for name in "ab"]
    failing(devices[1], call, after, Interrupted())
    with emulated(*devices), sliced(60), pytest.raises(Interrupted):
        turns(spec)
    assert [device.memory for device in devices] == [{}, {}]
