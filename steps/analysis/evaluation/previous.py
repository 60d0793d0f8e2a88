"""The currently approved model, measured on the same test rows. Its absence or state never fails a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.evaluation.metrics import all_metrics
from analysis.evaluation.rows import LabelledRows
from analysis.model.archive import LARGEST_ARCHIVE, archive_from
from analysis.model.artefact import LinearModel
from analysis.runtime.errors import ModelError, StepError
from analysis.runtime.registry import model_data_url, newest_approved


@dataclass(frozen=True)
class PreviousModel:
    """The approved model. status: "not asked", "none", "unreadable" or "found"; reason: why there is no model."""

    status: str
    reason: str = ""
    arn: str | None = None
    version: int | None = None
    model: LinearModel | None = None


def previous_model(group: str) -> PreviousModel:
    """Download the newest approved model of the registry's group into memory; no error leaves this function."""
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
            arn = newest_approved(sagemaker, group)
            if arn is None:
                return PreviousModel("none", f"no version in {group} is approved yet")
            package = sagemaker.describe_model_package(ModelPackageName=arn)
        uri = model_data_url(package)
        if not uri:
            raise ModelError("the approved model package names no model data.")
        bucket, key = split_s3_uri(uri)
        with aws_call(f"Reading {uri}"):
            body = boto3.client("s3", **brief).get_object(Bucket=bucket, Key=key)["Body"]
            data: bytes = body.read(LARGEST_ARCHIVE + 1)
        if len(data) > LARGEST_ARCHIVE:
            raise ModelError(f"{uri} is larger than {LARGEST_ARCHIVE} bytes.")
        model = archive_from(data, arn).model
    except StepError as error:
        return PreviousModel("unreadable", str(error), arn)
    return PreviousModel("found", "", arn, package.get("ModelPackageVersion"), model)


def comparison(previous: PreviousModel, current: LinearModel, test: LabelledRows, metrics: dict[str, Any]) -> Any:
    """Compute the block `previous_model` of evaluation.json.

    {"status", "reason", "model_package_arn", "version", "profile", "test": metrics of the previous model,
    "difference": this model's metric minus the previous one's, "same_split": whether both were trained on the same
    rows; where False, the previous model may have learned from some of the test rows, which flatters it}.
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
    missing = [name for name in model.input_columns if name not in test.table.columns]
    if missing or model.target != current.target:
        what = f"the test rows lack {', '.join(missing)}" if missing else f"it predicts {model.target}"
        return {**block, "status": "not comparable", "reason": what}
    predicted = model.fitted(test.table[list(model.input_columns)].to_numpy(dtype="float64"))
    earlier = all_metrics(test.actual, predicted, len(model.selected))
    both = [name for name in ("r2", "rmse", "mae", "mape") if None not in (metrics[name], earlier[name])]
    return {
        **block,
        "status": "compared",
        "test": earlier,
        "difference": {name: metrics[name] - earlier[name] for name in both},
        "same_split": _training_rows(model) == _training_rows(current),
    }


def _training_rows(model: LinearModel) -> tuple[Any, ...]:
    split = model.provenance.get("split") or {}
    return (model.provenance.get("data_sha256"), split.get("train_fraction"), split.get("random_state"))
