"""A scenario's job classes become sources of generated jobs: distributions as integer tables.

A stream of a class becomes one source, but for two cases. Scheduled times that overlap are dealt out to several
sources, since the events of a source must not overlap. A stream of random arrivals with a hyper-exponential run
time becomes one source a phase: the sum of independent Poisson streams. The sources are named, and draw their
random numbers, after 'tenant/class' (first stream), 'tenant/class#2' (second), ..; further sources of a stream
add '/2', '/3', ...
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpusim.errors import Problem, WorkloadError
from gpusim.scenario import Scenario
from gpusim.scenario.arrivals import Stream
from gpusim.scenario.limits import JobLimit
from gpusim.scenario.model import JobClass
from gpusim.workload.agreements import approval_fields, lease_fields
from gpusim.workload.alias import compile_alias, compile_choices
from gpusim.workload.distributions import Deterministic, Distribution, Exponential, LogNormal
from gpusim.workload.quantile_table import QuantileTable, compile_table
from gpusim.workload.run_time_law import SERVICE_SHIFT, distribution_of, phases_of
from gpusim.workload.scheduled_events import event_tables
from gpusim.workload.source import SCALE_ONE, Generator, LimitMode, Source, source_key
from gpusim.workload.week_profile import WeekProfile, compile_profile, profile_bins, week_in_ticks

GAP_SHIFT = 20
"""Arrival clocks count in 2^-20 ticks where the horizon leaves room: gaps round to a millionth of a tick."""
_CLOCK_BITS = 61  # horizon << shift stays below 2^61, so that no clock overflows
_GAP_LIMIT = 1 << 43  # gaps times demand scale, in units of the clock


def compile_sources(scenario: Scenario, seed: int) -> Generator:
    """Sources of all classes of a scenario, in class order; uncertain numbers at their nominal value.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Seed of the random streams, [0, 2^64).

    Returns
    -------
    Generator

    Raises
    ------
    WorkloadError
        If a distribution does not fit the engine's integers or no table is accurate enough for it, or two
        sources share a random stream.
    """
    shared = SharedTables(scenario)
    sources = tuple(
        source
        for k, (_, tenant, job_class) in enumerate(scenario.classes())
        for source in class_sources(shared, k, f"{tenant}/{job_class.name}", job_class)
    )
    return shared.generator(sources, seed)


@dataclass
class SharedTables:
    """What the sources of a scenario share, and what is the same for all draws of its uncertain numbers."""

    scenario: Scenario
    profiles: list[WeekProfile] = field(default_factory=list)
    _profile_index: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scenario = self.scenario
        sigma = scenario.study.demand_uncertainty
        self.horizon = scenario.ticks(scenario.study.horizon)
        self.week_phase = scenario.ticks(scenario.week_phase)
        self.demand = _demand_table(sigma) if sigma > 0 else None
        self.gap_shift = min(GAP_SHIFT, _CLOCK_BITS - self.horizon.bit_length())
        largest = SCALE_ONE if self.demand is None else int(self.demand.nodes[1, 0])
        self.gap_limit = _GAP_LIMIT * SCALE_ONE // max(largest, SCALE_ONE)

    def gap(self, rate: float, name: str = "") -> QuantileTable:
        """Table of the gaps of a Poisson stream of `rate` [1/s]; of a stand-in if the rate is 0."""
        tick = self.scenario.tick
        law: Distribution = Exponential(1.0 / rate) if rate > 0 else Deterministic(tick)
        try:
            return compile_table(law, tick, self.gap_shift, value_limit=self.gap_limit)
        except WorkloadError as error:
            raise WorkloadError(
                Problem(
                    where=name,
                    what="arrivals are too rare or too frequent for the clock",
                    remedy="use a longer tick or lower study.demand_uncertainty if they are rare, else a shorter tick",
                    code="workload/arrival-rate",
                    found=f"one in {1.0 / rate:.3g} s, tick {tick:g} s",
                )
            ) from error

    def profile(self, stream: Stream) -> int:
        """Index of the stream's profile among `profiles`; -1 if its rate is constant."""
        if stream.profile is None:
            return -1
        tick = self.scenario.tick
        profile = compile_profile(stream.profile.weekly(profile_bins(tick)), week_in_ticks(tick))
        index = self._profile_index.setdefault(profile.cum.tobytes(), len(self.profiles))
        if index == len(self.profiles):
            self.profiles.append(profile)
        return index

    def generator(self, sources: tuple[Source, ...], seed: int, rows: Any = None) -> Generator:
        """Generator of these sources and of what they share."""
        return Generator(
            sources=sources,
            demand=self.demand,
            seed=seed,
            profiles=tuple(self.profiles),
            week_phase=self.week_phase,
            rows=np.zeros((0, 0), np.int32) if rows is None else rows,
        )


def class_sources(shared: SharedTables, k: int, name: str, job_class: JobClass) -> list[Source]:
    """Sources of class `k`, called `name`; as many for every draw of the uncertain numbers."""
    return [
        source
        for stream in job_class.streams
        for source in _stream_sources(shared, k, name, job_class, stream)
    ]


