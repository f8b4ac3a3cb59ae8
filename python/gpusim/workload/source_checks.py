"""What a source and a generator must satisfy, so that the arithmetic of generated jobs stays in 63 bits.

Each function returns the problems it finds; `Source` and `Generator` raise them together. The bounds are those
of ARCHITECTURE.md section 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem
from gpusim.workload.jobs import MAX_USERS
from gpusim.workload.limit_mode import SCALE_ONE, LimitMode
from gpusim.workload.table_layout import NO_CAP, NO_CAP_FROM
from gpusim.workload.week_profile import OPERATIONAL_BITS

if TYPE_CHECKING:
    from gpusim.workload.source import Generator, Source

TIME_LIMIT = 1 << 43
"""Every duration is below this [tick]."""
MAX_SOURCES = 1 << 16
MILLION = 10**6
"""Nominal demand [1e-6]."""
EVENT_LIMIT = 64
"""Most arrivals of one scheduled event, at the demand of the run."""
EVENT_STRIDE = 1024
"""Word indices that an event owns."""
_GAP_LIMIT = 1 << 56
_WORDS = 1 << 32
MOST_EVENTS = 1 << 21
"""Most scheduled events of a source: half of what their word indices allow."""
_SPREAD_LIMIT = 1 << 36
LONGEST_UNIT = 1 << 24
"""Most jobs of a batch or a chain."""


def source_problems(source: Source) -> list[Problem]:
    """Everything that is wrong with one source by itself."""
    problems = _types(source)
    if problems:  # the other checks compute with these arrays
        return problems
    return [
        *_identity(source),
        *_arrival_problems(source),
        *_event_problems(source),
        *_batch_problems(source),
        *_service_problems(source),
        *_limit_problems(source),
        *_lease_problems(source),
        *_hold_problems(source),
    ]


def generator_problems(generator: Generator) -> list[Problem]:
    """Everything that is wrong between the sources, or with what they share."""
    problems = _row_problems(generator)
    if not problems:
        first = generator.of_draw(0)
        problems += shared_keys((source.key, source.label) for source in first)
    if generator.rows.ndim == 2 and generator.rows.shape[1] > MAX_SOURCES:
        problems.append(_common(f"more than {MAX_SOURCES} sources", str(generator.rows.shape[1])))
    if not 0 <= generator.seed < 1 << 64:
        problems.append(_common("seed is outside [0, 2^64)", str(generator.seed)))
    problems += _profile_problems(generator)
    demand = generator.demand
    if demand is not None and demand.shift != 0:
        problems.append(_common("demand table has a shift; its values are in 1/65536", str(demand.shift)))
    elif not problems:
        problems += demand_problems(generator, MILLION, MILLION)
    return problems


def demand_problems(generator: Generator, lowest_ppm: int, highest_ppm: int) -> list[Problem]:
    """What goes out of range when demand is multiplied by from `lowest_ppm` to `highest_ppm` millionths."""
    if not 0 < lowest_ppm <= highest_ppm < 1 << 32:
        return [
            _common(
                "factors on demand are not in order in (0, 2^32) millionths", f"{lowest_ppm}, {highest_ppm}"
            )
        ]
    table = generator.demand
    small, large = (SCALE_ONE,) * 2 if table is None else (int(table.nodes[0, 0]), int(table.nodes[1, 0]))
    problems = []
    for source in generator.sources:
        if not source.active:
            continue
        if source.is_scheduled:
            most = -(-int(source.events[:, 2].max()) * highest_ppm // MILLION)
            if most > EVENT_LIMIT:
                what = f"an event has more than {EVENT_LIMIT} arrivals at {highest_ppm / MILLION:g} x demand"
                problems.append(_of(source, what, str(most), "split it into several events"))
            continue
        longest, median = int(source.gap.nodes[1, 0]), int(source.gap.nodes[0, -1])
        if longest * large >= 1 << 63:
            what = "longest gap times largest demand scale reaches 2^63; use a smaller gap shift"
            problems.append(_of(source, what, str(longest * large)))
        elif (longest * large >> 16) * MILLION // lowest_ppm >= _GAP_LIMIT:
            what = f"longest gap reaches 2^56 at {lowest_ppm / MILLION:g} x demand; use a smaller gap shift"
            problems.append(_of(source, what, str(longest)))
        if (median * small >> 16) * MILLION // highest_ppm == 0:
            what = f"median gap is 0 at {highest_ppm / MILLION:g} x demand; use a larger gap shift"
            problems.append(_of(source, what, str(median)))
    return problems


def shared_keys(keyed: Iterable[tuple[int, str]]) -> list[Problem]:
    """Labels whose keys are 0 or those of an earlier label."""
    code, remedy = "workload/source-key", "rename one of the classes"
    first: dict[int, str] = {}
    problems = []
    for key, label in keyed:
        if key == 0:
            problems.append(
                Problem(label, "its key (CRC-32 of the name) is 0, a reserved value", remedy, code)
            )
        elif key in first:
            what = f"has the same key (CRC-32 of the name), hence the same random numbers, as {first[key]}"
            problems.append(Problem(label, what, remedy, code, f"{key:#010x}"))
        else:
            first[key] = label
    return problems


def _types(source: Source) -> list[Problem]:
    picks = len(source.choices) if source.limit_mode == LimitMode.PICK else 0
    wanted: tuple[tuple[str, Any, tuple[int, ...]], ...] = (
        ("events", np.int64, (len(source.events), 3)),
        ("batch_sizes", np.int32, (len(source.batch_sizes),)),
        ("batch_threshold", np.uint64, (len(source.batch_sizes),)),
        ("batch_alias", np.int32, (len(source.batch_sizes),)),
        ("gpus", np.int32, (len(source.gpus),)),
        ("threshold", np.uint64, (len(source.gpus),)),
        ("alias", np.int32, (len(source.gpus),)),
        ("choices", np.int64, (len(source.choices),)),
        ("choice_threshold", np.uint64, (picks,)),
        ("choice_alias", np.int32, (picks,)),
    )
    return [
        _of(source, f"{name} is not a C-contiguous {np.dtype(kind)} array of shape {shape}", found)
        for name, kind, shape in wanted
        for array in (getattr(source, name),)
        for found in (f"{array.dtype} of shape {array.shape}",)
        if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous
    ]


def _identity(source: Source) -> list[Problem]:
    problems = []
    if not 0 < source.key < _WORDS:
        problems.append(_of(source, "key is outside [1, 2^32)", str(source.key)))
    if not 0 <= source.job_class < 1 << 16:
        problems.append(_of(source, "job_class is outside [0, 65536)", str(source.job_class)))
    if source.is_batch and (source.is_scheduled or source.is_chain):
        problems.append(_of(source, "a batch source is neither scheduled nor a chain", ""))
    return problems


def _arrival_problems(source: Source) -> list[Problem]:
    problems = []
    renewal = source.active and not source.is_scheduled
    if renewal and int(source.gap.nodes[0, -1]) == 0:
        problems.append(_of(source, "median gap is 0, the arrival clock would stand still", ""))
    if not 0 <= source.from_tick < TIME_LIMIT:
        problems.append(_of(source, "from_tick is outside [0, 2^43)", str(source.from_tick)))
    if not -1 <= source.until_tick < TIME_LIMIT:
        problems.append(_of(source, "until_tick is neither -1 nor in [0, 2^43)", str(source.until_tick)))
    if source.is_scheduled and (source.from_tick or source.profile != -1):
        problems.append(_of(source, "a scheduled source has neither from_tick nor profile", ""))
    if source.profile < -1:
        problems.append(_of(source, "profile is below -1", str(source.profile)))
    if source.profile == -1 and source.profile_start != 0:
        problems.append(_of(source, "profile_start without a profile", str(source.profile_start)))
    if not 0 <= source.profile_start < TIME_LIMIT << OPERATIONAL_BITS:
        problems.append(_of(source, "profile_start is outside [0, 2^51)", str(source.profile_start)))
    if renewal and source.profile >= 0 and source.gap.shift < OPERATIONAL_BITS:
        what = f"gap shift is below {OPERATIONAL_BITS}, too coarse for a profile"
        problems.append(_of(source, what, str(source.gap.shift), "use a longer tick"))
    return problems


def _event_problems(source: Source) -> list[Problem]:
    if not source.is_scheduled:
        return []
    tick, within, count = source.events.T
    problems = []
    if int(tick.min()) < 0 or int(tick.max()) >= TIME_LIMIT:
        problems.append(_of(source, "an event's tick is outside [0, 2^43)", f"{tick.min()} to {tick.max()}"))
    if int(within.min()) < 0 or int(within.max()) >= 1 << 31:
        problems.append(
            _of(source, "an event's within is outside [0, 2^31)", f"{within.min()} to {within.max()}")
        )
    if int(count.min()) < 0 or int(count.max()) > EVENT_LIMIT:
        problems.append(
            _of(source, f"an event's count is outside [0, {EVENT_LIMIT}]", f"{count.min()} to {count.max()}")
        )
    if not problems and np.any(tick[:-1] + within[:-1] > tick[1:]):
        at = int(np.flatnonzero(tick[:-1] + within[:-1] > tick[1:])[0])
        problems.append(_of(source, "events overlap or are not sorted", f"events {at} and {at + 1}"))
    if len(tick) > MOST_EVENTS:
        problems.append(_of(source, "more than 2^21 events", str(len(tick))))
    return problems


def _batch_problems(source: Source) -> list[Problem]:
    problems = []
    if source.is_batch:
        problems += _alias_problems(source, "batch", source.batch_threshold, source.batch_alias)
        if int(source.batch_sizes.min()) < 1:
            problems.append(_of(source, "a batch size is below 1", str(source.batch_sizes.min())))
        if int(source.batch_sizes.max()) > LONGEST_UNIT:
            problems.append(_of(source, "a batch size is above 2^24", str(source.batch_sizes.max())))
        if not 0 <= source.spread <= _SPREAD_LIMIT:
            problems.append(_of(source, "spread is outside [0, 2^36]", str(source.spread)))
        if not 0 <= source.common < SCALE_ONE:
            problems.append(_of(source, "common is outside [0, 65536)", str(source.common)))
    elif source.spread or source.common:
        problems.append(_of(source, "spread or common without batch sizes", ""))
    return problems


def _service_problems(source: Source) -> list[Problem]:
    problems = []
    if not 0 <= source.cap <= NO_CAP:
        problems.append(_of(source, "cap is outside [0, 2^44)", str(source.cap)))
    if not 0 <= source.cap_from <= NO_CAP_FROM:
        problems.append(_of(source, "cap_from is outside [0, 2^32]", str(source.cap_from)))
    if source.longest_service() >= TIME_LIMIT:
        what = "service times reach 2^43 ticks; cap them or use a longer tick"
        problems.append(_of(source, what, str(source.longest_service())))
    if not len(source.gpus):
        problems.append(_of(source, "no GPU counts", ""))
    else:
        problems += _alias_problems(source, "GPU", source.threshold, source.alias)
        if int(source.gpus.min()) < 1:
            problems.append(_of(source, "a GPU count is below 1", str(source.gpus.min())))
    if not 0 <= source.segment < TIME_LIMIT or not 0 <= source.delay < TIME_LIMIT:
        problems.append(
            _of(source, "segment or delay is outside [0, 2^43)", f"{source.segment}, {source.delay}")
        )
    elif source.segment and source.longest_service() // source.segment > LONGEST_UNIT:
        what = "a chain could have more than 2^24 jobs; use longer segments"
        problems.append(_of(source, what, f"{source.longest_service()} ticks of {source.segment}"))
    elif source.delay and not source.segment:
        problems.append(_of(source, "delay without segment", str(source.delay)))
    return problems


def _limit_problems(source: Source) -> list[Problem]:
    mode, a, b, choices = source.limit_mode, source.limit_a, source.limit_b, source.choices
    longest = source.longest_service()
    if mode == LimitMode.FACTOR:
        good = 0 < a <= b < 1 << 31 and longest * b < TIME_LIMIT * SCALE_ONE
    elif mode == LimitMode.FIXED:
        good = 1 <= a < TIME_LIMIT and b == 0
    else:
        good = mode in (LimitMode.EXACT, LimitMode.PICK) and a == 0 and b == 0
    problems = []
    if not good:
        found = f"mode {int(mode)}, a {a}, b {b}"
        problems.append(_of(source, "limit_mode, limit_a, limit_b do not fit together or in 2^43", found))
    if mode == LimitMode.PICK and not len(choices):
        problems.append(_of(source, "no limits to pick from", ""))
    if mode in (LimitMode.EXACT, LimitMode.FIXED) and len(choices):
        problems.append(_of(source, "choices without a mode that chooses", str(len(choices))))
    if len(choices) and not 1 <= int(choices.min()) <= int(choices.max()) < TIME_LIMIT:
        problems.append(
            _of(source, "a limit to choose is outside [1, 2^43)", f"{choices.min()} to {choices.max()}")
        )
    if mode == LimitMode.FACTOR and np.any(np.diff(choices) <= 0):
        problems.append(_of(source, "limits to round up to are not ascending", str(choices.tolist())))
    if mode == LimitMode.PICK and len(choices):
        problems += _alias_problems(source, "limit", source.choice_threshold, source.choice_alias)
    return problems


def _lease_problems(source: Source) -> list[Problem]:
    """What is wrong with how leases are clawed back."""
    threshold, after = source.claw_threshold, source.claw_after
    problems = []
    if not 0 <= threshold <= _WORDS:
        problems.append(_of(source, "claw_threshold is outside [0, 2^32]", str(threshold)))
    if threshold == 0 and after != 0:
        remedy = "give claw_threshold as well, or leave claw_after out"
        problems.append(_of(source, "claw_after without claw-back", str(after), remedy))
    if threshold != 0 and not 1 <= after < TIME_LIMIT:
        problems.append(_of(source, "claw_after is outside [1, 2^43)", str(after)))
    return problems


def _hold_problems(source: Source) -> list[Problem]:
    """What is wrong with how long its jobs are held at first, and with their users."""
    period, phase = source.call_period, source.call_phase
    problems = []
    if not 0 <= period < TIME_LIMIT:
        problems.append(_of(source, "call_period is outside [0, 2^43)", str(period)))
    elif not -TIME_LIMIT < phase < max(period, 1):
        remedy = "take off whole periods, or give call_period as well"
        found = f"{phase} of {period}"
        problems.append(_of(source, "call_phase is outside (-2^43, call_period)", found, remedy))
    elif source.longest_hold() >= TIME_LIMIT:
        what = "jobs could be held for 2^43 ticks; cap the hold or use a longer tick"
        problems.append(_of(source, what, str(source.longest_hold())))
    if not 1 <= source.users <= MAX_USERS:
        problems.append(_of(source, "users is outside [1, 2^28]", str(source.users)))
    return problems


def _alias_problems(
    source: Source, what: str, threshold: NDArray[np.uint64], alias: NDArray[np.int32]
) -> list[Problem]:
    problems = []
    if int(threshold.max()) > _WORDS:
        problems.append(_of(source, f"a {what} threshold is above 2^32", str(threshold.max())))
    if int(alias.min()) < 0 or int(alias.max()) >= len(alias):
        problems.append(_of(source, f"a {what} alias is not an index of an outcome", ""))
    return problems


def _row_problems(generator: Generator) -> list[Problem]:
    rows, sources = generator.rows, generator.sources
    if rows.dtype != np.int32 or rows.ndim != 2 or not rows.flags.c_contiguous:
        return [_common("rows is not a C-contiguous int32 array of two dimensions", str(rows.dtype))]
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < len(sources):
        return [_common("rows picks a row that is not there", f"{rows.min()} to {rows.max()}")]
    problems = []
    for k, column in enumerate(rows.T):
        kinds = {(sources[row].key, sources[row].job_class) for row in set(column.tolist())}
        if len(kinds) > 1:
            names = ", ".join(sorted({sources[row].label for row in set(column.tolist())}))
            problems.append(_common(f"rows of source {k} have several keys or classes", names))
    return problems


def _profile_problems(generator: Generator) -> list[Problem]:
    problems = []
    weeks = {profile.week for profile in generator.profiles}
    if len(weeks) > 1:
        problems.append(_common("profiles have several lengths of the week", str(sorted(weeks))))
    if not 0 <= generator.week_phase < min(weeks, default=TIME_LIMIT):
        problems.append(_common("week_phase is outside [0, week)", str(generator.week_phase)))
    for source in generator.sources:
        if source.profile >= len(generator.profiles):
            problems.append(_of(source, "its profile is not there", str(source.profile)))
        elif source.profile >= 0 and not problems:
            week = generator.profiles[source.profile]
            expected = week.operational(generator.week_phase + source.from_tick)
            if source.profile_start != expected:
                found = f"{source.profile_start}, should be {expected}"
                problems.append(_of(source, "profile_start does not fit from_tick and week_phase", found))
    return problems


def _of(source: Source, what: str, found: str, remedy: str = "") -> Problem:
    return Problem(source.label, what, remedy, "workload/source", found)


def _common(what: str, found: str) -> Problem:
    return Problem("generator", what, code="workload/generator", found=found)
