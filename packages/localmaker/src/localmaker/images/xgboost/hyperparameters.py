"""The hyperparameters of AWS's XGBoost algorithm: their types, their ranges, and what has to fit together.

The names, the ranges and the words of the refusals are those of the container
(https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html). Values arrive as text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker_algorithm_toolkit.exceptions import UserError

MAXIMIZED = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision", "r2",
    "recall", "precision_macro", "precision_micro", "recall_macro", "recall_micro",
)  # fmt: skip
MINIMIZED = (
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss",
    "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip
OBJECTIVES = (
    "aft_loss_distribution", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax",
    "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic",
    "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie", "survival:aft",
    "survival:cox",
)  # fmt: skip
_UPDATERS = (
    "grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "sync", "refresh", "prune", "shotgun",
    "coord_descent", "grow_quantile_histmaker",
)  # fmt: skip
_ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
_WITH_THRESHOLD = ("error", "ndcg", "map")


@dataclass(frozen=True)
class Interval:
    """A range of numbers in mathematical notation: ``[0, 1)``, ``(0, +inf)``."""

    text: str

    def __contains__(self, value: float) -> bool:
        low, high = (float(end) for end in self.text[1:-1].split(","))
        above = value >= low if self.text[0] == "[" else value > low
        return above and (value <= high if self.text[-1] == "]" else value < high)

    def __str__(self) -> str:
        return self.text


def _integers(*names: str, within: str) -> Mapping[str, tuple[Callable[[str], Any], Any]]:
    return dict.fromkeys(names, (int, Interval(within)))


def _numbers(*names: str, within: str) -> Mapping[str, tuple[Callable[[str], Any], Any]]:
    return dict.fromkeys(names, (float, Interval(within)))


def _choice(name: str, *values: str) -> Mapping[str, tuple[Callable[[str], Any], Any]]:
    return {name: (str, list(values))}


#: Name → how its text is read, and what it may be.
_PARAMETERS: Mapping[str, tuple[Callable[[str], Any], Any]] = {
    **_integers(
        "num_round", "early_stopping_rounds", "nthread", "num_parallel_tree", "_num_cv_round", within="[1, +inf)"
    ),
    **_integers("max_depth", "max_leaves", "max_bin", within="[0, +inf)"),
    **_integers("csv_weights", "refresh_leaf", "one_drop", within="[0, 1]"),
    **_integers("num_class", "_kfold", within="[2, +inf)"),
    **_integers("verbosity", within="[0, 3]"),
    **_integers("seed", within="(-2147483648, 2147483647)"),
    **_integers("prob_buffer_row", within="(1.0, +inf)"),
    **_numbers("eta", "rate_drop", "skip_drop", "lambda_bias", within="[0, 1]"),
    **_numbers("gamma", "min_child_weight", "max_delta_step", "lambda", "alpha", "base_score", within="[0, +inf)"),
    **_numbers("aft_loss_distribution_scale", within="[0, +inf)"),
    **_numbers("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode", within="(0, 1]"),
    **_numbers("sketch_eps", within="(0, 1)"),
    **_numbers("scale_pos_weight", within="(0, +inf)"),
    **_numbers("tweedie_variance_power", within="(1, 2)"),
    **_choice("booster", "gbtree", "gblinear", "dart"),
    **_choice("tree_method", "auto", "exact", "approx", "hist", "gpu_hist"),
    **_choice("dsplit", "row", "col"),
    **_choice("process_type", "default", "update"),
    **_choice("grow_policy", "depthwise", "lossguide"),
    **_choice("predictor", "auto", "cpu_predictor", "gpu_predictor"),
    **_choice("sample_type", "uniform", "weighted"),
    **_choice("normalize_type", "tree", "forest"),
    **_choice("objective", *OBJECTIVES),
    **_choice("_tuning_objective_metric", *(f"validation:{name}" for name in (*MAXIMIZED, *MINIMIZED))),
    **_choice("save_model_on_termination", "true", "false"),
    **_choice("aft_loss_distribution", "normal", "logistic", "extreme"),
    **_choice("deterministic_histogram", "true", "false"),
    **_choice("sampling_method", "uniform", "gradient_based"),
    **_choice("use_dask_gpu_training", "true", "false"),
    "updater": (lambda text: text.split(","), list(_UPDATERS)),
    "eval_metric": (lambda text: text.split(","), [*MAXIMIZED, *MINIMIZED]),
    "monotone_constraints": (ast.literal_eval, [-1, 0, 1]),
    "interaction_constraints": (ast.literal_eval, Interval("[1, +inf)")),
}


#: What the containers before 1.2 took, too.
_PARAMETERS_BEFORE_1_2 = _integers("silent", within="[0, 1]")


def validate(given: Mapping[str, str], *, before_1_2: bool = False) -> dict[str, Any]:
    """Return the hyperparameters by their own names, with values of their types.

    Args:
        given: as the job has them.
        before_1_2: take those of the containers before 1.2; XGBoost itself no longer knows them.

    Raises:
        UserError: one is missing, unknown or out of its range, or two do not fit together.
    """
    named = {_ALIASES.get(name, name): value for name, value in given.items()}
    known = {**_PARAMETERS, **(_PARAMETERS_BEFORE_1_2 if before_1_2 else {})}
    if "num_round" not in named:
        raise UserError("Missing required hyperparameter: num_round")
    values: dict[str, Any] = {}
    for name, text in named.items():
        if name not in known:
            raise UserError(f"Extraneous hyperparameter found: {name}")
        try:
            values[name] = known[name][0](text)
        except (ValueError, SyntaxError) as error:
            raise UserError(
                f"Hyperparameter {name}: could not parse value (caused by {type(error).__name__})"
            ) from error
    for name, value in values.items():
        _check_range(name, value, known[name][1])
    _check_together(values)
    if values.pop("silent", 0):
        values.setdefault("verbosity", 0)
    return values


def _check_range(name: str, value: Any, allowed: Any) -> None:
    if name in ("updater", "monotone_constraints", "interaction_constraints", "eval_metric"):
        for element in _flat(value):
            if not (name == "eval_metric" and _is_metric_with_threshold(element)) and element not in allowed:
                raise UserError(f"Hyperparameter {name}: value {value} not in range {allowed}")
    elif value not in allowed:
        raise UserError(f"Hyperparameter {name}: {value} is not in {allowed}")


def _flat(value: Sequence[Any]) -> list[Any]:
    return [element for part in value for element in (part if isinstance(part, list | tuple) else [part])]


def _is_metric_with_threshold(metric: str) -> bool:
    name, sign, threshold = (part.strip() for part in metric.partition("@"))
    if not sign:
        return False
    if name not in _WITH_THRESHOLD:
        raise UserError(
            f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
            "these options: 'error', 'ndcg', 'map'."
        )
    try:
        float(threshold)
    except ValueError as error:
        raise UserError(f"Threshold value 't' in '{name}@t' expects float input.") from error
    return True


def _check_together(values: Mapping[str, Any]) -> None:
    objective, metrics = values.get("objective", ""), values.get("eval_metric", [])
    if objective in ("multi:softmax", "multi:softprob") and "num_class" not in values:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    if "monotone_constraints" in values and values.get("tree_method") not in ("exact", "hist"):
        raise UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
        )
    if "interaction_constraints" in values and values.get("tree_method") not in ("exact", "hist", "approx"):
        raise UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' "
            "or 'approx'."
        )
    linear = ("shotgun", "coord_descent")
    if values.get("booster") == "gblinear" and "updater" in values:
        if len(values["updater"]) != 1 or values["updater"][0] not in linear:
            raise UserError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.")
    elif values.get("process_type") == "update" and not set(values.get("updater", [])) <= {"refresh", "prune"}:
        raise UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'")
