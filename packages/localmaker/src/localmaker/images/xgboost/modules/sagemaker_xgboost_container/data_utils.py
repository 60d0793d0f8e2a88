"""Files as XGBoost's matrices, in the formats that AWS's XGBoost container takes.

CSV has the label first and no header; libsvm may have weights behind the labels.
"""

from __future__ import annotations

import csv
import logging
import tempfile
from email.message import Message
from pathlib import Path

import xgboost

from sagemaker_algorithm_toolkit.exceptions import UserError

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
_SHOWN = 50


def get_dmatrix(
    data_path: str | Path,
    content_type: str | None,
    csv_weights: int = 0,
    is_pipe: bool = False,
    combine_train_val: bool = False,
) -> xgboost.DMatrix | None:
    """Return the matrix of a file, or of all files below a folder; None where there is none.

    Args:
        data_path: the file or folder.
        content_type: ``text/csv``, ``libsvm`` and so on; libsvm where None.
        csv_weights: 1 if the second column of CSV files holds weights.
        is_pipe: Pipe mode, which is refused.
        combine_train_val: both channels as one, which is refused.

    Raises:
        UserError: the content is in another format, or asks for what is refused.
    """
    if is_pipe or combine_train_val:
        raise UserError("Neither is_pipe nor combine_train_val is available here.")
    path, kind = Path(data_path), content_format(content_type)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        return None
    with tempfile.TemporaryDirectory() as one:
        # XGBoost reads the files of one folder.
        for number, file in enumerate(files):
            Path(one, f"{number}-{file.name}").symlink_to(file)
        try:
            return _READERS[kind](one, files, bool(csv_weights))
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"Failed to load {kind} data with exception:\n{error}") from error


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
