"""The channels of AWS's XGBoost algorithm: what they may hold, and how they become XGBoost's matrices.

The channels' folders may be nested.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xgboost

from sagemaker_algorithm_toolkit.exceptions import UserError
from sagemaker_xgboost_container.data_utils import content_format, get_dmatrix

_DATA = Path("/opt/ml/input/data")
_NAMES = {"train": True, "validation": False, "code": False}


def read(configuration: Mapping[str, Mapping[str, Any]], *, weights: bool) -> Mapping[str, xgboost.DMatrix]:
    """Return the matrix of each channel.

    Args:
        configuration: content of ``inputdataconfig.json``.
        weights: the second column of CSV files holds weights.

    Raises:
        UserError: a channel is missing, unknown or empty, or its content cannot be read.
    """
    for name, required in _NAMES.items():
        if required and name not in configuration:
            raise UserError(f"Missing required channel: {name}")
    for name, channel in configuration.items():
        if name not in _NAMES:
            raise UserError(f"Extraneous channel found: {name}")
        if channel["TrainingInputMode"] == "Pipe":
            raise UserError(
                "Pipe mode is no longer supported. Please use Fast File mode (default) instead. Set input_mode='File' "
                "in your SageMaker Estimator or TrainingInput."
            )
    # As in the container, the train channel says what both have.
    kind = content_format(configuration["train"].get("ContentType"))
    return {name: _matrix(name, kind, weights=weights) for name in ("train", "validation") if name in configuration}


def _matrix(channel: str, kind: str, *, weights: bool) -> xgboost.DMatrix:
    folder = _DATA / channel
    files = [path for path in folder.rglob("*") if path.is_file()]
    if any(path.name.startswith(".") for path in files):
        raise UserError("Hidden file found in the data path! Remove that before training.")
    if not any(path.stat().st_size for path in files):
        raise UserError(f"No data in {'training' if channel == 'train' else 'validation'} channel path {folder}")
    matrix = get_dmatrix(folder, kind, csv_weights=int(weights))
    if matrix is None or not matrix.get_label().size:
        raise UserError("Got input data without labels. Please check the input data set.")
    return matrix
