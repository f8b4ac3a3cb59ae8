"""One small center for comparing engines: what it is, what the oracle says, what an engine says differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine import reference as oracle
from gpusim.engine import spec
from gpusim.engine.result import COUNTS, EXTREMES, INTEGRALS, OUTCOMES, SLO_COUNTS, SUMS, BatchResult
from gpusim.workload.jobs import Jobs

COLUMNS = ("submit", "service", "limit", "gpus", "job_class", "after", "delay")


@dataclass(frozen=True)
class Case:
    """One center, in the oracle's own terms."""

    jobs: tuple[oracle.Job, ...]
    classes: tuple[oracle.JobClass, ...]
    policy: oracle.Policy
    gpus: tuple[int, ...]  # by pool
    windows: oracle.Windows
    slos: tuple[oracle.Slo, ...]

    def answer(self) -> oracle.Outcome:
        return oracle.simulate(self.jobs, self.classes, self.policy, self.gpus, self.windows, self.slos)

    @property
    def cell(self) -> npt.NDArray[np.int32]:
        """The capacity as one cell of a batch, (1, P)."""
        return np.array([self.gpus], dtype=np.int32)

    def spec(self, *, always_profile: bool = False) -> spec.RunSpec:
        tenants = 1 + max(c.tenant for c in self.classes)
        bounds = (*self.policy.tenant_max_waiting, *[-1] * tenants)[:tenants]
        return spec.RunSpec(
            jobs=Jobs(**{name: [getattr(job, name) for job in self.jobs] for name in COLUMNS}),
            classes=spec.ClassTable(
                [c.tier for c in self.classes],
                [c.tenant for c in self.classes],
                [c.patience for c in self.classes],
                tenants,
                killed_ok=np.array([c.killed_ok for c in self.classes], dtype=bool),
                pools=tuple(c.pools for c in self.classes),
                n_pools=len(self.gpus),
            ),
            policy=spec.Policy(
                order=self.policy.order,
                backfill=self.policy.backfill,
                window=self.policy.window,
                max_tests=self.policy.max_tests,
                period=self.policy.period,
                kill_at_limit=self.policy.kill_at_limit,
                max_waiting=self.policy.max_waiting,
                tenant_max_waiting=bounds,
                always_profile=always_profile,
            ),
            windows=spec.Windows(
                self.windows.warm_up,
                self.windows.count_end,
                self.windows.horizon,
                day=self.windows.day,
                week_phase=self.windows.week_phase,
            ),
            slos=self._levels(),
        )

    def _levels(self) -> spec.SloTable:
        classes = range(len(self.classes))
        shape = (len(self.slos), len(classes))
        limit = np.array([[slo.limit_of(c) for c in classes] for slo in self.slos], dtype=np.int64)
        member = np.array([[c in slo.classes for c in classes] for slo in self.slos], dtype=bool)
        column = lambda name: [getattr(slo, name) for slo in self.slos]  # noqa: E731
        return spec.SloTable(
            limit.reshape(shape),
            column("share_ppm"),
            member.reshape(shape),
            metric=column("metric"),
            bound=column("bound"),
            gpus_low=column("gpus_low"),
            gpus_high=column("gpus_high"),
            hours_from=column("hours_from"),
            hours_to=column("hours_to"),
            days=column("days"),
        )


def differences(result: BatchResult, expected: oracle.Outcome) -> dict[str, tuple[object, object]]:
    """Every field in which the engine's only cell differs from the oracle: (engine's, oracle's)."""
    found: dict[str, object] = {
        "counts": [dict(zip(COUNTS, row, strict=True)) for row in result.counts[0].tolist()],
        "sums": [dict(zip(SUMS, row, strict=True)) for row in result.sums[0].tolist()],
        "slo": [dict(zip(SLO_COUNTS, row, strict=True)) for row in result.slo[0].tolist()],
        "passed": bool(result.passed[0]),
        "integrals": dict(zip(INTEGRALS, result.integrals[0].tolist(), strict=True)),
        "pool_gpu_ticks": result.pool_gpu_ticks[0].tolist(),
        "jobs": int(result.jobs[0]),
        **dict(zip(EXTREMES, result.extremes[0].tolist(), strict=True)),
    }
    if result.records is not None:
        for name in ("eligible", "start", "end", "pool"):
            found[name] = getattr(result.records, name).tolist()
        found["outcome"] = [OUTCOMES[k] for k in result.records.outcome]
    return {
        name: (value, getattr(expected, name))
        for name, value in found.items()
        if value != getattr(expected, name)
    }
