"""The model card of a version: what the package carries, and the stand-alone card as a PDF."""

import uuid
from dataclasses import dataclass
from typing import Any

from analysis.card.following import card_name, follow_version, has_card
from analysis.runtime.errors import StepError
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Found, Waiting, wait_until_ended
from pipeline.errors import RegistryError, TooSlowError
from pipeline.results.registry import find
from pipeline.settings.contract import CARD_FOLDER

_UNDER_WAY, _COMPLETED = ("InProgress",), "Completed"
_DESCRIBE = "describe-model-card-export-job --model-card-export-job-arn"


@dataclass(frozen=True)
class ExportedCard:
    """A model card as a PDF."""

    name: str  #: Of the stand-alone card.
    uri: str  #: Where AWS has put the file.
    pdf: bytes


def exported_card(aws: Aws, group: str, number: int, waiting: Waiting) -> ExportedCard:
    """Export the stand-alone card of a version, which is made where there is none yet, and download it.

    Raises:
        RegistryError: there is no such version, it has no card, or AWS did not export it, or not in time.
    """
    arn = find(aws, group, number).arn
    name = card_name(group, number)
    with aws_errors(f"Exporting the model card {name}", aws, RegistryError):
        if unless_missing(lambda: aws.sagemaker.describe_model_card(ModelCardName=name)) is None:
            _make(aws, arn, number)
        job = aws.sagemaker.create_model_card_export_job(
            ModelCardName=name,
            ModelCardExportJobName=f"version-{number}-{uuid.uuid4().hex}",
            OutputConfig={"S3OutputPath": f"s3://{aws.settings.artifacts_bucket}/{CARD_FOLDER}"},
        )["ModelCardExportJobArn"]
        uri = _finished(aws, name, job, waiting)
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return ExportedCard(name, uri, aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _make(aws: Aws, arn: str, number: int) -> None:
    """Make the card as the function does that follows versions: it may be on its way, or not deployed."""
    package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    if not has_card(package):
        raise RegistryError(
            f"Version {number} has no model card: whoever registered it gave it none.",
            "Register the model with a card: python scripts/register_model.py --help",
        )
    try:
        follow_version(aws.sagemaker, package, aws.settings.resource_tags())
    except StepError as error:
        raise RegistryError(str(error)) from error


def _finished(aws: Aws, name: str, job: str, waiting: Waiting) -> str:
    described: Any = {}

    def look() -> Found:
        described.update(aws.sagemaker.describe_model_card_export_job(ModelCardExportJobArn=job))
        return Found(described["Status"], described.get("FailureReason", ""))

    try:
        ended = wait_until_ended(f"The export of the model card {name}", look, _UNDER_WAY, waiting)
    except TooSlowError as error:
        raise RegistryError(error.message, f"Look again later: {aws.cli(f'sagemaker {_DESCRIBE} {job}')}") from error
    if ended.state != _COMPLETED:
        raise RegistryError(
            f"The export of the model card {name} is {ended.state}: {ended.reason or 'AWS gives no reason'}",
            "Fix that, then run the same command again.",
        )
    return str(described["ExportArtifacts"]["S3ExportArtifacts"])
