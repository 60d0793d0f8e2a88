from __future__ import annotations

import csv
import hashlib
from datetime import date

import pytest

from pipeline.datasets.shipped import declared
from pipeline.demo.sample import DEFAULT_SEED, FILE_NAME, sample_rows, write_sample

INPUT_COLUMNS = declared("bike_sharing").known_before
TARGET_COLUMNS = declared("bike_sharing").answers


def test_the_default_sample_is_the_same_bytes_everywhere(tmp_path) -> None:
    path = write_sample(tmp_path)
    assert path == tmp_path / FILE_NAME
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == "18aef05ed0e8776169bf24deb3743e5860a067dd88dd8c353f68afd33dc82a33"


def test_it_says_in_its_name_that_it_is_generated() -> None:
    assert "generated" in FILE_NAME


def test_columns_and_rows(tmp_path) -> None:
    with write_sample(tmp_path / "deep" / "x.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == [*INPUT_COLUMNS, *TARGET_COLUMNS]
    assert len(rows) == 731
    assert rows[1][1] == "01-01-18"
    assert rows[-1][1] == "31-12-19"


def test_without_target_it_is_for_scoring(tmp_path) -> None:
    path = write_sample(tmp_path, target=False, rows=3)
    assert path.read_text().splitlines()[0] == ",".join(INPUT_COLUMNS)
    assert len(path.read_text().splitlines()) == 4


def test_seeds_differ_and_repeat() -> None:
    assert sample_rows(1, 50) == sample_rows(1, 50)
    assert sample_rows(1, 50) != sample_rows(2, 50)
    assert sample_rows(DEFAULT_SEED, 730)[:50] == sample_rows(DEFAULT_SEED, 50)


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


@pytest.mark.parametrize("days", [0, -1, 731])
def test_more_than_two_years_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="two years"):
        sample_rows(rows=days)
