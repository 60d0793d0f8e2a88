from __future__ import annotations

import csv
import hashlib
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from pipeline.datasets.shipped import dataset_names, declared
from pipeline.demo.sample import DEFAULT_SEED, FILE_NAME, ROWS, sample_rows, write_sample
from pipeline.demo.values import levels, limits
from tests.pipeline.demo.declarations import declarations

INPUT_COLUMNS = declared("bike_sharing").known_before
TARGET_COLUMNS = declared("bike_sharing").answers
LIMITS = QualityLimits(minimum_training_rows=1)
DIGESTS = {
    "bike_sharing": "7c4417765ad76991b45c61303b3b86178fd8088fec6fee20fc1ba04e5fd85f0f",
    "red_wine": "a1e944ceed1037f4cb28c2319b02086cccb1e94bc70f3981f19b9ced9b052ee9",
}


@pytest.mark.parametrize("name", dataset_names())
def test_the_default_sample_is_the_same_bytes_everywhere(name: str, tmp_path) -> None:
    path = write_sample(tmp_path, dataset=declared(name))
    assert path == tmp_path / FILE_NAME
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGESTS[name]


def test_it_says_in_its_name_that_it_is_generated() -> None:
    assert "generated" in FILE_NAME


def test_columns_and_rows(tmp_path) -> None:
    with write_sample(tmp_path / "deep" / "x.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == [*INPUT_COLUMNS, *TARGET_COLUMNS]
    assert len(rows) == 731
    assert rows[1][1] == "01-01-18"
    assert rows[-1][1] == "31-12-19"


@pytest.mark.parametrize("name", dataset_names())
def test_without_target_it_is_for_scoring(name: str, tmp_path) -> None:
    dataset = declared(name)
    path = write_sample(tmp_path, target=False, rows=3, dataset=dataset)
    assert path.read_text().splitlines()[0] == ",".join(dataset.known_before)
    assert len(path.read_text().splitlines()) == 4
    assert checked(dataset, path, Purpose.SCORING).num_rows == 3


@pytest.mark.parametrize("name", dataset_names())
def test_seeds_differ_and_repeat(name: str) -> None:
    dataset = declared(name)
    assert sample_rows(1, 50, dataset) == sample_rows(1, 50, dataset)
    assert sample_rows(1, 50, dataset) != sample_rows(2, 50, dataset)
    assert sample_rows(DEFAULT_SEED, ROWS, dataset)[:50] == sample_rows(DEFAULT_SEED, 50, dataset)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_are_consistent(seed: int) -> None:
    for row in sample_rows(seed):
        day, month, year = (int(part) for part in row["dteday"].split("-"))
        when = date(2000 + year, month, day)
        assert int(row["mnth"]) == month
        assert int(row["yr"]) == year - 18
        assert int(row["weekday"]) == when.isoweekday() % 7
        assert int(row["cnt"]) == int(row["casual"]) + int(row["registered"])
        assert int(row["workingday"]) == (int(row["weekday"]) in range(1, 6) and row["holiday"] == "0")
        assert 0 <= float(row["temp"]) <= 41
        assert 0 <= float(row["atemp"]) <= 50
        assert 0 <= float(row["hum"]) <= 100
        assert 0 <= float(row["windspeed"]) <= 67
        assert row["season"] in "1234"
        assert row["weathersit"] in "123"


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", dataset_names())
def test_a_regression_on_it_passes_the_declared_gate(name: str, seed: int) -> None:
    """So that a demonstration ends with predictions, whatever it is of."""
    dataset = declared(name)
    rows = sample_rows(seed, dataset=dataset)
    inputs = [np.ones(len(rows))]
    for column in dataset.inputs:
        known = levels(dataset.columns[column])[1:]
        if dataset.columns[column].kind is Kind.CATEGORY:
            inputs += [np.array([row[column] == level for row in rows], np.float64) for level in known]
        else:
            inputs.append(np.array([float(row[column]) for row in rows]))
    features, target = np.column_stack(inputs), np.array([float(row[dataset.target]) for row in rows])
    coefficients = np.linalg.lstsq(features[::2], target[::2], rcond=None)[0]
    residuals = target[1::2] - features[1::2] @ coefficients
    r_squared = 1.0 - residuals @ residuals / np.sum((target[1::2] - target[1::2].mean()) ** 2)
    assert dataset.gate.minimum_r_squared < r_squared < dataset.gate.leakage


@given(declarations(), st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_any_declaration_s_sample_passes_its_own_checks(dataset: Dataset, seed: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = checked(dataset, write_sample(Path(folder), seed, count, dataset=dataset), Purpose.TRAINING)
        to_score = write_sample(Path(folder), seed, count, target=False, dataset=dataset)
        assert checked(dataset, to_score, Purpose.SCORING).num_rows == count
    assert rows.num_rows == count
    for name, column in dataset.columns.items():
        if column.kind in {Kind.MEASURE, Kind.COUNT}:
            low, high = limits(column)
            assert all(low <= value <= high for value in rows[name].to_pylist())


@given(declarations(), st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 20))
def test_a_longer_sample_begins_with_the_shorter_one(dataset: Dataset, seed: int, count: int, more: int) -> None:
    assert sample_rows(seed, count + more, dataset)[:count] == sample_rows(seed, count, dataset)


@pytest.mark.parametrize("rows", [0, -1])
def test_less_than_a_row_is_refused(rows: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sample_rows(rows=rows)


def test_more_days_than_dates_of_two_digits_can_tell_are_refused() -> None:
    with pytest.raises(ValueError, match="2068"):
        sample_rows(rows=20_000)


def checked(dataset: Dataset, path: Path, purpose: Purpose) -> pa.Table:
    required = [dataset.target] if purpose is Purpose.TRAINING else []
    return checked_file(path, dataset, purpose, required=required, limits=LIMITS).rows
