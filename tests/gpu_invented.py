"""An invented result of `benchmarks/gpu_check.py` in which every goal is met; tests spoil one thing of it at a time."""

from __future__ import annotations

from typing import Any


def spread(median: float) -> dict[str, float]:
    return {"median": median, "min": 0.9 * median, "max": 1.1 * median, "repeats": 3}


def speed(name: str, rate: float, ratio: float = 6.0) -> dict[str, Any]:
    """A row of throughput."""
    return {
        "name": name,
        "engine": "cuda",
        "beside": "host",
        "cores": 16,
        "runs": 64,
        "runs_a_processor": 16.0,
        "jobs_a_run": 5000,
        "jobs": 320_000,
        "events_per_second": {"cuda": spread(rate), "host": spread(rate / ratio)},
        "ratio": spread(ratio),
        "equal": True,
        "differences": [],
    }


def done(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"status": "done", "seconds": 1.0, "limit": 10.0, "rows": list(rows)}


def invented_result() -> dict[str, Any]:
    """Figures that no device has given."""
    parity = [{"name": f"c{k}", "equal": True, "same_again": True, "differences": []} for k in range(60)]
    compiled = [
        {"name": f"first use, {k}", "compile_seconds": 5.0 + k, "cached_seconds": 0.1} for k in range(3)
    ]
    beside = {**speed("mix, EASY, load 0.85", 1e9, 0.98), "engine": "cupy", "beside": "cuda"}
    return {
        "schema": 1,
        "kind": "gpu",
        "date": "2000-01-02",
        "command": "python benchmarks/gpu_check.py",
        "device": {"name": "NVIDIA H100 of wood", "processors": 4, "memory_gib": 1.0},
        "driver": "1.2",
        "tools": {"nvcc": "13.0", "ncu": "not found"},
        "commit": "0123456789abcdef",
        "clean": True,
        "load_before": 0.1,
        "rehearsal": False,
        "exit": 0,
        "goals": [],
        "steps": {
            "about": done({"name": "host", "cpu": "abacus", "cores": 16, "memory_gib": 2}),
            "parity cuda": done(*parity),
            "throughput": done(
                *(speed(f"mix, FIFO, load {load}", 4e9) for load in (0.85, 0.95)),
                *(speed(f"mix, EASY, load {load}", 1.5e9) for load in (0.85, 0.95)),
            ),
            "answer": done(
                {
                    "name": "korea-nacc as shipped",
                    "engine": "cuda",
                    "seconds": 8.0,
                    "rounds": 7,
                    "idle_share": 0.25,
                },
                {"name": "korea-nacc over a year", "engine": "cuda", "seconds": 80.0, "gpus": 9},
            ),
            "parity cupy": done(*map(dict, parity)),
            "cupy": done(*compiled, beside),
            "sanitizer": done(
                *({"name": c, "clean": True, "errors": 0} for c in ("memcheck", "racecheck", "synccheck"))
            ),
            "profile": done({"name": "EASY", "limits": "EASY moved little. What limits it is imagination."}),
        },
    }
