"""The profiles, which decide the columns that a model gets, and the features that the Feature Store holds.

Kept apart from the code that computes the columns and free of libraries, so that a command that needs only their names
starts fast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.reading.columns import BINS, CATEGORIES, DATE, FLAGS, MEASURES, TARGET, TARGET_PARTS, model_levels
from analysis.runtime.errors import SettingsError

NEAR_EXACT = 0.999
"""Adjusted R-squared of the target on the inputs from which it counts as leakage; the honest model has 0.84."""


def category_dummies(column: str) -> dict[str, int]:
    """Map each dummy variable to the level of `column` that it marks, the first level included."""
    return {f"{column}_{level}": level for level in model_levels(column)}


def bin_dummies(column: str) -> dict[str, int]:
    """Map each dummy variable to the position of the fixed bin that it marks, the first bin included."""
    return {f"{column}_{label.replace(' ', '_')}": position for position, label in enumerate(BINS[column].labels)}


def _forecast_columns(*, keep_first: bool, binned: bool) -> tuple[str, ...]:
    start = 0 if keep_first else 1
    measures = [name for column in MEASURES for name in [*bin_dummies(column)][start:]] if binned else [*MEASURES]
    return (*FLAGS, *measures, *(name for column in CATEGORIES for name in [*category_dummies(column)][start:]))


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
    columns=_forecast_columns(keep_first=False, binned=False),
    counts=(),
    scaled=tuple(MEASURES),
    selects=True,
    known_leakage=frozenset(),
)
"""Honest: nothing that is only known when the target is. First level of each category dropped; 29 columns."""

_PARITY_MONTHS = tuple(f"mnth_{month}" for month in (1, 2, 3, 4, 6, 9, 10, 12))
PARITY = Profile(
    name="parity",
    columns=(*TARGET_PARTS, *_PARITY_MONTHS, "weekday_0", "weekday_6", "season_1", "season_4", "weathersit_1"),
    counts=TARGET_PARTS,
    scaled=(),
    selects=False,
    known_leakage=frozenset(TARGET_PARTS),
)
"""The published analysis, unscaled, with casual and registered: its R-squared is 1 because they sum to the target."""


@dataclass(frozen=True)
class Variant:
    """The candidate columns of a profile that selects among them; the published columns of parity are fixed.

    keep_first_levels: every level of a category gets a dummy variable, the first too. Together with the constant they
        are then linearly dependent, which elimination and the pseudo-inverse deal with.
    binned_measures: the four measures are offered as dummy variables of their fixed bins rather than as numbers.
    """

    keep_first_levels: bool = False
    binned_measures: bool = False


def variant_of(profile: Profile, variant: Variant) -> Profile:
    """Return `profile` with the columns that `variant` asks for; raise SettingsError where its columns are fixed."""
    if variant == Variant():
        return profile
    if not profile.selects:
        raise SettingsError(f"The columns of profile {profile.name!r} are fixed: it has all its published levels.")
    return replace(
        profile,
        columns=_forecast_columns(keep_first=variant.keep_first_levels, binned=variant.binned_measures),
        scaled=() if variant.binned_measures else profile.scaled,
    )


PROFILES: dict[str, Profile] = {profile.name: profile for profile in (FORECAST, PARITY)}


def profile_named(name: str) -> Profile:
    """Return the profile of that name, or raise SettingsError listing the existing ones."""
    try:
        return PROFILES[name]
    except KeyError:
        raise SettingsError(f"There is no profile {name!r}; use one of: {', '.join(PROFILES)}.") from None


STORED_FEATURES: dict[str, str] = {
    DATE: "String",
    "event_time": "String",
    **dict.fromkeys(CATEGORIES, "Integral"),
    **{column: "Fractional" if column in MEASURES else "Integral" for column in FORECAST.columns},
    TARGET: "Integral",
}
"""Feature Store name and type of each feature. `dteday` (ISO date) is the record identifier, `event_time` (ISO 8601,
UTC) the event time; it is added on ingestion. `cnt` is left out of records whose day has no count yet."""
