"""Closed-form queueing results: the first guess of a size, and the truth that tests compare with.

The unit of time is free: rates and mean service times only have to share it. "Offered load" is
``a = arrival rate x mean service time`` in erlangs, ``c`` the number of servers, ``rho = a / c``.

References
----------
.. [1] A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic
   telephone exchanges", 1917; formulas and the inverse recursion as in R. B. Cooper, "Introduction to
   Queueing Theory", 2nd ed., North Holland 1981, sections 3.3 (loss) and 3.4 (delay).
.. [2] D. Gross and C. M. Harris, "Fundamentals of Queueing Theory", 3rd ed., Wiley 1998: sections 2.3
   (M/M/c), 2.4 (M/M/c/K), 5.1 (Pollaczek-Khintchine).
.. [3] A. Cobham, "Priority assignment in waiting line problems", Operations Research 2 (1954) 70-76.
.. [4] J. S. Kaufman, "Blocking in a shared resource environment", IEEE Trans. Communications 29 (1981)
   1474-1481; J. W. Roberts, "A service system with heterogeneous user requirements", 1981.
.. [5] S. Halfin and W. Whitt, "Heavy-traffic limits for queues with many exponential servers", Operations
   Research 29 (1981) 567-588 (square-root staffing).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

_RESCALE = 1e200  # Kaufman-Roberts weights above this are scaled down, long before they overflow


class LossQueue(NamedTuple):
    """Blocking probability, mean number waiting, mean wait of accepted jobs (M/M/c/K)."""

    blocking: float
    mean_waiting: float
    mean_wait: float


class GangLoss(NamedTuple):
    """Blocking probability per class and mean share of the servers in use (Kaufman-Roberts)."""

    blocking: tuple[float, ...]
    occupancy: float


def erlang_b(servers: int, offered: float) -> float:
    """Blocking probability of M/G/c/c (Erlang's loss formula [1]_).

    By the inverse recursion ``I_0 = 1``, ``I_n = 1 + (n / a) I_{n-1}``, ``B = 1 / I_c``: no factorials, no
    cancellation, ``c`` steps.

    Parameters
    ----------
    servers : int
        At least 0.
    offered : float
        Offered load in erlangs, above 0.

    Returns
    -------
    float
        Probability that an arriving job finds all servers busy.

    Examples
    --------
    >>> round(erlang_b(10, 8.0), 10)
    0.1216610643
    """
    _check(servers, offered, fewest=0)
    inverse = 1.0
    for n in range(1, servers + 1):
        inverse = 1.0 + (n / offered) * inverse
    return 1.0 / inverse


def erlang_c(servers: int, offered: float) -> float:
    """Probability that a job waits in M/M/c FCFS (Erlang's delay formula [1]_).

    ``C = B / (1 - rho (1 - B))`` with ``B`` of `erlang_b`; 1 where the queue is not stable (``a >= c``).

    Examples
    --------
    >>> round(erlang_c(8, 6.4), 9)
    0.457644925
    """
    _check(servers, offered, fewest=1)
    if offered >= servers:
        return 1.0
    return _delay(servers, offered, erlang_b(servers, offered))


def wait_exceeds(servers: int, offered: float, threshold: float, mean_service: float = 1.0) -> float:
    """``P(W > t)`` in M/M/c FCFS: ``C exp(-(c - a) t / E[S])`` [2]_; 1 where the queue is not stable.

    Parameters
    ----------
    servers, offered
        As in `erlang_b`; ``servers >= 1``.
    threshold : float
        ``t >= 0``, in the time unit of ``mean_service``.
    mean_service : float
        ``E[S] > 0``.
    """
    if threshold < 0.0 or mean_service <= 0.0:
        raise ValueError(f"need threshold >= 0 and mean_service > 0 (found {threshold}, {mean_service})")
    if offered >= servers:
        return 1.0
    return erlang_c(servers, offered) * math.exp(-(servers - offered) * threshold / mean_service)


def mean_wait(servers: int, offered: float, mean_service: float = 1.0) -> float:
    """``E[W]`` over all jobs in M/M/c FCFS: ``C E[S] / (c - a)`` [2]_; ``inf`` where it is not stable."""
    if offered >= servers:
        return math.inf
    return erlang_c(servers, offered) * mean_service / (servers - offered)


def wait_quantile(servers: int, offered: float, probability: float, mean_service: float = 1.0) -> float:
    """Smallest ``t`` with ``P(W <= t) >= probability`` in M/M/c FCFS: ``ln(C / (1 - p)) E[S] / (c - a)``
    [2]_.

    0 where a job waits with probability ``1 - p`` or less, ``inf`` where the queue is not stable.
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"probability must be within [0, 1) (found {probability})")
    if offered >= servers:
        return math.inf
    excess = math.log(erlang_c(servers, offered) / (1.0 - probability))
    return max(0.0, excess * mean_service / (servers - offered))


def smallest_servers_wait_exceeds(
    offered: float, threshold: float, target: float, mean_service: float = 1.0
) -> int:
    """Smallest stable ``c`` with ``P(W > threshold) <= target`` in M/M/c FCFS (see `wait_exceeds`).

    Raises
    ------
    ValueError
        If ``target`` is not above 0, or another argument is outside its range.

    Examples
    --------
    >>> smallest_servers_wait_exceeds(50.0, 0.1, 0.05)
    60
    """
    if threshold < 0.0 or mean_service <= 0.0:
        raise ValueError(f"need threshold >= 0 and mean_service > 0 (found {threshold}, {mean_service})")
    return _smallest(
        offered, target, lambda c, wait: wait * math.exp(-(c - offered) * threshold / mean_service)
    )


def smallest_servers_mean_wait(offered: float, target: float, mean_service: float = 1.0) -> int:
    """Smallest stable ``c`` with ``E[W] <= target`` in M/M/c FCFS (see `mean_wait`)."""
    return _smallest(offered, target, lambda c, wait: wait * mean_service / (c - offered))


def mean_wait_mg1(arrival_rate: float, mean_service: float, scv_service: float) -> float:
    """``E[W]`` of M/G/1 FCFS, Pollaczek-Khintchine [2]_: ``lambda E[S^2] / (2 (1 - rho))``.

    Parameters
    ----------
    arrival_rate, mean_service : float
        ``rho = arrival_rate x mean_service``; ``inf`` is returned for ``rho >= 1``.
    scv_service : float
        Squared coefficient of variation of the service time, ``E[S^2] = E[S]^2 (1 + scv)``.

    Examples
    --------
    >>> round(mean_wait_mg1(0.8, 1.0, 0.0), 12)
    2.0
    """
    load = arrival_rate * mean_service
    if load >= 1.0:
        return math.inf
    return load * mean_service * (1.0 + scv_service) / (2.0 * (1.0 - load))


def loss_queue(servers: int, places: int, offered: float, mean_service: float = 1.0) -> LossQueue:
    """M/M/c/K: at most ``places`` jobs in the system, waiting or in service [2]_.

    ``p_n`` is proportional to ``a^n / n!`` up to ``c`` and falls by ``a / c`` per job beyond; the wait of
    accepted jobs follows from Little's law, ``Wq = Lq / (lambda (1 - p_K))``.

    Parameters
    ----------
    servers, places : int
        ``1 <= servers <= places``.
    offered, mean_service : float
        As in `mean_wait`; any load, the queue is always stable.
    """
    _check(servers, offered, fewest=1)
    if places < servers:
        raise ValueError(f"places must be at least servers (places={places}, servers={servers})")
    logs = [0.0]
    for n in range(1, places + 1):
        logs.append(logs[-1] + math.log(offered / min(n, servers)))
    top = max(logs)
    weights = [math.exp(value - top) for value in logs]
    total = math.fsum(weights)
    blocking = weights[places] / total
    waiting = math.fsum((n - servers) * weights[n] for n in range(servers + 1, places + 1)) / total
    return LossQueue(blocking, waiting, waiting * mean_service / (offered * (1.0 - blocking)))


def priority_mean_waits(
    servers: int, offered: Sequence[float], mean_service: float = 1.0
) -> tuple[float, ...]:
    """Mean wait per class of a non-preemptive priority M/M/c with one service rate (Cobham [3]_).

    ``E[W_k] = C(c, a) E[S] / (c (1 - s_{k-1}) (1 - s_k))`` with ``s_k`` the load per server of classes 1..k.

    Parameters
    ----------
    servers : int
        At least 1.
    offered : sequence of float
        Offered load per class in erlangs, the most urgent class first.
    mean_service : float
        The same for all classes.

    Returns
    -------
    tuple of float
        Per class; ``inf`` from the first class that is not stable.
    """
    total = math.fsum(offered)
    delay = erlang_c(servers, total)
    waits = []
    before, above = 0.0, 0.0
    for load in offered:
        before, above = above, above + load / servers
        if above >= 1.0:
            waits.append(math.inf)
        else:
            waits.append(delay * mean_service / (servers * (1.0 - before) * (1.0 - above)))
    return tuple(waits)


def gang_loss(servers: int, sizes: Sequence[int], offered: Sequence[float]) -> GangLoss:
    """Blocking of gangs that take ``size`` servers at once or are lost (Kaufman and Roberts [4]_).

    ``n q(n) = sum_k a_k b_k q(n - b_k)``; class k is blocked where fewer than ``b_k`` servers are free. Exact
    for any law of the service time with the given mean. Cost O(servers x classes).

    Parameters
    ----------
    servers : int
        At least 1.
    sizes : sequence of int
        ``b_k >= 1``, servers per gang.
    offered : sequence of float
        ``a_k``, mean number of gangs present if none were lost (erlangs of gangs).
    """
    if servers < 1 or len(sizes) != len(offered) or any(size < 1 for size in sizes):
        raise ValueError(
            f"need servers >= 1 and one size >= 1 per load (servers={servers}, sizes={list(sizes)})"
        )
    weights = [1.0] + [0.0] * servers
    for n in range(1, servers + 1):
        flow = math.fsum(a * b * weights[n - b] for a, b in zip(offered, sizes, strict=True) if b <= n)
        weights[n] = flow / n
        if weights[n] > _RESCALE:
            for m in range(n + 1):
                weights[m] /= _RESCALE
    total = math.fsum(weights)
    blocking = tuple(math.fsum(weights[max(0, servers - b + 1) :]) / total for b in sizes)
    return GangLoss(blocking, math.fsum(n * w for n, w in enumerate(weights)) / total / servers)


def gang_inflation(sizes: Sequence[int], offered: Sequence[float]) -> float:
    """``E[G^2 S] / E[G S]``: by how much gangs inflate the variance of the servers wanted.

    In the infinite-server model the gangs of class k present are Poisson with mean ``a_k``, so the servers in
    use have mean ``sum a_k b_k`` and variance ``sum a_k b_k^2``; this is their ratio (own derivation; 1 if
    all jobs take one server). Arguments as in `gang_loss`.
    """
    mean = math.fsum(a * b for a, b in zip(offered, sizes, strict=True))
    if mean <= 0.0:
        raise ValueError("the offered load must be above 0")
    return math.fsum(a * b * b for a, b in zip(offered, sizes, strict=True)) / mean


def square_root_staffing(offered_servers: float, inflation: float = 1.0, z: float = 1.65) -> float:
    """First guess of a size: ``a + z sqrt(a x inflation)`` (square-root staffing [5]_).

    Halfin and Whitt treat jobs of one server; replacing the variance ``a`` by ``a x gang_inflation`` is ours.
    A guess to start a search from, never an answer.

    Parameters
    ----------
    offered_servers : float
        Offered load counted in servers, ``sum a_k b_k``, at least 0.
    inflation : float
        `gang_inflation`, 1 for jobs of one server.
    z : float
        Safety in standard deviations.
    """
    if offered_servers < 0.0 or inflation < 0.0:
        raise ValueError(f"load and inflation must not be negative (found {offered_servers}, {inflation})")
    return offered_servers + z * math.sqrt(offered_servers * inflation)


def _check(servers: int, offered: float, *, fewest: int) -> None:
    if servers < fewest or not offered > 0.0:
        raise ValueError(f"need servers >= {fewest} and offered > 0 (found {servers}, {offered})")


def _delay(servers: int, offered: float, blocking: float) -> float:
    """Erlang C from Erlang B, for ``offered < servers``."""
    return blocking / (1.0 - (offered / servers) * (1.0 - blocking))


def _smallest(offered: float, target: float, metric: Callable[[int, float], float]) -> int:
    """Smallest stable ``c`` with ``metric(c, C(c, a)) <= target``, one Erlang recursion for all ``c``."""
    if not offered > 0.0 or not target > 0.0:
        raise ValueError(f"need offered > 0 and target > 0 (found {offered}, {target})")
    inverse, servers = 1.0, 0
    while True:
        servers += 1
        inverse = 1.0 + (servers / offered) * inverse
        if servers > offered and metric(servers, _delay(servers, offered, 1.0 / inverse)) <= target:
            return servers
