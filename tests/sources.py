"""Sources of generated jobs for tests: one plain source, and what to change to get each other kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpusim.engine.reference_generator import generate
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, LimitMode, Source, source_key
from gpusim.workload.week_profile import WeekProfile

Z_BOUND = 4.5
"""Fixed seeds; had the seed been drawn, a test of one normal deviate would fail with probability 7e-6."""
DAY = 86_400
WEEK = 7 * DAY
ALIAS = compile_alias([1, 2, 4, 8, 64], [0.5, 0.2, 0.1, 0.15, 0.05])
GAP = compile_table(Exponential(60.0), 1.0, 20)
SERVICE = compile_table(LogNormal(3600.0, 1.0), 1.0, 20)


def make_source(name: str = "vision/train", **changes: Any) -> Source:
    """A plain source of class 0 with a job a minute; `gap` and `service` may be given as laws in seconds."""
    tenant, job_class = name.split("/")
    fields: dict[str, Any] = {
        "key": source_key(tenant, job_class),
        "job_class": 0,
        "active": True,
        "gap": GAP,
        "service": SERVICE,
        "gpus": ALIAS.gpus,
        "threshold": ALIAS.threshold,
        "alias": ALIAS.alias,
        "limit_mode": LimitMode.EXACT,
        "name": name,
    }
    fields |= changes
    for table in ("gap", "service"):
        if hasattr(fields[table], "uncapped"):
            fields[table] = compile_table(fields[table], 1.0, 20)
    return Source(**fields)


def batches(sizes: dict[int, float], **changes: Any) -> dict[str, Any]:
    """Fields of a batch source with these sizes and shares."""
    table = compile_alias(list(sizes), list(sizes.values()))
    return {
        "batch_sizes": table.gpus,
        "batch_threshold": table.threshold,
        "batch_alias": table.alias,
        **changes,
    }


def events(*rows: tuple[int, int, int]) -> dict[str, Any]:
    """Fields of a scheduled source with these (tick, within, count)."""
    return {"events": np.array(rows, dtype=np.int64), "gap": Deterministic(1.0)}


def profiled(profile: WeekProfile, week_phase: int = 0, from_tick: int = 0, **changes: Any) -> dict[str, Any]:
    """Fields of a source that follows profile 0."""
    start = profile.operational(week_phase + from_tick)
    return {"profile": 0, "profile_start": start, "from_tick": from_tick, **changes}


def one(source: Source | None = None, seed: int = 1, **common: Any) -> Generator:
    """Generator of one source."""
    return Generator(sources=(source or make_source(),), seed=seed, **common)


def jobs_of(source: Source, horizon: int, replication: int = 0, seed: int = 1, **call: Any) -> dict[str, Any]:
    """Jobs of one source alone."""
    return generate(one(source, seed), replication, horizon, **call)


def assert_same_jobs(left: dict[str, Any], right: dict[str, Any]) -> None:
    """Column by column."""
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
