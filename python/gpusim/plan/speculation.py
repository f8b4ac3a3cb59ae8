"""Cells run before anybody has asked for them, where a device has workers that would stand idle.

Near its end a search asks for few cells at a time, and a device runs thousands in the time of one. So cells that the
search foresees (`gpusim.stats.foresight`) run in the same launch, as many as there are workers left, and their verdicts
are kept until they are asked for. Only then do they count, in runs and in jobs, as if they had been run then: the same
integers on every backend, foreseen or not.

Under "auto" small batches run on the cpu, where a cell too many costs its full time. So nothing is run ahead before a
device has run early cells of the study, nor beside cells that would go to the cpu by themselves, nor once a device has
disappointed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpusim.engine import backend as _backend
from gpusim.engine.result import BatchResult
from gpusim.plan.axis import Axis
from gpusim.plan.experiment import Experiment

Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]

_NO_CELLS = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@dataclass
class Speculation:
    """Which foreseen cells to run beside those asked for, and the verdicts of those that were.

    Parameters
    ----------
    backend : str
        As asked for.

    Attributes
    ----------
    made, used : int
        Cells run ahead, and how many of them were asked for later.
    """

    backend: str
    made: int = 0
    used: int = 0
    _on: bool = field(init=False)
    _disappointed: bool = False
    _of: tuple[Experiment, Axis] | None = None  # whose cells the store holds
    _told: tuple[Int64, Int64] = _NO_CELLS
    _store: dict[tuple[int, int], tuple[bool, int]] = field(default_factory=dict)  # cell -> passed, jobs

    def __post_init__(self) -> None:
        self._on = self.backend not in ("auto", "cpu")

    def workers(self, experiment: Experiment, axis: Axis) -> int:
        """Cells that the devices run at once; 0 where nothing is to be speculated."""
        if not self._on:
            return 0
        self._turn_to(experiment, axis)
        return _backend.abreast(self.backend, experiment.spec)

    def tell(self, replications: Int64, values: Int64) -> None:
        """Cells that may be asked for soon, the likeliest first."""
        self._told = replications, values

    def forget_told(self) -> None:
        """Nothing more is known of what may be asked for."""
        self._told = _NO_CELLS

    def take(
        self, experiment: Experiment, axis: Axis, replications: Int64, values: Int64
    ) -> tuple[Int8, int]:
        """Verdict of each cell asked for, -1 where it was not run ahead, and the jobs of those that were."""
        self._turn_to(experiment, axis)
        known, jobs = np.full(len(replications), -1, dtype=np.int8), 0
        for i, cell in enumerate(_cells(replications, values)) if self._store else ():
            if cell in self._store:
                known[i], more = self._store.pop(cell)
                jobs += more
                self.used += 1
        return known, jobs

    def beside(
        self, experiment: Experiment, axis: Axis, replications: Int64, values: Int64
    ) -> tuple[Int64, Int64]:
        """Cells told of that are worth running beside these, which are asked for; they are told of no more."""
        spare, told = self.workers(experiment, axis) - len(replications), self._told
        if not len(replications) or spare < 1 or not len(told[0]):
            return _NO_CELLS
        if self.backend == "auto":
            cells = {"replication": replications, "demand_ppm": axis.demand_ppm(values)}
            if not _backend.select("auto", experiment.spec, cells).devices:
                return _NO_CELLS
        self._told = _NO_CELLS
        if experiment.uncertain:  # compiling the demand of another replication costs more than is gained
            mine = np.isin(told[0], replications)
            told = told[0][mine], told[1][mine]
        new = dict.fromkeys(_cells(*told))
        for cell in (*_cells(replications, values), *self._store):
            new.pop(cell, None)
        chosen = np.array([*new][:spare], dtype=np.int64).reshape(-1, 2)
        return chosen[:, 0], chosen[:, 1]

    def keep(self, replications: Int64, values: Int64, result: BatchResult) -> None:
        """Verdicts of cells run ahead, the last ones of a batch that was not stopped."""
        n = len(replications)
        found = zip(result.passed[-n:].tolist(), result.jobs[-n:].tolist(), strict=True)
        self._store.update(zip(_cells(replications, values), found, strict=True))
        self.made += n

    def learn(self, engine: str, ahead: int) -> None:
        """An early batch was run by an engine, with so many cells ahead."""
        self._disappointed |= ahead > 0 and engine == "cpu"
        self._on = self.backend != "cpu" and not self._disappointed and (self._on or engine != "cpu")

    def give_up(self) -> None:
        """Something was amiss with cells that nobody has asked for: run none any more."""
        self._disappointed, self._on = True, False

    def _turn_to(self, experiment: Experiment, axis: Axis) -> None:
        """What was run ahead for another experiment is no use to this one."""
        if self._of is None or self._of[0] is not experiment or self._of[1] is not axis:
            self._of, self._told, self._store = (experiment, axis), _NO_CELLS, {}


def _cells(replications: Int64, values: Int64) -> Iterator[tuple[int, int]]:
    return zip(replications.tolist(), values.tolist(), strict=True)
