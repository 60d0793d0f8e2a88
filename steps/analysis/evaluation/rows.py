"""Prepared rows with their actual values and days, as evaluation reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.evaluation.validation import TimedTable
from analysis.features.profiles import Variant, profile_named, variant_of
from analysis.model.artefact import Floats, LinearModel
from analysis.model.selection import Procedure, procedure_of
from analysis.runtime.container import existing_file
from analysis.runtime.errors import ModelError
from analysis.runtime.files import read_frame, read_json


@dataclass(frozen=True)
class LabelledRows:
    """Prepared rows. inputs: of shape (n, columns); actual: of shape (n,); days: ISO dates of shape (n,)."""

    table: pd.DataFrame
    inputs: Floats
    actual: Floats
    days: NDArray[np.str_]


def labelled_rows(directory: Path, side: str, model: LinearModel) -> LabelledRows:
    """Read <side>.csv and days.csv and check that they have the model's columns and belong together.

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
    days = read_frame(existing_file(directory / "days.csv", f"The list of {side} days"), text=True)
    if list(days.columns) != ["date"] or len(days) != len(table):
        raise ModelError(
            f"{directory / 'days.csv'}: it does not list the days of the {len(table)} rows of {path.name}."
        )
    return LabelledRows(
        table=table,
        inputs=table[list(model.input_columns)].to_numpy(dtype=np.float64),
        actual=table[model.target].to_numpy(dtype=np.float64),
        days=days["date"].to_numpy(dtype=np.str_),
    )


def procedure_of_training(train_dir: Path, model: LinearModel) -> Procedure:
    """Return how train.py made the model of these rows, so that it can be repeated on others."""
    path = train_dir / "source.json"
    source = read_json(path) if path.is_file() else {}
    profile = variant_of(profile_named(model.profile), Variant(**source.get("variant", {})))
    return procedure_of(profile, len(model.selected), source.get("removed_columns"))


def timed_table(scoring_dir: Path, rows_dir: Path, model: LinearModel) -> TimedTable:
    """Read all prepared rows, those that the random split leaves out of either side too, with their days.

    From features.csv (no header) and rows.csv of preprocess.py, which have the same rows in the same order. Raises
    SettingsError for a missing file, ModelError for one that does not fit.
    """
    path = existing_file(scoring_dir / "features.csv", "The list of all rows")
    labels = existing_file(rows_dir / "rows.csv", "The list of all days")
    features, known = read_frame(path, columns=list(model.input_columns)), read_frame(labels)
    if list(known.columns) != ["date", "actual"] or len(known) != len(features) or known["actual"].isna().any():
        raise ModelError(f"{labels}: it does not have day and actual value of the {len(features)} rows of {path.name}.")
    return TimedTable(
        features=features,
        target=known["actual"].to_numpy(dtype=np.float64),
        times=known["date"].to_numpy(dtype=np.str_),
        lower_bound=model.lower_bound,
    )
