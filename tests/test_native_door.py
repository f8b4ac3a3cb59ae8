"""The native module refuses wrong arrays by itself: none is converted, and no bad value reaches the core.

Checks of Python come first and say more; these keep memory safe whoever calls.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cases import random_case
from gpusim import _native
from gpusim.engine.spec import MULTIFACTOR, ClassTable, Fairness, Policy, RunSpec, Sharing, Windows
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Deterministic
from gpusim.workload.jobs import Jobs
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, LimitMode
from gpusim.workload.week_profile import compile_profile
from sources import WEEK, batches, events, make_source, profiled

PROFILE = compile_profile([1.0, 3.0, 0.0, 2.0] * 42, WEEK)
PICK = compile_alias([100, 200], [0.5, 0.5])
CELLS: dict[str, Any] = {
    "replication": np.zeros(2, np.int64),
    "draw": np.zeros(2, np.int32),
    "demand_ppm": np.full(2, 1_000_000, np.int64),
    "gpus": np.full((2, 1), 8, np.int32),
}


def stored() -> dict[str, Any]:
    """Arrays of a run of stored jobs, chains among them."""
    case = next(c for c in map(random_case, range(10**6)) if len(c.gpus) == 1 and c.slos and len(c.jobs) > 20)
    n = 6
    jobs = Jobs(
        submit=np.arange(n),
        service=np.full(n, 5),
        gpus=np.ones(n, int),
        after=[-1, -1, 0, 1, 2, -1],
        delay=[0] * n,
    )
    classes = ClassTable([0, 1], [0, 0], [-1, 5], 1)
    slos = case.spec().levels
    spec = RunSpec(jobs, classes, windows=Windows(0, 50, 90))
    arrays = dict(spec.arrays)
    level = {
        "slo_class_offset": np.array([0, 1, 1], np.int32),
        "slo_class_list": np.zeros(1, np.int32),
        "slo_class_limit": np.array([7], np.int64),
    }
    return (
        arrays
        | {name: column[:1].copy() for name, column in slos.arrays.items() if "class" not in name}
        | {
            "slo_metric": np.zeros(1, np.int32),
            "slo_bound": np.ones(1, np.int64),
            "slo_hours_from": np.zeros(1, np.int64),
            "slo_hours_to": np.zeros(1, np.int64),
            **level,
        }
    )


def generated() -> dict[str, Any]:
    """Arrays of a run of every kind of source."""
    pick = {
        "limit_mode": LimitMode.PICK,
        "choices": PICK.gpus.astype(np.int64),
        "choice_threshold": PICK.threshold,
        "choice_alias": PICK.alias,
    }
    sources = (
        make_source("a/plain", **profiled(PROFILE)),
        make_source("a/batch", **batches({2: 0.5, 5: 0.5}, spread=9, common=3), **pick),
        make_source("a/events", **events((10, 5, 3), (20, 0, 2))),
        make_source("a/chain", segment=3000, delay=2, limit_mode=LimitMode.FIXED, limit_a=9),
    )
    demand = compile_table(Deterministic(1.0), 1.0 / 65536, 0)
    generator = Generator(sources=sources, seed=1, profiles=(PROFILE,), demand=demand)
    return dict(RunSpec(generator, windows=Windows(0, 5000, 5000)).arrays)


def run(arrays: dict[str, Any], cells: dict[str, Any] = CELLS, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = _native.run(arrays, cells, seed=1, **options)
    return result


def test_the_arrays_of_these_tests_are_good() -> None:
    assert run(stored())["status"].tolist() == [0, 0]
    assert run(generated())["status"].tolist() == [0, 0]
    assert run(shared())["status"].tolist() == [0, 0]
    assert run(fair())["status"].tolist() == [0, 0]


def shared() -> dict[str, Any]:
    """Arrays of a run whose two tenants share a center in one cohort."""
    n = 6
    jobs = Jobs(
        submit=np.arange(n), service=np.full(n, 5), gpus=np.ones(n, int), job_class=[0, 1, 2, 0, 1, 2]
    )
    classes = ClassTable([0, 1, 0], [0, 0, 1], [-1, 5, -1], 2)
    nobody = Sharing.nobody(2, 3, 1)
    sharing = replace(
        nobody,
        parent=np.array([2, 2, -1]),
        **{name: np.array([[3], [3], [0]]) for name in ("nominal", "borrow", "lend")},
        shares=None,
        reclaim=np.array([2, 0]),
        preemptible=np.array([True, False, True]),
    )
    return dict(RunSpec(jobs, classes, windows=Windows(0, 50, 90), sharing=sharing).arrays)


def fair() -> dict[str, Any]:
    """Arrays of a run in a fair order, with an account, and users that have limits."""
    n = 6
    jobs = Jobs(
        submit=np.arange(n),
        service=np.full(n, 5),
        gpus=np.ones(n, int),
        job_class=[0, 1] * 3,
        user=[0, 1] * 3,
    )
    sharing = replace(
        Sharing.nobody(3, 3, 1),
        users=np.array([1, 2, 5]),
        user_max_gpus=np.array([2, 3, -1]),
        user_max_jobs=np.array([-1, 2, -1]),
    )
    fairness = Fairness(
        np.array([1, 2, 1, 1, 1]), np.array([3, 3, -1, 4, -1]), w_age=5, qos=np.array([0, 7, 0])
    )
    classes = ClassTable([0, 0, 0], [0, 1, 2], [-1, 5, -1], 3)
    spec = RunSpec(
        jobs, classes, Policy(order=MULTIFACTOR), Windows(0, 50, 90), sharing=sharing, fairness=fairness
    )
    return dict(spec.arrays)


SPECS = {"stored": stored(), "generated": generated(), "shared": shared(), "fair": fair()}
OPTIONAL = {  # without ..
    "submit",  # .. jobs are generated
    "chain",
    "demand_nodes",
    "parent",  # .. nobody shares
    "account_parent",  # .. the order is no fair one
    "user",
}
ARRAYS = [
    (kind, name)
    for kind, spec in SPECS.items()
    for name, value in spec.items()
    if isinstance(value, np.ndarray)
]
SCALARS = [
    (kind, name)
    for kind, spec in SPECS.items()
    for name, value in spec.items()
    if not isinstance(value, np.ndarray)
]


@pytest.mark.parametrize(("kind", "name"), ARRAYS)
def test_a_wrong_array_is_refused_by_name(kind: str, name: str) -> None:
    good = SPECS[kind][name]
    stripes = np.repeat(good, 2, axis=-1)[..., ::2]
    wrong: dict[str, tuple[Any, type[Exception]]] = {
        "list": (good.tolist(), TypeError),
        "float": (good.astype(np.float64), TypeError),
        "bytes swapped": (good.astype(good.dtype.newbyteorder()), TypeError),
        "wider": (good.astype(np.int32 if good.dtype == np.int64 else np.int64), TypeError),
        "a dimension more": (good[None], ValueError),
        "strided": (stripes, ValueError),
    }
    for how, (bad, error) in wrong.items():
        if (how == "strided" and good.size <= 1) or (how == "bytes swapped" and good.itemsize == 1):
            continue  # one element is contiguous in any case, one byte has no order
        with pytest.raises(error, match=f"'{name}'"):
            run({**SPECS[kind], name: bad})
    for shorter in (good[:-1], good[:0]) if good.size else ():
        with pytest.raises((ValueError, IndexError)):
            run({**SPECS[kind], name: np.ascontiguousarray(shorter)})
    if name not in OPTIONAL:
        with pytest.raises(ValueError, match=f"'{name}' is missing"):
            run({key: value for key, value in SPECS[kind].items() if key != name})


@pytest.mark.parametrize("name", CELLS)
def test_a_wrong_column_of_cells_is_refused_by_name(name: str) -> None:
    good = CELLS[name]
    for bad in (good.tolist(), good.astype(np.float32), good[None], good.astype(np.uint8)):
        with pytest.raises((TypeError, ValueError), match=f"'{name}'"):
            run(SPECS["generated"], {**CELLS, name: bad})
    with pytest.raises(ValueError, match="'"):
        run(SPECS["generated"], {**CELLS, name: good[:1]})
    with pytest.raises(ValueError, match=f"'{name}' is missing"):
        run(SPECS["generated"], {key: value for key, value in CELLS.items() if key != name})


@pytest.mark.parametrize(("kind", "name"), SCALARS)
def test_a_wrong_scalar_is_refused(kind: str, name: str) -> None:
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        run({**SPECS[kind], name: "many"})
    with pytest.raises(ValueError, match=f"'{name}' is missing"):
        run({key: value for key, value in SPECS[kind].items() if key != name})


# kind, array, row (None: the scalar itself), bad value
VALUES: list[tuple[str, str, Any, int]] = [
    ("stored", "tier_rank", 0, -1),
    ("stored", "tier_rank", 1, 2),
    ("stored", "tiers", None, 0),
    ("stored", "tenant", 0, 1),
    ("stored", "tenant", 0, -1),
    ("stored", "patience", 0, -2),
    ("stored", "patience", 0, 2**43),
    ("stored", "pool_list", 0, 1),
    ("stored", "pool_list", 0, -1),
    ("stored", "pool_offset", 1, 0),
    ("stored", "pool_offset", 1, 3),
    ("stored", "pool_offset", 0, 1),
    ("stored", "n_pools", None, 0),
    ("stored", "order", None, 2),
    ("stored", "backfill", None, -3),
    ("stored", "window", None, -2),
    ("stored", "max_tests", None, -2),
    ("stored", "period", None, 0),
    ("stored", "warm_up", None, -1),
    ("stored", "count_end", None, 91),
    ("stored", "horizon", None, 2**43),
    ("stored", "day", None, 0),
    ("stored", "week_phase", None, -1),
    ("stored", "slo_metric", 0, 5),
    ("stored", "slo_share_ppm", 0, 1_000_001),
    ("stored", "slo_bound", 0, -1),
    ("stored", "slo_hours_from", 0, -1),
    ("stored", "slo_hours_to", 0, 86_401),
    ("stored", "slo_days", 0, 128),
    ("stored", "slo_class_list", 0, 1),
    ("stored", "slo_class_limit", 0, -1),
    ("stored", "slo_class_offset", 1, 2),
    ("stored", "slo_class_offset", 2, 0),
    ("stored", "submit", 0, -1),
    ("stored", "submit", 5, 2**43),
    ("stored", "submit", 0, 3),
    ("stored", "service", 0, 0),
    ("stored", "service", 0, 2**43),
    ("stored", "limit", 0, 0),
    ("stored", "gpus", 0, 0),
    ("stored", "gpus", 0, 2**31 - 1),
    ("stored", "job_class", 0, 2),
    ("stored", "delay", 0, -1),
    ("stored", "chain", 0, 1),
    ("stored", "chain", 5, 0),
    ("stored", "chain", 0, -2),
    ("stored", "chain", 2, -1),
    ("stored", "chain", 4, 2),
    ("stored", "part", 0, 0),
    ("stored", "part", 0, 1),
    ("stored", "part", 2, 4),
    ("stored", "part", 2, 1),
    ("stored", "part", 5, 1),
    ("stored", "offset", 0, 1),
    ("stored", "offset", 1, 7),
    ("stored", "offset", 1, -1),
    ("shared", "line", 0, 0),
    ("shared", "lines", None, 3),
    ("shared", "parent", 0, 1),
    ("shared", "parent", 2, 2),
    ("shared", "root", 0, 0),
    ("shared", "bottom_up", 0, 1),
    ("shared", "bottom_up", 2, 0),
    ("shared", "amount", (0, 0, 0), -2),
    ("shared", "unassigned", None, 2),
    ("shared", "within", 0, 3),
    ("shared", "reclaim", 0, 3),
    ("shared", "tenant_max_gpus", 0, -2),
    ("shared", "tenant_max_jobs", 0, -2),
    ("shared", "priority", 1, 0),
    ("shared", "rising", 0, 2),
    ("shared", "requeue", 0, 3),
    ("shared", "exempt", 0, -1),
    ("shared", "checkpoint", 0, 2**43),
    ("shared", "order", None, 2),
    ("fair", "order", None, 5),
    ("fair", "order", None, 6),
    ("fair", "account_parent", 0, 1),
    ("fair", "account_parent", 0, 5),
    ("fair", "account_parent", 0, -2),
    ("fair", "account_parent", 4, 3),
    ("fair", "fair_weight", 4, -1),
    ("fair", "fair_weight", 0, 2**31),
    ("fair", "qos", 1, 2**20 + 1),
    ("fair", "calc_period", None, 0),
    ("fair", "calc_period", None, 2**43),
    ("fair", "decay_q32", None, 2**32 + 1),
    ("fair", "decay_q32", None, -1),
    ("fair", "w_age", None, -1),
    ("fair", "w_fairshare", None, 2**20 + 1),
    ("fair", "w_size", None, -1),
    ("fair", "w_qos", None, -1),
    ("fair", "max_age", None, 0),
    ("fair", "user_offset", 0, 1),
    ("fair", "user_offset", 1, 0),
    ("fair", "user_offset", 2, 2**20 + 1),
    ("fair", "user_offset", 3, 4),
    ("fair", "user_max_gpus", 0, -2),
    ("fair", "user_max_jobs", 0, -2),
    ("fair", "user", 0, -1),
    ("fair", "user", 0, 1),
    ("fair", "user", 1, 2),
    ("generated", "rows", (0, 0), 4),
    ("generated", "rows", (0, 0), -1),
    ("generated", "n_sources", None, 3),
    ("generated", "source_class", 0, 1),
    ("generated", "source_class", 0, -1),
    ("generated", "gap_nodes", (0, 0, 5), -1),
    ("generated", "gap_nodes", (0, 1, 0), 2**44),
    ("generated", "gap_nodes", (0, 0, 864), 0),
    ("generated", "gap_shift", 0, 41),
    ("generated", "gap_shift", 0, 7),
    ("generated", "gap_shift", 0, -1),
    ("generated", "from_tick", 0, -1),
    ("generated", "until_tick", 0, -1),
    ("generated", "source_profile", 0, 1),
    ("generated", "source_profile", 0, -2),
    ("generated", "profile_start", 0, -1),
    ("generated", "profile_cum", 0, 1),
    ("generated", "profile_cum", 5, 0),
    ("generated", "profile_offset", 1, 168),
    ("generated", "week", None, 0),
    ("generated", "week_phase", None, -1),
    ("generated", "events", (0, 0), -1),
    ("generated", "events", (0, 1), 11),
    ("generated", "events", (0, 2), 65),
    ("generated", "events", (1, 2), -1),
    ("generated", "event_offset", 4, 3),
    ("generated", "batch_sizes", 0, 0),
    ("generated", "batch_alias", 0, 2),
    ("generated", "batch_alias", 0, -1),
    ("generated", "batch_offset", 2, 3),
    ("generated", "spread", 1, -1),
    ("generated", "common", 1, 65_536),
    ("generated", "common", 1, -1),
    ("generated", "service_nodes", (0, 1, 3), 2**44),
    ("generated", "service_nodes", (0, 0, 3), 2**40),
    ("generated", "service_shift", 0, -1),
    ("generated", "service_cap", 0, 2**44),
    ("generated", "service_cap", 0, -1),
    ("generated", "service_cap_from", 0, -1),
    ("generated", "service_cap_from", 0, 2**32 + 1),
    ("generated", "atom_gpus", 0, 0),
    ("generated", "atom_alias", 0, 5),
    ("generated", "atom_offset", 1, 0),
    ("generated", "limit_mode", 0, 4),
    ("generated", "limit_mode", 0, 3),
    ("generated", "limit_a", 3, 0),
    ("generated", "choices", 0, 0),
    ("generated", "choice_alias", 0, 2),
    ("generated", "segment", 3, -1),
    ("generated", "delay", 3, -1),
    ("generated", "demand_nodes", (0, 0), -1),
    ("generated", "demand_nodes", (0, 5), 2**43),
]


@pytest.mark.parametrize(("kind", "name", "row", "bad"), VALUES)
def test_a_value_out_of_range_never_reaches_the_core(kind: str, name: str, row: Any, bad: int) -> None:
    value: Any = bad
    if row is not None:
        value = SPECS[kind][name].copy()
        value[row] = bad
    with pytest.raises((ValueError, IndexError)):
        run({**SPECS[kind], name: value})


@pytest.mark.parametrize(
    ("name", "bad"),
    [("replication", -1), ("replication", 2**32), ("draw", 1), ("draw", -1), ("demand_ppm", 0), ("gpus", -1)],
)
def test_a_cell_out_of_range_never_reaches_the_core(name: str, bad: int) -> None:
    column = CELLS[name].copy()
    column.flat[1] = bad
    with pytest.raises((ValueError, IndexError)):
        run(SPECS["generated"], {**CELLS, name: column})


@pytest.mark.parametrize(
    "options",
    [
        {"lanes": 2},
        {"running_slots": 48},
        {"running_slots": 1 << 21},
        {"held_slots": 0},
        {"held_slots": 33},
        {"queue_slots": 65},
        {"queue_slots": 0},
        {"profile_slots": 3},
        {"chain_slots": -1},
        {"records": 5},
    ],
)
def test_room_out_of_range_never_reaches_the_core(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"lanes|slots|records"):
        run(SPECS["generated"], **options)
    one = {name: column[:1] for name, column in CELLS.items()}
    with pytest.raises(ValueError, match="fewer records than jobs"):
        run(SPECS["generated"], one, records=5)
