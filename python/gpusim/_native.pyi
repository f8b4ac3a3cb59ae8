from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

TABLE_NODES: int
HISTOGRAM_BINS: int
COMPILER: str
FLAGS: str
BUILD_TYPE: str
CUDA: str
ARGUMENT_BYTES: int
BUDGET_OFFSET: int

def run(
    spec: dict[str, Any],
    cells: dict[str, Any],
    *,
    seed: int,
    early: bool = ...,
    histogram: bool = ...,
    causes: bool = ...,
    records: int = ...,
    threads: int = ...,
    lanes: int = ...,
    running_slots: int = ...,
    queue_slots: int = ...,
    profile_slots: int = ...,
    held_slots: int = ...,
    chain_slots: int = ...,
    progress: Callable[[int, int], Any] | None = ...,
) -> dict[str, Any]: ...
def generate(
    spec: dict[str, Any], replication: int, *, draw: int = ..., demand_ppm: int = ..., seed: int
) -> dict[str, Any]: ...
def count_jobs(
    spec: dict[str, Any], replication: int, *, draw: int = ..., demand_ppm: int = ..., seed: int
) -> int: ...
def offered(
    spec: dict[str, Any],
    which: dict[str, Any],
    *,
    seed: int,
    demand_ppm: int = ...,
    shift: int,
    instants: int,
    threads: int = ...,
) -> dict[str, Any]: ...
def usable_cores(cgroup_root: str = ...) -> int: ...
def device_plan(
    spec: dict[str, Any],
    cells: dict[str, Any],
    *,
    seed: int,
    early: bool = ...,
    histogram: bool = ...,
    causes: bool = ...,
    records: int = ...,
    running_slots: int = ...,
    queue_slots: int = ...,
    profile_slots: int = ...,
    held_slots: int = ...,
    chain_slots: int = ...,
    near_bytes: int = ...,
) -> dict[str, Any]: ...
def device_image(spec: dict[str, Any], *, seed: int, base: int) -> npt.NDArray[np.uint8]: ...
def device_arguments(
    spec: dict[str, Any],
    *,
    seed: int,
    early: bool = ...,
    running_slots: int = ...,
    queue_slots: int = ...,
    profile_slots: int = ...,
    held_slots: int = ...,
    chain_slots: int = ...,
    near_bytes: int = ...,
    n: int,
    workers: int,
    image: int,
    addresses: dict[str, int],
) -> bytes: ...
def emulate(family: str, blocks: int, shared_bytes: int, arguments: bytes) -> None: ...
