"""What would another policy have done with our log? The same ten jobs under three policies."""

import random
import tempfile
from pathlib import Path

import gpusim

draw = random.Random(14)
rows, submit = [], 0
for number in range(1, 11):
    submit += draw.randrange(600)
    gpus, run_time = draw.choice([1, 2, 4, 8]), draw.randrange(600, 7200)
    # The 18 fields of the Standard Workload Format; -1: unknown. 4: run time, 5: GPUs, 9: requested time.
    fields = [number, submit, -1, run_time, gpus, -1, -1, gpus, 2 * run_time, *[-1] * 9]
    rows.append(" ".join(map(str, fields)))

with tempfile.TemporaryDirectory() as folder:
    log = Path(folder) / "tiny.swf"
    log.write_text("; ten jobs\n" + "\n".join(rows) + "\n")
    jobs = gpusim.read_trace(log)

for backfill in ("none", 1, "all"):
    schedule = gpusim.replay(jobs, gpus=8, backfill=backfill)
    print(
        f"backfill {backfill}: mean wait {schedule.mean_wait:,.0f} s, utilization {schedule.utilization:.1%}"
    )
    print("  starts", schedule.records.start.tolist())
