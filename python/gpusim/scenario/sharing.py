"""How a file says who shares the center and how: quotas, cohorts, preemption, in Kueue's sense.

A *cohort* is a group of tenants that lend each other what they do not use. Tenants, and cohorts inside cohorts, have a
quota, and bounds on what they borrow and lend. What the whole must satisfy is in checks_sharing.py and
checks_quotas.py, the arithmetic of quotas in quotas.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema

from gpusim.scenario.amounts import AmountsField, QuotaField
from gpusim.scenario.fairness import Weight
from gpusim.scenario.fields import (
    Duration,
    Name,
    OptionalGpus,
    OptionalRunning,
    OptionalUsers,
    OptionalWaiting,
    choice,
    read_optional,
)
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.group_names import GroupName, OptionalGroupName
from gpusim.scenario.mistakes import Mistake
from gpusim.units import UnitError, parse_count, show

Within = Annotated[
    Literal["never", "lower", "lower_or_newer"], BeforeValidator(choice("never", "lower", "lower_or_newer"))
]
Reclaim = Annotated[Literal["never", "lower", "any"], BeforeValidator(choice("never", "lower", "any"))]
Requeue = Annotated[Literal["place", "tail", "cancel"], BeforeValidator(choice("place", "tail", "cancel"))]
Queueing = Annotated[Literal["skip", "strict"], BeforeValidator(choice("skip", "strict"))]
OptionalBorrowers = Annotated[
    Literal["last", "in_order"] | None, BeforeValidator(read_optional(choice("last", "in_order")))
]


def _read_threshold(value: object) -> int | str:
    if isinstance(value, str) and value in ("never", "lower"):
        return value
    try:
        priority = parse_count(value)
    except UnitError:
        remedy = "write never, lower, or the highest priority of victims, such as 10"
        raise Mistake("not a priority", remedy, show(value)) from None
    if not -(2**31) <= priority < 2**31:
        raise Mistake("a priority this large", "write a small whole number such as 10", show(value))
    return priority


Threshold = Annotated[
    int | Literal["never", "lower"],
    BeforeValidator(_read_threshold),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"enum": ["never", "lower"]}]}),
]


class Preempts(Frozen):
    """Whose running jobs a tenant's waiting jobs may evict; only jobs of preemptible classes are evicted."""

    within: Within = Field(
        "never",
        description="of the tenant itself: never; lower = jobs of lower priority; lower_or_newer = also jobs of the "
        "same priority submitted later",
    )
    reclaim: Reclaim = Field(
        "never",
        description="of tenants of the cohort that use more than their quota, for a job that is then within its own "
        "tenant's quota, or within that of an inner cohort in which they are not: never; lower = jobs of lower "
        "priority; any",
    )
    while_borrowing: Threshold = Field(
        "never",
        description="the same for a job that borrows itself: never; lower = jobs of lower priority; a number = of "
        "lower priority, and at most this one; needs reclaim",
        examples=[10],
    )


class Preemptible(Frozen):
    """How jobs of a class are evicted."""

    exempt: Duration = Field(
        0.0,
        description="not before it has run so long since its last start",
        json_schema_extra={"unit": "s"},
        examples=["2h"],
    )
    grace: Duration = Field(
        0.0,
        description="what takes its GPUs begins to work so much later; a grace of at least checkpoint_cost saves all "
        "work of a class with checkpoints",
        json_schema_extra={"unit": "s"},
        examples=["60s"],
    )
    requeue: Requeue = Field(
        "place",
        description="an evicted job waits again at its old place, at the tail, or is cancelled",
    )


def _read_preemptible(value: object) -> object:
    """`true` is every default, `false` is no."""
    if value is True:
        return {}
    return None if value is False else value


