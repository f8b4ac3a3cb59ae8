"""GPUs in use hour by hour if nobody ever waited: the load that a center has to carry, with its peaks.

With unlimited GPUs the jobs do not see each other (M_t/G/infinity): the expected number in use at t is the
integral over all earlier times s of rate(s) x GPUs x P(a job is still held t - s after its submit). Here, in bins of
an hour from the start of the study:

- a random stream submits evenly within each bin, at the bin's mean rate; the mean use of bin j by what was
  submitted in bin i then depends on j - i only, through the second integral of the holding time's survival;
- each scheduled time is placed exactly, spread evenly over its `within`;
- what needs an approval begins when that ends: at the call of its hour, and then as the decision's law says.

The center is empty at the start, as in a simulation: with a warm-up shorter than the longest runs the load still
rises. Batches change no mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpusim.scenario.approval import Approval
from gpusim.scenario.arrivals import Stream
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.views import approval_phase, decided
from gpusim.scenario.week import DAY, WEEK

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

HOUR = 3600.0  # s; width of a bin
_FINE = 300.0  # s; step of the holding time in its first day; then an hour
_SHORT = 40  # points of the holding time below one step, in geometric distances
_SPIKE = 300.0  # s; jobs submitted within less come at one time

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HourlyLoad:
    """Expected GPUs in use if nobody waits."""

    gpus: FloatArray  # (hours,) mean of each hour from the start of the study [GPUs]
    counted: FloatArray  # (hours,) share of each hour that lies in the counted time

    @property
    def mean(self) -> float:
        """Mean over the counted time [GPUs]."""
        return float(np.average(self.gpus, weights=self.counted))

    @property
    def peak(self) -> float:
        """Largest mean of an hour of the counted time [GPUs]; of whole hours, if there are any."""
        whole = self.counted >= 1 - 1e-9
        return float(self.gpus[whole if whole.any() else self.counted > 0].max())


@lru_cache(maxsize=8)
def hourly_load(scenario: Scenario) -> HourlyLoad:
    """Return the expected GPUs in use in each hour of the horizon, uncertain numbers at their nominal values."""
    bins = math.ceil(scenario.study.horizon / HOUR)
    edges = np.arange(bins + 1, dtype=np.float64) * HOUR
    total = np.zeros(bins)
    for _, _, job_class in scenario.classes():
        for stream in job_class.streams:
            held = _Held(stream, float(edges[-1]))
            use = (
                _scheduled(scenario, stream, held, edges)
                if stream.schedule
                else _random(scenario, stream, held, edges)
            )
            total += stream.gpus.mean * scenario.study.demand * use
    start, end = scenario.study.warm_up, scenario.count_end
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    total = np.maximum(total, 0.0)  # differences of integrals leave a rounding error
    return HourlyLoad(total, np.maximum(inside, 0.0) / HOUR)


class _Held:
    """The holding time of a stream's jobs: I(x) = E of what is held within x of the submit, and its integral.

    I is exact at the points of a grid; between them, and in its integral, straight lines stand for it.
    """

    def __init__(self, stream: Stream, longest: float) -> None:
        longest = min(longest, _support(stream, longest))
        short = _FINE * np.geomspace(1e-3, 1.0, _SHORT)
        steps = np.arange(1, math.ceil(min(longest, DAY) / _FINE) + 1) * _FINE
        hours = np.arange(DAY + HOUR, longest + HOUR / 2, HOUR)
        self.x = np.concatenate(([0.0], short[:-1], steps, hours))
        self.first = np.array([stream.held_within(float(x)) for x in self.x])
        widths = np.diff(self.x)
        rises = np.cumsum(widths * (self.first[1:] + self.first[:-1]) / 2)
        self.second = np.concatenate(([0.0], rises))

    def once(self, x: FloatArray) -> FloatArray:
        """I at the points x [s]; 0 before the submit."""
        return np.asarray(np.interp(np.maximum(x, 0.0), self.x, self.first))

    def twice(self, x: FloatArray) -> FloatArray:
        """Integral of I from 0 to x [s^2]; beyond the grid I stays what it was."""
        beyond = np.maximum(x - self.x[-1], 0.0) * self.first[-1]
        return np.asarray(np.interp(np.maximum(x, 0.0), self.x, self.second) + beyond)


def _support(stream: Stream, longest: float) -> float:
    """A time beyond which (almost) no job holds GPUs: rounded up to whole hours."""
    run = stream.run_time
    if stream.segment is not None:
        most = run.max if run.max is not None else math.inf
        segments = math.ceil(most / stream.segment) if math.isfinite(most) else 0
        most = most + segments * stream.segment_delay if segments else math.inf
    else:
        most = run.max if run.max is not None else run.quantile(1 - 1e-7)
    return HOUR * math.ceil(min(most, longest) / HOUR)


def _random(scenario: Scenario, stream: Stream, held: _Held, edges: FloatArray) -> FloatArray:
    """Jobs of a random stream in use, mean of each bin."""
    submitted = _submitted(scenario, stream, edges)
    if stream.approval is not None:
        submitted = _approved(scenario, stream.approval, submitted, edges)
    grid = held.twice(np.concatenate(([-HOUR], edges)))
    kernel = (
        np.diff(grid, 2) / HOUR**2
    )  # mean use of a bin, k bins later, by a job submitted somewhere in one
    kernel = kernel[: np.max(np.nonzero(kernel > 0)[0], initial=0) + 1]
    return np.asarray(np.convolve(submitted, kernel)[: len(submitted)])


def _submitted(scenario: Scenario, stream: Stream, edges: FloatArray) -> FloatArray:
    """Mean number of jobs submitted in each bin."""
    until = edges[-1] if stream.until is None else min(stream.until, float(edges[-1]))
    active = np.minimum(edges[1:], until) - np.maximum(edges[:-1], stream.start)
    busy = np.maximum(active, 0.0)
    if stream.profile is not None:
        hours = round(WEEK / HOUR)
        phase = scenario.week_phase % WEEK
        marks = [phase + HOUR * k for k in range(hours + 1)]
        whole = stream.profile.cumulative(WEEK)
        upto = np.array([stream.profile.cumulative(m % WEEK) + whole * (m // WEEK) for m in marks])
        relative = np.diff(upto) * (hours / whole)
        busy = busy * relative[np.arange(len(busy)) % hours]
    return np.asarray(stream.job_rate * busy)


def _approved(scenario: Scenario, approval: Approval, submitted: FloatArray, edges: FloatArray) -> FloatArray:
    """Jobs whose approval ends in each bin; those of the whole hour are decided on at its next call."""
    bins = len(submitted)
    if approval.calls is not None:
        phase = approval_phase(scenario, approval)
        middle = (edges[:-1] + edges[1:]) / 2
        calls = np.array([approval.call_after(float(t), phase) for t in middle])
        at = np.floor(calls / HOUR).astype(int)
        inside = at < bins
        submitted = np.asarray(np.bincount(at[inside], submitted[inside], bins), dtype=np.float64)
    if approval.delay is not None:
        longest = _support_of(approval.delay, float(edges[-1]))
        marks = np.arange(round(longest / HOUR) + 1) * HOUR
        above = np.array([approval.delay.share_above(float(t)) if t else 1.0 for t in marks])
        submitted = np.convolve(submitted, -np.diff(above))[:bins]
    return np.asarray(submitted, dtype=np.float64)


def _support_of(law: RunTime, longest: float) -> float:
    most = law.max if law.max is not None else law.quantile(1 - 1e-7)
    return HOUR * (1 + math.floor(min(most, longest) / HOUR))


def _scheduled(scenario: Scenario, stream: Stream, held: _Held, edges: FloatArray) -> FloatArray:
    """Jobs of a schedule in use, mean of each bin."""
    total = np.zeros(len(edges) - 1)
    for submit, spread, count in stream.occurrences(scenario.week_phase, scenario.study.horizon):
        time, within = decided(scenario, stream, submit, spread)
        if within <= _SPIKE:
            use = np.diff(held.once(edges - time - within / 2))
        else:
            use = np.diff(held.twice(edges - time) - held.twice(edges - time - within)) / within
        total += count * use / HOUR
    return total
