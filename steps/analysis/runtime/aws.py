"""AWS clients for the steps that need one, and AWS's errors as errors of ours.

Region, credentials and, against another endpoint than AWS, AWS_ENDPOINT_URL come from the environment, as botocore
reads them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from analysis.runtime.errors import AwsCallError, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient

_ATTEMPTS = 8


def _config(connections: int = 10) -> Config:
    """Standard retries: throttling, time-outs and 5xx are tried again with back-off and jitter."""
    return Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS}, max_pool_connections=connections)


def _region() -> str:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("No AWS region: set AWS_REGION or AWS_DEFAULT_REGION in the job's environment.")
    return region


def s3_client() -> S3Client:
    return boto3.client("s3", region_name=_region(), config=_config())


def sagemaker_client() -> SageMakerClient:
    return boto3.client("sagemaker", region_name=_region(), config=_config())


def feature_store_client(connections: int) -> SageMakerFeatureStoreRuntimeClient:
    return boto3.client("sagemaker-featurestore-runtime", region_name=_region(), config=_config(connections))


def brief_clients() -> tuple[S3Client, SageMakerClient]:
    """S3 and SageMaker for what a step can do without: they give up after seconds where no endpoint answers."""
    brief = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=20)
    region = _region()
    return (
        boto3.client("s3", region_name=region, config=brief),
        boto3.client("sagemaker", region_name=region, config=brief),
    )


def error_code(error: ClientError) -> str:
    """AWS's error code, such as "NoSuchKey" or, from HEAD requests, "404"."""
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
    """("bucket", "key or prefix without slashes at its ends") of s3://bucket/key; SettingsError for anything else."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise SettingsError(f"{uri!r} is no S3 URI; write s3://bucket/prefix.")
    return bucket, key.strip("/")
