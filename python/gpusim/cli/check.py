"""`gpusim check`: every mistake of a scenario, or what it says and how long `size` would take."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gpusim.cli.forecast import forecast
from gpusim.cli.options import (
    Json,
    ScenarioArgument,
    SetOption,
    ThreadsOption,
    VariantOption,
    read_scenario,
    repeat_command,
)
from gpusim.cli.output import print_page, print_text

if TYPE_CHECKING:
    from gpusim.plan.estimate import Estimate
    from gpusim.plan.rules import RuleOfThumb
    from gpusim.scenario import Scenario

CHECK_SCHEMA = 1
"""Version of the JSON form."""


def check(
    scenario: ScenarioArgument,
    as_json: Json = False,
    variant: VariantOption = None,
    changes: SetOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Check a scenario, show what it says, and estimate how long size would take."""
    loaded = read_scenario(scenario, changes, variant)

    from gpusim.plan.rules import rules_of_thumb
    from gpusim.report import check_page

    rules = rules_of_thumb(loaded)
    estimate, why_not = forecast(loaded, threads=threads)
    if as_json:
        print_text(json.dumps(_to_dict(loaded, rules, estimate), indent=2, allow_nan=False))
    else:
        following = (
            None if scenario == "-" else repeat_command("size", scenario, {"--variant": variant}, changes)
        )
        print_page(check_page(loaded, rules, following, estimate=estimate, no_estimate=why_not))


def _to_dict(scenario: Scenario, rules: tuple[RuleOfThumb, ...], estimate: Estimate | None) -> dict[str, Any]:
    from gpusim.plan.agreements import approvals

    return {
        "schema": CHECK_SCHEMA,
        "kind": "check",
        "valid": True,
        "scenario": scenario.name,
        "scenario_hash": scenario.hash,
        "source": scenario.source,
        "offered_load": scenario.offered_load,
        "largest_gang": scenario.largest_gang,
        "classes": [
            {
                "name": name,
                "rate": entry.job_class.rate,
                "mean_gang": entry.job_class.mean_gang,
                "largest_gang": entry.job_class.largest_gang,
                "mean_service": entry.job_class.mean_service,
                "offered_load": entry.job_class.offered_load,
            }
            for name, entry in zip(scenario.class_names, scenario.classes(), strict=True)
        ],
        "windows": {
            "warm_up": scenario.study.warm_up,
            "count_end": scenario.count_end,
            "cool_down": scenario.cool_down,
            "horizon": scenario.study.horizon,
        },
        "slos": [
            {
                "sentence": slo.sentence,
                "limit": slo.limit,
                "required": slo.share,
                "expected_jobs": scenario.expected_jobs(slo.classes),
            }
            for slo in scenario.resolved_slos()
        ],
        "approvals": [asdict(each) for each in approvals(scenario)],
        "rules_of_thumb": [{"name": rule.name, "gpus": rule.gpus} for rule in rules],
        "estimate": None if estimate is None else _finite(asdict(estimate)),
        "notices": [
            {"code": n.code, "where": n.where, "what": n.what, "found": n.found, "remedy": n.remedy}
            for n in scenario.notices()
        ],
    }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value == float("inf") else value for key, value in values.items()}
