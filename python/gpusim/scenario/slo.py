"""Service levels as sentences.

    wait <= LIMIT for SHARE of SCOPE jobs            wait <= 4h for 90% of training jobs

wait = start - submit. Of the counted jobs in the scope, at least SHARE must start within LIMIT; a job that
was refused, left the queue or was killed before it started has not (R38 in the model's rules).

SCOPE is a class (`training`), a tenant (`university`: all its classes), `tenant/class`, or `all`. Where a
bare name could mean two things the sentence is refused; `tenant/all` and `all/class` say which is meant.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean
from gpusim.units import UnitError, format_duration, format_share, parse_duration, parse_share, show

GRAMMAR = "wait <= LIMIT for SHARE of SCOPE jobs"
EXAMPLE = "wait <= 4h for 90% of all jobs"
MILLION = 1_000_000  # the engine compares shares in millionths, in whole numbers

_SENTENCE = re.compile(
    r"(?P<metric>[^\W\d]\w*)\s*(?:<=|≤)\s*(?P<limit>.+?)\s+for\s+(?P<share>\S+(?:\s*%)?)\s+of\s+(?P<scope>\S+)\s+jobs?",
    re.IGNORECASE,
)
_LATER_METRICS = ("turnaround", "bounded_slowdown", "slowdown", "deadline", "availability", "delivered")


class Slo(BaseModel):
    """One service level, read from its sentence.

    Attributes
    ----------
    metric : str
        Always ``wait`` in this version.
    limit : float
        Longest wait that meets the level [s].
    share : float
        Share of the jobs that must meet it, in (0, 1], a whole number of millionths.
    scope : str
        Class, tenant, ``tenant/class``, ``tenant/all``, ``all/class`` or ``all``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    metric: Literal["wait"]
    limit: float
    share: float
    scope: str

    @property
    def share_ppm(self) -> int:
        """The share in millionths, as the engine counts."""
        return round(self.share * MILLION)

    @property
    def sentence(self) -> str:
        """The level in its one canonical wording."""
        limit, share = format_duration(self.limit), format_share(self.share)
        return f"{self.metric} <= {limit} for {share} of {self.scope} jobs"


@dataclass(frozen=True)
class ResolvedSlo:
    """A service level together with the classes it counts."""

    sentence: str  # canonical wording
    scope: str  # as written
    classes: tuple[int, ...]  # positions in `Scenario.class_names`, ascending
    limit: float  # longest wait that meets the level [s]
    share: float  # share of jobs that must meet it, (0, 1]
    share_ppm: int  # the same in millionths, exactly: share = share_ppm / 1,000,000


def parse_slo(value: object) -> Slo:
    """Read one sentence.

    Raises
    ------
    Mistake
        If it does not follow the grammar; the remedy holds the nearest sentence that does.
    """
    if isinstance(value, Slo):
        return value.model_copy(update={"share": _in_millionths(value.share, value.share)})
    if not isinstance(value, str):
        raise _not_a_sentence(value, f"write one sentence: {GRAMMAR}; for example {EXAMPLE}")
    match = _SENTENCE.fullmatch(" ".join(value.split()))
    if match is None:
        raise _not_a_sentence(value, f"the form is {GRAMMAR}; for example {nearest_sentence(value)}")
    metric = match["metric"].lower()
    if metric != "wait":
        later = " (other metrics are not built yet)" if metric in _LATER_METRICS else ""
        sentence = nearest_sentence(value)
        raise Mistake(
            f"unknown metric '{metric}'{later}", f"write {sentence}", show(value), code="slo-metric"
        )
    try:
        limit = parse_duration(match["limit"])
    except UnitError as error:
        raise Mistake(
            f"the limit of this SLO: {error.what}", error.remedy, show(value), code="slo-limit"
        ) from error
    share = _share(match["share"], value)
    return Slo(metric="wait", limit=limit, share=share, scope=match["scope"])


