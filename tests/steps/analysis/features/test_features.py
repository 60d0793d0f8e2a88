"""The columns that models get of a declared table, and the features that are stored of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
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
from analysis.features.preparation import Preparation, learn, placeholders
from analysis.features.profiles import Origin, Variant, bin_columns, profile_of
from analysis.features.stored import EVENT_TIME, RECORD_ID, StoredRows, legal_names, stored_groups, stored_rows
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


def stored_of(rows: pa.Table, dataset: Dataset) -> StoredRows:
    return stored_rows(rows, dataset, row_identities(rows, dataset), texts_of(rows, dataset))


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
    groups = stored_groups(BIKES)
    for table, group in ((stored.inputs, groups.inputs), (stored.outcomes, groups.outcomes)):
        assert [name for name in group.types if name != EVENT_TIME] == table.column_names
        assert group.identifier == "dteday"
        assert table["dteday"][0].as_py() == "2018-01-01"
    assert set(FORECAST.names) <= set(stored.inputs.column_names)
    assert not {"casual", "registered", "cnt"} & set(stored.inputs.column_names)
    assert stored.outcomes.column_names == ["dteday", "casual", "registered", "cnt"]
    types = {**groups.inputs.types, **groups.outcomes.types}
    assert {feature: types[feature] for feature in ("dteday", "season", "yr", "temp", "mnth_2", "cnt")} == {
        "dteday": "String",
        "season": "Integral",
        "yr": "Integral",
        "temp": "Fractional",
        "mnth_2": "Integral",
        "cnt": "Integral",
    }


def test_a_table_without_a_key_is_stored_by_what_is_in_its_rows() -> None:
    rows = checked(sample_rows(rows=20, dataset=WINE), WINE, Purpose.SCORING).rows
    found = stored_groups(WINE).inputs
    stored = stored_of(rows, WINE).inputs
    assert (found.identifier, found.types[RECORD_ID]) == (RECORD_ID, "String")
    assert len(set(stored[RECORD_ID].to_pylist())) == 20
    assert found.sources["fixed_acidity"] == "fixed acidity"
    assert stored["fixed_acidity"].to_pylist() == rows["fixed acidity"].to_pylist()
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in found.types)


def test_text_levels_and_moments_are_stored_as_text() -> None:
    dataset = towns()
    rows = checked(readings(8), dataset, Purpose.SCORING).rows
    found, stored = stored_groups(dataset).inputs, stored_of(rows, dataset).inputs.to_pylist()
    assert (found.identifier, found.types["land"], found.types["grade"]) == (RECORD_ID, "String", "Integral")
    assert stored[0] | {"at": "2024-05-01 00:30:00", "town": "B", "land": "n"} == stored[0]
    assert stored[0][RECORD_ID] == "B|2024-05-01T00:30:00"


def test_a_day_without_a_count_is_stored_without_one(write, csv_of, rows) -> None:
    stored = stored_of(rows_of(write(csv_of(rows, BIKES.known_before))).rows, BIKES)
    assert (stored.inputs.num_rows, stored.outcomes.num_rows) == (len(rows), 0)
    for row in rows[3:]:
        row.update(dict.fromkeys(BIKES.answers, ""))
    partly = stored_of(rows_of(write(csv_of(rows))).rows, BIKES)
    assert (partly.inputs.num_rows, partly.outcomes.num_rows) == (len(rows), 3)
    assert partly.outcomes["cnt"].to_pylist() == [int(row["cnt"]) for row in rows[:3]]


GAPPY = {
    "town": {"kind": "identifier"},
    "land": {
        "kind": "category",
        "levels": {"n": "north", "s": "south", "e": "east"},
        "missing": "placeholder",
        "placeholder": "s",
        "indicator": True,
    },
    "grade": {"kind": "category", "levels": {"1": "low", "2": "middle", "3": "high"}, "missing": "fill"},
    "open": {"kind": "flag", "missing": "placeholder", "placeholder": "0"},
    "heat": {"kind": "measure", "missing": "fill", "indicator": True, "bins": {"quantiles": 4}},
    "calls": {"kind": "count", "missing": "fill"},
    "load": {"kind": "measure"},
}
_CELLS = {
    "land": st.sampled_from(["n", "s", "e", ""]),
    "grade": st.sampled_from(["1", "2", "3", ""]),
    "open": st.sampled_from(["0", "1", ""]),
    "heat": st.sampled_from(["0.1", "-7", "1e300", ""]),
    "calls": st.sampled_from(["0", "9007199254740991", ""]),
    "load": st.just("1"),
}


def gappy() -> Dataset:
    profiles = {"forecast": {"description": "All.", "binned": ["heat"]}}
    return towns(columns=GAPPY, rules=None, parts=None, key=["town"], time=None, profiles=profiles)


@settings(deadline=None, max_examples=50)
@given(cells=st.lists(st.fixed_dictionaries(_CELLS), min_size=1, max_size=8))
def test_what_a_model_takes_can_be_rebuilt_from_stored_inputs(cells: list[dict[str, str]]) -> None:
    dataset = gappy()
    table = [{"town": f"t{number}", **row} for number, row in enumerate(cells)]
    # Rows to learn from, which have every value.
    full = [{"town": f"f{n}", "land": "n", "grade": "1", "open": "1", "heat": str(n), "calls": "1"} for n in range(9)]
    rows = checked([*table, *({**row, "load": "1"} for row in full)], dataset, Purpose.SCORING).rows
    texts = [{name: str(value) for name, value in row.items()} for row in stored_of(rows, dataset).inputs.to_pylist()]
    records = [{name: value for name, value in row.items() if value != "None"} for row in texts]
    rebuilt = rebuilt_rows(records, dataset, rows.schema)
    learned = learn(rows, dataset)
    for variant in (Variant(), Variant(first_levels=True, binned=True), Variant(binned=False)):
        columns = profile_of(dataset, "forecast", variant).columns
        known = rows.select(rebuilt.column_names)
        assert model_columns(rebuilt, columns, dataset, learned).equals(model_columns(known, columns, dataset, learned))


def rebuilt_rows(records: list[dict[str, str]], dataset: Dataset, schema: pa.Schema) -> pa.Table:
    """Put checked rows together from records of the group of inputs: raw levels, numbers, and what was missing."""
    features = {source: feature for feature, source in stored_groups(dataset).inputs.sources.items()}
    columns = {}
    for name in dataset.inputs:
        indicator = features.get(f"{name}_missing", "")
        cells = [None if record.get(indicator) == "1" else record.get(features[name]) for record in records]
        columns[name] = pa.chunked_array([pa.array(cells, pa.string()).cast(schema.field(name).type)])
    return pa.table(columns)


def test_stored_features_do_not_depend_on_other_rows() -> None:
    """An empty cell stays empty, but for a declared placeholder: no median is put there."""
    dataset = gappy()
    empty = {**dict.fromkeys(GAPPY, ""), "town": "a", "load": "1"}
    full = {"town": "b", "land": "n", "grade": "2", "open": "1", "heat": "3", "calls": "4", "load": "1"}
    alone, beside = (
        stored_of(checked(table, dataset, Purpose.SCORING).rows, dataset)
        for table in ([empty, full], [empty, full, {**full, "town": "c", "heat": "9"}])
    )
    first = alone.inputs.to_pylist()[0]
    assert first == beside.inputs.to_pylist()[0]
    assert {name: value for name, value in first.items() if value is not None} == {
        "town": "a",
        "land": "s",
        "open": 0,
        "land_s": 1,
        "land_e": 0,
        "land_missing": 1,
        "heat_missing": 1,
    }
    assert placeholders(dataset) == {"land": "s", "open": 0.0}


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=12))
def test_stored_names_are_legal_and_each_is_its_own(names: list[str]) -> None:
    legal = legal_names(names)
    assert list(legal) == names
    assert len({name.casefold() for name in legal.values()}) == len(names)
    for name in legal.values():
        assert name.isascii()
        assert 1 <= len(name) <= 64
        assert name[0].isalnum()
        assert name.replace("_", "").isalnum()
        assert name.casefold() not in {"is_deleted", "write_time", "api_invocation_time", EVENT_TIME}
        # The offline store's table is partitioned by these.
        assert name.casefold() not in {"year", "month", "day", "hour"}


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


LAGGED = profile_of(BIKES, "forecast-lagged")


def test_features_of_the_past_come_after_all_others_and_are_scaled() -> None:
    assert LAGGED.names == (*FORECAST.names, "cnt_1", "cnt_mean_7")
    assert LAGGED.scaled == (*FORECAST.scaled, "cnt_1", "cnt_mean_7")
    # They need the counts of other days, and not that of their own.
    assert (LAGGED.sources, LAGGED.past, LAGGED.past_sources) == (FORECAST.sources, LAGGED.names[-2:], ("cnt",))
    assert LAGGED.columns[-1].origin is Origin.PAST


def test_variants_go_with_features_of_the_past() -> None:
    variant = Variant(first_levels=True, binned=True)
    names = profile_of(BIKES, "forecast-lagged", variant).names
    assert names == (*profile_of(BIKES, "forecast", variant).names, "cnt_1", "cnt_mean_7")


def test_features_of_the_past_are_not_stored() -> None:
    groups = stored_groups(BIKES)
    assert not {"cnt_1", "cnt_mean_7"} & {*groups.inputs.types, *groups.outcomes.types}
