"""Random small centers for comparing engines: ties on purpose, every policy, tight room."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np

from gpusim.engine import reference as oracle
from gpusim.engine import spec
from gpusim.engine.result import COUNTS, EXTREMES, INTEGRALS, OUTCOMES, SLO_COUNTS, SUMS, BatchResult
from gpusim.workload.jobs import Jobs


@dataclass(frozen=True)
class Case:
    """One center, in the oracle's own terms."""

    jobs: tuple[oracle.Job, ...]
    classes: tuple[oracle.JobClass, ...]
    policy: oracle.Policy
    gpus: int
    windows: oracle.Windows
    slos: tuple[oracle.Slo, ...]

    def answer(self) -> oracle.Outcome:
        return oracle.simulate(self.jobs, self.classes, self.policy, self.gpus, self.windows, self.slos)

    def spec(self, *, always_profile: bool = False) -> spec.RunSpec:
        column = lambda name: [getattr(job, name) for job in self.jobs]  # noqa: E731
        tenants = 1 + max(c.tenant for c in self.classes)
        bounds = (*self.policy.tenant_max_waiting, *[-1] * tenants)[:tenants]
        member = np.array([[k in slo.classes for k in range(len(self.classes))] for slo in self.slos], dtype=bool)
        return spec.RunSpec(
            jobs=Jobs(**{name: column(name) for name in ("submit", "service", "limit", "gpus", "job_class")}),
            classes=spec.ClassTable(
                [c.tier for c in self.classes],
                [c.tenant for c in self.classes],
                [c.patience for c in self.classes],
                tenants,
            ),
            policy=spec.Policy(
                backfill=self.policy.backfill,
                kill_at_limit=self.policy.kill_at_limit,
                max_waiting=self.policy.max_waiting,
                tenant_max_waiting=bounds,
                always_profile=always_profile,
            ),
            windows=spec.Windows(self.windows.warm_up, self.windows.count_end, self.windows.horizon),
            slos=spec.SloTable(
                [s.limit for s in self.slos],
                [s.share_ppm for s in self.slos],
                member.reshape(len(self.slos), len(self.classes)),
            ),
        )


def differences(result: BatchResult, expected: oracle.Outcome) -> dict[str, tuple[object, object]]:
    """Every field in which the engine's only cell differs from the oracle."""
    found: dict[str, object] = {
        "counts": [dict(zip(COUNTS, row, strict=True)) for row in result.counts[0].tolist()],
        "sums": [dict(zip(SUMS, row, strict=True)) for row in result.sums[0].tolist()],
        "slo": [dict(zip(SLO_COUNTS, row, strict=True)) for row in result.slo[0].tolist()],
        "passed": bool(result.passed[0]),
        "integrals": dict(zip(INTEGRALS, result.integrals[0].tolist(), strict=True)),
        "jobs": int(result.jobs[0]),
        **dict(zip(EXTREMES, result.extremes[0].tolist(), strict=True)),
    }
    if result.records is not None:
        found["start"] = result.records.start.tolist()
        found["end"] = result.records.end.tolist()
        found["outcome"] = [OUTCOMES[k] for k in result.records.outcome]
    return {
        name: (value, getattr(expected, name)) for name, value in found.items() if value != getattr(expected, name)
    }


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Centers of 1-24 GPUs with up to 40 jobs of up to 4 classes."""
    gpus = draw(st.integers(1, 24))
    classes = tuple(
        oracle.JobClass(
            tier=draw(st.integers(-1, 2)),
            tenant=draw(st.integers(0, 2)),
            patience=draw(st.sampled_from([-1, -1, 0, 1, 3, 10, 40])),
        )
        for _ in range(draw(st.integers(1, 4)))
    )
    span = draw(st.sampled_from([3, 20, 60, 200]))
    exact = draw(st.booleans())

    @st.composite
    def job(draw: st.DrawFn) -> oracle.Job:
        service = draw(st.integers(1, draw(st.sampled_from([2, 12, 40]))))
        limit = service if exact else draw(st.integers(1, 60))
        size = draw(st.integers(1, draw(st.sampled_from([2, gpus, gpus + 1]))))
        return oracle.Job(draw(st.integers(0, span)), service, limit, size, draw(st.integers(0, len(classes) - 1)))

    jobs = tuple(sorted(draw(st.lists(job(), min_size=1, max_size=40)), key=lambda j: j.submit))
    warm_up = draw(st.sampled_from([0, 0, 5, 30]))
    count_end = warm_up + draw(st.integers(0, 2 * span))
    horizon = count_end + draw(st.sampled_from([0, 7, 100, 5000]))
    slos = tuple(
        oracle.Slo(
            draw(st.sampled_from([0, 1, 5, 20, 100])),
            draw(st.sampled_from([0, 500_000, 900_000, 1_000_000])),
            frozenset(draw(st.sets(st.integers(0, len(classes) - 1), min_size=1))),
        )
        for _ in range(draw(st.integers(0, 3)))
    )
    policy = oracle.Policy(
        backfill=draw(st.sampled_from([oracle.NONE, oracle.SKIP, oracle.ALL, 1, 1, 2, 3])),
        kill_at_limit=draw(st.booleans()),
        max_waiting=draw(st.sampled_from([-1, -1, 0, 1, 4])),
        tenant_max_waiting=draw(st.sampled_from([(), (), (0, -1, 2), (3, 1, -1)])),
    )
    return Case(jobs, classes, policy, gpus, oracle.Windows(warm_up, count_end, horizon), slos)
