"""Train the linear regression on the rows of the `train` channel and write the model as data.

Model directory: model.json, code/ with inference.py and what it imports, and for the evaluation summary.txt (the table
as statsmodels writes it) and summary.json (every figure of it). Output data directory: the same two. Metrics are
printed as `train:<name>=<value>;` for metric definitions.
"""

from __future__ import annotations

import os
import platform
import shutil
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import read_dataset
from analysis.features.profiles import Variant, past_of, profile_of
from analysis.model.archive import SUMMARY_JSON, SUMMARY_TEXT
from analysis.model.artefact import MODEL_JSON
from analysis.runtime.container import TRAINING_FAILURE, Arguments, existing_file, made_directory, run_step
from analysis.runtime.errors import TrainingError
from analysis.runtime.files import read_json, write_json

if TYPE_CHECKING:
    from analysis.model.artefact import LinearModel

LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn")
SERVING_FILES = (
    "inference.py",
    "analysis/__init__.py",
    "analysis/model/__init__.py",
    "analysis/model/artefact.py",
    "analysis/model/baseline.py",
    "analysis/runtime/__init__.py",
    "analysis/runtime/errors.py",
    "analysis/runtime/names.py",
)
"""The files that serve the model, relative to this one, and nothing more."""


def provenance(request: Namespace, source: dict[str, Any]) -> dict[str, Any]:
    """Describe where the model comes from: data, code and library versions; None for what is unknown to the job."""
    return {
        "data_file": source.get("file"),
        "data_sha256": source.get("sha256"),
        "dataset": source.get("dataset"),
        "split": {name: source.get(name) for name in ("train_fraction", "random_state", "rows")},
        "code_sha256": request.code_sha256 or None,
        "training_job": os.environ.get("TRAINING_JOB_NAME"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def lowest(dataset: Dataset) -> float | None:
    """Return the value below which nothing is predicted, nor does an interval begin; None where there is none."""
    target = dataset.columns[dataset.target]
    return target.minimum if target.minimum is not None or target.kind is not Kind.COUNT else 0.0


def write_model(model: LinearModel, model_dir: Path) -> None:
    """Write model.json, and the code that serves it."""
    made_directory(model_dir)
    (model_dir / MODEL_JSON).write_text(model.to_json(), encoding="utf-8")
    here = Path(__file__).resolve().parent
    for name in SERVING_FILES:
        target = model_dir / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here / name, target)


def print_metrics(model: LinearModel) -> None:
    """Print one line a metric, in the form that the training job's metric definitions look for."""
    training = model.training
    for name in ("r2", "adjusted_r2", "rmse", "mae"):
        print(f"train:{name}={training[name]:.12g};")
    print(f"train:rows={training['rows']};")
    print(f"train:features={len(model.selected)};")
    if model.calibration is not None:
        print(f"train:interval_half_width={model.calibration.half_width:.12g};")


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    parser = Arguments(__doc__, TRAINING_FAILURE)
    parser.add_dataset()
    parser.add_argument("--profile", default="declared", help="must be that of the rows; by default it is")
    count_help = "columns that elimination keeps, where the profile selects; 0 for as many as it declares"
    parser.add_argument("--feature-count", type=int, default=0, help=count_help)
    parser.add_argument("--code-sha256", default=os.environ.get("CODE_SHA256", ""), help="digest of the code bundle")
    parser.add_path("--train-dir", "/opt/ml/input/data/train", "channel")
    parser.add_path("--model-dir", "/opt/ml/model", "becomes model.tar.gz")
    parser.add_path("--output-data-dir", "/opt/ml/output/data", "becomes output.tar.gz")
    request = parser.parse_args(arguments)
    rows_file = existing_file(request.train_dir / "train.parquet", "The training data")
    dataset = read_dataset(existing_file(request.dataset, "The declaration of the data set"))
    source = read_json(existing_file(request.train_dir / "source.json", "The description of the training rows"))
    profile = profile_of(dataset, source["profile"], Variant(**source["variant"]))
    if request.profile not in {"declared", profile.name}:
        raise TrainingError(
            f"train.parquet was not prepared for profile {request.profile!r}: it is of profile {profile.name!r}. "
            "Give preprocess.py and train.py the same --profile."
        )
    count = request.feature_count or profile.feature_count
    # Imported here so that --help and a wrong call are answered at once.
    from threadpoolctl import threadpool_limits

    from analysis.runtime.tables import leave_pandas_out

    leave_pandas_out()
    from analysis.evaluation.drift import baseline_of
    from analysis.features.preparation import preparation_from
    from analysis.model.fitting import fit_linear_model
    from analysis.model.summary import regression_summary
    from analysis.model.table import summary_text
    from analysis.model.training_rows import Columns, features_by_gap, training_rows

    # Tiles and triangles are small: threads of the linear algebra would only wait for each other.
    threadpool_limits(limits=1)
    rows = training_rows(rows_file, profile, dataset)
    by_gap = features_by_gap(request.train_dir, rows.count, profile)
    removed = source.get("removed_columns", {})
    fit = fit_linear_model(rows, profile, count, provenance(request, source), removed=removed, by_gap=by_gap)
    prepared = {"variant": source["variant"], "learned": source["preparation"]}
    prepared |= {"past": past_of(profile, dataset)} if profile.past else {}
    learned, columns = preparation_from(source["preparation"]), Columns(rows_file, profile.names)
    baseline = baseline_of(profile.columns, dataset, learned, columns, source.get("missing", {}))
    model = replace(fit.model, lower_bound=lowest(dataset), preparation=prepared, baseline=baseline)
    fit = replace(fit, model=model)
    write_model(fit.model, request.model_dir)
    summary, table = regression_summary(fit), f"{summary_text(fit.results, datetime.now().astimezone())}\n"
    for directory in (request.model_dir, request.output_data_dir):
        made_directory(directory)
        (directory / SUMMARY_TEXT).write_text(table, encoding="utf-8")
        write_json(summary, directory / SUMMARY_JSON)
    for column, reason in fit.excluded.items():
        print(f"train: {column} gets no coefficient: {reason}")
    print_metrics(fit.model)


if __name__ == "__main__":
    run_step(main, TRAINING_FAILURE)
