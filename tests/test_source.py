"""Sources and generators: what is refused, by name, and the arrays that the native module gets."""

from dataclasses import fields, replace

import numpy as np
import pytest

from gpusim.engine.reference_generator import generate
from gpusim.errors import WorkloadError
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal
from gpusim.workload.quantile_table import NO_CAP, NO_CAP_FROM, NODES, QuantileTable, compile_table
from gpusim.workload.source import Generator, LimitMode, Source, source_key, source_keys
from gpusim.workload.week_profile import compile_profile
from sources import ALIAS, SERVICE, WEEK, batches, events, make_source, one, profiled

PROFILE = compile_profile([1.0, 3.0] * 84, WEEK)
PICK = {
    "limit_mode": LimitMode.PICK,
    "choices": np.array([7200, 3600], np.int64),
    "choice_threshold": np.array([1 << 32, 1 << 31], np.uint64),
    "choice_alias": np.array([0, 0], np.int32),
}


def test_colliding_names_are_refused_and_both_are_named() -> None:
    # "plumless" and "buckeroo" are a known CRC-32 collision; a common prefix of equal length keeps it one.
    with pytest.raises(WorkloadError, match=r"x/buckeroo.*x/plumless"):
        source_keys([("x", "plumless"), ("y", "other"), ("x", "buckeroo")])
    with pytest.raises(WorkloadError, match=r"x/buckeroo.*x/plumless"):
        Generator(sources=(make_source("x/plumless"), make_source("x/buckeroo")), seed=0)
    assert source_keys([("x", "plumless"), ("y", "buckeroo")]) == [
        source_key("x", "plumless"),
        source_key("y", "buckeroo"),
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"key": 0}, "key"),
        ({"job_class": 1 << 16}, "job_class"),
        ({"gap": QuantileTable(np.zeros((2, NODES), np.int64), 0)}, "median gap"),
        ({"threshold": ALIAS.threshold.astype(np.int64)}, "threshold"),
        ({"alias": ALIAS.alias + np.int32(4)}, "alias"),
        ({"gpus": ALIAS.gpus - np.int32(1)}, "GPU count"),
        ({"limit_a": 5}, "limit_a"),
        ({"limit_mode": 4}, "limit_mode"),
        ({"limit_mode": LimitMode.FIXED, "limit_a": 1 << 43}, "limit_a"),
        ({"limit_mode": LimitMode.FACTOR, "limit_a": 9, "limit_b": 8}, "limit_b"),
        ({"limit_mode": LimitMode.FACTOR, "limit_a": 9, "limit_b": 1 << 37}, "limit_b"),
        ({"limit_mode": LimitMode.PICK}, "no limits to pick"),
        (PICK | {"choices": np.array([0, 5], np.int64)}, "outside"),
        (PICK | {"choice_alias": np.array([0, 2], np.int32)}, "limit alias"),
        (PICK | {"choice_threshold": np.zeros(1, np.uint64)}, "choice_threshold"),
        ({"choices": np.array([5], np.int64)}, "without a mode"),
        (
            {
                "limit_mode": LimitMode.FACTOR,
                "limit_a": 65536,
                "limit_b": 65536,
                "choices": np.array([7, 5], np.int64),
            },
            "ascending",
        ),
        ({"service": QuantileTable(np.full((2, NODES), 1 << 43, np.int64), 0)}, "2\\^43"),
        ({"cap": 1 << 44, "cap_from": 5}, "cap is outside"),
        ({"from_tick": -1}, "from_tick"),
        ({"until_tick": -2}, "until_tick"),
        ({"profile_start": 4}, "without a profile"),
        ({"profile": 0, "gap": compile_table(Exponential(60.0), 1.0, 7)}, "gap shift"),
        (events((10, 5, 1), (14, 0, 1)), "overlap"),
        (events((10, 5, 65)), "count"),
        (events((10, 1 << 31, 1)), "within"),
        (events((10, 5, 1)) | {"from_tick": 3}, "from_tick"),
        (batches({1: 1.0}) | {"segment": 5}, "neither"),
        (batches({1: 1.0}) | events((1, 1, 1)), "neither"),
        (batches({1: 1.0}, common=65536), "common"),
        (batches({1000: 1.0}, spread=1 << 53), "spread"),
        ({"spread": 5}, "without batch"),
        ({"delay": 5}, "without segment"),
        ({"claw_threshold": -1, "claw_after": 1}, "claw_threshold"),
        ({"claw_threshold": (1 << 32) + 1, "claw_after": 1}, "claw_threshold"),
        ({"claw_threshold": 1}, "claw_after is outside"),
        ({"claw_after": 1}, "without claw-back"),
        ({"call_period": -1}, "call_period"),
        ({"call_period": 5, "call_phase": 5}, "call_phase"),
        ({"call_phase": 1}, "call_phase"),
        ({"hold": QuantileTable(np.full((2, NODES), 1 << 43, np.int64), 0)}, "held for 2\\^43"),
        ({"users": 0}, "users"),
        ({"segment": 1 << 43}, "segment"),
    ],
)
def test_a_source_outside_the_arithmetic_s_range_is_refused(changes, text) -> None:
    with pytest.raises(WorkloadError, match=text):
        make_source(**changes)


