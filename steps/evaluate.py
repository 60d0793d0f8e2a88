"""Evaluate the trained model on rows that it has not seen, and write evaluation.json.

`regression_metrics` has the shape of SageMaker's model-quality statistics (value and standard deviation, the latter
over seeded bootstrap resamples of the test rows); the other blocks are described in `evaluation`.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.artefact import FILE_NAME, LinearModel, model_from_json
from analysis.container import PROCESSING, PROCESSING_MESSAGE, Arguments, existing_file, run_step
from analysis.errors import ModelError
from analysis.frames import read_frame, read_json, write_json
from analysis.leakage import NEAR_EXACT, check_leakage
from analysis.metrics import all_metrics, coverage, resampled_deviations
from analysis.profiles import profile_named

_LARGEST_MODEL = 16 * 1024 * 1024


@dataclass(frozen=True)
class LabelledRows:
    """Model inputs of shape (n, columns) and their actual values of shape (n,)."""

    frame: pd.DataFrame
    inputs: np.ndarray[Any, np.dtype[np.float64]]
    actual: np.ndarray[Any, np.dtype[np.float64]]


def model_from_archive(archive: Path) -> LinearModel:
    """Read model.json out of model.tar.gz without unpacking it.

    Refuses an archive with a member that tarfile's data filter refuses (absolute or outside paths, devices, links
    that lead out), and a model.json that is no ordinary file or unreasonably large.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar.getmembers():
                tarfile.data_filter(member, str(archive.parent))
                if member.name.removeprefix("./") == FILE_NAME:
                    return model_from_json(_text_of(tar, member, archive), source=f"{archive.name}/{FILE_NAME}")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{archive}: the model archive can't be used ({error}).") from error
    raise ModelError(f"{archive}: there is no {FILE_NAME} in the archive.")


def _text_of(tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Path) -> str:
    content = tar.extractfile(member) if member.isfile() and member.size <= _LARGEST_MODEL else None
    if content is None:
        raise ModelError(f"{archive}: {member.name} is no ordinary file of at most {_LARGEST_MODEL} bytes.")
    try:
        return content.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{archive}: {member.name} is not UTF-8.") from error


def labelled_rows(path: Path, model: LinearModel) -> LabelledRows:
    """Read rows and check that they have the model's columns."""
    frame = read_frame(path)
    expected = [*model.input_columns, model.target]
    if list(frame.columns) != expected:
        raise ModelError(
            f"{path}: the model takes {', '.join(expected)}; the file has {', '.join(map(str, frame.columns))}. "
            "Give preprocess.py and train.py the same --profile."
        )
    inputs = frame[list(model.input_columns)].to_numpy(dtype=np.float64)
    return LabelledRows(frame, inputs, frame[model.target].to_numpy(dtype=np.float64))


def evaluation(
    model: LinearModel, train: LabelledRows, test: LabelledRows, quality: dict[str, Any], threshold: float
) -> dict[str, Any]:
    """The content of evaluation.json.

    regression_metrics: of the test rows. train, test: all metrics of either. baseline: the test metrics of always
    predicting the training mean. intervals: the share of test rows within their prediction interval. leakage: whether
    the target is a (near-)exact linear combination of input columns of the training rows. model, data: what was
    evaluated, on what.
    """
    predicted = model.predict(test.inputs)
    features = len(model.selected)
    on_test = all_metrics(test.actual, predicted.prediction, features)
    if on_test["r2"] is None:
        raise ModelError("All test rows have the same actual value, so that R-squared has no meaning. Use more rows.")
    deviations = resampled_deviations(test.actual, predicted.prediction)
    mean = float(train.actual.mean())
    leakage = check_leakage(
        train.frame[list(model.input_columns)],
        train.frame[model.target],
        known=profile_named(model.profile).known_leakage,
        threshold=threshold,
    )
    return {
        "regression_metrics": {
            name: {"value": on_test[name], "standard_deviation": deviations[name]}
            for name in ("mae", "mse", "rmse", "r2")
        },
        "train": all_metrics(train.actual, model.predict(train.inputs).prediction, features),
        "test": on_test,
        "baseline": {"prediction": mean, **all_metrics(test.actual, np.full(test.actual.size, mean), 0)},
        "intervals": {
            "level": model.interval_level,
            "coverage": coverage(test.actual, predicted.lower, predicted.upper),
            "mean_width": float((predicted.upper - predicted.lower).mean()),
        },
        "leakage": leakage.to_dict(),
        "model": {
            "profile": model.profile,
            "selected_features": list(model.selected),
            "provenance": model.provenance,
        },
        "data": {"file": quality.get("file"), "sha256": quality.get("sha256"), "rows": quality.get("rows")},
    }


def main(arguments: Sequence[str]) -> None:
    parser = Arguments(__doc__, PROCESSING_MESSAGE)
    inputs = PROCESSING / "input"
    parser.add_argument("--model-dir", type=Path, default=inputs / "model", help="holds model.tar.gz")
    parser.add_argument("--train-dir", type=Path, default=inputs / "train", help="holds train.csv")
    parser.add_argument("--test-dir", type=Path, default=inputs / "test", help="holds test.csv")
    parser.add_argument("--quality-dir", type=Path, default=inputs / "quality", help="holds quality.json")
    parser.add_argument(
        "--leakage-threshold", type=float, default=NEAR_EXACT, help="adjusted R-squared that is leakage"
    )
    parser.add_argument(
        "--output-dir", type=Path, default=PROCESSING / "output" / "evaluation", help="gets evaluation.json"
    )
    request = parser.parse_args(arguments)
    model = model_from_archive(existing_file(request.model_dir / "model.tar.gz", "The model archive"))
    train = labelled_rows(existing_file(request.train_dir / "train.csv", "The training data"), model)
    test = labelled_rows(existing_file(request.test_dir / "test.csv", "The test data"), model)
    quality = read_json(existing_file(request.quality_dir / "quality.json", "The quality report"))
    result = evaluation(model, train, test, quality, request.leakage_threshold)
    write_json(result, request.output_dir / "evaluation.json")
    on_test, leakage = result["test"], result["leakage"]
    print(f"test:r2={on_test['r2']};")
    print(f"test:rmse={on_test['rmse']};")
    print(f"test:mae={on_test['mae']};")
    print(
        f"evaluate: leakage {leakage['verdict']} {leakage['columns']}, coverage {result['intervals']['coverage']:.3f}"
    )


if __name__ == "__main__":
    run_step(main, PROCESSING_MESSAGE)
