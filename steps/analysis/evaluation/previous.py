"""The model in use now, measured on the same test rows. Its absence or state never fails a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.dataset.declaration import Dataset
from analysis.evaluation.drift import Columns, drift_report, not_compared
from analysis.evaluation.metrics import all_metrics
from analysis.evaluation.paired import compared
from analysis.evaluation.rows import LabelledRows
from analysis.features.transform import model_columns
from analysis.model.archive import LARGEST_ARCHIVE, archive_from
from analysis.model.artefact import Floats, LinearModel
from analysis.model.inputs import inputs_of
from analysis.runtime.errors import ModelError, StepError
from analysis.runtime.registry import approved, in_use, model_data_url


@dataclass(frozen=True)
class PreviousModel:
    """The model in use. status: "not asked", "none", "unreadable" or "found"; reason: why there is no model."""

    status: str
    reason: str = ""
    arn: str | None = None
    version: int | None = None
    model: LinearModel | None = None


def previous_model(group: str) -> PreviousModel:
    """Download the model of the registry's group that is in use into memory; no error leaves this function."""
    if not group:
        return PreviousModel("not asked", "no model package group was named")
    arn: str | None = None
    try:
        # Imported here because an evaluation on its own asks no AWS service.
        import boto3

        from analysis.runtime.aws import aws_call, client_settings, split_s3_uri

        # The step can do without it, so these give up after seconds where no endpoint answers.
        brief = client_settings(attempts=2, connect_timeout=3, read_timeout=20)
        sagemaker = boto3.client("sagemaker", **brief)
        with aws_call(f"Looking for approved models in {group!r}"):
            package = in_use(approved(sagemaker, group))
        if package is None:
            return PreviousModel("none", f"no version in {group} is in use yet")
        arn = package["ModelPackageArn"]
        uri = model_data_url(package)
        if not uri:
            raise ModelError("the model package in use names no model data.")
        bucket, key = split_s3_uri(uri)
        with aws_call(f"Reading {uri}"):
            body = boto3.client("s3", **brief).get_object(Bucket=bucket, Key=key)["Body"]
            data: bytes = body.read(LARGEST_ARCHIVE + 1)
        if len(data) > LARGEST_ARCHIVE:
            raise ModelError(f"{uri} is larger than {LARGEST_ARCHIVE} bytes.")
        model = archive_from(data, str(arn)).model
    except StepError as error:
        return PreviousModel("unreadable", str(error), arn)
    return PreviousModel("found", "", arn, package.get("ModelPackageVersion"), model)


def comparison(
    previous: PreviousModel, current: LinearModel, test: LabelledRows, metrics: dict[str, Any], dataset: Dataset
) -> dict[str, Any]:
    """Compute the block `previous_model` of evaluation.json: champion (the model in use) and challenger (this one).

    status: "not asked", "none", "unreadable", "not comparable" or "compared"; reason: why it is not compared, or "".
    model_package_arn, version, profile: of the model in use, null where there is none.

    Where they are compared, on the same test rows:

    - test: metrics of the model in use. difference: this model's metric less that one's (r2, rmse, mae, mape).
    - verdict: of this model: "better", "worse" or "no difference that these rows can show", by the RMSE's interval.
    - difference_intervals: {"rmse": [low, high], "mae", "r2"}: of each difference, by a seeded paired bootstrap; null
      for fewer than 20 rows. interval_level: 0.95. resamples: how many. rows: how many are compared.
    - same_split: whether both were trained on the same rows. Where false, the model in use may have learned from some
      of the test rows, which flatters it.
    """
    block: dict[str, Any] = {
        "status": previous.status,
        "reason": previous.reason,
        "model_package_arn": previous.arn,
        "version": previous.version,
    }
    model = previous.model
    if model is None:
        return block
    block["profile"] = model.profile
    try:
        inputs = _inputs_for(model, current, test, dataset)
    except ModelError as error:
        return {**block, "status": "not comparable", "reason": str(error)}
    predicted = model.fitted(inputs)
    earlier = all_metrics(test.actual, predicted, len(model.selected))
    both = [name for name in ("r2", "rmse", "mae", "mape") if None not in (metrics[name], earlier[name])]
    return {
        **block,
        "status": "compared",
        "test": earlier,
        "difference": {name: metrics[name] - earlier[name] for name in both},
        **compared(test.actual, current.fitted(test.inputs), predicted),
        "same_split": _training_rows(model) == _training_rows(current),
    }


