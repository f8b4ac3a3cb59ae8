"""Which periods will be hard, told from their demand before any is run.

A period fails for one of two reasons. The center is *congested*: demand exceeds it for so long that a queue builds up.
Or it is *full at the wrong moment*: when one of the rare jobs comes that tell the two kinds of periods apart
(`gpusim.plan.strata`). Both show in the offered load (`gpusim.engine.offered`): what jobs would hold if none ever
waited. Let the excess over the GPUs there are pile up, and work it off when demand is lower; that fluid queue is no
schedule, but it tells the hard periods from the others. Of `korea-nacc` it orders 255 periods without an urgent job so
that the 13 that fail at 9,632 GPUs are among the first 32; of 160 with one, those that fail come before the others in
95 of 100 pairs.

Most jobs are small, and their sum hardly differs between periods. Classes that together make a twentieth of the
variance of the offered load between a few replications are not generated but taken at their mean there: two thirds of
the jobs of `korea-nacc`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpusim.engine.offered import OfferedLoad, offered_load
from gpusim.engine.spec import RunSpec
from gpusim.plan.axis import Axis
from gpusim.plan.experiment import Experiment
from gpusim.plan.strata import only

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

_WORKED_OFF = 4 * 3600.0
"""In how many seconds a backlog is taken to be worked off, where it stands in the way of a rare job. From one hour to
24 the order of the periods hardly changes."""
_LIGHT = 0.05
"""Share of the variance of the offered load that is not worth generating."""
_AT_ONCE = 512
"""Replications whose offered load is held in full precision at a time."""
_AVERAGED = 8
"""Replications that show which classes are light, and their mean."""


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
    _known: dict[bytes, tuple[int, Float32, Bool]] = field(default_factory=dict, repr=False)

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
        counted = range(windows.warm_up // spacing, windows.count_end // spacing)
        pressing = spacing * self.experiment.scenario.tick / _WORKED_OFF
        backlog, congested = np.zeros(len(replications)), np.zeros(len(replications))
        full = np.full(len(replications), -np.inf)
        for k in range(len(held)):
            backlog = np.maximum(backlog + (held[k] - gpus), 0.0)
            if k in counted:
                congested += backlog
            full = np.where(rare_comes[k], np.maximum(full, held[k] + pressing * backlog), full)
        return congested, full, np.isfinite(full)

    def _offered(self, replications: Int64) -> tuple[int, Float32, Bool]:
        """Spacing [ticks], GPUs held, and where rare jobs come, instants first; the last replications are kept."""
        name = replications.tobytes()
        if name not in self._known:
            heavy, mean = self._split(replications[:_AVERAGED])
            held, comes, spacing = [], [], 0
            for first in range(0, len(replications), _AT_ONCE):
                load = self._load(heavy, replications[first : first + _AT_ONCE])
                held.append((load.held.T + mean[:, None]).astype(np.float32))
                comes.append(load.asked.T > 0)
                spacing = load.spacing
            self._known = {name: (spacing, np.concatenate(held, axis=1), np.concatenate(comes, axis=1))}
        return self._known[name]

    def _load(self, spec: RunSpec, replications: Int64) -> OfferedLoad:
        return offered_load(
            spec, replications, classes=self.classes, demand_ppm=self.axis.demand, threads=self.threads
        )

    def _split(self, few: Int64) -> tuple[RunSpec, Float64]:
        """The spec without light classes, and the mean offered load of these at each instant."""
        spec = self.experiment.spec
        alone = [self._load(only(spec, {k}), few).held for k in range(len(spec.classes.tier))]
        varies = np.array([held.var(axis=0).mean() for held in alone])
        total = varies.sum()
        varies[list(self.classes)] = np.inf
        order = np.argsort(varies, kind="stable")
        light = order[np.cumsum(varies[order]) <= _LIGHT * total].tolist()
        mean = sum((alone[k].mean(axis=0) for k in light), np.zeros(alone[0].shape[1]))
        return only(spec, set(range(len(alone))) - set(light)), mean


def _ranked(scores: Float64) -> Float64:
    """Share of the others that are smaller; ties in their order."""
    share = np.empty(len(scores))
    share[np.argsort(scores, kind="stable")] = np.arange(len(scores)) / max(len(scores), 1)
    return share
