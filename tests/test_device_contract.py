"""Devices give the integers of the cpu, on the engine's cases: every array, in slices, rounds and on several devices.

The device is emulated (`emulated_device`): the driver, the layout of memory, the queue of cells and the slices are
those of a GPU, and the workers are 32 emulated lanes on this host.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from cases import Case, cases, differences, random_case
from emulated_device import EmulatedDevice, emulated
from generators import random_capacities, random_center, random_generator
from gpusim.engine import device
from gpusim.engine.batch import run_batch
from gpusim.engine.device import Slices
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import FIFO, NONE, Policy, RunSpec, Windows
from gpusim.workload.jobs import Jobs
from test_engine_fifo import fifo_case
from test_engine_oracle import TINY, calm_case, long_case, wide_case

PER_CELL = (
    *("status", "counts", "sums", "slo", "passed", "first_violated"),
    *("pool_gpu_ticks", "integrals", "extremes", "jobs"),
)
SLICES = (1, 2, 7, 64, 1 << 40)


@contextmanager
def sliced(events: int) -> Iterator[None]:
    """Every launch ends after so many events of a worker."""
    with patch.object(device, "Slices", lambda: Slices(first=events, least=events, most=events)):
        yield


def unequal(one: BatchResult, other: BatchResult, names: tuple[str, ...] = PER_CELL) -> list[str]:
    """Names of the arrays that differ, in any element, or in shape or type."""
    pairs: dict[str, tuple[Any, Any]] = {name: (getattr(one, name), getattr(other, name)) for name in names}
    pairs["histogram"] = one.histogram, other.histogram
    if one.records is not None and other.records is not None:
        for record in fields(one.records):
            pairs[record.name] = getattr(one.records, record.name), getattr(other.records, record.name)
    assert (one.records is None) == (other.records is None)
    return [
        name
        for name, (a, b) in pairs.items()
        if (a is None) != (b is None) or (a is not None and (a.dtype != b.dtype or not np.array_equal(a, b)))
    ]


def check(spec: RunSpec, *cells: Any, events: int, devices: int = 1, **options: Any) -> BatchResult:
    """The result of emulated devices, which is that of the cpu."""
    own = [EmulatedDevice(f"emulated {k}") for k in range(devices)]
    room = {name: options.pop(name) for name in [*options] if name.endswith("_slots")}
    names = ("status", "passed", "first_violated") if options.get("early") else PER_CELL
    expected = run_batch(spec, *cells, backend="cpu", threads=1, **options)
    with emulated(*own), sliced(events):
        result = run_batch(spec, *cells, backend="emulated", **room, **options)
    assert result.backend == "emulated"
    assert unequal(result, expected, names) == []
    return result


def check_case(case: Case, events: int, **options: Any) -> None:
    """One center with records, and the same in several sizes with histograms."""
    result = check(case.spec(), 0, case.cell, events=events, records=True, **options)
    assert not differences(result, case.answer())


@settings(max_examples=150)
@given(case=cases(), events=st.sampled_from(SLICES), tiny=st.booleans(), general=st.booleans())
@pytest.mark.slow
def test_a_case_of_the_engine_is_the_oracle_s_and_the_cpu_s(
    case: Case, events: int, tiny: bool, general: bool
) -> None:
    room = TINY if tiny else {}
    spec = case.spec(always_profile=general)
    result = check(spec, 0, case.cell, events=events, records=True, histogram=True, **room)
    assert not differences(result, case.answer())


@pytest.mark.parametrize("make", [fifo_case, calm_case, long_case, wide_case])
@pytest.mark.slow
def test_a_longer_case_is_the_oracle_s_and_the_cpu_s(make: Any) -> None:
    for seed in range(3):
        check_case(make(seed), events=(3, 20, 1 << 40)[seed], **(TINY if seed == 1 else {}))


@pytest.mark.slow
def test_a_thousand_cases_of_the_engine_are_the_oracle_s_and_the_cpu_s() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=1000)
    @given(seed=st.integers(0, 2**63), events=st.integers(1, 80), tiny=st.booleans())
    def many(seed: int, events: int, tiny: bool) -> None:
        make = (random_case, random_case, random_case, calm_case, fifo_case)[seed % 5]
        check_case(make(seed), events, **(TINY if tiny else {}))
        seen[make.__name__] += 1

    many()
    assert min(seen.values()) >= 50


@settings(max_examples=30)
@given(seed=st.integers(0, 2**63), events=st.sampled_from(SLICES), devices=st.integers(1, 3))
@pytest.mark.slow
def test_many_cells_of_generated_jobs_are_the_cpu_s(seed: int, events: int, devices: int) -> None:
    rng = random.Random(seed)
    question = random_generator(seed, rng.choice([5, 40]))
    spec = random_center(question, seed)
    n = rng.choice([1, 2, 33])
    gpus = random_capacities(rng, spec.classes.n_pools, n)
    replication = [rng.choice([0, 1, 2**32 - 1, rng.randrange(2**32)]) for _ in range(n)]
    options = {"early": rng.random() < 0.3, "histogram": rng.random() < 0.3, **question.cell}
    room = TINY if rng.random() < 0.4 else {}
    check(spec, replication, gpus, events=events, devices=devices, **options, **room)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**63), events=st.sampled_from((1, 30)))
@pytest.mark.slow
def test_records_of_generated_jobs_are_the_cpu_s(seed: int, events: int) -> None:
    question = random_generator(seed, 20)
    spec = random_center(question, seed)
    gpus = random_capacities(random.Random(seed), spec.classes.n_pools, 1)
    check(spec, question.replication, gpus, events=events, records=True, **question.cell)


@settings(max_examples=30)
@given(case=cases(), events=st.sampled_from(SLICES), devices=st.integers(1, 3))
@pytest.mark.slow
def test_early_runs_and_whole_ones_of_many_sizes_are_the_cpu_s(case: Case, events: int, devices: int) -> None:
    rng = random.Random(repr(case.jobs))
    gpus = np.array(
        [case.gpus, *([rng.choice((0, 1, 3, 8, 24)) for _ in case.gpus] for _ in range(12))], np.int32
    )
    for early in (False, True):
        check(case.spec(), 0, gpus, events=events, devices=devices, early=early, histogram=not early)


def crowd(n: int = 300) -> Jobs:
    return Jobs(submit=np.zeros(n), service=np.arange(1, n + 1), gpus=np.ones(n))


@pytest.mark.parametrize("backfill", [NONE, 1, 2])
def test_exactly_the_cells_whose_memory_was_full_run_again(backfill: int) -> None:
    tables = [crowd(4), crowd(300), crowd(3), crowd(290)]
    spec = RunSpec(tables, policy=Policy(backfill, order=FIFO), windows=Windows.whole())
    tight = check(spec, [0, 1, 2, 3], 8, events=50, queue_slots=4)
    # The queue begins with 64 slots: two cells need 128, 256 and 512, and two never more.
    assert tight.reruns == 6
    assert spec.room["queue_slots"] == 512


def test_chains_and_running_jobs_overflow_too() -> None:
    after = np.concatenate([np.full(100, -1), np.arange(200)])
    jobs = Jobs(submit=np.zeros(300), service=np.ones(300), gpus=np.ones(300), after=after)
    result = check(
        RunSpec(jobs), 0, 100, events=9, records=True, running_slots=32, held_slots=32, chain_slots=1
    )
    assert result.reruns >= 7  # 1 to 128 chains


@pytest.mark.parametrize("n", [1, 3, 200])
def test_any_number_of_cells_runs_on_any_number_of_devices(n: int) -> None:
    spec = RunSpec([crowd(20), crowd(7)], policy=Policy(1))
    for devices in (1, 2, 3):
        check(spec, np.arange(n) % 2, 1 + np.arange(n) % 9, events=30, devices=devices)


def test_no_cells_are_no_rows() -> None:
    result = check(RunSpec(crowd(5)), [], 4, events=10)
    assert result.counts.shape == (0, 1, 11)


@pytest.mark.parametrize("shared", [0, 3 << 10, 64 << 10, 228 << 10])
def test_any_amount_of_shared_memory_gives_the_same(shared: int) -> None:
    spec = RunSpec([crowd(100)], policy=Policy(1))
    expected = run_batch(spec, [0, 0, 0], [5, 9, 70], backend="cpu")
    with emulated(EmulatedDevice(shared_bytes=shared)), sliced(10):
        result = run_batch(spec, [0, 0, 0], [5, 9, 70], backend="emulated")
    assert unequal(result, expected) == []
