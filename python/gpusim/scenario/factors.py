"""`x1.3` as the value of an override: the value that stands there, times a number.

Numbers, durations, rates and percentages are multiplied and written in the unit they had: `30min` x0.5 is
`15min`. A run-time law, or the law of an uncertain number, is stretched as a whole: every duration and number of
its scale, but no share, sigma, shape or correlation; `run_time=x0.5` halves all run times. Products are decimal,
so that 708 x1.3 is 920.4. A product is never rounded: 24 jobs x1.3 is refused where only whole numbers may
stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gpusim.scenario.mistakes import Mistake
from gpusim.units import UnitError, format_duration, parse_duration, show

_FACTOR = re.compile(r"[x\u00d7]\s*(\d+(?:\.\d+)?|\.\d+)")
_QUANTITY = re.compile(r"(\d[\d_]*(?:\.\d+)?|\.\d+)(\s*%|\s*[^\W\d_]+|\s*/\s*[^\W\d_]+|\s+per\s+[^\W\d_]+)?")
_RUN_TIME_LAWS = ("lognormal", "exponential", "deterministic", "weibull", "hyperexponential", "quantiles")
_LAWS = (*_RUN_TIME_LAWS, "uniform", "triangular", "normal")
_NO_SCALE = ("sigma", "shape", "correlation")  # of a law: what a longer time does not change


def read_factor(value: object) -> Decimal | None:
    """Return the factor of `x1.3`; None if the value is none."""
    match = _FACTOR.fullmatch(value.strip()) if isinstance(value, str) else None
    return Decimal(match[1]) if match else None


def multiplied(old: Any, factor: Decimal, name: str) -> Any:
    """Return the value `old` times `factor`.

    Parameters
    ----------
    old : number, text or mapping
        What stands at `name` in the file; a mapping must be a law.
    factor : Decimal
    name : str
        Path, for messages.

    Raises
    ------
    Mistake
        If nothing stands there, or it is nothing that can be multiplied.
    """
    if old is None:
        remedy = f"write the value itself: {name}=..."
        raise Mistake(f"there is no '{name}' to multiply by {factor}", remedy, code="override")
    new = _law(old, factor) if isinstance(old, Mapping) else _scalar(old, factor)
    if new is None:
        what = f"'{name}' cannot be multiplied: only a number, a duration, a rate, a percentage or a law can"
        raise Mistake(what, "name the number itself, or write the new value", show(old), code="override")
    return new


def _law(old: Mapping[Any, Any], factor: Decimal) -> Any:
    if len(old) != 1 or next(iter(old)) not in _LAWS:
        return None
    return {key: _stretched(value, factor) for key, value in old.items()}


def _stretched(value: Any, factor: Decimal) -> Any:
    """A law's content with its scale multiplied."""
    if isinstance(value, Mapping):
        return {
            _key(key, factor): each
            if str(key) in _NO_SCALE or _is_duration(key)
            else _phases(each, factor)
            if key == "phases"
            else _stretched(each, factor)
            for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_stretched(each, factor) for each in value]
    new = _scalar(value, factor)
    return value if new is None else new


def _phases(phases: Any, factor: Decimal) -> Any:
    if not isinstance(phases, Mapping):
        return _stretched(phases, factor)
    return {_key(key, factor): share for key, share in phases.items()}


def _key(key: Any, factor: Decimal) -> Any:
    return _scalar(key, factor) if _is_duration(key) else key


def _is_duration(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_duration(value) > 0
    except UnitError:
        return False


def _scalar(old: Any, factor: Decimal) -> Any:
    """A number or quantity times `factor`; None if it is neither."""
    if isinstance(old, bool):
        return None
    if isinstance(old, (int, float)):
        return _number(Decimal(repr(old)) * factor)
    if not isinstance(old, str):
        return None
    text = old.strip()
    if match := _QUANTITY.fullmatch(text):
        return f"{_plain(Decimal(match[1].replace('_', '')) * factor)}{match[2] or ''}"
    if _is_duration(text):
        return format_duration(float(Decimal(repr(parse_duration(text))) * factor))
    return None


def _number(product: Decimal) -> int | float:
    return int(product) if product == product.to_integral_value() else float(product)


def _plain(product: Decimal) -> str:
    return format(product.normalize(), "f")
