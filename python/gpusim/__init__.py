"""Simulate shared GPU centers, and say how many GPUs one needs to meet its service levels.

>>> import gpusim
>>> scenario = gpusim.example("quickstart")
>>> print(gpusim.simulate(scenario, replications=8).gpus)
480

Heavy parts are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gpusim._version import __version__

if TYPE_CHECKING:
    from gpusim.errors import (
        BackendUnavailable,
        GpusimError,
        RunError,
        ScenarioError,
        UsageError,
        WorkloadError,
    )
    from gpusim.plan.answer import Answer
    from gpusim.plan.compare import compare
    from gpusim.plan.comparison import Comparison
    from gpusim.plan.demand import DemandAnswer
    from gpusim.plan.replay import Replay, replay
    from gpusim.plan.simulate import Simulation, simulate
    from gpusim.plan.size import size
    from gpusim.scenario import Scenario, example, examples, load_scenario
    from gpusim.workload.jobs import Jobs
    from gpusim.workload.trace import read_trace

_PUBLIC = {
    "Answer": "gpusim.plan.answer",
    "BackendUnavailable": "gpusim.errors",
    "Comparison": "gpusim.plan.comparison",
    "DemandAnswer": "gpusim.plan.demand",
    "GpusimError": "gpusim.errors",
    "Jobs": "gpusim.workload.jobs",
    "Replay": "gpusim.plan.replay",
    "RunError": "gpusim.errors",
    "Scenario": "gpusim.scenario",
    "ScenarioError": "gpusim.errors",
    "Simulation": "gpusim.plan.simulate",
    "UsageError": "gpusim.errors",
    "WorkloadError": "gpusim.errors",
    "compare": "gpusim.plan.compare",
    "example": "gpusim.scenario",
    "examples": "gpusim.scenario",
    "load_scenario": "gpusim.scenario",
    "read_trace": "gpusim.workload.trace",
    "replay": "gpusim.plan.replay",
    "simulate": "gpusim.plan.simulate",
    "size": "gpusim.plan.size",
}

__all__ = [
    "Answer",
    "BackendUnavailable",
    "Comparison",
    "DemandAnswer",
    "GpusimError",
    "Jobs",
    "Replay",
    "RunError",
    "Scenario",
    "ScenarioError",
    "Simulation",
    "UsageError",
    "WorkloadError",
    "__version__",
    "compare",
    "example",
    "examples",
    "load_scenario",
    "read_trace",
    "replay",
    "simulate",
    "size",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'gpusim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
