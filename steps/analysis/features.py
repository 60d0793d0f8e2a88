"""From checked days to model columns: the two profiles, dummy variables, and the Feature Store's records."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.columns import CATEGORIES, DATE, FLAGS, MEASURES, TARGET, TARGET_PARTS, model_levels
from analysis.errors import SettingsError


def _dummies(column: str, *, keep_first: bool = False) -> tuple[str, ...]:
    return tuple(f"{column}_{level}" for level in model_levels(column)[0 if keep_first else 1 :])


@dataclass(frozen=True)
class Profile:
    """One way of modelling the table.

    columns: the model's input columns, in the order of every file without a header.
    counts: which of cnt, casual, registered are inputs; a file to score must then have them.
    scaled: columns that are min-max scaled, with bounds learned on training rows only.
    selects: whether recursive feature elimination chooses among the columns.
    known_leakage: columns that are known to be the target in disguise, so that finding them fails nothing.
    """

    name: str
    columns: tuple[str, ...]
    counts: tuple[str, ...]
    scaled: tuple[str, ...]
    selects: bool
    known_leakage: frozenset[str]


FORECAST = Profile(
    name="forecast",
    columns=(*FLAGS, *MEASURES, *(dummy for name in CATEGORIES for dummy in _dummies(name))),
    counts=(),
    scaled=tuple(MEASURES),
    selects=True,
    known_leakage=frozenset(),
)
"""Honest: nothing that is only known when the target is. First level of each category dropped; 29 columns."""

PARITY = Profile(
    name="parity",
    columns=(
        *TARGET_PARTS,
        *(f"mnth_{month}" for month in (1, 2, 3, 4, 6, 9, 10, 12)),
        "weekday_0",
        "weekday_6",
        "season_1",
        "season_4",
        "weathersit_1",
    ),
    counts=TARGET_PARTS,
    scaled=(),
    selects=False,
    known_leakage=frozenset(TARGET_PARTS),
)
"""The published analysis, unscaled, with casual and registered: its R-squared is 1 because they sum to the target."""

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (FORECAST, PARITY)}


def profile_named(name: str) -> Profile:
    """The profile of that name, or SettingsError naming the ones there are."""
    try:
        return PROFILES[name]
    except KeyError:
        raise SettingsError(f"There is no profile {name!r}; use one of: {', '.join(PROFILES)}.") from None


def model_columns(days: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """The profile's columns for each day, in its order: measures as float64 in physical units, all others int64.

    Dummy levels come from the schema, so a file that lacks a month still gives the same columns.
    """
    return _pick(days, profile.columns)


STORED_FEATURES: dict[str, str] = {
    DATE: "String",
    "event_time": "String",
    **dict.fromkeys(CATEGORIES, "Integral"),
    **{column: "Fractional" if column in MEASURES else "Integral" for column in FORECAST.columns},
    TARGET: "Integral",
}
"""Feature Store name and type of each feature. `dteday` (ISO date) is the record identifier, `event_time` (ISO 8601,
UTC) the event time; it is added on ingestion. `cnt` is left out of records whose day has no count yet."""


def stored_features(days: pd.DataFrame) -> pd.DataFrame:
    """One row a day with every stored feature but the event time; `cnt` is missing where the file has none."""
    columns = [name for name in STORED_FEATURES if name not in {DATE, "event_time", TARGET}]
    rows = _pick(days, tuple(columns))
    rows.insert(0, DATE, days[DATE].dt.strftime("%Y-%m-%d"))
    rows[TARGET] = days[TARGET] if TARGET in days.columns else pd.Series(pd.NA, index=days.index, dtype="Int64")
    return rows


def _pick(days: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    dummies = {
        dummy: (name, level) for name in CATEGORIES for level in model_levels(name) for dummy in [f"{name}_{level}"]
    }
    picked: dict[str, pd.Series] = {}
    for column in columns:
        if column in days.columns:
            picked[column] = days[column]
        else:
            source, level = dummies[column]
            picked[column] = (days[source] == level).astype("int64")
    return pd.DataFrame(picked, index=days.index)
