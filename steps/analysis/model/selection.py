"""What is repeated on whatever rows a model is fitted to: scaling and the choice of candidate columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.features.profiles import Profile
from analysis.model.artefact import Bounds
from analysis.runtime.errors import TrainingError


@dataclass(frozen=True)
class Procedure:
    """How columns become regressors; all of it is learned on training rows only.

    scaled: columns that are min-max scaled with bounds learned on those rows.
    kept: how many columns recursive feature elimination keeps (all candidates where there are fewer); None for no
        elimination, and then no column is left out either.
    removed: columns that the data preparation removes, with the reason.
    """

    scaled: tuple[str, ...] = ()
    kept: int | None = None
    removed: Mapping[str, str] = field(default_factory=dict)


def procedure_of(profile: Profile, feature_count: int, removed: Mapping[str, str] | None = None) -> Procedure:
    """Return the procedure of a profile; feature_count is for profiles that select."""
    return Procedure(profile.scaled, feature_count if profile.selects else None, removed or {})


def scaled_columns(features: pd.DataFrame, procedure: Procedure) -> tuple[pd.DataFrame, dict[str, Bounds]]:
    """Return `features` as float64, scaled to 0..1 where the procedure says so, and the bounds learned of them."""
    scaled = features.astype("float64")
    bounds = {}
    for name in procedure.scaled:
        bounds[name] = Bounds(float(scaled[name].min()), float(scaled[name].max()))
        scaled[name] = (scaled[name] - bounds[name].minimum) / bounds[name].width
    return scaled, bounds


def excluded_columns(scaled: pd.DataFrame, procedure: Procedure) -> dict[str, str]:
    """Map the columns that are no candidates to the reason: removed ones, and those constant in the training rows.

    Raises TrainingError where no column is left.
    """
    if procedure.kept is None:
        return {}
    excluded = {str(name): procedure.removed[name] for name in scaled.columns if name in procedure.removed}
    values = scaled.to_numpy()
    for name, constant in zip(scaled.columns, (values == values[:1]).all(axis=0), strict=True):
        if constant:
            excluded.setdefault(str(name), "it never changes in the training rows")
    if len(excluded) == scaled.shape[1]:
        raise TrainingError("No input column is left to learn from: each one is constant or was removed.")
    return excluded


def refuse_wrong_count(procedure: Procedure, columns: int) -> None:
    """Raise TrainingError where elimination can't keep as many of the `columns` as it is to."""
    if procedure.kept is not None and not 1 <= procedure.kept <= columns:
        raise TrainingError(f"--feature-count {procedure.kept} is outside 1 to {columns}, the number of columns.")


def refuse_too_few(rows: int, selected: list[str]) -> None:
    """Raise TrainingError where no degree of freedom would be left."""
    if rows <= len(selected) + 1:
        raise TrainingError(
            f"{rows} training rows can't determine {len(selected)} coefficients and an intercept. "
            "Train on more rows, or lower --feature-count."
        )


def training_ranges(features: pd.DataFrame) -> dict[str, Bounds]:
    """Return the lowest and highest value of every column, unscaled."""
    values = features.to_numpy(dtype=np.float64)
    return {
        str(name): Bounds(float(low), float(high))
        for name, low, high in zip(features.columns, values.min(axis=0), values.max(axis=0), strict=True)
    }
