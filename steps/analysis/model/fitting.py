"""Fit the linear model on training rows only: one pass for the factor, one for the residuals.

Whatever the number of rows, what is in memory is a few batches and some numbers a row: their times and parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import Any

from analysis.features.profiles import Profile
from analysis.model.artefact import Floats, LinearModel
from analysis.model.calibration import Errors, Gaps, Plan, plan_of
from analysis.model.factor import Factor, factors_of, merged
from analysis.model.refit import model_of
from analysis.model.regression import Regression
from analysis.model.residuals import ResidualMap, Residuals
from analysis.model.robust import RobustErrors, ranks_of
from analysis.model.rows import Rows
from analysis.model.selection import Procedure, choose, procedure_of
from analysis.model.threads import in_order
from analysis.runtime.errors import TrainingError


@dataclass(frozen=True)
class Results:
    """A regression with what its residuals say of it."""

    regression: Regression
    residuals: Residuals


@dataclass(frozen=True)
class Fit:
    """The model as data, and the results that it was taken from.

    robust_errors: robust standard errors of the coefficients, the constant's first; lags: over how many rows of the
    order of time, None for rows without a time. ranking: the elimination's rank of each candidate column (1 =
    selected); all 1 where the profile does not select. excluded: columns that were no candidates, with the reason.
    first: results on all candidates, before elimination; None where none was eliminated, or the rows are too few.
    """

    model: LinearModel
    results: Results
    robust_errors: Floats
    lags: int | None
    ranking: dict[str, int]
    excluded: dict[str, str]
    first: Results | None = None


def fit_linear_model(
    rows: Rows,
    profile: Profile,
    feature_count: int,
    provenance: dict[str, Any],
    *,
    removed: Mapping[str, str] | None = None,
    by_gap: Gaps = (),
) -> Fit:
    """Fit and calibrate on training rows, which have the profile's columns, unscaled.

    feature_count: how many columns recursive feature elimination keeps, for profiles that select; all of the candidates
        where there are fewer.
    removed: columns that the data preparation removes, with the reason; profiles that select leave them out.
    by_gap: features of the past of the same rows by history gap, for profiles that have some.
    Raises TrainingError where no degrees of freedom are left, the target never changes or a number is not finite.
    """
    procedure, names = procedure_of(profile, feature_count, removed), rows.columns
    plan = plan_of(rows.count, rows.times)
    factors = factors_of(rows.finite_batches(), None if plan is None else plan.parts)
    whole = merged(factors.values())
    if whole.low[-1] == whole.high[-1]:
        raise TrainingError(f"{rows.target} has the same value in all {rows.count} training rows: nothing to learn.")
    choice = choose(whole, names, procedure)
    results = Results(choice.regression(whole, procedure), Residuals())
    watched, first = [results], None
    if len(choice.selected) < len(choice.candidates) < rows.count - 1:
        first = Results(choice.regression(whole, procedure, choice.candidates), Residuals())
        watched.append(first)
    errors = _unseen(plan, factors, names, procedure, profile)
    found = ResidualMap.of([*(one.regression for one in watched), *([] if errors is None else errors.models.values())])
    with TemporaryFile() as scratch:
        robust = RobustErrors(results.regression, None if rows.times is None else ranks_of(rows.times), scratch)

        def work(batch: Floats) -> tuple[Floats, Floats, Floats]:
            centred, residuals = found.residuals(batch)
            return batch, residuals, robust.scores(centred, residuals[:, 0])

        for batch, residuals, scores in in_order(work, rows.batches()):
            for number, one in enumerate(watched):
                one.residuals.add(residuals[:, number])
            robust.add(scores)
            if errors is not None:
                errors.add(batch, residuals[:, len(watched) :])
        robust_errors = robust.standard_errors()
    model = replace(
        model_of(results.regression, whole, names, procedure),
        profile=profile.name,
        training=_training(results),
        provenance=provenance,
        has_past=bool(profile.past),
        calibration=None if errors is None else errors.calibration(older=by_gap),
    )
    lags = None if rows.times is None else robust.lags
    return Fit(model, results, robust_errors, lags, choice.ranking, choice.excluded, first)


def _unseen(
    plan: Plan | None, factors: Mapping[int, Factor], names: tuple[str, ...], procedure: Procedure, profile: Profile
) -> Errors | None:
    """Return what measures errors of rows that a model has not seen; None where the rows are too few for it."""
    try:
        return None if plan is None else Errors(plan, plan.models(factors, names, procedure), names, profile.past)
    except TrainingError:
        return None


def _training(results: Results) -> dict[str, Any]:
    fit, residuals = results.regression, results.residuals
    return {
        "rows": fit.rows,
        "r2": fit.r_squared,
        "adjusted_r2": fit.adjusted_r_squared,
        "rmse": residuals.root_mean_square,
        "mae": residuals.mean_absolute,
        "rank": len(fit.names),
    }
