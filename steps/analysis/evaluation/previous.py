"""The model that is approved at present, measured on the same test rows. Its absence or state never fails a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.evaluation.metrics import all_metrics
from analysis.features.rows import LabelledRows
from analysis.model.archive import LARGEST_ARCHIVE, archive_from
from analysis.model.artefact import LinearModel
from analysis.model.registry import newest_approved
from analysis.runtime.errors import ModelError, StepError

NOT_ASKED, NONE, UNREADABLE, NOT_COMPARABLE, COMPARED = (
    "not asked",
    "none",
    "unreadable",
    "not comparable",
    "compared",
)


@dataclass(frozen=True)
class PreviousModel:
    """status: NOT_ASKED, NONE, UNREADABLE or "found"; reason: why there is no model; version: of the model package."""

    status: str
    reason: str = ""
    arn: str | None = None
    version: int | None = None
    model: LinearModel | None = None


def previous_model(group: str) -> PreviousModel:
    """The newest approved model of the registry's group, downloaded into memory; no error leaves this function."""
    if not group:
        return PreviousModel(NOT_ASKED, "no model package group was named")
    arn: str | None = None
    try:
        # Imported here because an evaluation on its own asks no AWS service.
        from analysis.runtime.aws import aws_call, brief_clients

        s3, sagemaker = brief_clients()
        with aws_call(f"Looking for approved models in {group!r}"):
            arn = newest_approved(sagemaker, group)
            if arn is None:
                return PreviousModel(NONE, f"no version in {group} is approved yet")
            package = sagemaker.describe_model_package(ModelPackageName=arn)
        data = _downloaded(s3, package)
        model = archive_from(data, arn).model
    except StepError as error:
        return PreviousModel(UNREADABLE, str(error), arn)
    return PreviousModel("found", "", arn, package.get("ModelPackageVersion"), model)


def _downloaded(s3: Any, package: Any) -> bytes:
    from analysis.runtime.aws import aws_call, split_s3_uri

    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    uri = containers[0].get("ModelDataUrl", "") if containers else ""
    if not uri:
        raise ModelError("the approved model package names no model data.")
    bucket, key = split_s3_uri(uri)
    with aws_call(f"Reading {uri}"):
        answer = s3.get_object(Bucket=bucket, Key=key)
        data: bytes = answer["Body"].read(LARGEST_ARCHIVE + 1)
    if len(data) > LARGEST_ARCHIVE:
        raise ModelError(f"{uri} is larger than {LARGEST_ARCHIVE} bytes.")
    return data


def comparison(previous: PreviousModel, current: LinearModel, test: LabelledRows, metrics: dict[str, Any]) -> Any:
    """The block `previous_model` of evaluation.json.

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
    missing = [name for name in model.input_columns if name not in test.frame.columns]
    if missing or model.target != current.target:
        what = f"the test rows lack {', '.join(missing)}" if missing else f"it predicts {model.target}"
        return {**block, "status": NOT_COMPARABLE, "reason": what}
    predicted = model.predict(test.frame[list(model.input_columns)].to_numpy(dtype="float64")).prediction
    earlier = all_metrics(test.actual, predicted, len(model.selected))
    return {
        **block,
        "status": COMPARED,
        "test": earlier,
        "difference": {
            name: metrics[name] - earlier[name]
            for name in ("r2", "rmse", "mae", "mape")
            if metrics[name] is not None and earlier[name] is not None
        },
        "same_split": _training_rows(model) == _training_rows(current),
    }


def _training_rows(model: LinearModel) -> tuple[Any, ...]:
    split = model.provenance.get("split") or {}
    return (model.provenance.get("data_sha256"), split.get("train_fraction"), split.get("random_state"))