def test_all_problems_of_a_source_are_reported_together() -> None:
    with pytest.raises(WorkloadError) as caught:
        make_source(key=0, limit_a=5, from_tick=-1)
    assert len(caught.value.problems) == 3
    assert all(problem.where == "vision/train" for problem in caught.value.problems)


def test_a_generator_outside_the_arithmetic_s_range_is_refused() -> None:
    wide = QuantileTable(np.full((2, NODES), 1 << 43, np.int64), 0)
    tiny = QuantileTable(np.full((2, NODES), 1, np.int64), 0)
    shifted = QuantileTable(wide.nodes, 1)
    for demand, text in [
        (wide, "reaches 2"),
        (shifted, "shift"),
        (replace(tiny, nodes=tiny.nodes - 1), "median gap is 0"),
    ]:
        with pytest.raises(WorkloadError, match=text):
            one(demand=demand)
    with pytest.raises(WorkloadError, match="seed"):
        one(seed=1 << 64)
    with pytest.raises(WorkloadError, match="clock"):
        generate(one(), 0, 1 << 43)
    with pytest.raises(WorkloadError, match="replication"):
        generate(one(), 1 << 32, 10)
    with pytest.raises(WorkloadError, match="draw"):
        generate(one(), 0, 10, draw=1)


def test_demand_beyond_what_events_and_clocks_hold_is_refused() -> None:
    full = one(make_source(**events((10, 5, 16), (100, 0, 1))))
    full.check_demand(1, 4_000_000)
    with pytest.raises(WorkloadError, match="more than 64 arrivals"):
        full.check_demand(10**6, 4_062_501)
    dense = one(make_source(gap=compile_table(Deterministic(1.0), 1.0, 2)))
    dense.check_demand(10**6, 4_000_000)
    with pytest.raises(WorkloadError, match="median gap is 0"):
        dense.check_demand(10**6, 5_000_000)
    with pytest.raises(WorkloadError, match="in order"):
        dense.check_demand(2, 1)
    rare = one(make_source(gap=compile_table(Exponential(86400.0), 1.0, 20)))
    with pytest.raises(WorkloadError, match="2\\^56"):
        rare.check_demand(1, 10**6)


def test_profiles_must_be_there_fit_the_phase_and_share_a_week() -> None:
    good = make_source(**profiled(PROFILE, 100, 50))
    one(good, profiles=(PROFILE,), week_phase=100)
    for common, text in [
        ({}, "not there"),
        ({"profiles": (PROFILE,), "week_phase": 101}, "profile_start"),
        ({"profiles": (PROFILE,), "week_phase": WEEK}, "week_phase"),
        ({"profiles": (PROFILE, compile_profile([1.0] * 7, WEEK * 2)), "week_phase": 100}, "lengths"),
    ]:
        with pytest.raises(WorkloadError, match=text):
            one(good, **common)


def test_rows_must_keep_key_and_class_of_each_source() -> None:
    sources = (
        make_source("a/x"),
        make_source("b/y", job_class=1),
        make_source("a/x", limit_mode=1, limit_a=9),
    )
    rows = np.array([[0, 1], [2, 1]], np.int32)
    generator = Generator(sources=sources, seed=1, rows=rows)
    assert generator.draws == 2
    assert [source.name for source in generator.of_draw(1)] == ["a/x", "b/y"]
    for bad, text in [
        (np.array([[0, 1], [1, 1]], np.int32), "several keys"),
        (np.array([[0, 3]], np.int32), "not there"),
        (rows.astype(np.int64), "int32"),
        (np.array([[0, 2]], np.int32), "same key"),
    ]:
        with pytest.raises(WorkloadError, match=text):
            Generator(sources=sources, seed=1, rows=bad)


def test_the_cap_of_a_source_is_that_of_its_service_table_unless_given() -> None:
    table = compile_table(LogNormal(3600.0, 1.0, cap=7200.0), 1.0, 16)
    source = make_source(service=table)
    assert (source.cap, source.cap_from) == (table.cap, table.cap_from) == (7200 << 16, table.cap_from)
    assert source.longest_service() == 7200
    assert (make_source().cap, make_source().cap_from) == (NO_CAP, NO_CAP_FROM)
    assert make_source(service=table, cap=NO_CAP, cap_from=NO_CAP_FROM).longest_service() > 7200


