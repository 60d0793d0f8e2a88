"""Metrics that AWS's XGBoost algorithm has beside XGBoost's own, computed by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xgboost
from sklearn import metrics

_OF_CLASSES: dict[str, Callable[..., float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": partial(metrics.f1_score, average="macro"),
    "f1_binary": partial(metrics.f1_score, average="binary"),
    "f1_macro": partial(metrics.f1_score, average="macro"),
    "precision": metrics.precision_score,
    "precision_macro": partial(metrics.precision_score, average="macro"),
    "precision_micro": partial(metrics.precision_score, average="micro"),
    "recall": metrics.recall_score,
    "recall_macro": partial(metrics.recall_score, average="macro"),
    "recall_micro": partial(metrics.recall_score, average="micro"),
}
_OF_VALUES: dict[str, Callable[..., float]] = {"mse": metrics.mean_squared_error, "r2": metrics.r2_score}
NAMES = (*_OF_CLASSES, *_OF_VALUES)

Evaluation = Callable[[Any, xgboost.DMatrix], list[tuple[str, float]]]


def evaluation(names: Sequence[str], objective: str) -> Evaluation | None:
    """Return the function that XGBoost calls for these metrics after each round; None for no metrics.

    Args:
        objective: says what XGBoost's predictions are, probabilities or margins.
    """
    if not names:
        return None
    border = 0.0 if objective == "binary:logitraw" else 0.5

    def evaluate(predictions: Any, data: xgboost.DMatrix) -> list[tuple[str, float]]:
        labels = data.get_label()
        of_classes = np.ndim(predictions) > 1
        classes = np.argmax(predictions, axis=-1) if of_classes else _classes(predictions, objective, border)
        values = {name: _OF_CLASSES[name](labels, classes) for name in names if name in _OF_CLASSES}
        values |= {name: _OF_VALUES[name](labels, predictions) for name in names if name in _OF_VALUES}
        return [(name, float(value)) for name, value in values.items()]

    return evaluate


def _classes(predictions: Any, objective: str, border: float) -> Any:
    return predictions if objective == "multi:softmax" else (predictions > border).astype(int)
