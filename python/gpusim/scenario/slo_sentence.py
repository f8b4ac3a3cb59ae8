"""One sentence -> `Slo`, or a `Mistake` whose remedy is the nearest sentence that is right.

Reading is tolerant where only one thing can be meant: ≤ and ≥, blanks, capitals, `every X job` and `all X jobs`
for 100%, `8-22h` for 08:00-22:00, `at least 16 GPUs`. The sentence is taken apart from the left: metric,
comparison, limit, share, scope, sizes, hours; the first part that cannot be read makes the mistake.
"""

from __future__ import annotations

import math
import re

from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.slo_level import BOUND, MILLION, THOUSAND, Metric, Slo
from gpusim.scenario.slo_nearest import nearest_sentence
from gpusim.scenario.slo_period import PERIOD_FORMS, period_level, read_number
from gpusim.scenario.slo_shares import bad_share, in_millionths, read_share, share_of_jobs, whole_millionths
from gpusim.scenario.slo_words import LARGEST_GANG, read_sizes, read_when
from gpusim.suggest import did_you_mean
from gpusim.units import (
    UnitError,
    format_duration,
    format_share,
    parse_duration,
    parse_number,
    show,
)

GRAMMAR = "wait <= LIMIT for SHARE of SCOPE jobs"
EXAMPLE = "wait <= 4h for 90% of all jobs"
LARGEST_FACTOR = 1_000_000  # bounded slowdown; keeps thousandths of ticks inside the engine's integers

_METRICS: dict[str, Metric] = {
    "wait": "wait",
    "wait time": "wait",
    "waiting time": "wait",
    "turnaround": "turnaround",
    "turnaround time": "turnaround",
    "bounded slowdown": "slowdown",
    "abandoned": "turned_away",
    "turned away": "turned_away",
    "deadline": "deadline",
    "deadlines": "deadline",
    "preemptions": "preemptions",
    "evictions": "preemptions",
    "occupancy": "occupancy",
    "delivered": "delivered",
    "fair share error": "fair_share_error",
    "longest cascade": "longest_cascade",
}
_SIGNS = {"<=": "<=", ">=": ">=", "between": "between", "met": "met"}
_OPERATORS: dict[Metric, tuple[str, ...]] = {
    "wait": ("<=",),
    "turnaround": ("<=",),
    "slowdown": ("<=",),
    "turned_away": ("<=",),
    "deadline": ("met",),
    "preemptions": ("<=",),
    "occupancy": (">=", "<=", "between"),
    "delivered": (">=",),
    "fair_share_error": ("<=",),
    "longest_cascade": ("<=",),
}
_HEAD = re.compile(
    r"(?P<metric>[^\W\d][\w -]*?)\s*(?:\(\s*bound(?:ed)?(?:\s+(?:at|by|of))?\s*(?P<bound>[^()]*)\))?"
    r"\s*(?P<sign><=|>=|<|>|\bbetween\b|\bmet\b)\s*(?P<rest>.+)",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"(?:(?:every|each|all)(?:\s+of)?(?:\s+the)?(?:\s+(?P<each>(?!(?:jobs?|of)\b)\S+))?\s+jobs?"
    r"|(?P<share>[^\s%]+(?:\s*%)?)\s+of\s+(?:the\s+)?(?P<scope>\S+)\s+jobs?)\b(?P<suffix>.*)",
    re.IGNORECASE,
)
_NO_SHARE = re.compile(r"(?:the\s+)?(?P<scope>[^\s%]+)\s+jobs?\b.*", re.IGNORECASE)
_SUFFIX = re.compile(
    r"(?:[\s,]+(?:of|with|on)\s+(?P<sizes>.+?)[\s-]*GPUs?)?(?:[\s,]+(?:submitted|arriving)\b(?P<when>.*))?",
    re.IGNORECASE,
)


_START_WITHIN = re.compile(
    r"start(?:s|ed|ing)?(?:\s+time)?\s*(?:within|in|<=)\s*(?P<limit>\S+)(?:\s+during\s+(?P<when>.+?))?"
    r"\s+for\s+(?P<who>.+)",
    re.IGNORECASE,
)


