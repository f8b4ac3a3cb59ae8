"""The page of `gpusim compare`: what each change is worth in GPUs, which level decides then, and who pays."""

from __future__ import annotations

import math

from rich.console import Group

from gpusim.plan.comparison import BASE, Compared, Comparison
from gpusim.report import words
from gpusim.report.layout import Column, bullets, headline, page, plain, section, table
from gpusim.report.origin import origin
from gpusim.report.worth import deciding, signed, worth
from gpusim.units import format_share

_CHANGES = 3
"""Changes of a variant that are written out; with more, its description must do."""


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
        Column("against", number=False),
        Column("mean"),
        Column("time"),
    )
    seconds = {each.name: each.seconds for each in c.costs}
    rows = [
        (
            each.name,
            _gpus(each.gpus),
            signed(each.difference),
            _interval(each),
            each.against,
            _mean(each),
            words.duration(seconds[each.name]),
        )
        for each in (c.base, *c.variants)
    ]
    together = "" if len(c.variants) < 2 else f"; all {len(c.variants)} hold at once"
    return page(
        headline(_headline(c)),
        plain(
            f"{words.things(c.replications, 'period')} of {c.horizon}; sizes in steps of {words.gpus(c.step)}."
        ),
        section(
            "In GPUs, at equal service",
            table(columns, rows),
            plain(
                f"GPUs: smallest size that meets every level in {format_share(c.attainment)} of these periods. "
                "Difference: how many more it needs for that than what it is compared with; below 0 it saves GPUs. "
                f"Interval of it: {format_share(c.confidence)}{together}; where it holds 0, no effect is shown. "
                "Mean: difference of a period's smallest sizes, +- its standard error."
            ),
        ),
        section(
            "What each is worth, and who pays",
            bullets(
                [
                    deciding(c.base, c.replications),
                    *(worth(each, c[each.against], c.replications) for each in c.variants if each.against),
                ]
            ),
            plain(
                f"Decides: in how many of {words.things(c.replications, 'period')} a level is missed one step below "
                "the size that meets all. Pays, gains: in how many a level holds without the change and with it, in a "
                "center of one size."
            ),
        ),
        section("What was changed", bullets(f"{each.name}: {_about(each)}" for each in c.variants)),
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
        f"{signed(largest.difference)}{f' ({_interval(largest)})' if largest.low != largest.high else ''}{against}."
    )


def _gpus(number: float) -> str:
    return words.count(number) if math.isfinite(number) else "none"


def _interval(each: Compared) -> str:
    if each.low is None or each.high is None:
        return ""
    return f"{signed(each.low)} to {signed(each.high)}" if each.low != each.high else signed(each.low)


def _mean(each: Compared) -> str:
    if each.mean is None or each.standard_error is None or not math.isfinite(each.mean):
        return ""
    return f"{each.mean:+,.0f} +- {each.standard_error:,.0f}"


def _about(each: Compared) -> str:
    listed = [f"{key} = {value}" for key, value in each.changes.items()]
    if not each.about:
        return ", ".join(listed)
    more = f"{len(listed):,} settings" if len(listed) > _CHANGES else ", ".join(listed)
    return f"{each.about} ({more})"
