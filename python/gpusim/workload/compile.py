"""A scenario's job classes become sources of generated jobs: distributions as integer tables."""

from __future__ import annotations

from gpusim.scenario import JobClass, RunTime, Scenario
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Deterministic, Distribution, Exponential, LogNormal
from gpusim.workload.quantile_table import QuantileTable, compile_table
from gpusim.workload.source import SCALE_ONE, Generator, LimitMode, Source, source_keys

GAP_SHIFT = 20
"""Arrival clocks count in 2^-20 ticks where the horizon leaves room: gaps round to a millionth of a tick."""
SERVICE_SHIFT = 16
_CLOCK_BITS = 60  # horizon << shift stays below 2^60, so that no clock overflows
_GAP_LIMIT = 1 << 42  # leaves 2^21 for the demand scale


def compile_sources(scenario: Scenario, seed: int) -> Generator:
    """Sources of all classes of a scenario, in class order.

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
        If a distribution does not fit the engine's integers, or two classes share a random stream.
    """
    entries = list(scenario.classes())
    keys = source_keys((tenant, job_class.name) for _, tenant, job_class in entries)
    shift = min(GAP_SHIFT, _CLOCK_BITS - scenario.ticks(scenario.study.horizon).bit_length())
    sources = tuple(
        _source(scenario, name, key, job_class, shift)
        for name, key, (_, _, job_class) in zip(scenario.class_names, keys, entries, strict=True)
    )
    sigma = scenario.study.demand_uncertainty
    demand = _demand_table(sigma) if sigma > 0 else None
    return Generator(sources=sources, demand=demand, seed=seed)


def _source(scenario: Scenario, name: str, key: int, job_class: JobClass, shift: int) -> Source:
    rate, tick = job_class.rate, scenario.tick
    counts = compile_alias(list(job_class.gpus), list(job_class.gpus.values()))
    limit = job_class.limit
    mode, a, b = LimitMode.EXACT, 0, 0
    if limit.fixed is not None:
        mode, a = LimitMode.FIXED, max(1, scenario.ticks(limit.fixed))
    elif limit.factor is not None:
        mode, a, b = LimitMode.FACTOR, *(max(1, round(factor * SCALE_ONE)) for factor in limit.factor)
    gap = Exponential(1 / rate) if rate > 0 else Deterministic(tick)
    return Source(
        key=key,
        active=rate > 0,
        gap=compile_table(gap, tick, shift, value_limit=_GAP_LIMIT),
        service=compile_table(_law(job_class.run_time), tick, SERVICE_SHIFT),
        gpus=counts.gpus,
        threshold=counts.threshold,
        alias=counts.alias,
        limit_mode=mode,
        limit_a=a,
        limit_b=b,
        name=name,
    )


def _law(run_time: RunTime) -> Distribution:
    if run_time.lognormal is not None:
        law = run_time.lognormal
        return LogNormal(law.median, law.sigma, cap=law.max)
    if run_time.exponential is not None:
        return Exponential(run_time.exponential.mean_time, cap=run_time.exponential.max)
    assert run_time.deterministic is not None
    return Deterministic(run_time.deterministic)


def _demand_table(sigma: float) -> QuantileTable:
    """Scale of all gaps, 1 / (demand multiplier), in 1/65536: lognormal with median 1 like its inverse."""
    return compile_table(LogNormal(1.0, sigma), 1 / SCALE_ONE, 0)
