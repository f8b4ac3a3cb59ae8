"""Results as files: JSON without NaN, written whole or not at all."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any


def finite(value: Any) -> Any:
    """Plain data with None for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file whole or not at all: a temporary file beside it takes its place at the end.

    A device or pipe (``/dev/stdout``) is written to and never replaced; a link keeps pointing where it points.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")
        return
    target = target.resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