def test_arrays_hold_every_field_of_every_row_with_the_agreed_types() -> None:
    capped = QuantileTable(SERVICE.nodes, SERVICE.shift, 60, 5)
    sources = (
        make_source("a/plain"),
        make_source("a/batch", job_class=1, **batches({2: 0.5, 3: 0.5}, spread=20, common=9)),
        make_source("a/times", job_class=2, hold=SERVICE, **events((5, 2, 1), (9, 0, 3)), **PICK),
        make_source("a/chain", job_class=2, segment=60, delay=5, until_tick=77),
        make_source("a/week", job_class=3, hold=capped, **profiled(PROFILE, 7, 9)),
        make_source(
            "a/rounded",
            limit_mode=LimitMode.FACTOR,
            limit_a=65536,
            limit_b=70000,
            choices=np.array([60, 120, 180], np.int64),
        ),
    )
    generator = Generator(sources=sources, seed=1, profiles=(PROFILE,), week_phase=7)
    arrays = generator.arrays()
    kinds = {
        "rows": "i4", "source_key": "u4", "source_class": "i4", "source_active": "u1", "gap_nodes": "i8",
        "gap_shift": "i4", "from_tick": "i8", "until_tick": "i8", "source_profile": "i4",
        "profile_start": "i8", "event_offset": "i4", "events": "i8", "batch_offset": "i4",
        "batch_sizes": "i4", "batch_threshold": "u8", "batch_alias": "i4", "spread": "i8", "common": "i8",
        "service_nodes": "i8", "service_shift": "i4", "service_cap": "i8", "service_cap_from": "i8",
        "atom_offset": "i4", "atom_gpus": "i4", "atom_threshold": "u8", "atom_alias": "i4",
        "limit_mode": "i4", "limit_a": "i8", "limit_b": "i8", "choice_offset": "i4", "choices": "i8",
        "choice_threshold": "u8", "choice_alias": "i4", "segment": "i8", "delay": "i8",
        "profile_offset": "i4", "profile_cum": "i8", "claw_threshold": "i8", "claw_after": "i8",
        "call_period": "i8", "call_phase": "i8", "users": "i4", "hold": "i4", "hold_nodes": "i8",
        "hold_shift": "i4", "hold_cap": "i8", "hold_cap_from": "i8",
    }  # fmt: skip
    found = {name: array.dtype.str[1:] for name, array in arrays.items() if isinstance(array, np.ndarray)}
    assert found == kinds
    assert all(array.flags.c_contiguous for array in arrays.values() if isinstance(array, np.ndarray))
    assert arrays["week"] == WEEK
    assert arrays["week_phase"] == 7
    assert arrays["rows"].tolist() == [[0, 1, 2, 3, 4, 5]]
    assert arrays["event_offset"].tolist() == [0, 0, 0, 2, 2, 2, 2]
    assert arrays["events"].tolist() == [[5, 2, 1], [9, 0, 3]]
    assert arrays["batch_offset"].tolist() == [0, 0, 2, 2, 2, 2, 2]
    assert arrays["choice_offset"].tolist() == [0, 0, 0, 2, 2, 2, 5]
    assert arrays["choices"].tolist() == [7200, 3600, 60, 120, 180]
    assert arrays["choice_threshold"].tolist() == [1 << 32, 1 << 31, 0, 0, 0]
    assert arrays["atom_offset"].tolist() == [5 * i for i in range(7)]
    assert arrays["gap_nodes"].shape == arrays["service_nodes"].shape == (6, 2, NODES)
    assert arrays["until_tick"].tolist() == [-1, -1, -1, 77, -1, -1]
    assert arrays["profile_offset"].tolist() == [0, 169]
    assert arrays["hold"].tolist() == [-1, -1, 0, -1, 1, -1]
    assert arrays["hold_nodes"].shape == (2, 2, NODES)
    assert arrays["hold_cap_from"].tolist() == [1 << 32, 5]
    assert "demand_nodes" not in arrays
    unsent = {"name", "gap", "service"}  # the tables go as nodes and shift
    sent = {"key": "source_key", "active": "source_active", "profile": "source_profile", "cap": "service_cap"}
    sent |= {"job_class": "source_class", "cap_from": "service_cap_from"}
    sent |= {name: f"atom_{name}" for name in ("gpus", "threshold", "alias")}
    assert {sent.get(f.name, f.name) for f in fields(Source)} - unsent <= set(arrays)


def test_arrays_of_no_source_are_empty_and_of_the_right_shape() -> None:
    arrays = Generator(sources=(), seed=0).arrays()
    assert arrays["gap_nodes"].shape == (0, 2, NODES)
    assert arrays["events"].shape == (0, 3)
    assert arrays["rows"].shape == (1, 0)
    assert arrays["atom_offset"].tolist() == [0]
