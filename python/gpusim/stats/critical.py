"""Quickselect over capacities: order statistics of the critical capacity, under common random numbers.

Replication r passes or fails at each capacity of a grid. Its *critical capacity* M_r is the smallest one at
which it passes. Under common random numbers M_r belongs to the replication, and the k-th smallest of M_1..M_R
can be found without knowing the others: each replication keeps a bracket (fails at ``fail``, passes at
``passed``), one probe of a capacity simulates only the replications whose bracket contains it, and the
results of all the others are *implied*. Probes start at a guess, move in doubling steps until the rank is
enclosed, then bisect until two neighbours straddle it. Typical cost: 3 runs per replication for two
neighbouring ranks.

What is looked for may be more than a rank: any `UpSet`, a condition on the pass counts that one pass more cannot break.
Where replications are of two kinds it judges the counts of both. Counts rise with the capacity, so there is a first
capacity at which it holds; rank k is the condition "k passes".

Indices of the grid, not capacities, are the currency inside: larger ones are more generous. A critical index of
``count`` means "passes nowhere on the grid"; one of 0 means "passes at the grid's first value, perhaps before it too".

Order and ties: replications are handed to ``evaluate`` in ascending order, one call per probe, and a result
is taken by its place in that order, never by when it was ready. Bounds of a rank follow from the brackets
alone, so they are valid at any moment, also after `OutOfTime`.

If pass/fail is not monotone in the capacity, the search still ends (a bracket only ever shrinks) and finds
*a* crossing per replication; `observe` runs the implied cells, and `violations` says which replications were
seen to pass at a capacity and to fail at a larger one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gpusim.stats.foresight import DEPTH, Bisection, Foresight, places
from gpusim.stats.grid import CapacityGrid

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Evaluate = Callable[[IntArray, int], BoolArray]


class UpSet(Protocol):
    """A condition on the pass counts of two kinds of replications that one pass more cannot break."""

    def holds(self, counts: IntArray) -> BoolArray:
        """Whether it holds for each row ``(passes of kind 0, passes of kind 1)``, shape (n,)."""
        ...


Wanted = int | UpSet
"""A rank, counted from 1, or a condition that holds at the latest when all replications pass."""

_UNSEEN, _FAILED, _PASSED = -1, 0, 1

_BATCH = 12  # runs between two looks


class OutOfTime(Exception):
    """Raised by ``evaluate`` when the deadline is reached.

    Parameters
    ----------
    passes : BoolArray, optional
        Results of the first replications of the batch, in its order; they are kept. What was ready out of
        order must not be handed over: fast runs are more likely to pass.
    """

    def __init__(self, passes: BoolArray | None = None) -> None:
        super().__init__("the deadline was reached")
        self.passes = np.zeros(0, dtype=np.bool_) if passes is None else passes


class Probe(NamedTuple):
    """One complete probe: at ``capacity``, ``passed`` of ``simulated + implied`` replications passed."""

    capacity: int
    simulated: int
    implied: int
    passed: int


class CriticalSearch:
    """Order statistics of the critical capacity of ``n_replications`` replications.

    Parameters
    ----------
    n_replications : int
        At least 1; replications are numbered from 0.
    grid : CapacityGrid
        Capacities that may be tried.
    start : int
        Grid index of the first probe (clipped to the grid).
    evaluate : callable
        ``evaluate(replications, capacity)`` gives one bool per replication, True where it passes. The same
        cell is asked at most once. It may raise `OutOfTime`.
    first_step : int
        First step away from ``start``, in grid indices; it doubles until the rank is enclosed.
    kind : IntArray, optional
        Of each replication, 0 or 1; needed for an `UpSet`.
    first_step_down : int, optional
        The same towards lower indices, if it is another.
    foresight : Foresight, optional
        Told what may be asked next.

    Attributes
    ----------
    start : int
        Grid index of the first probe.
    runs : int
        Cells simulated so far.
    probes : list of Probe
        Complete probes, in order.
    hardness : FloatArray or None
        Which replications will fail first with less: the larger, the sooner. It decides what is run first.
    """

    def __init__(
        self,
        n_replications: int,
        grid: CapacityGrid,
        start: int,
        evaluate: Evaluate,
        first_step: int = 1,
        kind: IntArray | None = None,
        first_step_down: int | None = None,
        foresight: Foresight | None = None,
    ) -> None:
        if n_replications < 1:
            raise ValueError(f"n_replications must be at least 1 (found {n_replications})")
        self.n_replications = n_replications
        self.grid = grid
        self.runs = 0
        self.probes: list[Probe] = []
        self.start = min(max(start, 0), grid.count - 1)
        self._first_step = max(1, first_step)
        self._first_step_down = max(1, first_step_down or first_step)
        self._evaluate = evaluate
        self.foresight = foresight or Foresight(grid)
        self.hardness: FloatArray | None = None
        self._kind = np.zeros(n_replications, dtype=np.int64) if kind is None else kind
        self._fail = np.full(n_replications, -1, dtype=np.int64)  # bracket: largest index known to fail
        self._pass = np.full(n_replications, grid.count, dtype=np.int64)  # bracket: smallest known to pass
        self._lowest_pass = self._pass.copy()  # over all simulated cells, those of `observe` included
        self._highest_fail = self._fail.copy()
        self._cells: dict[
            int, NDArray[np.int8]
        ] = {}  # index -> result per replication, _UNSEEN if not simulated

    @property
    def violations(self) -> BoolArray:
        """Replications seen to pass at a capacity and to fail at a larger one, shape (n_replications,).

        Probes alone cannot show one, as they never run an implied cell; `observe` can.
        """
        return self._lowest_pass < self._highest_fail

    @property
    def compared(self) -> IntArray:
        """Replications run at two capacities or more: only these could show a violation."""
        runs = np.zeros(self.n_replications, dtype=np.int64)
        for cells in self._cells.values():
            runs += cells != _UNSEEN
        return np.flatnonzero(runs > 1).astype(np.int64)

    def bounds(self, wanted: Wanted) -> tuple[int, int]:
        """Best bounds known now of the first index at which ``wanted`` holds (rank 1: the smallest M_r).

        M_r is in ``fail_r + 1 .. pass_r``, and order statistics keep the order of bounds; so do the counts.
        """
        return self._first(self._fail + 1, wanted), self._first(self._pass, wanted)

    def select(self, wanted: Wanted, resolution: int = 0, then: Sequence[Wanted] = ()) -> int:
        """First grid index at which ``wanted`` holds; ``grid.count`` if it is above the grid.

        Parameters
        ----------
        wanted : int or UpSet
            The ``wanted``-th smallest critical capacity, or the least one at which a condition holds.
        resolution : int, default 0
            The search ends when the index is known to within so many steps; the larger bound is returned.
        then : sequence of int or UpSet
            What will be selected afterwards, in the same way: for foresight only.

        Raises
        ------
        OutOfTime
            From ``evaluate``; what was learnt is kept and `bounds` gives the interval that remains.
        """
        walk = self._walk(wanted, resolution)
        while (index := walk.index) is not None:
            self.foresight.tell(self._foreseen(walk, then))
            self._probe(index)
            walk = walk.after(*self.bounds(wanted))
        return walk.high

    def _walk(self, wanted: Wanted, resolution: int) -> Bisection:
        low, high = self.bounds(wanted)
        steps = self._first_step, self._first_step_down
        return Bisection(low, high, self.start, *steps, self.grid.count, resolution)

    def _foreseen(self, walk: Bisection, then: Sequence[Wanted]) -> Iterator[tuple[int, IntArray]]:
        """Places that may be looked at after the present one, each with what would be run there now."""
        assert walk.index is not None
        everyone = np.arange(self.n_replications, dtype=np.int64)
        later = [self._walk(wanted, walk.resolution) for wanted in then]
        roots = [each for other in later for each in other.besides(walk.index)]
        ahead = *places(walk.outcomes(), DEPTH - 1), *places(roots, DEPTH - 1)
        for index in dict.fromkeys(index for _, index in ahead):
            yield index, self.unrun(index, everyone)

    def probe(self, capacity: int) -> None:
        """Decide every replication at a capacity, by a run where its bracket contains it.

        Raises
        ------
        OutOfTime
            As `select`.
        """
        self._probe(self.grid.index(capacity))

    def passing(self, capacity: int) -> int:
        """Number of replications that pass at ``capacity`` as far as known: simulated there, else implied."""
        return self.passing_among(capacity, np.arange(self.n_replications, dtype=np.int64))

    def passing_among(self, capacity: int, replications: IntArray) -> int:
        """`passing`, counted over some of the replications."""
        index = self.grid.index(capacity)
        passes = self._pass[replications] <= index
        cells = self._cells.get(index)
        if cells is not None:
            passes = np.where(cells[replications] == _UNSEEN, passes, cells[replications] == _PASSED)
        return int(np.count_nonzero(passes))

    def implied(self, capacity: int) -> IntArray:
        """Replications, ascending, whose result at ``capacity`` was not simulated there."""
        cells = self._cells.get(self.grid.index(capacity))
        if cells is None:
            return np.arange(self.n_replications, dtype=np.int64)
        return np.flatnonzero(cells == _UNSEEN).astype(np.int64)

    def complete(self, index: int, wanted: Wanted) -> bool:
        """Run what was not run at an index, the likeliest to fail first, as long as ``wanted`` may still hold there.

        Returns
        -------
        bool
            Whether it holds; then every replication was run.
        """
        order, first, batch = self._doubtful(index), 0, 2 * _BATCH
        while self._may_hold(index, wanted):
            if first >= order.size:
                return True
            some = np.sort(order[first : first + batch])
            self.foresight.tell([(index, order[first + batch :])])
            self.run(index, some, implied=True)
            first, batch = first + batch, 2 * batch  # doubt fades quickly, and a batch has its price
        return False

    def open(self, index: int, replications: IntArray) -> IntArray:
        """Those of the replications whose result at an index neither is known nor implied."""
        inside = (self._fail[replications] < index) & (index < self._pass[replications])
        found: IntArray = replications[inside]
        return found

    def unrun(self, index: int, replications: IntArray) -> IntArray:
        """Those of the replications that `run` would run at an index."""
        return self.unseen(index, self.open(index, replications))

    def unseen(self, index: int, replications: IntArray) -> IntArray:
        """Those of the replications that were not run at an index."""
        cells = self._cells.get(index)
        return replications if cells is None else replications[cells[replications] == _UNSEEN]

    def _doubtful(self, index: int) -> IntArray:
        """Replications not run at an index, the likeliest to fail there first; those that failed above it last."""
        open_ = self.implied(self.grid.capacity(index))
        if self.hardness is None:  # from the one that was seen to fail the nearest below
            order = np.argsort(index - self._fail[open_], kind="stable")
        else:
            order = np.argsort(-self.hardness[open_], kind="stable")
        failed_above = (self._fail[open_] >= index)[order]
        return np.concatenate([open_[order][~failed_above], open_[order][failed_above]])

    def not_failed(self, capacity: int) -> BoolArray:
        """Replications not known to fail at a capacity: neither run there without passing, nor failed above it."""
        index = self.grid.index(capacity)
        cells = self._cells.get(index)
        passes = self._fail < index
        return passes if cells is None else np.where(cells == _UNSEEN, passes, cells == _PASSED)

    def _may_hold(self, index: int, wanted: Wanted) -> bool:
        """Whether a condition holds at an index if all pass there that are not known to fail."""
        passes = self.not_failed(self.grid.capacity(index))
        if isinstance(wanted, int):
            return int(np.count_nonzero(passes)) >= wanted
        ones = int(np.count_nonzero(passes & (self._kind == 1)))
        zeros = int(np.count_nonzero(passes)) - ones
        return bool(wanted.holds(np.array([[zeros, ones]], dtype=np.int64))[0])

    def observed(self, capacity: int) -> tuple[int, int]:
        """``(simulated, passed)`` among the cells really simulated at ``capacity``."""
        cells = self._cells.get(self.grid.index(capacity))
        if cells is None:
            return 0, 0
        return int(np.count_nonzero(cells != _UNSEEN)), int(np.count_nonzero(cells == _PASSED))

    def observe(self, capacity: int, replications: IntArray) -> int:
        """Simulate cells whatever the brackets imply; brackets stay as they are.

        Parameters
        ----------
        capacity : int
            On the grid.
        replications : IntArray
            Replications wanted; those already simulated there are not run again.

        Returns
        -------
        int
            Cells simulated by this call.

        Raises
        ------
        OutOfTime
            From ``evaluate``; the results handed over with it are kept.
        """
        index = self.grid.index(capacity)
        wanted = self.unseen(index, np.sort(np.asarray(replications, dtype=np.int64)))
        self._simulate(index, wanted)
        return int(wanted.size)

    def _probe(self, index: int) -> None:
        """Decide every replication at ``index``: simulate where the bracket contains it, imply elsewhere."""
        ran = self.run(index, np.arange(self.n_replications, dtype=np.int64))
        passed = int(np.count_nonzero(self._pass <= index))
        self.probes.append(Probe(self.grid.capacity(index), ran, self.n_replications - ran, passed))

    def run(self, index: int, replications: IntArray, *, implied: bool = False) -> int:
        """Run those replications whose bracket contains an index, which narrows them; the number that was run.

        With ``implied`` the others are run too, as in `observe`: their brackets stay.
        """
        inside = self.open(index, replications)
        seen = self._cells.setdefault(index, np.full(self.n_replications, _UNSEEN, dtype=np.int8))
        wanted = self.unseen(index, replications if implied else inside)
        try:
            self._simulate(index, wanted)
        finally:  # after OutOfTime too: what is known narrows the brackets
            results = seen[inside]
            self._fail[inside[results == _FAILED]] = index
            self._pass[inside[results == _PASSED]] = index
        return int(wanted.size)

    def _simulate(self, index: int, replications: IntArray) -> None:
        """Run cells never run before, in ascending order, and record them."""
        if not replications.size:
            return
        cells = self._cells.setdefault(index, np.full(self.n_replications, _UNSEEN, dtype=np.int8))
        cut: OutOfTime | None = None
        try:
            passes = np.asarray(self._evaluate(replications, self.grid.capacity(index)), dtype=np.bool_)
            if passes.shape != replications.shape:
                raise ValueError(f"evaluate gave {passes.shape} results for {replications.size} replications")
        except OutOfTime as error:
            cut = error
            passes = np.asarray(error.passes, dtype=np.bool_)[: replications.size]
        done = replications[: passes.size]
        cells[done] = np.where(passes, _PASSED, _FAILED)
        self.runs += int(done.size)
        passed, failed = done[passes], done[~passes]
        self._lowest_pass[passed] = np.minimum(self._lowest_pass[passed], index)
        self._highest_fail[failed] = np.maximum(self._highest_fail[failed], index)
        if cut is not None:
            raise cut

    def _first(self, critical: IntArray, wanted: Wanted) -> int:
        """The first index at which ``wanted`` holds if these were the critical indices."""
        if isinstance(wanted, int):
            if not 1 <= wanted <= self.n_replications:
                raise ValueError(f"rank must be within 1..{self.n_replications} (found {wanted})")
            return int(np.partition(critical, wanted - 1)[wanted - 1])
        order = np.argsort(critical, kind="stable")
        ones = np.cumsum(self._kind[order])
        holds = wanted.holds(np.stack([np.arange(1, len(order) + 1) - ones, ones], axis=1))
        if not holds[-1]:
            raise ValueError("the condition holds for no counts")
        return int(critical[order[int(holds.argmax())]])
