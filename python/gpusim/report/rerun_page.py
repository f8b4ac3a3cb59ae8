"""The page of `gpusim rerun`: the same answer, or what is different."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group

from gpusim._version import __version__
from gpusim.plan.rerun import Rerun
from gpusim.report import words
from gpusim.report.layout import Column, bullets, facts, headline, page, plain, section, table

_SHOWN = 30
"""Differences listed on the page; the JSON form has all."""


def rerun_page(result: Rerun) -> Group:
    """Whether an answer is repeated, on one page."""
    return page(
        headline(_verdict(result)),
        section("Differences", _differences(result), _more(result)) if result.differences else None,
        section("Mind", bullets(result.warnings, "!", "yellow")) if result.warnings else None,
        section("What was repeated", facts(_origin(result))),
    )


def _verdict(result: Rerun) -> str:
    compared = words.things(result.compared, "value")
    if result.same:
        return f"same answer: {_answer(result)}{compared} equal."
    return f"different answer: {_answer(result)}{len(result.differences):,} of {compared} not equal."


def _answer(result: Rerun) -> str:
    """What the repetition says, before the rest of a sentence."""
    if result.factor is not None and result.gpus is not None:
        return f"{words.percent(result.factor)} of the demand on {words.gpus(result.gpus)}, "
    return "" if result.gpus is None else f"{words.gpus(result.gpus)}, "


def _differences(result: Rerun) -> Group:
    columns = (Column("value", number=False), Column("recorded"), Column("now"))
    rows = [(each.key, _written(each.recorded), _written(each.now)) for each in result.differences[:_SHOWN]]
    return Group(table(columns, rows))


def _more(result: Rerun) -> Group | None:
    left = len(result.differences) - _SHOWN
    return Group(plain(f"and {left:,} more (--json lists all)")) if left > 0 else None


def _written(value: object) -> str:
    if value is None:
        return words.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _origin(result: Rerun) -> Iterator[tuple[str, str]]:
    recorded = result.recorded
    options = {"seed": recorded.options["seed"], **recorded.options}
    given = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    yield "answer", recorded.source
    yield "scenario", f"{recorded.scenario.name}, hash {recorded.scenario.hash[:12]}"
    yield "call", f"{recorded.verb} with {given}"
    yield "made by", f"gpusim {recorded.version}; repeated by {__version__}"
    spent = result.spent
    cost = f"{words.things(spent.runs, 'run')}, {words.duration(spent.seconds)}"
    yield "cost", f"{cost} on {words.things(spent.threads, 'thread')}"
