"""The page of `gpusim compare`: what each change is worth in GPUs, and which level decides then."""

from __future__ import annotations

import math

from rich.console import Group

from gpusim.plan.comparison import BASE, Compared, Comparison
from gpusim.report import words
from gpusim.report.layout import Column, bullets, headline, page, plain, section, table
from gpusim.report.origin import origin
from gpusim.units import format_share

_LEVELS = 3
"""Binding levels named in a row."""


def compare_page(comparison: Comparison) -> Group:
    """The comparison on one page.

    Parameters
    ----------
    comparison : Comparison
        From `gpusim.compare`.
    """
    c = comparison
    columns = (
        Column("", number=False),
        Column("GPUs"),
        Column("difference"),
        Column("interval"),
        Column("mean"),
    )
    rows = [
        (each.name, _gpus(each.gpus), _signed(each.difference), _interval(each), _mean(each))
        for each in (c.base, *c.variants)
    ]
    abouts = [f"{each.name}: {_about(each)}" for each in c.variants]
    return page(
        headline(_headline(c)),
        plain(
            f"{words.things(c.replications, 'period')} of {c.horizon}; sizes in steps of {words.gpus(c.step)}."
        ),
        section(
            "In GPUs",
            table(columns, rows),
            plain(
                f"GPUs: smallest size that meets every level in {format_share(c.attainment)} of these periods. "
                f"Interval: {format_share(c.confidence)}, paired bootstrap; where it holds 0, no effect is shown. "
                "Mean: difference of a period's smallest sizes, +- its standard error."
            ),
        ),
        section(
            "Which level decides", bullets(_binding(each, c.replications) for each in (c.base, *c.variants))
        ),
        section("What was changed", bullets(abouts)),
        section("How sure", bullets(f"{note[:1].upper()}{note[1:]}." for note in c.notes))
        if c.notes
        else None,
        origin(c.spent, c.provenance),
    )


def _headline(c: Comparison) -> str:
    shown = [each for each in c.variants if each.shown and each.difference is not None]
    base = words.gpus(round(c.base.gpus)) if math.isfinite(c.base.gpus) else "no size considered"
    of = "" if c.vary == "gpus" else f" of {c.vary}"
    if not shown:
        quantile = f"what is enough in {format_share(c.attainment)} of periods"
        text = f"As it is the center needs {base}{of}; none of the changes is shown to move {quantile}"
        clear = [each for each in c.variants if abs(each.mean or 0.0) > 2 * (each.standard_error or math.inf)]
        means = ", ".join(f"{each.name} {_mean(each)}" for each in clear)
        return f"{text}{f', though on average some do: {means}' if means else ''}."
    largest = max(shown, key=lambda each: abs(each.difference or 0.0))
    against = "" if largest.against == BASE else f" against {largest.against}"
    return (
        f"As it is the center needs {base}{of}; what changes most is {largest.name}: "
        f"{_signed(largest.difference)} ({_interval(largest)}){against}."
    )


def _gpus(number: float) -> str:
    return words.count(number) if math.isfinite(number) else "none"


def _signed(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:+,.0f}" if math.isfinite(number) else ("never met" if number > 0 else "met now")


def _interval(each: Compared) -> str:
    if each.low is None or each.high is None:
        return ""
    return f"{_signed(each.low)} to {_signed(each.high)}"


def _mean(each: Compared) -> str:
    if each.mean is None or each.standard_error is None or not math.isfinite(each.mean):
        return ""
    return f"{each.mean:+,.0f} +- {each.standard_error:,.0f}"


def _binding(each: Compared, replications: int) -> str:
    if each.infeasible:
        return f"{each.name}: {each.infeasible}."
    named = ", ".join(f"'{b.sentence}' {b.replications:,}" for b in each.binding[:_LEVELS])
    more = len(each.binding) - _LEVELS
    rest = f", and {words.things(more, 'other')}" if more > 0 else ""
    never = f"; {each.never:,} never met" if each.never else ""
    return f"{each.name}: {named or 'none'}{rest} (of {words.things(replications, 'period')}{never})."


def _about(each: Compared) -> str:
    changes = ", ".join(f"{key} = {value}" for key, value in each.changes.items())
    against = "" if each.against in (BASE, "") else f"; compared with {each.against}"
    return f"{each.about or 'set'} ({changes}){against}" if each.about else f"{changes}{against}"
