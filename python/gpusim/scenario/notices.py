"""What a scenario may say, but probably does not mean. Each notice has a stable code.

==============================  ============================================================================
code                            meaning
==============================  ============================================================================
scenario/no-warm-up             an empty center flatters the answer
scenario/short-horizon          the counted time is shorter than the longest run
scenario/gang-over-have         a gang larger than the center would be refused
scenario/few-jobs               fewer than 100 counted jobs of a level: it is met or missed by chance
scenario/many-jobs              a replication has more than ten million jobs: slow
scenario/overload               the demand is larger than the center
scenario/patience-below-limit   jobs leave before the level's limit, and leaving violates it
scenario/limit-kills            the limit kills more than one job in twenty
==============================  ============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpusim.errors import Problem
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.reader import Places
from gpusim.units import format_duration, format_share

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

FEWEST_JOBS = 100  # counted jobs of a level in a replication
MOST_JOBS = 10_000_000  # jobs in a replication
LONGEST_SHARE = 0.999  # a law without max counts as this quantile long
KILLED_SHARE = 0.05  # of the jobs of a class


def notices(scenario: Scenario, places: Places) -> tuple[Problem, ...]:
    """Return the notices of a valid scenario, in the order of the table above."""
    parts = (_study, _levels, _center, _classes)
    return tuple(places.problem(notice) for part in parts for notice in part(scenario))


def _notice(code: str, path: Path, what: str, found: str, remedy: str) -> Mistake:
    return Mistake(what, remedy, found, path, code, at_key=True)


def _paths(scenario: Scenario) -> list[Path]:
    return [
        ("tenants", index, "classes", position)
        for index, tenant in enumerate(scenario.tenants)
        for position in range(len(tenant.classes))
    ]


def _study(scenario: Scenario) -> Iterator[Mistake]:
    study = scenario.study
    if study.warm_up == 0:
        yield _notice(
            "no-warm-up",
            ("study", "warm_up"),
            "no warm-up: counting starts in an empty center, which flatters the answer",
            "warm_up 0s",
            f"write for example warm_up: {format_duration(study.horizon / 4, digits=2)}",
        )
    counted = scenario.count_end - study.warm_up
    longest = 0.0
    for _, _, job_class in scenario.classes():
        run = job_class.run_time.quantile(LONGEST_SHARE)
        run = min(run, job_class.limit.fixed) if job_class.limit.fixed else run
        longest = max(longest, run)
    if counted < longest:
        yield _notice(
            "short-horizon",
            ("study", "horizon"),
            "the counted time is shorter than the longest runs",
            f"{format_duration(counted, digits=3)} counted, runs up to {format_duration(longest, digits=3)}",
            f"write a horizon of at least {format_duration(study.horizon + 4 * longest - counted, digits=2)}",
        )


def _levels(scenario: Scenario) -> Iterator[Mistake]:
    classes = list(scenario.classes())
    for index, slo in enumerate(scenario.resolved_slos()):
        path: Path = ("slos", index)
        expected = scenario.expected_jobs(slo.classes)
        if expected < FEWEST_JOBS:
            yield _notice(
                "few-jobs",
                path,
                f"a replication counts fewer than {FEWEST_JOBS} jobs of this SLO",
                f"about {expected:.3g} expected",
                "write a longer horizon, or give this SLO a larger scope",
            )
        for member in slo.classes:
            _, tenant, job_class = classes[member]
            if job_class.patience is not None and job_class.patience < slo.limit:
                yield _notice(
                    "patience-below-limit",
                    path,
                    f"{tenant}/{job_class.name} jobs leave before the limit of this SLO; leaving violates it",
                    f"patience {format_duration(job_class.patience)} < {format_duration(slo.limit)}",
                    "nothing to do if this is meant",
                )


def _center(scenario: Scenario) -> Iterator[Mistake]:
    have = scenario.center.have
    if have is None:
        return
    for (_, _, job_class), path in zip(scenario.classes(), _paths(scenario), strict=True):
        if job_class.largest_gang > have:
            yield _notice(
                "gang-over-have",
                (*path, "gpus"),
                "a gang is larger than the center and would be refused",
                f"{job_class.largest_gang} GPUs > have {have}",
                "make the gang smaller, or read the answer: it needs a larger center",
            )
    if scenario.offered_load > have:
        yield _notice(
            "overload",
            ("center", "have"),
            "the demand is larger than the center",
            f"offered load {scenario.offered_load:.1f} GPUs > have {have}",
            "expect an answer above it",
        )


def _classes(scenario: Scenario) -> Iterator[Mistake]:
    jobs = scenario.arrival_rate * scenario.study.horizon
    if jobs > MOST_JOBS:
        yield _notice(
            "many-jobs",
            ("study", "horizon"),
            "a replication has very many jobs and will be slow",
            f"about {jobs:.3g}",
            "write a shorter horizon, or check the units of the rates",
        )
    for (_, _, job_class), path in zip(scenario.classes(), _paths(scenario), strict=True):
        fixed = job_class.limit.fixed
        killed = job_class.run_time.share_above(fixed) if fixed else 0.0
        if killed > KILLED_SHARE:
            yield _notice(
                "limit-kills",
                (*path, "limit"),
                "the limit kills many jobs of this class",
                f"{format_share(killed, digits=2)} run longer than {format_duration(fixed or 0.0)}",
                "nothing to do if this is meant; else write a longer limit, or exact",
            )
