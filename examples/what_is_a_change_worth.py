"""What is a change worth, in GPUs? Two changes of the policy and one of the demand, on the same periods."""

from pathlib import Path

import gpusim

scenario = gpusim.load_scenario(Path(__file__).with_name("small-center.yaml"))

for change in ("policy.backfill=none", "policy.tiers=false", "study.demand=120%"):
    changed = gpusim.compare(scenario, changes=[change], replications=100, seed=1)["as changed"]
    verdict = "" if changed.shown else " (no effect shown)"
    print(f"{change}: {changed.difference:+.0f} GPUs [{changed.low:+.0f}, {changed.high:+.0f}]{verdict}")
    print(
        f"  on average {changed.mean:+.1f} +- {changed.standard_error:.1f}; binding: {changed.binding[0].sentence}"
    )
