"""Whether an engine gives the host's integers on every configuration, bit for bit, and the same when run again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from gpu_configurations import MANY, Configuration, configurations
from gpu_engines import HOST, call, call_staying, tiny_slices
from gpu_rows import Rows
from gpusim.engine.backend import devices_of
from gpusim.engine.result import BatchResult

Run = Callable[[Mapping[str, Any], Any, Mapping[str, Any]], BatchResult]

NOT_COMPARED = ("reruns", "backend", "passed_over")
"""A matter of speed, a name, and why it is that name."""
OF_EARLY = ("status", "passed", "first_violated")
"""All that means something in a run that was stopped at its verdict."""
SLICED = (
    "stored, FIFO",
    "stored, EASY",
    "stored, K=4",
    "stored, chains, EASY",
    "stored, two pools, all",
    "mix, FIFO",
    "shared, EASY",
)
"""Run once more in tiny slices, one of each family and feature that a slice must keep."""
STAYING = ("stored, tiny rooms, EASY",)
"""Run once more with cells in the device's memory and results that stay there, repeated runs among them."""
SHOWN = 3
LEAST = 3.0
"""Time without which no further configuration is begun [s]."""


def differences(expected: BatchResult, found: BatchResult, *, early: bool = False) -> list[str]:
    """Every array in which two results differ, with the first place and both values."""
    return [*_differences(expected, found, OF_EARLY if early else None)]


def _differences(expected: Any, found: Any, names: Iterable[str] | None, prefix: str = "") -> Iterator[str]:
    for name in names or [field.name for field in dataclasses.fields(expected)]:
        if name in NOT_COMPARED:
            continue
        ours, theirs = getattr(expected, name), getattr(found, name)
        if dataclasses.is_dataclass(ours) and dataclasses.is_dataclass(theirs):
            yield from _differences(ours, theirs, None, f"{name}.")
        elif isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
            yield from _of_arrays(prefix + name, ours, theirs)
        elif type(ours) is not type(theirs) or ours != theirs:
            yield f"{prefix}{name}: {type(ours).__name__} on the host, {type(theirs).__name__} found"


def _of_arrays(name: str, ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> Iterator[str]:
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        yield f"{name}: {ours.dtype} {ours.shape} on the host, {theirs.dtype} {theirs.shape} found"
    elif not np.array_equal(ours, theirs):
        places = np.argwhere(ours != theirs)
        at = tuple(places[0].tolist())
        yield f"{name}{list(at)}: {ours[at]} on the host, {theirs[at]} found; {len(places):,} places differ"


def check(
    configuration: Configuration, engine: Mapping[str, Any], most: int | None = None, run: Run = call
) -> dict[str, Any]:
    """One configuration: the host, the engine, and the engine again.

    Parameters
    ----------
    configuration : Configuration
    engine : mapping
        Options of `run_batch` that choose the engine.
    most : int, optional
        Cells at most.
    run : callable
        What runs a batch on an engine; tests put a wrong one here.

    Returns
    -------
    dict
        `name`, `cells`, `jobs`, `reruns`, `equal`, `same_again`, `differences`, and seconds of both engines.
    """
    early = bool(configuration.options.get("early"))
    results, seconds = [], []
    for options in (HOST, engine, engine):
        spec, batch = configuration.batch(most)  # anew: no engine knows what room the one before has needed
        begin = time.perf_counter()
        results.append(run(options, spec, batch))
        seconds.append(time.perf_counter() - begin)
    host, first, again = results
    found = differences(host, first, early=early)
    repeat = differences(first, again, early=early)
    if configuration.reruns and not first.reruns:
        found.append("reruns: no run was repeated, so this configuration has not tested that")
    return {
        "name": configuration.name,
        "cells": len(host.status),
        "jobs": int(host.jobs.sum()),
        "reruns": first.reruns,
        "equal": not found,
        "same_again": not repeat,
        "differences": [*found[:SHOWN], *(f"again: {each}" for each in repeat[:SHOWN])],
        "seconds_host": round(seconds[0], 4),
        "seconds": round(seconds[1], 4),
    }


def step(rows: Rows, engine: Mapping[str, Any], most: int | None = None) -> None:
    """All configurations, then some of them in tiny slices, and one with cells and results in the device's memory."""
    everything = configurations()
    for each in everything:
        if rows.has(each.name, LEAST):
            _tried(rows, each.name, each, engine, most)
    for each in everything:
        name = f"tiny slices: {each.name}"
        if each.name in SLICED and rows.has(name, LEAST):
            with tiny_slices() as possible:
                if possible:
                    _tried(rows, name, each, engine, min(most or MANY, MANY))
                else:
                    rows.add(name=name, skipped="this engine has no slices")
    for each in everything:
        name = f"results that stay: {each.name}"
        if each.name in STAYING and rows.has(name, LEAST):
            if devices_of(engine["backend"]):
                _tried(rows, name, each, engine, most, call_staying)
            else:
                rows.add(name=name, skipped="this engine has no device")


def _tried(
    rows: Rows,
    name: str,
    each: Configuration,
    engine: Mapping[str, Any],
    most: int | None,
    run: Run = call,
) -> None:
    """Keep the row; a configuration that cannot be run is one that differs, and the others go on."""
    try:
        row = check(each, engine, most, run)
    except Exception as error:
        row = {"equal": False, "same_again": False, "differences": [f"{type(error).__name__}: {error}"[:400]]}
    rows.add(**{**row, "name": name})
