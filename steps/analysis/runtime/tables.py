"""Arrow tables in files between steps: Parquet where steps alone read them, CSV where people or functions do.

Apart from files.py, which functions without pyarrow use too.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
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
_ROWS_A_PIECE = 16_384
_MOST_FLAGS = 62


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
    with path.open("wb") as file:
        if header:
            file.write(_written([table.column_names]))
        for batch in table.to_batches(max_chunksize=_ROWS_A_PIECE):
            file.write(_lines(batch) or _written(zip(*map(cells_of, batch.columns), strict=True)))


def _written(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _lines(batch: pa.RecordBatch) -> pa.Buffer | None:
    """Return the lines of a batch, made by Arrow; None where the csv module has to, because of quotes for example."""
    texts: list[pa.Array] = []
    flags: list[NDArray[np.int64]] = []
    for column in batch.columns:
        flag = _flags(column) if len(flags) < _MOST_FLAGS else None
        if flags and flag is None:
            texts.append(_texts_of_flags(flags))
            flags = []
        if flag is not None:
            flags.append(flag)
            continue
        text = _texts(column)
        if text is None:
            return None
        texts.append(text)
    if flags:
        texts.append(_texts_of_flags(flags))
    if batch.num_columns == 1 or not batch.num_rows:
        return None
    ended = pc.binary_join_element_wise(texts[-1], "\n", "")
    lines = pc.binary_join_element_wise(*texts[:-1], ended, ",") if texts[:-1] else ended
    _, offsets, content = lines.buffers()
    ends = np.frombuffer(offsets, np.int32)
    return content.slice(ends[0], ends[len(lines)] - ends[0])


def _flags(column: pa.Array) -> NDArray[np.int64] | None:
    """Return a column that has nothing but 0 and 1; None for another."""
    if not pa.types.is_integer(column.type) or column.null_count:
        return None
    ends = pc.min_max(column)
    return column.to_numpy().astype(np.int64) if ends["min"].as_py() in {0, 1} and ends["max"].as_py() == 1 else None


def _texts_of_flags(columns: Sequence[NDArray[np.int64]]) -> pa.Array:
    """Return columns of 0 and 1 beside each other as one text a row, of which few are different."""
    codes = pa.array(sum(column << place for place, column in enumerate(columns))).dictionary_encode()
    texts = [",".join(str(code >> place & 1) for place in range(len(columns))) for code in codes.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(codes.indices)


def _texts(column: pa.Array) -> pa.Array | None:
    """Return cells as text; None where Arrow writes them otherwise than Python does, or quotes are needed."""
    if pa.types.is_integer(column.type):
        text = pc.cast(column, pa.string())
    elif pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        size = pc.abs(column)
        plain = pc.or_(pc.and_(pc.greater_equal(size, 1e-4), pc.less(size, 1e10)), pc.equal(size, 0.0))
        if not pc.all(plain, min_count=0).as_py():
            return None
        text = pc.cast(column, pa.string())
        whole = pc.equal(pc.floor(column), column)
        if pc.any(whole).as_py():
            text = pc.if_else(whole, pc.binary_join_element_wise(text, ".0", ""), text)
    elif pa.types.is_string(column.type):
        if pc.any(pc.match_substring_regex(column, '[,"\r\n]'), min_count=0).as_py():
            return None
        text = column
    else:
        return None
    return pc.fill_null(text, "")


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table for steps alone to read, in groups of rows that are small enough to be read one by one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Numbers seldom repeat, and looking for those that do is most of the work.
    repeated = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(table, path, row_group_size=ROWS_A_BATCH, use_dictionary=repeated, compression="lz4")


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
