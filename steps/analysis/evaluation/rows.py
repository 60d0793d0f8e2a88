"""Prepared rows with their actual values and times, as evaluation reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.dataset.declaration import Dataset
from analysis.evaluation.validation import TimedTable
from analysis.features.labels import label_names
from analysis.model.artefact import Floats, LinearModel
from analysis.runtime.container import existing_file
from analysis.runtime.errors import ModelError
from analysis.runtime.files import read_frame


@dataclass(frozen=True)
class LabelledRows:
    """Prepared rows.

    inputs: of shape (n, columns). actual: of shape (n,). times: ISO, of shape (n,); None for a table without a time.
    """

    table: pd.DataFrame
    inputs: Floats
    actual: Floats
    times: NDArray[np.str_] | None


def times_of(labels: Path, rows: int, dataset: Dataset) -> NDArray[np.str_] | None:
    """Read when each row happened from its labels; None for a table without a time.

    Raises ModelError where the labels are of other rows.
    """
    table = read_frame(existing_file(labels, "The list of what names each row"), text=True)
    names = [*label_names(dataset).values()]
    if list(table.columns)[: len(names)] != names or len(table) != rows:
        raise ModelError(f"{labels}: it does not name the {rows} rows of this table. Prepare the file again.")
    return None if dataset.time is None else table[label_names(dataset)[dataset.time]].to_numpy(dtype=np.str_)


def labelled_rows(directory: Path, side: str, model: LinearModel, dataset: Dataset) -> LabelledRows:
    """Read <side>.csv and labels.csv and check that they have the model's columns and belong together.

    side: "train" or "test". Raises SettingsError for a missing file, ModelError for one that does not fit.
    """
    path = existing_file(directory / f"{side}.csv", f"The {side} data")
    table = read_frame(path)
    expected = [*model.input_columns, model.target]
    if list(table.columns) != expected:
        raise ModelError(
            f"{path}: the model takes {', '.join(expected)}; the file has {', '.join(map(str, table.columns))}. "
            "Give preprocess.py and train.py the same --profile."
        )
    return LabelledRows(
        table=table,
        inputs=table[list(model.input_columns)].to_numpy(dtype=np.float64),
        actual=table[model.target].to_numpy(dtype=np.float64),
        times=times_of(directory / "labels.csv", len(table), dataset),
    )


def timed_table(scoring_dir: Path, rows_dir: Path, model: LinearModel, dataset: Dataset) -> TimedTable | None:
    """Read all prepared rows, those that the random split leaves out of either side too; None where they have no time.

    From features.csv (no header) and rows.csv of preprocess.py, which have the same rows in the same order. Raises
    SettingsError for a missing file, ModelError for one that does not fit.
    """
    if dataset.time is None:
        return None
    path = existing_file(scoring_dir / "features.csv", "The list of all rows")
    labels = existing_file(rows_dir / "rows.csv", "The list of all actual values")
    features, known = read_frame(path, columns=list(model.input_columns)), read_frame(labels)
    times = times_of(labels, len(features), dataset)
    if times is None or "actual" not in known.columns or known["actual"].isna().any():
        raise ModelError(f"{labels}: it does not have the actual value of the {len(features)} rows of {path.name}.")
    return TimedTable(
        features=features,
        target=known["actual"].to_numpy(dtype=np.float64),
        times=times,
        lower_bound=model.lower_bound,
    )
