"""How pages write numbers: units everywhere, thousands in groups, never more certainty than there is."""

from __future__ import annotations

import math
import os

from gpusim.units import format_duration

UNKNOWN = "-"


def count(number: float) -> str:
    """`10,456`."""
    return f"{number:,.0f}"


def gpus(number: int) -> str:
    """`512 GPUs`."""
    return f"{number:,} GPU" if number == 1 else f"{number:,} GPUs"


def things(number: int, singular: str) -> str:
    """`4 service levels`, `1 service level`."""
    return f"{number:,} {singular}" if number == 1 else f"{number:,} {singular}s"


def large(number: int) -> str:
    """`19.6 million`, `940 thousand`, `812`."""
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number / 1000:.0f} thousand" if number >= 10_000 else f"{number:,}"


def percent(share: float) -> str:
    """`93.5%`; what is not quite 0 or 100 does not look like it."""
    if not math.isfinite(share):
        return UNKNOWN
    text = f"{100 * share:.1f}"
    if text == "100.0":
        return "100%" if share >= 1 else ">99.9%"
    if text == "0.0":
        return "0%" if share <= 0 else "<0.1%"
    return f"{text}%"


def percents(low: float, high: float) -> str:
    """`90.6 - 95.7%`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    return f"{100 * low:.1f} - {100 * high:.1f}%"


def measured(share: float, low: float, high: float) -> str:
    """`93.5% (90.6 - 95.7)`."""
    return f"{percent(share)} ({percents(low, high).rstrip('%')})"


def points(share: float) -> str:
    """A difference of two shares in percentage points: `+2.4`."""
    return f"{100 * share:+.1f}" if math.isfinite(share) else UNKNOWN


def amount(number: float) -> str:
    """A mean number of GPUs: `351.7`."""
    return f"{number:,.1f}" if math.isfinite(number) else UNKNOWN


def few(number: float) -> str:
    """A mean number of jobs: `344,430`, `35.2`, `0.21`."""
    if not math.isfinite(number):
        return UNKNOWN
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def duration(seconds: float) -> str:
    """`12.3min`."""
    return format_duration(seconds, 3) if math.isfinite(seconds) else UNKNOWN


def durations(low: float, high: float) -> str:
    """Bounds of a wait: `11.8min - 12.9min`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    return f"{format_duration(max(0.0, low), 3)} - {format_duration(high, 3)}"


def probability(value: float) -> str:
    """`0.010`, `below 0.001`."""
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def file_name(path: str) -> str:
    """The last part of a path."""
    return os.path.basename(path) or path
