"""The records of the Feature Store as rows of the table again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.checking.earlier_rows import History
from analysis.dataset.columns import Column, Kind
from analysis.dataset.declaration import Dataset
from analysis.features.stored import stored_groups
from analysis.runtime.errors import SettingsError
from analysis.runtime.files import read_json

HISTORY_FILE = "history.json"
"""Says beside the Parquet files what they are: `as_of`, null where nothing was read."""
_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.MEASURE: pa.float64(),
    Kind.COUNT: pa.int64(),
    Kind.FLAG: pa.int64(),
    Kind.DATE: pa.date32(),
    Kind.DATETIME: pa.timestamp("us"),
}


def read_history(directory: Path, dataset: Dataset) -> History | None:
    """Read what read_history.py has left in `directory`; None where it left nothing, or no history was asked for.

    Raises SettingsError where a file is no Parquet file, or has a column in another form than the Feature Store's.
    """
    description = directory / HISTORY_FILE
    known = read_json(description) if description.is_file() else {}
    if known.get("as_of") is None:
        return None
    groups = stored_groups(dataset)
    sources = {
        feature.lower(): name for group in (groups.inputs, groups.outcomes) for feature, name in group.sources.items()
    }
    identifier = groups.inputs.identifier.lower()
    # Athena's files have no ending, and none at all are written for no rows.
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != HISTORY_FILE)
    stored = pa.concat_tables([_parquet(path) for path in files], promote_options="permissive") if files else None
    columns: dict[str, pa.ChunkedArray] = {}
    for feature, name in sources.items():
        # Dummy variables are made again.
        if name in dataset.columns and (stored is None or feature in stored.column_names):
            cells = pa.chunked_array([], pa.string()) if stored is None else stored[feature]
            columns[name] = _typed(cells, name, dataset.columns[name])
    count = 0 if stored is None else len(stored)
    names = [name for name in dataset.columns if name in columns]
    lines = pa.chunked_array([pa.repeat(pa.scalar(0, pa.int64()), count)])
    identities = pa.array([], pa.string()) if stored is None else stored[identifier].combine_chunks()
    rows = pa.table([lines, *(columns[name] for name in names)], names=["line", *names])
    return History(str(known["as_of"]), rows, pc.cast(identities, pa.string()))


def _parquet(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise SettingsError(f"{path}: the history can't be read ({error}).") from error


def _typed(cells: pa.ChunkedArray, name: str, column: Column) -> pa.ChunkedArray:
    kind = _TYPES.get(column.kind, pa.string())
    try:
        if column.kind is Kind.DATETIME:
            return pc.strptime(cells, format="%Y-%m-%d %H:%M:%S", unit="us")
        return pc.cast(cells, kind)
    except pa.ArrowException as error:
        raise SettingsError(f"The history's column {name} is no {column.kind} ({error}).") from error
