"""The page of `gpusim check`: what a scenario says, so that its author can see whether it is meant."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group

from gpusim.plan.agreements import approvals
from gpusim.plan.estimate import Estimate
from gpusim.plan.rules import RuleOfThumb
from gpusim.report import words
from gpusim.report.agreements import approvals_section
from gpusim.report.estimate import estimate_in_words
from gpusim.report.layout import Column, bullets, facts, headline, page, plain, section, table
from gpusim.report.replay_page import policy_in_words
from gpusim.report.terms import terms
from gpusim.scenario import Scenario
from gpusim.units import format_rate, format_share


def check_page(
    scenario: Scenario,
    rules: tuple[RuleOfThumb, ...],
    following: str | None = None,
    *,
    estimate: Estimate | None = None,
    no_estimate: str = "",
) -> Group:
    """A valid scenario on one page.

    Parameters
    ----------
    scenario : Scenario
    rules : tuple of RuleOfThumb
        From `gpusim.plan.rules.rules_of_thumb`.
    following : str, optional
        The command that comes next.
    estimate : Estimate, optional
        How long that will take.
    no_estimate : str
        Why there is no estimate.
    """
    notices = scenario.notices()
    doubts = f", {words.things(len(notices), 'notice')}" if notices else ""
    return page(
        headline(f"{scenario.name} is a valid scenario{doubts}."),
        plain(scenario.description) if scenario.description else None,
        section("Demand", _demand(scenario)),
        approvals_section(asked) if (asked := approvals(scenario)) else None,
        section("Service levels, all to be met", _levels(scenario)),
        section("Study", facts(_study(scenario))),
        section("Rules of thumb (they ignore how jobs share the center)", _rules(rules)),
        section("Assumptions", bullets(scenario.assumptions)) if scenario.assumptions else None,
        section("Notices", bullets([f"{n} [{n.code}]" for n in notices], "!", "yellow")) if notices else None,
        section("How long size takes here", plain(_time(estimate, no_estimate)))
        if estimate is not None or no_estimate
        else None,
        section("Next", plain(following)) if following else None,
    )


def _time(estimate: Estimate | None, no_estimate: str) -> str:
    if estimate is None:
        return f"not known: {no_estimate}"
    jobs = "" if estimate.jobs_per_run is None else f" of about {words.count(estimate.jobs_per_run)} jobs"
    return f"{estimate_in_words(estimate)}: some {words.large(estimate.runs)} runs{jobs}"


def _demand(scenario: Scenario) -> Group:
    columns = (
        Column("tenant/class", number=False),
        Column("arrivals"),
        Column("mean gang"),
        Column("largest"),
        Column("mean run"),
        Column("priority"),
        Column("patience"),
        Column("load [GPUs]"),
    )
    rows = [
        (
            name,
            format_rate(job_class.rate, 3),
            f"{job_class.mean_gang:.3g}",
            words.count(job_class.largest_gang),
            words.duration(job_class.mean_service),
            str(job_class.priority),
            words.UNKNOWN if job_class.patience is None else words.duration(job_class.patience),
            words.amount(load),
        )
        for name, (_, _, job_class), load in zip(
            scenario.class_names, scenario.classes(), scenario.class_loads, strict=True
        )
    ]
    total = (
        "all",
        format_rate(scenario.arrival_rate, 3),
        f"{scenario.mean_gang:.3g}",
        words.count(scenario.largest_gang),
        "",
        "",
        "",
        words.amount(scenario.offered_load),
    )
    return Group(
        table(columns, [*rows, total], last_apart=True),
        plain("gang: GPUs of a job, starting together. load: mean GPUs in use if nobody waited."),
    )


def _levels(scenario: Scenario) -> Group:
    columns = (Column("service level", number=False), Column("jobs counted in a period"))
    rows = [
        (slo.sentence, f"about {words.count(scenario.expected_jobs(slo.classes))}")
        for slo in scenario.resolved_slos()
    ]
    return Group(table(columns, rows))


def _study(scenario: Scenario) -> Iterator[tuple[str, str]]:
    study, policy = scenario.study, scenario.policy
    counted = words.duration(scenario.count_end - study.warm_up)
    yield (
        "center",
        "not given" if scenario.center.have is None else f"{words.gpus(scenario.center.have)} today",
    )
    yield (
        "one period",
        (
            f"{words.duration(study.horizon)}: {words.duration(study.warm_up)} of warm-up from an empty center, then "
            f"{counted} in which submissions are counted, then {words.duration(scenario.cool_down)} to finish"
        ),
    )
    yield (
        "asked",
        (
            f"all levels met in at least {format_share(study.attainment)} of periods, {format_share(study.confidence)} "
            f"confidence, interval at most {format_share(study.tolerance)} of the answer wide"
        ),
    )
    yield from terms(scenario)
    yield "backfill", policy_in_words(str(policy.backfill))
    if policy.max_waiting is not None:
        yield "queue", f"at most {words.things(policy.max_waiting, 'waiting job')}; further ones are refused"
    for tenant in scenario.tenants:
        if tenant.max_waiting is not None:
            limit = words.things(tenant.max_waiting, "waiting job")
            yield f"queue of {tenant.name}", f"at most {limit}; further ones are refused"
    yield "sizes", f"multiples of {words.gpus(study.granularity)}"
    if study.demand_uncertainty > 0:
        yield "demand", f"uncertain: one factor on all rates, sigma {format_share(study.demand_uncertainty)}"
    yield "seed", str(study.seed)
    yield "hash", scenario.hash[:12]


def _rules(rules: tuple[RuleOfThumb, ...]) -> Group:
    return Group(
        table((Column("", number=False), Column("GPUs")), [(r.name, words.count(r.gpus)) for r in rules])
    )
