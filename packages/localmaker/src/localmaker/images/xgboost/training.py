"""Train as AWS's XGBoost container does where a job brings no program of its own.

Runs in a job's sandbox, in the image's environment. Reads the configuration and the channels below ``/opt/ml/input``,
prints what the container prints, of which the rounds' metrics are read by others, and stores ``xgboost-model``. A
failure is written to ``/opt/ml/output/failure`` in the words of the container's toolkit.

Not here: cross validation (``_kfold``) and accelerators.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xgboost

import channels
import custom_metrics
import hyperparameters
from sagemaker_algorithm_toolkit.exceptions import AlgorithmError, UserError
from sagemaker_xgboost_container import distributed

_CONFIGURATION = Path("/opt/ml/input/config")
_MODEL = Path("/opt/ml/model/xgboost-model")
_FAILURE = Path("/opt/ml/output/failure")
_UNFINISHED = Path("/opt/ml/unfinished-model")
_CHECKPOINT = "xgboost-checkpoint"
_TOOLKIT = "sagemaker_algorithm_toolkit.exceptions"
# XGBoost's complaints about data and hyperparameters.
_OF_THE_USER = (
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "the dataset only contains pos or neg samples",
    "base_score must be in (0,1)",
    "label must be nonnegative",
    "Parameter reg_lambda should be greater equal to 0",
)


def main(*, pickled: bool = False, before_1_2: bool = False) -> int:
    """Train; return the exit status.

    Args:
        pickled: store the model as a pickle.
        before_1_2: take the hyperparameters of the containers before 1.2.
    """
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="[%(asctime)s:%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d:%H:%M:%S",
    )
    # XGBoost's advice to read and write what the container does not.
    warnings.filterwarnings("ignore", "(?s).*(Text file input|in the UBJSON format|Unknown file format)", UserWarning)
    logging.info("Running XGBoost Sagemaker in algorithm mode")
    try:
        _train(pickled=pickled, before_1_2=before_1_2)
    except Exception as error:
        known = isinstance(error, UserError | AlgorithmError)
        name = f"{_TOOLKIT}.{type(error).__name__}" if known else type(error).__name__
        reason = f"framework error: \n{name}: {error}"
        _FAILURE.write_text(reason)
        logging.exception("Reporting training FAILURE")
        logging.exception(reason, exc_info=not known)
        return 1
    return 0


def _train(*, pickled: bool, before_1_2: bool) -> None:
    values = hyperparameters.validate(_read("hyperparameters"), before_1_2=before_1_2)
    if "_kfold" in values or values.pop("use_dask_gpu_training", "false") == "true":
        raise UserError("Neither cross validation (_kfold) nor use_dask_gpu_training is available here.")
    data = channels.read(_read("inputdataconfig"), weights=bool(values.pop("csv_weights", 0)))
    resources = _read("resourceconfig")
    hosts = resources["hosts"]
    logging.info(
        "Single node training." if len(hosts) == 1 else f"Distributed node training with {len(hosts)} hosts: {hosts}"
    )
    logging.info("Train matrix has %d rows and %d columns", data["train"].num_row(), data["train"].num_col())
    if "validation" in data:
        logging.info("Validation matrix has %d rows", data["validation"].num_row())
    with distributed.together(hosts, resources["current_host"]):
        model = _boost(values, data)
        leads = distributed.is_leader()
    if leads and pickled:
        _MODEL.write_bytes(pickle.dumps(model, protocol=4))
    elif leads:
        model.save_model(_MODEL)


def _read(name: str) -> Any:
    return json.loads((_CONFIGURATION / f"{name}.json").read_text())


def _boost(values: dict[str, Any], data: Mapping[str, xgboost.DMatrix]) -> xgboost.Booster:
    rounds, patience = values.pop("num_round"), values.pop("early_stopping_rounds", None)
    on_termination = values.pop("save_model_on_termination", "false") == "true"
    tuned = values.pop("_tuning_objective_metric", None)
    wanted = list(values.pop("eval_metric", []))
    if tuned is not None:
        wanted = sorted({*wanted, tuned.partition(":")[2]})
    if "updater" in values:
        values["updater"] = ",".join(values["updater"])
    own = [name for name in wanted if name in custom_metrics.NAMES]
    if builtin := [name for name in wanted if name not in own]:
        values["eval_metric"] = builtin
    callbacks: list[xgboost.callback.TrainingCallback] = [_Rounds()]
    if patience and wanted and "validation" in data:
        metric = tuned.partition(":")[2] if tuned is not None else wanted[-1]
        callbacks.append(
            xgboost.callback.EarlyStopping(
                rounds=patience,
                data_name="validation",
                metric_name=metric,
                maximize=metric in hyperparameters.MAXIMIZED,
                save_best=distributed.is_leader(),
            )
        )
    if on_termination and distributed.is_leader():
        callbacks.append(_Keep())
    checkpoints = _checkpoints()
    start, done = _newest(checkpoints)
    if checkpoints is not None and distributed.is_leader():
        callbacks.append(_Checkpoints(checkpoints, done))
    try:
        return xgboost.train(
            values,
            data["train"],
            num_boost_round=rounds - done,
            evals=[(matrix, name) for name, matrix in data.items()],
            custom_metric=custom_metrics.evaluation(own, values.get("objective", "")),
            callbacks=callbacks,
            xgb_model=start,
            verbose_eval=False,
        )
    except Exception as error:
        if any(part in str(error) for part in _OF_THE_USER):
            raise UserError(str(error)) from error
        raise AlgorithmError(f"XGB train call failed with exception:\n {error}") from error


class _Rounds(xgboost.callback.TrainingCallback):
    """Prints the metrics of each round as XGBoost does; a tab is #011 in the logs of SageMaker's algorithms."""

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's
        if distributed.is_leader():
            values = [
                f"#011{channel}-{metric}:{values[-1]:.5f}"
                for channel, metrics in evals_log.items()
                for metric, values in metrics.items()
            ]
            print("".join([f"[{epoch}]", *values]), flush=True)
        return False


class _Keep(xgboost.callback.TrainingCallback):
    """Stores the model after each round, so that a job that is stopped has one."""

    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's
        _store(model, _MODEL)
        return False


class _Checkpoints(xgboost.callback.TrainingCallback):
    """Stores each round's model, of which the newest five stay."""

    _KEPT = 5

    def __init__(self, folder: Path, done: int) -> None:
        self._folder, self._done = folder, done

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's
        _store(model, self._folder / f"{_CHECKPOINT}.{self._done}")
        (self._folder / f"{_CHECKPOINT}.{self._done - self._KEPT}").unlink(missing_ok=True)
        self._done += 1
        return False


def _store(model: xgboost.Booster, file: Path) -> None:
    """Store a model as a whole or not at all: the folder may be read at any time."""
    model.save_model(_UNFINISHED)
    _UNFINISHED.rename(file)


def _checkpoints() -> Path | None:
    file = _CONFIGURATION / "checkpointconfig.json"
    folder = json.loads(file.read_text()).get("LocalPath") if file.exists() else None
    return Path(folder) if folder else None


def _newest(folder: Path | None) -> tuple[str | None, int]:
    """Return the model of the newest checkpoint, and how many rounds it has had."""
    found = [] if folder is None else [path for path in folder.glob(f"{_CHECKPOINT}.*") if path.suffix[1:].isdigit()]
    if not found:
        return None, 0
    newest = max(found, key=lambda path: int(path.suffix[1:]))
    logging.info("Checkpoint loaded from %s", newest)
    return str(newest), int(newest.suffix[1:]) + 1


if __name__ == "__main__":
    sys.exit(main())
