"""A model package version from a model archive: what is uploaded, what is registered, and what is there already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import Aws, aws_errors
from pipeline.definition.sdk import offline_sdk
from scripts.lib.errors import RegistrationError, ScriptError
from scripts.lib.exports.sources import FoundModel

if TYPE_CHECKING:
    from pipeline.settings.environment import Settings

#: Customer metadata by which a version is recognised when the same archive comes again.
ARCHIVE_KEY = "archive-sha256"
_CODE_FOLDER = "/opt/ml/model/code"
_CSV = "text/csv"


@dataclass(frozen=True)
class Evaluation:
    """An evaluation.json of evaluate.py: its bytes, and R-squared on the test rows."""

    content: bytes
    r_squared: float


def read_evaluation(path: Path) -> Evaluation:
    """Read evaluation.json.

    Raises:
        ScriptError: it is none.
    """
    try:
        content = path.read_bytes()
        value = json.loads(content)["regression_metrics"]["r2"]["value"]
        return Evaluation(content, float(value))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScriptError(
            f"{path} is no evaluation.json ({type(error).__name__}: {error}).", "Write it with steps/evaluate.py."
        ) from error


def image_uri(settings: Settings) -> str:
    """The pinned scikit-learn image of the environment's region. Imports the SageMaker SDK, which takes seconds."""
    with offline_sdk(settings.region):
        from sagemaker.core import image_uris

        from pipeline.definition.step_frame import IMAGE_VERSION

        uri: str = image_uris.retrieve(
            "sklearn", settings.region, version=IMAGE_VERSION, image_scope="training", py_version="py3"
        )
    return uri


def registered_version(group: str, archive_sha256: str, aws: Aws) -> str | None:
    """ARN of the version of the group that was registered from the same archive; None where there is none.

    Raises:
        RegistrationError: there is no such group.
    """
    with aws_errors(f"Looking at model package group {group}", aws, RegistrationError):
        aws.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
        for page in aws.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
            for version in page["ModelPackageSummaryList"]:
                arn = str(version["ModelPackageArn"])
                package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
                if package.get("CustomerMetadataProperties", {}).get(ARCHIVE_KEY) == archive_sha256:
                    return arn
    return None


def package_request(
    found: FoundModel, group: str, image: str, *, model_uri: str, evaluation_uri: str | None, settings: Settings
) -> dict[str, Any]:
    """The CreateModelPackage request, of the same form as the pipeline's; it always waits for a person's approval."""
    request: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Registered by hand from {found.source}"[:1024],
        "ModelApprovalStatus": "PendingManualApproval",
        "Domain": "MACHINE_LEARNING",
        "Task": "REGRESSION",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": image,
                    "ModelDataUrl": model_uri,
                    "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": _CODE_FOLDER},
                }
            ],
            "SupportedContentTypes": [_CSV],
            "SupportedResponseMIMETypes": [_CSV],
            "SupportedRealtimeInferenceInstanceTypes": [settings.instances.transform],
            "SupportedTransformInstanceTypes": [settings.instances.transform],
        },
        "CustomerMetadataProperties": {"profile": found.model.profile, ARCHIVE_KEY: found.archive_sha256},
    }
    if evaluation_uri is not None:
        statistics = {"ContentType": "application/json", "S3Uri": evaluation_uri}
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
    return request


def register(
    found: FoundModel, archive: bytes, evaluation: Evaluation | None, aws: Aws, *, group: str, image: str
) -> str:
    """Upload archive and evaluation under the archive's SHA-256 and register them; ARN of the new version.

    Raises:
        RegistrationError: AWS refused something; uploaded files may stay behind and are overwritten by the same bytes.
    """
    bucket = aws.settings.artifacts_bucket
    prefix = f"registered/{found.archive_sha256}"
    uploads = {f"{prefix}/model.tar.gz": archive}
    if evaluation is not None:
        uploads[f"{prefix}/evaluation.json"] = evaluation.content
    for key, content in uploads.items():
        with aws_errors(f"Uploading s3://{bucket}/{key}", aws, RegistrationError):
            aws.s3.put_object(Bucket=bucket, Key=key, Body=content)
    model_uri, *evaluation_uris = (f"s3://{bucket}/{key}" for key in uploads)
    evaluation_uri = evaluation_uris[0] if evaluation_uris else None
    request = package_request(
        found, group, image, model_uri=model_uri, evaluation_uri=evaluation_uri, settings=aws.settings
    )
    with aws_errors(f"Registering a version of {group}", aws, RegistrationError):
        return str(aws.sagemaker.create_model_package(**request)["ModelPackageArn"])
