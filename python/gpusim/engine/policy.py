"""How waiting jobs are scheduled, as the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpusim.engine.checked import column, flag, integer
from gpusim.engine.limits import FOREVER

FIFO, SJF, FAIRSHARE, FAIR_TREE, MULTIFACTOR, WEIGHTED_SHARE = range(6)
"""Order inside a tier: by eligible time, or by limit first (S10); by what tenants have used (S30, S31), or by that
and more (S32); by what they would borrow (S33)."""

NONE, SKIP, ALL = 0, -1, -2
"""Backfill policies that are not a number of reservations (R14); K >= 1 is K reservations, 1 is EASY."""


@dataclass(frozen=True)
class Policy:
    """How waiting jobs are scheduled.

    Parameters
    ----------
    backfill : int, default NONE
        NONE, SKIP, ALL, or K >= 1 reservations (R14).
    kill_at_limit : bool, default True
        A run lasts min(service, limit) (R7); False: recorded run times stand and requests only decide
        reservations (R8).
    max_waiting : int, default -1
        Waiting jobs the center holds before it refuses newcomers (R4); -1: no bound.
    tenant_max_waiting : tuple of int, default ()
        The same per tenant; () means no bound for anybody.
    always_profile : bool, default False
        Compute EASY through the general profile. Same integers, slower: the proof of the fast path.
    always_events : bool, default False
        Serve first come, first served by the loop over events too. Same integers, slower: likewise.
    order : {FIFO, SJF, FAIRSHARE, FAIR_TREE, MULTIFACTOR, WEIGHTED_SHARE}
        Inside a tier (S10, S30-S33); the last four need `RunSpec.fairness` and `RunSpec.sharing`.
    window : int, default -1
        Reservations further ahead than this are not given [ticks] (R15); -1: no bound.
    max_tests : int, default -1
        Waiting jobs that a pass looks at (S7); -1: all.
    period : int, default 1
        Passes come at multiples of it only [ticks] (S9); 1: at every change.

    Raises
    ------
    RunError
        If a value is not of its type and range.
    """

    backfill: int = NONE
    kill_at_limit: bool = True
    max_waiting: int = -1
    tenant_max_waiting: tuple[int, ...] = ()
    always_profile: bool = False
    order: int = FIFO
    window: int = -1
    max_tests: int = -1
    period: int = 1
    always_events: bool = False

    def __post_init__(self) -> None:
        most = np.iinfo(np.int64).max
        bounds = column("policy.tenant_max_waiting", self.tenant_max_waiting, np.int64, -1)
        checked = {
            "backfill": integer("policy.backfill", self.backfill, ALL, np.iinfo(np.int32).max),
            "kill_at_limit": flag("policy.kill_at_limit", self.kill_at_limit),
            "max_waiting": integer("policy.max_waiting", self.max_waiting, -1, most),
            "tenant_max_waiting": tuple(bounds.tolist()),
            "always_profile": flag("policy.always_profile", self.always_profile),
            "order": integer("policy.order", self.order, FIFO, WEIGHTED_SHARE),
            "window": integer("policy.window", self.window, -1, FOREVER),
            "max_tests": integer("policy.max_tests", self.max_tests, -1, most),
            "period": integer("policy.period", self.period, 1, FOREVER),
            "always_events": flag("policy.always_events", self.always_events),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def arrays(self, tenants: int) -> dict[str, Any]:
        """Scalars and columns of the native call."""
        return {
            "order": self.order,
            "backfill": self.backfill,
            "kill_at_limit": self.kill_at_limit,
            "always_profile": self.always_profile,
            "always_events": self.always_events,
            "window": self.window,
            "max_tests": self.max_tests,
            "period": self.period,
            "max_waiting": self.max_waiting,
            "tenant_max_waiting": np.array(self.tenant_max_waiting or (-1,) * tenants, dtype=np.int64),
        }
