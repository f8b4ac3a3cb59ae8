"""Limits: how long jobs ask for, and what that leaves of their run times.

The scheduler plans with a job's limit and kills a job that reaches it; what a job *uses* is min(run time,
limit). `mean_held` gives the mean of that, in closed form for all limits but factors below 1, where the mean
over the factor is a quadrature of 32 points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from gpusim.scenario.fields import read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.scenario.run_time import RunTime
from gpusim.scenario.shares import Shares, read_shares
from gpusim.suggest import did_you_mean
from gpusim.units import UnitError, format_duration, format_share, parse_duration, parse_number, show

LARGEST_FACTOR = 100.0  # of a request over the run time; keeps limits inside the engine's integers

_FORM = "write exact, a duration such as 24h, {factor: [1, 4]} or {pick: {1h: 30%, 24h: 70%}}"
_PICK = "{1h: 30%, 24h: 70%}"


class JobLimit(Frozen):
    """How long jobs of a class ask for; the scheduler plans with it and kills a job that reaches it.

    Attributes
    ----------
    mode : str
        ``exact``: the request equals the run time. ``fixed``: every job asks for `fixed`; longer jobs are
        killed. ``factor``: run time x a uniform draw from `factor`, new for each job. ``pick``: one of
        `pick`, whatever the run time.
    fixed : float or None
        The request [s].
    factor : tuple of two floats or None
        Least and largest factor.
    round_up : tuple of float
        With a factor: the request is rounded up to the next of these [s], rising; above the last it is the
        last, or the run time if that is longer. Empty: not rounded.
    pick : Shares or None
        Requests [s] and their shares of the jobs.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    mode: Literal["exact", "fixed", "factor", "pick"] = "exact"
    fixed: float | None = None
    factor: tuple[float, float] | None = None
    round_up: tuple[float, ...] = ()
    pick: Annotated[Shares | None, PlainSerializer(lambda pick: dict(pick) if pick else None)] = None

    @property
    def kills(self) -> bool:
        """Whether a job may be killed at its limit."""
        return self.mode in ("fixed", "pick") or (self.factor is not None and self.factor[0] < 1)


def read_limit(value: object) -> JobLimit:
    """Read `exact`, `24h`, `{factor: [1, 4], round_up: [1h, 2h]}` or `{pick: {1h: 30%, 24h: 70%}}`."""
    if isinstance(value, JobLimit):
        return value
    if isinstance(value, Mapping):
        return _read_mapping(value)
    if value == "exact":
        return JobLimit()
    if isinstance(value, str) and value.isalpha():
        near = did_you_mean(value, ("exact",))
        raise Mistake("unknown limit", "did you mean 'exact'?" if near else _FORM, show(value))
    try:
        fixed = parse_duration(value)
    except UnitError as error:
        if error.what == "not a duration":
            raise Mistake("not a limit", _FORM, show(value)) from error
        raise
    if fixed <= 0:
        raise Mistake("a limit of 0 kills every job when it starts", _FORM, show(value))
    return JobLimit(mode="fixed", fixed=fixed)


def _read_mapping(value: Mapping[Any, Any]) -> JobLimit:
    allowed = ("pick",) if "pick" in value else ("factor", "round_up")
    for key in value:
        if key not in allowed:
            near = did_you_mean(str(key), ("factor", "round_up", "pick"))
            remedy = f"did you mean '{near}'? {_FORM}" if near and near != key else _FORM
            raise Mistake("unknown limit", remedy, show(key), (str(key),), "unknown-key", at_key=True)
    if "pick" in value:
        pick = read_shares(value["pick"], read_positive_duration, "limits", _PICK, ("pick",))
        return JobLimit(mode="pick", pick=pick)
    if "factor" not in value:
        what = "round_up needs a factor" if "round_up" in value else "unknown limit"
        raise Mistake(what, "write {factor: [1, 4], round_up: [1h, 2h]}" if value else _FORM, show(value))
    round_up = _read_round_up(value["round_up"]) if value.get("round_up") is not None else ()
    return JobLimit(mode="factor", factor=_read_factor(value["factor"]), round_up=round_up)


