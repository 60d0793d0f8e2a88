"""Arrow tables as CSV files between steps. Apart from files.py, which functions without pyarrow use too."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from analysis.runtime.files import write_frame


def write_table(table: pa.Table, path: Path, *, header: bool = True) -> None:
    """Write `table` as :func:`write_frame` does; empty cells for nulls, whole numbers as such beside them."""
    write_frame(table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get), path, header=header)
