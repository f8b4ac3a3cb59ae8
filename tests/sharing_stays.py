"""Runs of random shared centers by the oracle, and who ran and waited when, put together from what it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import hypothesis.strategies as st
from hypothesis import given, settings

from gpusim.engine.reference import Outcome
from sharing_random import SharedCenter, random_shared_center


def on_many(test: Callable[[int], None], centers: int = 50) -> Callable[[], None]:
    """The test on many random centers; a failing one is named by its seed."""
    given_a_seed = given(seed=st.integers(0, 10**6))(test)
    return settings(deadline=None, derandomize=True, max_examples=centers)(given_a_seed)


@cache
def answered(seed: int) -> tuple[SharedCenter, Outcome]:
    case = random_shared_center(seed)
    return case, case.answer()


@dataclass
class Stay:
    """A start, and when the job left."""

    job: int
    pool: int
    begin: int
    end: int
    evicted: bool = False


def stays_of(case: SharedCenter, out: Outcome) -> list[Stay]:
    """Every start with its end, put together from the lists of starts and evictions."""
    stays = []
    for tick, job, pool in out.starts:
        later = [at for at, victim in out.evictions if victim == job and at > tick]
        end = min(later) if later else out.end[job] if out.end[job] >= 0 else case.windows.horizon
        stays.append(Stay(job, pool, tick, end, bool(later)))
    return stays


def waits_of(case: SharedCenter, out: Outcome, job: int) -> Iterator[tuple[int, int]]:
    """Intervals in which a job waits."""
    begins = [out.eligible[job]] if out.eligible[job] >= 0 else []
    begins += [tick for tick, victim in out.evictions if victim == job]
    if out.outcome[job] == "cancelled":
        begins = begins[:-1]
    starts = [tick for tick, i, _ in out.starts if i == job]
    for k, begin in enumerate(begins):
        if k < len(starts):
            yield begin, starts[k]
        elif out.outcome[job] == "waiting":
            yield begin, case.windows.horizon
        elif out.outcome[job] == "abandoned":
            yield begin, begin + case.classes[case.jobs[job].job_class].patience


def overlap(case: SharedCenter, begin: int, end: int) -> int:
    window = (case.windows.warm_up, min(case.windows.count_end, case.windows.horizon))
    return max(0, min(end, window[1]) - max(begin, window[0]))


def running_at(stays: list[Stay], tick: int) -> list[Stay]:
    return [stay for stay in stays if stay.begin <= tick < stay.end]
