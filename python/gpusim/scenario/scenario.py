"""`Scenario`: the question, the center, the demand, the policy and the service levels, frozen and checked.

A scenario is made by `load_scenario` (a file or a built-in name), `Scenario.from_yaml` (text) or
`Scenario.from_dict` (data). These report all mistakes at once in one `ScenarioError`. `Scenario(...)`
itself runs the same checks, but its errors are pydantic's.

Class order is the same in the whole package: order of appearance over tenants. A class is named
'tenant/class'.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from gpusim.errors import Problem, ScenarioError
from gpusim.scenario.checks import ClassPart, Parts, check, counted_window, salvage
from gpusim.scenario.fields import Name, PositiveDuration, Text
from gpusim.scenario.findings import findings
from gpusim.scenario.laws import Frozen
from gpusim.scenario.mistakes import Mistake, raise_all
from gpusim.scenario.model import Center, JobClass, Policy, Study, Tenant
from gpusim.scenario.reader import Places, read_document
from gpusim.scenario.slo import ResolvedSlo, SloField, resolve_scope
from gpusim.units import parse_count, show

SCHEMA_VERSION = 1
"""Version of the scenario file format that this gpusim reads and writes."""


class ClassEntry(NamedTuple):
    """A job class and whose it is."""

    tenant_index: int  # position in `Scenario.tenants`
    tenant_name: str
    job_class: JobClass


def _read_version(value: object) -> int:
    version = parse_count(value)
    if version != SCHEMA_VERSION:
        newer = "; a newer gpusim may read it" if version > SCHEMA_VERSION else ""
        raise Mistake(
            "unknown schema version", f"write schema: {SCHEMA_VERSION}{newer}", show(value), code="version"
        )
    return version


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


_SECTION = BeforeValidator(_nothing_is_empty)  # 'policy:' with every key commented out


class Scenario(Frozen):
    """One planning question, complete and checked.

    See Also
    --------
    load_scenario : read a file or a built-in center.
    """

    schema_version: Annotated[int, BeforeValidator(_read_version)] = Field(
        alias="schema", description="version of the file format", examples=[SCHEMA_VERSION]
    )
    name: Name = Field(description="short name, used in reports and file names", examples=["quickstart"])
    description: Text = Field("", description="one line about the center and the question")
    tick: PositiveDuration = Field(
        1.0, description="resolution of the simulated clock", json_schema_extra={"unit": "s"}, examples=["1s"]
    )
    center: Annotated[Center, _SECTION] = Field(
        Center(), description="what the center has", examples=["{have: 512}"]
    )
    tenants: tuple[Tenant, ...] = Field(description="who submits jobs, and which", min_length=1)
    policy: Annotated[Policy, _SECTION] = Field(
        Policy(), description="how the scheduler chooses among waiting jobs", examples=["{backfill: 1}"]
    )
    slos: tuple[SloField, ...] = Field(
        description="service levels, one sentence each; the center must meet all of them",
        min_length=1,
        examples=['["wait <= 4h for 90% of all jobs"]'],
    )
    study: Study = Field(
        description="what is simulated and how sure the answer must be",
        examples=["{horizon: 28d, warm_up: 7d}"],
    )
    assumptions: tuple[Text, ...] = Field(
        (), description="what the reader must know; printed with the answer"
    )

    _places: Places = PrivateAttr(default_factory=Places)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, places: Places | None = None) -> Scenario:
        """Make a scenario from plain data, the content of a scenario file.

        Parameters
        ----------
        data : mapping
            As in a file: durations as text with a unit, and so on.
        places : Places, optional
            Line numbers for messages, from the reader.

        Raises
        ------
        ScenarioError
            With every mistake found; places are paths such as ``tenants[0].classes[1].gpus``.
        """
        places = places or Places()
        if not isinstance(data, Mapping):
            raise places.error(
                [Mistake("a scenario is a mapping", "give a dict", show(data), code="top-level")]
            )
        try:
            scenario = cls.model_validate(dict(data))
        except ValidationError as error:
            mistakes = findings(error, data, cls)
            if any(
                item["loc"] for item in error.errors(include_url=False)
            ):  # the checks of the whole have not run
                mistakes += check(salvage(data))
            raise places.error(mistakes) from None
        scenario._places = places
        return scenario

    @classmethod
    def from_yaml(cls, text: str | bytes, source: str = "<text>", overrides: Iterable[str] = ()) -> Scenario:
        """Make a scenario from YAML text.

        Parameters
        ----------
        text : str or bytes
            Content of a scenario file.
        source : str
            Its name, for messages.
        overrides : iterable of str
            Changes such as ``policy.backfill=none``, applied before the checks.

        Raises
        ------
        ScenarioError
            With every mistake found; places are ``source:line:column path``.
        """
        from gpusim.scenario.overrides import override_document

        document = override_document(read_document(text, source), overrides)
        try:
            scenario = cls.from_dict(document.data, places=document.places)
        except ScenarioError as error:
            raise ScenarioError(document.problems + error.problems) from None
        if document.problems:
            raise ScenarioError(document.problems)
        return scenario

    @model_validator(mode="after")
    def _check_the_whole(self) -> Scenario:
        raise_all(check(self._parts()))
        return self

    def _parts(self) -> Parts:
        parts = Parts(self.tick, [], [], [], self.study, self.center, set())
        parts.written = {("study", key) for key in self.study.model_fields_set}
        for index, tenant in enumerate(self.tenants):
            parts.tenants.append((("tenants", index), tenant.name))
            for position, job_class in enumerate(tenant.classes):
                path = ("tenants", index, "classes", position)
                parts.classes.append(ClassPart(path, tenant.name, job_class.name, job_class))
        parts.slos = [(("slos", index), slo) for index, slo in enumerate(self.slos)]
        return parts

    def override(self, changes: Iterable[str] | Mapping[str, Any]) -> Scenario:
        """Return this scenario with some values changed, checked again.

        Parameters
        ----------
        changes : iterable of str, or mapping
            ``["policy.backfill=none"]`` or ``{"policy.backfill": "none"}``.

        Raises
        ------
        ScenarioError
            If a path is unknown or the result is not a scenario.
        """
        from gpusim.scenario.overrides import override_document
        from gpusim.scenario.reader import Document

        document = override_document(Document(self.to_dict(), Places()), changes)
        return Scenario.from_dict(document.data, places=document.places)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data as a file would hold it; `from_dict` makes an equal scenario of it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the validated content; comments, layout, key order and units do not change it."""
        content = self.model_dump(mode="python", by_alias=True)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def classes(self) -> Iterator[ClassEntry]:
        """Yield all job classes in the package's one order, with their tenant."""
        for index, tenant in enumerate(self.tenants):
            for job_class in tenant.classes:
                yield ClassEntry(index, tenant.name, job_class)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names 'tenant/class' of all classes, in order."""
        return tuple(f"{tenant}/{job_class.name}" for _, tenant, job_class in self.classes())

    @property
    def tenant_names(self) -> tuple[str, ...]:
        """Names of all tenants, in order."""
        return tuple(tenant.name for tenant in self.tenants)

    @property
    def class_loads(self) -> tuple[float, ...]:
        """Offered load of each class, in order [GPUs]."""
        return tuple(job_class.offered_load for _, _, job_class in self.classes())

    @property
    def offered_load(self) -> float:
        """Mean GPUs in use if nobody ever waited, was refused or left [GPUs]."""
        return math.fsum(self.class_loads)

    @property
    def arrival_rate(self) -> float:
        """Mean arrival rate of all jobs [jobs/s]."""
        return math.fsum(job_class.rate for _, _, job_class in self.classes())

    @property
    def mean_gang(self) -> float:
        """Mean GPUs of a job, over all jobs; nan if no job ever arrives."""
        total = self.arrival_rate
        weighted = math.fsum(job_class.rate * job_class.mean_gang for _, _, job_class in self.classes())
        return weighted / total if total else math.nan

    @property
    def largest_gang(self) -> int:
        """Largest gang of any class [GPUs].

        A smaller center refuses the jobs that ask for it. It may meet the SLOs all the same, where these
        leave room for those jobs or do not count them.
        """
        return max(job_class.largest_gang for _, _, job_class in self.classes())

    @property
    def cool_down(self) -> float:
        """Length of the cool-down [s], `auto` worked out."""
        return counted_window(self.study, list(self.slos))[0]

    @property
    def count_end(self) -> float:
        """End of the counted submissions [s]: jobs submitted in [warm_up, count_end) are counted."""
        return counted_window(self.study, list(self.slos))[1]

    def ticks(self, seconds: float) -> int:
        """Return a duration in ticks of the engine's clock, rounded to the nearest."""
        return round(seconds / self.tick)

    def resolved_slos(self) -> tuple[ResolvedSlo, ...]:
        """Return each service level with the positions of the classes it counts."""
        names = [(tenant, job_class.name) for _, tenant, job_class in self.classes()]
        return tuple(
            ResolvedSlo(
                slo.sentence, slo.scope, resolve_scope(slo.scope, names), slo.limit, slo.share, slo.share_ppm
            )
            for slo in self.slos
        )

    def expected_jobs(self, classes: Iterable[int] | None = None) -> float:
        """Return the mean number of counted jobs a replication has, of some classes or of all [jobs]."""
        rates = [job_class.rate for _, _, job_class in self.classes()]
        chosen = range(len(rates)) if classes is None else classes
        return math.fsum(rates[index] for index in chosen) * (self.count_end - self.study.warm_up)

    def notices(self) -> tuple[Problem, ...]:
        """Return what is allowed but probably not meant, with stable codes; see `gpusim.scenario.notices`."""
        from gpusim.scenario.notices import notices

        return notices(self, self._places)

    @property
    def source(self) -> str:
        """File this scenario was read from; empty if it was made in Python."""
        return self._places.source

    def __str__(self) -> str:
        return (
            f"{self.name}: {len(self.tenants)} tenants, {len(self.class_names)} classes, "
            f"{len(self.slos)} SLOs, offered load {self.offered_load:.1f} GPUs, "
            f"largest gang {self.largest_gang} GPUs"
        )
