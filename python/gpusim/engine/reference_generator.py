"""The oracle of generated jobs: ARCHITECTURE.md section 3, written down literally.

Philox4x32-10 turns (index, stream, replication, source key) into four words; tables turn words into gaps,
sizes, service times, GPU counts and limits. The fast generator must give the same integers bit for bit. Written
from the contract alone and sharing no code with the engine.

Arrivals and jobs are taken one at a time, in Python integers, which are exact at any size: nothing here can
overflow, so a wrong bound elsewhere shows as a difference. Only Philox and the quantile tables are evaluated for
many words at once, in int64 (words are below 2^32, nodes below 2^44, fractions below 2^16).

Cost: some 5 microseconds a job; memory for all jobs of one replication at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import WorkloadError
from gpusim.workload.philox import (
    STREAM_ARRIVAL,
    STREAM_DEMAND,
    STREAM_HOLD,
    STREAM_JOB,
    WordArray,
    philox4x32,
    random_words,
)
from gpusim.workload.quantile_table import QuantileTable
from gpusim.workload.source import MILLION, SCALE_ONE, Generator, LimitMode, Source

IntArray = NDArray[np.int64]

__all__ = ["COLUMNS", "demand_scale", "generate", "mix", "philox4x32", "table_value"]

GOLDEN = 618_034  # golden ratio in millionths: spreads the rounding of scheduled counts over the events
EVENT_STRIDE = 1024
"""Word indices that each scheduled event owns."""
COLUMNS = {
    "submit": np.int64,
    "service": np.int64,
    "limit": np.int64,
    "gpus": np.int32,
    "job_class": np.uint16,
    "after": np.int64,
    "delay": np.int64,
    "user": np.int32,
    "source": np.int32,
    "source_index": np.int64,
}
"""Names and types of the columns that `generate` returns."""

_WORDS = 1 << 32
_BLOCK = 4096  # indices whose words are drawn at a time


def table_value(table: QuantileTable, words: WordArray) -> IntArray:
    """Value of a quantile table at 32-bit words, without its cap, in units of 2^-shift ticks.

    Parameters
    ----------
    table : QuantileTable
    words : numpy.ndarray of uint32

    Returns
    -------
    numpy.ndarray of int64, in the shape of `words`
    """
    u = words.astype(np.int64)
    side = u >> 31
    v = np.where(side == 1, 0xFFFFFFFF - u, u)  # ~u in 32 bits
    e = _floor_log2(np.maximum(v, 32))
    octave = e - 5
    low = v & ((np.int64(1) << octave) - 1)
    up, down = np.maximum(16 - octave, 0), np.maximum(octave - 16, 0)
    k = np.where(v < 32, v, 32 + 32 * octave + ((v >> octave) & 31))
    frac = np.where(v < 32, 0, (low << up) >> down)
    a = table.nodes[side, k]
    b = table.nodes[side, k + 1]
    value: IntArray = np.where(side == 0, a + (((b - a) * frac) >> 16), a - (((a - b) * frac) >> 16))
    return value


def demand_scale(generator: Generator, replication: int) -> int:
    """Factor on all gaps of a replication, in 1/65536."""
    if generator.demand is None:
        return SCALE_ONE
    word = random_words(generator.seed, STREAM_DEMAND, replication, 0, np.arange(1))[:, 0]
    return int(table_value(generator.demand, word)[0])


def mix(common: int, own: int, weight: int) -> int:
    """Uniform word that two words share: `common` with weight p = `weight` / 65536, `own` with the rest.

    The weighted mean of two uniform numbers has a trapezoidal density; its distribution function makes it
    uniform again.
    """
    p, q = weight, SCALE_ONE - weight
    if p == 0:
        return own
    v = (p * common + q * own) >> 16
    lo, hi = min(p, q), max(p, q)
    if v < lo << 16:
        return v * v // (2 * lo * hi)
    if v < hi << 16:
        return ((v - (lo << 15)) << 16) // hi
    w = _WORDS - v
    return min(max(_WORDS - w * w // (2 * lo * hi), 0), _WORDS - 1)


def generate(
    generator: Generator, replication: int, horizon: int, demand_ppm: int = MILLION, draw: int = 0
) -> dict[str, NDArray[np.generic]]:
    """All jobs of one replication that are submitted before the horizon.

    Parameters
    ----------
    generator : Generator
    replication : int
        In [0, 2^32).
    horizon : int
        End of the run [tick]; 0 or more.
    demand_ppm : int, default 10^6
        Factor on all rates and scheduled counts [1e-6].
    draw : int, default 0
        Row of `Generator.rows`.

    Returns
    -------
    dict
        One array for each of: ``submit``, ``service``, ``limit``, ``delay`` (int64) [tick], ``gpus`` (int32),
        ``job_class`` (uint16), ``after`` (int64, row of the predecessor in a chain, -1 none), ``user`` (int32,
        of the tenant), ``source`` (int32, column of `Generator.rows`), ``source_index`` (int64, running count of
        the jobs of the source). Where ``after`` is -1 ``delay`` counts from submit. Sorted by submit, then
        source, then index inside the source.

    Raises
    ------
    WorkloadError
        If an argument is out of range, demand out of what the generator holds, or an arrival clock could reach
        2^62 before the horizon.
    """
    if not 0 <= replication < _WORDS or horizon < 0 or not 0 <= draw < generator.draws:
        raise WorkloadError(f"replication {replication}, horizon {horizon} or draw {draw} is out of range")
    generator.check_demand(demand_ppm, demand_ppm)
    run = _Run(generator, replication, horizon, demand_scale(generator, replication), demand_ppm)
    jobs: list[tuple[int, int, int, _Job]] = []  # submit, source, index inside the source: the job order
    for k, source in enumerate(generator.of_draw(draw)):
        if source.active:
            jobs += [(job.submit, k, index, job) for index, job in enumerate(_source_jobs(source, run))]
    jobs.sort(key=lambda entry: entry[:3])
    row = {(k, index): row for row, (_, k, index, _) in enumerate(jobs)}
    sources = generator.of_draw(draw)
    listed: dict[str, list[int]] = {name: [] for name in COLUMNS}
    for _, k, index, job in jobs:
        listed["submit"].append(job.submit)
        listed["service"].append(job.service)
        listed["limit"].append(job.limit)
        listed["gpus"].append(job.gpus)
        listed["job_class"].append(sources[k].job_class)
        listed["after"].append(row[k, index - 1] if job.follows else -1)
        listed["delay"].append(sources[k].delay if job.follows else job.hold)
        listed["user"].append(job.user)
        listed["source"].append(k)
        listed["source_index"].append(index)
    return {name: np.array(listed[name], dtype=kind) for name, kind in COLUMNS.items()}


class _Run(NamedTuple):
    """What all sources of a run have in common."""

    generator: Generator
    replication: int
    horizon: int
    scale: int  # demand_scale, in 1/65536
    demand_ppm: int

    def all_words(self, source: Source, stream: int) -> Iterator[list[int]]:
        """Words of the indices 0, 1, 2, .., drawn in blocks."""
        for block in count():
            index = np.arange(block * _BLOCK, (block + 1) * _BLOCK)
            if index[-1] >= _WORDS:
                raise WorkloadError(f"more than 2^32 jobs of {source.label}")
            yield from self.words(source, stream, index)

    def words(self, source: Source, stream: int, index: IntArray) -> list[list[int]]:
        """Four words of each index."""
        drawn: list[list[int]] = random_words(
            self.generator.seed, stream, self.replication, source.key, index
        ).tolist()
        return drawn


class _Job(NamedTuple):
    submit: int
    service: int
    limit: int
    gpus: int
    follows: bool  # the job before it in its source is its predecessor
    hold: int  # [ticks] from submit to eligible, without a predecessor
    user: int


def _source_jobs(source: Source, run: _Run) -> Iterator[_Job]:
    """Jobs of one source before the horizon, in the order of their index inside the source."""
    if source.is_batch:
        made = _batches(source, run)
    elif source.is_chain:
        made = _chains(source, run)
    else:
        made = _single(source, run)
    return (job for job in made if job.submit < run.horizon)


# ------------------------------------------------------------------------------------------- when


def _arrivals(source: Source, run: _Run, stream: int) -> Iterator[tuple[int, int, list[int]]]:
    """(submit, word index, words of `stream`) of each arrival before until_tick and the horizon."""
    end = run.horizon if source.until_tick == -1 else min(source.until_tick, run.horizon)
    arrivals = _scheduled(source, run, stream) if source.is_scheduled else _renewal(source, run, stream)
    for submit, index, words in arrivals:
        if submit >= end:  # submits do not fall
            return
        yield submit, index, words


def _renewal(source: Source, run: _Run, stream: int) -> Iterator[tuple[int, int, list[int]]]:
    """Endless renewal process, its clock in operational time."""
    shift = source.gap.shift
    if run.horizon << shift >= 1 << 62:
        raise WorkloadError(f"horizon {run.horizon} with gap shift {shift} exceeds the 62-bit arrival clock")
    profile = None if source.profile == -1 else run.generator.profiles[source.profile]
    cum = [] if profile is None else profile.cum.tolist()
    clock = 0
    for index, words in enumerate(run.all_words(source, stream)):
        value = int(_value(source.gap, words[0]))
        clock += (((value * run.scale) >> 16) * MILLION) // run.demand_ppm
        if profile is None:
            yield source.from_tick + (clock >> shift), index, words
        else:
            p = (clock >> (shift - 8)) + source.profile_start
            yield _real_tick(cum, profile.week, p) - run.generator.week_phase, index, words


def _real_tick(cum: list[int], week: int, p: int) -> int:
    """Ticks since the Monday 00:00 before tick 0 at operational time p [1/256 tick]."""
    bins = len(cum) - 1
    width = week // bins
    q, r = divmod(p, cum[bins])
    b = bisect_right(cum, r, hi=bins) - 1  # the last bin with cum[b] <= r
    return q * week + b * width + ((r - cum[b]) * width) // (cum[b + 1] - cum[b])


def _scheduled(source: Source, run: _Run, stream: int) -> Iterator[tuple[int, int, list[int]]]:
    """Arrivals of the events, in the order of their submit."""
    for e, (tick, within, nominal) in enumerate(source.events.tolist()):
        n = (nominal * run.demand_ppm + e * GOLDEN % MILLION) // MILLION
        index = np.arange(e * EVENT_STRIDE, e * EVENT_STRIDE + n)
        offsets = [(word[0] * within) >> 32 for word in run.words(source, STREAM_JOB, index)]
        words = run.words(source, stream, index)
        for offset, j in sorted((offset, j) for j, offset in enumerate(offsets)):
            yield tick + offset, e * EVENT_STRIDE + j, words[j]


# ------------------------------------------------------------------------------------------- what


def _single(source: Source, run: _Run) -> Iterator[_Job]:
    """Each arrival is a job."""
    for submit, index, words in _arrivals(source, run, STREAM_JOB):
        service, decision = _service(source, words[1]), _decision(source, run, index)
        limit, hold = _limit(source, service, words[3]), _hold(source, decision, submit)
        kept = _kept(source, service, words[3])
        yield _Job(submit, kept, limit, _gpus(source, words[2]), False, hold, _user(source, decision))


def _batches(source: Source, run: _Run) -> Iterator[_Job]:
    """Each arrival is a batch of jobs of one gang size, one decision and one user."""
    job_words = run.all_words(source, STREAM_JOB)
    latest = 0
    for arrival, index, common in _arrivals(source, run, STREAM_ARRIVAL):
        n = _picked(common[1], source.batch_sizes, source.batch_threshold, source.batch_alias)
        gpus, decision = _gpus(source, common[2]), _decision(source, run, index)
        for m in range(n):
            own = next(job_words)
            latest = max(latest, arrival + (source.spread * m) // n)
            service = _service(source, mix(common[3], own[1], source.common))
            limit, hold = _limit(source, service, own[3]), _hold(source, decision, latest)
            kept = _kept(source, service, own[3])
            yield _Job(latest, kept, limit, gpus, False, hold, _user(source, decision))


def _chains(source: Source, run: _Run) -> Iterator[_Job]:
    """Each arrival is a chain of jobs, submitted together; the decision is about the first one."""
    job_words = run.all_words(source, STREAM_JOB)
    for submit, index, words in _arrivals(source, run, STREAM_ARRIVAL):
        gpus, decision = _gpus(source, words[2]), _decision(source, run, index)
        hold, user = _hold(source, decision, submit), _user(source, decision)
        left = _service(source, words[3])
        follows = False
        while left > 0:
            service, word = min(left, source.segment), next(job_words)[3]
            limit, kept = _limit(source, service, word), _kept(source, service, word)
            yield _Job(submit, kept, limit, gpus, follows, hold, user)
            left -= service
            follows = True


def _decision(source: Source, run: _Run, index: int) -> list[int]:
    """Words that decide about an arrival: how long it is held, and whose it is."""
    if source.hold is None and source.users == 1:  # nothing to decide
        return [0, 0, 0, 0]
    return run.words(source, STREAM_HOLD, np.array([index]))[0]


def _hold(source: Source, decision: list[int], submit: int) -> int:
    """Ticks from submit to eligible: until the next call closes, and what the decision takes (S35)."""
    call = submit
    if source.call_period > 0:
        call += (source.call_phase - submit) % source.call_period
    return call - submit + (0 if source.hold is None else _rounded(source.hold, decision[0]))


def _user(source: Source, decision: list[int]) -> int:
    """One of the source's users, all alike (S35)."""
    return decision[1] * source.users >> 32


