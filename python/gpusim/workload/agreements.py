"""What leases and approvals add to a source of generated jobs, as integers (S35)."""

from __future__ import annotations

from typing import Any

from gpusim.scenario import Scenario
from gpusim.scenario.approval import Approval
from gpusim.scenario.lease import Lease
from gpusim.scenario.views import approval_phase
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.run_time_law import SERVICE_SHIFT, distribution_of

_WORDS = 1 << 32


def lease_fields(scenario: Scenario, lease: Lease | None) -> dict[str, Any]:
    """How many of the leases are taken back, in 2^-32, and after how many ticks."""
    if lease is None or lease.review is None:
        return {}
    return {
        "claw_threshold": round(lease.clawed * _WORDS),
        "claw_after": max(1, scenario.ticks(lease.review)),
    }


def approval_fields(scenario: Scenario, approval: Approval | None) -> dict[str, Any]:
    """Calls in ticks, and the time of the decision as a table."""
    if approval is None:
        return {}
    fields: dict[str, Any] = {}
    if approval.calls is not None:
        period = max(1, scenario.ticks(approval.calls))
        fields["call_period"] = period
        fields["call_phase"] = scenario.ticks(approval_phase(scenario, approval)) % period
    if approval.delay is not None:
        fields["hold"] = compile_table(distribution_of(approval.delay), scenario.tick, SERVICE_SHIFT)
    return fields
