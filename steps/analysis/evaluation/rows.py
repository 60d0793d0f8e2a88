"""Prepared rows with their actual values and times, as evaluation reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.dataset.declaration import Dataset
from analysis.evaluation.validation import TimedTable
from analysis.features.labels import label_names
from analysis.model.artefact import Floats, LinearModel
from analysis.model.numbers import Numbers
from analysis.runtime.container import existing_file
from analysis.runtime.errors import ModelError
from analysis.runtime.names import ACTUAL, HISTORY_GAP, LABELS_FILE, SOURCES_FILE
from analysis.runtime.tables import numbers_of, read_csv, read_table


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


def times_of(labels: pa.Table, path: Path, rows: int, dataset: Dataset) -> NDArray[np.str_] | None:
    """Return when each row happened, from its labels, which were read from `path`; None for a table without a time.

    Raises ModelError where the labels are of other rows.
    """
    names = [*label_names(dataset).values()]
    if labels.column_names[: len(names)] != names or len(labels) != rows:
        raise ModelError(f"{path}: it does not name the {rows} rows of this table. Prepare the file again.")
    return None if dataset.time is None else labels[label_names(dataset)[dataset.time]].to_numpy().astype(np.str_)


def labelled_rows(directory: Path, side: str, model: LinearModel, dataset: Dataset) -> LabelledRows:
    """Read <side>.parquet and labels.parquet and check that they have the model's columns and belong together.

    side: "train" or "test". Raises SettingsError for a missing file, ModelError for one that does not fit.
    """
    path = existing_file(directory / f"{side}.parquet", f"The {side} data")
    named = existing_file(directory / LABELS_FILE, "The list of what names each row")
    table, labels = read_table(path), read_table(named)
    expected = [*model.input_columns, model.target]
    if table.column_names != expected:
        raise ModelError(
            f"{path}: the model takes {', '.join(expected)}; the file has {', '.join(table.column_names)}. "
            "Give preprocess.py and train.py the same --profile."
        )
    return LabelledRows(
        inputs=_inputs_of(table, model),
        actual=numbers_of(table, model.target),
        times=times_of(labels, named, len(table), dataset),
        gaps=_gaps_of(labels, named) if model.has_past else None,
        sources=_sources_of(directory / SOURCES_FILE, len(table)),
    )


def _inputs_of(table: pa.Table, model: LinearModel) -> Floats:
    return np.column_stack([numbers_of(table, name) for name in model.input_columns])


def _sources_of(path: Path, rows: int) -> pa.Table | None:
    if not path.is_file():
        return None
    table = read_table(path)
    if table.num_rows != rows:
        raise ModelError(f"{path}: it does not have the {rows} rows of this table. Prepare the file again.")
    return table


def _gaps_of(labels: pa.Table, path: Path) -> Floats:
    if labels.column_names[-1] != HISTORY_GAP:
        raise ModelError(f"{path}: it does not have the history gap of each row. Prepare the file again.")
    return numbers_of(labels, HISTORY_GAP)


def timed_table(scoring_dir: Path, rows_dir: Path, model: LinearModel, dataset: Dataset) -> TimedTable | None:
    """Read all prepared rows, those that the random split leaves out of either side too; None where they have no time.

    From features.csv (no header) and rows.csv of preprocess.py, which have the same rows in the same order. Raises
    SettingsError for a missing file, ModelError for one that does not fit.
    """
    if dataset.time is None:
        return None
    path = existing_file(scoring_dir / "features.csv", "The list of all rows")
    labels = existing_file(rows_dir / "rows.csv", "The list of all actual values")
    features, known = read_csv(path, pa.float64(), model.row_columns), read_csv(labels, pa.string())
    times = times_of(known, labels, len(features), dataset)
    if times is None or ACTUAL not in known.column_names or "" in known[ACTUAL].to_pylist():
        raise ModelError(f"{labels}: it does not have the actual value of the {len(features)} rows of {path.name}.")
    return TimedTable(
        features=Numbers(model.input_columns, _inputs_of(features, model)),
        target=numbers_of(known, ACTUAL),
        times=times,
        lower_bound=model.lower_bound,
    )


def all_inputs(scoring_dir: Path, table: TimedTable | None, model: LinearModel) -> dict[str, Floats]:
    """Return the model's inputs of all prepared rows, from those with a time if they are read already."""
    if table is not None:
        return dict(zip(model.input_columns, table.features.to_numpy(np.float64).T, strict=True))
    features = read_csv(scoring_dir / "features.csv", pa.float64(), model.row_columns)
    return {name: numbers_of(features, name) for name in model.input_columns}
