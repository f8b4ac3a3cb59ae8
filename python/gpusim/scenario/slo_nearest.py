"""The nearest right sentence to a wrong one: what a message offers to write instead.

Pieces that can be recognised (metric, limit, share, scope, sizes, hours) are kept, what is missing is filled
with a usual value. The result is always a sentence that `parse_slo` reads.
"""

from __future__ import annotations

import contextlib
import re

from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.slo_level import MILLION, Metric, Slo
from gpusim.scenario.slo_words import (
    EVERY_DAY,
    HOURS,
    LARGEST_GANG,
    WHOLE_DAY,
    read_days,
    read_sizes,
    read_when,
)
from gpusim.suggest import did_you_mean
from gpusim.units import UnitError, parse_duration, parse_share

_METRIC_WORDS: tuple[tuple[str, Metric], ...] = (
    (r"cascade", "longest_cascade"),
    (r"preempt|evict", "preemptions"),
    (r"fair", "fair_share_error"),
    (r"deliver|granted", "delivered"),
    (r"occupan|utili[sz]|idle|busy", "occupancy"),
    (r"deadline|on time|in time", "deadline"),
    (r"abandon|refus|reject|turn(?:ed)? away|gave up|give up|left the queue|lost jobs", "turned_away"),
    (r"slowdown|stretch|expansion", "slowdown"),
    (r"turn-?\s?around|response|finish|complet|makespan|\bends?\b|ended", "turnaround"),
    (r"wait|start|queue|pending|delay", "wait"),
)
_METRIC_NAMES: dict[str, Metric] = {
    "wait": "wait",
    "waiting": "wait",
    "turnaround": "turnaround",
    "bounded slowdown": "slowdown",
    "slowdown": "slowdown",
    "abandoned": "turned_away",
    "abandonment": "turned_away",
    "deadline": "deadline",
    "preemptions": "preemptions",
    "occupancy": "occupancy",
    "delivered": "delivered",
    "fair-share error": "fair_share_error",
    "longest cascade": "longest_cascade",
}
_PERCENT = r"\d+(?:\.\d+)?\s*%|(?<![\d.:-])0?\.\d+\b(?!\s*[a-z])"
_SIZES = re.compile(
    r"(?:\b(?:of|with|on)\s+)?((?:>=|<=|at least|at most|up to)?\s*\d[\d_]*(?:\s*(?:-|to)\s*\d[\d_]*)?)"
    r"[\s-]*GPUs?\b",
    re.IGNORECASE,
)
_SCOPES = (
    r"\bof\s+(?:the\s+)?([\w/-]+)",
    r"([\w/-]+)\s+(?:jobs?|tasks?|runs?)\b",
    r"\b(?:every|each|all)\s+([\w/-]+)",
    r"\bfor\s+(?:the\s+)?([\w/-]+)",
)
_NO_SCOPE = ("all", "every", "each", "the", "job", "jobs", "gpu", "gpus", "a", "of", "any", "per", "for")
_LIMITS: dict[Metric, float] = {"wait": 14_400.0, "turnaround": 86_400.0}


def nearest_sentence(text: str) -> str:
    """Return the sentence of the right form that comes nearest to `text`."""
    return nearest_level(text).sentence


def nearest_level(text: str) -> Slo:
    """Return the level that `text` most likely means."""
    text = " ".join(text.split())
    metric = _metric(text)
    if metric == "occupancy":
        return Slo(metric=metric, occupancy=_band(text))
    if metric == "longest_cascade":
        return Slo(metric=metric, most=_number(text, 10))
    if metric == "fair_share_error":
        return Slo(metric=metric, most=_take_share(text)[1] or 0.1)
    if metric == "delivered":
        left, share = _take_share(text)
        return Slo(metric=metric, share=share or 0.9, scope=_scope(re.sub(r"\bof\s+granted\b", " ", left)))
    left, hours, days = _take_when(text)
    left, low, high = _take_sizes(left)
    left, share = _take_share(left)
    found: dict[str, float] = {}
    if metric in _LIMITS:
        found["limit"] = _limit(left, _LIMITS[metric])
    elif metric == "slowdown":
        found["factor"] = _factor(left)
    elif metric == "preemptions":
        found["most"] = _number(left, 2)
    elif metric == "turned_away":
        share = 0.95 if share is None else (MILLION - round(share * MILLION)) / MILLION
    return Slo(
        metric=metric,
        share=share or 0.9,
        scope=_scope(left),
        gpus_low=low,
        gpus_high=high,
        hours=hours,
        days=days,
        **found,
    )


