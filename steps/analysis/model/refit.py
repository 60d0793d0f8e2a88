"""A model of a factor: what is fitted again and again, on the rows of a fold or before a moment."""

from __future__ import annotations

from analysis.model.artefact import INTERVAL_LEVEL, Bounds, Floats, LinearModel
from analysis.model.factor import Factor, factors_of
from analysis.model.numbers import Features
from analysis.model.regression import Regression
from analysis.model.rows import rows_of_frame
from analysis.model.selection import Procedure, choose


def refit(features: Features, target: Floats, procedure: Procedure, level: float = INTERVAL_LEVEL) -> LinearModel:
    """Fit `target` (shape (n,)) on `features` (n rows, unscaled), with scaling and elimination learned on them.

    Raises TrainingError where no column or no degree of freedom is left.
    """
    rows = rows_of_frame(features, target)
    factor = factors_of(rows.batches())[0]
    fit = choose(factor, rows.columns, procedure).regression(factor, procedure)
    return model_of(fit, factor, rows.columns, procedure, level)


def model_of(
    fit: Regression, factor: Factor, names: tuple[str, ...], procedure: Procedure, level: float = INTERVAL_LEVEL
) -> LinearModel:
    """Return a regression as a model that predicts; of its training it knows the number of rows."""
    limits = zip(names[:-1], factor.low, factor.high, strict=False)
    ranges = {name: Bounds(float(low), float(high)) for name, low, high in limits}
    intercept, *coefficients = map(float, fit.coefficients)
    return LinearModel(
        profile="",
        target=names[-1],
        input_columns=names[:-1],
        selected=fit.columns,
        intercept=intercept,
        coefficients=tuple(coefficients),
        bounds={name: ranges[name] for name in names if name in fit.columns and name in procedure.scaled},
        residual_variance=fit.residual_variance,
        residual_degrees_of_freedom=fit.df_residuals,
        covariance=tuple(tuple(map(float, row)) for row in fit.covariance),
        interval_level=level,
        t_quantile=fit.t_quantile(level),
        ranges=ranges,
        training={"rows": fit.rows},
    )
