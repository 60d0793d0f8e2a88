from __future__ import annotations

from pathlib import Path

import pytest

from analysis.ingestion.feature_file import FeatureFile, Misfit
from analysis.ingestion.records import RecordForm
from analysis.ingestion.sharing import Share
from analysis.runtime.errors import SettingsError

KNOWN = ("day", "temp", "hum")


def rows_of(path: Path, share: Share | None = None) -> list[tuple[int, str]]:
    file = FeatureFile(path, "day", KNOWN)
    form = RecordForm(file.columns, "group", "day", "2026-03-04T05:06:07Z")
    rows = [(row.line, row.identifier) for row in file.records(form, share or Share())]
    assert file.read == file.size
    return rows


def test_lines_count_as_an_editor_does(write) -> None:
    path = write('day,temp\nmonday,1\n"tues\nday",2\n\nwednesday,3')
    assert rows_of(path) == [(2, "monday"), (3, "tues\nday"), (6, "wednesday")]


def test_each_share_has_its_rows(write) -> None:
    path = write("day,temp\n" + "".join(f"d{number},1\n" for number in range(8)))
    shares = [rows_of(path, Share(index, 3)) for index in range(3)]
    assert [name for _, name in shares[1]] == ["d1", "d4", "d7"]
    assert sorted(row for share in shares for row in share) == rows_of(path)


def test_cells_may_be_as_long_as_a_feature_value(write) -> None:
    assert rows_of(write(f"day,temp\nmonday,{'x' * 358_400}\n")) == [(2, "monday")]


def test_rows_that_make_no_record_say_why(write) -> None:
    file = FeatureFile(write("day,temp\nmonday\n,1\n"), "day", KNOWN)
    rows = [*file.records(RecordForm(file.columns, "group", "day", "t"), Share())]
    assert rows == [Misfit(2, "", "the row has 1 cells, and the header 2"), Misfit(3, "", "the row has no day")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("day,colour,event_time\n", "which are no features: colour, event_time. Write the file again"),
        ("temp,hum\n", "once each, with day"),
        ("day,temp,temp\n", "once each, with day"),
        ("", "has the columns (none)"),
        (b"day\xff,temp\n", "can't be read at line 1"),
    ],
)
def test_another_header_is_refused(write, content, says) -> None:
    with pytest.raises(SettingsError) as refused:
        FeatureFile(write(content), "day", KNOWN)
    assert says in str(refused.value)


@pytest.mark.parametrize("content", ['day,temp\nmonday,1\n"tuesday,2\n', b"day,temp\nmonday,1\ntues\xffday,1\n"])
def test_what_is_no_csv_is_refused_by_its_line(write, content) -> None:
    with pytest.raises(SettingsError, match=r"days\.csv can't be read at line 3"):
        rows_of(write(content))


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(SettingsError, match="The feature file is missing"):
        FeatureFile(tmp_path / "inputs.csv", "day", KNOWN)
