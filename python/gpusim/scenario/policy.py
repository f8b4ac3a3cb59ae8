"""`Policy`: how the scheduler chooses among waiting jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gpusim.scenario.fairness import FairnessTerms, Order
from gpusim.scenario.fields import (
    Backfill,
    OptionalPositiveDuration,
    OptionalTests,
    OptionalWaiting,
    Switch,
    choice,
)
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.sharing import OptionalBorrowers

CONTRACTS = ("quotas", "shared", "partitioned")
"""What becomes of the tenants' quotas."""
Contract = Annotated[Literal["quotas", "shared", "partitioned"], BeforeValidator(choice(*CONTRACTS))]


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


class Policy(Frozen):
    """How the scheduler chooses among waiting jobs."""

    order: Order = Field(
        "fifo",
        description="order inside a priority tier: fifo = first come, first served; sjf = shortest request first; "
        "fairshare = who has used least for its weight; fair_tree = the same by accounts; multifactor = by weights; "
        "weighted_share = who borrows least for its weight",
    )
    fairness: Annotated[FairnessTerms, BeforeValidator(_nothing_is_empty)] = Field(
        FairnessTerms(),
        description="what the orders fairshare, fair_tree and multifactor remember and weigh",
        examples=["{half_life: 7d, calc_period: 5min}"],
    )
    contract: Contract = Field(
        "quotas",
        description="what becomes of quotas: quotas = as the tenants say; shared = nobody owns anything, one queue for "
        "all; partitioned = each tenant has its quota and nobody borrows",
    )
    tiers: Switch = Field(
        True, description="true: jobs of a larger priority go first; false: priorities are ignored"
    )
    backfill: Backfill = Field(
        1,
        description="who may overtake a blocked job: none = nobody; K = jobs that delay none of the first K "
        "blocked ones (1 is EASY); all = jobs that delay nobody before them; skip = whoever fits",
        json_schema_extra={"unit": "reservations"},
    )
    window: OptionalPositiveDuration = Field(
        None,
        description="a blocked job whose start lies further away gets no reservation (default: no such bound)",
        json_schema_extra={"unit": "s"},
        examples=["1d"],
    )
    max_tests: OptionalTests = Field(
        None,
        description="each pass of the scheduler looks at so many waiting jobs from the front (default: all)",
        json_schema_extra={"unit": "jobs"},
        examples=[500],
    )
    period: OptionalPositiveDuration = Field(
        None,
        description="the scheduler starts jobs only at multiples of this time (default: at every change)",
        json_schema_extra={"unit": "s"},
        examples=["60s"],
    )
    borrowers: OptionalBorrowers = Field(
        None,
        description="with quotas: last = a pass takes the jobs within their tenants' quotas first, then those that "
        "borrow; in_order = all in the order of the queue (default: last; in_order with weighted_share)",
        examples=["in_order"],
    )
    max_waiting: OptionalWaiting = Field(
        None,
        description="most jobs that may wait in the center; further ones are refused (default: no limit)",
        json_schema_extra={"unit": "jobs"},
    )

    @property
    def borrowers_last(self) -> bool:
        """Whether a pass takes the jobs within their tenants' quotas first."""
        return self.order != "weighted_share" if self.borrowers is None else self.borrowers == "last"
