"""The pieces of a scenario that could be read, for the checks of the whole.

A file with a wrong field is told its other mistakes in the same run, so the checks work on `Parts`, in which
what could not be read is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gpusim.scenario.fairness import Account
from gpusim.scenario.fields import read_name
from gpusim.scenario.mistakes import Path
from gpusim.scenario.model import Center, JobClass, Study
from gpusim.scenario.policy import Policy
from gpusim.scenario.reservations import Reservation
from gpusim.scenario.sharing import Cohort, TenantTerms
from gpusim.scenario.slo import Slo, parse_slo
from gpusim.scenario.week import phase_of, zone_named
from gpusim.units import UnitError, parse_duration

Model = TypeVar("Model", bound=BaseModel)

_TREE = {"name", "cohort", "quota", "borrow", "lend"}
"""Keys that the tree of quotas is made of."""


@dataclass
class ClassPart:
    """A job class as far as it could be read."""

    path: Path
    tenant: str | None  # None: the name could not be read
    name: str | None
    model: JobClass | None

    @property
    def full_name(self) -> str:
        """'tenant/class', with a question mark for what could not be read."""
        return f"{self.tenant or '?'}/{self.name or '?'}"


@dataclass
class MemberPart:
    """What is agreed with a tenant, or about a cohort, as far as it could be read."""

    path: Path
    model: TenantTerms | Cohort | None
    whole: bool  # every key of the tree of quotas could be read: a missing one is meant to be missing
    unread: frozenset[str] = frozenset()  # keys that were written, but could not be read


@dataclass
class Parts:
    """A scenario as far as it could be read."""

    tick: float | None
    tenants: list[tuple[Path, str | None]]
    classes: list[ClassPart]
    slos: list[tuple[Path, Slo | None]]
    study: Study | None
    center: Center | None
    written: set[Path]  # keys of study, center and policy that stand in the file, as ('study', key)
    policy: Policy | None = None
    members: list[MemberPart] = field(default_factory=list)  # tenants, then cohorts
    accounts: list[tuple[Path, Account | None]] = field(default_factory=list)
    reservations: list[tuple[Path, Reservation | None]] = field(default_factory=list)

    @property
    def week_phase(self) -> float:
        """Time since Monday 00:00, local, when the study begins [s]; 0 if that could not be read."""
        zone = zone_named(self.center.time_zone) if self.center is not None else None
        return phase_of(self.study.start, zone) if self.study is not None and zone is not None else 0.0

    @property
    def class_names(self) -> list[tuple[str, str]]:
        """(tenant, class) of each class; empty text for a name that could not be read."""
        return [(part.tenant or "", part.name or "") for part in self.classes]

    def unread(self, section: str, key: str) -> bool:
        """Whether `key` was written in a section, but not so that it could be read: its default is not meant."""
        model = {"study": self.study, "center": self.center, "policy": self.policy}[section]
        return (section, key) in self.written and (model is None or key not in model.model_fields_set)


def salvage(data: Mapping[str, Any]) -> Parts:
    """Return the parts of raw `data` that can be read; what cannot is None."""
    tenants: list[tuple[Path, str | None]] = []
    classes: list[ClassPart] = []
    members: list[MemberPart] = []
    for index, tenant in enumerate(_items(data.get("tenants"))):
        path: Path = ("tenants", index)
        tenant_name = _name(_get(tenant, "name"))
        tenants.append((path, tenant_name))
        members.append(_member(TenantTerms, tenant, path))
        for position, job_class in enumerate(_items(_get(tenant, "classes"))):
            name, model = _name(_get(job_class, "name")), _read(JobClass, job_class)
            classes.append(ClassPart((*path, "classes", position), tenant_name, name, model))
    for index, cohort in enumerate(_items(data.get("cohorts"))):
        members.append(_member(Cohort, cohort, ("cohorts", index)))
    slos: list[tuple[Path, Slo | None]] = []
    for index, sentence in enumerate(_items(data.get("slos"))):
        try:
            slos.append((("slos", index), parse_slo(sentence)))
        except ValueError:
            slos.append((("slos", index), None))
    return Parts(
        tick=_tick(data.get("tick", "1s")),
        tenants=tenants,
        classes=classes,
        slos=slos,
        study=_read(Study, data.get("study")),
        center=_read(Center, data.get("center") or {}),
        written={
            (section, str(key))
            for section in ("study", "center", "policy")
            for key in _keys(data.get(section))
        },
        policy=_read(Policy, data.get("policy") or {}),
        members=members,
        accounts=[
            (("accounts", k), _read(Account, raw)) for k, raw in enumerate(_items(data.get("accounts")))
        ],
        reservations=[
            (("reservations", k), _read(Reservation, raw))
            for k, raw in enumerate(_items(data.get("reservations")))
        ],
    )


def _member(model: type[TenantTerms | Cohort], raw: Any, path: Path) -> MemberPart:
    own = {key: raw[key] for key in _keys(raw) if key != "classes"}
    read = _read(model, own)
    if read is None:
        return MemberPart(path, None, False, frozenset(map(str, own)))
    unread = frozenset(map(str, set(own) - read.model_fields_set))
    harmless = (model.model_fields.keys() - _TREE) | ({"name"} if model is TenantTerms else set())
    return MemberPart(path, read, unread <= harmless, unread)


def _read(model: type[Model], raw: Any) -> Model | None:
    """Read `raw`; if keys are wrong, try again without them, so that the right ones are still checked."""
    if isinstance(raw, model):
        return raw
    if not isinstance(raw, Mapping):
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors(include_url=False) if item["loc"]}
    try:
        return model.model_validate({key: value for key, value in raw.items() if key not in wrong})
    except ValidationError:
        return None


def _items(raw: Any) -> list[Any]:
    return list(raw) if isinstance(raw, (list, tuple)) else []


def _keys(raw: Any) -> list[Any]:
    return list(raw) if isinstance(raw, Mapping) else []


def _get(raw: Any, key: str) -> Any:
    return raw.get(key) if isinstance(raw, Mapping) else getattr(raw, key, None)


def _name(raw: Any) -> str | None:
    try:
        return read_name(raw)
    except ValueError:
        return None


def _tick(raw: Any) -> float | None:
    try:
        return parse_duration(raw) or None
    except UnitError:
        return None
