"""Uploads: what is in the raw bucket, and which execution EventBridge has started for it. Prints nothing."""

import shlex
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError
from pipeline.executions.control import recent
from pipeline.executions.view import execution_parameters
from pipeline.settings.contract import (
    FLOWS,
    INPUT_BUCKET,
    INPUT_KEY,
    INPUT_VERSION,
    NEWEST_VERSION,
    RUN_KEY,
    UPLOAD_SUFFIXES,
    flow_of,
    starts_a_pipeline,
    upload_prefix,
)
from pipeline.settings.environment import Settings

# A bucket that has just been set up may send its events only minutes later.
_LOCAL_PATIENCE_SECONDS, _AWS_PATIENCE_SECONDS = 15.0, 600.0
_LOCAL_INTERVAL_SECONDS, _AWS_INTERVAL_SECONDS = 0.2, 5.0


def bucket_and_key(settings: Settings, text: str) -> tuple[str, str]:
    """Split ``s3://BUCKET/KEY``; a key alone is in the raw bucket.

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
    """Return the parameters that a trigger would give for an object, with a run key of their own: a start by hand.

    Raises:
        ExecutionError: there is no such object.
    """
    version = version_of(uploaded_object(aws, bucket, key))
    return {INPUT_BUCKET: bucket, INPUT_KEY: key, INPUT_VERSION: version, RUN_KEY: f"by-hand-{uuid.uuid4()}"}


def version_of(answer: Mapping[str, Any]) -> str:
    """Return the version in an answer of S3; the word for the newest one where the bucket keeps none."""
    return str(answer.get("VersionId", NEWEST_VERSION))


def uploaded_object(aws: Aws, bucket: str, key: str) -> Mapping[str, Any]:
    """Return what S3 says of an object.

    Raises:
        ExecutionError: there is no such object.
    """
    uri = f"s3://{bucket}/{key}"
    with aws_errors(f"Looking at {uri}", aws, ExecutionError):
        found = unless_missing(lambda: aws.s3.head_object(Bucket=bucket, Key=key))
        if found is not None:
            return found
        if unless_missing(lambda: aws.s3.head_bucket(Bucket=bucket)) is None:
            raise ExecutionError(
                f"There is no object {uri}, nor such a bucket.",
                f"See whether it is deployed: {aws.settings.command('plan')}",
            )
    then = ", which starts the pipeline by itself" if starts_a_pipeline(key) else ""
    raise ExecutionError(
        f"There is no object {uri}.", f"Upload it first ({aws.cli(f's3 cp FILE {shlex.quote(uri)}')}){then}."
    )


def started_for(
    aws: Aws,
    pipeline_name: str,
    key: str,
    version: str,
    known: Collection[str] = frozenset(),
    *,
    since: datetime | None = None,
) -> str | None:
    """Return the ARN of the oldest execution for an object version; None where there is none yet.

    Those ``known`` are ignored. ``since`` is when the object was put; None looks among the newest hundred executions.
    """
    with aws_errors(f"Looking for the execution of {key}", aws, ExecutionError):
        for arn in _oldest_first(aws, pipeline_name, since):
            values = {} if arn in known else execution_parameters(aws, arn)
            if (values.get(INPUT_KEY), values.get(INPUT_VERSION)) == (key, version):
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
    """Return the ARN of the execution that the upload of an object, by key or URI, starts, once it is there.

    Raises:
        ExecutionError: there is no such object, or nothing started in time.
    """
    settings = aws.settings
    bucket, key = bucket_and_key(settings, text)
    found = uploaded_object(aws, bucket, key)
    pipeline, since = settings.pipeline_name(flow_of(key)), found["LastModified"]
    if starts_a_pipeline(key):
        patience = _LOCAL_PATIENCE_SECONDS if aws.is_local else _AWS_PATIENCE_SECONDS
        return wait_for_upload(aws, pipeline, key, version_of(found), seconds=patience, since=since)
    arn = started_for(aws, pipeline, key, version_of(found), since=since)
    if arn is None:
        folders, *ends, last = " and ".join(map(upload_prefix, FLOWS)), *UPLOAD_SUFFIXES
        raise ExecutionError(
            f"{key} starts nothing by itself: only keys below {folders} that end in {', '.join(ends)} or {last} do.",
            f"Start a pipeline for it with: {settings.command(f'start {shlex.quote(key)}')}",
        )
    return arn


def wait_for_upload(
    aws: Aws,
    pipeline_name: str,
    key: str,
    version: str,
    *,
    known: Collection[str] = frozenset(),
    seconds: float = 60,
    since: datetime | None = None,
) -> str:
    """Wait until EventBridge has started the execution for an upload; otherwise like :func:`started_for`.

    Raises:
        ExecutionError: nothing started within ``seconds``.
    """
    interval = _LOCAL_INTERVAL_SECONDS if aws.is_local else _AWS_INTERVAL_SECONDS
    waiting = Retrying(
        retry=retry_if_result(lambda arn: arn is None), wait=wait_fixed(interval), stop=stop_after_delay(seconds)
    )
    try:
        return str(waiting(started_for, aws, pipeline_name, key, version, known, since=since))
    except RetryError as error:
        raise ExecutionError(
            f"No execution of {pipeline_name} started within {seconds:.0f} s of the upload of {key}.",
            f"See whether the rule exists and is enabled: {aws.settings.command('plan')}",
        ) from error
