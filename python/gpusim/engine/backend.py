"""Which engine runs a batch, and why the others do not."""

from __future__ import annotations

from gpusim.errors import BackendUnavailable, Problem

BACKENDS = ("auto", "cuda", "cupy", "cpu")

_NOT_BUILT = "this version of gpusim has no GPU engine yet"


def reasons_unavailable() -> dict[str, str]:
    """Backends that cannot run here, each with the reason in words."""
    return {"cuda": _NOT_BUILT, "cupy": _NOT_BUILT}


def choose(backend: str) -> str:
    """Name of the engine to use.

    Parameters
    ----------
    backend : str
        "auto" or the name of one engine. A named engine never falls back to another.

    Raises
    ------
    BackendUnavailable
        If the engine is unknown or cannot run here; says why and what to do.
    """
    refused = reasons_unavailable()
    if backend == "auto" or backend == "cpu":
        return "cpu"
    what = refused.get(backend, "is not a backend")
    remedy = 'use --backend cpu, or "auto"'
    raise BackendUnavailable([Problem(f"backend '{backend}'", what, remedy, "backend/unavailable")])
