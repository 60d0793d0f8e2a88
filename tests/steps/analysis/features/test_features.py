from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.features.profiles import (
    FORECAST,
    PARITY,
    STORED_FEATURES,
    Variant,
    bin_dummies,
    profile_named,
    variant_of,
)
from analysis.features.transform import model_columns, source_column, stored_features
from analysis.reading.columns import BINS, CATEGORIES, FLAGS, TARGET
from analysis.reading.limits import QualityLimits
from analysis.reading.purpose import Purpose
from analysis.reading.quality import check_days
from analysis.reading.table import read_table
from analysis.runtime.errors import SettingsError
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import write_sample

INPUT_COLUMNS = declared("bike_sharing").known_before


def days_of(path, required=()) -> pd.DataFrame:
    return check_days(read_table(path), Purpose.SCORING, required, QualityLimits()).days


def test_the_honest_profile_has_29_columns_and_none_of_the_answer() -> None:
    assert len(FORECAST.columns) == len(set(FORECAST.columns)) == 29
    assert not {"casual", "registered", "cnt", "instant"} & set(FORECAST.columns)
    assert not {"season_1", "mnth_1", "weekday_0", "weathersit_1", "weathersit_4"} & set(FORECAST.columns)


def test_the_parity_profile_has_the_published_columns_in_order() -> None:
    published = (
        "casual registered mnth_1 mnth_2 mnth_3 mnth_4 mnth_6 mnth_9 mnth_10 mnth_12 weekday_0 weekday_6 season_1 "
        "season_4 weathersit_1"
    )
    assert " ".join(PARITY.columns) == published


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"'magic'.*forecast, parity"):
        profile_named("magic")


@pytest.fixture(scope="module")
def two_years(tmp_path_factory) -> pd.DataFrame:
    return days_of(write_sample(tmp_path_factory.mktemp("days") / "days.csv"))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.sets(st.integers(min_value=0, max_value=729), min_size=1, max_size=40))
def test_columns_are_the_same_whatever_levels_a_file_has(two_years, kept: set[int]) -> None:
    days = two_years.iloc[sorted(kept)]
    matrix = model_columns(days, FORECAST)
    assert tuple(matrix.columns) == FORECAST.columns
    assert len(matrix) == len(kept)
    for name in CATEGORIES:
        dummies = matrix[[column for column in FORECAST.columns if column.startswith(f"{name}_")]]
        first = min(CATEGORIES[name].levels)
        assert (dummies.sum(axis="columns").to_numpy() == (days[name] != first).to_numpy()).all()


def test_both_published_forms_give_the_same_model_columns(write, csv_of, uci_of, rows) -> None:
    physical = model_columns(days_of(write(csv_of(rows), "a.csv")), FORECAST)
    scaled = model_columns(days_of(write(csv_of(uci_of(rows)), "b.csv")), FORECAST)
    pd.testing.assert_frame_equal(physical, scaled, rtol=1e-14)


def test_row_order_of_the_file_does_not_matter(write, csv_of, rows) -> None:
    ordered = days_of(write(csv_of(rows), "a.csv"))
    reversed_ = days_of(write(csv_of(rows[::-1]), "b.csv"))
    pd.testing.assert_frame_equal(ordered.reset_index(drop=True), reversed_.reset_index(drop=True))


def test_heavy_rain_is_prepared_as_light_rain_and_counted(write, csv_of, rows) -> None:
    rows[3]["weathersit"] = "4"
    checked = check_days(read_table(write(csv_of(rows))), Purpose.SCORING, (), QualityLimits())
    assert model_columns(checked.days, FORECAST)["weathersit_3"].loc[5] == 1
    assert checked.report["repairs"] == [{"what": "weathersit 4 prepared as 3", "rows": 1, "lines": [5]}]


def test_stored_features_match_the_feature_group(write, csv_of, rows) -> None:
    stored = stored_features(days_of(write(csv_of(rows)), (TARGET,)))
    assert {"event_time", *stored.columns} == set(STORED_FEATURES)
    assert stored.iloc[0]["dteday"] == "2018-01-01"
    assert set(FORECAST.columns) <= set(stored.columns)
    assert not {"casual", "registered"} & set(stored.columns)


def test_a_day_without_a_count_is_stored_without_one(write, csv_of, rows) -> None:
    stored = stored_features(days_of(write(csv_of(rows, INPUT_COLUMNS))))
    assert stored["cnt"].isna().all()
    assert ",\n" in stored.to_csv(index=False)


def test_the_first_level_may_be_kept() -> None:
    kept = variant_of(FORECAST, Variant(keep_first_levels=True))
    added = set(kept.columns) - set(FORECAST.columns)
    assert added == {"season_1", "mnth_1", "weekday_0", "weathersit_1"}
    assert set(FORECAST.columns) <= set(kept.columns)
    with pytest.raises(SettingsError, match="'parity' are fixed"):
        variant_of(PARITY, Variant(keep_first_levels=True))


def test_measures_may_be_offered_as_bins(two_years) -> None:
    binned = variant_of(FORECAST, Variant(keep_first_levels=True, binned_measures=True))
    assert not {"temp", "atemp", "hum", "windspeed"} & set(binned.columns)
    assert binned.scaled == ()
    matrix = model_columns(two_years, binned)
    for name in BINS:
        dummies = matrix[list(bin_dummies(name))]
        assert (dummies.sum(axis="columns") == 1).all()
    assert matrix["temp_very_hot"].tolist() == (two_years["temp"] >= 30).astype(int).tolist()
    assert {source_column(name) for name in binned.columns} == {*CATEGORIES, *FLAGS, *BINS}
