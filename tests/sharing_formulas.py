"""What queueing theory says about shared centers: preemptive priorities, interrupted work, loss with limits.

Times are in mean service times, or in any unit that rates share.

References
----------
.. [1] D. Gross and C. M. Harris, "Fundamentals of Queueing Theory", 3rd ed., Wiley 1998, section 3.4 (priorities).
.. [2] R. W. Conway, W. L. Maxwell and L. W. Miller, "Theory of Scheduling", Addison-Wesley 1967, section 8-7
   (preemptive repeat and resume); the completion times are D. P. Gaver's, J. Royal Stat. Soc. B 24 (1962) 73-90.
.. [3] J. S. Kaufman, "Blocking in a shared resource environment", IEEE Trans. Communications 29 (1981) 1474-1481:
   the product form holds for every coordinate-convex policy; insensitivity as in K. W. Ross, "Multiservice Loss
   Models for Broadband Telecommunication Networks", Springer 1995, chapters 2 and 4.
.. [4] J. T. Daly, Future Generation Computer Systems 22 (2006) 303-312: expected time of checkpointed work.
.. [5] P. D. Welch, Operations Research 12 (1964) 736-752: a server whose first customer of a busy period is special.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from gpusim.stats import queueing


def preemptive_sojourns(servers: int, loads: Sequence[float]) -> tuple[float, ...]:
    """Mean time in the system by class, the most urgent first, of a preemptive-resume M/M/c with one service rate.

    Nothing below class k delays classes 1..k. With one rate the number of their jobs is that of an M/M/c fed by
    them alone, whoever of them is served. So L_1 + .. + L_k is that queue's L, and T_k = L_k / lambda_k by Little.
    """
    sojourns, below, before = [], 0.0, 0.0
    for load in loads:
        below += load
        number = below * (1.0 + queueing.mean_wait(servers, below))
        sojourns.append((number - before) / load)
        before = number
    return tuple(sojourns)


def preemptive_sojourns_mg1(
    rates: Sequence[float], means: Sequence[float], second_moments: Sequence[float]
) -> tuple[float, ...]:
    """Mean time in the system by class of a preemptive-resume M/G/1 [1]_.

    T_k = E[S_k] / (1 - s_(k-1)) + R_k / ((1 - s_(k-1)) (1 - s_k)), R_k the residual work of classes 1..k.
    """
    sojourns, residual, load = [], 0.0, 0.0
    for rate, mean, second in zip(rates, means, second_moments, strict=True):
        above, load = load, load + rate * mean
        residual += rate * second / 2.0
        sojourns.append(mean / (1.0 - above) + residual / ((1.0 - above) * (1.0 - load)))
    return tuple(sojourns)


class Moments(NamedTuple):
    """Mean and second moment."""

    mean: float
    second: float

    @property
    def variance(self) -> float:
        return self.second - self.mean**2

    def plus(self, other: Moments) -> Moments:
        """Of the sum of two independent variables."""
        mean = self.mean + other.mean
        return Moments(mean, self.variance + other.variance + mean**2)


ZERO = Moments(0.0, 0.0)


def fixed(value: float) -> Moments:
    return Moments(value, value**2)


def exponential(mean: float) -> Moments:
    return Moments(mean, 2.0 * mean**2)


def busy_period(rate: float, service: Moments, first: Moments | None = None) -> Moments:
    """Of M/G/1 with a first service of its own: each arrival during it starts a busy period of its kind."""
    idle = 1.0 - rate * service.mean
    start = first or service
    second = start.second / idle**2 + start.mean * rate * service.second / idle**3
    return Moments(start.mean / idle, second)


def _attempt(rate: float, length: float) -> tuple[float, Moments]:
    """Chance that `length` passes without an interruption, and the time to one that comes before."""
    survives = math.exp(-rate * length)
    if length == 0.0:
        return 1.0, ZERO
    odds = survives / (1.0 - survives)
    mean = 1.0 / rate - length * odds
    return survives, Moments(mean, 2.0 / rate**2 - (length**2 + 2.0 * length / rate) * odds)


def repeated(rate: float, length: float, away: Moments) -> Moments:
    """Time until `length` has passed in one piece: each interruption takes `away` and begins it anew [2]_."""
    survives, until = _attempt(rate, length)
    once = until.plus(away)
    times = (1.0 - survives) / survives
    mean = length + times * once.mean
    variance = times * once.variance + times / survives * once.mean**2
    return Moments(mean, variance + mean**2)


def completion(
    rate: float, away: Moments, work: float, checkpoint: float, cost: float, restart: float
) -> tuple[Moments, float]:
    """Time from first start to end of interrupted work, and interruptions of it.

    Work of fixed length, saved each `checkpoint` of it at a `cost`, none at the end [4]_. What an interruption
    destroys is repeated, after `restart`. Pieces between checkpoints are independent.
    """
    pieces = max(1, math.ceil(work / checkpoint - 1e-12))
    total, interruptions = ZERO, 0.0
    for piece in range(pieces):
        last = piece == pieces - 1
        length = work - (pieces - 1) * checkpoint if last else checkpoint + cost
        survives, until = _attempt(rate, length)
        anew = until.plus(away).plus(repeated(rate, length + restart, away))
        mean = survives * length + (1.0 - survives) * anew.mean
        second = survives * length**2 + (1.0 - survives) * anew.second
        total = total.plus(Moments(mean, second))
        interruptions += (1.0 - survives) * math.exp(rate * (length + restart))
    return total, interruptions


def saved_completion(
    rate: float, away: Moments, work: Moments, restart: float
) -> tuple[Moments, float, float]:
    """As `completion`, where each interruption saves all: also the time on the server."""
    each = away.plus(repeated(rate, restart, away))
    stretch = 1.0 + rate * each.mean
    total = Moments(work.mean * stretch, work.second * stretch**2 + work.mean * rate * each.second)
    again = (math.exp(rate * restart) - 1.0) / rate  # on the server until `restart` has passed in one piece
    return total, rate * work.mean * math.exp(rate * restart), work.mean * (1.0 + rate * again)


def low_sojourn(rate: float, done: Moments, high_rate: float, busy: Moments) -> float:
    """Mean time in the system of the lower class of two, of completion time `done` (server 1, [2]_).

    An M/G/1 of completion times, whose idle server is away for `busy` at rate `high_rate`: the wait is that of M/G/1
    plus the residual of `busy` seen by arrivals to a queue of their own kind that is empty.
    """
    queueing_behind_own = rate * done.second / (2.0 * (1.0 - rate * done.mean))
    away = high_rate * busy.second / (2.0 * (1.0 + high_rate * busy.mean))
    return done.mean + queueing_behind_own + away


def set_up_sojourn(rate: float, service: Moments, chance: float, delay: float) -> float:
    """Mean time in M/G/1 where a busy period begins with a delay of this chance (Welch [5]_)."""
    mean, second = chance * delay, chance * delay**2
    behind = rate * service.second / (2.0 * (1.0 - rate * service.mean))
    return service.mean + behind + (2.0 * mean + rate * second) / (2.0 * (1.0 + rate * mean))


# ---- loss -----------------------------------------------------------------------------------------------------------

State = tuple[int, ...]


def box(most: Sequence[int]) -> list[State]:
    """Every state with at most so many jobs of each class."""
    return list(product(*(range(n + 1) for n in most)))


def truncated_blocking(
    states: Sequence[State], loads: Sequence[float], admits: Callable[[State, int], bool]
) -> tuple[float, ...]:
    """Blocking by class where the stationary distribution is the truncated product of Poisson ones [3]_.

    That is so where `states` is coordinate convex: with each state it holds all that are smaller, and a job is
    admitted exactly if the state with it is one of them. Both are checked here, state by state.
    """
    inside = set(states)
    blocked, total = np.zeros(len(loads)), 0.0
    for state in states:
        weight = math.prod(a**n / math.factorial(n) for a, n in zip(loads, state, strict=True))
        total += weight
        for k in range(len(loads)):
            more = (*state[:k], state[k] + 1, *state[k + 1 :])
            fewer = (*state[:k], state[k] - 1, *state[k + 1 :])
            assert state[k] == 0 or fewer in inside, f"{fewer} is left out, {state} is not"
            admitted = admits(state, k)
            assert admitted == (more in inside), f"class {k} in {state}: admitted {admitted}"
            blocked[k] += 0.0 if admitted else weight
    return tuple((blocked / total).tolist())


def stationary(
    states: Sequence[Hashable], moves: Callable[[Hashable], Sequence[tuple[Hashable, float]]]
) -> dict[Hashable, float]:
    """Stationary distribution of a Markov chain: to which states, at what rates."""
    at = {state: i for i, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for state in states:
        for target, rate in moves(state):
            rates[at[state], at[target]] += rate
            rates[at[state], at[state]] -= rate
    balance = np.vstack([rates.T, np.ones(len(states))])
    chances = np.linalg.lstsq(balance, np.array([0.0] * len(states) + [1.0]), rcond=None)[0]
    return dict(zip(states, chances.tolist(), strict=True))
