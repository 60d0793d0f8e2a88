"""The figures of the run report: which numbers are drawn, and what to look for in them."""

from __future__ import annotations

import math
from datetime import date

import numpy as np

from analysis.features.rows import LabelledRows
from analysis.model.artefact import LinearModel
from analysis.report.figures import Axes, Plot, Series, normal_quantiles
from analysis.report.interpretation import number

_KINDS = ("points-train", "points-test")
_RESIDUAL = "actual \N{MINUS SIGN} predicted"


def residual_plots(model: LinearModel, sides: tuple[LabelledRows, LabelledRows]) -> list[Plot]:
    """Predicted against actual, residuals against predicted and over time, and the normal Q-Q plot.

    sides: training and test rows.
    """
    train, test = sides
    predicted = [model.predict(rows.inputs).prediction for rows in sides]
    residuals = [rows.actual - values for rows, values in zip(sides, predicted, strict=True)]
    days = [np.array([float(date.fromisoformat(day).toordinal()) for day in rows.days]) for rows in sides]
    first, last = min(*train.days, *test.days), max(*train.days, *test.days)
    expected, ordered = normal_quantiles(residuals[0])
    correlation = float(np.corrcoef(expected, ordered)[0, 1]) if ordered.std() > 0 else math.nan
    spread = number(float(residuals[1].std()))
    drawn = [
        (Series(kind, x, rows.actual), Series(kind, x, errors), Series(kind, when, errors))
        for kind, x, rows, errors, when in zip(_KINDS, predicted, sides, residuals, days, strict=True)
    ]
    against_actual, against_predicted, over_time = zip(*drawn, strict=True)
    return [
        Plot(
            name="predicted",
            title="Predicted against actual",
            description=f"Scatter plot of {test.actual.size} test and {train.actual.size} training days around the "
            "line where both are equal.",
            caption="On the line, the prediction was right; above it, there were more rentals than predicted.",
            series=against_actual,
            axes=Axes("predicted rentals", "actual rentals"),
            line=(0.0, 1.0),
        ),
        Plot(
            name="residuals",
            title="Residuals against predicted",
            description="Scatter plot of actual minus predicted rentals around the zero line; their standard deviation "
            f"on the test days is {spread}.",
            caption="A shapeless band around zero is what a good model leaves. A funnel says that errors grow, a bend "
            "that the relation is not a straight line.",
            series=against_predicted,
            axes=Axes("predicted rentals", _RESIDUAL),
            line=(0.0, 0.0),
        ),
        Plot(
            name="time",
            title="Residuals over time",
            description=f"Scatter plot of actual minus predicted rentals from {first} to {last}.",
            caption="Stretches above or below zero: something lasts for days that the features do not know.",
            series=over_time,
            axes=Axes("day", _RESIDUAL, _month),
            line=(0.0, 0.0),
        ),
        Plot(
            name="quantiles",
            title="Normal Q-Q plot of the training residuals",
            description=f"Quantile plot of {ordered.size} residuals; their correlation with normal quantiles is "
            f"{correlation:.3f}.",
            caption="Points on the line are as a normal distribution has them. Ends that leave it are days more "
            "extreme than it allows.",
            series=[Series(_KINDS[0], expected, ordered)],
            axes=Axes("quantiles of a normal distribution", "standardised residuals"),
            line=(0.0, 1.0),
        ),
    ]


def _month(ordinal: float) -> str:
    return date.fromordinal(max(1, round(ordinal))).strftime("%Y-%m")
