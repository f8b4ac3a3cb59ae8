"""The oracle of generated jobs: ARCHITECTURE.md section 3 in plain numpy.

Philox4x32-10 turns (job index, stream, replication, source key) into four words; tables turn words into a
gap, a service time, a GPU count and a limit; a running sum of gaps is the arrival clock. The fast generator
must give the same integers bit for bit. Written from the contract alone and sharing no code with the engine.

All arithmetic is in int64 and stays below 2^63: words are below 2^32, nodes below 2^44, fractions below 2^16,
and `Generator` has checked gap times demand scale and service times factor. Only Philox itself uses uint64.

Cost: about 0.4 microseconds a job; memory for all jobs of one replication at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import WorkloadError
from gpusim.workload.quantile_table import QuantileTable
from gpusim.workload.source import SCALE_ONE, Generator, LimitMode, Source

IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint32]

STREAM_JOB = 0
"""Words of a job: gap, service, gpus, limit."""
STREAM_DEMAND = 1
"""Word 0 at index 0, source key 0: the demand scale of the replication."""

_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))  # of counter words 0 and 2
_WEYL = (0x9E3779B9, 0xBB67AE85)  # added to the key words from round to round
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_BLOCK = 4096  # jobs generated at a time: clocks stay below 2^62 + 4096 * 2^47


def philox4x32(counter: WordArray, key: WordArray) -> WordArray:
    """Philox4x32 with 10 rounds: a keyed bijection of 128-bit counters.

    Parameters
    ----------
    counter : numpy.ndarray of uint32, shape (n, 4)
    key : numpy.ndarray of uint32, shape (2,)

    Returns
    -------
    numpy.ndarray of uint32, shape (n, 4)

    References ---------- J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as
    easy as 1, 2, 3", SC11 (2011), doi:10.1145/2063384.2063405, section 4.3; its reference code, Random123,
    has the known answers.
    """
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(_ROUNDS):
        product0 = c0 * _MULTIPLIER[0]
        product1 = c2 * _MULTIPLIER[1]
        c0, c1, c2, c3 = (
            (product1 >> _HALF) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _HALF) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0 = (k0 + _WEYL[0]) & 0xFFFFFFFF
        k1 = (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def table_value(table: QuantileTable, words: WordArray) -> IntArray:
    """Value of a quantile table at 32-bit words, in units of 2^-shift ticks.

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
    word = _words(generator.seed, STREAM_DEMAND, replication, 0, np.arange(1))[:, 0]
    return int(table_value(generator.demand, word)[0])


def generate(generator: Generator, replication: int, horizon: int) -> dict[str, NDArray[np.generic]]:
    """All jobs of one replication that are submitted before the horizon.

    Parameters
    ----------
    generator : Generator
    replication : int
        In [0, 2^32).
    horizon : int
        End of the run [tick]; 0 or more.

    Returns
    -------
    dict
        One array for each of: ``submit``, ``service``, ``limit`` (int64) [tick], ``gpus`` (int32),
        ``job_class`` (uint16, position of the source), ``source_index`` (int64, index of the job inside its
        source). Sorted by submit, then source, then index inside the source.

    Raises
    ------
    WorkloadError
        If replication or horizon is out of range, or an arrival clock could reach 2^62 before the horizon.
    """
    if not 0 <= replication < 1 << 32 or horizon < 0:
        raise WorkloadError(f"replication {replication} or horizon {horizon} is out of range")
    scale = demand_scale(generator, replication)
    parts = [
        _source_jobs(source, generator.seed, replication, horizon, scale, job_class)
        for job_class, source in enumerate(generator.sources)
        if source.active
    ]
    kinds = {
        "submit": np.int64,
        "service": np.int64,
        "limit": np.int64,
        "gpus": np.int32,
        "job_class": np.uint16,
        "source_index": np.int64,
    }
    jobs: dict[str, NDArray[np.generic]] = {
        name: np.concatenate([np.zeros(0, np.int64), *(part[name] for part in parts)]).astype(kind)
        for name, kind in kinds.items()
    }
    order = np.lexsort((jobs["source_index"], jobs["job_class"], jobs["submit"]))
    return {name: column[order] for name, column in jobs.items()}


def _source_jobs(
    source: Source, seed: int, replication: int, horizon: int, scale: int, job_class: int
) -> dict[str, IntArray]:
    """Jobs of one source, in the order of their index."""
    shift = source.gap.shift
    if horizon << shift >= 1 << 62:
        raise WorkloadError(f"horizon {horizon} with gap shift {shift} exceeds the 62-bit arrival clock")
    clock = 0
    blocks: list[tuple[IntArray, WordArray]] = []  # arrival clocks and words of the jobs
    while clock >> shift < horizon:
        index = np.arange(len(blocks) * _BLOCK, (len(blocks) + 1) * _BLOCK)
        if index[-1] >= 1 << 32:
            raise WorkloadError(f"more than 2^32 jobs of source {source.name or job_class}")
        words = _words(seed, STREAM_JOB, replication, source.key, index)
        step = (table_value(source.gap, words[:, 0]) * scale) >> 16
        clocks = clock + np.cumsum(step)
        clock = int(clocks[-1])
        blocks.append((clocks, words))
    submit = np.concatenate([np.zeros(0, np.int64), *(clocks for clocks, _ in blocks)]) >> shift
    words = np.concatenate([np.zeros((0, 4), np.uint32), *(words for _, words in blocks)])
    jobs = int(np.searchsorted(submit, horizon))  # clocks never go back
    submit, words = submit[:jobs], words[:jobs]
    service = _service(source, words[:, 1])
    return {
        "submit": submit,
        "service": service,
        "limit": _limit(source, service, words[:, 3]),
        "gpus": _gpus(source, words[:, 2]),
        "job_class": np.full(jobs, job_class),
        "source_index": np.arange(jobs),
    }


def _service(source: Source, words: WordArray) -> IntArray:
    shift = source.service.shift
    half = 1 << (shift - 1) if shift else 0
    service: IntArray = np.maximum(1, (table_value(source.service, words) + half) >> shift)
    return service


def _gpus(source: Source, words: WordArray) -> IntArray:
    x = words.astype(np.int64) * len(source.gpus)
    column = x >> 32
    remainder = x & 0xFFFFFFFF
    own = remainder < source.threshold.astype(np.int64)[column]
    return source.gpus[np.where(own, column, source.alias[column])].astype(np.int64)


def _limit(source: Source, service: IntArray, words: WordArray) -> IntArray:
    if source.limit_mode == LimitMode.EXACT:
        return service.copy()
    if source.limit_mode == LimitMode.FIXED:
        return np.full(len(service), source.limit_a)
    a, b = source.limit_a, source.limit_b
    factor = a + (((b - a) * words.astype(np.int64)) >> 32)
    limit: IntArray = np.maximum(1, (service * factor + 65535) >> 16)
    return limit


def _words(seed: int, stream: int, replication: int, key: int, index: IntArray) -> WordArray:
    """The four words of each index: shape (n, 4)."""
    counter = np.empty((len(index), 4), dtype=np.uint32)
    counter[:, 0] = index
    counter[:, 1] = stream
    counter[:, 2] = replication
    counter[:, 3] = key
    return philox4x32(counter, np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.uint32))


def _floor_log2(v: IntArray) -> IntArray:
    """Position of the highest set bit of v >= 1; exact, since v < 2^53 is exact as a double."""
    return (np.frexp(v.astype(np.float64))[1] - 1).astype(np.int64)
