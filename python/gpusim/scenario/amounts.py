"""Amounts of a quota: GPUs, a share of the pool, or the rest of it; the same in every pool, or one for each.

`quota: 25%` is a quarter of every pool, `quota: 2040` GPUs of the only pool, `quota: {b200: 2040, h200: 10%}` says it
pool by pool. A bare number is always GPUs, so that nobody's 1 becomes 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gpusim.scenario.fields import LARGEST_GPUS
from gpusim.scenario.mistakes import Mistake, Path, mistakes_of, raise_all
from gpusim.units import UnitError, format_share, parse_count, parse_share, show

REST = "rest"
MILLION = 1_000_000
_FORM = "write GPUs, such as 2040, or a share of the pool, such as 25%"


@dataclass(frozen=True)
class Amount:
    """GPUs of one pool.

    Attributes
    ----------
    gpus : int
        A number of GPUs; 0 where it is a share or the rest.
    share : float or None
        A fraction of the pool.
    rest : bool
        What all others leave.
    """

    gpus: int = 0
    share: float | None = None
    rest: bool = False

    @property
    def ppm(self) -> int | None:
        """The share in millionths, as the engine counts it; None if it is no share."""
        return None if self.share is None else round(self.share * MILLION)

    @property
    def is_zero(self) -> bool:
        """Whether it is nothing, however large the pool."""
        return not self.gpus and not self.ppm and not self.rest

    def __str__(self) -> str:
        return (
            REST if self.rest else f"{self.gpus:,} GPUs" if self.share is None else format_share(self.share)
        )


@dataclass(frozen=True)
class Amounts:
    """An amount of every pool, or of each its own.

    Attributes
    ----------
    everywhere : Amount or None
        The same in every pool.
    pools : tuple of (str, Amount)
        By name of the pool, where they differ.
    """

    everywhere: Amount | None = None
    pools: tuple[tuple[str, Amount], ...] = ()

    def of(self, pool: str) -> Amount | None:
        """The amount of one pool; None where only others are named."""
        return self.everywhere if self.everywhere is not None else dict(self.pools).get(pool)

    @property
    def rest(self) -> bool:
        """Whether it is what all others leave."""
        return self.everywhere is not None and self.everywhere.rest

    @property
    def is_zero(self) -> bool:
        """Whether it is nothing in every pool."""
        return all(amount.is_zero for _, amount in self.parts())

    def parts(self) -> list[tuple[Path, Amount]]:
        """Each amount that the file writes, with its path below the key."""
        if self.everywhere is not None:
            return [((), self.everywhere)]
        return [((name,), amount) for name, amount in self.pools]

    def __str__(self) -> str:
        if self.everywhere is not None:
            return str(self.everywhere)
        return ", ".join(f"{name} {amount}" for name, amount in self.pools)


def read_amounts(value: object, with_rest: bool = False) -> Amounts:
    """Read `25%`, `2040`, `rest` or `{b200: 2040, h200: 10%}`.

    Raises
    ------
    Mistake, Mistakes
        If something in it is no amount, or `rest` where nothing can be left over.
    """
    if isinstance(value, Amounts):
        return value
    if not isinstance(value, Mapping):
        return Amounts(_amount(value, with_rest))
    if not value:
        raise Mistake("no pool", f"{_FORM}, or name pools: {{b200: 2040, h200: 10%}}", show({}))
    found: list[tuple[str, Amount]] = []
    mistakes: list[Mistake] = []
    for name, given in value.items():
        try:
            found.append((str(name), _amount(given, False)))
        except ValueError as error:
            mistakes += [mistake.under((str(name),)) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    return Amounts(pools=tuple(found))


def _amount(value: object, with_rest: bool) -> Amount:
    if isinstance(value, str) and value.strip() == REST:
        if with_rest:
            return Amount(rest=True)
        raise Mistake(
            "'rest' has no meaning here", f"{_FORM}; only a tenant's whole quota can be the rest", REST
        )
    if isinstance(value, str) and value.strip().endswith("%"):
        share = parse_share(value)
        if not 0 <= share <= 1:
            raise Mistake("a share of a pool must be 0% to 100%", "write for example 25%", show(value))
        return Amount(share=share)
    if isinstance(value, float) and not isinstance(value, bool) and 0 < value < 1:
        raise Mistake("part of a GPU", f"write {format_share(value)} for a share of the pool", show(value))
    try:
        gpus = parse_count(value)
    except UnitError:
        raise Mistake("neither GPUs nor a share", _FORM, show(value)) from None
    if not 0 <= gpus <= LARGEST_GPUS:
        bound = "at least 0" if gpus < 0 else f"at most {LARGEST_GPUS:,}"
        raise Mistake(f"a number of GPUs must be {bound}", _FORM, show(value))
    return Amount(gpus)


def _write_one(amount: Amount) -> int | str:
    if amount.rest:
        return REST
    return amount.gpus if amount.share is None else format_share(amount.share)


def _write(amounts: Amounts | None) -> Any:
    if amounts is None:
        return None
    if amounts.everywhere is not None:
        return _write_one(amounts.everywhere)
    return {name: _write_one(amount) for name, amount in amounts.pools}


def _optional(with_rest: bool) -> Callable[[object], Amounts | None]:
    return lambda value: None if value is None else read_amounts(value, with_rest)


_ONE: dict[str, Any] = {"type": ["integer", "string"]}
_SCHEMA = WithJsonSchema(
    {"anyOf": [_ONE, {"type": "object", "additionalProperties": _ONE, "minProperties": 1}, {"type": "null"}]}
)

AmountsField = Annotated[Amounts | None, PlainValidator(_optional(False)), PlainSerializer(_write), _SCHEMA]
QuotaField = Annotated[Amounts | None, PlainValidator(_optional(True)), PlainSerializer(_write), _SCHEMA]
