"""`rerun`: an answer once more, from its own file, and what is different.

An answer's JSON form holds its scenario, its options and its seed (`gpusim.plan.provenance`), so nothing else is
needed. Compared are the numbers, truth values and absences of the answer. Whole numbers are the same on every machine,
backend and thread count; fractions are computed from them and may differ in the last digits. Words are not compared:
they follow from the numbers, and a later version may put them better.
"""

from __future__ import annotations

import inspect
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gpusim._version import __version__
from gpusim.errors import GpusimError, Problem, RunError, ScenarioError, UsageError
from gpusim.plan.answer import ANSWER_SCHEMA, Answer, Spent
from gpusim.plan.compare import compare
from gpusim.plan.comparison import COMPARISON_SCHEMA, Comparison
from gpusim.plan.output import finite
from gpusim.plan.runs import Progress
from gpusim.plan.simulate import SIMULATION_SCHEMA, Simulation, simulate
from gpusim.plan.size import size
from gpusim.scenario import Scenario
from gpusim.units import show

RERUN_SCHEMA = 1
"""Version of the JSON form."""

Result: TypeAlias = Answer | Simulation | Comparison

_VERBS: dict[str, tuple[int, Callable[..., Result]]] = {
    "size": (ANSWER_SCHEMA, size),
    "simulate": (SIMULATION_SCHEMA, simulate),
    "compare": (COMPARISON_SCHEMA, compare),
}
_NEEDED = {
    "size": ("gpus", "evidence"),
    "simulate": ("gpus", "replications", "attainment"),
    "compare": ("base", "variants"),
}
"""Keys without which a file holds nothing to compare with."""
_NOT_COMPARED = ("schema", "spent", "provenance", "resolved")
"""Top-level keys that say how an answer was made and not what it is. `resolved` of a simulation speaks of its time
limit, that of a size follows from its numbers."""
_LAST_DIGITS = 1e-9
"""Difference of two fractions that mathematical libraries may leave, relative or absolute."""
_LARGEST = 256 << 20  # bytes; an answer has some 20 thousand


@dataclass(frozen=True)
class Recorded:
    """An answer as its file holds it, checked.

    Attributes
    ----------
    source : str
    data : dict
        The whole JSON form.
    verb : str
    options : dict
        Of the call, with the seed.
    scenario : Scenario
    version : str
        Of the gpusim that made it.
    """

    source: str
    data: dict[str, Any]
    verb: str
    options: dict[str, Any]
    scenario: Scenario
    version: str


@dataclass(frozen=True)
class Difference:
    """One value that is not the same; None where an answer has no such value."""

    key: str
    recorded: Any
    now: Any


@dataclass(frozen=True, eq=False)
class Rerun:
    """An answer and its repetition.

    Attributes
    ----------
    recorded : Recorded
    answer : Answer, Simulation or Comparison
        The repetition.
    compared : int
        Values compared.
    differences : tuple of Difference
    warnings : tuple of str
        Why the two may differ without anything being wrong.
    """

    recorded: Recorded
    answer: Result
    compared: int
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every value compared is equal."""
        return not self.differences

    @property
    def gpus(self) -> int | None:
        """GPUs of the repeated answer or center; None for a comparison, or where no size is certified."""
        gpus = getattr(self.answer, "gpus", None)
        return gpus if isinstance(gpus, int) else None

    @property
    def factor(self) -> float | None:
        """The demand carried, as a factor, where the answer is one on demand."""
        return getattr(self.answer, "factor", None)

    @property
    def spent(self) -> Spent:
        """What the repetition cost."""
        return self.answer.spent

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data."""
        data = {
            "schema": RERUN_SCHEMA,
            "kind": "rerun",
            "same": self.same,
            "verb": self.recorded.verb,
            "source": self.recorded.source,
            "scenario": self.recorded.scenario.name,
            "scenario_hash": self.recorded.scenario.hash,
            "seed": self.recorded.options["seed"],
            "gpus": self.gpus,
            "factor": self.factor,
            "compared": self.compared,
            "differences": [asdict(each) for each in self.differences],
            "warnings": list(self.warnings),
            "version": {"recorded": self.recorded.version, "now": __version__},
            "spent": asdict(self.spent),
        }
        return finite(data)  # type: ignore[no-any-return]


