"""What follows from a scenario without simulating it: the week, pools, uncertain numbers and loads.

`Scenario` offers these as properties and methods; they stand here because each needs several of its parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from gpusim.scenario.approval import Approval
from gpusim.scenario.arrivals import Stream
from gpusim.scenario.elicited import Elicited, elicited_numbers, with_numbers
from gpusim.scenario.model import JobClass
from gpusim.scenario.pools import WHOLE_CENTER
from gpusim.scenario.reservations import Reservation, Window
from gpusim.scenario.slo_scope import resolve_scope
from gpusim.scenario.week import phase_of, zone_named

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

_STEPS = 100  # points of the counted time at which leases that build up are looked at
_PARTS = 16  # points that stand for the submits of a scheduled time with a `within`


def week_phase(scenario: Scenario) -> float:
    """Time since Monday 00:00, in the center's time zone, when the study begins [s]."""
    zone = zone_named(scenario.center.time_zone)
    assert zone is not None  # its name was read
    return phase_of(scenario.study.start, zone)


def pool_names(scenario: Scenario) -> tuple[str, ...]:
    """Names of the pools, in order; ('gpus',) for a center that names none."""
    pools = scenario.center.pools
    return tuple(pool.name for pool in pools) if pools else (WHOLE_CENTER,)


def class_pools(scenario: Scenario, index: int) -> tuple[int, ...]:
    """Positions in `pool_names` of the pools that a class may run in, in order of preference."""
    names = pool_names(scenario)
    job_class = [entry.job_class for entry in scenario.classes()][index]
    return (
        tuple(names.index(name) for name in job_class.pools) if job_class.pools else tuple(range(len(names)))
    )


class Reserved(NamedTuple):
    """A reservation in a study."""

    terms: Reservation
    classes: tuple[int, ...]  # positions of the classes that may use it; none: nobody may
    pool: int  # position of the pool that its GPUs belong to
    windows: tuple[Window, ...]  # when it is open [s since the study begins]


def reserved(scenario: Scenario, until: float) -> tuple[Reserved, ...]:
    """Every reservation, in the order of the file."""
    zone = zone_named(scenario.center.time_zone)
    assert zone is not None  # its name was read
    names = [(tenant, job_class.name) for _, tenant, job_class in scenario.classes()]
    pools, phase = pool_names(scenario), week_phase(scenario)
    return tuple(
        Reserved(
            terms=each,
            classes=tuple(sorted({k for scope in each.classes for k in resolve_scope(scope, names)})),
            pool=0 if each.pool is None else pools.index(each.pool),
            windows=tuple(each.windows(scenario.study.start, zone, phase, until)),
        )
        for each in scenario.reservations
    )


def elicited(scenario: Scenario) -> tuple[Elicited, ...]:
    """The uncertain numbers of the demand, in the order of the file."""
    return tuple(
        number
        for _, tenant, job_class in scenario.classes()
        for number in elicited_numbers(job_class, f"{tenant}/{job_class.name}")
    )


def drawn(scenario: Scenario, values: Mapping[str, float]) -> Scenario:
    """Return the scenario with plain numbers in place of uncertain ones.

    Parameters
    ----------
    scenario : Scenario
    values : mapping from path to number
        Paths as in `elicited`, in the number's own unit; what is left out stays uncertain. Nothing is checked
        again: the ends of each law were when the scenario was read.

    Raises
    ------
    KeyError
        If no uncertain number has one of these paths.
    """
    left = dict(values)
    tenants = []
    for tenant in scenario.tenants:
        names = [f"{tenant.name}/{job_class.name}" for job_class in tenant.classes]
        classes = tuple(
            cast(JobClass, with_numbers(job_class, name, left))
            for name, job_class in zip(names, tenant.classes, strict=True)
        )
        changed = any(new is not old for new, old in zip(classes, tenant.classes, strict=True))
        tenants.append(tenant.model_copy(update={"classes": classes}) if changed else tenant)
    if left:
        raise KeyError(f"no uncertain number has this path: {', '.join(left)}")
    return scenario.model_copy(update={"tenants": tuple(tenants)})


