"""Shares in service levels: read, held to whole millionths, and what to write where they are not."""

from __future__ import annotations

import math

from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.slo_level import MILLION
from gpusim.units import UnitError, format_share, parse_share, show


def read_share(text: str, sentence: str, code: str = "slo-share") -> float:
    """Read `95%` or `0.95`, whatever its size."""
    try:
        return parse_share(text)
    except UnitError as error:
        thing = "occupancy of this SLO" if code == "slo-occupancy" else "share of this SLO"
        raise Mistake(f"the {thing}: {error.what}", error.remedy, show(sentence), code=code) from error


def share_of_jobs(text: str, sentence: str) -> float:
    """Read a share above 0 % and at most 100 %, in whole millionths."""
    return in_millionths(read_share(text, sentence), text)


def in_millionths(share: float, found: object) -> float:
    """Return a share above 0 and at most 1 as the float nearest to its whole number of millionths."""
    if not 0 < share <= 1:
        raise bad_share("the share of an SLO must be above 0% and at most 100%", "95%", found)
    return whole_millionths(share, found)


def whole_millionths(share: float, found: object) -> float:
    """Return a share as the float nearest to its whole number of millionths."""
    nearest = round(share * MILLION) / MILLION
    if abs(share - nearest) <= 2 * math.ulp(share):  # a percentage is rounded twice, as a float
        return nearest
    below = min(math.floor(share * MILLION), MILLION - 1)
    offered = [format_share(ppm / MILLION, digits=6) for ppm in (below, below + 1) if ppm]
    raise Mistake(
        "the share of this SLO is not a whole number of millionths",
        f"write {' or '.join(offered)}",
        show(found),
        code="slo-share",
    )


def bad_share(what: str, example: str, found: object) -> Mistake:
    """A share out of range, with one that is not."""
    return Mistake(what, f"write for example {example}", show(found), code="slo-share")