def _metric(text: str) -> Metric:
    lower = text.lower()
    for pattern, metric in _METRIC_WORDS:
        if re.search(pattern, lower):
            return metric
    first = re.match(r"[a-z_ -]+", lower)
    near = did_you_mean(first[0], _METRIC_NAMES) if first else None
    return _METRIC_NAMES[near] if near else "wait"


def _band(text: str) -> tuple[float, float]:
    shares = [number / 100 for number in map(float, re.findall(r"(\d{1,3}(?:\.\d{1,4})?)\s*%", text))]
    shares = sorted(_millionths(share) for share in shares if 0 < share < 1)
    if len(shares) > 1:
        return (shares[0], shares[-1]) if shares[0] < shares[-1] else (shares[0], 1.0)
    at_most = re.search(r"<|≤|at most|below", text)
    one = shares[0] if shares else 0.65
    return (0.0, one) if at_most and shares else (one, 1.0)


def _take_when(text: str) -> tuple[str, tuple[float, float], int]:
    """Cut `submitted ...`, or two times of the day, out of the text."""
    match = re.search(r"\b(?:submitted|arriving)\b(.*)$", text, re.IGNORECASE)
    if match is not None:
        left = text[: match.start()]
        with contextlib.suppress(Mistake):
            return left, *read_when(match[1])
        hours, days = WHOLE_DAY, EVERY_DAY
        if clocks := HOURS.search(match[1]):
            with contextlib.suppress(Mistake):
                hours, _ = read_when(clocks[0])
        if words := re.search(r"\b(?:week(?:day|end)s?)\b", match[1], re.IGNORECASE):
            days = read_days(words[0])
        return left, hours, days
    if clocks := re.search(r"\(?\s*\d{1,2}:\d{2}\s*(?:-|to|and)\s*\d{1,2}:\d{2}\s*\)?", text):
        with contextlib.suppress(Mistake):
            return text[: clocks.start()] + text[clocks.end() :], *read_when(clocks[0].strip("() "))
    return text, WHOLE_DAY, EVERY_DAY


def _take_sizes(text: str) -> tuple[str, int, int]:
    """Cut `of 16-64 GPUs` out of the text."""
    match = _SIZES.search(text)
    if match is None:
        return text, 1, LARGEST_GANG
    left = f"{text[: match.start()]} {text[match.end() :]}"
    numbers = sorted(int(number) for number in re.findall(r"\d[\d_]*", match[1]))
    with contextlib.suppress(Mistake):
        return left, *read_sizes(match[1])
    if len(numbers) == 2 and 1 <= numbers[0] <= numbers[1] <= LARGEST_GANG:
        return left, numbers[0], numbers[1]
    return left, 1, LARGEST_GANG


def _take_share(text: str) -> tuple[str, float | None]:
    match = re.search(_PERCENT, text)
    if match is None:
        every = re.search(r"\b(?:every|each|for all)\b(?! jobs?\b)", text, re.IGNORECASE)
        return text, 1.0 if every else None
    left = f"{text[: match.start()]} {text[match.end() :]}"
    with contextlib.suppress(UnitError):
        share = _millionths(parse_share(match[0].replace(" ", "")))
        return left, share if 0 < share <= 1 else None
    return left, None


def _millionths(share: float) -> float:
    return round(share * MILLION) / MILLION


def _limit(text: str, usual: float) -> float:
    for match in re.finditer(r"\d+(?:\.\d+)?\s*(?:ms|[a-z]+)", text, re.IGNORECASE):
        with contextlib.suppress(UnitError):
            limit = parse_duration(match[0])
            return limit if limit > 0 else usual
    return usual


def _number(text: str, usual: int) -> float:
    match = re.search(r"\d{1,6}(?![\d.%])", text)
    return float(match[0]) if match else float(usual)


def _factor(text: str) -> float:
    text = re.sub(r"\(.*?\)", " ", text)
    match = re.search(r"\d{1,5}(?:\.\d{1,3})?", text)
    factor = float(match[0]) if match else 10.0
    return factor if factor >= 1 else 10.0


def _scope(text: str) -> str:
    for pattern in _SCOPES:
        for match in re.finditer(pattern, text):
            word = match[1].strip("-")
            if word.lower() not in _NO_SCOPE and re.search(r"[^\W\d_]", word) and not re.match(r"\d", word):
                return word
    return "all"
