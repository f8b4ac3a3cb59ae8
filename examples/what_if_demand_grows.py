"""How many more GPUs if the laboratory's demand grows by half? The same random numbers on both sides."""

from pathlib import Path

import gpusim

today = gpusim.load_scenario(Path(__file__).with_name("small-center.yaml"))
grown = today.override(["tenants.laboratory.classes.training.arrivals.load=45"])

for name, scenario in (("today", today), ("grown", grown)):
    answer = gpusim.size(scenario, seed=1)
    per_gpu = answer.gpus / answer.offered_load
    print(f"{name}: offered load {answer.offered_load:.1f} GPUs, {answer}")
    print(f"  {per_gpu:.2f} GPUs for each GPU of load; decided by: {answer.binding_slo}")
