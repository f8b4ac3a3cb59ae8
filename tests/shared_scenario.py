"""A scenario whose two tenants share the center: owners reclaim their GPUs from a borrower's jobs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import gpusim
from gpusim.engine.sharing import RECLAIM
from gpusim.engine.spec import RunSpec, Sharing
from gpusim.plan import experiment

TEXT = """\
schema: 1
name: shared
center: {have: 20}
tenants:
  - name: owner
    classes:
      - {name: runs, arrivals: {load: 6}, gpus: 4, run_time: {exponential: {mean: 1h}}}
  - name: guest
    classes:
      - {name: sweep, arrivals: {load: 12}, gpus: 1, run_time: {exponential: {mean: 1h}}}
policy: {backfill: 1}
slos: [wait <= 30min for 50% of owner jobs]
study: {horizon: 1d, warm_up: 5h, attainment: 80%, tolerance: 20%, granularity: 4, max_gpus: 80, seed: 3}
"""
SHARES = (600_000, 400_000)
"""Millionths of the center that each tenant owns; the borrower may use all of it."""


def sharing(**changes: Any) -> Sharing:
    """Both tenants in one cohort; owners reclaim, and only the sweep can be evicted."""
    nobody = Sharing.nobody(2, 2, 1)
    tree = {
        "parent": np.array([2, 2, -1]),
        "nominal": np.array([[SHARES[0]], [SHARES[1]], [0]]),
        "borrow": np.full((3, 1), -1),
        "lend": np.full((3, 1), -1),
        "shares": np.array([[[True]] * 3, [[False]] * 3, [[False]] * 3]),
        "reclaim": np.full(2, RECLAIM.index("any")),
        "preemptible": np.array([False, True]),
    }
    return dataclasses.replace(nobody, **(tree | changes))


def share(monkeypatch: pytest.MonkeyPatch, terms: Sharing) -> None:
    """Let every scenario be run as shared on these terms."""
    compiled = experiment.run_spec

    def shared(*arguments: Any) -> RunSpec:
        return dataclasses.replace(compiled(*arguments), sharing=terms)

    monkeypatch.setattr(experiment, "run_spec", shared)


def scenario(*changes: str) -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TEXT, overrides=changes)
