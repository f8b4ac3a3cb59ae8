"""What is known of a batch that runs on devices: results so far, progress, and which cells must run again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.cpu import Progress
from gpusim.engine.device_share import NOT_RUN, PIECE_BYTES, Batch, Share

ROOM_OF_STATUS = {
    1: "running_slots",
    2: "queue_slots",
    3: "profile_slots",
    6: "held_slots",
    7: "chain_slots",
}
"""Which working memory was full, by the statuses of `csrc/core/status.h` that say so."""
MOST_ROOM = {
    "running_slots": 1 << 20,
    "queue_slots": 1 << 27,
    "profile_slots": 1 << 28,
    "held_slots": 1 << 20,
    "chain_slots": 1 << 27,
}
"""Bounds of `csrc/cpu/ensemble.cpp`: a run that needs more ends with the status that says so."""


@dataclass
class Work:
    """A batch under way.

    Attributes
    ----------
    room : dict
        Working memory of the shares still to come.
    outputs : dict
        Results of the cells that have been kept; the others have the status that says they were never run.
    complete : int
        Kept cells with status 0.
    shown : int
        The number of cells last reported.
    stopped : bool
        Whether `progress` has said so.
    """

    batch: Batch
    cells: dict[str, npt.NDArray[Any]]
    room: dict[str, int]
    progress: Progress | None
    outputs: dict[str, Any] = field(default_factory=dict)
    complete: int = 0
    shown: int = 0
    reruns: int = 0
    stopped: bool = False

    def report(self, done: int) -> bool:
        """Tell how many cells are done, those that are not kept yet included; whether to go on.

        A cell that will be repeated has been counted, so the number may stand still, but never falls.
        """
        total = len(self.cells["replication"])
        self.shown = max(self.shown, min(self.complete + done, total))
        if self.progress is not None and self.progress(self.shown, total) is False:
            self.stopped = True
        return not self.stopped

    def keep(self, arrays: dict[str, Any], rows: npt.NDArray[np.int64]) -> Iterator[None]:
        """Enter what a share has computed for the cells `rows`; pauses after every piece."""
        n = len(self.cells["replication"])
        for name, part in arrays.items():
            if name == "records" or len(rows) == n == 1:
                self.outputs[name] = part
                continue
            if name not in self.outputs:
                shape = (n, *part.shape[1:])
                status = name == "status"
                self.outputs[name] = (
                    np.full(shape, NOT_RUN, part.dtype) if status else np.zeros(shape, part.dtype)
                )
            step = max(1, PIECE_BYTES // max(1, part[:1].nbytes))
            for begin in range(0, len(rows), step):
                piece = slice(begin, begin + step)
                self.outputs[name][rows[piece]] = part[piece]
                yield

    def settle(self, share: Share) -> npt.NDArray[np.int64]:
        """Those cells of a share to be repeated since they found their memory full, with twice as much of that."""
        status = self.outputs["status"][share.rows]
        self.complete += int(np.count_nonzero(status == 0))
        again = np.zeros(len(share.rows), np.bool_)
        for full, name in ROOM_OF_STATUS.items():
            met, twice = status == full, 2 * share.room[name]
            if met.any() and twice <= MOST_ROOM[name]:
                self.room[name] = max(self.room[name], twice)
                again |= met
        self.reruns += int(np.count_nonzero(again))
        if self.batch.resident is not None:
            self.batch.resident.repeat(share.rows[again])
        return share.rows[again]
