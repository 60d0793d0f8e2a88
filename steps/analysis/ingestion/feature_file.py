"""The rows of a feature file, read as they are needed: memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from analysis.ingestion.records import Record, RecordForm
from analysis.ingestion.sharing import Share
from analysis.runtime.container import existing_file
from analysis.runtime.errors import SettingsError
from analysis.runtime.tables import cells_of, parquet_file, read_batches

_ROWS_A_BATCH = 4096
"""Cells as Python's objects take many times their size."""


@dataclass(frozen=True)
class Misfit:
    """A row that makes no record, and why. row: 1 for the first of the file."""

    row: int
    identifier: str
    reason: str


class FeatureFile:
    """A Parquet file whose columns are features, the record identifier among them.

    That no identifier comes twice is not looked at here, since it takes memory that grows with the file:
    preprocess.py guarantees it.
    """

    def __init__(self, path: Path, identifier: str, known: Collection[str]) -> None:
        """Read the names of the columns of `path`, or raise SettingsError where they are not of the known features.

        identifier: name of the record identifier. size: rows of the file; read: how many of them were read, by all
        instances.
        """
        self.path = existing_file(path, "The feature file")
        self.identifier = identifier
        with parquet_file(path) as file:
            self.size, self.read = file.metadata.num_rows, 0
            self.columns: tuple[str, ...] = tuple(file.schema_arrow.names)
        unknown = [name for name in self.columns if name not in known]
        if unknown or identifier not in self.columns or len(set(self.columns)) < len(self.columns):
            what = f"which are no features: {', '.join(unknown)}" if unknown else f"once each, with {identifier}"
            raise SettingsError(
                f"{path.name} has the columns {', '.join(self.columns) or '(none)'}; expected are features of the "
                f"declaration, {what}. Write the file again with preprocess.py."
            )

    def records(self, form: RecordForm, share: Share) -> Iterator[Record | Misfit]:
        """Yield the records of the rows of this instance; raise SettingsError where the file can't be read."""
        self.read = 0
        for batch in read_batches(self.path, rows=_ROWS_A_BATCH):
            first = (share.index - self.read) % share.of
            positions = range(first, batch.num_rows, share.of)
            own = batch if share.of == 1 else batch.take(pa.array(positions, pa.int64()))
            start = self.read
            self.read += batch.num_rows
            for position, cells in zip(positions, zip(*map(_texts, own.columns), strict=True), strict=True):
                yield self._record(form, start + position + 1, cells)

    def _record(self, form: RecordForm, row: int, cells: Sequence[str]) -> Record | Misfit:
        record = form.record(row, cells)
        return record if record.identifier else Misfit(row, "", f"the row has no {self.identifier}")


def _texts(column: pa.Array) -> list[str]:
    """Return cells as text: numbers by the shortest digits that read back to the same one, nothing for empty ones."""
    numbers = pc.cast(column, pa.int8()) if pa.types.is_boolean(column.type) else column
    return ["" if cell is None else str(cell) for cell in cells_of(numbers)]
