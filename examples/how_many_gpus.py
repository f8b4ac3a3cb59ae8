"""How many GPUs does this center need, how sure is that, and what would a spreadsheet have said?"""

from pathlib import Path

import gpusim

scenario = gpusim.load_scenario(Path(__file__).with_name("small-center.yaml"))
answer = gpusim.size(scenario, seed=1)

print(answer)
print(f"decided by: {answer.binding_slo}")
print(f"offered load: {answer.offered_load:.1f} GPUs")
for slo in answer.slos:
    print(
        f"  {slo.sentence}: held in {slo.attainment.value:.0%} of periods, {slo.below.value:.0%} just below"
    )
for outcome in answer.rules:
    if outcome.attainment is not None:
        print(
            f"  {outcome.rule.name}: {outcome.rule.gpus} GPUs, met in {outcome.attainment.share:.0%} of periods"
        )
