"""Rows of batch results: chosen, and put together again from several batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import BatchResult


def chosen(result: BatchResult, rows: npt.NDArray[np.int64]) -> BatchResult:
    """Some cells of a result, in the order asked."""
    n = len(result.status)
    columns: dict[str, Any] = {name: values[rows] for name, values in _columns(result, n).items()}
    return dataclasses.replace(result, **columns, records=None)


def joined(parts: Sequence[BatchResult]) -> BatchResult:
    """The cells of several results of one `RunSpec`, one after the other."""
    columns = [_columns(part, len(part.status)) for part in parts]
    together: dict[str, Any] = {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    reruns = sum(part.reruns for part in parts)
    return dataclasses.replace(parts[0], **together, records=None, reruns=reruns)


def _columns(result: BatchResult, cells: int) -> dict[str, Any]:
    """The arrays that have one row for each cell."""
    every = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return {
        name: value for name, value in every.items() if isinstance(value, np.ndarray) and len(value) == cells
    }
