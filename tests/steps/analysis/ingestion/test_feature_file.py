from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from analysis.ingestion.feature_file import FeatureFile, Misfit
from analysis.ingestion.records import Record, RecordForm
from analysis.ingestion.sharing import Share
from analysis.runtime.errors import SettingsError
from analysis.runtime.tables import write_parquet

KNOWN = ("day", "temp", "hum")
DAYS = {"day": [f"d{number}" for number in range(10_000)], "temp": range(10_000)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "inputs.parquet"


def rows_of(path: Path, share: Share | None = None) -> list[Record | Misfit]:
    file = FeatureFile(path, "day", KNOWN)
    rows = [*file.records(RecordForm(file.columns, "group", "day", "t"), share or Share())]
    assert file.read == file.size
    return rows


def test_values_are_written_with_the_digits_that_read_back(path) -> None:
    write_parquet(pa.table({"day": ["d"], "temp": [0.1 + 0.2], "hum": [True]}), path)
    (row,) = rows_of(path)
    assert row == RecordForm(KNOWN, "group", "day", "t").record(1, ["d", "0.30000000000000004", "1"])


@pytest.mark.parametrize("of", [2, 3])
def test_each_share_has_its_rows(path, of) -> None:
    write_parquet(pa.table(DAYS), path)
    shares = [[row.identifier for row in rows_of(path, Share(index, of))] for index in range(of)]
    assert shares == [DAYS["day"][index::of] for index in range(of)]
    assert [row.row for row in rows_of(path, Share(1, of))] == [*range(2, 10_001, of)]


def test_rows_that_make_no_record_say_why(path) -> None:
    write_parquet(pa.table({"day": ["", "d", None], "temp": [1, 2, 3]}), path)
    rows = rows_of(path)
    assert [rows[0], rows[2]] == [Misfit(1, "", "the row has no day"), Misfit(3, "", "the row has no day")]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["day", "colour", "event_time"], "which are no features: colour, event_time. Write the file again"),
        (["temp", "hum"], "once each, with day"),
        (["day", "temp", "temp"], "once each, with day"),
        ([], "has the columns (none)"),
    ],
)
def test_other_columns_are_refused(path, names, says) -> None:
    write_parquet(pa.table([pa.array([1])] * len(names), names=names), path)
    with pytest.raises(SettingsError) as refused:
        FeatureFile(path, "day", KNOWN)
    assert says in str(refused.value)


def test_a_damaged_file_is_named(path) -> None:
    write_parquet(pa.table(DAYS), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SettingsError, match=r"inputs\.parquet can't be read"):
        FeatureFile(path, "day", KNOWN)


def test_a_file_that_is_not_there_is_named(path) -> None:
    with pytest.raises(SettingsError, match="The feature file is missing"):
        FeatureFile(path, "day", KNOWN)
