"""Philox4x32-10: random words as a pure function of a counter and a key, and the list of streams.

The counter of every word is (index, stream, replication, source key), the key the seed: two words share a counter
only if they are the same word. Each purpose has a stream of its own, so that no two purposes share numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WordArray = NDArray[np.uint32]

STREAM_JOB = 0
"""Words of a job: gap or offset, service, gpus, limit."""
STREAM_DEMAND = 1
"""Word 0 at index 0, source key 0: the demand scale of the replication."""
STREAM_ARRIVAL = 2
"""Words of an arrival of a batch or chain source: gap, batch size, gpus, service common to the arrival."""
STREAM_ELICITED = 3
"""Word 0 at index 0, the CRC-32 of the path in place of the source key: an uncertain number."""
STREAM_HOLD = 4
"""Words that decide about an arrival: how long it is held for approval, and its user."""

_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))  # of counter words 0 and 2
_WEYL = (0x9E3779B9, 0xBB67AE85)  # added to the key words from round to round
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox4x32(counter: WordArray, key: WordArray) -> WordArray:
    """Philox4x32 with 10 rounds: a keyed bijection of 128-bit counters.

    Parameters
    ----------
    counter : numpy.ndarray of uint32, shape (n, 4)
    key : numpy.ndarray of uint32, shape (2,)

    Returns
    -------
    numpy.ndarray of uint32, shape (n, 4)

    References
    ----------
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11
    (2011), doi:10.1145/2063384.2063405, section 4.3; its reference code, Random123, has the known answers.
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


def random_words(
    seed: int, stream: int, replication: int, source_key: int, index: NDArray[np.int64]
) -> WordArray:
    """Four words of each index.

    Parameters
    ----------
    seed : int
        In [0, 2^64).
    stream : int
        One of the `STREAM_` numbers.
    replication, source_key : int
        In [0, 2^32).
    index : numpy.ndarray of int64, shape (n,)
        In [0, 2^32).

    Returns
    -------
    numpy.ndarray of uint32, shape (n, 4)
    """
    counter = np.empty((len(index), 4), dtype=np.uint32)
    counter[:, 0] = index
    counter[:, 1] = stream
    counter[:, 2] = replication
    counter[:, 3] = source_key
    return philox4x32(counter, np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.uint32))