def _kept(source: Source, service: int, word: int) -> int:
    """Ticks until a lease ends: its term, or the review if it is clawed back there (S35)."""
    return min(service, source.claw_after) if word < source.claw_threshold else service


def _rounded(table: QuantileTable, word: int) -> int:
    """Value of a table with its cap, in whole ticks."""
    half = (1 << table.shift) >> 1
    value = table.cap if word >= table.cap_from else min(_value(table, word), table.cap)
    return (value + half) >> table.shift


def _service(source: Source, word: int) -> int:
    shift = source.service.shift
    half = 1 << (shift - 1) if shift else 0
    if word >= source.cap_from:
        value = source.cap
    else:
        value = min(_value(source.service, word), source.cap)
    return max(1, (value + half) >> shift)


def _gpus(source: Source, word: int) -> int:
    return _picked(word, source.gpus, source.threshold, source.alias)


def _limit(source: Source, service: int, word: int) -> int:
    if source.limit_mode == LimitMode.EXACT:
        return service
    if source.limit_mode == LimitMode.FIXED:
        return source.limit_a
    if source.limit_mode == LimitMode.PICK:
        return _picked(word, source.choices, source.choice_threshold, source.choice_alias)
    a, b = source.limit_a, source.limit_b
    factor = a + (((b - a) * word) >> 32)
    limit = max(1, (service * factor + 65535) >> 16)
    if not len(source.choices):
        return limit
    choices = source.choices.tolist()
    at = bisect_left(choices, limit)  # the first choice that is not below the limit
    return int(choices[at]) if at < len(choices) else max(int(choices[-1]), service)


