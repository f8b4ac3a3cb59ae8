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
    for device in backends["devices"]:
        memory = f"{device['free_bytes'] / 2**30:,.1f} GiB free"
        yield (
            f"device of {device['backend']}",
            f"{device['name']}, {device['processors']} processors, {memory}",
        )
    least = f"{backends['least_jobs_for_a_device']:,} jobs and {backends['least_cells_for_a_device']:,} runs"
    yield (
        "auto takes a device",
        f"from {least} in a batch on (an estimate; GPUSIM_DEVICE_MIN_JOBS sets another)",
    )
    if backends["not_on_devices"]:
        yield "not on devices", ", ".join(backends["not_on_devices"])


def _machine(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "usable cores", words.UNKNOWN if data["cores"] is None else str(data["cores"])
    yield "python", f"{data['python']} ({data['python_path']})"
    yield "numpy", data["numpy"]
    yield "platform", data["platform"]