def parse_slo(value: object) -> Slo:
    """Read one sentence.

    Parameters
    ----------
    value : str or Slo
        The sentence; a level made in Python is held to the same rules.

    Raises
    ------
    Mistake
        If it does not follow the grammar; the remedy holds the nearest sentence that does.
    """
    if isinstance(value, Slo):
        share = value.share if value.metric == "occupancy" else in_millionths(value.share, value.share)
        return parse_slo(value.model_copy(update={"share": share}).sentence)
    if not isinstance(value, str):
        raise _not_understood(value, f"write one sentence: {GRAMMAR}; for example {EXAMPLE}")
    text = " ".join(value.split()).rstrip(".")
    for sign, plain in (
        ("≤", "<="),
        ("≥", ">="),
        ("=<", "<="),
        ("=>", ">="),
        ("\u2013", "-"),
        ("\u2212", "-"),
    ):
        text = text.replace(sign, plain)
    head = _HEAD.fullmatch(_as_wait(text))
    if head is None:
        raise _no_form(value)
    words = re.sub(r"[\s_-]+", " ", head["metric"]).strip().lower()
    sign = head["sign"].lower()
    metric = _METRICS.get(words)
    if sign not in _SIGNS or (metric is not None and sign not in _OPERATORS[metric]):
        raise _no_form(value)
    if metric is None:
        raise _unknown_metric(words, value)
    if head["bound"] is not None and metric != "slowdown":
        raise _not_understood(value, f"only bounded slowdown has a bound; write {nearest_sentence(value)}")
    if metric == "occupancy":
        return _occupancy(sign, head["rest"], value)
    if metric in PERIOD_FORMS:
        slo = period_level(metric, head["rest"], value)
        if slo is None:
            raise _no_form(value)
        return slo
    if metric == "turned_away":
        return _turned_away(head["rest"], value)
    if metric == "deadline":
        return _counted(metric, re.sub(r"^(?:for|by|in)\s+", "", head["rest"]), value)
    limit, says_who, who = head["rest"].partition(" for ")
    if not says_who:
        raise _no_share(value)
    slo = _counted(metric, who.strip(), value)
    if metric == "preemptions":
        return slo.model_copy(update={"most": read_number(limit, value)})
    if metric == "slowdown":
        factor, bound = _slowdown(limit, value), _bound(head["bound"], value)
        return slo.model_copy(update={"factor": factor, "bound": bound})
    return slo.model_copy(update={"limit": _limit(limit, value)})


def _as_wait(text: str) -> str:
    """Write `start within 60s during 08-22h for 99% of notebook jobs` as the level on waits that it is."""
    match = _START_WITHIN.fullmatch(text)
    if match is None:
        return text
    when = "" if match["when"] is None else f" submitted {match['when']}"
    return f"wait <= {match['limit']} for {match['who']}{when}"


def _counted(metric: Metric, text: str, sentence: str) -> Slo:
    """Read `90% of training jobs of 8 GPUs submitted 08:00-22:00`."""
    who = _WHO.fullmatch(text)
    if who is None:
        raise _no_share(sentence) if _NO_SHARE.fullmatch(text) else _no_form(sentence)
    share = share_of_jobs(who["share"], sentence) if who["share"] is not None else 1.0
    scope = who["scope"] or who["each"] or "all"
    if scope.lower() in ("job", "jobs"):
        raise _no_form(sentence)
    low, high, hours, days = _suffix(who["suffix"], sentence)
    return Slo(metric=metric, share=share, scope=scope, gpus_low=low, gpus_high=high, hours=hours, days=days)


def _suffix(text: str, sentence: str) -> tuple[int, int, tuple[float, float], int]:
    match = _SUFFIX.fullmatch(text.rstrip())
    if match is None:
        raise _not_understood(
            sentence,
            f"after 'jobs' only sizes and hours may stand, for example 'of 16-64 GPUs submitted 08:00-22:00 on "
            f"weekdays'; write {nearest_sentence(sentence)}",
        )
    try:
        low, high = read_sizes(match["sizes"]) if match["sizes"] is not None else (1, LARGEST_GANG)
        hours, days = read_when(match["when"]) if match["when"] is not None else ((0.0, 0.0), 127)
    except Mistake as mistake:
        raise Mistake(
            mistake.what, mistake.remedy, mistake.found or show(sentence), code=mistake.code
        ) from None
    return low, high, hours, days


def _turned_away(text: str, sentence: str) -> Slo:
    """Read `5% of hospital jobs`."""
    who = _WHO.fullmatch(text)
    if who is None or who["share"] is None:
        raise _no_form(sentence)
    away = read_share(who["share"], sentence)
    if not 0 <= away < 1:
        raise bad_share("the share that may be turned away must be from 0% to below 100%", "5%", who["share"])
    kept = (MILLION - round(whole_millionths(away, who["share"]) * MILLION)) / MILLION if away else 1.0
    slo = _counted("turned_away", f"100% of {text[who.start('scope') :]}", sentence)
    return slo.model_copy(update={"share": kept})