def _share(text: str, sentence: object) -> float:
    try:
        share = parse_share(text)
    except UnitError as error:
        raise Mistake(
            f"the share of this SLO: {error.what}", error.remedy, show(sentence), code="slo-share"
        ) from error
    return _in_millionths(share, text)


def _in_millionths(share: float, found: object) -> float:
    """Return the share as the float nearest to its whole number of millionths."""
    if not 0 < share <= 1:
        raise Mistake(
            "the share of an SLO must be above 0% and at most 100%",
            "write for example 95%",
            show(found),
            code="slo-share",
        )
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


def _not_a_sentence(value: object, remedy: str) -> Mistake:
    return Mistake("this SLO is not understood", remedy, show(value), code="slo-sentence")


def nearest_sentence(text: str) -> str:
    """Return the sentence of the right form that comes nearest to `text`."""
    limit, share, scope = "4h", "90%", "all"
    left = text
    if match := re.search(r"\d+(?:\.\d+)?\s*%|\b0?\.\d+\b", left):
        share, left = match[0].replace(" ", ""), left[: match.start()] + " " + left[match.end() :]
    if match := re.search(r"\d+(?:\.\d+)?\s*(?:ms|[a-z]+)", left, re.IGNORECASE):
        with contextlib.suppress(UnitError):
            limit = format_duration(parse_duration(match[0]))
    if match := re.search(r"\bof\s+(?:the\s+)?([\w/-]+)", left) or re.search(r"([\w/-]+)\s+jobs?\b", left):
        scope = match[1]
    return f"wait <= {limit} for {share} of {scope} jobs"


def resolve_scope(scope: str, names: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Return the positions of the classes that `scope` means.

    Parameters
    ----------
    scope : str
        As written in the sentence.
    names : sequence of (tenant, class)
        All classes, in order of appearance.

    Raises
    ------
    Mistake
        If the scope is unknown, or could mean two things.
    """
    if scope == "all":
        return tuple(range(len(names)))
    tenant, slash, job_class = scope.partition("/")
    if slash:
        found = tuple(
            index
            for index, (its_tenant, its_class) in enumerate(names)
            if tenant in (its_tenant, "all") and job_class in (its_class, "all")
        )
        return found or _unknown(scope, names)
    by_tenant = tuple(index for index, (its_tenant, _) in enumerate(names) if its_tenant == scope)
    by_class = tuple(index for index, (_, its_class) in enumerate(names) if its_class == scope)
    if by_tenant and by_class and by_tenant != by_class:
        raise Mistake(
            f"'{scope}' is ambiguous: a tenant and a class have this name",
            f"write {scope}/all for the tenant or {'/'.join(names[by_class[0]])} for the class",
            f"'{scope}'",
            code="slo-ambiguous",
        )
    if len(by_class) > 1 and not by_tenant:
        each = " or ".join("/".join(names[index]) for index in by_class)
        raise Mistake(
            f"'{scope}' is ambiguous: {len(by_class)} tenants have a class of this name",
            f"write {each}, or all/{scope} for all of them",
            f"'{scope}'",
            code="slo-ambiguous",
        )
    return by_tenant or by_class or _unknown(scope, names)


def _unknown(scope: str, names: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    tenants = list(dict.fromkeys(tenant for tenant, _ in names))
    classes = list(dict.fromkeys(job_class for _, job_class in names))
    full = ["/".join(pair) for pair in names]
    near = did_you_mean(scope, [*classes, *tenants, *full, "all"])
    listed = ", ".join([*classes, *tenants, "all"][:20])
    raise Mistake(
        f"no class or tenant is named '{scope}'",
        f"did you mean '{near}'? known: {listed}" if near else f"known: {listed}",
        f"'{scope}'",
        code="slo-scope",
    )


SloField = Annotated[
    Slo,
    BeforeValidator(parse_slo),
    PlainSerializer(lambda slo: slo.sentence, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^wait\s*(<=|≤).+ for .+ of .+ jobs?$", "examples": [EXAMPLE]}
    ),
]
