"""What a file says about quotas, cohorts and preemption: how it is read, and every mistake with its line and remedy."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

import random
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_value import check_value
from gpusim.engine import reference_terms as oracle
from gpusim.engine.reference_quota import Quotas, Use
from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario, example, scenario_fields
from gpusim.scenario.amounts import Amount, Amounts
from gpusim.scenario.quotas import QuotaTree
from gpusim.scenario.sharing import Cohort, Preemptible, TenantTerms

BASE = textwrap.dedent("""\
    schema: 1
    name: shared
    center: {have: 1000}
    tenants:
      - name: lab
        cohort: all
        quota: 50%
        borrow: 20%
        lend: 30%
        queueing: strict
        max_gpus: 700
        max_running: 40
        preempts: {within: lower, reclaim: any, while_borrowing: 5}
        classes:
          - name: urgent
            arrivals: {rate: 1/day}
            gpus: 64
            run_time: {deterministic: 2h}
            priority: 9
            urgent: true
          - name: train
            arrivals: {load: 100}
            gpus: {8: 60%, 16: 40%}
            run_time: {exponential: {mean: 2h, max: 24h}}
            limit: 25h
            preemptible: {exempt: 2h, grace: 5s, requeue: tail}
            checkpoint: 30min
            checkpoint_cost: 10s
            restart_cost: 5min
      - name: firm
        cohort: all
        quota: 30%
        classes:
          - name: sweep
            arrivals: {load: 100}
            gpus: 4
            run_time: {deterministic: 2h}
            limit: 3h
            preemptible: true
      - name: ministry
        cohort: spare
        classes:
          - name: other
            arrivals: {load: 10}
            gpus: 4
            run_time: {deterministic: 2h}
    cohorts:
      - {name: all}
      - {name: spare, cohort: all, quota: 5%, borrow: 10%, lend: 0}
    policy: {borrowers: in_order}
    slos: [wait <= 4h for 90% of all jobs]
    study: {horizon: 28d, warm_up: 7d}
    """)


@pytest.fixture(scope="module")
def base() -> Scenario:
    return Scenario.from_yaml(BASE, "center.yaml")


# ---- values ----------------------------------------------------------------------------------------------------------


def test_amounts_are_shares_or_gpus(base: Scenario) -> None:
    lab = base.tenants[0]
    assert (lab.quota, lab.borrow, lab.lend) == tuple(Amounts(Amount(share=s)) for s in (0.5, 0.2, 0.3))
    assert base.cohorts[1].lend == Amounts(Amount(0))
    assert base.override(["tenants.firm.quota=rest"]).tenants[1].quota == Amounts(Amount(rest=True))
    pools = base.override(
        {"center": {"pools": [{"name": "a", "have": 800}, {"name": "b", "have": 200}]}, "study.vary": "b"}
        | {"tenants.firm.quota": {"a": 100, "b": "2.5%"}}
    )
    assert pools.tenants[1].quota == Amounts(pools=(("a", Amount(100)), ("b", Amount(share=0.025))))
    assert Amounts(pools=(("a", Amount(100)),)).of("b") is None
    assert Amounts(Amount(share=0.5)).of("b") == Amount(share=0.5)


def test_preemption_is_read_in_the_words_of_kueue(base: Scenario) -> None:
    lab, firm, ministry = base.tenants
    assert (lab.preempts.within, lab.preempts.reclaim, lab.preempts.while_borrowing) == ("lower", "any", 5)
    assert (lab.queueing, lab.max_gpus, lab.max_running) == ("strict", 700, 40)
    urgent, train = lab.classes
    assert (urgent.urgent, urgent.preemptible) == (True, None)
    assert train.preemptible == Preemptible(exempt="2h", grace="5s", requeue="tail")
    assert (train.checkpoint, train.checkpoint_cost, train.restart_cost) == (1800, 10, 300)
    assert firm.classes[0].preemptible == Preemptible(exempt=0, grace=0, requeue="place")
    assert (
        base.override(["tenants.firm.classes.sweep.preemptible=false"]).tenants[1].classes[0].preemptible
        is None
    )
    assert ministry.preempts.reclaim == "never"


def test_without_a_word_about_it_nobody_owns_anything() -> None:
    for name in ("quickstart", "korea-nacc"):
        scenario = example(name)
        assert scenario.cohorts == ()
        assert all((t.quota, t.cohort, t.max_gpus, t.max_running) == (None,) * 4 for t in scenario.tenants)
        assert not any(c.urgent or c.preemptible or c.checkpoint for _, _, c in scenario.classes())


def test_plain_data_makes_an_equal_scenario(base: Scenario) -> None:
    again = Scenario.from_dict(base.to_dict())
    assert again == base
    assert again.to_dict() == base.to_dict()


def test_every_key_has_a_description_and_numbers_a_unit() -> None:
    rows = {row.path: row for row in scenario_fields()}
    for path in ("tenants[].quota", "cohorts[].borrow", "tenants[].lend"):
        assert rows[path].unit == "GPUs or share of the pool"
    for key in ("preemptible.exempt", "preemptible.grace", "checkpoint", "checkpoint_cost", "restart_cost"):
        assert rows[f"tenants[].classes[].{key}"].unit == "s"
    for path in ("cohorts[].cohort", "tenants[].preempts.reclaim", "policy.borrowers"):
        assert len(rows[path].description) > 20


# ---- mistakes --------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    old: str  # text of BASE
    new: str  # what stands there instead
    line: int  # line the message names
    says: str  # part of the message: what is wrong, with the value found
    remedy: str  # part of the remedy


CASES = [
    # amounts
    Case("quota: 30%", "quota: 0.3", 32, "part of a GPU (0.3)", "write 30%"),
    Case("quota: 30%", "quota: much", 32, "neither GPUs nor a share ('much')", "25%"),
    Case("quota: 30%", "quota: -3", 32, "must be at least 0 (-3)", "write GPUs"),
    Case("quota: 30%", "quota: 130%", 32, "must be 0% to 100% ('130%')", "write for example 25%"),
    Case("quota: 30%", "quota: {}", 32, "no pool", "name pools"),
    Case("borrow: 20%", "borrow: rest", 8, "'rest' has no meaning here", "only a tenant's whole quota"),
    Case("quota: 30%", "quota: {gpus: 30%, b200: 3%}", 32, "no pool is named 'b200'", "names no pools"),
    Case("quota: 30%", "quota: 300", 32, "the study varies how many there are", "write 30%, or quota: rest"),
    Case("quota: 30%", "quota: 70%", 32, "quotas add up to more than the center (120% with this one)", "at most 100%"),
    Case("quota: 30%", "quota: 60%\n    quota_limit: 3", 33, "unknown key 'quota_limit'", "did you mean 'quota'"),
    Case("quota: 5%", "quota: 30%", 49, "quotas add up to more than the center (110% with this one)", "at most 100%"),
    # words
    Case("within: lower", "within: lowest", 13, "unknown word ('lowest')", "did you mean 'lower'?"),
    Case("reclaim: any", "reclaim: all", 13, "unknown word ('all')", "never, lower, any"),
    Case("reclaim: any, ", "", 13, "'while_borrowing' without 'reclaim'", "write reclaim"),
    Case("while_borrowing: 5", "while_borrowing: x", 13, "not a priority ('x')", "never, lower"),
    Case("queueing: strict", "queueing: fifo", 10, "unknown word ('fifo')", "skip, strict"),
    Case("requeue: tail", "requeue: end", 26, "unknown word ('end')", "place, tail, cancel"),
    Case("preemptible: true", "preemptible: 2h", 39, "'preemptible' must hold keys", "exempt, grace, requeue"),
    Case("borrowers: in_order", "borrowers: first", 50, "unknown word ('first')", "last, in_order"),
    Case("max_running: 40", "max_running: 0", 12, "at least 1 (0)", "write 1 or more"),
    # cohorts
    Case("cohort: spare", "cohort: spar", 41, "no cohort is named 'spar'", "did you mean 'spare'?"),
    Case("- {name: all}", "- {name: all, cohort: spare}", 48, "in a circle (all in spare in all)", "no cohort"),
    Case("- {name: all}", "- {name: all}\n  - {name: none}", 49, "no tenant is in this cohort ('none')", "cohort: none"),
    Case("- {name: all}", "- {name: all}\n  - {name: all}", 49, "another cohort has this name", "all-2"),
    Case("    cohort: all\n    quota: 30%", "    quota: 30%\n    borrow: 3", 32, "'borrow' without 'cohort'", "add the cohort"),
    Case("- {name: all}", "- {name: all, lend: 5%}", 48, "'lend' without 'cohort'", "add the cohort"),
    # preemption
    Case("checkpoint: 30min\n", "restart_cost: 1s\n", 28, "'checkpoint_cost' without 'checkpoint'", "checkpoint: 30min"),
    Case("exempt: 2h", "exempt: 29d", 26, "exempt for longer than the horizon", "less than 28d"),
    Case("grace: 5s", "grace: 5ms", 26, "shorter than one tick", "at least 1s"),
    # jobs that never start
    Case("max_gpus: 700", "max_gpus: 4", 23, "no job of this class could ever start: all are larger than max_gpus", "raise max_gpus"),
    Case("lend: 30%", "lend: 0%\n    max_gpus: 7", 12, "the key 'max_gpus' stands here twice", "line 10"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: (case.new.strip().splitlines() or ["none"])[0][:40])
def test_a_mistake_is_told_by_line_value_and_remedy(case: Case) -> None:
    assert case.old in BASE
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(BASE.replace(case.old, case.new, 1), "center.yaml")
    problems = [problem for problem in caught.value.problems if case.says in str(problem)]
    assert problems, str(caught.value)
    assert problems[0].where.startswith(f"center.yaml:{case.line}:"), str(caught.value)
    assert case.remedy in problems[0].remedy
    assert len(caught.value.problems) <= 2, str(caught.value)


def problems_of(scenario: Scenario, changes: Mapping[str, object]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        scenario.override(changes)
    return [f"{problem.what}; {problem.remedy}" for problem in caught.value.problems]


def test_mistakes_of_sharing_are_told_together_with_others() -> None:
    text = BASE
    for old, new in [
        ("quota: 50%", "quota: 90%"),  # line 7; too much with the 30 % of line 32
        ("within: lower", "within: lowest"),  # line 13
        ("limit: 25h", "limit: 25"),  # line 25
        ("cohort: spare", "cohort: spar"),  # line 41
        ("warm_up: 7d", "warm_up: 60d"),  # line 52
    ]:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    lines = [int(problem.where.split(":")[1]) for problem in caught.value.problems]
    assert lines == [13, 25, 32, 41, 52], str(caught.value)


def test_borrowing_from_nobody(base: Scenario) -> None:
    alone = {"tenants.lab.cohort": "mine", "cohorts": []}
    (told,) = problems_of(base, {**alone, "tenants.ministry.cohort": "all"})
    assert "the only tenant of its cohort: nobody to borrow from or to lend to" in told
    kept = {"tenants.firm.lend": 0, "cohorts": [], "tenants.ministry.cohort": "all"}
    (told,) = problems_of(base, kept)
    assert "borrowing from nobody" in told
    assert "give another of its tenants a quota that it lends" in told


def test_quotas_in_gpus_need_somebody_who_owns_the_rest(base: Scenario) -> None:
    fixed = {"tenants.firm.quota": 300}
    assert "nobody would own the others" in problems_of(base, fixed)[0]
    assert base.override({**fixed, "tenants.lab.quota": "rest"}).quotas.unassigned == 0
    assert base.override({**fixed, "study.vary": "demand"}).tenants[1].quota == Amounts(Amount(300))
    (told,) = problems_of(base, {"tenants.firm.quota": 600, "study.vary": "demand"})
    assert "quotas add up to more than the center" in told
    (told,) = problems_of(base, {"tenants.firm.quota": "rest", "tenants.lab.quota": "rest"})
    assert "two tenants own the rest" in told


def test_gpus_of_one_of_several_pools_say_of_which(base: Scenario) -> None:
    pools = {"center": {"pools": [{"name": "a", "have": 800}, {"name": "b", "have": 200}]}, "study.vary": "b"}
    (told,) = problems_of(base, {**pools, "tenants.firm.quota": 30})
    assert "GPUs do not say of which" in told
    assert "quota: {a: .., b: ..}" in told
    (told,) = problems_of(base, {**pools, "tenants.firm.quota": {"a": "60%", "b": "3%"}})
    assert "quotas add up to more than pool a" in told
    (told,) = problems_of(base, {**pools, "tenants.firm.quota": {"a": "3%", "b": 3}})
    assert "vary b" not in told
    assert "write 1.5%, or quota: rest" in told


def test_a_class_that_its_tenant_can_never_run(base: Scenario) -> None:
    owned = {
        "tenants.firm.cohort": None,
        "tenants.firm.quota": 0,
        "tenants.lab.borrow": None,
        "tenants.lab.lend": None,
    }
    (told,) = problems_of(base, owned)
    assert (
        "no job of this class could ever start: all are larger than what its tenant owns and may borrow"
        in told
    )
    assert base.override({**owned, "tenants.firm.classes.sweep.urgent": True})
    assert base.override({**owned, "tenants.firm.quota": "0.1%"})  # a larger center has room for it


# ---- notices ---------------------------------------------------------------------------------------------------------


def told(scenario: Scenario, code: str) -> list[str]:
    return [
        f"{n.where}: {n.what} ({n.found}); {n.remedy}"
        for n in scenario.notices()
        if n.code == f"scenario/{code}"
    ]


def test_the_base_has_nothing_to_notice_about_sharing(base: Scenario) -> None:
    codes = (
        "gang-over-quota",
        "tenant-overload",
        "idle-preemption",
        "never-evicted",
        "nothing-lost",
        "limit-kills",
        "unused",
    )
    assert [told(base, code) for code in codes] == [[]] * len(codes)


def test_a_tenant_without_a_quota_reclaims_what_its_cohort_owns_or_while_it_borrows(base: Scenario) -> None:
    assert not told(base.override({"tenants.ministry.preempts": {"reclaim": "any"}}), "idle-preemption")
    preempts = {"reclaim": "any", "while_borrowing": "lower"}
    one = {"tenants.ministry.cohort": "all", "cohorts": [], "tenants.ministry.classes.other.priority": 1}
    assert not told(base.override({"tenants.ministry.preempts": preempts, **one}), "idle-preemption")


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"tenants.lab.max_gpus": 10}, "gang-over-quota", "40% of the jobs, up to 16 GPUs > 10"),
        ({"tenants.firm.cohort": None, "tenants.firm.quota": "0.2%", "tenants.ministry.quota": "1%"}, "gang-over-quota", "100% of the jobs, up to 4 GPUs > 2"),
        ({"tenants.lab.max_gpus": 90}, "tenant-overload", "offered load 100.0 GPUs > 90"),
        ({"tenants.firm.cohort": None, "tenants.firm.quota": "5%", "tenants.ministry.quota": "1%"}, "tenant-overload", "offered load 100.0 GPUs > 50"),
        ({"tenants.firm.preempts": {"within": "lower"}}, "idle-preemption", "by another of it (within lower)"),
        ({"tenants.ministry.preempts": {"reclaim": "any"}, "tenants.ministry.cohort": "all", "cohorts": []}, "idle-preemption", "neither this tenant nor an inner cohort"),
        ({"tenants.firm.preempts": {"reclaim": "lower"}}, "idle-preemption", "of the other tenants of the cohort"),
        ({"tenants.lab.borrow": 0}, "idle-preemption", "this tenant never borrows"),
        ({"tenants.lab.preempts.while_borrowing": -1}, "idle-preemption", "of a priority that low"),
        ({"tenants.lab.classes.urgent.priority": 0}, "idle-preemption", "lower priority than these urgent jobs"),
        ({"policy.tiers": False}, "idle-preemption", "lower priority than these urgent jobs"),
        ({"tenants.firm.classes.sweep.priority": 9, "tenants.lab.preempts": {"within": "lower"}}, "never-evicted", "nobody may evict these jobs (priority 9)"),
        ({"tenants.lab.classes.train.preemptible.grace": "10s"}, "nothing-lost", "grace 10s, checkpoint_cost 10s"),
        ({"tenants.lab.classes.train.limit": "exact"}, "limit-kills", "78% of the jobs make at least one"),
        ({"tenants.firm.classes.sweep.limit": "exact", "tenants.firm.classes.sweep.restart_cost": "1min"}, "limit-kills", "restart takes longer"),
        ({"tenants.lab.classes.train.limit": {"factor": [1, 4], "round_up": ["24h"]}}, "short-round-up", "last 1d"),
        ({"tenants.firm.classes.sweep.preemptible": None, "tenants.firm.classes.sweep.checkpoint": "5min"}, "unused", "not preemptible"),
        ({"tenants.lab.lend": "60%"}, "unused", "(lend 60%, quota 50%)"),
        ({"tenants.ministry.cohort": None, "tenants.ministry.queueing": "strict", "cohorts": []}, "unused", "no quota or limit"),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_noticed(
    base: Scenario, changes: dict[str, object], code: str, says: str
) -> None:
    found = told(base.override(changes), code)
    assert any(says in text for text in found), found


BORROWING = (Path(__file__).parent.parent / "examples/shared-center.yaml").read_text(encoding="utf-8")
OWNERS = ("university", "ministry", "company")


def borrowing(*changes: str) -> Scenario:
    return Scenario.from_yaml(BORROWING, "shared-center.yaml").variant("borrowing").override(changes)


def test_a_cohort_in_which_nobody_lends_is_noticed() -> None:
    assert not told(borrowing(), "idle-cohort")
    (said,) = told(borrowing(*(f"tenants.{name}.lend=0" for name in OWNERS)), "idle-cohort")
    assert said.startswith("--set tenants.university.lend=0: nobody lends to anybody in cohort owners")
    assert "(tenants university, ministry, company); let one that owns GPUs lend them" in said
    assert not told(borrowing(*(f"tenants.{name}.lend=0" for name in OWNERS[1:])), "idle-cohort")
    owned_above = "cohorts=[{name: owners, quota: 0%}]"
    assert told(borrowing(*(f"tenants.{name}.lend=0" for name in OWNERS), owned_above), "idle-cohort")


def test_a_cohort_in_which_nobody_borrows_is_noticed() -> None:
    (said,) = told(borrowing(*(f"tenants.{name}.borrow=0" for name in OWNERS)), "idle-cohort")
    assert said.startswith("--set tenants.university.borrow=0: nobody borrows in cohort owners")
    assert "remove borrow: 0 from one of them, or the cohort" in said
    assert not told(borrowing(*(f"tenants.{name}.borrow=0" for name in OWNERS[1:])), "idle-cohort")


def test_a_cohort_whose_only_lender_never_takes_is_noticed() -> None:
    """The university lends, but only it may borrow: nobody else has anything for it."""
    terms = (
        "tenants.ministry.borrow=0",
        "tenants.company.borrow=0",
        "tenants.ministry.lend=0",
        "tenants.company.lend=0",
    )
    (said,) = told(borrowing(*terms), "idle-cohort")
    assert "nobody lends to anybody in cohort owners" in said


def test_what_a_contract_switches_off_is_not_noticed() -> None:
    kept = [f"tenants.{name}.lend=0" for name in OWNERS]
    for contract in ("shared", "partitioned"):
        assert not told(borrowing(*kept, f"policy.contract={contract}"), "idle-cohort")


# ---- the tree --------------------------------------------------------------------------------------------------------


def test_cohorts_that_are_only_named_follow_those_that_are_listed() -> None:
    tenants = [TenantTerms(name="a", cohort="x"), TenantTerms(name="b"), TenantTerms(name="c", cohort="y")]
    tree = QuotaTree.of(tenants, [Cohort(name="x", cohort="z")])
    assert [node.name for node in tree.nodes] == ["a", "b", "c", "x", "y", "z"]
    assert [node.parent for node in tree.nodes] == [3, -1, 4, 5, -1, -1]
    assert tree.neighbours(0) == []
    assert tree.limited(0)
    assert not tree.limited(1)


def random_amount(rng: random.Random, none: float) -> object:
    kind = rng.random()
    return None if kind < none else rng.randrange(40) if kind < (1 + none) / 2 else f"{rng.randrange(60)}%"


def theirs(value: object) -> oracle.Amount:
    return oracle.Share(int(value[:-1]) * 10_000) if isinstance(value, str) else value  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(60))
def test_ceilings_are_those_of_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    tenants, cohorts = rng.randint(1, 4), rng.randint(0, 4)
    mine: list[TenantTerms | Cohort] = []
    reference: list[oracle.Tenant | oracle.Cohort] = []
    for k in range(tenants + cohorts):
        above = [c for c in range(tenants, tenants + cohorts) if c > k]
        parent = rng.choice([-1, *above])
        quota = random_amount(rng, 0.0)
        borrow, lend = (None if parent < 0 else random_amount(rng, 0.5) for _ in range(2))
        kind = TenantTerms if k < tenants else Cohort
        name = None if parent < 0 else f"n{parent}"
        mine.append(kind(name=f"n{k}", cohort=name, quota=quota, borrow=borrow, lend=lend))
        node = oracle.Tenant if k < tenants else oracle.Cohort
        reference.append(
            node(parent=parent, nominal=(theirs(quota),), borrow=(theirs(borrow),), lend=(theirs(lend),))
        )
    rest = rng.choice([-1, rng.randrange(tenants)])
    if rest >= 0:
        mine[rest] = mine[rest].model_copy(update={"quota": Amounts(Amount(rest=True))})
    tree = QuotaTree.of(mine[:tenants], mine[tenants:])  # type: ignore[arg-type]
    sharing = oracle.Sharing(tuple(reference[:tenants]), tuple(reference[tenants:]), unassigned=rest)  # type: ignore[arg-type]
    for gpus in (1, 7, 100, 99_991):
        quotas = Quotas(sharing, [gpus])
        for tenant in range(tenants):
            assert tree.ceiling(tenant, "gpus", gpus) == quotas.avail(tenant, 0, Use()), (seed, gpus, tenant)


# ---- anything --------------------------------------------------------------------------------------------------------

KEYS = [
    ("tenants", 0, key) for key in ("cohort", "quota", "borrow", "lend", "queueing", "max_gpus", "max_running", "preempts")
] + [
    ("tenants", 0, "classes", 1, key)
    for key in ("urgent", "preemptible", "checkpoint", "checkpoint_cost", "restart_cost")
] + [("cohorts",), ("cohorts", 1), ("cohorts", 1, "name"), ("cohorts", 1, "cohort"), ("cohorts", 1, "quota")]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["rest", "50%", "all", "spare", "1h", "-5%"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["gpus", "name", "exempt", "within"]), inner)
    ),
    max_leaves=3,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KEYS), VALUES)
@pytest.mark.slow
def test_no_value_makes_anything_but_our_own_errors(path: tuple[str | int, ...], value: object) -> None:
    check_value(Scenario.from_yaml(BASE).to_dict(), path, value)
