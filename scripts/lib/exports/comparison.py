"""Predictions for a table of days, set beside the counts that the table already has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.evaluation.metrics import all_metrics, coverage
from analysis.features.profiles import Profile, Variant, profile_named, variant_of
from analysis.features.transform import model_columns
from analysis.model.artefact import Floats, LinearModel
from analysis.reading.columns import DATE, TARGET
from analysis.reading.limits import QualityLimits
from analysis.reading.purpose import Purpose
from analysis.reading.quality import check_days
from analysis.reading.table import read_table
from publish import safe_text
from scripts.lib.program import ExportRefusedError


@dataclass(frozen=True)
class PreparedDays:
    """Days as the model takes them, in order of date.

    inputs: the model's columns, unscaled, shape (n, columns); actual: the counts that the file has, shape (n,), NaN for
    days without one; sha256: of the file.
    """

    dates: list[str]
    inputs: Floats
    actual: Floats
    sha256: str


def profile_of(model: LinearModel) -> Profile:
    """Return the profile, in the variant that has the model's columns.

    Raises ExportRefusedError where this version of the project does not prepare such columns.
    """
    profile = profile_named(model.profile)
    switches = (False, True) if profile.selects else (False,)
    for keep_first_levels, binned_measures in product(switches, switches):
        variant = variant_of(profile, Variant(keep_first_levels, binned_measures))
        if variant.columns == model.input_columns:
            return variant
    raise ExportRefusedError(
        f"The model of profile {model.profile} takes other columns than this version of the project prepares.",
        "Use the version that it was exported with, or train and export it again.",
    )


def prepare(path: Path, model: LinearModel) -> PreparedDays:
    """Check and prepare a raw CSV of either published form for the model, with the preprocessing step's own code.

    Counts may be absent, or empty on some days. Raises InputError naming line and column of a file that can't be used.
    """
    profile = profile_of(model)
    table = read_table(path)
    days = check_days(table, Purpose.SCORING, profile.counts, QualityLimits()).days
    return PreparedDays(
        dates=days[DATE].dt.strftime("%Y-%m-%d").tolist(),
        inputs=model_columns(days, profile).to_numpy(dtype=np.float64),
        actual=_actual(days, table.cells),
        sha256=table.sha256,
    )


def _actual(days: pd.DataFrame, cells: pd.DataFrame) -> Floats:
    if TARGET in days.columns:
        return days[TARGET].to_numpy(dtype=np.float64)
    if TARGET not in cells.columns:
        return np.full(len(days), np.nan)
    # The check leaves out a column of counts that is empty on some days; here the other days are worth comparing.
    texts = cells.loc[days.index, TARGET]
    return np.array([float(text) if text.isascii() and text.isdigit() else np.nan for text in texts])


def predictions_table(model: LinearModel, prepared: PreparedDays, export: str, data: str) -> pd.DataFrame:
    """Predict each day. export, data: the names of both files.

    Columns: date; prediction, lower_<level>, upper_<level>, actual and error (actual - prediction) in rentals a day;
    within (1 where the actual value is in the interval, else 0); model, source_file. Cells without a value are missing.
    """
    predicted = model.predict(prepared.inputs)
    level = f"{100 * model.interval_level:g}"
    known = ~np.isnan(prepared.actual)
    within = (prepared.actual >= predicted.lower) & (prepared.actual <= predicted.upper)
    table = pd.DataFrame(
        {
            "date": prepared.dates,
            "prediction": predicted.prediction,
            f"lower_{level}": predicted.lower,
            f"upper_{level}": predicted.upper,
            "actual": prepared.actual,
            "error": prepared.actual - predicted.prediction,
            "within": np.where(known, within, np.nan),
        }
    )
    for column in ("actual", "within"):
        table[column] = table[column].astype("Int64")
    # File names are text that anyone may choose; everything else is a number or a date.
    table["model"] = safe_text(export)
    table["source_file"] = safe_text(data)
    return table


def summary(model: LinearModel, prepared: PreparedDays) -> dict[str, Any]:
    """Compare predictions with the actual values, over the days that have one.

    Returns days, compared and trained_on_this_file; where a day was compared also rmse, mae, mean_error (rentals a
    day), mape (percent), r2 and adjusted_r2 (None where undefined), interval_level, coverage (0 to 1), and
    largest_error with its date, actual and error.
    """
    known = ~np.isnan(prepared.actual)
    result: dict[str, Any] = {
        "days": len(prepared.dates),
        "compared": int(known.sum()),
        "trained_on_this_file": model.provenance.get("data_sha256") == prepared.sha256,
    }
    if not known.any():
        return result
    predicted = model.predict(prepared.inputs[known])
    actual = prepared.actual[known]
    metrics = all_metrics(actual, predicted.prediction, len(model.selected))
    errors = actual - predicted.prediction
    worst = int(np.abs(errors).argmax())
    dates = [date for date, is_known in zip(prepared.dates, known, strict=True) if is_known]
    return {
        **result,
        **{name: metrics[name] for name in ("rmse", "mae", "mean_error", "mape", "r2", "adjusted_r2")},
        "interval_level": model.interval_level,
        "coverage": coverage(actual, predicted.lower, predicted.upper),
        "largest_error": {"date": dates[worst], "actual": float(actual[worst]), "error": float(errors[worst])},
    }