class _OrSwitch:
    """Lets the schema know that true and false may stand for the mapping."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        schema = handler(core)
        return {"anyOf": [{"type": "boolean"}, *schema.get("anyOf", [schema])]}


def _write_preemptible(value: Preemptible | None) -> Any:
    return None if value is None else value.model_dump(mode="json")


PreemptibleField = Annotated[
    Preemptible | None,
    BeforeValidator(_read_preemptible),
    PlainSerializer(_write_preemptible, when_used="json"),
    _OrSwitch(),
]


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


PreemptsField = Annotated[Preempts, BeforeValidator(_nothing_is_empty)]

_UNIT: dict[str, Any] = {"unit": "GPUs or share of the pool"}


class Cohort(Frozen):
    """Tenants, and other cohorts, that lend each other what they do not use."""

    name: GroupName = Field(description="name of the cohort, unique in the file", examples=["research"])
    cohort: OptionalGroupName = Field(
        None, description="the cohort it belongs to, where it borrows and lends in turn", examples=["all"]
    )
    quota: AmountsField = Field(
        None,
        description="GPUs of its own, beside those of its members (default: 0)",
        json_schema_extra=_UNIT,
        examples=["5%"],
    )
    borrow: AmountsField = Field(
        None,
        description="GPUs it borrows at most from the cohort it belongs to (default: no limit)",
        json_schema_extra=_UNIT,
        examples=["10%"],
    )
    lend: AmountsField = Field(
        None,
        description="GPUs it lends there at most (default: all)",
        json_schema_extra=_UNIT,
        examples=["50%"],
    )


class TenantTerms(Frozen):
    """What is agreed with a tenant; its job classes come with `Tenant`."""

    name: Name = Field(description="name of the tenant, unique in the file", examples=["university"])
    max_waiting: OptionalWaiting = Field(
        None,
        description="most jobs of this tenant that may wait; further ones are refused (default: no limit)",
        json_schema_extra={"unit": "jobs"},
        examples=[1000],
    )
    max_running: OptionalRunning = Field(
        None,
        description="most jobs of this tenant that run at once; urgent ones start all the same (default: no limit)",
        json_schema_extra={"unit": "jobs"},
        examples=[40],
    )
    max_gpus: OptionalGpus = Field(
        None,
        description="most GPUs this tenant uses at once, over all pools; larger jobs are rejected, urgent ones not "
        "(default: no limit)",
        json_schema_extra={"unit": "GPUs"},
        examples=[500],
    )
    users: OptionalUsers = Field(
        None,
        description="people of this tenant; each job is one's, all alike (default: nobody asks)",
        json_schema_extra={"unit": "people"},
        examples=[200],
    )
    user_max_gpus: OptionalGpus = Field(
        None,
        description="most GPUs each of them uses at once; larger jobs are rejected, urgent ones not (default: no "
        "limit)",
        json_schema_extra={"unit": "GPUs"},
        examples=[64],
    )
    user_max_jobs: OptionalRunning = Field(
        None,
        description="most jobs of each of them that run at once (default: no limit)",
        json_schema_extra={"unit": "jobs"},
        examples=[10],
    )
    weight: Weight = Field(
        1.0,
        description="its share in fair-share orders, as the ratio of weights; 0 = last",
        json_schema_extra={"unit": "1"},
    )
    account: OptionalGroupName = Field(
        None,
        description="the account it belongs to, in the orders fair_tree and multifactor (default: none)",
        examples=["public"],
    )
    cohort: OptionalGroupName = Field(
        None,
        description="the cohort the tenant borrows from and lends to (default: none, it uses its quota only)",
        examples=["all"],
    )
    quota: QuotaField = Field(
        None,
        description="GPUs the tenant owns: GPUs, a share of every pool, {POOL: GPUs or share} (pools not named: 0), or "
        "rest = what all others leave (default: no quota; in a cohort 0)",
        json_schema_extra=_UNIT,
        examples=["25%", "{b200: 2040, h200: 10%}", "rest"],
    )
    borrow: AmountsField = Field(
        None,
        description="GPUs it borrows at most beyond its quota (default: no limit)",
        json_schema_extra=_UNIT,
        examples=["20%"],
    )
    lend: AmountsField = Field(
        None,
        description="GPUs of its quota that it lends at most (default: all)",
        json_schema_extra=_UNIT,
        examples=["50%"],
    )
    queueing: Queueing = Field(
        "skip",
        description="a job blocked by quota: skip = lets the tenant's later jobs pass; strict = stops them, and "
        "none of them goes before an earlier one that borrows",
    )
    preempts: PreemptsField = Field(
        Preempts(),
        description="whose running jobs its waiting jobs evict",
        examples=["{within: lower, reclaim: any}"],
    )
