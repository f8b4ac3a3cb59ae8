"""What follows from a scenario without simulating it: the week, pools, uncertain numbers and loads.

`Scenario` offers these as properties and methods; they stand here because each needs several of its parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from gpusim.scenario.arrivals import Stream
from gpusim.scenario.elicited import Elicited, elicited_numbers, with_numbers
from gpusim.scenario.model import JobClass
from gpusim.scenario.pools import WHOLE_CENTER
from gpusim.scenario.week import phase_of, zone_named

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

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


def class_loads(scenario: Scenario) -> tuple[float, ...]:
    """Offered load of each class [GPUs]: mean GPUs in use in the counted time if nobody waited.

    A random stream counts at its mean over the week while it lasts, however long its jobs take to fill an
    empty center; a schedule with what it really holds in the counted time. `study.demand` is included.
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
        held = (count * _held_inside(stream, time, within, start, end) for time, within, count in times)
        return stream.gpus.mean * math.fsum(held) / (end - start)
    until = end if stream.until is None else min(end, stream.until)
    lasts = max(0.0, until - max(start, stream.start)) / (end - start)
    return stream.long_run_load * lasts


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
