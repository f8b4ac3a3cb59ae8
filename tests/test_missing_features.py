"""What the pages say is not modelled is not: no feature they name as missing is a key of scenario files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpusim.scenario import scenario_schema

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = {
    "README.md": r"^Not modelled yet: ([^.]+)\.",
    "docs/reference/scenario.md": r"^## What is not in version 1\n\n([^.]+)\.",
    "docs/background/model.md": r"^## Not modelled\n\n([^.]+)\.",
}
"""Where features are listed as missing: the first sentence, a list."""

CALLED = {
    "borrowing": "borrow",
    "preemption": "preemptible",
    "fair share": "fairness",
    "users' limits": "user_max_gpus",
    "maintenance": "reservations",
    "backfilling": "backfill",
    "slices of GPUs": "slices",
    "pools of different speed": "speed",
    "dependencies other than chains": "after",
    "users who react to waits": "reaction",
}
"""Keys of features that the pages do not call by their key, and the keys that missing ones would have."""


def keys_of(schema: Any) -> Iterator[str]:
    """Every key that an object of the schema has."""
    if isinstance(schema, list):
        for each in schema:
            yield from keys_of(each)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from properties
        for each in schema.values():
            yield from keys_of(each)


def listed(text: str) -> list[str]:
    return [name for name in re.split(r",\s*(?:and\s+)?|\s+and\s+", " ".join(text.split())) if name]


def built(features: list[str]) -> list[str]:
    """Those that are keys: by the table, or as they are called, in the singular or the plural."""
    keys = set(keys_of(scenario_schema()))
    keys.remove("node")  # of leases: how large they are, not where jobs are placed
    names = {feature: CALLED.get(feature, feature.lower().replace(" ", "_")) for feature in features}
    return [feature for feature, name in names.items() if {name, name.removesuffix("s"), f"{name}s"} & keys]


@pytest.mark.parametrize("page", SENTENCES)
def test_nothing_that_is_said_to_be_missing_is_a_key(page: str) -> None:
    found = re.search(SENTENCES[page], (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{page}: the sentence is gone"
    missing = [name[0].lower() + name[1:] for name in listed(found[1])]
    assert "failures" in missing
    assert built(missing) == []


def test_what_is_built_would_be_found() -> None:
    """The sentences that once stood there."""
    assert built(listed("nodes and placement, fair share, leases, failures")) == ["fair share", "leases"]
    assert built(listed("nodes and placement, quotas, preemption, seasons")) == ["quotas", "preemption"]
    assert built(["maintenance", "approval", "reservations", "borrowing"]) != []
