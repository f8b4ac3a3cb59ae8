"""How much of its GPU time the holder of a lease uses: a share, or a law of shares over the leases.

    50%                              every lease
    {uniform: [20%, 80%]}            anything between is equally likely
    {triangular: [10%, 50%, 90%]}    least, most likely, largest
    {pick: {10%: 30%, 70%: 70%}}     30% of the leases use 10%, the others 70%

All that is asked of a law are the share of leases below a threshold, and the mean use of those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gpusim.scenario.fields import SHARE_SCHEMA_DATA
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.scenario.shares import Shares, read_shares
from gpusim.suggest import did_you_mean
from gpusim.units import format_share, parse_share, show

_FORM = (
    "write a share such as 50%, {uniform: [20%, 80%]}, {triangular: [10%, 50%, 90%]} "
    "or {pick: {10%: 30%, 70%: 70%}}"
)
_KINDS = ("uniform", "triangular", "pick")
Pieces = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class UseLaw:
    """Use factors of leases.

    Attributes
    ----------
    kind : str
        "share", "uniform", "triangular" or "pick".
    shares : tuple of float
        The share, or the ends (and the mode) of the law.
    pick : Shares or None
    """

    kind: str
    shares: tuple[float, ...] = ()
    pick: Shares | None = None

    @property
    def mean(self) -> float:
        """Mean use factor."""
        return self.below(math.inf)[1]

    def below(self, threshold: float) -> tuple[float, float]:
        """(share of the leases that use less than `threshold`, integral of the use over them).

        The second divided by the first is their mean use.
        """
        if self.pick is not None:
            total = math.fsum(self.pick.values())
            under = [(use, share / total) for use, share in self.pick.items() if use < threshold]
            return math.fsum(share for _, share in under), math.fsum(use * share for use, share in under)
        if self.kind == "share":
            (use,) = self.shares
            return (1.0, use) if use < threshold else (0.0, 0.0)
        parts = [_moments(piece, threshold) for piece in self._pieces()]
        return min(1.0, math.fsum(p for p, _ in parts)), math.fsum(m for _, m in parts)

    def _pieces(self) -> Pieces:
        """(from, to, density there, density at the end) of each straight part of the density."""
        if self.kind == "uniform":
            low, high = self.shares
            return ((low, high, 1 / (high - low), 1 / (high - low)),)
        low, mode, high = self.shares
        top = 2 / (high - low)
        parts = ((low, mode, 0.0, top), (mode, high, top, 0.0))
        return tuple(part for part in parts if part[0] < part[1])


def _moments(piece: tuple[float, float, float, float], end: float) -> tuple[float, float]:
    """Integrals of the density, and of x times it, over the part of a piece below `end`."""
    low, high, first, last = piece
    stop = min(end, high)
    if stop <= low:
        return 0.0, 0.0
    slope = (last - first) / (high - low)
    width = stop - low
    mass = first * width + slope * width**2 / 2
    moment = first * width**2 / 2 + slope * width**3 / 3  # of x - low
    return mass, low * mass + moment


def read_use(value: object) -> UseLaw:
    """Read a share in (0, 1], or a law of such shares."""
    if isinstance(value, UseLaw):
        return value
    if not isinstance(value, Mapping):
        return UseLaw("share", (_read_use_share(value),))
    if len(value) != 1:
        raise Mistake("not a use factor and not one law of it", _FORM, show(value))
    kind, given = str(next(iter(value))), next(iter(value.values()))
    if kind not in _KINDS:
        near = did_you_mean(kind, _KINDS)
        remedy = f"did you mean '{near}'? {_FORM}" if near else _FORM
        raise Mistake(f"unknown law '{kind}' of use factors", remedy, "", (kind,), "unknown-key", at_key=True)
    if kind == "pick":
        pick = read_shares(given, _read_use_share, "use factors", "{10%: 30%, 70%: 70%}", ("pick",))
        return UseLaw("pick", pick=pick)
    count = 2 if kind == "uniform" else 3
    if not isinstance(given, (list, tuple)) or len(given) != count:
        raise Mistake(f"{kind} needs {count} shares", _FORM, show(given), (kind,))
    return UseLaw(kind, _read_rising(kind, given))


def _read_rising(kind: str, given: list[Any] | tuple[Any, ...]) -> tuple[float, ...]:
    shares: list[float] = []
    mistakes: list[Mistake] = []
    for index, each in enumerate(given):
        try:
            shares.append(_read_use_share(each, may_be_zero=index == 0))
        except ValueError as error:
            mistakes += [mistake.under((kind, index)) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    if shares != sorted(shares) or shares[0] == shares[-1]:
        found = ", ".join(str(each) for each in given)
        raise Mistake(
            f"the shares of {kind} must rise", f"write them in rising order: {kind}", f"[{found}]", (kind,)
        )
    return tuple(shares)


def _read_use_share(value: object, may_be_zero: bool = False) -> float:
    share = parse_share(value)
    if not (0 < share <= 1 or (may_be_zero and share == 0)):
        what = "a use factor must be above 0 and at most 100%"
        raise Mistake(what, "write for example 50%", show(value))
    return share


def _write_use(law: UseLaw) -> Any:
    if law.pick is not None:
        return {"pick": {format_share(use): format_share(share) for use, share in law.pick.items()}}
    written = [format_share(share) for share in law.shares]
    return written[0] if law.kind == "share" else {law.kind: written}


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        SHARE_SCHEMA_DATA,
        {
            "type": "object",
            "properties": {
                "uniform": {"type": "array", "minItems": 2, "maxItems": 2},
                "triangular": {"type": "array", "minItems": 3, "maxItems": 3},
                "pick": {"type": "object", "minProperties": 1},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    ]
}
UseField = Annotated[UseLaw, PlainValidator(read_use), PlainSerializer(_write_use), WithJsonSchema(_SCHEMA)]
