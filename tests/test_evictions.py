"""What preemption costs, in results and on the page."""

from __future__ import annotations

import numpy as np
import pytest

import gpusim
from gpusim.engine.result import COUNTS, EVICTIONS, SUMS
from gpusim.plan.simulate import Simulation
from gpusim.report import simulation_page, size_page, to_text, words
from shared_scenario import scenario, share, sharing
from test_docs import DOCS, documented, keys, rows, sections


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    share(monkeypatch, sharing())
    return gpusim.simulate(scenario(), replications=12)


def test_evictions_are_ratios_of_the_sums_of_all_periods(result: Simulation) -> None:
    found, batch = result.evictions, result.batch
    assert found is not None
    assert batch.evictions is not None
    assert batch.longest_cascade is not None
    sums = dict(zip(EVICTIONS, batch.evictions[:, 1].sum(axis=0).tolist(), strict=True))
    jobs = int(batch.counts[:, 1, COUNTS.index("submitted")].sum())
    sweep, every = found.classes
    assert sums["preemptions"] > sums["preempted"] > 0
    assert sweep.name == "guest/sweep"
    assert sweep.per_job is not None
    assert sweep.evicted is not None
    assert sweep.cancelled is not None
    assert sweep.cancelled.value == 0.0
    assert sweep.per_job.value == sums["preemptions"] / jobs
    assert sweep.evicted.value == sums["preempted"] / jobs
    assert sweep.requeued_wait is not None
    assert sweep.requeued_wait.value == sums["requeued_wait"] / sums["preempted"]
    assert sweep.lost.value == sums["lost"] / batch.sums[:, 1, SUMS.index("gpu_ticks")].sum()
    assert sweep.evicted.low <= sweep.evicted.value <= sweep.evicted.high
    assert every.name == "all"
    assert every.per_job is not None
    assert every.per_job.value == sums["preemptions"] / batch.counts[:, :, COUNTS.index("submitted")].sum()
    assert every.lost.value == sums["lost"] / batch.sums[:, :, SUMS.index("gpu_ticks")].sum()
    assert every.requeued_wait == sweep.requeued_wait  # of the jobs evicted
    assert found.longest_cascade == batch.longest_cascade.max()
    assert found.mean_cascade == batch.longest_cascade.mean()


def test_the_page_has_a_row_for_each_class_that_can_be_evicted(result: Simulation) -> None:
    text = to_text(simulation_page(result))
    assert "Preemption" in text
    rows = text[text.index("Preemption") : text.index("Waited again:")]
    assert "guest/sweep" in rows
    assert "owner/runs" not in rows
    assert "Longest cascade: " in text


def contended(*changes: str) -> Simulation:
    """The owner's jobs take back what the guest's borrow; nobody can evict the owner's."""
    terms = (
        "tenants.owner.cohort=both",
        "tenants.guest.cohort=both",
        "tenants.owner.quota=60%",
        "tenants.guest.quota=40%",
        "tenants.owner.preempts={reclaim: any}",
    )
    return gpusim.simulate(scenario(*terms, *changes), replications=12)


def test_the_grace_that_an_owner_waits_for_is_told_as_lost() -> None:
    result = contended("tenants.guest.classes.sweep.preemptible={grace: 30min}")
    found, batch = result.evictions, result.batch
    assert found is not None
    assert batch.evictions is not None
    lost = batch.evictions[:, :, EVICTIONS.index("lost")].sum(axis=0)
    used = batch.sums[:, :, SUMS.index("gpu_ticks")].sum(axis=0)
    assert (lost > 0).all()
    owner, guest, every = found.classes
    assert [each.name for each in found.classes] == ["owner/runs", "guest/sweep", "all"]
    assert [each.lost.value for each in found.classes] == [
        lost[0] / used[0],
        lost[1] / used[1],
        lost.sum() / used.sum(),
    ]
    assert (owner.per_job, owner.evicted, owner.cancelled, owner.requeued_wait) == (None,) * 4
    told = result.to_dict()["evictions"]["classes"]
    assert told[0]["per_job"] is None
    assert told[2]["lost"]["value"] == every.lost.value
    assert guest.per_job is not None
    text = to_text(simulation_page(result))
    page = text[text.index("Preemption") : text.index("Waited again:")].splitlines()
    (row,) = (line.split() for line in page if "owner/runs" in line)
    assert row[1:] == ["-", words.percent(owner.lost.value)]  # empty where nothing applies
    assert "jobs cancelled" not in text


