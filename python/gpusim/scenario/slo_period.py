"""Sentences about a whole period, which is judged once: `delivered`, `fair-share error`, `longest cascade`."""

from __future__ import annotations

import re

from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.slo_level import Metric, Slo
from gpusim.scenario.slo_shares import bad_share, read_share, share_of_jobs, whole_millionths
from gpusim.units import UnitError, parse_count, show

PERIOD_FORMS: dict[Metric, str] = {
    "delivered": "delivered >= SHARE of granted for TENANT",
    "fair_share_error": "fair-share error <= SHARE",
    "longest_cascade": "longest cascade <= NUMBER",
}
"""Their forms, by metric."""

MOST_EVICTIONS = 1_000_000
"""Largest limit on evictions."""

_GRANTED = re.compile(
    r"(?P<share>[^\s%]+(?:\s*%)?)\s+of\s+(?:the\s+|its\s+)?(?:granted|quota)(?:\s+GPU-time)?"
    r"\s+for\s+(?:(?P<every>(?:every|each)\s+tenant|all\s+tenants|all)|(?:the\s+)?(?P<tenant>\S+))",
    re.IGNORECASE,
)


def period_level(metric: Metric, text: str, sentence: str) -> Slo | None:
    """Read what follows the sign; None where it is of no form.

    Raises
    ------
    Mistake
        If a number cannot be read or is out of range.
    """
    if metric == "delivered":
        match = _GRANTED.fullmatch(text)
        if match is None:
            return None
        scope = "all" if match["every"] else match["tenant"].removesuffix("/all")
        return Slo(metric=metric, share=share_of_jobs(match["share"], sentence), scope=scope)
    if re.search(r"\s(?:for|of|in)\s", text):
        return None
    if metric == "longest_cascade":
        return Slo(metric=metric, most=read_number(text, sentence))
    error = read_share(text, sentence)
    if not 0 <= error < 1:
        raise bad_share("a fair-share error lies from 0% to below 100%", "fair-share error <= 10%", text)
    return Slo(metric=metric, most=whole_millionths(error, text) if error else 0.0)


def read_number(text: str, sentence: str) -> float:
    """Read a whole number of evictions, 0 or more.

    Raises
    ------
    Mistake
        If it is none.
    """
    try:
        number = parse_count(text.strip())
    except UnitError as error:
        remedy = "write a whole number of evictions, for example 2"
        raise Mistake(
            f"the limit of this SLO: {error.what}", remedy, show(sentence), code="slo-limit"
        ) from error
    if not 0 <= number <= MOST_EVICTIONS:
        remedy = f"write 0 to {MOST_EVICTIONS:,}"
        raise Mistake("this number of evictions is out of range", remedy, f"'{text}'", code="slo-limit")
    return float(number)