def _occupancy(sign: str, text: str, sentence: str) -> Slo:
    """Read `65%`, or `65% and 92%` after `between`."""
    shares, extra = text, re.search(r"\s+(?:for|of|in|over|submitted)\b.*$", text)
    if extra is not None:
        raise Mistake(
            "occupancy is that of the whole center over the counted time; it has no scope and no share of jobs",
            f"write {nearest_sentence(sentence[: sentence.lower().find(extra[0].strip().lower())])}",
            show(sentence),
            code="slo-occupancy",
        )
    parts = re.split(r"\s+(?:and|to)\s+|\s*-\s*", shares) if sign == "between" else [shares]
    if len(parts) != (2 if sign == "between" else 1):
        raise _no_form(sentence)
    bounds = [read_share(part.strip(), sentence, code="slo-occupancy") for part in parts]
    for bound, part in zip(bounds, parts, strict=True):
        if not 0 < bound <= 1:
            raise Mistake(
                "occupancy lies above 0% and is at most 100%",
                "write for example occupancy between 65% and 92%",
                f"'{part.strip()}'",
                code="slo-occupancy",
            )
    bounds = [whole_millionths(bound, part) for bound, part in zip(bounds, parts, strict=True)]
    low, high = bounds if sign == "between" else (bounds[0], 1.0) if sign == ">=" else (0.0, bounds[0])
    if low >= high and (low, high) != (1.0, 1.0):
        raise Mistake(
            "this range of occupancy runs backwards" if low > high else "this range of occupancy is empty",
            f"write occupancy between {format_share(high)} and {format_share(low)}"
            if low > high
            else f"write occupancy >= {format_share(low)}",
            f"{format_share(low)} to {format_share(high)}",
            code="slo-occupancy",
        )
    return Slo(metric="occupancy", occupancy=(low, high))


def _limit(text: str, sentence: str) -> float:
    try:
        limit = parse_duration(text)
    except UnitError as error:
        raise Mistake(
            f"the limit of this SLO: {error.what}", error.remedy, show(sentence), code="slo-limit"
        ) from error
    return limit


def _bound(text: str | None, sentence: str) -> float:
    if text is None:
        return BOUND
    try:
        bound = parse_duration(text.strip())
    except UnitError as error:
        raise Mistake(
            f"the bound of this slowdown: {error.what}", error.remedy, show(sentence), code="slo-limit"
        ) from error
    if bound <= 0:
        raise Mistake(
            "the bound of a slowdown must be longer than 0",
            f"write for example (bound 1min), or nothing for {format_duration(BOUND)}",
            show(sentence),
            code="slo-limit",
        )
    return bound


def _slowdown(text: str, sentence: str) -> float:
    form = "write a plain number, for example bounded slowdown <= 10 for 90% of all jobs"
    try:
        factor = parse_number(text)
    except UnitError as error:
        raise Mistake(
            f"the limit of this slowdown: {error.what}", form, show(sentence), code="slo-limit"
        ) from error
    if factor < 1:
        raise Mistake(
            "a bounded slowdown is never below 1, so no job could meet this",
            "write 1 or more, for example 10",
            f"'{text}'",
            code="slo-limit",
        )
    if factor > LARGEST_FACTOR:
        raise Mistake(f"a slowdown above {LARGEST_FACTOR:,}", form, f"'{text}'", code="slo-limit")
    thousandths = round(factor * THOUSAND)
    if abs(thousandths - factor * THOUSAND) > 1e-6:
        offered = f"write {math.floor(factor * THOUSAND) / THOUSAND:.3f}"
        raise Mistake("a slowdown is compared in thousandths", offered, f"'{text}'", code="slo-limit")
    return thousandths / THOUSAND


def _unknown_metric(words: str, sentence: str) -> Mistake:
    near = did_you_mean(words, _METRICS)
    known = (
        "wait, turnaround, bounded slowdown, abandoned, deadline met, preemptions, occupancy, delivered, "
        "fair-share error, longest cascade"
    )
    hint = f"did you mean '{near}'? " if near else ""
    return Mistake(
        f"unknown metric '{words}'",
        f"{hint}write {nearest_sentence(sentence)}; known: {known}",
        show(sentence),
        code="slo-metric",
    )


def _no_share(sentence: str) -> Mistake:
    return Mistake(
        "this SLO does not say for which share of the jobs",
        f"write for example {nearest_sentence(sentence)}",
        show(sentence),
        code="slo-share",
    )


def _no_form(sentence: str) -> Mistake:
    return _not_understood(
        sentence, f"the form is {form_of(sentence)}; for example {nearest_sentence(sentence)}"
    )


def form_of(sentence: str) -> str:
    """Return the form of the sentence that is probably meant, with its parts in capitals."""
    near = nearest_sentence(sentence)
    if near.startswith("occupancy"):
        return "occupancy >= SHARE, or occupancy between SHARE and SHARE"
    if near.startswith("deadline"):
        return "deadline met for SHARE of SCOPE jobs"
    if near.startswith("abandoned"):
        return "abandoned <= SHARE of SCOPE jobs"
    if near.startswith("preemptions"):
        return "preemptions <= NUMBER for SHARE of SCOPE jobs"
    for form in PERIOD_FORMS.values():
        if near.startswith(form.split(" ")[0]):
            return form
    if near.startswith("bounded"):
        return "bounded slowdown <= FACTOR for SHARE of SCOPE jobs"
    return GRAMMAR if near.startswith("wait") else GRAMMAR.replace("wait", "turnaround")


def _not_understood(value: object, remedy: str) -> Mistake:
    return Mistake("this SLO is not understood", remedy, show(value), code="slo-sentence")
