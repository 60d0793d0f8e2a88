"""From checked days to model columns, dummy variables and bins among them, and to the Feature Store's records."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from analysis.features.profiles import STORED_FEATURES, Profile, bin_dummies, category_dummies
from analysis.reading.columns import BINS, CATEGORIES, DATE, MEASURES, TARGET, Bins

_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")


class Binning(StrEnum):
    """The source of a measure's bin edges: fixed (see columns.BINS) or the quartiles of the training rows."""

    FIXED = "fixed"
    QUARTILES = "quartiles"


def model_columns(days: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Compute the profile's columns for each day, in its order: measures as float64 in physical units, others int64.

    Dummy levels come from the schema, so a file that lacks a month still gives the same columns.
    """
    return _pick(days, profile.columns)


def stored_features(days: pd.DataFrame) -> pd.DataFrame:
    """Compute every stored feature but the event time, one row a day; `cnt` is missing where the file has none."""
    columns = [name for name in STORED_FEATURES if name not in {DATE, "event_time", TARGET}]
    rows = _pick(days, tuple(columns))
    rows.insert(0, DATE, iso_dates(days))
    rows[TARGET] = target_or_missing(days)
    return rows


def iso_dates(days: pd.DataFrame) -> pd.Series[Any]:
    """Format the date of each day as YYYY-MM-DD."""
    dates: pd.Series[Any] = days[DATE].dt.strftime("%Y-%m-%d")
    return dates


def target_or_missing(days: pd.DataFrame) -> pd.Series[Any]:
    """Return the target of each day, missing values where the file has none."""
    return days[TARGET] if TARGET in days.columns else pd.Series(pd.NA, index=days.index, dtype="Int64")


def source_column(model_column: str) -> str:
    """Return the column of the file that a model column is made of: itself, or the one whose level or bin it marks."""
    dummies = {**{name: category_dummies(name) for name in CATEGORIES}, **{name: bin_dummies(name) for name in BINS}}
    return next((name for name, columns in dummies.items() if model_column in columns), model_column)


def _pick(days: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    levels = {dummy: (name, level) for name in CATEGORIES for dummy, level in category_dummies(name).items()}
    bins = {dummy: (name, position) for name in BINS for dummy, position in bin_dummies(name).items()}
    positions = {name: bin_positions(days[name], BINS[name]) for name in {bins[c][0] for c in columns if c in bins}}
    picked: dict[str, pd.Series] = {}
    for column in columns:
        if column in days.columns:
            picked[column] = days[column]
        elif column in levels:
            source, level = levels[column]
            picked[column] = (days[source] == level).astype("int64")
        else:
            source, position = bins[column]
            picked[column] = (positions[source] == position).astype("int64")
    return pd.DataFrame(picked, index=days.index)


def bin_positions(values: pd.Series, bins: Bins) -> pd.Series:
    """Return the position of the bin of each value (0 = lowest), int64, with the index of `values`.

    Values outside the outer edges belong to the outer bins: learned quarters have to take whatever is scored later.
    """
    inner = np.asarray(bins.edges[1:-1], dtype=np.float64)
    found = np.searchsorted(inner, values.to_numpy(dtype=np.float64), side="right")
    return pd.Series(found.astype("int64"), index=values.index, name=values.name)


def quarters(training_days: pd.DataFrame) -> dict[str, Bins]:
    """Learn bins with a quarter of the training rows each; the outer edges are the measure's domain.

    A measure that repeats a value so often that two quartiles are equal gets fewer bins, named by their number.
    """
    learned = {}
    for name, measure in MEASURES.items():
        quartiles = np.quantile(training_days[name].to_numpy(dtype=np.float64), (0.25, 0.5, 0.75))
        inner = sorted({float(edge) for edge in quartiles if 0.0 < edge < measure.scale})
        count = len(inner) + 1
        numbered = tuple(f"part {part} of {count}" for part in range(1, count + 1))
        labels = _QUARTERS if count == len(_QUARTERS) else numbered
        learned[name] = Bins((0.0, *inner, measure.scale), labels)
    return learned


def bins_for(binning: Binning, training_days: pd.DataFrame) -> dict[str, Bins]:
    """Return the bins of each measure. Quartiles are learned from the days, so these must be the training rows."""
    return BINS if binning is Binning.FIXED else quarters(training_days)


def bin_report(days: pd.DataFrame, bins: Mapping[str, Bins], binning: Binning) -> dict[str, Any]:
    """Count days and average rentals of each bin: {"edges", "columns": [{"column", "unit", "intervals": [...]}]}.

    An interval is {"label", "from", "to", "days", "mean_rentals"}; the mean is None without days or counts.
    """
    columns = []
    for name, intervals in bins.items():
        positions = bin_positions(days[name], intervals).to_numpy()
        entries = []
        for position, label in enumerate(intervals.labels):
            inside = positions == position
            known = TARGET in days.columns and bool(inside.any())
            entries.append(
                {
                    "label": label,
                    "from": intervals.edges[position],
                    "to": intervals.edges[position + 1],
                    "days": int(inside.sum()),
                    "mean_rentals": float(days[TARGET].to_numpy(dtype=np.float64)[inside].mean()) if known else None,
                }
            )
        columns.append({"column": name, "unit": MEASURES[name].unit, "intervals": entries})
    return {"edges": binning.value, "columns": columns}
