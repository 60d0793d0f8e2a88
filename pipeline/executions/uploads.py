"""Uploads: what is in the raw bucket, and which execution EventBridge has started for it. Shows nothing."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError
from pipeline.executions.control import recent
from pipeline.settings.environment import Settings
from pipeline.settings.names import FLOWS, flow_of, starts_a_pipeline, upload_pattern

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_LOCAL_PATIENCE_SECONDS, _AWS_PATIENCE_SECONDS = 15.0, 600.0


def bucket_and_key(settings: Settings, text: str) -> tuple[str, str]:
    """Bucket and key of an object that is named by ``s3://BUCKET/KEY``, or by its key in the raw bucket.

    Raises:
        ExecutionError: the URI names no object.
    """
    if not text.startswith("s3://"):
        return settings.raw_bucket, text
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise ExecutionError(f"{text} names no object.", "Write s3://BUCKET/KEY, or the key alone.")
    return bucket, key


def object_parameters(aws: Aws, bucket: str, key: str) -> dict[str, str]:
    """The parameters that a trigger would give for an object, and a run key of its own: a run by hand is wanted.

    Raises:
        ExecutionError: there is no such object.
    """
    etag = uploaded_object(aws, bucket, key)["ETag"].strip('"')
    return {"InputBucket": bucket, "InputKey": key, "InputETag": etag, "RunKey": f"by-hand-{uuid.uuid4()}"}


def uploaded_object(aws: Aws, bucket: str, key: str) -> HeadObjectOutputTypeDef:
    """What S3 says of an object.

    Raises:
        ExecutionError: there is no such object.
    """
    with aws_errors(f"Looking at s3://{bucket}/{key}", aws, ExecutionError):
        found = unless_missing(lambda: aws.s3.head_object(Bucket=bucket, Key=key))
    if found is None:
        with aws_errors(f"Looking at s3://{bucket}/{key}", aws, ExecutionError):
            is_bucket = unless_missing(lambda: aws.s3.head_bucket(Bucket=bucket)) is not None
        upload = aws.cli(f"s3 cp FILE {shlex.quote(f's3://{bucket}/{key}')}")
        then = ", which starts the pipeline by itself" if starts_a_pipeline(key) else ""
        raise ExecutionError(
            f"There is no object s3://{bucket}/{key}{'' if is_bucket else ', nor such a bucket'}.",
            f"Put it there first ({upload}){then}."
            if is_bucket
            else f"See whether it is deployed: {aws.settings.command('plan')}",
        )
    return found


def pipeline_for(settings: Settings, key: str) -> str:
    """Return the name of the pipeline that an object is for."""
    return settings.pipeline_name(flow_of(key))


def started_for(
    aws: Aws,
    pipeline_name: str,
    key: str,
    etag: str,
    known: Collection[str] = frozenset(),
    *,
    since: datetime | None = None,
) -> str | None:
    """ARN of the oldest execution for this object version that is not in ``known``; None where there is none yet.

    Args:
        aws: clients of the environment.
        pipeline_name: of the pipeline.
        key: of the object.
        etag: of the object.
        known: ARNs of executions that are not meant.
        since: when the object was put; None looks among the newest hundred executions.
    """
    with aws_errors(f"Looking for the execution of {key}", aws, ExecutionError):
        for arn in _oldest_first(aws, pipeline_name, since):
            if arn in known:
                continue
            pages = aws.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
                PipelineExecutionArn=arn
            )
            values = {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
            if values.get("InputKey") == key and values.get("InputETag", "").strip('"') == etag.strip('"'):
                return arn
    return None


def _oldest_first(aws: Aws, pipeline_name: str, since: datetime | None) -> Iterator[str]:
    if since is None:
        yield from (execution.arn for execution in reversed(recent(aws, pipeline_name, limit=100)))
        return
    pages = aws.sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=pipeline_name, CreatedAfter=since, SortBy="CreationTime", SortOrder="Ascending"
    )
    for page in pages:
        yield from (item["PipelineExecutionArn"] for item in page["PipelineExecutionSummaries"])


def started_by(aws: Aws, text: str) -> str:
    """ARN of the execution that the upload of an object, by key or URI, starts, once it is there.

    Raises:
        ExecutionError: there is no such object, or nothing started in time.
    """
    settings = aws.settings
    bucket, key = bucket_and_key(settings, text)
    found = uploaded_object(aws, bucket, key)
    # A bucket that has just been set up may send its events only minutes later.
    patience = _LOCAL_PATIENCE_SECONDS if aws.is_local else _AWS_PATIENCE_SECONDS
    pipeline, since = pipeline_for(settings, key), found["LastModified"]
    if starts_a_pipeline(key):
        return wait_for_upload(aws, pipeline, key, found["ETag"], seconds=patience, since=since)
    arn = started_for(aws, pipeline, key, found["ETag"], since=since)
    if arn is None:
        raise ExecutionError(
            f"{key} starts nothing by itself: only {' and '.join(upload_pattern(flow) for flow in FLOWS)} do.",
            f"Start a pipeline for it with: {settings.command(f'start {shlex.quote(key)}')}",
        )
    return arn


def wait_for_upload(
    aws: Aws,
    pipeline_name: str,
    key: str,
    etag: str,
    *,
    known: Collection[str] = frozenset(),
    seconds: float = 60,
    since: datetime | None = None,
) -> str:
    """Wait until EventBridge has started the execution for an upload; its ARN.

    Args:
        aws: clients of the environment.
        pipeline_name: of the pipeline.
        key: of the uploaded object.
        etag: of the uploaded object.
        known: ARNs of executions from before the upload.
        seconds: how long to wait.
        since: when it was uploaded; None looks among the newest hundred executions.

    Raises:
        ExecutionError: nothing started in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        arn = started_for(aws, pipeline_name, key, etag, known, since=since)
        if arn is not None:
            return arn
        time.sleep(0.2 if aws.is_local else 5)
    raise ExecutionError(
        f"No execution of {pipeline_name} started within {seconds:.0f} s of the upload of {key}.",
        f"See whether the rule is there and enabled: {aws.settings.command('plan')}",
    )
