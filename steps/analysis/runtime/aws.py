"""AWS clients for the steps that need one, and AWS's errors as errors that name what was tried."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from analysis.runtime.errors import AwsCallError, SettingsError

Answer = TypeVar("Answer")


def client_settings(connections: int = 10, *, attempts: int = 8, **options: Any) -> dict[str, Any]:
    """Return the keyword arguments of every boto3.client: the region, and standard retries with back-off and jitter.

    Credentials and, where AWS is not meant, AWS_ENDPOINT_URL come from the environment, as botocore reads them.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("No AWS region: set AWS_REGION or AWS_DEFAULT_REGION in the job's environment.")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=connections, **options
    )
    return {"region_name": region, "config": config}


def error_code(error: ClientError) -> str:
    """Return AWS's error code, such as "NoSuchKey" or, from HEAD requests, "404"."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def aws_call(what: str) -> Iterator[None]:
    """Turn an error of the AWS call inside into an AwsCallError that says what was tried."""
    try:
        yield
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise AwsCallError(f"{what} failed: {error.operation_name} answered {error_code(error)}: {message}") from error
    except BotoCoreError as error:
        raise AwsCallError(f"{what} failed: {error}") from error


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key into bucket and key (or prefix), without slashes at the ends; raise SettingsError."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise SettingsError(f"{uri!r} is not an S3 URI; write s3://bucket/prefix.")
    return bucket, key.strip("/")


def unless(what: str, codes: frozenset[str], call: Callable[[], Answer]) -> Answer | None:
    """Make an AWS call; return None where AWS answers with one of the error codes."""
    with aws_call(what):
        try:
            return call()
        except ClientError as error:
            if error_code(error) in codes:
                return None
            raise
