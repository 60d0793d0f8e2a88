"""Finds the model archive that is meant: a file, an S3 object, a version in the registry."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis.model.archive import model_from_archive
from analysis.model.artefact import LinearModel
from analysis.model.registry import newest_approved
from analysis.runtime.aws import split_s3_uri
from analysis.runtime.errors import ModelError, SettingsError
from pipeline.aws.clients import Aws, aws_errors
from scripts.lib.errors import ModelSourceError

_LARGEST_ARCHIVE = 64 * 1024 * 1024
_PACKAGE_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/[A-Za-z0-9-]+(/\d+)?")


@dataclass(frozen=True)
class FoundModel:
    """A model and where it was found.

    Attributes:
        model: read from the archive; nothing in the archive was run.
        source: file name, S3 URI or model package ARN.
        archive_sha256: of the archive's bytes.
        name: a short name for files made from it.
    """

    model: LinearModel
    source: str
    archive_sha256: str
    name: str


def find_model(source: str, aws: Callable[[], Aws]) -> FoundModel:
    """Read the model that ``source`` names.

    Args:
        source: path of a model.tar.gz, ``s3://bucket/key`` of one, or ARN of a model package.
        aws: gives the clients; called only where AWS has to be asked.

    Raises:
        ModelSourceError: nothing usable is there; the message names what was looked for.
    """
    if source.startswith("s3://"):
        return _from_s3(source, source, Path(source).name.partition(".")[0] or "model", aws())
    if source.startswith("arn:"):
        return _from_package(source, aws())
    return _from_file(Path(source), Path(source).name, Path(source).name.partition(".")[0])


def latest_approved(group: str, aws: Aws) -> str:
    """ARN of the newest approved version of a model package group.

    Raises:
        ModelSourceError: there is no such group, or no version of it is approved.
    """
    with aws_errors(f"Listing the versions of model package group {group}", aws, ModelSourceError):
        arn = newest_approved(aws.sagemaker, group)
    if arn is None:
        raise ModelSourceError(
            f"No version of model package group {group} is approved.",
            f"Look at them with: aws sagemaker list-model-packages --model-package-group-name {group}",
        )
    return arn


def _from_package(arn: str, aws: Aws) -> FoundModel:
    if not _PACKAGE_ARN.fullmatch(arn):
        raise ModelSourceError(
            f"{arn} is no ARN of a model package.",
            "It looks like arn:aws:sagemaker:<region>:<account>:model-package/<group>/<version>.",
        )
    with aws_errors(f"Looking at {arn}", aws, ModelSourceError):
        package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    uri = containers[0].get("ModelDataUrl") if len(containers) == 1 else None
    if not uri:
        raise ModelSourceError(f"{arn} has no model archive of its own, so it is none of this project's models.")
    return _from_s3(uri, arn, arn.partition("model-package/")[2].replace("/", "-"), aws)


def _from_s3(uri: str, source: str, name: str, aws: Aws) -> FoundModel:
    try:
        bucket, key = split_s3_uri(uri)
    except SettingsError as error:
        raise ModelSourceError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="model-") as directory:
        path = Path(directory) / "model.tar.gz"
        with aws_errors(f"Downloading {uri}", aws, ModelSourceError):
            answer = aws.s3.get_object(Bucket=bucket, Key=key)
            if answer["ContentLength"] > _LARGEST_ARCHIVE:
                raise ModelSourceError(f"{uri} has {answer['ContentLength']:,} bytes: that is no model of ours.")
            path.write_bytes(answer["Body"].read())
        return _from_file(path, source, name)


def _from_file(path: Path, source: str, name: str) -> FoundModel:
    if not path.is_file():
        raise ModelSourceError(
            f"There is no model archive at {path}.",
            "Give a model.tar.gz, an s3:// URI or a model package ARN, or --latest-approved.",
        )
    try:
        model = model_from_archive(path)
    except ModelError as error:
        raise ModelSourceError(f"{source}: {str(error).removeprefix(f'{path}: ')}") from error
    return FoundModel(model, source, hashlib.sha256(path.read_bytes()).hexdigest(), name or "model")
