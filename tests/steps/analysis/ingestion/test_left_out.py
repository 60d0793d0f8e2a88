from __future__ import annotations

from analysis.ingestion.left_out import LeftOut
from analysis.ingestion.records import Record


def test_rows_are_listed_and_the_first_ones_shown(tmp_path) -> None:
    with LeftOut(tmp_path / "output") as left_out:
        for row in range(1, 6):
            left_out.add("inputs.parquet", "group", Record(row, "@SUM(A1)", "{}"), "ValidationError: no, never")
    assert left_out.path.read_text("utf-8").splitlines() == [
        "row,record_identifier,feature_group,reason",
        *(f'{row},\'@SUM(A1),group,"ValidationError: no, never"' for row in range(1, 6)),
    ]
    assert left_out.count == 5
    assert left_out.shown[0] == "inputs.parquet, row 1 (@SUM(A1)): ValidationError: no, never"
    assert len(left_out.shown) == 3


def test_without_rows_there_is_no_file_and_none_of_before(tmp_path) -> None:
    (tmp_path / "left_out.csv").write_text("of before")
    with LeftOut(tmp_path) as left_out:
        pass
    assert not left_out.path.exists()
