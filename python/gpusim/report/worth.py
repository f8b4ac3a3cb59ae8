"""What a change is worth, in sentences: GPUs at equal service, the level that decides, and who pays."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpusim.plan.comparison import BASE, BindingCount, Compared, LevelShift
from gpusim.report import words

_LEVELS = 2
"""Levels named of each kind."""
_CLEAR = 3.0
"""Standard errors from 0 at which a mean is worth a word."""


def worth(each: Compared, base: Compared, replications: int) -> str:
    """Three sentences on one variant.

    Parameters
    ----------
    each : Compared
    base : Compared
        What it is compared with.
    replications : int
        Periods behind both.
    """
    parts = [f"{each.name}: {_price(each, base)}."]
    if not each.infeasible:
        parts += [_decides(each.binding, base.binding), *_who(each.shifts, base, replications)]
    return " ".join(parts)


def deciding(each: Compared, replications: int) -> str:
    """Which levels decide in one scenario alone."""
    never = f"; {each.never:,} never met" if each.never else ""
    periods = words.things(replications, "period")
    return f"{each.name}: decides {_binding(each.binding) or 'no level'} (of {periods}{never})."


def signed(number: float | None) -> str:
    """`+488`, `never met`."""
    if number is None:
        return ""
    return f"{number:+,.0f}" if math.isfinite(number) else ("never met" if number > 0 else "met now")


def _price(each: Compared, base: Compared) -> str:
    """What it costs or saves at equal service."""
    if each.infeasible:
        return each.infeasible
    low, high, difference = each.low, each.high, each.difference
    if low is None or high is None or difference is None:
        return "was not compared"
    against = "" if base.name == BASE else f" against {base.name}"
    if not math.isfinite(difference):
        without, none = (
            "no size considered is enough without it, some are with it",
            "no size considered is enough",
        )
        return none if difference > 0 else without
    if not each.shown:
        return f"no effect shown{against} at equal service: {_ends(low, high)}{_on_average(each)}"
    verb, sign = ("costs", 1) if difference > 0 else ("saves", -1)
    ends = sorted(sign * end for end in (low, high))
    bounds = " to ".join(words.count(end) if math.isfinite(end) else "no bound" for end in ends)
    return f"{verb} {words.gpus(round(abs(difference)))} ({bounds}){against} at equal service"


def _on_average(each: Compared) -> str:
    """What an average period needs more, where that is clear."""
    mean, error = each.mean, each.standard_error
    if mean is None or error is None or not abs(mean) > _CLEAR * error:
        return ""
    return f"; an average period needs {mean:+,.0f} +- {error:,.0f}"


def _ends(low: float, high: float) -> str:
    """`between 96 fewer and 288 more GPUs`."""

    def end(number: float) -> str:
        if not math.isfinite(number):
            return "any number more" if number > 0 else "any number fewer"
        return f"{abs(number):,.0f} {'fewer' if number < 0 else 'more'}" if number else "none"

    return f"between {end(low)} and {end(high)}" if low < high else "the same number"


def _binding(binding: Sequence[BindingCount]) -> str:
    named = ", ".join(f"'{each.sentence}' {each.replications:,}" for each in binding[:_LEVELS])
    more = len(binding) - _LEVELS
    return named + (f" and {words.things(more, 'other')}" if more > 0 else "")


def _decides(after: Sequence[BindingCount], before: Sequence[BindingCount]) -> str:
    """The levels that decide with a change, and the first of those that decided without it."""
    if not after:
        return "No level decides."
    was, now = ({each.sentence: each.replications for each in binding} for binding in (before, after))
    named = list(now)[:_LEVELS]
    said = ", ".join(f"'{name}' {now[name]:,} (before {was.get(name, 0):,})" for name in named)
    first = next(iter(was), named[0])
    if first in named:
        return f"Decides: {said}."
    return f"Decides: {said}; in place of '{first}' {now.get(first, 0):,} (before {was[first]:,})."


def _who(shifts: Sequence[LevelShift], base: Compared, replications: int) -> list[str]:
    """Who pays and who gains at equal size; nothing where no comparison at one size was made."""
    if not shifts:
        return []
    shown = [each for each in shifts if each.shown]
    pays = [each for each in shown if each.after < each.before]
    gains = [each for each in reversed(shown) if each.after > each.before]
    of = "" if base.name == BASE else f" that {base.name} needs"
    where = f"With the {words.gpus(shifts[0].gpus)}{of or ' that suffice without it'}"
    said = [
        f"{kind} {_moved(each, replications)}" for kind, each in (("pays", pays), ("gains", gains)) if each
    ]
    return [f"{where} {'; '.join(said) if said else 'nobody is shown to pay or to gain'}."]


def _moved(shifts: Sequence[LevelShift], replications: int) -> str:
    named = ", ".join(
        f"'{each.sentence}' ({each.before:,} to {each.after:,} of {replications:,} periods)"
        for each in shifts[:_LEVELS]
    )
    more = len(shifts) - _LEVELS
    return named + (f" and {words.things(more, 'other')}" if more > 0 else "")
