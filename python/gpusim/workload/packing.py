"""The row table of sources as flat columns, which is how the native module receives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpusim.workload.limit_mode import LimitMode

if TYPE_CHECKING:
    from gpusim.workload.source import Generator, Source


def pack(generator: Generator) -> dict[str, Any]:
    """Columns of the row table, R rows long, and what the rows share.

    Parameters
    ----------
    generator : Generator

    Returns
    -------
    dict
        ``rows`` int32 (D, K); ``week`` and ``week_phase`` int [tick] (``week`` 0 without profiles);
        ``profile_cum`` int64 with ``profile_offset`` int32 (profiles + 1); ``demand_nodes`` int64 (2, 865) if
        demand is uncertain. All other names are columns of the rows. Lists of varying length lie one behind
        the other, those of row i from ``..._offset[i]`` to ``..._offset[i + 1]`` (int32, R + 1): ``events``
        int64 (sum E, 3) by ``event_offset``; ``batch_sizes``, ``batch_threshold``, ``batch_alias`` by
        ``batch_offset``; ``atom_gpus``, ``atom_threshold``, ``atom_alias`` by ``atom_offset``; ``choices``,
        ``choice_threshold``, ``choice_alias`` by ``choice_offset`` (threshold and alias are 0 for limits that
        are rounded up to, not drawn). ``hold`` int32 names a row's table among ``hold_nodes`` int64 (H, 2, 865),
        ``hold_shift``, ``hold_cap``, ``hold_cap_from``; -1: none. Arrays are C-contiguous.
    """
    rows = generator.sources
    holds = [source.hold for source in rows if source.hold is not None]
    with_hold = np.array([source.hold is not None for source in rows], np.bool_)
    columns: dict[str, Any] = {
        "rows": generator.rows,
        "source_key": _column(rows, "key", np.uint32),
        "source_class": _column(rows, "job_class", np.int32),
        "source_active": _column(rows, "active", np.uint8),
        "gap_nodes": _tables([source.gap.nodes for source in rows]),
        "gap_shift": np.array([source.gap.shift for source in rows], np.int32),
        "from_tick": _column(rows, "from_tick", np.int64),
        "until_tick": _column(rows, "until_tick", np.int64),
        "source_profile": _column(rows, "profile", np.int32),
        "profile_start": _column(rows, "profile_start", np.int64),
        "event_offset": _offsets(source.events for source in rows),
        "events": np.concatenate([np.zeros((0, 3), np.int64), *(source.events for source in rows)]),
        "batch_offset": _offsets(source.batch_sizes for source in rows),
        "batch_sizes": _joined(rows, "batch_sizes", np.int32),
        "batch_threshold": _joined(rows, "batch_threshold", np.uint64),
        "batch_alias": _joined(rows, "batch_alias", np.int32),
        "spread": _column(rows, "spread", np.int64),
        "common": _column(rows, "common", np.int64),
        "service_nodes": _tables([source.service.nodes for source in rows]),
        "service_shift": np.array([source.service.shift for source in rows], np.int32),
        "service_cap": _column(rows, "cap", np.int64),
        "service_cap_from": _column(rows, "cap_from", np.int64),
        "atom_offset": _offsets(source.gpus for source in rows),
        "atom_gpus": _joined(rows, "gpus", np.int32),
        "atom_threshold": _joined(rows, "threshold", np.uint64),
        "atom_alias": _joined(rows, "alias", np.int32),
        "limit_mode": _column(rows, "limit_mode", np.int32),
        "limit_a": _column(rows, "limit_a", np.int64),
        "limit_b": _column(rows, "limit_b", np.int64),
        "choice_offset": _offsets(source.choices for source in rows),
        "choices": _joined(rows, "choices", np.int64),
        "choice_threshold": np.concatenate(
            [np.zeros(0, np.uint64), *(_padded(source, source.choice_threshold) for source in rows)]
        ),
        "choice_alias": np.concatenate(
            [np.zeros(0, np.int32), *(_padded(source, source.choice_alias) for source in rows)]
        ),
        "segment": _column(rows, "segment", np.int64),
        "delay": _column(rows, "delay", np.int64),
        "claw_threshold": _column(rows, "claw_threshold", np.int64),
        "claw_after": _column(rows, "claw_after", np.int64),
        "call_period": _column(rows, "call_period", np.int64),
        "call_phase": _column(rows, "call_phase", np.int64),
        "users": _column(rows, "users", np.int32),
        "hold": np.where(with_hold, np.cumsum(with_hold) - 1, -1).astype(np.int32),
        "hold_nodes": _tables([table.nodes for table in holds]),
        "hold_shift": np.array([table.shift for table in holds], np.int32),
        "hold_cap": np.array([table.cap for table in holds], np.int64),
        "hold_cap_from": np.array([table.cap_from for table in holds], np.int64),
        "profile_offset": _offsets(profile.cum for profile in generator.profiles),
        "profile_cum": np.concatenate([np.zeros(0, np.int64), *(p.cum for p in generator.profiles)]),
        "week": generator.profiles[0].week if generator.profiles else 0,
        "week_phase": generator.week_phase,
    }
    if generator.demand is not None:
        columns["demand_nodes"] = generator.demand.nodes
    return columns


def _column(rows: Sequence[Source], name: str, kind: Any) -> NDArray[Any]:
    return np.array([getattr(source, name) for source in rows], dtype=kind)


def _tables(nodes: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.stack(nodes) if nodes else np.zeros((0, 2, 865), np.int64)


def _offsets(parts: Iterable[NDArray[Any]]) -> NDArray[np.int32]:
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int32)


def _joined(rows: Sequence[Source], name: str, kind: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *(getattr(source, name) for source in rows)])


def _padded(source: Source, array: NDArray[Any]) -> NDArray[Any]:
    return array if source.limit_mode == LimitMode.PICK else np.zeros(len(source.choices), array.dtype)
