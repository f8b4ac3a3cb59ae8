"""The largest values that the engine takes."""

from __future__ import annotations

from gpusim.workload.ticks import MAX_TICKS

FOREVER = MAX_TICKS - 1
"""The latest horizon [tick]: keys of the engine hold ticks below 2^43. The last tick that is run is one less."""

MAX_CLASSES = 1 << 16
"""Most job classes, and most tenants: a job names its class in 16 bits."""
MAX_POOLS = 1 << 10
"""Most pools."""
MAX_SLOWDOWN = (1 << 20) - 1
"""Largest slowdown limit, in thousandths: the comparison stays below 2^63."""
MILLION = 1_000_000
