"""What is kept of a version beside the registry: its archive, and its evaluation."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import RegistryError
from pipeline.results.registry import ModelVersion

if TYPE_CHECKING:
    from analysis.model.artefact import LinearModel

_CONCURRENT_READS = 8
#: What S3 answers where an object is gone, or this caller may not know.
_NOT_TO_BE_HAD = {"403", "404", "AccessDenied", "NoSuchBucket", "NoSuchKey"}


def columns_never_known(aws: Aws, version: ModelVersion) -> tuple[str, ...]:
    """Return the columns that a version needs and that are never known in advance, by what is in its archive.

    Raises:
        RegistryError: it has no archive of this project, so nothing here can score with it.
    """
    from analysis.model.inputs import never_known

    return never_known(read_model(aws, version), aws.settings.declared)


def read_model(aws: Aws, version: ModelVersion) -> "LinearModel":
    """Return the model of a version.

    Raises:
        RegistryError: its archive can't be read.
    """
    from analysis.model.archive import LARGEST_ARCHIVE, archive_from
    from analysis.runtime.errors import ModelError

    what = f"Version {version.version} can't be used"
    if not version.model_data.startswith("s3://"):
        raise RegistryError(f"{what}: it does not have exactly one model archive.", "Choose another version.")
    with aws_errors(f"Reading {version.model_data}", aws, RegistryError):
        try:
            body = _object(aws, version.model_data)["Body"].read(LARGEST_ARCHIVE + 1)
        except (aws.s3.exceptions.NoSuchKey, aws.s3.exceptions.NoSuchBucket) as error:
            raise RegistryError(f"{what}: there is no {version.model_data}.", "Choose another version.") from error
    try:
        return archive_from(body[:LARGEST_ARCHIVE], version.model_data).model
    except ModelError as error:
        raise RegistryError(f"{what}: {error}", "Choose another version, or train one.") from error


def read_evaluation(aws: Aws, version: ModelVersion) -> dict[str, Any]:
    """Return the evaluation.json of a version; empty where there is none, or it is gone, no JSON or not to be read."""
    if not version.evaluation.startswith("s3://"):
        return {}
    with aws_errors(f"Reading {version.evaluation}", aws, RegistryError):
        try:
            found = json.loads(_object(aws, version.evaluation)["Body"].read())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_TO_BE_HAD:
                return {}
            raise
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def read_evaluations(aws: Aws, found: Sequence[ModelVersion]) -> list[dict[str, Any]]:
    """Return the evaluation.json of each version, as :func:`read_evaluation` does."""
    with ThreadPoolExecutor(_CONCURRENT_READS) as pool:
        return list(pool.map(lambda version: read_evaluation(aws, version), found))


def _object(aws: Aws, uri: str) -> Any:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return aws.s3.get_object(Bucket=bucket, Key=key)
