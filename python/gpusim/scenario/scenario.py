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

from gpusim.errors import Problem, ScenarioError, UsageError
from gpusim.scenario import views
from gpusim.scenario.checks import check
from gpusim.scenario.checks_levels import check_levels
from gpusim.scenario.elicited import Elicited
from gpusim.scenario.expected import expected_jobs
from gpusim.scenario.fairness import Account
from gpusim.scenario.fields import Name, PositiveDuration, Text
from gpusim.scenario.findings import findings
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake, Path, raise_all
from gpusim.scenario.model import Center, JobClass, Study, Tenant
from gpusim.scenario.parts import ClassPart, MemberPart, Parts, salvage
from gpusim.scenario.policy import Policy
from gpusim.scenario.quotas import QuotaTree
from gpusim.scenario.reader import Places, read_document
from gpusim.scenario.reservations import Reservation
from gpusim.scenario.sharing import Cohort
from gpusim.scenario.slo import PERIOD_METRICS, ResolvedSlo, SloField, resolve
from gpusim.scenario.variants import VariantsField, applied, variant_mistakes, variant_places
from gpusim.scenario.views import Reserved
from gpusim.scenario.windows import counted_window
from gpusim.suggest import did_you_mean
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
    cohorts: tuple[Cohort, ...] = Field(
        (),
        description="cohorts that have a quota or belong to another cohort; where there is such a list, it holds "
        "all that tenants name",
        examples=["[{name: research, quota: 5%, cohort: all}, {name: all}]"],
    )
    accounts: tuple[Account, ...] = Field(
        (),
        description="accounts that have a weight or belong to another account; where there is such a list, it holds "
        "all that tenants name",
        examples=["[{name: public, weight: 3}, {name: labs, account: public}]"],
    )
    reservations: tuple[Reservation, ...] = Field(
        (),
        description="GPUs kept for some jobs, or for nobody, at known times",
        examples=["[{name: course, gpus: 32, every: weekdays, hours: 09-12, classes: [notebook]}]"],
    )
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

    assumed: tuple[Text, ...] = Field(
        (),
        description="paths of the values that are assumed; made from the lines with a comment '# assumption' "
        "where the file has no such key",
        examples=["[tenants.university.classes.training.gpus]"],
    )
    variants: VariantsField = Field(
        {},
        description="named changes of this scenario: {NAME: {about: text, of: base, group: name, set: {KEY: VALUE}}}",
        examples=["{fifo: {about: nobody overtakes, set: {policy.backfill: none}}}"],
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
        return cls._made(data, places, with_variants=True)

    @classmethod
    def _made(cls, data: Mapping[str, Any], places: Places, with_variants: bool) -> Scenario:
        scenario, mistakes = cls._attempt(data)
        if with_variants and data.get("variants"):
            mistakes += variant_mistakes(data, lambda changed: cls._attempt(changed)[1], mistakes)
        if scenario is None or mistakes:
            raise places.error(mistakes)
        scenario._places = places
        return scenario

    @classmethod
    def _attempt(cls, data: Mapping[str, Any]) -> tuple[Scenario | None, list[Mistake]]:
        """Return the scenario, or every mistake of it; its variants are not tried."""
        try:
            return cls.model_validate(dict(data)), []
        except ValidationError as error:
            mistakes = findings(error, data, cls)
            if any(
                item["loc"] for item in error.errors(include_url=False)
            ):  # the checks of the whole have not run
                parts = salvage(data)
                mistakes += [*check(parts), *check_levels(parts, data)]
            return None, mistakes

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
            Changes such as ``policy.backfill=none``, applied before the checks. With any, variants are not
            tried: one that does not go with the changes says so when it is asked for.

        Raises
        ------
        ScenarioError
            With every mistake found, of the variants too; places are ``source:line:column path``.
        """
        from gpusim.scenario.overrides import override_document

        overrides = list(overrides)
        document = read_document(text, source)
        if document.assumed and "assumed" not in document.data:
            document.data["assumed"] = list(document.assumed)
        document = override_document(document, overrides)
        try:
            scenario = cls._made(document.data, document.places, with_variants=not overrides)
        except ScenarioError as error:
            raise ScenarioError(document.problems + error.problems) from None
        if document.problems:
            raise ScenarioError(document.problems)
        return scenario

    @model_validator(mode="after")
    def _check_the_whole(self) -> Scenario:
        parts = self._parts()
        raise_all([*check(parts), *check_levels(parts, {})])
        return self

    def _parts(self) -> Parts:
        sections = {"study": self.study, "center": self.center, "policy": self.policy}
        written: set[Path] = {(name, key) for name, part in sections.items() for key in part.model_fields_set}
        parts = Parts(self.tick, [], [], [], self.study, self.center, written, self.policy)
        for index, tenant in enumerate(self.tenants):
            parts.tenants.append((("tenants", index), tenant.name))
            parts.members.append(MemberPart(("tenants", index), tenant, True))
            for position, job_class in enumerate(tenant.classes):
                path = ("tenants", index, "classes", position)
                parts.classes.append(ClassPart(path, tenant.name, job_class.name, job_class))
        for index, cohort in enumerate(self.cohorts):
            parts.members.append(MemberPart(("cohorts", index), cohort, True))
        parts.accounts = [(("accounts", index), account) for index, account in enumerate(self.accounts)]
        parts.reservations = [(("reservations", index), each) for index, each in enumerate(self.reservations)]
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
        return Scenario._made(document.data, document.places, with_variants=False)

    def variant(self, name: str) -> Scenario:
        """Return this scenario with the changes of one of its variants, checked.

        It keeps all variants, so that two can be combined: ``scenario.variant("fifo").variant("no-spike")``.
        Its name is that of the scenario and of the variant, unless the variant sets one.

        Parameters
        ----------
        name : str
            Name in `variants`.

        Raises
        ------
        UsageError
            If no variant has this name.
        ScenarioError
            If the variant does not go with overrides made before.
        """
        if name not in self.variants:
            near = did_you_mean(name, self.variants)
            known = f"known: {', '.join(self.variants)}" if self.variants else "this scenario has no variants"
            remedy = f"did you mean '{near}'? {known}" if near else known
            raise UsageError(
                Problem(self.name, "no variant has this name", remedy, "usage/variant", show(name))
            )
        data, owners, mistakes = applied(self.to_dict(), self.variants, name)
        places = variant_places(owners)
        if mistakes:
            raise places.error(mistakes)
        if ("name",) not in owners:
            data["name"] = f"{self.name}-{name.replace('.', '-')}"[:100]
        made = Scenario._made(data, places, with_variants=False).model_copy(
            update={"variants": self.variants}
        )
        made._places = self._places
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return plain data as a file would hold it; `from_dict` makes an equal scenario of it.

        Comments are lost, but not the marks of assumed values: they are listed under `assumed`.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the validated content: of what decides the answer.

        Comments, layout, key order and units do not change it, nor do `variants` and `assumed`.
        """
        content = self.model_dump(mode="python", by_alias=True, exclude={"variants", "assumed"})
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
    def week_phase(self) -> float:
        """Time since Monday 00:00 in the center's time zone when the study begins [s]."""
        return views.week_phase(self)

    @property
    def pool_names(self) -> tuple[str, ...]:
        """Names of the pools, in the order of the file; ("gpus",) for a center of one pool without a name."""
        return views.pool_names(self)

    def class_pools(self, class_index: int) -> tuple[int, ...]:
        """Return the positions in `pool_names` where jobs of a class may run, in order of preference."""
        return views.class_pools(self, class_index)

    @property
    def quotas(self) -> QuotaTree:
        """Tenants and cohorts with what they own, borrow and lend under `policy.contract`."""
        return QuotaTree.of(self.tenants, self.cohorts).under(self.policy.contract)

    def reserved(self, until: float | None = None) -> tuple[Reserved, ...]:
        """Return each reservation with the classes it is for, and when it is open before `until` [s].

        By default before the end of the horizon.
        """
        return views.reserved(self, self.study.horizon if until is None else until)

    def elicited(self) -> tuple[Elicited, ...]:
        """Return every number that is uncertain, with its path and law."""
        return views.elicited(self)

    def drawn(self, values: Mapping[str, float]) -> Scenario:
        """Return this scenario with uncertain numbers made plain.

        Parameters
        ----------
        values : mapping
            Path of an `elicited` number to its value, in that number's unit.
        """
        return views.drawn(self, values)

    @property
    def class_loads(self) -> tuple[float, ...]:
        """Offered load of each class, in order [GPUs]: mean over the counted time, schedules included."""
        return tuple(views.class_loads(self))

    @property
    def offered_load(self) -> float:
        """Mean GPUs in use over the counted time if nobody ever waited, was refused or left [GPUs]."""
        return views.offered_load(self)

    @property
    def mean_load(self) -> float:
        """Mean, over the counted time, of the GPUs in use if nobody waited [GPUs]."""
        return views.mean_load(self)

    @property
    def peak_load(self) -> float:
        """Largest hourly mean, over the counted time, of the GPUs in use if nobody waited [GPUs]."""
        return views.peak_load(self)

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
        return counted_window(self._parts())[0]

    @property
    def count_end(self) -> float:
        """End of the counted submissions [s]: jobs submitted in [warm_up, count_end) are counted."""
        return counted_window(self._parts())[1]

    def ticks(self, seconds: float) -> int:
        """Return a duration in ticks of the engine's clock, rounded to the nearest."""
        return round(seconds / self.tick)

    def resolved_slos(self) -> tuple[ResolvedSlo, ...]:
        """Return each service level on jobs, with the positions of the classes it counts."""
        return tuple(level for level in self._resolved() if level.judges_jobs)

    def period_slos(self) -> tuple[ResolvedSlo, ...]:
        """Return the levels that judge a whole period once: delivered, fair-share error, longest cascade."""
        return tuple(level for level in self._resolved() if level.metric in PERIOD_METRICS)

    def occupancy_slos(self) -> tuple[ResolvedSlo, ...]:
        """Return the levels on the occupancy of the whole center.

        They are apart because they judge GPUs, not jobs, and because a larger center has a lower occupancy: a
        search for the fewest GPUs must not take them for levels that more GPUs help.
        """
        return tuple(level for level in self._resolved() if level.metric == "occupancy")

    def _resolved(self) -> Iterator[ResolvedSlo]:
        entries = list(self.classes())
        names = [(tenant, job_class.name) for _, tenant, job_class in entries]
        classes = [job_class for _, _, job_class in entries]
        return (resolve(slo, names, classes) for slo in self.slos)

    def expected_jobs(self, of: Iterable[int] | ResolvedSlo | None = None) -> float:
        """Return the mean number of counted jobs a replication has [jobs].

        Parameters
        ----------
        of : ResolvedSlo, or iterable of int, optional
            Only those that a level counts, or of these classes (default: all jobs).
        """
        level = of if isinstance(of, ResolvedSlo) else None
        chosen = (
            of.classes if isinstance(of, ResolvedSlo) else range(len(self.class_names)) if of is None else of
        )
        return math.fsum(expected_jobs(self, index, level) for index in chosen)

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