def test_jobs_that_an_eviction_ends_are_told_apart_from_those_that_wait_again() -> None:
    result = contended("tenants.guest.classes.sweep.preemptible={requeue: cancel}")
    found, batch = result.evictions, result.batch
    assert found is not None
    counted = batch.counts.sum(axis=0)
    cancelled = counted[:, COUNTS.index("cancelled")]  # the class is in no chain: nothing else cancels
    guest, every = found.classes
    assert cancelled[1] > 0
    assert guest.cancelled is not None
    assert every.cancelled is not None
    assert guest.cancelled == guest.evicted
    assert guest.cancelled.value == cancelled[1] / counted[1, COUNTS.index("submitted")]
    assert every.cancelled.value == cancelled.sum() / counted[:, COUNTS.index("submitted")].sum()
    assert guest.requeued_wait is None
    assert "jobs cancelled" in to_text(simulation_page(result))


def test_checkpoints_cost_something_where_nobody_is_evicted() -> None:
    sweep = "tenants.guest.classes.sweep"
    result = contended(
        "tenants.owner.preempts={}",
        f"{sweep}.preemptible=true",
        f"{sweep}.checkpoint=10min",
        f"{sweep}.checkpoint_cost=20s",
    )
    assert result.evictions is not None
    lost = result.evictions.classes[-1].lost
    assert lost.value > 0
    said = " ".join(to_text(simulation_page(result)).split())
    cost = f"Checkpoints cost {words.percent(lost.value)} of the GPU-time used."
    assert f"Nobody was evicted in 12 periods. {cost}" in said


def test_where_quotas_stop_a_tenant_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing(borrow=np.zeros((3, 1), np.int64)))  # nobody borrows
    result = gpusim.simulate(scenario(), replications=6)
    assert result.why is not None
    assert (result.why.tenants[1].quota or 0) > 0
    assert result.why.pools[0].quota_idle > 0
    said = " ".join(to_text(simulation_page(result)).split())
    assert "Quota: a quota or limit allows no more, or what is left is held for an owner;" in said
    assert "idle because quotas or limits stop every job that waits for them" in said
    assert result.evictions is not None
    assert "Nobody was evicted in 6 periods." in said


def test_an_answer_tells_evictions_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing())
    answer = gpusim.size(scenario())
    assert answer.findings.evictions is not None
    told = answer.to_dict()
    assert told["evictions"]["classes"][0]["name"] == "guest/sweep"
    known = rows(sections(DOCS / "reference/results.md")["size"])
    assert [key for key in dict(keys(told)) if not documented(key, known)] == []
    assert "Preemption" in to_text(size_page(answer))


def test_without_preemptible_classes_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpusim.simulate(scenario(), replications=2).evictions is None
    share(monkeypatch, sharing(preemptible=np.zeros(2, np.bool_)))
    result = gpusim.simulate(scenario(), replications=2)
    assert result.evictions is None
    assert "Preemption" not in to_text(simulation_page(result))


def test_quotas_in_gpus_are_no_proof_that_no_center_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    amounts = {"nominal": np.array([[4], [1], [0]]), "shares": None, "borrow": np.zeros((3, 1), np.int64)}
    share(monkeypatch, sharing(**amounts))
    answer = gpusim.size(scenario())
    assert answer.feasible is False  # however large the center, the owner may use 4
    assert answer.findings.ceiling is not None
    assert answer.findings.ceiling.infeasible is False
    assert answer.findings.ceiling.attainment.share == 1.0
