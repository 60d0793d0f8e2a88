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
# Of them, what a recorded DescribeTrainingJob of the image 1.5-1 shows; its response holds 40 at most.
_SHOWN = (
    "accuracy", "cox-nloglik", "error", "f1", "gamma-deviance", "gamma-nloglik", "logloss", "mae", "map", "mse", "ndcg",
    "poisson-nloglik", "rmse",
)  # fmt: skip
# As DescribeTrainingJob shows them. The log has the tabs between values as #011.
_VALUE = r".*\[[0-9]+\].*#011{name}:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"


def with_metric_definitions(job: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a request or definition as it is described: with the MetricDefinitions that its algorithm brings."""
    algorithm, found = job["AlgorithmSpecification"], metric_definitions(job, hyperparameters)
    if not found or algorithm.get("MetricDefinitions"):
        return dict(job)
    names = {"validation:r2", *(f"{part}:{metric}" for part, metric in product(_SETS, _SHOWN))}
    shown = [one for one in found if one["Name"] in names]
    return {**job, "AlgorithmSpecification": {**algorithm, "MetricDefinitions": shown}}


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
