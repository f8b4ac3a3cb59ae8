"""`gpusim info`: what is installed, and what can run here."""

from __future__ import annotations

import importlib
import importlib.util
import json
import platform
import sys
from typing import Any

from gpusim._version import __version__
from gpusim.cli.options import Json
from gpusim.cli.output import print_page, print_text

INFO_SCHEMA = 1
"""Version of the JSON form."""


def info(as_json: Json = False) -> None:
    """Show the version, the engines that can run here, and the built-in scenarios."""
    data = _collect()
    if as_json:
        print_text(json.dumps(data, indent=2, allow_nan=False))
        return
    from gpusim.report import info_page

    print_page(info_page(data))


def _collect() -> dict[str, Any]:
    from gpusim.engine.backend import BACKENDS, NOT_ON_DEVICE, reasons_unavailable, thresholds
    from gpusim.scenario import examples

    refused = reasons_unavailable()
    native = _native()
    if "error" in native:
        refused = {**refused, "cpu": native["error"]}
    numpy = importlib.import_module("numpy")
    return {
        "schema": INFO_SCHEMA,
        "kind": "info",
        "version": __version__,
        "native": native,
        "cores": _cores(),
        "backends": {
            "available": [name for name in BACKENDS if name != "auto" and name not in refused],
            "refused": refused,
            "devices": _devices(),
            "least_jobs_for_a_device": thresholds()["jobs"],
            "least_cells_for_a_device": thresholds()["cells"],
            "not_on_devices": list(NOT_ON_DEVICE),
        },
        "python": platform.python_version(),
        "python_path": sys.executable,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "scenarios": list(examples()),
    }


def _native() -> dict[str, Any]:
    """What the compiled module says about itself; why it cannot be loaded, where it cannot.

    It is loaded by name because this verb must also work, and say so, where it is missing.
    """
    try:
        module = importlib.import_module("gpusim._native")
    except ImportError as error:
        return {"error": f"the compiled engine cannot be loaded: {error}"}
    facts = {
        name.lower(): value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, (str, int, float))
    }
    return {"path": module.__file__, **facts}


def _devices() -> list[dict[str, Any]]:
    """Every device that an engine may use; one that two engines see is listed under both."""
    from gpusim.engine.backend import MODULES, devices_of

    return [
        {
            "backend": name,
            "name": device.name,
            "processors": device.processors,
            "free_bytes": device.free_bytes(),
        }
        for name in MODULES
        for device in devices_of(name)
    ]


def _cores() -> int | None:
    try:
        cpu = importlib.import_module("gpusim.engine.cpu")
    except ImportError:
        return None
    cores: int = cpu.usable_cores()
    return cores
