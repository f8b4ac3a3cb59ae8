"""Every kind of source: the engine's generator gives the integers of the plain Python one, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from gpusim.engine.batch import generate_jobs
from gpusim.engine.reference_generator import generate
from gpusim.engine.spec import ClassTable, RunSpec, Windows
from gpusim.workload.alias import compile_choices
from gpusim.workload.distributions import Exponential, LogNormal
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, LimitMode
from gpusim.workload.week_profile import compile_profile
from sources import DAY, WEEK, batches, events, make_source, profiled

HORIZON = 250_000
PHASE = 3 * DAY + 100
COLUMNS = ("submit", "service", "limit", "gpus", "job_class", "after", "delay", "user")


def every_kind() -> Generator:
    profile = compile_profile([0.0, 0.3, 5.0, 0.0, 0.0, 1.0, 0.7] * 24, WEEK)
    choices, threshold, alias = compile_choices([3600, 86_400, 7200], [0.3, 0.2, 0.5])
    pick = {"choices": choices, "choice_threshold": threshold, "choice_alias": alias}
    rounded = {
        "limit_mode": LimitMode.FACTOR,
        "limit_a": 65_536,
        "limit_b": 4 * 65_536,
        "choices": np.array([1800, 3600, 7200], np.int64),
    }
    rare = {"gap": Exponential(300.0), "job_class": 1}
    sizes = {1: 0.4, 2: 0.3, 7: 0.2, 80: 0.1}
    capped = LogNormal(3600.0, 2.0, cap=9000.0)
    decided = {
        "call_period": 7 * DAY,
        "call_phase": 2 * DAY,
        "hold": compile_table(Exponential(DAY), 1.0, 16),
    }
    sources = (
        make_source("a/plain", from_tick=500, until_tick=200_000, **rounded),
        make_source("a/batch", service=capped, **rare, **batches(sizes, spread=400, common=20_000)),
        make_source(
            "a/alike",
            until_tick=100_000,
            users=3,
            **decided,
            **rare,
            **batches(sizes, spread=50, common=50_000),
        ),
        make_source("a/week", limit_mode=LimitMode.PICK, **pick, **profiled(profile, PHASE, 777)),
        make_source("a/chain", job_class=2, gap=Exponential(600.0), segment=1800, delay=60, **decided),
        make_source(
            "a/times", **events((100, 5000, 16), (5100, 0, 7), (90_000, 90_000, 16), (249_995, 10, 3))
        ),
        make_source(
            "a/later", segment=1000, delay=3, until_tick=150_000, **events((9, 50, 16), (90_000, 90_000, 16))
        ),
        make_source("a/lease", claw_threshold=1 << 30, claw_after=600, users=7, **decided),
        make_source("a/off", active=False),
        make_source("a/off"),
    )
    return Generator(
        sources=sources,
        demand=compile_table(LogNormal(1.0, 0.2), 1 / 65_536, 0),
        seed=(1 << 63) + 99,
        profiles=(profile,),
        week_phase=PHASE,
        rows=np.array([[0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 2, 3, 4, 5, 6, 7, 9]], np.int32),
    )


@pytest.mark.parametrize(
    ("replication", "demand_ppm", "draw"),
    [(0, 1_000_000, 0), (5, 300_000, 1), (2**32 - 1, 2_345_678, 0), (77, 3_900_000, 1), (3, 10_000, 1)],
)
@pytest.mark.slow
def test_generated_jobs_are_those_of_the_reference(replication: int, demand_ppm: int, draw: int) -> None:
    generator = every_kind()
    windows = Windows(0, HORIZON, HORIZON, week_phase=PHASE)
    spec = RunSpec(generator, ClassTable([0] * 3, [0] * 3, [-1] * 3, 1), windows=windows)
    expected = generate(generator, replication, HORIZON, demand_ppm, draw)
    jobs = generate_jobs(spec, replication, demand_ppm=demand_ppm, draw=draw)
    assert len(jobs) > 80
    for name in COLUMNS:
        assert np.array_equal(getattr(jobs, name), expected[name]), name
