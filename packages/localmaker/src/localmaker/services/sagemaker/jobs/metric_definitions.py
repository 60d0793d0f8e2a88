"""The metrics that are looked for in a training job's log: those of its request, or those that its algorithm brings.

SageMaker's built-in algorithms bring their own definitions, and take no others. Of them this endpoint knows XGBoost's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

_XGBOOST = re.compile(r"(^|/)(sagemaker-)?xgboost[:@]")
_SETS = ("train", "validation")
#: As the developer guide lists them for XGBoost.
_XGBOOST_METRICS = (
    "accuracy", "accuracy_top_10", "auc", "aucpr", "balanced_accuracy", "cox-nloglik", "error", "f1", "f1_binary",
    "f1_macro", "f1_micro", "gamma-deviance", "gamma-nloglik", "logloss", "mae", "map", "mape", "merror", "mlogloss",
    "mphe", "mse", "ndcg", "poisson-nloglik", "precision", "precision_macro", "precision_micro", "r2", "recall",
    "recall_macro", "recall_micro", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip
# CloudWatch shows the tabs of the log as #011.
_VALUE = r"(?:#011|\s){name}:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"


def metric_definitions(job: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    """Return the MetricDefinitions that count.

    Args:
        job: a training job's request, or a definition of a tuning job.
        hyperparameters: those that name the program of a job in script mode.
    """
    algorithm = job.get("AlgorithmSpecification", {})
    given: Sequence[Mapping[str, str]] = algorithm.get("MetricDefinitions", [])
    if given or "sagemaker_program" in hyperparameters or not _XGBOOST.search(algorithm.get("TrainingImage", "")):
        return given
    return [
        {"Name": f"{part}:{metric}", "Regex": _VALUE.replace("{name}", f"{part}-{metric}")}
        for part, metric in product(_SETS, _XGBOOST_METRICS)
    ]
