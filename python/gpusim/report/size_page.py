"""The page of `gpusim size`: the number first, then why, how sure, at what cost, and how to get it again."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from gpusim.plan.answer import Answer
from gpusim.plan.demand import DemandAnswer
from gpusim.report import words
from gpusim.report.agreements import agreement_sections
from gpusim.report.demand_page import demand_page
from gpusim.report.evictions import evictions_section
from gpusim.report.findings import (
    SIZE_COLUMNS,
    assumed_section,
    demand_section,
    guarantee,
    levels_section,
    notes,
    occupancy_section,
    size_row,
    spreadsheet_section,
    warnings_section,
)
from gpusim.report.layout import bullets, headline, page, plain, section, table
from gpusim.report.levels import levels_in_words
from gpusim.report.origin import origin
from gpusim.report.why import why_section
from gpusim.units import format_share


def size_page(answer: Answer) -> Group:
    """The answer on one page.

    Parameters
    ----------
    answer : Answer
        From `gpusim.size`, whatever was varied.

    Returns
    -------
    rich.console.Group
        Print it with rich, or turn it into text with `to_text`.
    """
    if isinstance(answer, DemandAnswer):
        return demand_page(answer)
    found = answer.findings
    where = "with unlimited GPUs" if _never(answer) else ""
    if not where and found.at_answer is not None:
        where = f"with {_gpus(answer, found.at_answer.gpus)}"
    below = "" if found.below is None else f"with {_gpus(answer, found.below.gpus)}"
    return page(
        headline(_headline(answer)),
        *(plain(line) for line in _under_the_headline(answer)),
        levels_section(found, answer.sizing, where, below),
        _sizes(answer),
        occupancy_section(found),
        demand_section(found),
        why_section(found.why),
        evictions_section(found.evictions),
        *agreement_sections(found.agreements, found.why),
        spreadsheet_section(found),
        section("How sure", bullets(_how_sure(answer))),
        _next_steps(answer),
        assumed_section(found),
        warnings_section(found),
        origin(answer.spent, answer.provenance),
    )


def _never(answer: Answer) -> bool:
    """Whether even unlimited GPUs are too few."""
    ceiling = answer.findings.ceiling
    return ceiling is not None and ceiling.infeasible


def _gpus(answer: Answer, number: int) -> str:
    """`512 GPUs`, or `512 GPUs of h200`."""
    of = "" if answer.vary == "gpus" else f" of {answer.vary}"
    return f"{words.gpus(number)}{of}"


def _asked(answer: Answer) -> str:
    share = format_share(answer.sizing.attainment)
    return f"to meet {levels_in_words(len(answer.slos))} in at least {share} of periods"


def _confidence(answer: Answer) -> str:
    return f"{format_share(answer.sizing.confidence)} confidence"


def _headline(answer: Answer) -> str:
    low, high, asked = answer.gpus_low, answer.gpus_high, _asked(answer)
    if _never(answer):
        return f"No number of GPUs is enough {asked}."
    if answer.feasible is False:
        top = _gpus(answer, answer.at_answer.gpus) if answer.at_answer else "the largest size considered"
        return f"No center of up to {top} is large enough {asked}."
    if answer.gpus is not None:
        interval = f"{words.count(low or answer.gpus)} - {words.count(answer.gpus)}, {_confidence(answer)}"
        most = "" if answer.resolved else "at most "
        return f"You need {most}{_gpus(answer, answer.gpus)} ({interval}) {asked}."
    known_low = low is not None and not answer.sizing.low_is_grid_minimum
    if high is not None:
        at_least = f"{words.count(low)} - " if low is not None and known_low else "up to "
        return f"Not decided: {at_least}{_gpus(answer, high)} may be needed {asked}."
    if low is not None and known_low:
        return f"Not decided: {_gpus(answer, low)} or more are needed {asked}."
    return f"Not decided how many GPUs are needed {asked}."


def _under_the_headline(answer: Answer) -> Iterator[str]:
    others = {name: n for name, n in answer.pools.items() if name != answer.vary and n is not None}
    if answer.vary != "gpus" and others:
        yield f"Beside {', '.join(f'{words.gpus(n)} of {name}' for name, n in others.items())}, which stay."
    have = answer.have
    if have is not None:
        met = words.measured(have.share, have.low, have.high)
        yield f"With the {words.count(have.gpus)} you have, they are met in {met} of periods."
    if _never(answer):
        for each in answer.findings.ceiling.impossible if answer.findings.ceiling else ():
            met = words.measured(each.attainment.value, each.attainment.low, each.attainment.high)
            yield f"'{each.sentence}' is met in {met} of periods even if no job ever waits for a GPU."
    elif not answer.resolved:
        yield "This is less certain than asked: what is valid, and what to do, stands under What to do."
    band = answer.band
    if band is not None and band.empty:
        yield f"With the levels on occupancy no size meets everything: {band.because}."
    yield f"One period: {answer.findings.horizon}."


def _sizes(answer: Answer) -> RenderableType | None:
    at = answer.at_answer
    name = "the answer" if answer.gpus is not None else "the largest size considered"
    if answer.gpus is None and answer.gpus_high is not None:
        name = "likely enough, not certified"
    sizes = ((name, at), ("one step below the interval", answer.below), ("what you have", answer.have))
    rows = [size_row(name, each.gpus, each) for name, each in sizes if each is not None]
    use = None
    if answer.findings.occupancy is not None and at is not None:
        use = plain(
            f"Of {_gpus(answer, at.gpus)}, {words.percent(answer.findings.occupancy.value)} are allocated on average."
            if answer.vary == "gpus"
            else f"{words.percent(answer.findings.occupancy.value)} of all GPUs are allocated on average."
        )
    have = answer.have
    not_run = None
    if have is not None and have.implied and (at is None or have.gpus != at.gpus):
        periods = words.things(have.replications, "period")
        not_run = plain(
            f"With {_gpus(answer, have.gpus)}, {have.implied:,} of {periods} were not run: they hold with fewer, or "
            "fail with more."
        )
    return section("How often all levels hold", table(SIZE_COLUMNS, rows), use, not_run) if rows else None


def _how_sure(answer: Answer) -> Iterator[str]:
    s = answer.sizing
    if _never(answer):
        ceiling = answer.findings.ceiling
        n = ceiling.attainment.replications if ceiling else 0
        yield (
            f"Shown on {words.things(n, 'period')} in which every job starts as early as any center could start it: no "
            "center does better. The chance of such a result by luck is below 1 in 1,000."
        )
    elif answer.feasible is False:
        yield f"That even the largest size considered is too small holds with {_confidence(answer)}."
    elif answer.gpus is not None:
        yield f"{_gpus(answer, answer.gpus)} is certified to be enough. {guarantee(s, 'size')}"
        if s.smaller_insufficient_claim:
            low = words.gpus(s.gpus_low or answer.gpus)
            yield f"Every size below {low} is too small; both claims hold together with {_confidence(answer)}."
        elif not s.low_is_grid_minimum:
            yield "It is the smallest certified of the sizes tested; a smaller one may be enough."
    elif s.gpus_high is not None:
        yield f"{_gpus(answer, s.gpus_high)} looks like enough, but is not certified. {guarantee(s, 'size')}"
    odd = s.non_monotone
    if odd is not None and odd.seen:
        yield (
            f"More GPUs did not always help: {odd.seen:,} of {odd.checked:,} periods hold with fewer GPUs and fail "
            "with more."
        )
    yield from notes(s)


def _next_steps(answer: Answer) -> RenderableType | None:
    s, steps = answer.sizing, []
    if answer.resolved and answer.feasible is not False:
        return None
    if _never(answer):
        for each in answer.findings.ceiling.impossible if answer.findings.ceiling else ():
            steps.append(f"'{each.sentence}': {each.remedy}.")
        return section("What to do", bullets(steps))
    if answer.feasible is False:
        steps.append(
            f"Relax the level that decides: {answer.binding_slo}." if answer.binding_slo else "Relax a level."
        )
        steps.append("Or allow larger centers: raise study.max_gpus.")
        return section("What to do", bullets(steps))
    if s.gpus_low is not None and s.gpus_high is not None:
        interval = f"{words.count(s.gpus_low)} - {words.gpus(s.gpus_high)}"
        known = "Valid now" if s.certified else "Valid now, if more GPUs never hurt"
        steps.append(f"{known}: {interval}. Asked for: {words.gpus(s.tolerance_gpus)} wide.")
    elif s.gpus_low is not None and not s.low_is_grid_minimum:
        steps.append(f"Valid now: {words.gpus(s.gpus_low)} or more.")
    if s.out_of_time:
        steps.append("Allow more time (--time-limit), or use more --threads.")
    elif s.gpus_high is None:
        steps.append("Allow larger centers (study.max_gpus), or relax the level that decides.")
    if s.replications_needed is not None:
        needed = words.count(s.replications_needed)
        steps.append(f"About {needed} replications in all would make the interval as narrow as asked.")
        steps.append("Or accept a wider one, for example --set study.tolerance=10%.")
    return section("What to do", bullets(steps))
