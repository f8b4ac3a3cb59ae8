"""A scenario with accounts, users, leases, approvals and reservations, for tests."""

from __future__ import annotations

import textwrap

from gpusim.scenario import Scenario

TEXT = textwrap.dedent("""\
    schema: 1
    name: agreed
    center: {have: 1000, time_zone: Asia/Seoul}
    tenants:
      - name: lab
        weight: 3
        account: labs
        users: 200
        user_max_gpus: 64
        user_max_jobs: 10
        quota: 50%
        classes:
          - name: train
            arrivals: {load: 100}
            gpus: {8: 60%, 16: 40%}
            run_time: {exponential: {mean: 2h, max: 24h}}
            limit: 25h
            qos: 0.5
      - name: firm
        account: private
        quota: 30%
        classes:
          - name: grant
            arrivals: {rate: 2/day}
            gpus: {16: 50%, 32: 50%}
            run_time: {uniform: [5d, 9d]}
            lease: {use: {uniform: [10%, 90%]}, reclaim_below: 30%, review: 3d}
            approval: {calls: weekly, first: 2026-02-03, accept: 31%, delay: 1d}
      - name: ministry
        account: public
        quota: 20%
        classes:
          - name: audit
            arrivals: {load: 10}
            gpus: 4
            run_time: {deterministic: 2h}
            limit: 3h
    accounts:
      - {name: public, weight: 2}
      - {name: labs, account: public}
      - {name: private}
    reservations:
      - {name: course, gpus: 32, every: weekdays, hours: 09-12, classes: [audit]}
      - {name: service, gpus: 512, from: 10d, to: 10d8h}
    policy:
      order: multifactor
      fairness: {half_life: 7d, weights: {age: 1, fairshare: 4, qos: 2, size: 0.2}}
    slos: [wait <= 4h for 90% of all jobs]
    study: {horizon: 42d, warm_up: 10d, start: 2026-02-02}
    """)


def agreed(*changes: str) -> Scenario:
    """The scenario with some values changed."""
    return Scenario.from_yaml(TEXT, "center.yaml", changes)
