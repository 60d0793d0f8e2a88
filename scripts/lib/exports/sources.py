"""Find the model archive that is meant: a file, an S3 object, a version in the registry."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis.model.archive import LARGEST_ARCHIVE, archive_from
from analysis.model.artefact import LinearModel
from analysis.runtime.aws import split_s3_uri
from analysis.runtime.errors import ModelError, SettingsError
from analysis.runtime.registry import approved, in_use, model_data_url
from pipeline.aws.clients import Aws, aws_errors
from scripts.lib.program import ModelSourceError

_PACKAGE_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/[A-Za-z0-9-]+(/\d+)?")


@dataclass(frozen=True)
class FoundModel:
    """A model and where it was found.

    source: file name, S3 URI or model package ARN; archive_sha256: of the archive's bytes; name: a short name for files
    made from it.
    """

    model: LinearModel
    source: str
    archive_sha256: str
    name: str


def find_model(source: str, aws: Callable[[], Aws]) -> FoundModel:
    """Read the model at a path, an ``s3://bucket/key`` or the ARN of a model package; nothing in it is executed.

    aws: gives the clients; called only where AWS is needed. Raises ModelSourceError naming what was looked for.
    """
    if source.startswith("arn:"):
        clients = aws()
        name = source.partition("model-package/")[2].replace("/", "-")
        return _found(_from_s3(_model_uri(source, clients), clients), source, name)
    name = Path(source).name.partition(".")[0]
    if source.startswith("s3://"):
        return _found(_from_s3(source, aws()), source, name)
    if not Path(source).is_file():
        raise ModelSourceError(
            f"There is no model archive at {source}.",
            "Give a model.tar.gz, an s3:// URI or a model package ARN, or --in-use.",
        )
    try:
        archive = Path(source).read_bytes()
    except OSError as error:
        raise ModelSourceError(f"{source}: the model archive can't be read ({error}).") from error
    return _found(archive, Path(source).name, name)


def version_in_use(group: str, aws: Aws) -> str:
    """Return the ARN of the version of a group that is in use, or raise ModelSourceError where there is none."""
    with aws_errors(f"Listing the versions of model package group {group}", aws, ModelSourceError):
        package = in_use(approved(aws.sagemaker, group))
    if package is None:
        raise ModelSourceError(
            f"No version of model package group {group} that can score is approved.",
            f"List them with: aws sagemaker list-model-packages --model-package-group-name {group}",
        )
    return str(package["ModelPackageArn"])


def _model_uri(arn: str, aws: Aws) -> str:
    if not _PACKAGE_ARN.fullmatch(arn):
        raise ModelSourceError(
            f"{arn} is not the ARN of a model package.",
            "It looks like arn:aws:sagemaker:<region>:<account>:model-package/<group>/<version>.",
        )
    with aws_errors(f"Looking at {arn}", aws, ModelSourceError):
        uri = model_data_url(aws.sagemaker.describe_model_package(ModelPackageName=arn))
    if not uri:
        raise ModelSourceError(f"{arn} has no model archive of its own, so it is not one of this project's models.")
    return uri


def _from_s3(uri: str, aws: Aws) -> bytes:
    try:
        bucket, key = split_s3_uri(uri)
    except SettingsError as error:
        raise ModelSourceError(str(error)) from error
    with aws_errors(f"Downloading {uri}", aws, ModelSourceError):
        answer = aws.s3.get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > LARGEST_ARCHIVE:
            raise ModelSourceError(f"{uri} has {answer['ContentLength']:,} bytes, more than any model of this project.")
        return answer["Body"].read()


def _found(archive: bytes, source: str, name: str) -> FoundModel:
    try:
        model = archive_from(archive, source).model
    except ModelError as error:
        raise ModelSourceError(str(error)) from error
    return FoundModel(model, source, hashlib.sha256(archive).hexdigest(), name or "model")
