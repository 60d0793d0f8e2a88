"""Arrow tables as CSV files between steps. Apart from files.py, which functions without pyarrow use too."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from analysis.runtime.errors import SettingsError


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
            writer.writerows(zip(*map(_cells, batch.columns), strict=True))


def _cells(column: pa.Array) -> list[Any]:
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    # The way by numpy is the faster one, and knows no missing numbers.
    return list(column.to_pylist() if column.null_count else column.to_numpy(zero_copy_only=False).tolist())


def read_numbers(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[np.float64]]:
    """Read a CSV file of numbers: column → values of shape (n,), NaN for empty cells.

    names: of the columns of a file without a header. Raises SettingsError for a file that can't be read, or has another
    number of columns.
    """
    return _read(path, pa.float64(), names)


def read_texts(path: Path) -> dict[str, NDArray[np.str_]]:
    """Read a CSV file with a header: column → cells as they are written, of shape (n,). Raises SettingsError."""
    return {name: values.astype(np.str_) for name, values in _read(path, pa.string()).items()}


def _read(path: Path, kind: pa.DataType, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), []) if names is None else list(names)
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(column_names=columns, skip_rows_after_names=int(names is None)),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(columns, kind), null_values=[""]),
        )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise SettingsError(f"{path} can't be read: {error}.") from error
    return {name: table[name].to_numpy() for name in columns}
