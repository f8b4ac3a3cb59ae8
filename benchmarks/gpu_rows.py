"""A step of the check on a device: a process of its own with a limit of time, and the rows that it has measured.

A step writes each row as soon as it has it, so that whatever ends the process, what was measured stays: a kernel that
hangs, a device that no longer answers (which is lost to the whole process), or the limit.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SHOWN = 1500
"""Characters kept of what a failed step has printed last."""


class Skip(Exception):
    """A step, or a row of it, that cannot be measured here; the text says why."""


class Rows:
    """Where a step puts what it has measured, and how much time it has.

    Parameters
    ----------
    path : Path
        One JSON object a line is appended here.
    seconds : float
        From now until the step will be ended [s].
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.end = path, time.monotonic() + seconds

    def add(self, **row: Any) -> None:
        """Keep a row, at once."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=lambda value: value.item()) + "\n")  # of NumPy

    @property
    def left(self) -> float:
        """Time that is left [s]."""
        return self.end - time.monotonic()

    def has(self, name: str, needed: float) -> bool:
        """Whether there is time for the row `name`; if not, it says that it was not run."""
        if self.left >= needed:
            return True
        self.add(name=name, not_run=f"{needed:.0f} s were needed, {max(self.left, 0):.0f} s left")
        return False


def run(command: Sequence[str], path: Path, seconds: float, environment: dict[str, str]) -> dict[str, Any]:
    """Run a step and collect its rows from `path`.

    Returns
    -------
    dict
        `status` ("done", "skipped", "failed", "cut"), `seconds`, `limit` [s], `rows`, and `reason` unless done.
    """
    begin = time.monotonic()
    step: dict[str, Any] = {"limit": round(seconds, 1)}
    if seconds <= 0:
        return {**step, "status": "cut", "seconds": 0.0, "rows": [], "reason": "no time was left"}
    output = path.with_suffix(".output")
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(process.pid, signal.SIGKILL)  # the group that was started above, and nothing else
            process.wait()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    last = output.read_text(encoding="utf-8", errors="replace").strip()[-SHOWN:]
    skipped = [row["skipped"] for row in rows if set(row) == {"skipped"}]
    rows = [row for row in rows if set(row) != {"skipped"}]
    if code is None:
        step |= {"status": "cut", "reason": f"ended after {seconds:.0f} s. {last}".strip()}
    elif code:
        step |= {"status": "failed", "reason": f"exit status {code}. {last}".strip()}
    elif skipped:
        step |= {"status": "skipped", "reason": "; ".join(skipped)}
    else:
        step["status"] = "done"
    return {**step, "seconds": round(time.monotonic() - begin, 1), "rows": rows}


def spread(values: Sequence[float]) -> dict[str, float]:
    """What stands for repeats: their median, least and greatest, and how many there are."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "repeats": len(values),
    }
