"""Predictions for a table, set beside the actual values that it already has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset
from analysis.evaluation.metrics import all_metrics, coverage
from analysis.features.history import refuse_without_past, rows_with_past
from analysis.features.labels import row_labels
from analysis.features.transform import model_columns
from analysis.model.artefact import Floats, LinearModel, Predictions
from analysis.model.inputs import inputs_of
from analysis.runtime.spreadsheets import safe_text
from scripts.lib.program import ExportRefusedError

_COMPUTED = ("error", "within", "model", "source_file")
"""Columns of a predictions table that those of prediction files are not; a row may be named by one of the name."""

_BEYOND = "The model predicts more than a double holds: no training writes such a model."


@dataclass(frozen=True)
class PreparedRows:
    """Rows as the model takes them, in order of time and key.

    labels: the cells that name each row, as text. inputs: the model's columns, unscaled, shape (n, columns); actual:
    the values of the target that the file has, shape (n,), NaN for rows without one; sha256: of the file. gaps: history
    gaps of shape (n,), None for a model without features of the past.
    """

    labels: pd.DataFrame
    inputs: Floats
    actual: Floats
    sha256: str
    gaps: Floats | None = None


def prepare(path: Path, model: LinearModel, dataset: Dataset) -> PreparedRows:
    """Check and prepare a raw CSV of any declared form for the model, with the preprocessing step's own code.

    The target may be absent, or empty on some rows. Features of the past are made of the file alone, and rows without
    an earlier value in it are left out. Raises InputError naming line and column of a file that can't be used,
    ModelError for a model of another declaration.
    """
    profile, _, preparation = inputs_of(model, dataset)
    parts = [name for name in profile.sources if name in dataset.parts]
    checked = checked_file(path, dataset, Purpose.SCORING, required=parts)
    past = rows_with_past(checked.rows, None, dataset, profile)
    if not len(past.kept):
        refuse_without_past(checked.report["file"], dataset, profile)
    rows = past.rows
    actual = rows[dataset.target] if dataset.target in rows.column_names else None
    inputs = model_columns(rows, profile.columns, dataset, preparation)
    labels = row_labels(rows, dataset, row_identities(rows.select(checked.rows.column_names), dataset))
    return PreparedRows(
        # A car is named by its model, and an error by its code.
        labels=labels.to_pandas().astype(str).rename(columns={name: f"{name}_" for name in _COMPUTED}),
        inputs=np.column_stack([column.to_numpy().astype(np.float64) for column in inputs.columns]),
        gaps=past.gaps.astype(np.float64) if model.has_past else None,
        actual=np.full(len(rows), np.nan) if actual is None else actual.to_pandas().to_numpy(dtype=np.float64),
        sha256=str(checked.report["sha256"]),
    )


def _predicted(model: LinearModel, inputs: Floats, gaps: Floats | None) -> Predictions:
    """Predict, or raise ExportRefusedError beyond what a double holds."""
    with np.errstate(over="ignore", invalid="ignore"):
        predicted = model.predict(inputs, gaps)
    if not np.isfinite([predicted.prediction, predicted.lower, predicted.upper]).all():
        raise ExportRefusedError(_BEYOND)
    return predicted


def predictions_table(model: LinearModel, prepared: PreparedRows, export: str, data: str) -> pd.DataFrame:
    """Predict each row. export, data: the names of both files.

    Columns: those that name the row; prediction, lower_<level>, upper_<level>, actual and error (actual - prediction)
    in the target's unit; within (1 where the actual value is in the interval, else 0); model, source_file. Cells
    without a value are missing.
    """
    predicted = _predicted(model, prepared.inputs, prepared.gaps)
    level = f"{100 * model.interval_level:g}"
    known = ~np.isnan(prepared.actual)
    within = (prepared.actual >= predicted.lower) & (prepared.actual <= predicted.upper)
    table = pd.DataFrame(
        {
            **{name: prepared.labels[name].map(safe_text) for name in prepared.labels},
            "prediction": predicted.prediction,
            f"lower_{level}": predicted.lower,
            f"upper_{level}": predicted.upper,
            "actual": prepared.actual,
            "error": prepared.actual - predicted.prediction,
            "within": np.where(known, within, np.nan),
        }
    )
    whole = ["within"] + (["actual"] if np.all(prepared.actual[known] % 1 == 0) else [])
    table[whole] = table[whole].astype("Int64")
    # File names are text that anyone may choose; everything else is a number or a date.
    table["model"] = safe_text(export)
    table["source_file"] = safe_text(data)
    return table


def summary(model: LinearModel, prepared: PreparedRows) -> dict[str, Any]:
    """Compare predictions with the actual values, over the rows that have one.

    Returns rows, compared and trained_on_this_file; where a row was compared also rmse, mae, mean_error (in the
    target's unit), mape (percent), r2 and adjusted_r2 (None where undefined), interval_level, coverage (0 to 1), and
    largest_error with what names its row, actual and error.
    """
    known = ~np.isnan(prepared.actual)
    result: dict[str, Any] = {
        "rows": len(prepared.labels),
        "compared": int(known.sum()),
        "trained_on_this_file": model.provenance.get("data_sha256") == prepared.sha256,
    }
    if not known.any():
        return result
    predicted = _predicted(model, prepared.inputs[known], None if prepared.gaps is None else prepared.gaps[known])
    actual = prepared.actual[known]
    with np.errstate(over="ignore", invalid="ignore"):
        metrics = all_metrics(actual, predicted.prediction, len(model.selected))
    if not np.isfinite(metrics["mse"]):
        raise ExportRefusedError(_BEYOND)
    errors = actual - predicted.prediction
    worst = int(np.abs(errors).argmax())
    named = prepared.labels[known].iloc[worst].to_dict()
    return {
        **result,
        **{name: metrics[name] for name in ("rmse", "mae", "mean_error", "mape", "r2", "adjusted_r2")},
        "interval_level": model.interval_level,
        "coverage": coverage(actual, predicted.lower, predicted.upper),
        "largest_error": {**named, "actual": float(actual[worst]), "error": float(errors[worst])},
    }
