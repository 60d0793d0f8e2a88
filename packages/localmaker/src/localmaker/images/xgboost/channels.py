"""The channels of AWS's XGBoost algorithm: what they may hold, and how they become XGBoost's matrices.

CSV has the label first and no header; libsvm may have weights behind the labels. The channels' folders may be nested.
"""

from __future__ import annotations

import csv
import logging
import tempfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import xgboost

from errors import UserError

CSV, LIBSVM, PARQUET = "csv", "libsvm", "parquet"
_FORMATS = {
    "csv": CSV,
    "text/csv": CSV,
    "libsvm": LIBSVM,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "parquet": PARQUET,
    "application/x-parquet": PARQUET,
}
_DATA = Path("/opt/ml/input/data")
_NAMES = {"train": True, "validation": False, "code": False}
_SHOWN = 50


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


def content_format(content_type: str | None) -> str:
    """Return ``csv``, ``libsvm`` or ``parquet``; libsvm where a channel does not say what it has.

    Raises:
        UserError: the algorithm does not take this type.
    """
    if content_type is None:
        return LIBSVM
    header = Message()
    header["Content-Type"] = content_type.lower()
    (kind, _), *parameters = header.get_params([("", "")])
    if kind not in _FORMATS:
        raise UserError(f"{content_type} is not an accepted ContentType: {', '.join(_FORMATS)}.")
    if dict(parameters).get("label_size", "1") != "1":
        raise UserError(
            f"{content_type} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        )
    return _FORMATS[kind]


def _matrix(channel: str, kind: str, *, weights: bool) -> xgboost.DMatrix:
    folder = _DATA / channel
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if any(path.name.startswith(".") for path in files):
        raise UserError("Hidden file found in the data path! Remove that before training.")
    if not any(path.stat().st_size for path in files):
        raise UserError(f"No data in {'training' if channel == 'train' else 'validation'} channel path {folder}")
    with tempfile.TemporaryDirectory() as one:
        # XGBoost reads the files of one folder.
        for number, path in enumerate(files):
            Path(one, f"{number}-{path.name}").symlink_to(path)
        try:
            matrix = _READERS[kind](one, files, weights)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"Failed to load {kind} data with exception:\n{error}") from error
    if not matrix.get_label().size:
        raise UserError("Got input data without labels. Please check the input data set.")
    return matrix


def _read_csv(folder: str, files: list[Path], weights: bool) -> xgboost.DMatrix:
    delimiters = {_delimiter(path) for path in files}
    options = f"format=csv&label_column=0&delimiter={delimiters.pop()}{'&weight_column=1' if weights else ''}"
    return xgboost.DMatrix(f"{folder}?{options}")


def _delimiter(file: Path) -> str:
    with file.open(errors="ignore") as stream:
        line = stream.readline()
    try:
        delimiter = csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:_SHOWN]}:\n{error}") from error
    logging.info("Determined delimiter of CSV input is '%s'", delimiter)
    return delimiter


def _read_libsvm(folder: str, files: list[Path], weights: bool) -> xgboost.DMatrix:  # noqa: ARG001 - as above
    for path in files:
        _check_libsvm(path)
    return xgboost.DMatrix(f"{folder}?format=libsvm")


def _check_libsvm(file: Path) -> None:
    with file.open(errors="ignore") as stream:
        line = stream.readline()
    label, *features = line.split()[:2] or [""]
    try:
        numbers = [float(part) for part in label.split(":")]
        good = len(numbers) <= 2 and all(":" in feature for feature in features)  # noqa: PLR2004 - label and weight
    except ValueError:
        good = False
    if not good:
        raise UserError(
            f"First line '{line[:_SHOWN]}...' of file '{file.name}' is not 'LIBSVM' format. "
            "Please ensure the file is in 'LIBSVM' format."
        )


def _read_parquet(folder: str, files: list[Path], weights: bool) -> xgboost.DMatrix:  # noqa: ARG001 - as above
    import pyarrow.parquet

    values = pyarrow.parquet.read_table(folder).to_pandas().to_numpy()
    return xgboost.DMatrix(values[:, 1:], label=values[:, 0])


_READERS = {CSV: _read_csv, LIBSVM: _read_libsvm, PARQUET: _read_parquet}