def rerun(
    recorded: Recorded,
    *,
    backend: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Rerun:
    """Repeat an answer and compare.

    Parameters
    ----------
    recorded : Recorded
        From `read_answer`.
    backend, threads, on_progress
        As in `gpusim.size`; none of them changes an answer.

    Returns
    -------
    Rerun

    Raises
    ------
    RunError
        If the call cannot be made, for example because this version has not the options it names.
    """
    _, function = _VERBS[recorded.verb]
    options, warnings = _repeatable(recorded)
    unknown = [name for name in options if name not in inspect.signature(function).parameters]
    if unknown:
        what = f"{recorded.verb} has no option {' and '.join(unknown)} in gpusim {__version__}"
        remedy = f"repeat it with the version that made it, {recorded.version}"
        raise RunError(Problem(recorded.source, what, remedy, "plan/not-repeatable"))
    answer = function(recorded.scenario, **options, backend=backend, threads=threads, on_progress=on_progress)
    now = json.loads(json.dumps(answer.to_dict()))
    pairs = list(_pairs(recorded.data, now))
    differences = [Difference(key, *values) for key, *values in pairs if not _equal(*values)]
    return Rerun(recorded, answer, len(pairs), tuple(differences), tuple(warnings))


def _repeatable(recorded: Recorded) -> tuple[dict[str, Any], list[str]]:
    """Options that give the same answer again: a time limit counts seconds, which no two runs share."""
    options = dict(recorded.options)
    warnings = []
    if recorded.version != __version__:
        warnings.append(
            f"made by gpusim {recorded.version}, repeated by {__version__}: random numbers and rules may differ"
        )
    if options.get("time_limit") is not None:
        if recorded.verb == "simulate":  # the replications that were completed are the first ones
            options["replications"] = recorded.data["replications"]
            options["time_limit"] = None
        else:
            warnings.append(
                f"made under a time limit of {options['time_limit']:g} s: how far it got depended on the machine and "
                "its load"
            )
            if not recorded.data.get("out_of_time"):
                options["time_limit"] = None  # the search ended by itself
    return options, warnings


# ---- comparing -------------------------------------------------------------------------------------------------------


def _pairs(recorded: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(key, recorded value, value now) of everything that decides an answer."""
    for key, value in recorded.items():
        if key not in _NOT_COMPARED:
            yield from _leaves(key, value, now.get(key))
    yield "provenance.seed", recorded["provenance"].get("seed"), now["provenance"]["seed"]


def _leaves(key: str, recorded: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name, value in recorded.items():
            yield from _leaves(f"{key}.{name}", value, now.get(name))
    elif isinstance(recorded, list) and isinstance(now, list):
        if _is_of_text(recorded) and _is_of_text(now):
            return
        yield f"{key} (how many)", len(recorded), len(now)
        for place, (one, other) in enumerate(zip(recorded, now, strict=False)):
            yield from _leaves(f"{key}[{place}]", one, other)
    elif not (isinstance(recorded, str) and isinstance(now, str)):
        yield key, recorded, now


def _is_of_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_LAST_DIGITS, abs_tol=_LAST_DIGITS)
    return type(one) is type(other) and bool(one == other)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_answer(path: str | os.PathLike[str]) -> Recorded:
    """Read the JSON file of an answer of `size`, `simulate` or `compare`.

    Raises
    ------
    UsageError
        The file is missing or may not be read.
    ScenarioError
        It is no JSON, no answer, or was damaged or changed after it was made.
    RunError
        It was made by a version whose scenario this one does not understand.
    """
    name = os.fspath(path)
    try:
        with Path(name).open("rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        remedy = "name the file that 'gpusim size --output FILE.json' wrote"
        raise UsageError(Problem(name, "there is no such file", remedy, "usage/missing-file")) from None
    except IsADirectoryError:
        raise UsageError(Problem(name, "is a folder", "name one file inside it", "usage/folder")) from None
    except (OSError, ValueError) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(Problem(name, what, "check its permissions", "usage/unreadable")) from None
    return parse_answer(text, name)


def parse_answer(text: str | bytes, source: str = "<text>") -> Recorded:
    """Like `read_answer`, of the text itself."""
    data = _load(text, source)
    kind = data.get("kind")
    if kind not in _VERBS:
        what = "is not an answer of size, simulate or compare"
        found = f"kind {show(kind)}" if "kind" in data else "no key 'kind'"
        raise _refuse(source, what, "plan/not-an-answer", found)
    origin = data.get("provenance")
    origin = origin if isinstance(origin, dict) else {}
    version = origin.get("version")
    schema, _ = _VERBS[kind]
    if data.get("schema") != schema:
        what = f"is an answer of another form than gpusim {__version__} writes ({schema})"
        remedy = f"repeat it with the version that made it, {show(version)}"
        raise ScenarioError(
            Problem(source, what, remedy, "plan/answer-schema", f"schema {show(data.get('schema'))}")
        )
    call, document = origin.get("call"), origin.get("document")
    if not (isinstance(version, str) and isinstance(call, dict) and isinstance(document, dict)):
        wanted = {"version": version, "call": call, "document": document}
        missing = [name for name, value in wanted.items() if not isinstance(value, (dict, str))]
        found = "no " + ", ".join(f"provenance.{name}" for name in missing or ["document"])
        raise _refuse(source, "does not hold what is needed to repeat it", "plan/damaged-answer", found)
    _check_call(source, kind, data, call)
    options = {name: value for name, value in call.items() if name != "verb"}
    return Recorded(source, data, kind, options, _scenario(source, document, origin, version), version)


def _load(text: str | bytes, source: str) -> dict[str, Any]:
    try:
        if len(text) > _LARGEST:
            raise _refuse(source, "is too large for an answer", "plan/not-an-answer", f"{len(text):,} bytes")
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{source}:{error.lineno}:{error.colno}"
        raise _refuse(
            where, f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}", "plan/not-json"
        ) from None
    except UnicodeDecodeError:
        raise _refuse(source, "is not text", "plan/not-json") from None
    except RecursionError:
        raise _refuse(source, "is nested too deeply", "plan/not-json") from None
    if not isinstance(data, dict):
        raise _refuse(
            source, "is not an answer of size, simulate or compare", "plan/not-an-answer", type(data).__name__
        )
    return data


def _check_call(source: str, kind: str, data: Mapping[str, Any], call: Mapping[str, Any]) -> None:
    """The call must belong to the answer, and the answer must have what is compared."""
    seed = call.get("seed")
    if call.get("verb") != kind or not isinstance(seed, int) or isinstance(seed, bool):
        found = f"verb {show(call.get('verb'))}, seed {show(seed)}"
        raise _refuse(source, f"its call is not one of {kind} with a seed", "plan/damaged-answer", found)
    if missing := [key for key in _NEEDED[kind] if key not in data]:
        raise _refuse(
            source, "does not hold an answer to compare with", "plan/damaged-answer", f"no {missing[0]}"
        )


def _scenario(source: str, document: dict[str, Any], origin: Mapping[str, Any], version: str) -> Scenario:
    try:
        scenario = Scenario.from_dict(document)
    except ScenarioError as error:
        problems = [
            Problem(f"{source} provenance.document.{p.where}", p.what, p.remedy, p.code, p.found)
            for p in error.problems
        ]
        if version != __version__:
            raise RunError(problems) from None
        raise ScenarioError(problems) from None
    if version == __version__ and scenario.hash != origin.get("scenario_hash"):
        what = "its scenario is not the one that was answered: provenance.scenario_hash does not fit"
        found = f"{scenario.hash[:12]}, not {str(origin.get('scenario_hash'))[:12]}"
        raise _refuse(source, what, "plan/damaged-answer", found)
    return scenario


def _refuse(source: str, what: str, code: str, found: str = "") -> GpusimError:
    remedy = "give a file as gpusim size, simulate or compare wrote it with --output or --json"
    return ScenarioError(Problem(source, what, remedy, code, found))
