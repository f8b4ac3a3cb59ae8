"""Shares of a batch take turns on each device: while one computes, the other's copies are made.

Where memory holds all cells of a device at once there is one share and nothing to overlap. Elsewhere two are open,
each in half of the memory: one computes in slices, and meanwhile the results of the one before it are downloaded, its
memory is released, and the one after it is uploaded. All of it is done by one thread, in *chores* of some
milliseconds, for as long as a launch is under way; then the next slice starts, whether or not there are chores left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpusim.engine import device_share
from gpusim.engine.device_share import Share
from gpusim.engine.device_work import Work
from gpusim.errors import DeviceMemoryError

if TYPE_CHECKING:
    from gpusim.engine.device import Device, Slices

Rows = npt.NDArray[np.int64]


class Lane:
    """One device: the cells that wait for it, and up to three steps of a share's life at a time.

    Attributes
    ----------
    waiting : numpy.ndarray of int64
        Cells by their row in the batch, those to be taken first in front.
    prepared, running, finished : Share or None
        Open, or being opened; with launches; with results to be downloaded. Two of them at most have memory.
    refused : DeviceMemoryError or None
        Why the device cannot take any of the cells that wait.
    """

    def __init__(self, device: Device, work: Work) -> None:
        self.device, self.work = device, work
        self.waiting: Rows = np.zeros(0, np.int64)
        self.prepared: Share | None = None
        self.running: Share | None = None
        self.finished: Share | None = None
        self.refused: DeviceMemoryError | None = None
        self._chores: Iterator[None] | None = None

    @property
    def shares(self) -> list[Share]:
        """Those that may have memory."""
        return [share for share in (self.prepared, self.running, self.finished) if share is not None]

    @property
    def launchable(self) -> Share | None:
        """The share that needs a further launch."""
        return None if self.running is None or self.running.is_done else self.running

    def turn(self) -> bool:
        """Move shares on where one is done and no chores are left; whether another one runs now."""
        if self._chores is not None or self.launchable is not None:
            return False
        self.finished, self.running, self.prepared = self.running, self.prepared, None
        self._chores = self._next_chores()
        return self.running is not None

    def step(self) -> bool:
        """Do one chore; whether there was one."""
        if self._chores is None:
            return False
        try:
            next(self._chores)
        except StopIteration:
            self._chores = None
        return True

    def stop(self) -> None:
        """Keep what has been computed so far, and prepare nothing more."""
        while self.step():
            pass
        self.finished, self.running = self.running, None
        for _ in self._collect():
            pass

    def close(self) -> None:
        """Release all memory; whatever fails, the rest is released."""
        with contextlib.ExitStack() as stack:
            for share in self.shares:
                stack.callback(share.close)

    def _next_chores(self) -> Iterator[None]:
        yield from self._collect()
        if self.work.stopped or not len(self.waiting):
            return
        self.prepared = self._planned()
        if self.prepared is not None:
            self.waiting = self.waiting[len(self.prepared.rows) :]
            yield
            yield from self.prepared.open()

    def _collect(self) -> Iterator[None]:
        """Keep the results of the share that is finished; its memory is free before anything else is planned."""
        share = self.finished
        if share is None:
            return
        arrays = yield from share.results()
        share.close()
        yield from self.work.keep(arrays, share.rows)
        if not self.work.stopped:
            self.waiting = np.concatenate([self.work.settle(share), self.waiting])
        self.finished = None  # from here on its cells are counted by `work`

    def _planned(self) -> Share | None:
        """The next share, none if there is no room for one now."""
        work, running = self.work, self.running
        if running is None:
            try:
                return device_share.plan(self.device, work.batch, work.cells, self.waiting, work.room)
            except DeviceMemoryError as error:  # another device may have room
                self.refused = error
                return None
        if not running.halved:
            return None
        # About as many will fit as before, and planning looks at each.
        some = self.waiting[: 2 * len(running.rows)]
        return device_share.plan_beside(self.device, work.batch, work.cells, some, work.room)


def take_turns(
    devices: Sequence[Device],
    work: Work,
    waiting: Rows,
    slices: Slices,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Run the cells `waiting` until `work` has all their results, or is stopped.

    All devices that have work are launched before one is waited for.
    """
    lanes = [Lane(device, work) for device in devices]
    _deal(waiting, lanes)
    budget = slices.first
    with contextlib.ExitStack() as stack:
        for lane in lanes:
            stack.callback(lane.close)
        while any(lane.shares or len(lane.waiting) for lane in lanes):
            turned = [lane.turn() for lane in lanes]
            budget = slices.first if any(turned) else budget
            active = [share for lane in lanes if (share := lane.launchable)]
            begin = clock()
            for share in active:
                share.launch(budget)
            _do_chores(lanes, active)
            for share in active:
                share.wait()
            # A chore that outlasts its launch is counted, too: the next slice is shorter for it, never longer.
            budget = slices.after(budget, clock() - begin) if active else budget
            if active and not work.report(sum(share.done for lane in lanes for share in lane.shares)):
                for lane in lanes:
                    lane.stop()
                return
            lanes = _without_refused(lanes)


def _do_chores(lanes: Sequence[Lane], active: Sequence[Share]) -> None:
    """Chores of all devices in turn: as long as a launch is under way, or to the end where none is."""
    while not active or not all(share.device.ready() for share in active):
        done = [lane.step() for lane in lanes]
        if not any(done):
            return


def _deal(rows: Rows, lanes: Sequence[Lane]) -> None:
    hands = min(len(lanes), len(rows))
    for k, lane in enumerate(lanes[:hands]):
        lane.waiting = np.concatenate([rows[k::hands], lane.waiting])


def _without_refused(lanes: Sequence[Lane]) -> list[Lane]:
    """Lanes whose devices have memory for their cells; they take over those of the others. Raises if there is none."""
    left = [lane for lane in lanes if lane.refused is None]
    for lane in lanes:
        if lane.refused is not None:
            if not left:
                raise lane.refused
            _deal(lane.waiting, left)
    return left
