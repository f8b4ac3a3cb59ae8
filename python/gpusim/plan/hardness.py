"""Which periods will be hard, told from their demand before any is run.

A period fails for one of two reasons. The center is *congested*: demand exceeds it for so long that a queue builds up.
Or it is *full at the wrong moment*: when one of the rare jobs comes that tell the two kinds of periods apart
(`gpusim.plan.strata`). Both show in the offered load (`gpusim.engine.offered`): what jobs would hold if none ever
waited. Let the excess over the GPUs there are pile up, and work it off when demand is lower; that fluid queue is no
schedule, but it tells the hard periods from the others. Of `korea-nacc` it orders 255 periods without an urgent job so
that the 13 that fail at 9,632 GPUs are among the first 32; of 160 with one, those that fail come before the others in
95 of 100 pairs.

Most jobs are small, and their sum hardly differs between periods. Classes that together make a hundredth of the
variance of the offered load (a job of g GPUs that runs for s adds g^2 s to it, by Campbell's theorem) are not generated
but taken at their mean over a few replications: two thirds of the jobs of `korea-nacc`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import generate_jobs
from gpusim.engine.offered import OfferedLoad, offered_load
from gpusim.engine.spec import RunSpec
from gpusim.plan.axis import Axis
from gpusim.plan.experiment import Experiment
from gpusim.plan.strata import only

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_WORKED_OFF = 4 * 3600.0
"""In how many seconds a backlog is taken to be worked off, where it stands in the way of a rare job. From one hour to
24 the order of the periods hardly changes."""
_LIGHT = 0.01
"""Share of the variance of the offered load that is not worth generating."""
_AVERAGED = 8
"""Replications over which the mean of light classes is taken."""


@dataclass
class Hardness:
    """Order of the replications of a study by how likely they are to fail.

    Parameters
    ----------
    experiment : Experiment
    axis : Axis
    classes : tuple of int
        The rare classes; a replication with a counted job of one of them is of kind 1.
    threads : int
    """

    experiment: Experiment
    axis: Axis
    classes: tuple[int, ...]
    threads: int = 1
    _known: dict[bytes, tuple[float, Float64, Bool]] = field(default_factory=dict, repr=False)

    def __call__(self, replications: Int64, value: int) -> Float64:
        """Share of the replications of the same kind that are easier at a value of the axis, in [0, 1)."""
        congested, full, rare = self._scores(replications, float(self.axis.total(value)))
        share = np.zeros(len(replications))
        for mine, reasons in ((~rare, (congested,)), (rare, (congested, full))):
            share[mine] = np.maximum.reduce([_ranked(reason[mine]) for reason in reasons])
        return share

    def _scores(self, replications: Int64, gpus: float) -> tuple[Float64, Float64, Bool]:
        """How congested each is, how full at the worst moment for a rare job, and whether it has one."""
        spacing, held, rare_comes = self._offered(replications)
        windows = self.experiment.spec.windows
        counted = range(int(windows.warm_up / spacing), int(windows.count_end / spacing))
        pressing = spacing * self.experiment.scenario.tick / _WORKED_OFF
        backlog, congested = np.zeros(len(replications)), np.zeros(len(replications))
        full = np.full(len(replications), -np.inf)
        for k in range(len(held)):
            backlog = np.maximum(backlog + (held[k] - gpus), 0.0)
            if k in counted:
                congested += backlog
            full = np.where(rare_comes[k], np.maximum(full, held[k] + pressing * backlog), full)
        return congested, full, np.isfinite(full)

    def _offered(self, replications: Int64) -> tuple[float, Float64, Bool]:
        """Spacing [ticks], GPUs held, and where rare jobs come, instants first; the last replications are kept."""
        name = replications.tobytes()
        if name not in self._known:
            spec, light = self.experiment.spec, self._light_classes(int(replications[0]))
            load = self._load(only(spec, set(range(len(spec.classes.tier))) - light), replications)
            held = np.ascontiguousarray(load.held.T, dtype=np.float64)
            if light:
                mean = self._load(only(spec, light), replications[:_AVERAGED]).held.mean(axis=0)
                held += mean[:, None]
            self._known = {name: (float(load.spacing), held, np.ascontiguousarray(load.asked.T > 0))}
        return self._known[name]

    def _load(self, spec: RunSpec, replications: Int64) -> OfferedLoad:
        return offered_load(
            spec, replications, classes=self.classes, demand_ppm=self.axis.demand, threads=self.threads
        )

    def _light_classes(self, replication: int) -> set[int]:
        """Classes without which the offered load varies nearly as much, by the jobs of one replication."""
        spec = self.experiment.spec
        jobs = generate_jobs(spec, replication, demand_ppm=self.axis.demand)
        run = np.minimum(jobs.service, jobs.limit).astype(np.float64)
        varies = np.bincount(
            jobs.job_class, weights=run * jobs.gpus.astype(np.float64) ** 2, minlength=len(spec.classes.tier)
        )
        varies[list(self.classes)] = np.inf
        order = np.argsort(varies, kind="stable")
        few = np.cumsum(varies[order]) <= _LIGHT * varies[np.isfinite(varies)].sum()
        return set(order[few].tolist())


def _ranked(scores: Float64) -> Float64:
    """Share of the others that are smaller; ties in their order."""
    share = np.empty(len(scores))
    share[np.argsort(scores, kind="stable")] = np.arange(len(scores)) / max(len(scores), 1)
    return share
