"""Is what we have enough? One capacity, every service level, and what the users see."""

from pathlib import Path

import gpusim

scenario = gpusim.load_scenario(Path(__file__).with_name("small-center.yaml"))
result = gpusim.simulate(scenario, replications=100)

verdict = "met" if result.slos_met else "not met"
share = result.attainment
print(f"{result.gpus} GPUs: all levels hold in {share.passed} of {share.replications} periods; {verdict}")
print(
    f"P(all levels hold) lies between {share.low:.0%} and {share.high:.0%}, {result.required:.0%} is required"
)
for slo in result.slos:
    print(
        f"  {slo.sentence}: {slo.share.value:.1%} of the jobs, held in {slo.attainment.value:.0%} of periods"
    )
for seen in result.classes:
    print(
        f"  {seen.name}: mean wait {seen.mean_wait.value / 60:.0f} min, 95 % within {seen.p95_wait / 60:.0f} min"
    )
