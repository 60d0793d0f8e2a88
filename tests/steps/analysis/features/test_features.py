"""The columns that models get of a declared table, and the features that are stored of it."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.checking.checks import CheckedRows
from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.features.labels import texts_of
from analysis.features.preparation import Preparation, learn
from analysis.features.profiles import Origin, Variant, bin_columns, profile_of
from analysis.features.stored import EVENT_TIME, RECORD_ID, legal_names, stored_features, stored_rows
from analysis.features.transform import model_columns
from analysis.runtime.errors import SettingsError
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import checked, readings, towns

BIKES, WINE = declared("bike_sharing"), declared("red_wine")
FORECAST, PARITY = profile_of(BIKES, "forecast"), profile_of(BIKES, "parity")


def rows_of(path: Path, dataset: Dataset = BIKES) -> CheckedRows:
    return checked_file(path, dataset, Purpose.SCORING)


def columns_of(rows: pa.Table, profile=FORECAST, dataset: Dataset = BIKES) -> pa.Table:
    return model_columns(rows, profile.columns, dataset, learn(rows, dataset))


def stored_of(rows: pa.Table, dataset: Dataset) -> pa.Table:
    identities = row_identities(rows, dataset)
    return stored_rows(rows, dataset, learn(rows, dataset), identities, texts_of(rows, dataset))


def test_the_honest_profile_has_29_columns_and_none_of_the_answer() -> None:
    assert len(FORECAST.names) == len(set(FORECAST.names)) == 29
    assert not {"casual", "registered", "cnt", "instant"} & set(FORECAST.names)
    assert not {"season_1", "mnth_1", "weekday_0", "weathersit_1", "weathersit_4"} & set(FORECAST.names)
    assert (FORECAST.selects, FORECAST.feature_count) == (True, 15)


def test_the_parity_profile_has_the_published_columns_in_order() -> None:
    published = (
        "casual registered mnth_1 mnth_2 mnth_3 mnth_4 mnth_6 mnth_9 mnth_10 mnth_12 weekday_0 weekday_6 season_1 "
        "season_4 weathersit_1"
    )
    assert " ".join(PARITY.names) == published
    assert (PARITY.selects, PARITY.scaled, PARITY.known_leakage) == (False, (), {"casual", "registered"})


def test_the_profiles_of_wine() -> None:
    measures = tuple(name for name in WINE.columns if name != "quality")
    found = {name: profile_of(WINE, name) for name in WINE.profiles}
    assert {profile.names for profile in found.values()} == {profile.scaled for profile in found.values()} == {measures}
    assert {name: profile.feature_count for name, profile in found.items()} == {
        "forecast": 8,
        "complete": 11,
        "distinct": 11,
    }
    assert {name: str(profile.repeated_rows) for name, profile in found.items()} == {
        "forecast": "keep",
        "complete": "keep",
        "distinct": "drop",
    }


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"'magic'.*forecast, parity"):
        profile_of(BIKES, "magic")


@cache
def two_years() -> pa.Table:
    frame = pd.DataFrame(sample_rows())
    return checked(frame.to_dict("records"), BIKES, Purpose.SCORING).rows


@settings(deadline=None, max_examples=25)
@given(kept=st.sets(st.integers(min_value=0, max_value=729), min_size=1, max_size=40))
def test_columns_are_the_same_whatever_levels_a_file_has(kept: set[int]) -> None:
    days = two_years().take(sorted(kept))
    matrix = columns_of(days)
    assert tuple(matrix.column_names) == FORECAST.names
    assert matrix.num_rows == len(kept)
    for name in BIKES.of_kind(Kind.CATEGORY, among=BIKES.inputs):
        dummies = [matrix[column.name].to_numpy() for column in FORECAST.columns if column.source == name]
        first = min(BIKES.columns[name].levels, key=int)
        assert (np.sum(dummies, axis=0) == (days[name].to_numpy(zero_copy_only=False) != first)).all()


@settings(deadline=None, max_examples=25)
@given(kept=st.sets(st.integers(min_value=0, max_value=729), min_size=1, max_size=5))
def test_a_row_has_the_same_columns_whatever_other_rows_there_are(kept: set[int]) -> None:
    """The preparation given, as a model has it."""
    learned = learn(two_years(), BIKES)
    profile = profile_of(BIKES, "forecast", Variant(first_levels=True, binned=True))
    together = model_columns(two_years(), profile.columns, BIKES, learned)
    for row in kept:
        alone = model_columns(two_years().slice(row, 1), profile.columns, BIKES, learned)
        assert alone.to_pylist() == together.slice(row, 1).to_pylist()


def test_both_published_forms_give_the_same_model_columns(write, csv_of, uci_of, rows) -> None:
    physical = columns_of(rows_of(write(csv_of(rows), "a.csv")).rows).to_pandas()
    scaled = columns_of(rows_of(write(csv_of(uci_of(rows)), "b.csv")).rows).to_pandas()
    pd.testing.assert_frame_equal(physical, scaled, rtol=1e-14)


def test_row_order_of_the_file_does_not_matter(write, csv_of, rows) -> None:
    ordered = rows_of(write(csv_of(rows), "a.csv")).rows.drop_columns("line")
    reversed_ = rows_of(write(csv_of(rows[::-1]), "b.csv")).rows.drop_columns("line")
    assert ordered.to_pylist() == reversed_.to_pylist()


def test_heavy_rain_is_prepared_as_light_rain_and_counted(write, csv_of, rows) -> None:
    rows[3]["weathersit"] = "4"
    found = rows_of(write(csv_of(rows)))
    assert columns_of(found.rows)["weathersit_3"][found.rows["line"].to_pylist().index(5)].as_py() == 1
    assert found.report["repairs"] == [{"what": "weathersit 4 prepared as 3", "rows": 1, "lines": [5]}]


def test_stored_features_match_the_feature_group(write, csv_of, rows) -> None:
    stored = stored_of(rows_of(write(csv_of(rows))).rows, BIKES)
    declared_features = stored_features(BIKES)
    assert [name for name in declared_features.types if name != EVENT_TIME] == stored.column_names
    assert declared_features.identifier == "dteday"
    assert stored["dteday"][0].as_py() == "2018-01-01"
    assert set(FORECAST.names) <= set(stored.column_names)
    assert not {"casual", "registered"} & set(stored.column_names)
    types = {
        feature: declared_features.types[feature] for feature in ("dteday", "season", "yr", "temp", "mnth_2", "cnt")
    }
    assert types == {
        "dteday": "String",
        "season": "Integral",
        "yr": "Integral",
        "temp": "Fractional",
        "mnth_2": "Integral",
        "cnt": "Integral",
    }


def test_a_table_without_a_key_is_stored_by_what_is_in_its_rows() -> None:
    rows = checked(sample_rows(rows=20, dataset=WINE), WINE, Purpose.SCORING).rows
    found = stored_features(WINE)
    stored = stored_of(rows, WINE)
    assert (found.identifier, found.types[RECORD_ID]) == (RECORD_ID, "String")
    assert len(set(stored[RECORD_ID].to_pylist())) == 20
    assert found.sources["fixed_acidity"] == "fixed acidity"
    assert stored["fixed_acidity"].to_pylist() == rows["fixed acidity"].to_pylist()
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in found.types)


def test_text_levels_and_moments_are_stored_as_text() -> None:
    dataset = towns()
    rows = checked(readings(8), dataset, Purpose.SCORING).rows
    found, stored = stored_features(dataset), stored_of(rows, dataset).to_pylist()
    assert (found.identifier, found.types["land"], found.types["grade"]) == (RECORD_ID, "String", "Integral")
    assert stored[0] | {"at": "2024-05-01 00:30:00", "town": "B", "land": "n"} == stored[0]
    assert stored[0][RECORD_ID] == "B|2024-05-01T00:30:00"


def test_a_day_without_a_count_is_stored_without_one(write, csv_of, rows) -> None:
    stored = stored_of(rows_of(write(csv_of(rows, BIKES.known_before))).rows, BIKES)
    assert stored["cnt"].null_count == stored.num_rows
    out = io.BytesIO()
    pa.csv.write_csv(stored, out)
    assert b",\n" in out.getvalue()


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=12))
def test_stored_names_are_legal_and_each_is_its_own(names: list[str]) -> None:
    legal = legal_names(names)
    assert list(legal) == names
    assert len({name.casefold() for name in legal.values()}) == len(names)
    for name in legal.values():
        assert name.isascii()
        assert 1 <= len(name) <= 64
        assert name[0].isalnum()
        assert name.replace("_", "").replace("-", "").isalnum()
        assert name not in {"is_deleted", "write_time", "api_invocation_time", EVENT_TIME}


def test_the_first_level_may_be_kept() -> None:
    kept = profile_of(BIKES, "forecast", Variant(first_levels=True))
    added = set(kept.names) - set(FORECAST.names)
    assert added == {"season_1", "mnth_1", "weekday_0", "weathersit_1"}
    assert set(FORECAST.names) <= set(kept.names)
    with pytest.raises(SettingsError, match="'parity' are fixed"):
        profile_of(BIKES, "parity", Variant(first_levels=True))


def test_measures_may_be_offered_as_bins() -> None:
    binned = profile_of(BIKES, "forecast", Variant(first_levels=True, binned=True))
    assert not {"temp", "atemp", "hum", "windspeed"} & set(binned.names)
    assert binned.scaled == ("yr",)
    matrix = columns_of(two_years(), binned)
    with_bins = [name for name in BIKES.inputs if BIKES.columns[name].bins is not None]
    assert with_bins == ["temp", "atemp", "hum", "windspeed"]
    for name in with_bins:
        dummies = [matrix[column.name].to_numpy() for column in bin_columns(BIKES, name)]
        assert (np.sum(dummies, axis=0) == 1).all()
    very_hot = two_years()["temp"].to_numpy() >= 30
    assert matrix["temp_very_hot"].to_pylist() == very_hot.astype(int).tolist()
    assert {column.source for column in binned.columns} == set(BIKES.inputs)


def test_without_the_lowest_bin_the_others_say_it_all() -> None:
    binned = profile_of(BIKES, "forecast", Variant(binned=True))
    lowest = {bin_columns(BIKES, name)[0].name for name in ("temp", "atemp", "hum", "windspeed")}
    assert not lowest & set(binned.names)
    kept = profile_of(BIKES, "forecast", Variant(first_levels=True, binned=True))
    assert lowest <= set(kept.names)


def test_indicators_and_declared_bins() -> None:
    columns = {
        "town": {"kind": "identifier"},
        "at": {"kind": "datetime", "formats": {"standard": ["yyyy-mm-dd HH:MM"]}},
        "heat": {"kind": "measure", "missing": "fill", "indicator": True, "bins": {"quantiles": 4}},
        "load": {"kind": "measure"},
    }
    profiles = {"forecast": {"description": "All.", "binned": ["heat"]}}
    dataset = towns(columns=columns, rules=None, parts=None, profiles=profiles)
    profile = profile_of(dataset, "forecast")
    assert profile.names == ("heat_second_quarter", "heat_third_quarter", "heat_highest_quarter", "heat_missing")
    assert [column.origin for column in profile.columns] == [Origin.BIN] * 3 + [Origin.MISSING]
    assert profile_of(dataset, "forecast", Variant(binned=False)).names == ("heat", "heat_missing")
    assert profile_of(towns(), "forecast").scaled == ("hour", "heat", "wind", "rain")


def test_columns_of_one_name_are_refused() -> None:
    columns = {
        "land": {"kind": "category", "levels": {"1": "a", "2": "b"}},
        "land_2": {"kind": "measure"},
        "load": {"kind": "measure"},
    }
    dataset = towns(columns=columns, rules=None, parts=None, key=None, time=None)
    with pytest.raises(ValueError, match=r"columns\.land: its model column 'land_2' has the name of one of land_2"):
        profile_of(dataset, "forecast")


def test_an_empty_preparation_changes_nothing() -> None:
    rows = two_years()
    assert model_columns(rows, FORECAST.columns, BIKES, Preparation()).equals(columns_of(rows))
