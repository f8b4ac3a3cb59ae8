"""Sections that every sizing page shares: the levels, the classes, what was assumed, what a spreadsheet says."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from gpusim.plan.answer import Findings
from gpusim.plan.measure import Attainment
from gpusim.report import words
from gpusim.report.layout import Column, bullets, plain, section, table
from gpusim.report.levels import legend, levels_table, occupancy_table, undecided
from gpusim.stats.evidence import (
    GUARANTEE_DEADLINE,
    GUARANTEE_EXACT,
    GUARANTEE_FILL_IN,
    GUARANTEE_IMPLIED,
    SizingResult,
)

_SHOWN_ASSUMED = 8
"""Paths of assumed numbers that a page lists."""


def levels_section(found: Findings, sizing: SizingResult, where: str, below: str) -> RenderableType | None:
    """Every level at the answer, and one step below it: who pays.

    Parameters
    ----------
    found : Findings
    sizing : SizingResult
    where : str
        "with 480 GPUs".
    below : str
        The same of the step below.
    """
    if not found.slos:
        return None
    left_out = undecided(found.slos)
    lower = below if any(slo.below is not None for slo in found.slos) else ""
    return section(
        f"Service levels {where}",
        levels_table(found.slos, found.at_answer, sizing.attainment, found.below),
        plain(f"Binding level, the first to fail: {found.binding_slo}") if found.binding_slo else None,
        plain(legend(sizing.attainment, sizing.confidence, lower)),
        plain(left_out) if left_out else None,
    )


def demand_section(found: Findings) -> RenderableType:
    """Mean and peak load side by side, and how often each class occurs."""
    rows = [
        (
            c.name,
            words.few(c.jobs),
            words.measured(c.occurs.value, c.occurs.low, c.occurs.high),
            words.amount(c.gpus_in_use),
        )
        for c in found.classes
    ]
    columns = (
        Column("class", number=False),
        Column("jobs a period"),
        Column("periods with any"),
        Column("GPUs used"),
    )
    lines = [plain(_loads(found))]
    rare = [c.name for c in found.classes if c.occurs.value < 1.0]
    if rare:
        lines.append(
            plain(f"Not in every period: {', '.join(rare)}. What a rare class needs shows in the tail only.")
        )
    return section("Demand", *lines, table(columns, rows) if rows else None)


def _loads(found: Findings) -> str:
    mean, peak = words.amount(found.offered_load), words.amount(found.peak_load)
    text = f"If nobody waited, {mean} GPUs would be in use on average and {peak} in the busiest hour"
    ratio = found.peak_load / found.offered_load if found.offered_load > 0 else 1.0
    return f"{text} ({ratio:.2f} times the mean)." if ratio >= 1.005 else f"{text}."


def spreadsheet_section(found: Findings) -> RenderableType | None:
    """Rules of thumb, and how often all levels would hold with what they say."""
    rows = [size_row(each.rule.name, each.rule.gpus, each.attainment) for each in found.rules]
    return section("What a spreadsheet would say", table(SIZE_COLUMNS, rows)) if rows else None


def occupancy_section(found: Findings) -> RenderableType | None:
    """The band of sizes that the levels on occupancy leave."""
    band = found.band
    if band is None:
        return None
    if band.empty:
        verdict = f"No size meets every level: {band.because}."
    elif band.low is None:
        verdict = f"Not decided: {band.because}."
    elif band.high is None:
        verdict = f"{words.gpus(band.low)} or more meet every level: {band.because}."
    else:
        verdict = f"{words.count(band.low)} to {words.gpus(band.high)} meet every level: {band.because}."
    return section(
        "Occupancy",
        plain(verdict),
        occupancy_table(band.levels),
        plain(f"From {words.things(band.replications, 'period')}; an estimate, not certified."),
    )


def assumed_section(found: Findings) -> RenderableType | None:
    """Sentences and numbers that nobody measured."""
    if not found.assumptions and not found.assumed:
        return None
    return section("What was assumed", bullets((*found.assumptions, *_assumed(found.assumed))))


def _assumed(paths: tuple[str, ...]) -> Iterator[str]:
    if not paths:
        return
    shown = ", ".join(paths[:_SHOWN_ASSUMED])
    more = f", and {len(paths) - _SHOWN_ASSUMED:,} more (see --json)" if len(paths) > _SHOWN_ASSUMED else ""
    yield f"{words.things(len(paths), 'value')} of the scenario marked as assumed: {shown}{more}."


def warnings_section(found: Findings) -> RenderableType | None:
    """Doubts."""
    return section("Warnings", bullets(found.warnings, "!", "yellow")) if found.warnings else None


SIZE_COLUMNS = (Column("", number=False), Column("GPUs"), Column("periods met"))


def size_row(name: str, gpus: int, met: Attainment | None) -> tuple[str, str, str]:
    """A size, and how often all levels hold there."""
    share = "not run" if met is None else words.measured(met.share, met.low, met.high)
    return f"{name:<45}", words.count(gpus), share


_SAID_BETTER = ("gpus_high is", "even ", "the interval is", "no search was made")
"""Beginnings of notes whose content the pages say in their own words."""


def notes(sizing: SizingResult) -> Iterator[str]:
    """What the search noted, as sentences."""
    yield from (
        f"{note[:1].upper()}{note[1:]}." for note in sizing.notes if not note.startswith(_SAID_BETTER)
    )


def guarantee(sizing: SizingResult, value: str) -> str:
    """The guarantee in plain words; `value` is "size" or "demand"."""
    easier = "fewer GPUs" if value == "size" else "more demand"
    if sizing.guarantee == GUARANTEE_IMPLIED:
        return f"Some periods were not run at this {value}: they are taken to pass because they pass with {easier}."
    said = {
        GUARANTEE_EXACT: "Exact, by counting alone.",
        GUARANTEE_FILL_IN: (
            f"Every period was run at this {value}. Approximate in one respect: the {value} was picked among the few "
            "tried, on the same periods."
        ),
        GUARANTEE_DEADLINE: "Exact, if the time limit did not depend on the results.",
    }.get(sizing.guarantee, "")
    if "hold-out" in sizing.ranges:
        said += " The periods that certify it were not used to find it."
    if sizing.p_value is not None:
        chance = words.probability(sizing.p_value)
        said += f" Were it just {'too small' if value == 'size' else 'too much'}, so many periods would pass with "
        said += f"probability {chance}."
    return said