def _picked(
    word: int,
    outcomes: NDArray[np.int32] | IntArray,
    threshold: NDArray[np.uint64],
    alias: NDArray[np.int32],
) -> int:
    """Walker's alias rule with one word."""
    x = word * len(outcomes)
    i, f = x >> 32, x & 0xFFFFFFFF
    return int(outcomes[i]) if f < int(threshold[i]) else int(outcomes[int(alias[i])])


def _value(table: QuantileTable, u: int) -> int:
    """`table_value` of one word."""
    side = u >> 31
    v = 0xFFFFFFFF - u if side else u
    if v < 32:
        k, frac = v, 0
    else:
        octave = v.bit_length() - 6
        k = 32 + 32 * octave + ((v >> octave) & 31)
        low = v & ((1 << octave) - 1)
        frac = low << (16 - octave) if octave <= 16 else low >> (octave - 16)
    a, b = int(table.nodes[side, k]), int(table.nodes[side, k + 1])
    return a - (((a - b) * frac) >> 16) if side else a + (((b - a) * frac) >> 16)


def _floor_log2(v: IntArray) -> IntArray:
    """Position of the highest set bit of v >= 1; exact, since v < 2^53 is exact as a double."""
    return (np.frexp(v.astype(np.float64))[1] - 1).astype(np.int64)
