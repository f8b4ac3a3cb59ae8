"""Variants are named overrides in the file: each is checked when the file is, and can be asked for by name."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

import pytest

from gpusim.errors import ScenarioError, UsageError
from gpusim.scenario import Scenario

TEXT = """\
schema: 1
name: base
tenants:
  - name: lab
    classes:
      - {name: small, arrivals: {load: 40}, gpus: 8, run_time: {lognormal: {median: 2h, sigma: 1, max: 24h}}}
      - {name: large, arrivals: {rate: 4/day}, gpus: 64, run_time: {deterministic: 6h}}
slos: [wait <= 4h for 90% of all jobs]
study: {horizon: 28d, warm_up: 7d, max_gpus: 1000}
variants:
  fifo:
    about: Nobody overtakes
    set: {policy.backfill: none}
  more:
    about: Demand up by 30 %
    set:
      tenants.lab.classes.small.arrivals.load: x1.3
      tenants.lab.classes.large.arrivals.rate: x1.3
  more-fifo:
    of: more
    set: {policy.backfill: none, tenants.lab.classes.small.arrivals.load: x2}
"""


@pytest.fixture(scope="module")
def base() -> Scenario:
    return Scenario.from_yaml(TEXT, "center.yaml")


def test_a_variant_is_the_scenario_with_its_overrides(base: Scenario) -> None:
    fifo = base.variant("fifo")
    assert fifo == base.override({"policy.backfill": "none", "name": "base-fifo"})
    assert base.policy.backfill == 1
    more = base.variant("more")
    assert more.tenants[0].classes[0].arrivals.load == 52
    assert more.tenants[0].classes[1].rate == pytest.approx(5.2 / 86_400)


def test_a_variant_of_another_goes_on_from_it(base: Scenario) -> None:
    both = base.variant("more-fifo")
    assert both.policy.backfill == "none"
    assert both.tenants[0].classes[0].arrivals.load == 104
    assert both.name == "base-more-fifo"
    assert base.variants["more-fifo"].of == "more"


def test_a_variant_may_belong_to_a_group_and_keeps_it() -> None:
    grouped = Scenario.from_yaml(
        TEXT.replace(
            "set: {policy.backfill: none}\n  more:", "group: rules\n    set: {policy.backfill: none}\n  more:"
        )
    )
    assert grouped.variants["fifo"].group == "rules"
    assert grouped.variants["more"].group is None
    assert Scenario.from_dict(grouped.to_dict()).variants == grouped.variants


def test_variants_can_be_combined(base: Scenario) -> None:
    both = base.variant("more").variant("fifo")
    assert (both.policy.backfill, both.tenants[0].classes[0].arrivals.load) == ("none", 52)
    assert both.name == "base-more-fifo"


def test_variants_are_kept_in_plain_data_but_not_in_the_hash(base: Scenario) -> None:
    data = base.to_dict()
    assert data["variants"]["fifo"] == {"about": "Nobody overtakes", "set": {"policy.backfill": "none"}}
    again = Scenario.from_dict(data)
    assert again.variants == base.variants
    del data["variants"]
    assert Scenario.from_dict(data).hash == base.hash


def test_an_override_that_breaks_a_variant_is_told_when_the_variant_is_asked_for() -> None:
    renamed = Scenario.from_yaml(TEXT, "center.yaml", ["tenants.lab.name=college"])
    with pytest.raises(ScenarioError, match="named 'lab'"):
        renamed.variant("more")
    assert renamed.variant("fifo").policy.backfill == "none"


def test_an_unknown_variant_is_told_with_the_nearest(base: Scenario) -> None:
    with pytest.raises(UsageError, match=r"did you mean 'fifo'\? known: fifo, more, more-fifo"):
        base.variant("fifi")


def test_an_empty_section_is_no_variants() -> None:
    assert Scenario.from_yaml(TEXT[: TEXT.index("  fifo:")]).variants == {}


MISTAKES = [
    ("policy.backfill: none}\n  more:", "policy.backfil: none}\n  more:", 13, "variant 'fifo': unknown key 'backfil' in 'policy'", "did you mean 'policy.backfill'?"),
    ("policy.backfill: none}\n  more:", "policy.backfill: easy}\n  more:", 13, "variant 'fifo': ", "write 1"),
    ("small.arrivals.load: x1.3", "smal.arrivals.load: x1.3", 17, "variant 'more': no entry of 'tenants[0].classes' is named 'smal'", "did you mean 'small'?"),
    ("small.arrivals.load: x1.3", "small.arrivals.rate: x1.3", 17, "variant 'more': there is no 'tenants[0].classes[0].arrivals.rate' to multiply", "write the value itself"),
    ("small.arrivals.load: x1.3", "small.gpus: x1.3", 17, "variant 'more': not a whole number (10.4)", "write 10 or 11"),
    ("small.arrivals.load: x1.3", "small.gpus: 2000", 17, "variant 'more': a gang larger than max_gpus can never start", "raise study.max_gpus"),
    ("small.arrivals.load: x1.3", "small.gpus: {8: 50%, 2000: 50%}", 17, "variant 'more': ", "raise study.max_gpus"),
    ("policy.backfill: none}\n  more:", "study.max_gpus: 32}\n  more:", 11, "variant 'fifo': tenants[0].classes[1].gpus: a gang larger than max_gpus", "raise study.max_gpus"),
    ("policy.backfill: none}\n  more:", "study.horizon: 5d}\n  more:", 11, "variant 'fifo': study.warm_up: the warm-up takes the whole horizon", "less than 5d"),
    ("policy.backfill: none}\n  more:", "'slos[1]': wait <= 1h}\n  more:", 13, "variant 'fifo': 'slos' has no entry [1]", "entries are [0] to [0]"),
    ("policy.backfill: none}\n  more:", '"slos[0]": wait <= 1h for 90% of smal jobs}\n  more:', 13, "variant 'fifo': no class or tenant is named 'smal'", "did you mean 'small'?"),
    ("policy.backfill: none}\n  more:", '"..": 1}\n  more:', 13, "variant 'fifo': '..' is not a path", "policy.backfill"),
    ("policy.backfill: none}\n  more:", "variants.more.about: x}\n  more:", 13, "variant 'fifo': a variant cannot change variants", "'of:'"),
    ("set: {policy.backfill: none}\n  more:", "sett: {policy.backfill: none}\n  more:", 13, "unknown key 'sett'", "did you mean 'set'?"),
    ("set: {policy.backfill: none}\n  more:", "policy.backfill: none\n  more:", 13, "unknown key 'policy.backfill'", "changes stand under 'set:'"),
    ("    set: {policy.backfill: none}\n  more:", "  more:", 11, "'set' is missing", "set: {policy.backfill: none}"),
    ("set: {policy.backfill: none}\n  more:", "set: {}\n  more:", 13, "'set' must hold at least one change", "{policy.backfill: none}"),
    ("set: {policy.backfill: none}\n  more:", "set: policy.backfill=none\n  more:", 13, "'set' must hold at least one change", "{policy.backfill: none}"),
    ("about: Nobody overtakes", "about: 5", 12, "not a text (5)", "quotes"),
    ("of: more", "of: moer", 20, "no variant has this name ('moer')", "did you mean 'more'?"),
    ("of: more", "of: more-fifo", 20, "a variant of itself", "remove one 'of'"),
    ("of: more", "group: fifo", 20, "a group needs a name of its own ('fifo')", "a variant has this one"),
    ("of: more", "group: all", 20, "a group needs a name of its own ('all')", "all is every variant"),
    ("of: more", "group: [a, b]", 20, "not a text", "quotes"),
    ("of: more", "group: with, comma", 20, "a name may hold letters", "write with-comma"),
    ("  fifo:\n", "  first fifo:\n", 11, "a name may hold letters", "write first-fifo"),
    ("  fifo:\n", "  fifo: policy.backfill=none\n  fifo2:\n", 11, "a variant must hold keys", "set: {policy.backfill: none}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "says", "remedy"), MISTAKES, ids=lambda value: str(value)[:40]
)
def test_a_wrong_variant_is_told_by_name_and_line(
    old: str, new: str, line: int, says: str, remedy: str
) -> None:
    assert old in TEXT
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(TEXT.replace(old, new, 1), "center.yaml")
    problems = [problem for problem in caught.value.problems if says in str(problem)]
    assert problems, str(caught.value)
    assert problems[0].where.startswith(f"center.yaml:{line}:"), str(caught.value)
    assert remedy in problems[0].remedy
    assert len(caught.value.problems) == 1, str(caught.value)


def test_all_variants_are_checked_and_the_mistakes_of_the_scenario_are_told_once() -> None:
    text = TEXT.replace("{policy.backfill: none}\n  more:", "{policy.backfill: easy}\n  more:")
    text = text.replace("large.arrivals.rate: x1.3", "large.arrivals.rate: fast").replace(
        "gpus: 64", "gpus: 0"
    )
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    lines = [int(problem.where.split(":")[1]) for problem in caught.value.problems]
    assert lines == [7, 13, 18], str(caught.value)
