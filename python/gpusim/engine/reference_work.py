"""What a run does with its time: work, checkpoints, overheads, and what is left of it when it is evicted (S23)."""

from gpusim.engine.reference_terms import JobClass


def checkpoints(work: int, row: JobClass) -> int:
    """Checkpoints on the way through `work` ticks of work; there is none at the end."""
    return 0 if row.checkpoint is None else -(-work // row.checkpoint) - 1


def wall_time(work: int, row: JobClass, first: bool) -> int:
    """[ticks] from the beginning of the own work of a start to its end: checkpoints and restart included."""
    return work + row.checkpoint_cost * checkpoints(work, row) + (0 if first else row.restart)


def work_done(work: int, row: JobClass, first: bool, elapsed: int, grace: int) -> int:
    """[ticks] of work done `elapsed` ticks after a start that had to wait `grace` ticks for its victims."""
    useful = max(0, elapsed - grace - (0 if first else row.restart))
    if row.checkpoint is None:
        return min(useful, work)
    done = _made(work, row, useful)
    since = useful - done * (row.checkpoint + row.checkpoint_cost)  # more than an interval: it is writing
    return min(work, done * row.checkpoint + min(since, row.checkpoint))


def work_saved(work: int, row: JobClass, first: bool, elapsed: int, grace: int) -> int:
    """[ticks] of work that outlives an eviction: what the last checkpoint holds, or all of it (R29)."""
    if row.checkpoint is None:
        return 0
    if row.grace >= row.checkpoint_cost:  # it saves within its grace
        return work_done(work, row, first, elapsed, grace)
    useful = max(0, elapsed - grace - (0 if first else row.restart))
    return _made(work, row, useful) * row.checkpoint


def _made(work: int, row: JobClass, useful: int) -> int:
    """Checkpoints finished after `useful` ticks of wall time."""
    assert row.checkpoint is not None
    return min(useful // (row.checkpoint + row.checkpoint_cost), checkpoints(work, row))
