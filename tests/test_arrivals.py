"""Arrivals: profiles, batches, schedules, streams, the week and uncertain numbers say what the file says."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.scenario import JobClass, Scenario
from gpusim.scenario.batch import Batch
from gpusim.scenario.elicited import Uncertain
from gpusim.scenario.profile import Profile
from gpusim.scenario.schedule import ScheduledItem
from gpusim.scenario.uncertain_laws import LognormalLaw, NormalLaw, TriangularLaw, UniformLaw
from gpusim.scenario.week import phase_of, read_start, read_time_zone, zone_named

DAY = 86_400.0


def job_class(**changes: object) -> JobClass:
    data = {"name": "a", "arrivals": {"rate": "1/h"}, "gpus": 4, "run_time": {"exponential": {"mean": "1h"}}}
    return JobClass.model_validate({**data, **changes})


def scenario(job: dict[str, object], **changes: object) -> Scenario:
    data: dict[str, object] = {
        "schema": 1,
        "name": "test",
        "tenants": [{"name": "lab", "classes": [{"name": "a", "gpus": 4, **job}]}],
        "slos": ["wait <= 1h for 90% of all jobs"],
        "study": {"horizon": "28d", "warm_up": "7d"},
    }
    return Scenario.from_dict({**data, **changes})


# ---- profiles


@given(st.sampled_from([7, 24, 168, 1008, 11]), st.floats(1, 20), st.floats(0, 23.9), st.floats(0, 2))
def test_the_mean_of_any_profile_is_one(bins: int, ratio: float, peak: float, weekend: float) -> None:
    profile = Profile.model_validate({"peak": f"{peak:.3f}h", "ratio": ratio, "weekend": f"{weekend:.4f}"})
    rates = profile.weekly(bins)
    assert len(rates) == bins
    assert np.mean(rates) == pytest.approx(1, rel=1e-12)
    assert min(rates) >= 0


def test_the_busiest_hour_is_at_the_peak_and_ratio_times_the_quietest() -> None:
    profile = Profile.model_validate({"peak": "14h", "ratio": 2.5, "weekend": "60%"})
    rates = np.array(profile.weekly(7 * 24 * 60)).reshape(7, 1440)
    assert np.argmax(rates[0]) in (14 * 60 - 1, 14 * 60)
    assert rates[0].max() / rates[0].min() == pytest.approx(2.5, rel=1e-4)
    assert rates[5:].sum() / rates[:2].sum() == pytest.approx(0.6)
    assert np.allclose(rates[0], rates[4])


def test_hours_and_days_are_taken_as_written() -> None:
    hours = [0] * 8 + [1] * 4 + [3] * 4 + [0] * 8
    profile = Profile.model_validate({"hours": hours, "days": [1, 1, 1, 1, 2, 0, 0]})
    rates = np.array(profile.weekly(168)).reshape(7, 24)
    assert np.allclose(rates[0] / rates[0, 8], hours)
    assert np.allclose(rates[4], 2 * rates[0])
    assert not rates[5:].any()
    # a bin over midnight holds parts of two days
    assert Profile.model_validate({"days": [1, 0, 0, 0, 0, 0, 0]}).weekly(2) == [2.0, 0.0]


def test_days_may_go_with_a_cosine_and_a_weekend_with_hours() -> None:
    assert Profile.model_validate({"peak": "12:00", "ratio": 3, "days": [1] * 7}).weekly(7) == pytest.approx(
        [1] * 7
    )
    assert Profile.model_validate({"hours": [1] * 24, "weekend": "50%"}).weekly(7)[6] == pytest.approx(
        3.5 / 6
    )


# ---- batches


@given(st.floats(1, 1000))
@pytest.mark.slow
def test_geometric_sizes_have_their_mean_and_sum_to_one(mean: float) -> None:
    batch = Batch.model_validate({"mean": mean})
    sizes = batch.sizes
    assert math.fsum(sizes.values()) == pytest.approx(1, rel=1e-12)
    assert math.fsum(size * share for size, share in sizes.items()) == pytest.approx(mean, rel=1e-6)
    assert min(sizes) == 1
    assert all(share > 0 for share in sizes.values())


def test_given_sizes_are_kept() -> None:
    batch = Batch.model_validate({"sizes": {20: "50%", 40: "50%"}, "within": "20s", "correlation": 0.5})
    assert (batch.sizes, batch.mean, batch.within, batch.correlation) == ({20: 0.5, 40: 0.5}, 30, 20, 0.5)


def test_batches_change_neither_the_rate_of_jobs_nor_the_load() -> None:
    alone = job_class()
    together = job_class(arrivals={"rate": "1/h", "batch": {"mean": 4}})
    assert (together.rate, together.offered_load) == (alone.rate, alone.offered_load)
    assert together.streams[0].rate == pytest.approx(alone.streams[0].rate / 4)  # batches a second
    loaded = job_class(arrivals={"load": 120, "batch": {"sizes": {20: "50%", 40: "50%"}}})
    assert loaded.offered_load == 120
    assert loaded.streams[0].rate * 30 * loaded.mean_gang * loaded.mean_service == pytest.approx(120)


# ---- schedules


def item(**fields: object) -> ScheduledItem:
    return ScheduledItem.model_validate(fields)


def test_a_daily_item_comes_at_its_local_time_on_its_days() -> None:
    nine = item(daily="09:00", days="weekdays", count=40, within="1min")
    from_monday = nine.occurrences(0.0, 8 * DAY)
    assert [time / DAY for time, _, _ in from_monday] == [day + 0.375 for day in (0, 1, 2, 3, 4, 7)]
    assert {(within, count) for _, within, count in from_monday} == {(60.0, 40)}
    # a study that begins on a Friday at noon: next Monday at 9 is 2 d 21 h later
    assert nine.occurrences(4.5 * DAY, 3 * DAY) == [(2 * DAY + 21 * 3600, 60.0, 40)]
    assert len(item(daily="00:00", count=1).occurrences(0.0, 7 * DAY)) == 7
    assert len(item(daily="23:59", days=["Sat"], count=1).occurrences(0.0, 14 * DAY)) == 2


def test_an_item_at_a_time_comes_once_inside_the_horizon() -> None:
    once = item(at="7d", count=5, within="4d")
    assert once.occurrences(3 * DAY, 28 * DAY) == [(7 * DAY, 4 * DAY, 5)]
    assert once.occurrences(0.0, 7 * DAY) == []


def test_a_stream_keeps_what_falls_between_from_and_until() -> None:
    schedule = [{"daily": "12:00", "count": 1}, {"at": "8d", "count": 3}]
    model = job_class(arrivals={"schedule": schedule, "from": "7d", "until": "10d"})
    times = model.streams[0].occurrences(0.0, 28 * DAY)
    assert [(time / DAY, count) for time, _, count in times] == [(7.5, 1), (8.0, 3), (8.5, 1), (9.5, 1)]


def test_the_long_run_rate_of_a_schedule_is_that_of_its_weeks() -> None:
    daily = job_class(arrivals={"schedule": [{"daily": "09:00", "days": "weekdays", "count": 40}]})
    assert daily.rate == pytest.approx(200 / (7 * DAY))
    assert daily.offered_load == pytest.approx(200 / (7 * DAY) * 4 * 3600)
    once = job_class(arrivals={"schedule": [{"at": "1d", "count": 5}]})
    assert (once.rate, once.mean_gang, once.mean_service) == (0, 4, 3600)


# ---- streams


def test_streams_take_what_they_do_not_say_from_the_class() -> None:
    model = job_class(
        arrivals=[
            {"load": 60, "profile": {"peak": "14h", "ratio": 4}},
            {"rate": "1/day", "gpus": 16, "run_time": {"deterministic": "4h"}, "limit": "2h"},
        ]
    )
    first, second = model.streams
    assert (first.label, second.label) == ("", "#2")
    assert (dict(first.gpus), first.run_time.law, first.limit.mode) == ({4: 1.0}, "exponential", "exact")
    assert (dict(second.gpus), second.run_time.law, second.limit.fixed) == ({16: 1.0}, "deterministic", 7200)
    assert model.largest_gang == 16
    assert model.offered_load == pytest.approx(60 + 16 * 2 / 24)
    assert model.rate * model.mean_gang * model.mean_service == pytest.approx(model.offered_load)


def test_a_list_of_one_stream_is_that_stream() -> None:
    alone, listed = job_class(), job_class(arrivals=[{"rate": "1/h"}])
    assert listed.offered_load == alone.offered_load
    assert listed.streams[0].label == ""
    assert alone.arrivals_path(0) == ("arrivals",)
    assert listed.arrivals_path(0) == ("arrivals", 0)


def test_rates_and_loads_of_a_class_with_segments_count_chains() -> None:
    chain = job_class(arrivals={"load": 40}, run_time={"deterministic": "3d"}, segment="24h")
    assert chain.streams[0].rate == pytest.approx(40 / (4 * 3 * DAY))
    assert chain.mean_service == 3 * DAY


# ---- the week


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("Mon 00:00", 0),
        ("Friday 12:00", 4.5),
        ("sun", 6),
        ("2026-02-02", 0),  # a Monday
        ("2026-02-04 06:00", 2.25),
        ("2026-02-01T15:00Z", 0),  # in Seoul it is Monday, 00:00
        ("2026-02-02 00:00+09:00", 0),
        ("2026-02-01 10:00-05:00", 0),
    ],
)
def test_a_start_fixes_the_day_and_hour_of_the_week(start: str, days: float) -> None:
    seoul = zone_named("Asia/Seoul")
    assert seoul is not None
    assert phase_of(read_start(start), seoul) == days * DAY
    assert read_start(read_start(start)) == read_start(start)


def test_utc_needs_no_list_of_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    def nothing(_: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError

    monkeypatch.setattr(zoneinfo, "ZoneInfo", nothing)
    assert read_time_zone("UTC") == "UTC"
    assert zone_named("UTC") is not None
    assert zone_named("Asia/Seoul") is None


def test_the_scenario_knows_when_in_the_week_it_begins() -> None:
    study = {"horizon": "28d", "warm_up": "7d", "start": "2026-02-01T15:00Z"}
    job = {"arrivals": {"rate": "1/h"}, "run_time": {"deterministic": "1h"}}
    assert scenario(job, study=study).week_phase == 6.625 * DAY
    assert scenario(job, study=study, center={"time_zone": "Asia/Seoul"}).week_phase == 0


# ---- pools


def test_pools_are_known_by_position_in_order_of_preference() -> None:
    center = {"pools": [{"name": "b200", "have": 64}, {"name": "h200", "have": 32}]}
    job = {"arrivals": {"rate": "1/h"}, "run_time": {"deterministic": "1h"}}
    study = {"horizon": "28d", "warm_up": "7d", "vary": "h200"}
    preferring = scenario({**job, "pools": ["h200", "b200"]}, center=center, study=study)
    assert (preferring.pool_names, preferring.class_pools(0)) == (("b200", "h200"), (1, 0))
    assert scenario(job, center=center, study=study).class_pools(0) == (0, 1)
    assert scenario(job).pool_names == ("gpus",)
    assert scenario(job).class_pools(0) == (0,)


# ---- uncertain numbers


@pytest.mark.parametrize(
    "law",
    [
        UniformLaw(1, 3),
        TriangularLaw(1, 1.5, 4),
        TriangularLaw(1, 1, 4),
        TriangularLaw(1, 4, 4),
        LognormalLaw(2, 0.5),
        NormalLaw(2, 0.4),
        NormalLaw(2, 2),
    ],
    ids=str,
)
def test_a_law_rises_from_its_least_to_its_largest_value(law: UniformLaw) -> None:
    values = [law.quantile(float(u)) for u in np.linspace(0, 1, 101)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(law.low)
    assert values[-1] == pytest.approx(law.high)
    assert values[0] > 0


def test_laws_are_the_textbooks() -> None:
    assert TriangularLaw(0.0, 1.0, 4.0).quantile(0.25) == 1.0
    u = (np.arange(20_000) + 0.5) / 20_000
    assert np.mean([TriangularLaw(1, 2, 6).quantile(float(x)) for x in u]) == pytest.approx(3, rel=1e-6)
    assert np.mean([NormalLaw(10, 1).quantile(float(x)) for x in u]) == pytest.approx(10, rel=1e-6)
    assert np.std([NormalLaw(10, 1).quantile(float(x)) for x in u]) == pytest.approx(1, rel=2e-3)
    assert LognormalLaw(2, 0.5).quantile(0.5) == 2
    assert NormalLaw(2, 0.1).quantile(0.5) == 2


def test_an_uncertain_number_is_its_median_where_a_number_is_asked() -> None:
    number = Uncertain(UniformLaw(1.0, 3.0))
    assert number == 2.0
    assert number + 1 == 3.0
    for again in (pickle.loads(pickle.dumps(number)), copy.deepcopy(number)):
        assert again.law == number.law
        assert again == 2.0


UNCERTAIN: dict[str, object] = {
    "arrivals": [
        {
            "load": {"triangular": [100, 120, 160]},
            "profile": {"peak": "14h", "ratio": {"uniform": [2, 3]}, "weekend": {"uniform": ["50%", "70%"]}},
            "batch": {"mean": {"uniform": [2, 4]}},
        },
        {"schedule": [{"daily": "09:00", "count": {"uniform": [10, 31]}}]},
    ],
    "run_time": {
        "lognormal": {"median": {"uniform": ["1h", "3h"]}, "sigma": {"normal": {"mean": 1.6, "sd": 0.1}}}
    },
}


def test_uncertain_numbers_are_listed_by_path_in_the_order_of_the_file() -> None:
    uncertain = scenario(UNCERTAIN)
    found = {each.path: each.law for each in uncertain.elicited()}
    assert list(found) == [
        "lab/a.arrivals[0].load",
        "lab/a.arrivals[0].profile.ratio",
        "lab/a.arrivals[0].profile.weekend",
        "lab/a.arrivals[0].batch.mean",
        "lab/a.arrivals[1].schedule[0].count",
        "lab/a.run_time.lognormal.median",
        "lab/a.run_time.lognormal.sigma",
    ]
    assert found["lab/a.run_time.lognormal.median"] == UniformLaw(3600.0, 10_800.0)
    assert found["lab/a.arrivals[0].profile.weekend"] == UniformLaw(0.5, 0.7)
    certain = scenario({"arrivals": {"rate": "1/h"}, "run_time": {"deterministic": "1h"}})
    assert certain.elicited() == ()


def test_every_number_that_may_be_uncertain_can_be() -> None:
    law = {"uniform": ["1h", "2h"]}
    runs: list[dict[str, object]] = [
        {"exponential": {"mean": law}},
        {"deterministic": law},
        {"weibull": {"shape": {"uniform": [0.5, 0.7]}, "scale": law}},
        {"weibull": {"shape": 0.5, "mean": law}},
        {"hyperexponential": {"phases": [{"mean": law, "share": "90%"}, {"mean": "20h", "share": "10%"}]}},
    ]
    for run in runs:
        uncertain = scenario(
            {"arrivals": {"rate": {"lognormal": {"median": "1/h", "sigma": 0.3}}}, "run_time": run}
        )
        assert len(uncertain.elicited()) in (2, 3)
        assert Scenario.from_dict(uncertain.to_dict()).hash == uncertain.hash
        numbers = {each.path: each.law.quantile(0.9) for each in uncertain.elicited()}
        drawn = uncertain.drawn(numbers)
        assert drawn.elicited() == ()
        assert drawn.offered_load > uncertain.offered_load


def test_a_drawn_scenario_has_the_numbers_given() -> None:
    uncertain = scenario(UNCERTAIN)
    load, count = "lab/a.arrivals[0].load", "lab/a.arrivals[1].schedule[0].count"
    drawn = uncertain.drawn({load: 150.0, count: 12.4})
    model = drawn.tenants[0].classes[0]
    assert model.streams[0].long_run_load == 150
    assert {count for _, _, count in model.streams[1].occurrences(0.0, 28 * DAY)} == {12}
    assert [each.path for each in drawn.elicited()] == [
        each.path for each in uncertain.elicited() if each.path not in (load, count)
    ]
    assert uncertain.tenants[0].classes[0].streams[0].long_run_load == pytest.approx(
        120, rel=0.1
    )  # untouched
    with pytest.raises(KeyError, match=r"lab/a\.arrivals\.load"):
        uncertain.drawn({"lab/a.arrivals.load": 1.0})


def test_a_plain_scenario_is_the_uncertain_one_at_its_medians() -> None:
    uncertain = scenario(UNCERTAIN)
    nominal = uncertain.drawn({each.path: each.law.quantile(0.5) for each in uncertain.elicited()})
    assert nominal.offered_load == pytest.approx(uncertain.offered_load, rel=1e-12)
    assert nominal.hash != uncertain.hash


def test_the_hash_knows_the_law_of_an_uncertain_number() -> None:
    def of(rate: object) -> str:
        return scenario({"arrivals": {"rate": rate}, "run_time": {"deterministic": "1h"}}).hash

    assert of({"uniform": ["20/day", "28/day"]}) == of({"uniform": ["20/day", "28/day"]})
    assert len({of("1/h"), of({"uniform": ["20/day", "28/day"]}), of({"uniform": ["22/day", "26/day"]})}) == 3
