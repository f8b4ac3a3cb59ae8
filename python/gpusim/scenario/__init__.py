"""Scenarios: a YAML file becomes a frozen, checked `Scenario`; mistakes become line numbers and remedies.

Start with `scenario.py` (the whole) and `model.py` (its parts). Text is read by `reader.py` (YAML with
lines), `fields.py` (values), `slo.py` (sentences); `findings.py` and `checks.py` find mistakes,
`notices.py` doubts.
"""

from gpusim.scenario.gpu_counts import GpuCounts
from gpusim.scenario.laws import Exponential, Lognormal
from gpusim.scenario.loading import example, example_text, examples, load_scenario
from gpusim.scenario.model import Arrivals, Center, JobClass, JobLimit, Study, Tenant
from gpusim.scenario.overrides import apply_overrides
from gpusim.scenario.policy import Policy
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.scenario import SCHEMA_VERSION, ClassEntry, Scenario
from gpusim.scenario.schema import scenario_fields, scenario_schema
from gpusim.scenario.slo import ResolvedSlo, Slo

__all__ = [
    "SCHEMA_VERSION",
    "Arrivals",
    "Center",
    "ClassEntry",
    "Exponential",
    "GpuCounts",
    "JobClass",
    "JobLimit",
    "Lognormal",
    "Policy",
    "ResolvedSlo",
    "RunTime",
    "Scenario",
    "Slo",
    "Study",
    "Tenant",
    "apply_overrides",
    "example",
    "example_text",
    "examples",
    "load_scenario",
    "scenario_fields",
    "scenario_schema",
]