def _stream_sources(
    shared: SharedTables, k: int, name: str, job_class: JobClass, stream: Stream
) -> Iterator[Source]:
    scenario = shared.scenario
    counts = compile_alias(list(stream.gpus), list(stream.gpus.values()))
    common: dict[str, Any] = {
        "job_class": k,
        "users": scenario.tenants[list(scenario.classes())[k].tenant_index].users or 1,
        "until_tick": -1 if stream.until is None else scenario.ticks(stream.until),
        "gpus": counts.gpus,
        "threshold": counts.threshold,
        "alias": counts.alias,
        **_limit(scenario, stream.limit),
        **lease_fields(scenario, stream.lease),
        **approval_fields(scenario, stream.approval),
    }
    if job_class.segment is not None:
        common["segment"] = max(1, scenario.ticks(job_class.segment))
        common["delay"] = scenario.ticks(job_class.segment_delay)
    parts = _scheduled(shared, stream) if stream.schedule else _renewal(shared, stream, name)
    for part, fields in enumerate(parts, start=1):
        label = f"{name}{stream.label}" if part == 1 else f"{name}{stream.label}/{part}"
        tenant, _, rest = label.partition("/")
        yield Source(key=source_key(tenant, rest), name=label, **common, **fields)


def _scheduled(shared: SharedTables, stream: Stream) -> Iterator[dict[str, Any]]:
    """What the sources of a schedule have of their own; at least one, if only an inactive one."""
    scenario = shared.scenario
    service = _service(scenario, distribution_of(stream.run_time))
    times = stream.occurrences(scenario.week_phase, scenario.study.horizon)
    in_ticks = [(scenario.ticks(time), scenario.ticks(within), count) for time, within, count in times]
    tables = event_tables(in_ticks) or [np.zeros((0, 3), np.int64)]
    for events in tables:
        yield {"active": len(events) > 0, "gap": shared.gap(0.0), "service": service, "events": events}


def _renewal(shared: SharedTables, stream: Stream, name: str) -> Iterator[dict[str, Any]]:
    """What the sources of a stream of random arrivals have of their own."""
    scenario = shared.scenario
    from_tick = scenario.ticks(stream.start)
    index = shared.profile(stream)
    start = 0 if index < 0 else shared.profiles[index].operational(shared.week_phase + from_tick)
    batch = _batch(scenario, stream)
    phases = [(1.0, distribution_of(stream.run_time))] if batch else phases_of(stream.run_time)
    for share, law in phases:
        rate = stream.rate * share
        yield {
            "active": rate > 0 and from_tick < shared.horizon,
            "gap": shared.gap(rate, name),
            "from_tick": from_tick,
            "profile": index,
            "profile_start": start,
            "service": _service(scenario, law),
            **batch,
        }


def _batch(scenario: Scenario, stream: Stream) -> dict[str, Any]:
    if stream.batch is None:
        return {}
    sizes = stream.batch.sizes
    table = compile_alias(list(sizes), list(sizes.values()))
    return {
        "batch_sizes": table.gpus,
        "batch_threshold": table.threshold,
        "batch_alias": table.alias,
        "spread": scenario.ticks(stream.batch.within),
        "common": common_weight(stream.batch.correlation),
    }


def common_weight(correlation: float) -> int:
    """Weight p of the word common to a batch [1/65536], for a correlation r in [0, 1] of its members' words.

    Before they are made uniform again, two members' mixed words have correlation p^2 / (p^2 + q^2) with
    q = 65536 - p, which is r for p / q = sqrt(r / (1 - r)). The uniform words' own correlation, the rank correlation of
    the run times, is within 0.025 of r.
    """
    if correlation >= 1.0:
        return SCALE_ONE - 1
    ratio = math.sqrt(correlation / (1.0 - correlation))
    return min(round(SCALE_ONE * ratio / (1.0 + ratio)), SCALE_ONE - 1)


def _service(scenario: Scenario, law: Distribution) -> QuantileTable:
    return compile_table(law, scenario.tick, SERVICE_SHIFT)


def _limit(scenario: Scenario, limit: JobLimit) -> dict[str, Any]:
    def ticks(seconds: float) -> int:
        return max(1, scenario.ticks(seconds))

    if limit.fixed is not None:
        return {"limit_mode": LimitMode.FIXED, "limit_a": ticks(limit.fixed)}
    if limit.pick is not None:
        shares = list(limit.pick.values())
        total = math.fsum(shares)
        choices, threshold, alias = compile_choices(
            [ticks(seconds) for seconds in limit.pick], [share / total for share in shares]
        )
        return {
            "limit_mode": LimitMode.PICK,
            "choices": choices,
            "choice_threshold": threshold,
            "choice_alias": alias,
        }
    if limit.factor is not None:
        low, high = (max(1, round(factor * SCALE_ONE)) for factor in limit.factor)
        choices = np.array(sorted({ticks(seconds) for seconds in limit.round_up}), dtype=np.int64)
        return {"limit_mode": LimitMode.FACTOR, "limit_a": low, "limit_b": high, "choices": choices}
    return {"limit_mode": LimitMode.EXACT}


def _demand_table(sigma: float) -> QuantileTable:
    """Scale of all gaps, 1 / (demand multiplier), in 1/65536: lognormal with median 1 like its inverse."""
    return compile_table(LogNormal(1.0, sigma), 1 / SCALE_ONE, 0)
