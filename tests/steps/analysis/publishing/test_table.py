"""The prediction file: one line for each row, whatever is in it."""

from __future__ import annotations

import csv
import io
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from analysis.publishing.table import SameInAllRows, Table
from analysis.runtime.names import PREDICTED
from analysis.runtime.spreadsheets import safe_text

SAME = SameInAllRows("7", "abc", "raw/k.csv", "Approved", "2026-03-04T05:06:07.000Z")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=8)
NUMBERS = st.floats(-1e9, 1e9).map(repr)


def lines(rows: list[list[str]]) -> list[str]:
    """Return rows as the lines of a CSV file."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().split("\n")[:-1]


def written(table: Table) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(table.pieces()).decode("utf-8"), newline="")))


def test_text_columns_of_the_file_are_guarded() -> None:
    same = SameInAllRows("=7", "+x", "@k", "=A", "-")
    table = Table(iter(["date,actual,row_role", "2026-01-01,1,new"]), iter(["-5.0,-9.0,1.0"]), same)
    _, row = written(table)
    assert row == ["2026-01-01", "-5.0", "-9.0", "1.0", "1", "'=7", "'+x", "'@k", "", "", "new", "'=A", "'-"]


def test_rows_go_by_whatever_names_them() -> None:
    """As without a key: by the record's identifier and its line."""
    rows = ["town,record,line,actual,row_role", "-5,ab-0,2,,new", "=x,ab-1,3,6,test"]
    header, *found = written(Table(iter(rows), iter(["5,4,6"] * 2), SAME))
    assert header[:4] == ["town", "record", "line", "prediction"]
    assert [row[:3] for row in found] == [["-5", "ab-0", "2"], ["'=x", "ab-1", "3"]]
    assert [row[header.index("actual")] for row in found] == ["", "6"]
    assert [row[header.index("row_role")] for row in found] == ["new", "test"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]], list[str], bool]:
    """Draw names, rows with their actual values and roles, and what the transform says of each."""
    names = draw(st.lists(st.text("abcdefg_", min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
    gaps = draw(st.booleans())
    count = draw(st.integers(0, 30))
    cells = [TEXTS] * len(names)
    beside = [
        NUMBERS | st.just(""),
        *([st.integers(0, 99).map(str)] if gaps else []),
        st.sampled_from(["train", "new"]),
    ]
    rows = draw(st.lists(st.tuples(*cells, *beside).map(list), min_size=count, max_size=count))
    said = st.tuples(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["", ",0", ",1"])).map(lambda f: ",".join(f[:3]) + f[3])
    return names, rows, draw(st.lists(said, min_size=count, max_size=count)), gaps


@given(tables())
def test_any_table_keeps_its_rows_and_has_its_columns_in_their_order(drawn) -> None:
    names, rows, said, gaps = drawn
    header = [*names, "actual", *(["history_gap"] if gaps else []), "row_role"]
    table = Table(iter(lines([header, *rows])), iter(said), SAME)
    first, *found = written(table)
    assert first == table.columns == [*names, *PREDICTED]
    assert (len(found), table.rows, sum(table.roles.values())) == (len(rows),) * 3
    for row, one, prediction in zip(rows, found, said, strict=True):
        record = dict(zip(first, one, strict=True))
        assert one[: len(names)] == [safe_text(cell) for cell in row[: len(names)]]
        assert [record[name] for name in ("prediction", "lower_95", "upper_95")] == prediction.split(",")[:3]
        assert (record["actual"], record["row_role"]) == (row[len(names)], row[-1])
        assert record["history_gap"] == (row[-2] if gaps else "")
        assert [record[name] for name in ("source_key", "model_status", "uploaded_at")] == [
            SAME.source_key, SAME.model_status, SAME.uploaded_at,
        ]  # fmt: skip
    marks = [prediction.split(",")[3:] for prediction in said]
    assert table.extrapolated == (sum(mark == ["1"] for mark in marks) if any(marks) else None)


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(count: int) -> int:
        rows = (f"2026-01-{row % 28 + 1:02},{row},new" if row else "date,actual,row_role" for row in range(count + 1))
        table = Table(rows, (f"{row}.5,{row - 1}.5,{row + 1}.5,0" for row in range(count)), SAME, "date")
        tracemalloc.start()
        try:
            assert sum(piece.count(b"\n") for piece in table.pieces()) == count + 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(40_000) < 1.25 * peak(10_000)