def approval_phase(scenario: Scenario, approval: Approval) -> float:
    """One of an approval's calls [s since the study begins]."""
    zone = zone_named(scenario.center.time_zone)
    assert zone is not None  # its name was read
    return approval.phase(scenario.study.start, zone)


def decided(scenario: Scenario, stream: Stream, time: float, within: float) -> tuple[float, float]:
    """When scheduled jobs begin if nobody waits, and over how long: after the call and a mean decision."""
    approval = stream.approval
    if approval is None or not approval.holds:
        return time, within
    if approval.calls is not None:
        time, within = approval.call_after(time + within / 2, approval_phase(scenario, approval)), 0.0
    return time + approval.mean_delay, within


def class_loads(scenario: Scenario) -> tuple[float, ...]:
    """Offered load of each class [GPUs]: mean GPUs in use in the counted time if nobody waited.

    A random stream counts at its mean over the week while it lasts, however long its jobs take to fill an
    empty center; a schedule with what it really holds in the counted time; leases, and what needs an approval, as they
    build up from an empty center. `study.demand` is included.
    """
    window = (scenario.study.warm_up, scenario.count_end)
    return tuple(
        scenario.study.demand
        * math.fsum(_stream_load(scenario, stream, *window) for stream in job_class.streams)
        for _, _, job_class in scenario.classes()
    )


def _stream_load(scenario: Scenario, stream: Stream, start: float, end: float) -> float:
    """Mean GPUs in use by a stream in [start, end) of the horizon, at nominal demand."""
    if stream.schedule:
        times = stream.occurrences(scenario.week_phase, scenario.study.horizon)
        held = (
            count * _held_inside(stream, *decided(scenario, stream, time, within), start, end)
            for time, within, count in times
        )
        return stream.gpus.mean * math.fsum(held) / (end - start)
    if stream.lease is not None or stream.approval is not None:
        return _built_up(stream, start, end)
    until = end if stream.until is None else min(end, stream.until)
    lasts = max(0.0, until - max(start, stream.start)) / (end - start)
    return stream.long_run_load * lasts


def _built_up(stream: Stream, start: float, end: float) -> float:
    """The same of leases and of what is approved first, as it builds up: a study may be shorter than they are."""
    approval = stream.approval
    held_back = 0.0 if approval is None else (approval.calls or 0.0) / 2 + approval.mean_delay
    until = math.inf if stream.until is None else stream.until + held_back
    begin = stream.start + held_back
    total = 0.0
    for part in range(_STEPS):
        time = start + (end - start) * (part + 0.5) / _STEPS
        since_first, since_last = max(0.0, time - begin), max(0.0, time - until)
        total += stream.held_within(since_first) - stream.held_within(since_last)
    return stream.gpus.mean * stream.job_rate * total / _STEPS


def _held_inside(stream: Stream, time: float, within: float, start: float, end: float) -> float:
    """Mean time in [start, end) that one of a scheduled time's jobs holds its GPUs [s]."""
    parts = _PARTS if within > 0 else 1
    submits = (time + within * (part + 0.5) / parts for part in range(parts))
    held = (
        stream.held_within(max(0.0, end - submit)) - stream.held_within(max(0.0, start - submit))
        for submit in submits
    )
    return math.fsum(held) / parts


def offered_load(scenario: Scenario) -> float:
    """Mean GPUs in use if nobody ever waited, was refused or left [GPUs]: the sum of `class_loads`."""
    return math.fsum(class_loads(scenario))


def mean_load(scenario: Scenario) -> float:
    """Mean over the counted time of the GPUs in use if nobody waits [GPUs], from an empty center at 0."""
    from gpusim.scenario.load import hourly_load

    return hourly_load(scenario).mean


def peak_load(scenario: Scenario) -> float:
    """Largest mean of an hour of the counted time of the GPUs in use if nobody waits [GPUs]."""
    from gpusim.scenario.load import hourly_load

    return hourly_load(scenario).peak
