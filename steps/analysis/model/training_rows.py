"""What preprocess.py has left for training, read in batches or a column at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from analysis.dataset.declaration import Dataset
from analysis.features.labels import label_names
from analysis.features.profiles import Profile
from analysis.model.artefact import Floats
from analysis.model.calibration import Gaps
from analysis.model.rows import Rows, Times
from analysis.runtime.container import existing_file
from analysis.runtime.errors import SettingsError, TrainingError
from analysis.runtime.names import HISTORY_GAP

ROWS_A_BATCH = 1 << 14
"""Some dozens of columns of so many rows fit the cache that cores share."""


def columns_of(path: Path) -> list[str]:
    """Return the names of a file's columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])


def read_batches(
    path: Path, columns: Sequence[str] | None = None, kind: pa.DataType | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, or some of its columns; all are of one kind: numbers, unless another is given."""
    kinds = dict.fromkeys(columns or columns_of(path), kind or pa.float64())
    options = pa_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), null_values=[""])
    try:
        yield from pa_csv.open_csv(path, convert_options=options)
    except (OSError, pa.ArrowException) as error:
        raise SettingsError(f"{path} can't be read ({error}). Prepare the file again.") from error


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
            self._last = name, np.concatenate([batch[name].to_numpy() for batch in read_batches(self._path, [name])])
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def training_rows(path: Path, profile: Profile, dataset: Dataset) -> Rows:
    """Return the rows of train.csv, with their times from the labels beside it.

    Raises TrainingError for another file's labels, and for columns that are not those of the profile.
    """
    names = columns_of(path)
    if names != [*profile.names, dataset.target]:
        raise TrainingError(
            f"train.csv was not prepared for profile {profile.name!r} of this declaration: it has the columns "
            f"{', '.join(names)}. Give preprocess.py and train.py the same --profile and --dataset."
        )
    count = sum(batch.num_rows for batch in read_batches(path, [dataset.target]))
    return Rows(profile.names, dataset.target, count, lambda: _batches(path), _times(path.parent, count, dataset))


def _batches(path: Path) -> Iterator[Floats]:
    for batch in read_batches(path):
        for start in range(0, batch.num_rows, ROWS_A_BATCH):
            yield _matrix(batch.slice(start, ROWS_A_BATCH), batch.schema.names)


def _matrix(batch: pa.RecordBatch, names: list[str]) -> Floats:
    """Return columns side by side: of shape (rows, columns), each column in one piece as it comes."""
    values = np.empty((len(names), batch.num_rows))
    for position, name in enumerate(names):
        values[position] = batch[name].to_numpy(zero_copy_only=False)
    return values.T


def _times(directory: Path, rows: int, dataset: Dataset) -> Times | None:
    """Read when each training row happened, as seconds of shape (rows,); None for a table without a time."""
    if dataset.time is None:
        return None
    path = existing_file(directory / "labels.csv", "The list of what names each training row")
    name = label_names(dataset)[dataset.time]
    known = name in columns_of(path)
    texts = [batch[name] for batch in read_batches(path, [name], pa.timestamp("s"))] if known else []
    if sum(map(len, texts)) != rows:
        raise TrainingError(f"{path}: it does not name the {rows} rows of train.csv. Prepare the file again.")
    return np.concatenate([pc.cast(text, pa.int64()).to_numpy() for text in texts])


def features_by_gap(directory: Path, rows: int, profile: Profile) -> Gaps:
    """Yield the rows' features of the past as they would be with larger history gaps; none for a profile without."""
    if not profile.past:
        return
    path = existing_file(directory / "gaps.csv", "The list of features of the past by history gap")
    another = TrainingError(f"{path}: it is not of the {rows} rows of train.csv. Prepare the file again.")
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