def challenge_in_words(block: dict[str, Any]) -> str:
    """Say in a line what `comparison` found."""
    if block["status"] != "compared":
        return f"{block['status']} {block['reason']}".rstrip()
    change, ends = f"RMSE {block['difference']['rmse']:+.4g}", (block["difference_intervals"] or {}).get("rmse")
    interval = f" (95 %: {ends[0]:+.4g} to {ends[1]:+.4g})" if ends else ""
    return f"compared with version {block['version']}: {block['verdict']}, {change}{interval}"


def _inputs_for(model: LinearModel, current: LinearModel, test: LabelledRows, dataset: Dataset) -> Floats:
    """Return the test rows as the model in use takes them; raise ModelError, saying why, where that can't be done.

    They are prepared again for it where it takes other columns, or makes them with what it has learned itself.
    """
    if model.target != current.target:
        raise ModelError(f"it predicts {model.target}")
    names = list(model.input_columns)
    if set(names) <= set(current.input_columns) and _learned(model) == _learned(current):
        return test.inputs[:, [current.input_columns.index(name) for name in names]]
    if test.sources is None:
        raise ModelError("the columns that the test rows are made of were not kept")
    profile, _, learned = inputs_of(model, dataset)
    lacking = [name for name in (*profile.sources, *profile.past) if name not in test.sources.column_names]
    if lacking:
        raise ModelError(f"its profile {profile.name} takes {', '.join(lacking)}, which the test rows lack")
    columns = model_columns(test.sources, profile.columns, dataset, learned)
    empty = [name for name in columns.column_names if columns[name].null_count]
    if empty:
        raise ModelError(
            f"test rows have empty cells of {', '.join(empty)}, and it has learned nothing to fill them with"
        )
    return np.column_stack([columns[name].to_numpy().astype(np.float64) for name in names])


def _learned(model: LinearModel) -> tuple[Any, ...]:
    learned = model.preparation.get("learned", {})
    return learned.get("fills", {}), learned.get("edges", {})


def drift_since(
    previous: PreviousModel, current: LinearModel, rows: Columns, quality: dict[str, Any], threshold: float
) -> dict[str, Any]:
    """Compare a new model's whole file with the training rows of the one in use: the block `drift`.

    rows: values of the current model's input columns. Features whose bins each model has learned for itself are left
    out: rows are divided by the new edges, and only the old ones would show a change.
    """
    model = previous.model
    if model is None:
        return not_compared(previous.reason, threshold)
    if model.input_columns != current.input_columns:
        return not_compared("the model in use takes other columns", threshold)
    if model.baseline is not None:
        then, now = (one.preparation.get("learned", {}).get("edges", {}) for one in (model, current))
        features = model.baseline.features.items()
        same = {name: one for name, one in features if one.edges is not None or then.get(name) == now.get(name)}
        model = replace(model, baseline=replace(model.baseline, features=same))
    used = quality["rows"]["used"]
    missing = {entry["column"]: entry["missing"] / used for entry in quality["columns"]}
    return drift_report(model, rows, missing, threshold)


def _training_rows(model: LinearModel) -> tuple[Any, ...]:
    split = model.provenance.get("split") or {}
    # A profile may leave out rows that another one keeps, and then the same seed draws others.
    names = ("train_fraction", "random_state", "rows")
    return (model.provenance.get("data_sha256"), *(split.get(name) for name in names))
