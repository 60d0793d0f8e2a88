"""Prepared rows with their actual values and days, as evaluation reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.model.artefact import Floats, LinearModel
from analysis.runtime.container import existing_file
from analysis.runtime.errors import ModelError
from analysis.runtime.files import read_frame


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
