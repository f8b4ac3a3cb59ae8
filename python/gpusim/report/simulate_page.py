"""The page of `gpusim simulate`: what users see with a given number of GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group

from gpusim.plan.simulate import Simulation
from gpusim.report import words
from gpusim.report.agreements import agreement_sections
from gpusim.report.evictions import evictions_section
from gpusim.report.layout import Column, bullets, headline, page, plain, section, table
from gpusim.report.levels import legend, levels_in_words, levels_table, occupancy_table, undecided
from gpusim.report.origin import origin
from gpusim.report.why import why_section
from gpusim.units import format_share


def simulation_page(result: Simulation, asked: int | None = None) -> Group:
    """The measurements on one page.

    Parameters
    ----------
    result : Simulation
        From `gpusim.simulate`.
    asked : int, optional
        Replications asked for, where a time limit may have left fewer.
    """
    together, left_out = result.attainment, undecided(result.slos)
    n = together.replications
    levels = levels_in_words(len(result.slos))
    verdict = "enough" if result.slos_met else "too few"
    cut = None
    if asked is not None and n < asked:
        cut = plain(
            f"The time limit left {words.count(n)} of {words.count(asked)} periods: wider intervals than asked."
        )
    return page(
        headline(
            f"{words.gpus(result.gpus)} meet {levels} in "
            f"{words.measured(together.share, together.low, together.high)} of periods; "
            f"{format_share(result.required)} is asked: {verdict}."
        ),
        cut,
        plain(f"{words.things(n, 'period')} of {result.horizon}."),
        section(
            "Service levels",
            levels_table(result.slos, together, result.required),
            plain(legend(result.required, result.confidence)),
            plain(left_out) if left_out else None,
        ),
        section("Waits of jobs that started", _waits(result)),
        section("Jobs and GPUs", _fates(result)),
        why_section(result.why),
        evictions_section(result.evictions),
        *agreement_sections(result.agreements, result.why),
        section("Use", bullets(_use(result)), occupancy_table(result.occupancy_levels)),
        section("Warnings", bullets(result.warnings, "!", "yellow")) if result.warnings else None,
        origin(result.spent, result.provenance),
    )


def _waits(result: Simulation) -> Group:
    columns = (
        Column("class", number=False),
        Column("mean"),
        Column("interval"),
        Column("median"),
        Column("p95"),
        Column("p99"),
    )
    rows = [
        (
            c.name,
            words.duration(c.mean_wait.value) if c.started else words.UNKNOWN,
            words.durations(c.mean_wait.low, c.mean_wait.high),
            words.duration(c.p50_wait),
            words.duration(c.p95_wait),
            words.duration(c.p99_wait),
        )
        for c in result.classes
    ]
    return Group(table(columns, rows, last_apart=True))


def _fates(result: Simulation) -> Group:
    columns = (
        Column("class", number=False),
        Column("jobs"),
        Column("started"),
        Column("killed"),
        Column("gave up"),
        Column("refused"),
        Column("unfinished"),
        Column("GPUs used"),
    )
    rows = [
        (
            c.name,
            words.count(c.jobs),
            words.count(c.started),
            words.count(c.killed),
            words.count(c.abandoned + c.cancelled),
            words.count(c.rejected),
            words.count(c.unfinished),
            words.amount(c.gpus_in_use.value),
        )
        for c in result.classes
    ]
    return Group(
        table(columns, rows, last_apart=True),
        plain(
            "Jobs: the counted ones of all periods. Killed: at their limit. Gave up: left the queue, or were to "
            "follow a job that did. GPUs used: mean over time."
        ),
    )


def _use(result: Simulation) -> Iterator[str]:
    use = result.occupancy
    yield (
        f"{words.percent(use.value)} of the {words.gpus(result.gpus)} are allocated on average "
        f"({words.percents(use.low, use.high)})"
    )
    if len(result.pools) > 1:
        for pool in result.pools:
            share = words.measured(pool.occupancy.value, pool.occupancy.low, pool.occupancy.high)
            yield f"{pool.name}: {share} of {words.gpus(pool.gpus)}"
    mean, peak = words.amount(result.offered_load), words.amount(result.peak_load)
    yield f"{mean} GPUs would be in use on average if nobody waited, {peak} in the busiest hour"
