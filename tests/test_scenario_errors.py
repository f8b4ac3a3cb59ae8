"""Every mistake of a scenario file is told by line, with what was found and what to write instead."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_value import check_value
from gpusim.errors import GpusimError, Problem, ScenarioError
from gpusim.scenario import Scenario
from gpusim.scenario.reader import LARGEST_FILE

BASE = textwrap.dedent("""\
    schema: 1
    name: base
    tick: 1s
    center: {have: 512}
    tenants:
      - name: university
        max_waiting: 1000
        classes:
          - name: training
            arrivals: {rate: 40/day}
            gpus: {8: 60%, 16: 40%}
            run_time: {lognormal: {median: 2h, sigma: 1.6, max: 72h}}
            limit: 24h
            priority: 0
            patience: 12h
          - name: notebook
            arrivals: {load: 12}
            gpus: 1
            run_time: {deterministic: 2h}
      - name: startups
        classes:
          - name: training
            arrivals: {rate: 2.5/h}
            gpus: 4
            run_time: {exponential: {mean: 1h}}
    policy: {order: fifo, tiers: true, backfill: 1, max_waiting: null}
    slos:
      - wait <= 4h for 90% of university/training jobs
      - wait <= 60s for 95% of all jobs
    study:
      horizon: 28d
      warm_up: 7d
      attainment: 95%
      tolerance: 1%
    assumptions: []
    """)


class Case(NamedTuple):
    old: str  # text of BASE
    new: str  # what stands there instead
    line: int  # line the message names
    says: str  # part of the message: what is wrong, with the value found
    remedy: str  # part of the remedy


CASES = [
    # keys
    Case("max_waiting: 1000", "max_wait: 1000", 7, "unknown key 'max_wait'", "did you mean 'max_waiting'?"),
    Case("name: base", "nmae: base", 2, "unknown key 'nmae'", "did you mean 'name'?"),
    Case("tenants:", "tenant:", 5, "unknown key 'tenant'", "did you mean 'tenants'?"),
    Case("lognormal", "lognorml", 12, "unknown key 'lognorml'", "did you mean 'lognormal'?"),
    Case("  warm_up: 7d\n", "  warm_up: 7d\n  have: 3\n", 33, "unknown key 'have'", "move it under 'center:'"),
    Case("attainment: 95%", "colour: red", 33, "unknown key 'colour'", "allowed: horizon, start, warm_up"),
    Case("have: 512", "have:512", 4, "unknown key 'have:512'", "have: 512"),
    Case("have: 512", "have: 6,400", 4, "unknown key '400'", "without it"),
    Case("name: base", "name: base\nname: other", 3, "'name' stands here twice", "line 2"),
    Case("schema: 1\n", "", 1, "'schema' is missing", "add 'schema: 1'"),
    Case("  horizon: 28d\n", "", 30, "'horizon' is missing", "add 'horizon: 28d'"),
    Case("median: 2h, ", "", 12, "'median' is missing", "add 'median: 2h'"),
    Case("horizon: 28d", "horizon:", 31, "'horizon' is empty", "horizon: 28d"),
    Case("schema: 1", "schema: 2", 1, "unknown schema version (2)", "write schema: 1"),
    # shapes
    Case("center: {have: 512}", "center: 512", 4, "'center' must hold keys (512)", "center: {have: 512}"),
    Case("{rate: 40/day}", "40/day", 10, "'arrivals' must hold keys ('40/day')", "{rate: 40/day}"),
    Case("{rate: 40/day}", "{}", 10, "no way to say how often jobs arrive", "{rate: 40/day}"),
    Case("rate: 40/day", "rate: 40/day, load: 3", 10, "(rate and load)", "keep one of rate and load"),
    Case("assumptions: []", "assumptions: text", 35, "'assumptions' must be a list ('text')", "'- '"),
    Case("{deterministic: 2h}", "2h", 19, "'run_time' must hold keys ('2h')", "lognormal: {median: 2h"),
    Case("  - wait <= 60s for", "  - wait: 60s for", 29, "(a mapping with wait)", "write one sentence"),
    Case("attainment: 95%", "<<: 95%", 33, "merge keys", "write the keys out"),
    # names and words
    Case("name: base", "name: true", 2, "a name must be text (true)", '"true"'),
    Case("name: base", "name: 2026-01-01", 2, "needs at least one letter ('2026-01-01')", "class-2026-01-01"),
    Case("name: notebook", "name: my notebook", 16, "('my notebook')", "write my-notebook"),
    Case("name: notebook", "name: all", 16, "has a meaning of its own in an SLO ('all')", "write all-1"),
    Case("name: notebook", "name: training", 16, "another class of this tenant", "training-2"),
    Case("- name: startups", "- name: university", 20, "another tenant", "university-2"),
    Case("tiers: true", "tiers: yes", 26, "not a switch ('yes')", "write true"),
    Case("order: fifo", "order: fifoo", 26, "unknown word ('fifoo')", "did you mean 'fifo'?"),
    Case("backfill: 1", "backfill: easy", 26, "('easy')", "write 1"),
    Case("backfill: 1", "backfill: 0", 26, "at least 1 (0)", "write none, skip, all"),
    Case("backfill: 1", "backfill: null", 26, "(nothing)", "write 'none'"),
    Case("limit: 24h", "limit: exakt", 13, "unknown limit ('exakt')", "did you mean 'exact'?"),
    Case("tick: 1s", "tick: 1s\ndescription: 5", 4, "not a text (5)", "quotes"),
    # numbers
    Case("have: 512", "have: lots", 4, "not a number ('lots')", "10_456"),
    Case("have: 512", "have: 010", 4, "a leading zero makes this number ambiguous ('010')", "write 10"),
    Case("have: 512", "have: .inf", 4, "('.inf')", "whole number"),
    Case("have: 512", "have: .nan", 4, "('.nan')", "whole number"),
    Case("have: 512", "have: 6.5", 4, "not a whole number (6.5)", "write 6 or 7"),
    Case("have: 512", "have: 99_999_999", 4, "at most 10,000,000 ('99_999_999')", "write"),
    Case("gpus: 1\n", "gpus: 0\n", 18, "a number of GPUs must be at least 1 (0)", "write for example 8"),
    Case("gpus: 1\n", "gpus: no\n", 18, "not a number ('no')", "whole number"),
    Case("gpus: 1\n", "gpus: [1, 2]\n", 18, "(a list of 2)", "{8: 60%, 16: 40%}"),
    Case("16: 40%", "16: 30%", 11, "must sum to 100% (their sum is 90%)", "add 10%"),
    Case("16: 40%", "16: 140%", 11, "at most 100% ('140%')", "write for example 25%"),
    Case("8: 60%", "8: 60", 11, "a share above 1 (60)", "write 60%"),
    Case("8: 60%", "eight: 60%", 11, "not a number ('eight')", "whole number"),
    Case("sigma: 1.6", "sigma: 0", 12, "sigma must be above 0 and at most 5 (0)", "deterministic"),
    Case("sigma: 1.6", "sigma: -1", 12, "sigma must be above 0 and at most 5 (-1)", "1.6"),
    Case("priority: 0", "priority: high", 14, "not a number ('high')", "whole number"),
    Case("tolerance: 1%", "tolerance: 0", 34, "the tolerance must be above 0 and at most 50% (0)", "write for example 1%"),
    Case("tolerance: 1%", "tolerance: 60%", 34, "('60%')", "write for example 1%"),
    Case("attainment: 95%", "attainment: 100%", 33, "strictly between 0 and 1 ('100%')", "write 95% or 99%"),
    Case("tolerance: 1%", "confidence: 0", 34, "strictly between 0 and 1 (0)", "95%"),
    Case("tolerance: 1%", "granularity: 0", 34, "at least 1 (0)", "8"),
    Case("tolerance: 1%", "seed: -1", 34, "the seed must be at least 0 (-1)", "whole number"),
    Case("tolerance: 1%", "demand_uncertainty: -5%", 34, "('-5%')", "write for example 20%"),
    Case("tolerance: 1%", "max_gpus: 8", 11, "can never start (16 GPUs > 8)", "at least 16"),
    Case("  tolerance: 1%", "  min_gpus: 64\n  max_gpus: 32", 34, "(64 > 32)", "write at most 32"),
    Case("  tolerance: 1%", "  min_gpus: 97\n  max_gpus: 100", 35, "no multiple of 8 between 97 and 100 (min_gpus 97, max_gpus 100)", "max_gpus to at least 104"),
    Case("  tolerance: 1%", "  granularity: 24\n  max_gpus: 20", 35, "no multiple of 24 between 16 and 20 (largest gang 16, max_gpus 20)", "at least 24"),
    Case("  tolerance: 1%", "  granularity: 7_000_000\n  min_gpus: 7_500_000\n  max_gpus: 8_000_000", 36, "no multiple of 7,000,000", "write a smaller granularity"),
    Case("load: 12", "load: 12_000_000", 17, "university/notebook offers more than 10,000,000 GPUs of work (load 12,000,000 GPUs)", "at most 10_000_000"),
    Case("rate: 40/day", "rate: 100/s", 10, "university/training offers more than 10,000,000 GPUs of work (100/s x ", "check the unit of the rate"),
    Case("16: 40%", "99_999_999: 40%", 11, "at most 10,000,000", "8"),
    Case("rate: 2.5/h", "rate: 500/s", 23, "startups/training submits more than 1,000,000,000 jobs in a replication (500/s for 28d: about 1.21e+09)", "40/s is 86,400 times 40/day"),
    Case("load: 12", "load: 9_000_000", 17, "university/notebook submits more than 1,000,000,000 jobs in a replication", "shorter horizon"),
    # durations, rates and the clock
    Case("rate: 40/day", "rate: 40", 10, "a rate without a unit (40)", "write 40/day"),
    Case("rate: 40/day", "rate: 40/fortnight", 10, "('40/fortnight')", "units are"),
    Case("rate: 40/day", "rate: 40/m", 10, "'m' could be a minute or a month ('40/m')", "write 40/min or 40/month"),
    Case("rate: 40/day", "rate: -4/day", 10, "a rate cannot be negative ('-4/day')", "0/day"),
    Case("load: 12", "load: -12", 17, "a load cannot be negative (-12)", "0 or more"),
    Case("{mean: 1h}", "{mean: 1}", 25, "a duration without a unit (1)", "1h"),
    Case("max: 72h", "max: 1:30", 12, "two ways ('1:30')", "write 1h30min"),
    Case("max: 72h", "max: 1h", 12, "shorter than the median", "at least 2h"),
    Case("{deterministic: 2h}", "{deterministic: -2h}", 19, "cannot be negative ('-2h')", "write 2h"),
    Case("limit: 24h", "limit: 0s", 13, "a limit of 0 kills every job when it starts ('0s')", "write exact"),
    Case("limit: 24h", "limit: {factor: [4, 1]}", 13, "([4, 1])", "write [1, 4]"),
    Case("limit: 24h", "limit: {facto: [1, 4]}", 13, "('facto')", "{factor: [1, 4]}"),
    Case("patience: 12h", "patience: 3m", 15, "unknown unit of time 'm' ('3m')", "write min"),
    Case("tick: 1s", "tick: 0s", 3, "longer than 0 ('0s')", "above 0s"),
    Case("tick: 1s", "tick: 10min", 25, "below 10 ticks", "tick: 1min"),
    Case("patience: 12h", "patience: 500ms", 15, "shorter than one tick of the clock (500ms)", "at least 1s"),
    Case("tick: 1s", "tick: 0.0001ms", 3, "the tick is too fine for this horizon", "write a tick above"),
    Case("warm_up: 7d", "warm_up: 28d", 32, "the warm-up takes the whole horizon (28d)", "less than 28d"),
    Case("warm_up: 7d", "warm_up: 7d\n  cool_down: 22d", 33, "no time is left", "above 29d"),
    Case("warm_up: 7d", "warm_up: 7d\n  cool_down: 1h", 33, "undecided at the end (cool_down 1h, longest limit 4h)", "write auto, or at least 4h"),
    Case("warm_up: 7d", "warm_up: 7d\n  cool_down: 0", 33, "undecided at the end (cool_down 0s, longest limit 4h)", "write auto"),
    Case("wait <= 60s for 95%", "wait <= 22d for 95%", 31, "(auto: the largest SLO limit)", "above 29d"),
    # SLO sentences
    Case("of university/training", "of training", 28, "'training' is ambiguous", "write university/training or startups/training"),
    Case("of university/training", "of univrsity/training", 28, "'univrsity/training'", "did you mean 'university/training'?"),
    Case("of university/training", "of nobody", 28, "('nobody')", "known: training, notebook, university"),
    Case("for 90% of", "for 0% of", 28, "above 0% and at most 100% ('0%')", "write for example 95%"),
    Case("for 90% of", "for 120% of", 28, "above 0% and at most 100% ('120%')", "write for example 95%"),
    Case("for 90% of", "for 99.99996% of", 28, "not a whole number of millionths ('99.99996%')", "write 99.9999% or 100%"),
    Case("for 90% of", "for 0.12345678 of", 28, "not a whole number of millionths ('0.12345678')", "write 12.3456% or 12.3457%"),
    Case("for 90% of", "for 0.00004% of", 28, "not a whole number of millionths ('0.00004%')", "write 0.0001%"),
    Case("for 90% of", "for 90 of", 28, "a share above 1", "write 90%"),
    Case("wait <= 4h for", "wait <= 4 for", 28, "a duration without a unit", "4h"),
    Case("wait <= 60s for 95% of all jobs", "95% of notebook jobs in 60s", 29, "not understood", "wait <= 1min for 95% of notebook jobs"),
    Case("wait <= 60s for 95% of all jobs", "makespan <= 1h for 95% of all jobs", 29, "unknown metric 'makespan'", "write turnaround <= 1h"),
    Case("wait <= 60s for 95% of all jobs", "wait < 60s for 95% of all jobs", 29, "not understood", "wait <= 1min for 95% of all jobs"),
    Case("wait <= 60s for 95% of all", "wait <= 4h for 90% of university/training", 29, "the same SLO twice", "slos[0]"),
    # YAML
    Case("  warm_up", "\twarm_up", 32, "a tab indents this line", "spaces"),
    Case("  warm_up", "   warm_up", 32, "not YAML", "indentation"),
    Case("name: base", "name: base: x", 2, "mapping values are not allowed", "quotes"),
    Case("name: base", "name: @base", 2, "cannot start any token", "quotes"),
    Case("{have: 512}", "{have: 512", 5, "not YAML", "close the bracket"),
    Case("name: base", "name: &x base", 2, "the anchor '&x'", "remove it"),
    Case("name: base", "name: *x", 2, "the alias '*x'", "write the value out"),
    Case("name: base", "name: !!python/object:os.system base", 2, "the tag '!!python/object:os.system'", "remove it"),
    Case("name: base", "name: {{ base }}", 2, "a list or mapping stands where a key should", "write a word"),
    Case("assumptions: []", "---\nschema: 1", 35, "a second document", "one scenario a file"),
    Case("name: base", "name: ba\x01se", 2, "a control character (#x0001)", "remove it"),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: case.new.strip().splitlines()[0][:40] if case.new else "none"
)
def test_a_mistake_is_told_by_line_value_and_remedy(case: Case) -> None:
    assert case.old in BASE
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(BASE.replace(case.old, case.new, 1), "center.yaml")
    problems = [problem for problem in caught.value.problems if case.says in str(problem)]
    assert problems, str(caught.value)
    assert problems[0].where.startswith(f"center.yaml:{case.line}:"), str(caught.value)
    assert case.remedy in problems[0].remedy
    assert problems[0].code.startswith("scenario/")


def test_the_base_file_is_right() -> None:
    assert Scenario.from_yaml(BASE).name == "base"
    assert len({(case.old, case.new) for case in CASES}) == len(CASES) >= 40


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: case.new.strip().splitlines()[0][:40] if case.new else "none"
)
def test_one_mistake_makes_at_most_two_problems(case: Case) -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(BASE.replace(case.old, case.new, 1), "center.yaml")
    assert len(caught.value.problems) <= 2, str(caught.value)


def test_a_file_with_six_mistakes_reports_six() -> None:
    text = BASE
    for old, new in [
        ("max_waiting: 1000", "max_wait: 1000"),  # line 7: unknown key
        ("16: 40%", "16: 30%"),  # line 11: shares
        ("{deterministic: 2h}", "{deterministic: 2}"),  # line 19: no unit
        ("backfill: 1", "backfill: easy"),  # line 26: word
        ("95% of all", "95% of interns"),  # line 29: scope, found though classes are wrong
        ("warm_up: 7d", "warm_up: 60d"),  # line 32: window, found though the file is wrong
    ]:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    lines = [int(problem.where.split(":")[1]) for problem in caught.value.problems]
    assert lines == [7, 11, 19, 26, 29, 32], str(caught.value)
    assert str(caught.value).startswith("6 problems")


def problems_of(*changes: tuple[str, str]) -> list[Problem]:
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    return caught.value.problems


def test_a_cool_down_too_short_for_a_limit_beyond_the_horizon_tells_both() -> None:
    problems = problems_of(("warm_up: 7d", "warm_up: 7d\n  cool_down: 1h"), ("<= 4h", "<= 40d"))
    assert [problem.code for problem in problems] == ["scenario/window", "scenario/short-cool-down"]
    assert "well above 47d" in problems[0].remedy


def test_a_granularity_that_is_no_number_is_not_called_too_coarse() -> None:
    problems = problems_of(("  tolerance: 1%", "  granularity: x\n  min_gpus: 97\n  max_gpus: 100"))
    assert [problem.where.split()[-1] for problem in problems] == ["study.granularity"]


def test_classes_may_not_offer_too_much_together() -> None:
    problems = problems_of(
        ("rate: 40/day", "load: 6_000_000"),
        ("load: 12}\n", "load: 6_500_000}\n"),
        ("deterministic: 2h", "deterministic: 200h"),
    )
    assert len(problems) == 1
    assert problems[0].what == "all classes together offer more than 10,000,000 GPUs of work"
    assert "the largest is university/notebook with 6,500,000 GPUs" in str(problems[0])
    assert problems[0].where.endswith("tenants[0].classes[1].arrivals.load")


def test_classes_may_not_submit_too_many_jobs_together() -> None:
    problems = problems_of(("load: 12}", "rate: 300/s}"), ("rate: 2.5/h", "rate: 300/s"))
    assert len(problems) == 1
    assert problems[0].what == "all classes together submit more than 1,000,000,000 jobs in a replication"
    assert "40/s is 86,400 times 40/day" in problems[0].remedy
    assert problems[0].where.startswith("center.yaml:31:")


def test_two_loads_whose_sum_is_no_float_are_refused() -> None:
    huge = "9" * 308
    problems = problems_of(("rate: 40/day", f"load: {huge}"), ("load: 12}", f"load: {huge}}}"))
    assert len([p for p in problems if "GPUs of work" in p.what]) == 2


def test_a_key_that_stands_twice_hides_no_other_mistake() -> None:
    text = BASE.replace("name: base", "name: base\nname: other").replace("backfill: 1", "backfill: 0")
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    assert [problem.code for problem in caught.value.problems] == ["scenario/duplicate-key", "scenario/value"]


def test_data_without_a_file_is_told_by_path() -> None:
    data = Scenario.from_yaml(BASE).to_dict()
    data["tenants"][0]["classes"][1]["gpus"] = 0
    data["study"]["sed"] = 3
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_dict(data)
    assert {problem.where for problem in caught.value.problems} == {"tenants[0].classes[1].gpus", "study.sed"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("---\n", "the file holds nothing"),
        ("[1, 2]", "the file holds a list"),
        ("hello", "the file holds one text"),
        ("[" * 60, "nested deeper than 50 levels"),
        ("a: " + "{a: " * 100_000, "nested deeper than 50 levels"),
        ("x" * (LARGEST_FILE + 1), "at most 1,000,000"),
        (BASE.encode("utf-16"), "UTF-16"),
        (b"name: \xff\xfe", "not UTF-8 text (byte 0xff)"),
        (b"PK\x03\x04\x00\x00", "not text"),
        ("a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]", "the alias '*a'"),
        ("a: &a [*a]", "the alias '*a'"),
    ],
)
def test_what_is_no_scenario_at_all_is_refused_quickly(content: str | bytes, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(content, "center.yaml")
    assert says in str(caught.value)
    assert caught.value.problems[0].remedy


def test_words_that_yaml_1_1_turns_into_booleans_stay_words() -> None:
    for word in ("no", "on", "yes", "off", "Y", "null-op"):
        text = BASE.replace("name: startups", f"name: {word}")
        assert Scenario.from_yaml(text).tenants[1].name == word


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_makes_anything_but_our_own_errors(content: str | bytes) -> None:
    try:
        Scenario.from_yaml(content)
    except GpusimError as error:
        assert str(error)  # noqa: PT017


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)
PATHS = [
    ("name",), ("tick",), ("center",), ("center", "have"), ("tenants",), ("tenants", 0), ("tenants", 0, "classes"),
    ("tenants", 0, "name"), ("tenants", 0, "classes", 0), ("tenants", 0, "classes", 0, "arrivals"),
    ("tenants", 0, "classes", 0, "gpus"), ("tenants", 0, "classes", 0, "run_time"),
    ("tenants", 0, "classes", 0, "run_time", "lognormal"), ("tenants", 0, "classes", 0, "limit"),
    ("tenants", 0, "classes", 0, "patience"), ("policy",), ("policy", "backfill"), ("slos",), ("slos", 0),
    ("study",), ("study", "horizon"), ("study", "cool_down"), ("study", "seed"), ("study", "demand_uncertainty"),
    ("assumptions",), ("schema",), ("assumed",), ("variants",), ("variants", "fifo"), ("variants", "fifo", "set"),
    ("variants", "fifo", "set", "policy.backfill"), ("variants", "fifo", "set", "slos[0]"), ("center", "pools"),
    ("center", "time_zone"), ("policy", "order"), ("policy", "period"), ("policy", "window"), ("study", "start"),
    ("study", "vary"), ("study", "demand"), ("tenants", 0, "classes", 0, "arrivals", "profile"),
    ("tenants", 0, "classes", 0, "arrivals", "schedule"), ("tenants", 0, "classes", 0, "arrivals", "batch"),
    ("tenants", 0, "classes", 0, "arrivals", "rate"), ("tenants", 0, "classes", 0, "segment"),
    ("tenants", 0, "classes", 0, "deadline"), ("tenants", 0, "classes", 0, "pools"),
    ("tenants", 0, "classes", 0, "run_time", "quantiles"), ("tenants", 0, "classes", 0, "run_time", "weibull"),
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(PATHS), VALUES)
@pytest.mark.slow
def test_no_value_anywhere_makes_anything_but_our_own_errors(
    path: tuple[str | int, ...], value: object
) -> None:
    data = Scenario.from_yaml(BASE).to_dict()
    data.setdefault("center", {})
    data["variants"] = {"fifo": {"set": {"policy.backfill": "none"}}}
    check_value(data, path, value)
