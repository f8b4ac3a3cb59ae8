"""How much more demand does our center carry? The largest factor on all arrivals, and what decides it."""

from pathlib import Path

import gpusim

scenario = gpusim.load_scenario(Path(__file__).with_name("small-center.yaml"))

for gpus in (64, 96):
    answer = gpusim.size(scenario.override([f"center.have={gpus}"]), vary="demand", seed=1)
    print(answer)
    print(f"  offered load then: {answer.load:.1f} of {answer.gpus} GPUs; decided by: {answer.binding_slo}")
