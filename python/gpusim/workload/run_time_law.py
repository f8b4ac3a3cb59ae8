"""From the run time of a scenario to the distribution that a quantile table is made of."""

from __future__ import annotations

from gpusim.scenario.run_time import RunTime
from gpusim.workload.distributions import Deterministic, Distribution, Exponential, LogNormal, Uniform
from gpusim.workload.hyperexponential import HyperExponential
from gpusim.workload.quantile_law import QuantileLaw
from gpusim.workload.weibull import Weibull

SERVICE_SHIFT = 16
"""Tables of times that jobs take count in 2^-16 ticks."""


def distribution_of(run_time: RunTime) -> Distribution:
    """Distribution of a run time; its values in seconds, uncertain numbers at their nominal value."""
    if run_time.lognormal is not None:
        lognormal = run_time.lognormal
        return LogNormal(float(lognormal.median), float(lognormal.sigma), lognormal.max)
    if run_time.exponential is not None:
        return Exponential(float(run_time.exponential.mean_time), run_time.exponential.max)
    if run_time.weibull is not None:
        weibull = run_time.weibull
        return Weibull(float(weibull.shape), float(weibull.scale), weibull.max)
    if run_time.hyperexponential is not None:
        phases = run_time.hyperexponential.phases
        means, shares = [float(phase.mean) for phase in phases], [phase.share for phase in phases]
        return HyperExponential(tuple(means), tuple(shares), run_time.hyperexponential.max)
    if run_time.quantiles is not None:
        quantiles = run_time.quantiles
        return QuantileLaw(quantiles.points, quantiles.floor or None, quantiles.max)
    if run_time.uniform is not None:
        return Uniform(run_time.uniform.low, run_time.uniform.high)
    assert run_time.deterministic is not None
    return Deterministic(float(run_time.deterministic))


def phases_of(run_time: RunTime) -> list[tuple[float, Distribution]]:
    """Distributions of which a run time is a mixture, with their shares of the jobs.

    A Poisson stream whose jobs are of several kinds is the sum of independent Poisson streams, one a kind. So a
    hyper-exponential law needs no table of its own, whose bends between far phases no table would follow: each
    phase is an exponential source.
    """
    law = distribution_of(run_time)
    if not isinstance(law, HyperExponential):
        return [(1.0, law)]
    return [(share, Exponential(mean, law.cap)) for mean, share in zip(law.means, law.shares, strict=True)]
