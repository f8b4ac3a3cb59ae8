"""Several values with their shares of the jobs, as a file writes them: `{20: 50%, 40: 50%}`.

The keys are data, so each wrong one is reported by itself. `Shares` is the read-only mapping they become.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.units import format_share, parse_share, show

SUM_TOLERANCE = 1e-6
"""How far the shares may be from 100 % in sum, for thirds written as 33.3333%."""


class Shares(Mapping[float, float]):
    """Read-only mapping from a value to its share, ascending by value.

    Examples
    --------
    >>> Shares({40.0: 0.5, 20.0: 0.5}).mean
    30.0
    """

    __slots__ = ("_pairs",)

    def __init__(self, shares: Mapping[float, float]) -> None:
        self._pairs = tuple(sorted(shares.items()))

    def __getitem__(self, value: float) -> float:
        return dict(self._pairs)[value]

    def __iter__(self) -> Iterator[float]:
        return (value for value, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Shares({dict(self._pairs)!r})"

    @property
    def mean(self) -> float:
        """Mean value."""
        return math.fsum(value * share for value, share in self._pairs) / math.fsum(
            share for _, share in self._pairs
        )


def read_shares(
    value: object, read_key: Callable[[object], float], thing: str, example: str, path: tuple[str, ...] = ()
) -> Shares:
    """Read `{value: share, ...}`.

    Parameters
    ----------
    value : object
        A mapping from a value to its share.
    read_key : callable
        Reads one value.
    thing : str
        What the values are, plural: 'batch sizes'.
    example : str
        What to write, for messages.
    path : tuple of str
        Where the mapping stands inside the value that is validated.

    Raises
    ------
    Mistake, Mistakes
        If a value cannot be read or stands twice, a share is outside (0, 1], or their sum is not 100 %.
    """
    if isinstance(value, Shares):
        return value
    if not isinstance(value, Mapping) or not value:
        raise Mistake(f"no {thing}", f"write {example}", show(value), path)
    shares: dict[float, float] = {}
    mistakes: list[Mistake] = []
    for key, given in value.items():
        here = (*path, str(key))
        try:
            number = read_key(key)
        except ValueError as error:
            mistakes += [
                Mistake(each.what, each.remedy, each.found, here, each.code, at_key=True)
                for each in mistakes_of(error)
            ]
            continue
        try:
            share = read_one_share(given)
        except ValueError as error:
            mistakes += [mistake.under(here) for mistake in mistakes_of(error)]
            continue
        if number in shares:
            mistakes.append(
                Mistake(f"{key} stands here twice", "add the two shares up", path=here, at_key=True)
            )
        shares[number] = share
    raise_all(mistakes)
    check_sum(list(shares.values()), thing, path)
    return Shares(shares)


def read_one_share(value: object) -> float:
    """Read a share of the jobs, above 0 and at most 1."""
    share = parse_share(value)
    if not 0 < share <= 1:
        raise Mistake("a share must be above 0 and at most 100%", "write for example 25%", show(value))
    return share


def check_sum(shares: list[float], thing: str, path: tuple[str, ...] = ()) -> None:
    """Raise `Mistake` unless the shares sum to 1."""
    total = math.fsum(shares)
    if abs(total - 1) > SUM_TOLERANCE:
        raise Mistake(
            f"the shares of the {thing} must sum to 100%",
            f"{'add' if total < 1 else 'take away'} {format_share(abs(1 - total), digits=6)}",
            f"their sum is {format_share(total, digits=8)}",
            path,
        )