def _read_factor(given: object) -> tuple[float, float]:
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise Mistake("factor needs two numbers, least and largest", "write [1, 4]", show(given), ("factor",))
    try:
        low, high = (parse_number(each) for each in given)
    except UnitError as error:
        raise Mistake(error.what, "write [1, 4]", error.found, ("factor",)) from error
    if not 0 < low <= high <= LARGEST_FACTOR:
        what = f"factors must rise and lie above 0 and at most {LARGEST_FACTOR:g}"
        fixed = sorted((low, high))
        remedy = (
            f"write [{fixed[0]:g}, {fixed[1]:g}]"
            if fixed[0] > 0 and fixed[1] <= LARGEST_FACTOR
            else "write [1, 4]"
        )
        raise Mistake(what, remedy, f"[{low:g}, {high:g}]", ("factor",))
    return low, high


def _read_round_up(given: object) -> tuple[float, ...]:
    form = "write for example [30min, 1h, 2h]"
    if not isinstance(given, (list, tuple)) or not given:
        raise Mistake("round_up needs a list of durations", form, show(given), ("round_up",))
    choices: list[float] = []
    mistakes: list[Mistake] = []
    for index, each in enumerate(given):
        try:
            choices.append(read_positive_duration(each))
        except ValueError as error:
            mistakes += [mistake.under(("round_up", index)) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    for index in range(1, len(choices)):
        if choices[index] <= choices[index - 1]:
            order = ", ".join(format_duration(each) for each in sorted(set(choices)))
            what = "the durations of round_up must rise"
            raise Mistake(what, f"write [{order}]", show(given[index]), ("round_up", index))
    return tuple(choices)


def _write_limit(limit: JobLimit) -> Any:
    if limit.fixed is not None:
        return format_duration(limit.fixed)
    if limit.pick is not None:
        return {"pick": {format_duration(each): format_share(share) for each, share in limit.pick.items()}}
    if limit.factor is None:
        return "exact"
    rounded = {"round_up": [format_duration(each) for each in limit.round_up]} if limit.round_up else {}
    return {"factor": list(limit.factor), **rounded}


def _write_optional_limit(limit: JobLimit | None) -> Any:
    return None if limit is None else _write_limit(limit)


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "factor": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                "round_up": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "required": ["factor"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "pick": {
                    "type": "object",
                    "additionalProperties": {"type": ["string", "number"]},
                    "minProperties": 1,
                }
            },
            "required": ["pick"],
            "additionalProperties": False,
        },
    ],
    "examples": ["exact", "24h", {"factor": [1, 4]}, {"pick": {"1h": "30%", "24h": "70%"}}],
}

LimitField = Annotated[
    JobLimit,
    BeforeValidator(read_limit),
    PlainSerializer(_write_limit, when_used="json"),
    WithJsonSchema({**_SCHEMA, "default": "exact"}),
]
OptionalLimitField = Annotated[
    JobLimit | None,
    BeforeValidator(lambda value: None if value is None else read_limit(value)),
    PlainSerializer(_write_optional_limit, when_used="json"),
    WithJsonSchema({"anyOf": [*_SCHEMA["anyOf"], {"type": "null"}], "examples": _SCHEMA["examples"]}),
]


