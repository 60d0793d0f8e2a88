"""Prepared rows with their actual values and times, as evaluation reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.dataset.declaration import Dataset
from analysis.evaluation.validation import TimedTable
from analysis.features.labels import label_names
from analysis.model.artefact import Floats, LinearModel
from analysis.model.numbers import Numbers
from analysis.runtime.container import existing_file
from analysis.runtime.errors import ModelError
from analysis.runtime.names import ACTUAL, HISTORY_GAP, SOURCES_FILE
from analysis.runtime.tables import read_numbers, read_texts


@dataclass(frozen=True)
class LabelledRows:
    """Prepared rows.

    inputs: of shape (n, columns). actual: of shape (n,). times: ISO, of shape (n,); None for a table without a time.
    gaps: history gaps of shape (n,); None for a model without features of the past. sources: the columns of the table
    that the inputs are made of, and features of the past; None where they were not kept.
    """

    inputs: Floats
    actual: Floats
    times: NDArray[np.str_] | None
    gaps: Floats | None = None
    sources: pa.Table | None = None


def times_of(labels: Path, rows: int, dataset: Dataset) -> NDArray[np.str_] | None:
    """Read when each row happened from its labels; None for a table without a time.

    Raises ModelError where the labels are of other rows.
    """
    table = read_texts(existing_file(labels, "The list of what names each row"))
    names = [*label_names(dataset).values()]
    if [*table][: len(names)] != names or len(table[names[0]]) != rows:
        raise ModelError(f"{labels}: it does not name the {rows} rows of this table. Prepare the file again.")
    return None if dataset.time is None else table[label_names(dataset)[dataset.time]]


def labelled_rows(directory: Path, side: str, model: LinearModel, dataset: Dataset) -> LabelledRows:
    """Read <side>.csv and labels.csv and check that they have the model's columns and belong together.

    side: "train" or "test". Raises SettingsError for a missing file, ModelError for one that does not fit.
    """
    path = existing_file(directory / f"{side}.csv", f"The {side} data")
    table = read_numbers(path)
    expected = [*model.input_columns, model.target]
    if [*table] != expected:
        raise ModelError(
            f"{path}: the model takes {', '.join(expected)}; the file has {', '.join(table)}. "
            "Give preprocess.py and train.py the same --profile."
        )
    actual = table.pop(model.target)
    return LabelledRows(
        inputs=np.column_stack([*table.values()]),
        actual=actual,
        times=times_of(directory / "labels.csv", actual.size, dataset),
        gaps=_gaps_of(directory / "labels.csv") if model.has_past else None,
        sources=_sources_of(directory / SOURCES_FILE, actual.size),
    )


def _sources_of(path: Path, rows: int) -> pa.Table | None:
    if not path.is_file():
        return None
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise ModelError(f"{path}: it can't be read ({error}). Prepare the file again.") from error
    if table.num_rows != rows:
        raise ModelError(f"{path}: it does not have the {rows} rows of this table. Prepare the file again.")
    return table


def _gaps_of(labels: Path) -> Floats:
    table = read_texts(labels)
    if [*table][-1] != HISTORY_GAP:
        raise ModelError(f"{labels}: it does not have the history gap of each row. Prepare the file again.")
    return table[HISTORY_GAP].astype(np.float64)


def timed_table(scoring_dir: Path, rows_dir: Path, model: LinearModel, dataset: Dataset) -> TimedTable | None:
    """Read all prepared rows, those that the random split leaves out of either side too; None where they have no time.

    From features.csv (no header) and rows.csv of preprocess.py, which have the same rows in the same order. Raises
    SettingsError for a missing file, ModelError for one that does not fit.
    """
    if dataset.time is None:
        return None
    path = existing_file(scoring_dir / "features.csv", "The list of all rows")
    labels = existing_file(rows_dir / "rows.csv", "The list of all actual values")
    features, known = read_numbers(path, model.row_columns), read_texts(labels)
    values = np.column_stack([features[name] for name in model.input_columns])
    times = times_of(labels, len(values), dataset)
    if times is None or ACTUAL not in known or (known[ACTUAL] == "").any():
        raise ModelError(f"{labels}: it does not have the actual value of the {len(values)} rows of {path.name}.")
    return TimedTable(
        features=Numbers(model.input_columns, values),
        target=known[ACTUAL].astype(np.float64),
        times=times,
        lower_bound=model.lower_bound,
    )
