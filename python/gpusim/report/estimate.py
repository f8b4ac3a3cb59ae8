"""An estimate of time as a phrase."""

from __future__ import annotations

from gpusim.plan.estimate import Estimate
from gpusim.report import words


def estimate_in_words(estimate: Estimate) -> str:
    """`about 50s on 2 threads (25s to 1.8min)`, `more than 3h on 2 threads`."""
    threads = words.things(estimate.threads, "thread")
    if estimate.at_least:
        return f"more than {_coarse(estimate.seconds)} on {threads}"
    low, high = _coarse(estimate.low), _coarse(estimate.high)
    return f"about {_coarse(estimate.seconds)} on {threads} ({low} to {high})"


def _coarse(seconds: float) -> str:
    """Two digits: more would look surer than it is."""
    return words.duration(float(f"{max(seconds, 0.1):.1e}"))
