"""From checked days to model columns, dummy variables among them, and to the Feature Store's records."""

from __future__ import annotations

import pandas as pd

from analysis.features.binning import bin_positions
from analysis.features.profiles import STORED_FEATURES, Profile, bin_dummies, category_dummies
from analysis.reading.columns import BINS, CATEGORIES, DATE, TARGET


def model_columns(days: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """The profile's columns for each day, in its order: measures as float64 in physical units, all others int64.

    Dummy levels come from the schema, so a file that lacks a month still gives the same columns.
    """
    return _pick(days, profile.columns)


def stored_features(days: pd.DataFrame) -> pd.DataFrame:
    """One row a day with every stored feature but the event time; `cnt` is missing where the file has none."""
    columns = [name for name in STORED_FEATURES if name not in {DATE, "event_time", TARGET}]
    rows = _pick(days, tuple(columns))
    rows.insert(0, DATE, days[DATE].dt.strftime("%Y-%m-%d"))
    rows[TARGET] = days[TARGET] if TARGET in days.columns else pd.Series(pd.NA, index=days.index, dtype="Int64")
    return rows


def source_column(model_column: str) -> str:
    """The column of the file that a model column is made of: itself, or the one whose level or bin it marks."""
    for column in CATEGORIES:
        if model_column in category_dummies(column):
            return column
    for column in BINS:
        if model_column in bin_dummies(column):
            return column
    return model_column


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
