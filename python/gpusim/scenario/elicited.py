"""Numbers that are not known exactly: `{uniform: [1h, 3h]}` where `2h` could stand.

Such a number is drawn anew for each replication. In Python it is an `Uncertain`, a float with a `law`: as a
float it is the law's median, the *nominal* value, so that every formula that asks for a plain number gets
one. `elicited_numbers` lists them all, by path; `with_numbers` gives the same models with plain numbers.

    {uniform: [1h, 3h]}                     anything between is equally likely
    {triangular: [1h, 2h, 3h]}              least, most likely, largest
    {lognormal: {median: 2h, sigma: 0.2}}   cut at 4 sigma
    {normal: {mean: 2h, sd: 20min}}         cut at 4 sd, and at 1% of the mean
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.scenario.uncertain_laws import Law, LognormalLaw, NormalLaw, TriangularLaw, UniformLaw
from gpusim.suggest import did_you_mean
from gpusim.units import parse_number, show

Reader = Callable[[object], float]
Writer = Callable[[float], Any]

LARGEST_SIGMA = 2.0  # of a lognormal number: a factor of 3,000 between its least and largest value
_FORMS = {
    "uniform": "uniform: [LOW, HIGH]",
    "triangular": "triangular: [LOW, MOST LIKELY, HIGH]",
    "lognormal": "lognormal: {median: X, sigma: 0.2}",
    "normal": "normal: {mean: X, sd: Y}",
}


class Uncertain(float):
    """A number with a law; as a float, the law's median.

    Attributes
    ----------
    law : UniformLaw, TriangularLaw, LognormalLaw or NormalLaw
        In the number's own unit: s, 1/s, GPUs or 1.
    """

    __slots__ = ("law",)
    law: Law

    def __new__(cls, law: Law) -> Uncertain:
        """Make the number that a law stands for."""
        self = super().__new__(cls, law.quantile(0.5))
        self.law = law
        return self

    def __reduce__(self) -> tuple[type[Uncertain], tuple[Law]]:
        """Pickle and copy the law, from which the number follows."""
        return Uncertain, (self.law,)

    def __repr__(self) -> str:
        return f"Uncertain({self.law!r})"


@dataclass(frozen=True)
class Elicited:
    """One uncertain number of a scenario."""

    path: str  # 'academia/research.arrivals.load'
    law: Law  # in the number's own unit: s, 1/s, GPUs or 1


def support(number: float) -> tuple[float, float]:
    """Return the least and largest value that a number, uncertain or not, can have."""
    return (number.law.low, number.law.high) if isinstance(number, Uncertain) else (number, number)


def read_uncertain(value: object, read: Reader, write: Writer) -> float:
    """Read a plain number with `read`, or a law whose values `read` accepts.

    Raises
    ------
    Mistake, Mistakes
        If the law is unknown, its values do not rise, or it can give a value that `read` refuses.
    """
    if isinstance(value, Uncertain):
        law = value.law
    elif isinstance(value, Mapping):
        law = _read_law(value, read)
    else:
        return read(value)
    for end in (law.low, law.high):
        try:
            read(write(end))
        except ValueError as error:
            first = mistakes_of(error)[0]
            what = f"this law can give values that are not allowed: {first.what}"
            raise Mistake(
                what, f"narrow it; {first.remedy}", f"{write(law.low)} to {write(law.high)}"
            ) from None
    return Uncertain(law)


def _read_law(value: Mapping[Any, Any], read: Reader) -> Law:
    forms = "; ".join(f"{{{form}}}" for form in _FORMS.values())
    if len(value) != 1:
        raise Mistake("not a number and not one law", f"write a number or one of {forms}", show(value))
    kind, given = str(next(iter(value))), next(iter(value.values()))
    if kind not in _FORMS:
        near = did_you_mean(kind, _FORMS)
        remedy = f"did you mean '{near}'? " if near else ""
        what = f"unknown law '{kind}' of an uncertain number"
        raise Mistake(what, f"{remedy}write {forms}", "", (kind,), "unknown-key", at_key=True)
    if kind in ("uniform", "triangular"):
        numbers = _read_list(kind, given, read)
        return UniformLaw(*numbers) if kind == "uniform" else TriangularLaw(*numbers)
    names = ("median", "sigma") if kind == "lognormal" else ("mean", "sd")
    readers: dict[str, Reader] = {
        names[0]: read,
        names[1]: _read_sigma if kind == "lognormal" else _spread(read),
    }
    numbers = _read_pair(kind, given, readers)
    if numbers[0] <= 0:
        what = f"the {names[0]} of a {kind} law must be above 0"
        raise Mistake(what, "write a number above 0", show(given), (kind, names[0]))
    return LognormalLaw(*numbers) if kind == "lognormal" else NormalLaw(*numbers)


def _read_list(kind: str, given: object, read: Reader) -> list[float]:
    count = 2 if kind == "uniform" else 3
    if not isinstance(given, (list, tuple)) or len(given) != count:
        raise Mistake(f"{kind} needs {count} numbers", f"write {_FORMS[kind]}", show(given), (kind,))
    numbers, mistakes = [], []
    for index, each in enumerate(given):
        try:
            numbers.append(read(each))
        except ValueError as error:
            mistakes += [mistake.under((kind, index)) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    if numbers != sorted(numbers) or numbers[0] == numbers[-1]:
        found = ", ".join(str(each) for each in given)
        remedy = f"write {_FORMS[kind]} in rising order, or one plain number"
        raise Mistake(f"the numbers of {kind} must rise", remedy, f"[{found}]", (kind,))
    return numbers


def _read_pair(kind: str, given: object, readers: Mapping[str, Reader]) -> list[float]:
    if not isinstance(given, Mapping):
        raise Mistake(f"{kind} needs {' and '.join(readers)}", f"write {_FORMS[kind]}", show(given), (kind,))
    mistakes: list[Mistake] = []
    for key in given:
        if key not in readers:
            near = did_you_mean(str(key), readers)
            remedy = f"did you mean '{near}'?" if near else f"allowed: {', '.join(readers)}"
            path = (kind, str(key))
            mistakes.append(Mistake(f"unknown key '{key}'", remedy, "", path, "unknown-key", at_key=True))
    numbers = []
    for name, read in readers.items():
        if name not in given:
            what = f"'{name}' is missing"
            mistakes.append(Mistake(what, f"write {_FORMS[kind]}", show(given), (kind,), "missing-key"))
            continue
        try:
            numbers.append(read(given[name]))
        except ValueError as error:
            mistakes += [mistake.under((kind, name)) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    return numbers


def _read_sigma(value: object) -> float:
    sigma = parse_number(value)
    if not 0 < sigma <= LARGEST_SIGMA:
        remedy = "write for example 0.2, or one plain number" if sigma <= 0 else "write for example 0.2"
        raise Mistake(f"sigma must be above 0 and at most {LARGEST_SIGMA:g}", remedy, show(value))
    return sigma


def _spread(read: Reader) -> Reader:
    def read_sd(value: object) -> float:
        sd = read(value)
        if sd <= 0:
            raise Mistake("sd must be above 0", "write an sd above 0, or one plain number", show(value))
        return sd

    return read_sd


_LAW_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "an uncertain number, drawn once for each replication",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "uniform": {"type": "array", "minItems": 2, "maxItems": 2},
        "triangular": {"type": "array", "minItems": 3, "maxItems": 3},
        "lognormal": {"type": "object", "required": ["median", "sigma"]},
        "normal": {"type": "object", "required": ["mean", "sd"]},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True)
class UncertainField:
    """What makes `Annotated[float, UncertainField(...)]` a field for a number that may be uncertain.

    Parameters
    ----------
    read, write : callable
        From text or number to float, and back to what a file holds.
    schema : dict
        JSON schema of the plain value.
    optional : bool
        Whether None is allowed.
    read_plain : callable, optional
        Reader of a plain number, where it is stricter than for the values of a law.
    """

    read: Reader
    write: Writer
    schema: Mapping[str, Any]
    optional: bool = False
    read_plain: Reader | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        writer = core_schema.plain_serializer_function_ser_schema(self._serialize, info_arg=True)
        return core_schema.no_info_plain_validator_function(self._validate, serialization=writer)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"anyOf": [dict(self.schema), _LAW_SCHEMA, *([{"type": "null"}] if self.optional else [])]}

    def _validate(self, value: object) -> float | None:
        if value is None and self.optional:
            return None
        if self.read_plain is not None and not isinstance(value, (Uncertain, Mapping)):
            return self.read_plain(value)
        return read_uncertain(value, self.read, self.write)

    def _serialize(self, value: float | None, info: SerializationInfo) -> Any:
        if value is None:
            return None
        write = self.write if info.mode == "json" else float
        return law_as_data(value.law, write) if isinstance(value, Uncertain) else write(value)


def law_as_data(law: Law, write: Writer) -> dict[str, Any]:
    """Return a law as a file holds it."""
    if isinstance(law, UniformLaw):
        return {"uniform": [write(law.low), write(law.high)]}
    if isinstance(law, TriangularLaw):
        return {"triangular": [write(law.low), write(law.mode), write(law.high)]}
    if isinstance(law, LognormalLaw):
        return {"lognormal": {"median": write(law.middle), "sigma": law.sigma}}
    return {"normal": {"mean": write(law.mean), "sd": write(law.sd)}}


def elicited_numbers(model: BaseModel, path: str) -> Iterator[Elicited]:
    """Yield the uncertain numbers inside `model`, in the order of its fields; `path` is that of the model."""
    for name, info in type(model).model_fields.items():
        value, here = getattr(model, name), f"{path}.{info.alias or name}"
        if isinstance(value, Uncertain):
            yield Elicited(here, value.law)
        elif isinstance(value, BaseModel):
            yield from elicited_numbers(value, here)
        elif isinstance(value, tuple):
            for index, each in enumerate(value):
                if isinstance(each, BaseModel):
                    yield from elicited_numbers(each, f"{here}[{index}]")


def with_numbers(model: BaseModel, path: str, values: dict[str, float]) -> BaseModel:
    """Return `model` with the uncertain numbers of these paths plain; used paths are taken out of `values`.

    Nothing is checked again: the laws were, at both ends.
    """
    update: dict[str, Any] = {}
    for name, info in type(model).model_fields.items():
        value, here = getattr(model, name), f"{path}.{info.alias or name}"
        if isinstance(value, Uncertain):
            if here in values:
                update[name] = float(values.pop(here))
        elif isinstance(value, BaseModel):
            update[name] = with_numbers(value, here, values)
        elif isinstance(value, tuple) and any(isinstance(each, BaseModel) for each in value):
            update[name] = tuple(
                with_numbers(each, f"{here}[{index}]", values) if isinstance(each, BaseModel) else each
                for index, each in enumerate(value)
            )
    changed = {name: value for name, value in update.items() if value is not getattr(model, name)}
    return model.model_copy(update=changed) if changed else model


def write_number(value: float) -> float | int:
    """Return a plain number as a file holds it."""
    return int(value) if value == int(value) and abs(value) < 1e15 else float(value)