def mean_held(
    run_time: RunTime,
    limit: JobLimit,
    segment: float | None = None,
    delay: float = 0.0,
    cut: float = math.inf,
) -> float:
    """Mean time that a job, or all jobs of a chain together, hold their GPUs [s].

    Parameters
    ----------
    run_time : RunTime
        Of the job, or of the whole chain.
    limit : JobLimit
        Of the job, or of each job of the chain.
    segment : float, optional
        Longest run of one job of the chain [s].
    delay : float
        Time between two jobs of the chain, in which it holds nothing [s].
    cut : float
        Only the time held until so long after its start counts [s], if nothing of it ever waits.
    """
    if segment is not None:
        return _mean_of_chain(run_time, limit, segment, delay, cut)
    if limit.fixed is not None:
        return run_time.mean(min(limit.fixed, cut))
    if limit.pick is not None:
        total = math.fsum(limit.pick.values())
        return math.fsum(share * run_time.mean(min(each, cut)) for each, share in limit.pick.items()) / total
    if limit.factor is None or limit.factor[0] >= 1:
        return run_time.mean(cut)
    factors = _factors(*limit.factor)
    if limit.round_up:
        parts = (weight * _mean_rounded(run_time, u, limit.round_up, cut) for u, weight in factors)
    else:
        parts = (weight * u * run_time.mean(cut / u) for u, weight in factors)
    return math.fsum(parts)


def _mean_of_chain(run_time: RunTime, limit: JobLimit, segment: float, delay: float, cut: float) -> float:
    """The time within `cut` of a chain of full segments and a rest; kills shorten all parts alike."""
    whole = run_time.mean()
    if limit.kills and (limit.fixed is None or limit.fixed < segment):
        kept = _kept_of_segments(run_time, limit, segment) / whole
    else:
        kept = 1.0
    if math.isinf(cut):
        return whole * kept
    full, rest = divmod(cut, segment + delay)
    return run_time.mean(full * segment + min(rest, segment)) * kept


def _kept_of_segments(run_time: RunTime, limit: JobLimit, segment: float) -> float:
    """Mean of what limits leave of all segments of a chain [s]; requests by factor count as not rounded."""
    if limit.factor is not None:
        return run_time.mean() * math.fsum(weight * u for u, weight in _factors(*limit.factor))
    choices = limit.pick if limit.pick is not None else {limit.fixed or segment: 1.0}
    total = math.fsum(choices.values())
    return math.fsum(share * _sum_under(run_time, each, segment) for each, share in choices.items()) / total


def _sum_under(run_time: RunTime, limit: float, segment: float) -> float:
    """E of the sum of min(length, limit) over the segments: sum_k M(k seg + limit) - M(k seg), M = E min(X, .)."""
    if limit >= segment:
        return run_time.mean()
    total, k = 0.0, 0
    while run_time.share_above(k * segment) > 1e-12 and k < 100_000:
        total += run_time.mean(k * segment + limit) - run_time.mean(k * segment)
        k += 1
    return total


@lru_cache(maxsize=64)
def _factors(low: float, high: float) -> tuple[tuple[float, float], ...]:
    """min(1, U), U uniform on [low, high], as values and weights: exact for polynomials of degree 63."""
    if low >= 1 or low == high:
        return ((min(1.0, low), 1.0),)
    top = min(1.0, high)
    nodes, weights = np.polynomial.legendre.leggauss(32)
    scale = (top - low) / 2
    parts = [
        (float(low + scale * (node + 1)), float(weight * scale / (high - low)))
        for node, weight in zip(nodes, weights, strict=True)
    ]
    return (*parts, (1.0, (high - top) / (high - low))) if high > top else tuple(parts)


def _mean_rounded(run_time: RunTime, factor: float, choices: tuple[float, ...], cut: float) -> float:
    """Mean held time where the request is `factor` x run time, rounded up: the integral of P(held > t).

    For t between two choices c <= t < d the request exceeds t iff factor x run time exceeds c, so
    P(held > t) = P(run time > max(t, c / factor)).
    """
    total = 0.0
    for start, end in zip((0.0, *choices), (*choices, math.inf), strict=True):
        if start >= cut:
            break
        stop = min(end, cut)
        turn = min(stop, start / factor)
        if turn > start:
            total += (turn - start) * run_time.share_above(start / factor)
        total += run_time.mean(stop) - run_time.mean(turn)
    return total
