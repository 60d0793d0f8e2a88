from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.runtime.errors import SettingsError
from analysis.runtime.tables import (
    ROWS_A_BATCH,
    numbers_of,
    read_batches,
    read_csv,
    read_table,
    write_parquet,
    write_table,
)


def test_whole_numbers_stay_whole_beside_empty_cells(tmp_path) -> None:
    table = pa.table({"count": pa.array([1, None], pa.int64()), "heat": [0.1, None], "land": ["far south", None]})
    write_table(table, tmp_path / "new" / "rows.csv")
    assert (tmp_path / "new" / "rows.csv").read_bytes() == b"count,heat,land\n1,0.1,far south\n,,\n"
    write_table(table, tmp_path / "bare.csv", header=False)
    assert (tmp_path / "bare.csv").read_bytes() == b"1,0.1,far south\n,,\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_keeps_its_bits(tmp_path: Path, values: list[float]) -> None:
    write_table(pa.table({"heat": values}), tmp_path / "rows.csv")
    read = read_csv(tmp_path / "rows.csv", pa.float64())["heat"]
    assert [value.hex() for value in read.to_pylist()] == [value.hex() for value in values]


def test_numbers_with_and_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,ü\n1,\n-2.5e3,7\n")
    assert read_csv(path, pa.float64()).to_pydict() == {"a": [1.0, -2500.0], "ü": [None, 7.0]}
    path.write_text("1,2\n3,4\n")
    assert read_csv(path, pa.float64(), ["x", "y"]).to_pydict() == {"x": [1.0, 3.0], "y": [2.0, 4.0]}


def test_texts_stay_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('name,actual\n"a ""b"", c\nd",007\n,NA\n', encoding="utf-8")
    assert read_csv(path, pa.string()).to_pydict() == {"name": ['a "b", c\nd', ""], "actual": ["007", "NA"]}


@pytest.mark.parametrize("content", ["", "a,b\n1\n", "a\nx\n", b"\xff\n1\n", None])
def test_what_is_no_table_of_numbers_is_refused(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "rows.csv"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsError, match=r"rows\.csv can't be read"):
        read_csv(path, pa.float64())


CELLS = {
    "measure": (pa.float64(), st.floats()),
    "count": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "flag": (pa.bool_(), st.booleans()),
    "name": (pa.string(), st.text("a0 ,;\"'\n\rü")),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.booleans())
def test_the_bytes_are_those_of_pandas(tmp_path: Path, data: st.DataObject, header: bool) -> None:
    rows = data.draw(st.integers(0, 8))
    drawn = {
        name: data.draw(st.lists(st.none() | cells, min_size=rows, max_size=rows)) for name, (_, cells) in CELLS.items()
    }
    table = pa.table({name: pa.array(values, CELLS[name][0]) for name, values in drawn.items()})
    write_table(table, tmp_path / "rows.csv", header=header)
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    expected = frame.to_csv(index=False, header=header, lineterminator="\n", encoding="utf-8")
    assert (tmp_path / "rows.csv").read_bytes() == expected.encode()


def test_rows_are_read_in_batches_and_whole(tmp_path: Path) -> None:
    table = pa.table({"heat": [number / 7 for number in range(ROWS_A_BATCH + 3)], "name": ["a"] * (ROWS_A_BATCH + 3)})
    write_parquet(table, tmp_path / "rows.parquet")
    batches = [*read_batches(tmp_path / "rows.parquet", rows=40_000)]
    assert [batch.num_rows for batch in batches] == [40_000, ROWS_A_BATCH - 40_000, 3]
    assert pa.Table.from_batches(batches) == table == read_table(tmp_path / "rows.parquet")
    assert read_table(tmp_path / "rows.parquet", ["name"]).column_names == ["name"]


def test_numbers_are_doubles_whatever_they_are_stored_as() -> None:
    table = pa.table({"flag": [True, None], "count": pa.array([7, None], pa.int64()), "heat": [0.5, None]})
    assert [numbers_of(table, name)[0] for name in table.column_names] == [1.0, 7.0, 0.5]
    assert all(np.isnan(numbers_of(table, name)[1]) for name in table.column_names)


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1, and then nothing of the kind")
    for read in (read_table, lambda path: list(read_batches(path))):
        with pytest.raises(SettingsError, match=r"rows\.parquet can't be read .*Prepare the file again"):
            read(tmp_path / "rows.parquet")


EVERYDAY = st.one_of(
    st.integers(-(10**9), 10**9).map(float), st.decimals(-(10**6), 10**6, places=4).map(float), st.floats(-1e10, 1e10)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(EVERYDAY | st.none(), st.integers(0, 1), st.integers(0, 1), st.integers(0, 2))))
def test_numbers_are_written_as_python_writes_them(
    tmp_path: Path, rows: list[tuple[float | None, int, int, int]]
) -> None:
    kinds = (pa.float64(), pa.int64(), pa.int64(), pa.int64())
    columns = (
        [pa.array(cells, kind) for cells, kind in zip(zip(*rows, strict=True), kinds, strict=True)] if rows else []
    )
    write_table(pa.table(columns, names=[*"abcd"][: len(columns)]), tmp_path / "rows.csv", header=False)
    expected = "".join(f"{'' if heat is None else repr(heat)},{a},{b},{c}\n" for heat, a, b, c in rows)
    assert (tmp_path / "rows.csv").read_text() == expected


def test_files_are_the_same_on_every_system(tmp_path: Path) -> None:
    write_table(pa.table({"a": [1], "ü": ["x"]}), tmp_path / "deep" / "rows.csv")
    assert (tmp_path / "deep" / "rows.csv").read_bytes() == "a,ü\n1,x\n".encode()
