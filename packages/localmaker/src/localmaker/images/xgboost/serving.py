"""Serve a model of AWS's XGBoost algorithm as its container does, and what a program of the user's lacks there.

A module for the model server, which runs in the sandbox of a transform job, in the image's environment. It has nothing
from its folder, since a program of the user's may have modules of the same names.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from scipy import stats

from sagemaker_xgboost_container.encoder import csv_to_dmatrix, libsvm_to_dmatrix

#: What the container takes where a request does not say.
DEFAULT_CONTENT_TYPE, DEFAULT_ACCEPT = "text/libsvm", "text/csv"
_CSV, _LIBSVM = ("csv", "text/csv"), ("libsvm", "text/libsvm", "text/x-libsvm")
_ACCEPTED = ("application/json", "application/jsonlines", "text/csv")
_VOTING = ("multi:softmax", "binary:hinge")
_MEGABYTES = 6
_NO_CONTENT, _BAD_REQUEST, _NOT_ACCEPTABLE, _UNSUPPORTED, _FAILED = 204, 400, 406, 415, 500

# XGBoost's advice to name the model's file otherwise than the container does.
warnings.filterwarnings("ignore", "(?s).*Unknown file format", UserWarning)
logging.basicConfig(
    stream=sys.stdout,
    level=logging.INFO,
    format="[%(asctime)s:%(levelname)s] %(message)s",
    datefmt="%Y-%m-%d:%H:%M:%S",
)


@dataclass(frozen=True)
class Response:
    """What the model server takes as the response of a web framework."""

    body: str
    status_code: int = 200
    content_type: str = "text/csv"

    def get_data(self) -> bytes:
        """Return the body."""
        return self.body.encode()


@dataclass(frozen=True)
class Ensemble:
    """All models of an archive, which predict together."""

    models: Sequence[xgboost.Booster]

    @property
    def objective(self) -> str:
        """The objective of the first."""
        return str(json.loads(self.models[0].save_config())["learner"]["objective"]["name"])

    def predict(self, data: xgboost.DMatrix) -> Any:
        """Return their mean, or what most of them say."""
        predictions = [model.predict(data, validate_features=False) for model in self.models]
        if len(predictions) == 1:
            return predictions[0]
        return stats.mode(predictions).mode if self.objective in _VOTING else np.mean(predictions, axis=0)


def model_fn(model_dir: str) -> Ensemble:
    """Load every file of the artefact's root: as a pickle, or in XGBoost's own format.

    Raises:
        RuntimeError: a file is neither, or there is none.
    """
    files = sorted(path for path in Path(model_dir).iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise RuntimeError(f"Unable to load model: there is no file in {model_dir}")
    if os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true") != "true":
        files = files[:1]
    model = Ensemble([_load(file) for file in files])
    logging.info("Model objective : %s", model.objective)
    return model


def _load(file: Path) -> xgboost.Booster:
    logging.info("Loading the model from %s", file)
    try:
        model = pickle.loads(file.read_bytes())  # noqa: S301 - whoever made the model decides what runs here anyway
    except Exception as not_a_pickle:  # noqa: BLE001 - whatever it raises, it is no pickle of a model
        model = xgboost.Booster()
        try:
            model.load_model(file)
        except xgboost.core.XGBoostError as error:
            raise RuntimeError(
                f"Model {file} cannot be loaded:\nPickle load error={not_a_pickle}\nXGB load model error={error}"
            ) from error
    booster: xgboost.Booster = model.get_booster() if hasattr(model, "get_booster") else model
    return booster


def transform_fn(model: Ensemble, body: str | bytes, content_type: str, accept: str) -> Response:
    """Answer one request."""
    if not body:
        return Response("", _NO_CONTENT)
    try:
        data = default_input_fn(body, content_type)
    except Exception as error:  # noqa: BLE001 - as the container does
        return _refusal(_UNSUPPORTED, str(error))
    try:
        predictions = model.predict(data)
    except Exception as error:  # noqa: BLE001 - as the container does
        return _refusal(_BAD_REQUEST, f"Unable to evaluate payload provided: {error}")
    kind = accept.partition(";")[0].strip().lower()
    if kind not in _ACCEPTED:
        return _refusal(
            _NOT_ACCEPTABLE,
            f"Accept type {accept} is not supported. Please use supported accept types: {list(_ACCEPTED)}.",
        )
    if "SAGEMAKER_INFERENCE_OUTPUT" in os.environ:
        return _refusal(_FAILED, "SAGEMAKER_INFERENCE_OUTPUT is not available here.")
    # In a transform job one line for each record, whatever is accepted.
    return Response("".join(f"{value}\n" for value in predictions.tolist()), content_type=kind)


def execution_parameters_fn() -> tuple[str, str]:
    """Return how the container wants to be called."""
    parameters = {
        "MaxConcurrentTransforms": os.cpu_count() or 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": _MEGABYTES,
    }
    return json.dumps(parameters), "application/json"


def default_input_fn(body: str | bytes, content_type: str) -> xgboost.DMatrix:
    """Return the rows of a request.

    Raises:
        ValueError: the content is in another format, or not what its type says.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (*_CSV, *_LIBSVM):
        raise ValueError(f"{content_type} is not an accepted ContentType: {', '.join((*_CSV, *_LIBSVM))}.")
    name, parse = ("csv", csv_to_dmatrix) if kind in _CSV else ("libsvm", libsvm_to_dmatrix)
    try:
        return parse(body)
    except Exception as error:
        raise ValueError(
            f"Loading {name} data failed with Exception, please ensure data is in {name} format:\n {type(error)}\n "
            f"{error}"
        ) from error


def default_predict_fn(data: xgboost.DMatrix, model: Any) -> Any:
    """Return the predictions of a program's own model."""
    return model.predict(data, validate_features=False)


def _refusal(status: int, text: str) -> Response:
    logging.error(text)
    return Response(text, status, "text/html")
