"""The content of evaluation.json, computed from a model and the rows that it was and was not trained on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.dataset.declaration import Dataset
from analysis.evaluation.diagnostics import check_leakage, equal_variance, independence, is_exact, no_order, normality
from analysis.evaluation.metrics import all_metrics, resampled_deviations
from analysis.evaluation.previous import PreviousModel, comparison
from analysis.evaluation.rows import LabelledRows
from analysis.features.profiles import Profile
from analysis.model.artefact import Floats, LinearModel
from analysis.model.numbers import Numbers
from analysis.runtime.errors import ModelError


def evaluation(
    model: LinearModel,
    sides: tuple[LabelledRows, LabelledRows],
    quality: dict[str, Any],
    leakage: tuple[float, frozenset[str]],
    previous: PreviousModel,
    *,
    dataset: Dataset,
) -> dict[str, Any]:
    """Compute the content of evaluation.json.

    sides: training and test rows. leakage: threshold of the check, and the columns that are known to be leaks.
    All figures are of the regression before the target's bound, as published ones are.
    regression_metrics: of the test rows, in the shape of SageMaker's model-quality statistics. train, test: all metrics
    of either. baseline: the test metrics of always predicting the training mean, and the share of its squared error
    that the model saves. diagnostics: tests on the residuals of either side, and in the order of time on both, where
    rows have one. leakage: whether the target is a (near-)exact linear combination of input columns of the training
    rows. previous_model: see analysis.evaluation.previous. model, data: what was evaluated, on what. The block
    `validation` comes beside these: see analysis.evaluation.validation.
    """
    train, test = sides
    threshold, known = leakage
    predicted, fitted = model.fitted(test.inputs), model.fitted(train.inputs)
    features = len(model.selected)
    on_test = all_metrics(test.actual, predicted, features)
    if on_test["r2"] is None:
        raise ModelError("All test rows have the same actual value, so R-squared has no meaning. Use more rows.")
    deviations = resampled_deviations(test.actual, predicted)
    mean = float(train.actual.mean())
    always_mean = all_metrics(test.actual, np.full(test.actual.size, mean), 0)
    inputs = Numbers(model.input_columns, train.inputs)
    return {
        "regression_metrics": {
            name: {"value": on_test[name], "standard_deviation": deviations[name]}
            for name in ("mae", "mse", "rmse", "r2")
        },
        "train": all_metrics(train.actual, fitted, features),
        "test": on_test,
        "baseline": {
            "prediction": mean,
            **always_mean,
            "saved_squared_error": 1.0 - on_test["mse"] / always_mean["mse"],
        },
        "diagnostics": _diagnostics(model, sides),
        "leakage": asdict(check_leakage(inputs, train.actual, known, threshold)),
        "previous_model": comparison(previous, model, test, on_test, dataset),
        "model": {
            "profile": model.profile,
            "selected_features": list(model.selected),
            "provenance": model.provenance,
        },
        "data": {name: quality.get(name) for name in ("file", "sha256", "rows")},
    }


def past_block(model: LinearModel, dataset: Dataset, profile: Profile) -> dict[str, Any]:
    """Compute the block `past` of evaluation.json, of a model with features of the past.

    features: name, and what it is; half_widths: [history gap, half of the interval's width], rising, and none where it
    is not calibrated; gaps_in: what gaps count, "rows" or "days".
    """
    by_gap = () if model.calibration is None else model.calibration.by_gap
    declared = {name: dataset.past[name] for name in profile.past}
    return {
        "features": [{"name": name, "description": one.description} for name, one in declared.items()],
        "gaps_in": "days" if all(one.in_days for one in declared.values()) else "rows",
        "half_widths": [list(pair) for pair in by_gap],
    }


def _diagnostics(model: LinearModel, sides: tuple[LabelledRows, LabelledRows]) -> dict[str, Any]:
    residuals = [rows.actual - model.fitted(rows.inputs) for rows in sides]
    tests = [
        {"normality": normality(errors), "equal_variance": equal_variance(errors, model.scaled(rows.inputs))}
        for rows, errors in zip(sides, residuals, strict=True)
    ]
    times = [rows.times for rows in sides if rows.times is not None]
    return {
        "exact_fit": is_exact(residuals[0], sides[0].actual),
        "train": tests[0],
        "test": tests[1],
        "in_order_of_time": _in_order(np.concatenate(residuals), times),
    }


def _in_order(residuals: Floats, times: list[NDArray[np.str_]]) -> dict[str, Any]:
    """Test all residuals in the order of time: the split shuffles rows, so only both sides together have it."""
    return independence(residuals[np.argsort(np.concatenate(times), kind="stable")]) if times else no_order()
