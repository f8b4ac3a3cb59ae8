"""The page of `gpusim size --vary demand`: how much demand the GPUs there are carry."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from gpusim.plan.axis import NOMINAL
from gpusim.plan.demand import DemandAnswer
from gpusim.plan.measure import Attainment
from gpusim.report import words
from gpusim.report.agreements import agreement_sections
from gpusim.report.evictions import evictions_section
from gpusim.report.findings import (
    assumed_section,
    demand_section,
    guarantee,
    levels_section,
    notes,
    warnings_section,
)
from gpusim.report.layout import Column, bullets, headline, page, plain, section, table
from gpusim.report.levels import levels_in_words
from gpusim.report.origin import origin
from gpusim.report.why import why_section
from gpusim.units import format_share


def demand_page(answer: DemandAnswer) -> Group:
    """The answer on one page."""
    found = answer.findings
    where = "" if found.at_answer is None else f"at {_demand(found.at_answer.gpus)} of the stated demand"
    below = "" if found.below is None else f"at {_demand(found.below.gpus)}"
    return page(
        headline(_headline(answer)),
        *(plain(line) for line in _under_the_headline(answer)),
        levels_section(found, answer.sizing, where, below),
        _demands(answer),
        demand_section(found),
        why_section(found.why),
        evictions_section(found.evictions),
        *agreement_sections(found.agreements, found.why),
        section("How sure", bullets(_how_sure(answer))),
        _next_steps(answer),
        assumed_section(found),
        warnings_section(found),
        origin(answer.spent, answer.provenance),
    )


def _demand(millionths: int) -> str:
    return format_share(millionths / NOMINAL)


def _center(answer: DemandAnswer) -> str:
    several = len(answer.pools) > 1
    parts = ", ".join(f"{words.count(n or 0)} of {name}" for name, n in answer.pools.items())
    return f"{words.gpus(answer.gpus)}{f' ({parts})' if several else ''}"


def _headline(answer: DemandAnswer) -> str:
    s, center = answer.sizing, _center(answer)
    asked = f"{levels_in_words(len(answer.slos))} in at least {format_share(s.attainment)} of periods"
    confidence = f"{format_share(s.confidence)} confidence"
    if answer.feasible is False:
        least = _demand(answer.at_answer.gpus) if answer.at_answer else "the least demand considered"
        return f"{center} do not meet {asked} even at {least} of the stated demand."
    if answer.factor is not None:
        interval = f"{format_share(answer.factor)} - {format_share(answer.factor_high or answer.factor)}, {confidence}"
        least = "" if answer.resolved else "at least "
        number = f"{least}{format_share(answer.factor)} of the stated demand ({interval})"
        return f"{center} carry {number} and meet {asked}."
    if answer.factor_high is not None and not s.low_is_grid_minimum:
        most = format_share(answer.factor_high)
        return f"Not decided: {center} carry at most {most} of the stated demand and meet {asked}."
    return f"Not decided how much demand {center} carry and meet {asked}."


def _under_the_headline(answer: DemandAnswer) -> Iterator[str]:
    if answer.load is not None:
        yield f"That is an offered load of {words.amount(answer.load)} GPUs on average."
    have = answer.have
    if have is not None:
        met = words.measured(have.share, have.low, have.high)
        yield f"At the stated demand ({_demand(have.gpus)}) they are met in {met} of periods."
    if not answer.resolved:
        yield "This is less certain than asked: what is valid, and what to do, stands under What to do."
    yield f"One period: {answer.findings.horizon}."


def _demands(answer: DemandAnswer) -> RenderableType | None:
    name = "the answer" if answer.factor is not None else "the least demand considered"
    if answer.factor is None and answer.factor_low is not None:
        name = "likely carried, not certified"
    rows = [
        _row(name, each)
        for name, each in (
            (name, answer.at_answer),
            ("one step above the interval", answer.below),
            ("as stated", answer.have),
        )
        if each is not None
    ]
    columns = (Column("", number=False), Column("demand"), Column("periods met"))
    use = None
    if answer.findings.occupancy is not None and answer.at_answer is not None:
        share = words.percent(answer.findings.occupancy.value)
        use = plain(f"At {_demand(answer.at_answer.gpus)}, {share} of the GPUs are allocated on average.")
    return section("How often all levels hold", table(columns, rows), use) if rows else None


def _row(name: str, met: Attainment) -> tuple[str, str, str]:
    return f"{name:<30}", _demand(met.gpus), words.measured(met.share, met.low, met.high)


def _how_sure(answer: DemandAnswer) -> Iterator[str]:
    s = answer.sizing
    confidence = f"{format_share(s.confidence)} confidence"
    if answer.feasible is False:
        yield f"That even the least demand considered is too much holds with {confidence}."
    elif answer.factor is not None:
        yield f"{format_share(answer.factor)} is certified to be carried. {guarantee(s, 'demand')}"
        if s.smaller_insufficient_claim:
            high = format_share(answer.factor_high or answer.factor)
            yield f"Every demand above {high} is too much; both claims hold together with {confidence}."
        elif not s.low_is_grid_minimum:
            yield "It is the largest certified of the demands tested; a larger one may be carried."
    elif answer.factor_low is not None:
        yield f"{format_share(answer.factor_low)} looks carried, but is not certified. {guarantee(s, 'demand')}"
    odd = s.non_monotone
    if odd is not None and odd.seen:
        yield (
            f"Less demand did not always help: {odd.seen:,} of {odd.checked:,} periods hold with more demand and fail "
            "with less."
        )
    yield "Every arrival rate and every scheduled count is multiplied alike; sizes and run times of jobs stay."
    yield from (note for note in notes(s) if "size" not in note)


def _next_steps(answer: DemandAnswer) -> RenderableType | None:
    s, steps = answer.sizing, []
    if answer.resolved and answer.feasible is not False:
        return None
    if answer.feasible is False:
        ceiling = answer.findings.ceiling
        if ceiling is not None and ceiling.infeasible:
            steps += [
                f"'{each.sentence}' cannot be met by any center: {each.remedy}."
                for each in ceiling.impossible
            ]
        elif answer.binding_slo:
            steps.append(f"Relax the level that decides: {answer.binding_slo}.")
        steps.append("Or allow less demand (study.min_demand), or more GPUs (gpusim size --vary gpus).")
        return section("What to do", bullets(steps))
    if answer.factor_low is not None and answer.factor_high is not None:
        interval = f"{format_share(answer.factor_low)} - {format_share(answer.factor_high)}"
        known = "Valid now" if s.certified else "Valid now, if less demand never hurts"
        steps.append(f"{known}: {interval}. Asked for: {format_share(s.tolerance_gpus / NOMINAL)} wide.")
    if s.out_of_time:
        steps.append("Allow more time (--time-limit), or use more --threads.")
    elif s.gpus_high is None:
        steps.append("Allow less demand (study.min_demand), or relax the level that decides.")
    if s.replications_needed is not None:
        needed = words.count(s.replications_needed)
        steps.append(f"About {needed} replications in all would make the interval as narrow as asked.")
        steps.append("Or accept a wider one, for example --set study.tolerance=10%.")
    return section("What to do", bullets(steps))
