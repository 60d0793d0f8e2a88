"""Arrow tables as CSV files between steps. Apart from files.py, which functions without pyarrow use too."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


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
