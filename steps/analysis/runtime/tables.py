"""Arrow tables in files between steps: Parquet where steps alone read them, CSV where people or functions do.

Apart from files.py, which functions without pyarrow use too.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.runtime.errors import SettingsError

ROWS_A_BATCH = 65_536
_BUFFER = 1 << 20


def leave_pandas_out() -> None:
    """Let pyarrow do without pandas, which it would import for its first array, and which takes longer than all else.

    For programs that use none. Conversions from and to pandas import it nevertheless.
    """
    path, sys.path = sys.path, []
    pa.array([])  # here it tries, once
    sys.path = path


def write_table(table: pa.Table, path: Path, *, header: bool = True) -> None:
    """Write texts, numbers and flags: UTF-8, line feeds, shortest digits that read back to the same float.

    Cells without a value are empty; whole numbers stay whole beside them. The bytes are those of pandas.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if header:
            writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=10_000):
            writer.writerows(zip(*map(cells_of, batch.columns), strict=True))


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table for steps alone to read, in groups of rows that are small enough to be read one by one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=ROWS_A_BATCH)


@contextmanager
def parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file that a step has written; raise SettingsError for what can't be read of it."""
    try:
        # Without a buffer the reader would hold the compressed columns of a row group whole.
        with pq.ParquetFile(path, buffer_size=_BUFFER) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise SettingsError(f"{path} can't be read ({error}). Prepare the file again.") from error


def read_batches(
    path: Path, columns: Sequence[str] | None = None, *, rows: int = ROWS_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file in batches of at most `rows`, so that memory does not grow with the file."""
    with parquet_file(path) as file:
        # One by one, because the reader keeps what it needed of earlier groups until the last one.
        for group in range(file.num_row_groups):
            yield from file.iter_batches(rows, row_groups=[group], columns=columns)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return all rows of a Parquet file."""
    with parquet_file(path) as file:
        return file.read(columns=columns)


def numbers_of(rows: pa.Table | pa.RecordBatch, name: str) -> NDArray[np.float64]:
    """Return a column as doubles, of shape (n,): empty cells as NaN, flags as 0 and 1."""
    values = pc.cast(rows[name], pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def cells_of(column: pa.Array) -> list[Any]:
    """Return the cells of a column as Python's own objects, None for those without a value."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    # The way by numpy is the faster one, and knows no missing numbers.
    return list(column.to_pylist() if column.null_count else column.to_numpy(zero_copy_only=False).tolist())


def read_csv(path: Path, kind: pa.DataType, names: Sequence[str] | None = None) -> pa.Table:
    """Return a CSV file whose columns are all of one kind, numbers or text; empty cells of text are empty text.

    names: of the columns of a file without a header. Raises SettingsError for a file that can't be read, or has another
    number of columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), []) if names is None else list(names)
        return arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(column_names=columns, skip_rows_after_names=int(names is None)),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(columns, kind), null_values=[""]),
        )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise SettingsError(f"{path} can't be read: {error}.") from error
