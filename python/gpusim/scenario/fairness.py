"""How a file says who goes first inside a priority tier: fair-share orders, weights, accounts. Words are Slurm's.

What a tenant has used lately, less and less the longer ago, divided by its `weight`, is its place in the order
`fairshare`; with `fair_tree` accounts are compared first, then the tenants in them. `multifactor` adds age, fair share,
size and quality of service, each times a weight. `weighted_share` is Kueue's: who borrows least beyond its quota, for
its weight, is admitted next. The rules are S30-S33 of ARCHITECTURE.md; the checks are in checks_fairness.py.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from gpusim.scenario.fields import PositiveDuration, choice, read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.group_names import GroupName, OptionalGroupName
from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean
from gpusim.units import format_duration, parse_number, parse_share, show

ORDERS = ("fifo", "sjf", "fairshare", "fair_tree", "multifactor", "weighted_share")
"""Orders inside a priority tier, as the file names them."""
FAIR_ORDERS = ORDERS[2:]
"""Those in which tenants have weights."""
USAGE_ORDERS = ("fairshare", "fair_tree", "multifactor")
"""Those that remember what tenants have used."""
ACCOUNT_ORDERS = ("fair_tree", "multifactor")
"""Those that compare accounts."""
LARGEST_WEIGHT = 1_000_000.0
WEIGHT_ONE = 1 << 20
"""The largest whole number that weights become, where they are not whole multiples of one number."""

Order = Annotated[
    Literal["fifo", "sjf", "fairshare", "fair_tree", "multifactor", "weighted_share"],
    BeforeValidator(choice(*ORDERS)),
]

Usage = Annotated[Literal["all", "over_quota"], BeforeValidator(choice("all", "over_quota"))]


def _read_weight(value: object) -> float:
    weight = parse_number(value)
    if weight < 0:
        raise Mistake("a weight cannot be negative", "write 0 or more; 1 is the usual weight", show(value))
    if weight > LARGEST_WEIGHT:
        remedy = f"write at most {LARGEST_WEIGHT:,.0f}: only their ratios count"
        raise Mistake(f"a weight above {LARGEST_WEIGHT:,.0f}", remedy, show(value))
    return weight


def _read_qos(value: object) -> float:
    qos = (
        parse_share(value) if isinstance(value, str) and value.strip().endswith("%") else parse_number(value)
    )
    if not 0 <= qos <= 1:
        what = "the quality of service must lie between 0 and 1"
        raise Mistake(what, "write for example 0.5; 1 goes first", show(value))
    return qos


def _read_half_life(value: object) -> float | str:
    if value == "never":
        return "never"
    if isinstance(value, str) and value.isalpha():
        near = did_you_mean(value, ("never",))
        remedy = "did you mean 'never'?" if near else "write a duration such as 7d, or never"
        raise Mistake("not a half-life", remedy, show(value))
    return read_positive_duration(value)


def _as_plain(weight: float) -> float | int:
    return int(weight) if weight == int(weight) else weight


_NUMBER: dict[str, Any] = {"type": ["number", "string"]}
_WRITE = PlainSerializer(_as_plain, when_used="json")
Weight = Annotated[float, BeforeValidator(_read_weight), _WRITE, WithJsonSchema(_NUMBER)]
Qos = Annotated[float, BeforeValidator(_read_qos), _WRITE, WithJsonSchema(_NUMBER)]
HalfLife = Annotated[
    float | Literal["never"],
    BeforeValidator(_read_half_life),
    PlainSerializer(lambda v: v if isinstance(v, str) else format_duration(v), when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["7d", "never"]}),
]


class FactorWeights(Frozen):
    """What counts in the order `multifactor`, and how much; each factor lies between 0 and 1."""

    age: Weight = Field(0.0, description="of the time that the job waits, 1 from max_age on")
    fairshare: Weight = Field(
        0.0, description="of the tenant's place in fair_tree: 1 for the tenant that goes first"
    )
    size: Weight = Field(0.0, description="of the GPUs of the job, as a share of the center")
    qos: Weight = Field(0.0, description="of the class's qos")

    @property
    def numbers(self) -> list[float]:
        """The four, in the order of the file's keys."""
        return [self.age, self.fairshare, self.size, self.qos]


class FairnessTerms(Frozen):
    """What fair-share orders remember, and how often they look."""

    half_life: HalfLife = Field(
        7 * 86_400.0,
        description="what a tenant has used counts half after this time; never = nothing is forgotten",
        json_schema_extra={"unit": "s"},
        examples=["7d"],
    )
    calc_period: PositiveDuration = Field(
        300.0,
        description="places are computed at multiples of this time and hold in between",
        json_schema_extra={"unit": "s"},
        examples=["5min"],
    )
    usage: Usage = Field(
        "all",
        description="what a tenant has used: all = all of it; over_quota = only what is beyond its quota (where it has "
        "none, all)",
        examples=["over_quota"],
    )
    weights: FactorWeights = Field(
        FactorWeights(),
        description="with order: multifactor, what counts how much; only ratios matter",
        examples=["{age: 1, fairshare: 4, qos: 2, size: 0.2}"],
    )
    max_age: PositiveDuration = Field(
        7 * 86_400.0,
        description="with order: multifactor, a job that waits so long has the full age",
        json_schema_extra={"unit": "s"},
        examples=["7d"],
    )


class Account(Frozen):
    """Tenants, and other accounts, that share one weight against those beside them."""

    name: GroupName = Field(description="name of the account, unique in the file", examples=["public"])
    account: OptionalGroupName = Field(
        None, description="the account it belongs to (default: none, it stands at the top)", examples=["all"]
    )
    weight: Weight = Field(
        1.0,
        description="its share against its siblings, as the ratio of weights; 0 = last",
        json_schema_extra={"unit": "1"},
    )


def whole_weights(weights: list[float]) -> list[int]:
    """Weights as whole numbers of the same ratios.

    Exact where all are whole multiples of one number and the largest is at most 2^20 times it, as plain decimals such
    as 0.2 and 4 are; else the largest becomes 2^20 and each is rounded to the nearest. A weight above 0 stays above 0.

    Examples
    --------
    >>> whole_weights([1.0, 4.0, 0.2, 2.0])
    [5, 20, 1, 10]
    """
    exact = [Fraction(str(weight)) for weight in weights]
    largest = max(exact, default=Fraction(0))
    if largest == 0:
        return [0] * len(exact)
    scale = Fraction(1)
    for each in exact:
        scale = scale * (each * scale).denominator
    if largest * scale > WEIGHT_ONE:
        scale = WEIGHT_ONE / largest
    return [max(round(each * scale), 1 if each else 0) for each in exact]


def account_parents(names: list[str], accounts: list[str | None]) -> list[int]:
    """Position of the account that each of some members belongs to, among `names`; -1 for none."""
    return [-1 if name is None else names.index(name) for name in accounts]
