"""What preprocess.py has left for training, read in batches or a column at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.dataset.declaration import Dataset
from analysis.features.labels import label_names
from analysis.features.profiles import Profile
from analysis.model.artefact import Floats
from analysis.model.calibration import Gaps
from analysis.model.rows import Rows, Times
from analysis.runtime.container import existing_file
from analysis.runtime.errors import TrainingError
from analysis.runtime.names import GAPS_FILE, HISTORY_GAP, LABELS_FILE
from analysis.runtime.tables import numbers_of, parquet_file, read_batches, read_table

ROWS_A_BATCH = 1 << 14
"""Some dozens of columns of so many rows fit the cache that cores share."""


class Columns(Mapping[str, Floats]):
    """The columns of a file, each read when it is asked for."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._path, self._names = path, names
        self._last = ("", np.empty(0))

    def __getitem__(self, name: str) -> Floats:
        """Return a column of shape (rows,); the last one is kept."""
        if name not in self._names:
            raise KeyError(name)
        if name != self._last[0]:
            self._last = name, numbers_of(read_table(self._path, [name]), name)
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def training_rows(path: Path, profile: Profile, dataset: Dataset) -> Rows:
    """Return the rows of train.parquet, with their times from the labels beside it.

    Raises TrainingError for another file's labels, and for columns that are not those of the profile.
    """
    with parquet_file(path) as file:
        names, count = file.schema_arrow.names, file.metadata.num_rows
    if names != [*profile.names, dataset.target]:
        raise TrainingError(
            f"train.parquet was not prepared for profile {profile.name!r} of this declaration: it has the columns "
            f"{', '.join(names)}. Give preprocess.py and train.py the same --profile and --dataset."
        )
    return Rows(profile.names, dataset.target, count, lambda: _batches(path), _times(path.parent, count, dataset))


def _batches(path: Path) -> Iterator[Floats]:
    for batch in read_batches(path, rows=ROWS_A_BATCH):
        yield _matrix(batch, batch.schema.names)


def _matrix(batch: pa.RecordBatch, names: list[str]) -> Floats:
    """Return columns side by side: of shape (rows, columns), each column in one piece as it comes."""
    values = np.empty((len(names), batch.num_rows))
    for position, name in enumerate(names):
        values[position] = numbers_of(batch, name)
    return values.T


def _times(directory: Path, rows: int, dataset: Dataset) -> Times | None:
    """Read when each training row happened, as seconds of shape (rows,); None for a table without a time."""
    if dataset.time is None:
        return None
    path = existing_file(directory / LABELS_FILE, "The list of what names each training row")
    name = label_names(dataset)[dataset.time]
    with parquet_file(path) as file:
        right = name in file.schema_arrow.names and file.metadata.num_rows == rows
    if not right:
        raise TrainingError(f"{path}: it does not name the {rows} rows of train.parquet. Prepare the file again.")
    texts = (batch[name] for batch in read_batches(path, [name]))
    return np.concatenate([pc.cast(pc.cast(text, pa.timestamp("s")), pa.int64()).to_numpy() for text in texts])


def features_by_gap(directory: Path, rows: int, profile: Profile) -> Gaps:
    """Yield the rows' features of the past as they would be with larger history gaps; none for a profile without."""
    if not profile.past:
        return
    path = existing_file(directory / GAPS_FILE, "The list of features of the past by history gap")
    another = TrainingError(f"{path}: it is not of the {rows} rows of train.parquet. Prepare the file again.")
    found: dict[int, int] = {}
    for batch in read_batches(path):
        if batch.schema.names != [HISTORY_GAP, *profile.past]:
            raise another
        gaps, values = batch[HISTORY_GAP].to_numpy(), _matrix(batch, list(profile.past))
        for start, end in _stretches(gaps):
            gap = int(gaps[start])
            found[gap] = found.get(gap, 0) + end - start
            if found[gap] > rows:
                raise another
            yield gap, values[start:end]
    if set(found.values()) - {rows}:
        raise another


def _stretches(values: Times) -> Iterator[tuple[int, int]]:
    """Yield beginning and end of each stretch of equal values."""
    changes = (np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()
    yield from zip([0, *changes], [*changes, len(values)], strict=True)
