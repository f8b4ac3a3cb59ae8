"""The page of `gpusim info`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group

from gpusim.report import words
from gpusim.report.layout import facts, headline, page, section


def info_page(data: Mapping[str, Any]) -> Group:
    """What the verb `info` collected, on one page."""
    return page(
        headline(f"gpusim {data['version']}"),
        section("Engines", facts(_engines(data["backends"]))),
        section("Compiled module", facts((name, str(value)) for name, value in data["native"].items())),
        section("Machine", facts(_machine(data))),
        section("Built-in scenarios", facts((name, f"gpusim size {name}") for name in data["scenarios"])),
    )


def _engines(backends: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in backends["available"]:
        yield name, "available"
    for name, reason in backends["refused"].items():
        yield name, f"not available: {reason}"


def _machine(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "usable cores", words.UNKNOWN if data["cores"] is None else str(data["cores"])
    yield "python", f"{data['python']} ({data['python_path']})"
    yield "numpy", data["numpy"]
    yield "platform", data["platform"]
