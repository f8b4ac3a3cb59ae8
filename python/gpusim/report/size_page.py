"""The page of `gpusim size`: the number first, then why, how sure, at what cost, and how to get it again."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from gpusim.plan.answer import Answer
from gpusim.plan.measure import Attainment
from gpusim.report import words
from gpusim.report.layout import Column, bullets, headline, page, plain, section, table
from gpusim.report.levels import legend, levels_in_words, levels_table, undecided
from gpusim.report.origin import origin
from gpusim.stats.evidence import (
    GUARANTEE_DEADLINE,
    GUARANTEE_EXACT,
    GUARANTEE_FILL_IN,
    GUARANTEE_IMPLIED,
)
from gpusim.units import format_share


def size_page(answer: Answer) -> Group:
    """The answer on one page.

    Parameters
    ----------
    answer : Answer
        From `gpusim.size`.

    Returns
    -------
    rich.console.Group
        Print it with rich, or turn it into text with `to_text`.
    """
    return page(
        headline(_headline(answer)),
        *(plain(line) for line in _under_the_headline(answer)),
        _levels(answer),
        _sizes(answer),
        _spreadsheet(answer),
        section("How sure", bullets(_how_sure(answer))),
        _next_steps(answer),
        section("What was assumed", bullets(answer.assumptions)) if answer.assumptions else None,
        section("Warnings", bullets(answer.warnings, "!", "yellow")) if answer.warnings else None,
        origin(answer.spent, answer.provenance),
    )


def _asked(answer: Answer) -> str:
    share = format_share(answer.sizing.attainment)
    return f"to meet {levels_in_words(len(answer.slos))} in at least {share} of periods"


def _confidence(answer: Answer) -> str:
    return f"{format_share(answer.sizing.confidence)} confidence"


def _headline(answer: Answer) -> str:
    low, high, asked = answer.gpus_low, answer.gpus_high, _asked(answer)
    if answer.feasible is False:
        top = words.gpus(answer.at_answer.gpus) if answer.at_answer else "the largest size considered"
        return f"No center of up to {top} is large enough {asked}."
    if answer.gpus is not None:
        interval = f"{words.count(low or answer.gpus)} - {words.count(answer.gpus)}, {_confidence(answer)}"
        most = "" if answer.resolved else "at most "
        return f"You need {most}{words.gpus(answer.gpus)} ({interval}) {asked}."
    known_low = low is not None and not answer.sizing.low_is_grid_minimum
    if high is not None:
        at_least = f"{words.count(low)} - " if low is not None and known_low else "up to "
        return f"Not decided: {at_least}{words.gpus(high)} may be needed {asked}."
    if low is not None and known_low:
        return f"Not decided: {words.gpus(low)} or more are needed {asked}."
    return f"Not decided how many GPUs are needed {asked}."


def _under_the_headline(answer: Answer) -> Iterator[str]:
    have = answer.have
    if have is not None:
        met = words.measured(have.share, have.low, have.high)
        yield f"With the {words.count(have.gpus)} you have, they are met in {met} of periods."
    if not answer.resolved:
        yield "This is less certain than asked: what is valid, and what to do, stands under What to do."
    yield f"One period: {answer.horizon}."


def _levels(answer: Answer) -> RenderableType | None:
    if not answer.slos or answer.at_answer is None:
        return None
    left_out = undecided(answer.slos)
    return section(
        f"Service levels with {words.gpus(answer.at_answer.gpus)}",
        levels_table(answer.slos, answer.at_answer, answer.sizing.attainment),
        plain(f"Binding level, the first to fail: {answer.binding_slo}") if answer.binding_slo else None,
        plain(legend(answer.sizing.attainment, answer.sizing.confidence)),
        plain(left_out) if left_out else None,
    )


def _sizes(answer: Answer) -> RenderableType | None:
    at = answer.at_answer
    name = "the answer" if answer.gpus is not None else "the largest size considered"
    if answer.gpus is None and answer.gpus_high is not None:
        name = "likely enough, not certified"
    sizes = ((name, at), ("one step below the interval", answer.below), ("what you have", answer.have))
    rows = [_size_row(name, each.gpus, each) for name, each in sizes if each is not None]
    use = None
    if answer.occupancy is not None and at is not None:
        use = plain(
            f"Of {words.gpus(at.gpus)}, {words.percent(answer.occupancy)} are allocated on average; "
            f"{words.amount(answer.offered_load)} would be in use if nobody waited."
        )
    return section("How often all levels hold", table(_SIZE_COLUMNS, rows), use) if rows else None


def _spreadsheet(answer: Answer) -> RenderableType | None:
    rows = [_size_row(each.rule.name, each.rule.gpus, each.attainment) for each in answer.rules]
    return section("What a spreadsheet would say", table(_SIZE_COLUMNS, rows)) if rows else None


_SIZE_COLUMNS = (Column("", number=False), Column("GPUs"), Column("periods met"))


def _size_row(name: str, gpus: int, met: Attainment | None) -> tuple[str, str, str]:
    share = "not run" if met is None else words.measured(met.share, met.low, met.high)
    return f"{name:<41}", words.count(gpus), share


def _how_sure(answer: Answer) -> Iterator[str]:
    s = answer.sizing
    if answer.feasible is False:
        yield f"That even the largest size considered is too small holds with {_confidence(answer)}."
    elif answer.gpus is not None:
        yield f"{words.gpus(answer.gpus)} is certified to be enough. {_guarantee(answer)}"
        if s.smaller_insufficient_claim:
            low = words.gpus(s.gpus_low or answer.gpus)
            yield f"Every size below {low} is too small; both claims hold together with {_confidence(answer)}."
        elif not s.low_is_grid_minimum:
            yield "It is the smallest certified of the sizes tested; a smaller one may be enough."
    elif s.gpus_high is not None:
        yield f"{words.gpus(s.gpus_high)} looks like enough, but is not certified. {_guarantee(answer)}"
    odd = s.non_monotone
    if odd is not None and odd.seen:
        yield (
            f"More GPUs did not always help: {odd.seen:,} of {odd.checked:,} periods hold with fewer GPUs and fail "
            "with more."
        )
    yield from (f"{note[:1].upper()}{note[1:]}." for note in s.notes if not note.startswith(_SAID_BETTER))


_SAID_BETTER = ("gpus_high is", "even ", "the interval is")
"""Beginnings of notes whose content this page says in its own words."""


def _guarantee(answer: Answer) -> str:
    """The guarantee in plain words."""
    s = answer.sizing
    if s.guarantee == GUARANTEE_IMPLIED:
        return "Some periods were not run at this size: they are taken to pass because they pass with fewer GPUs."
    said = {
        GUARANTEE_EXACT: "Exact, by counting alone.",
        GUARANTEE_FILL_IN: (
            "Every period was run at this size. Approximate in one respect: the size was picked among the few tried, "
            "on the same periods."
        ),
        GUARANTEE_DEADLINE: "Exact, if the time limit did not depend on the results.",
    }.get(s.guarantee, "")
    if "hold-out" in s.ranges:
        said += " The periods that certify it were not used to find it."
    if s.p_value is not None:
        chance = words.probability(s.p_value)
        said += f" Were it just too small, so many periods would pass with probability {chance}."
    return said


def _next_steps(answer: Answer) -> RenderableType | None:
    s, steps = answer.sizing, []
    if answer.resolved and answer.feasible is not False:
        return None
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
