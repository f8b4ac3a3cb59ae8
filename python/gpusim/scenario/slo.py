"""Service levels as sentences.

    wait <= 4h for 90% of training jobs
    turnaround <= 21.63d for 100% of campaign jobs          also: for every campaign job
    bounded slowdown <= 10 for 90% of research jobs         bounded slowdown (bound 1min) <= 10 for ...
    abandoned <= 5% of hospital jobs
    deadline met for 90% of campaign jobs
    preemptions <= 2 for 95% of sweep jobs
    start within 60s during 08-22h for 99% of notebook jobs
    occupancy >= 65%                                        occupancy between 65% and 92%
    delivered >= 90% of granted for academia                delivered >= 90% of granted for all
    fair-share error <= 10%
    longest cascade <= 10

Definitions (R38 of the model). Of the counted jobs of the level that are *decided*, at least the share
must have met it:

============  ===================================================  ============================================
level         a job meets it                                       a job violates it
============  ===================================================  ============================================
wait          it starts at most LIMIT after it became eligible     it starts later, or waits and is late already
turnaround    it ends at most LIMIT after its submit; a chain:     it ends later, or is late already; it was
              its last job ends so soon after the first submit     killed at its limit (unless `killed_ok`)
slowdown      (end - eligible) / max(run time, bound) <= FACTOR    the same is larger, or is already; killed
abandoned     it starts                                            it gives up, is refused, rejected, cancelled
deadline      as turnaround, with the `deadline` of its class      as turnaround
preemptions   it ends, evicted at most so often                    it has been evicted more often
============  ===================================================  ============================================

A job that is turned away violates every job-level of its class. What is undecided at the end of the run and not
late yet is *censored*: it is in no share, and is counted and reported. `abandoned <= 5%` asks that 95 % are not
turned away. `start within` is a level on waits of the jobs submitted in those hours. Occupancy is the mean share of
the whole center's GPUs in use over the counted time. The last three judge a whole period once; what they are exactly
is said by `gpusim.plan.period_levels`.

SCOPE is a class (`training`), a tenant (`university`: all its classes), `tenant/class`, or `all`. Where a bare
name could mean two things the sentence is refused; `tenant/all` and `all/class` say which is meant. Behind `jobs`
a level may be narrowed to gang sizes and to the time of the submit, in the center's time zone:

    of 1-8 GPUs     of 64 GPUs     of >= 16 GPUs     submitted 08:00-22:00     submitted 08:00-22:00 on weekdays

Hours hold their begin, not their end; 22:00-06:00 runs over midnight and belongs to the day on which it begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.slo_level import BOUND, MILLION, PERIOD_METRICS, Metric, Slo, judges_jobs
from gpusim.scenario.slo_nearest import nearest_sentence
from gpusim.scenario.slo_scope import resolve_scope
from gpusim.scenario.slo_sentence import EXAMPLE, GRAMMAR, parse_slo
from gpusim.scenario.slo_words import EVERY_DAY, LARGEST_GANG, WHOLE_DAY, sizes_in_words
from gpusim.units import format_share

if TYPE_CHECKING:
    from gpusim.scenario.model import JobClass


@dataclass(frozen=True)
class ResolvedSlo:
    """A service level together with the classes it counts."""

    sentence: str  # canonical wording
    scope: str  # as written
    metric: Metric
    classes: tuple[int, ...]  # positions in `Scenario.class_names`, ascending
    limit: float  # wait, turnaround: [s]; slowdown: a factor [1]; preemptions, longest cascade: a number of
    # evictions; delivered, fair-share error: a share; else nan
    limits: tuple[float, ...]  # the same for each of `classes`; deadline: that of the class [s]
    share: float  # share of jobs that must meet it, (0, 1]; turned_away: that must not be turned away
    share_ppm: int  # the same in millionths, exactly: share = share_ppm / 1,000,000
    bound: float = BOUND  # slowdown: runs shorter than this count as this long [s]
    gpus_low: int = 1  # least gang that counts [GPUs]
    gpus_high: int = LARGEST_GANG  # largest gang that counts [GPUs]
    hours: tuple[float, float] = WHOLE_DAY  # submits that count [s of the local day]; (0, 0) the whole day
    days: int = EVERY_DAY  # days of submit that count: bit mask, Monday = 1
    occupancy: tuple[float, float] | None = None  # least and largest share of the GPUs in use

    @property
    def judges_jobs(self) -> bool:
        """Whether the level judges each job, not the center or a whole period."""
        return judges_jobs(self.metric)


def resolve(slo: Slo, names: Sequence[tuple[str, str]], classes: Sequence[JobClass]) -> ResolvedSlo:
    """Return a level with the classes it counts.

    Parameters
    ----------
    slo : Slo
    names : sequence of (tenant, class)
        All classes, in order of appearance.
    classes : sequence of JobClass
        The same classes; a deadline level takes its limits from them.

    Raises
    ------
    Mistake
        If the scope means no class, or two things.
    """
    owners = slo.metric == "delivered" and slo.scope != "all"
    members = resolve_scope(f"{slo.scope}/all" if owners else slo.scope, names)
    own = {"slowdown": slo.factor, "wait": slo.limit, "turnaround": slo.limit, "delivered": slo.share}
    own |= dict.fromkeys(("preemptions", "fair_share_error", "longest_cascade"), slo.most)
    limit = own.get(slo.metric, math.nan)
    limits = (limit,) * len(members)
    if slo.metric == "deadline":
        limits = tuple(math.nan if (due := classes[member].deadline) is None else due for member in members)
    return ResolvedSlo(
        sentence=slo.sentence,
        scope=slo.scope,
        metric=slo.metric,
        classes=members,
        limit=limit,
        limits=limits,
        share=slo.share,
        share_ppm=slo.share_ppm,
        bound=slo.bound,
        gpus_low=slo.gpus_low,
        gpus_high=slo.gpus_high,
        hours=slo.hours,
        days=slo.days,
        occupancy=slo.occupancy,
    )


def level_mistakes(
    slo: Slo, names: Sequence[tuple[str, str]], classes: Sequence[JobClass | None]
) -> Iterator[Mistake]:
    """Yield what is wrong with a level, given the class table; paths are inside the sentence.

    Parameters
    ----------
    slo : Slo
    names : sequence of (tenant, class)
        All classes, in order of appearance.
    classes : sequence of JobClass or None
        The same classes; None where a class could not be read. What depends on it is not judged then.
    """
    if slo.metric == "delivered":
        yield from _granted(slo, names)
    if not slo.judges_jobs:
        return
    try:
        members = resolve_scope(slo.scope, names)
    except Mistake as mistake:
        yield mistake
        return
    if slo.metric == "deadline":
        yield from _deadlines(members, names, classes)
    yield from _sizes(slo, members, names, classes)


def _granted(slo: Slo, names: Sequence[tuple[str, str]]) -> Iterator[Mistake]:
    tenants = list(dict.fromkeys(tenant for tenant, _ in names))
    if slo.scope in ("all", *tenants):
        return
    job_class = slo.scope.rpartition("/")[2]
    owners = [tenant for tenant, name in names if job_class in (name, tenant)]
    offered = owners[0] if owners else "all"
    yield Mistake(
        "GPUs are granted to tenants, and none has this name",
        f"write delivered >= {format_share(slo.share)} of granted for {offered}; tenants: {', '.join(tenants)}",
        f"'{slo.scope}'",
        code="slo-granted",
    )


def _deadlines(
    members: tuple[int, ...], names: Sequence[tuple[str, str]], classes: Sequence[JobClass | None]
) -> Iterator[Mistake]:
    without = [m for m in members if (model := classes[m]) is not None and model.deadline is None]
    if not without:
        return
    having = ["/".join(names[m]) for m, model in enumerate(classes) if model is not None and model.deadline]
    listed = ", ".join("/".join(names[m]) for m in without[:5])
    narrower = f", or name a class that has one ({', '.join(having[:5])})" if having else ""
    yield Mistake(
        "a deadline level counts a class without a deadline",
        f"write deadline: 21d (of the whole job, from its submit) in the class{narrower}",
        listed,
        code="slo-deadline",
    )


def _sizes(
    slo: Slo,
    members: tuple[int, ...],
    names: Sequence[tuple[str, str]],
    classes: Sequence[JobClass | None],
) -> Iterator[Mistake]:
    counts: set[int] = set()
    for member in members:
        model = classes[member]
        if model is None:
            return
        counts |= gang_sizes(model)
    if any(slo.gpus_low <= count <= slo.gpus_high for count in counts):
        return
    near = min(counts, key=lambda count: max(slo.gpus_low - count, count - slo.gpus_high))
    written = sizes_in_words(slo.gpus_low, slo.gpus_high).strip()
    yield Mistake(
        f"no job of '{slo.scope}' asks for so many GPUs, so this level would count nothing",
        f"write for example{sizes_in_words(near, near)}; its jobs ask for {_listed(sorted(counts))} GPUs",
        f"'{written}'",
        code="slo-size",
    )


def gang_sizes(job_class: JobClass) -> set[int]:
    """Every number of GPUs that a job of the class may ask for."""
    return {gpus for stream in job_class.streams for gpus in stream.gpus}


def _listed(counts: list[int]) -> str:
    shown = [str(count) for count in counts]
    return ", ".join(shown) if len(shown) <= 8 else f"{', '.join(shown[:4])}, .. {', '.join(shown[-2:])}"


SloField = Annotated[
    Slo,
    BeforeValidator(parse_slo),
    PlainSerializer(lambda slo: slo.sentence, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(wait|start|turnaround|bounded slowdown|abandoned|turned away|deadlines?|preemptions|"
            r"occupancy|delivered|fair-share error|longest cascade)\b.+",
            "examples": [EXAMPLE],
        }
    ),
]

__all__ = [
    "EXAMPLE",
    "GRAMMAR",
    "MILLION",
    "PERIOD_METRICS",
    "ResolvedSlo",
    "Slo",
    "SloField",
    "gang_sizes",
    "level_mistakes",
    "nearest_sentence",
    "parse_slo",
    "resolve",
    "resolve_scope",
]
