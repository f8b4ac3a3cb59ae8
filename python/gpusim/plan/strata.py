"""Which periods a search may sample separately: those with and those without a job of a rare class.

A level on every job of a class that comes once in five periods is met for want of jobs in four of them, and
decides many of the fifths. The two kinds of periods fail so differently that sampling them separately needs
fewer runs (`gpusim.stats.strata`). That takes two things, both exact here:

- *the share of each kind*. The arrivals of a Poisson stream in the counted time are Poisson with the expected
  number as their mean, with or without a profile; independent classes multiply. So none occurs with
  probability ``exp(-expected)``. The engine's gaps come from tables whose distribution function is within
  5e-4 of the exponential one, and gaps of a rare class are longer than the period, so the share that the
  engine really has differs by less than 1e-4;
- *the kind of a replication*, before it is run. The generator itself tells: the same sources with the same
  random numbers, all others silent. No source draws from the numbers of another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS
from gpusim.engine.spec import RunSpec
from gpusim.plan.axis import DEMAND, Axis
from gpusim.plan.experiment import Experiment
from gpusim.scenario import Scenario
from gpusim.scenario.expected import expected_jobs
from gpusim.stats.sample import Kinds
from gpusim.workload.source import Generator
from gpusim.workload.ticks import MAX_GPUS

Int64 = npt.NDArray[np.int64]

_RARE = (0.02, 0.6)
"""Probability that a period has such a job: below, hardly any would be found; above, there is little to gain."""
_SUBMITTED = COUNTS.index("submitted")


def kinds_of(experiment: Experiment, axis: Axis, threads: int = 1) -> Kinds | None:
    """Two kinds of periods of a scenario, or None where none are offered.

    Parameters
    ----------
    experiment : Experiment
    axis : Axis
        Demand must stay: another factor moves all arrivals.
    threads : int
        For telling the kinds.

    Returns
    -------
    Kinds or None
        Kind 1 has a counted job of a rare class: one that a level judges, that comes as single jobs at random
        times, at rates that are known for certain, and in a period with a probability of 2 % to 60 %.
    """
    rare, scenario = rare_classes(experiment, axis), experiment.scenario
    if not rare:
        return None
    some = -math.expm1(-math.fsum(rare.values()))
    names = [scenario.class_names[k].rpartition("/")[2] for k in rare]
    article = "an" if names[0][0] in "aeiou" else "a"
    return Kinds(some, _Labels(experiment, axis, tuple(rare), threads), f"{article} {' or '.join(names)} job")


def rare_classes(experiment: Experiment, axis: Axis) -> dict[int, float]:
    """Expected counted arrivals of each class whose jobs tell the two kinds apart; none where none are offered."""
    scenario = experiment.scenario
    uncertain = experiment.uncertain or scenario.study.demand_uncertainty > 0.0
    if axis.vary == DEMAND or uncertain or not isinstance(experiment.spec.jobs, Generator):
        return {}
    rare = dict(_rare_classes(scenario))
    some = -math.expm1(-math.fsum(rare.values()))
    return rare if _RARE[0] <= some <= _RARE[1] else {}


def _rare_classes(scenario: Scenario) -> Iterator[tuple[int, float]]:
    """(class, expected arrivals in the counted time) of the rare classes."""
    judged = {k for level in scenario.resolved_slos() for k in level.classes}
    for k, (_, _, job_class) in enumerate(scenario.classes()):
        single = all(not stream.schedule and stream.batch is None for stream in job_class.streams)
        if k not in judged or not single or job_class.segment is not None:
            continue
        expected = expected_jobs(scenario, k)
        if _RARE[0] <= -math.expm1(-expected) <= _RARE[1]:
            yield k, expected


@dataclass
class _Labels:
    """Kind of each replication; each is asked of the generator once."""

    experiment: Experiment
    axis: Axis
    classes: tuple[int, ...]
    threads: int
    known: dict[int, int] = field(default_factory=dict)

    def __call__(self, replications: Int64) -> Int64:
        """1 for a replication with a counted job of these classes, else 0."""
        missing = np.array([r for r in replications.tolist() if r not in self.known], dtype=np.int64)
        if len(missing):
            self.known.update(zip(missing.tolist(), self._asked(missing), strict=True))
        return np.array([self.known[r] for r in replications.tolist()], dtype=np.int64)

    def _asked(self, replications: Int64) -> list[int]:
        spec = only(self.experiment.spec, self.classes)
        pools = spec.classes.n_pools
        result = run_batch(
            spec,
            replications,
            np.full((len(replications), pools), MAX_GPUS // pools, dtype=np.int64),
            demand_ppm=self.axis.demand,
            backend="cpu",
            threads=self.threads,
        )
        some = result.counts[:, list(self.classes), _SUBMITTED].sum(axis=1) > 0
        return [int(each) for each in some]


def only(spec: RunSpec, classes: Collection[int]) -> RunSpec:
    """A spec with no other sources than those of some classes: they make the same jobs as before."""
    jobs = spec.jobs
    assert isinstance(jobs, Generator)
    sources = tuple(
        dataclasses.replace(source, active=source.active and source.job_class in classes)
        for source in jobs.sources
    )
    return dataclasses.replace(spec, jobs=dataclasses.replace(jobs, sources=sources))
