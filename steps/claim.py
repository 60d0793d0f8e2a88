"""Claim one version of one input file for one pipeline execution, so that it is processed once.

EventBridge delivers at least once, so two executions may start for the same upload. The first to create
<claims-uri>/<identity>.json owns it; S3's conditional writes decide, so there is no gap between asking and writing.
The owner copies just that version to <inputs-uri>/<identity>/, so that what is put under the same key in the meantime
reaches no later step. Writes claim.json to the output directory; its `decision` says whether the execution goes on.
"""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from analysis.runtime.aws import aws_call, client_settings, error_code, split_s3_uri, unless
from analysis.runtime.container import OUTPUT, Arguments, run_step
from analysis.runtime.errors import ClaimError
from analysis.runtime.upload import (
    UPLOAD_RUN_KEY,
    Claim,
    file_name,
    identity_of,
    plain_etag,
    prediction_name,
    write_claim,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

PROCESS, DUPLICATE, MISSING, SUPERSEDED = "process", "duplicate", "missing", "superseded"

_ENDED_WITHOUT_RESULT = frozenset({"Failed", "Stopped", "missing"})
_LOST_THE_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_SUCH_EXECUTION = frozenset({"ResourceNotFound", "ValidationException", "ResourceNotFoundException"})
_ROUNDS = 10
"""Each round is lost only to another execution that wrote the claim in between."""


@dataclass(frozen=True)
class Holder:
    """The content of a claim object: the execution that owns the file, and the upload time it was first seen with."""

    execution_arn: str
    uploaded_at: str
    object_etag: str


def iso(moment: datetime) -> str:
    """Format `moment` as seconds in UTC, ending in Z: one of the forms that the Feature Store takes as event time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def may_take_over(status: str) -> bool:
    """Return whether an execution of that status will never deliver what it claimed."""
    return status in _ENDED_WITHOUT_RESULT


def claim_file(s3: S3Client, sagemaker: SageMakerClient, request: Namespace) -> Claim:
    """Decide about the object that `request` names (bucket, key, etag, run_key, execution_arn, claims_uri)."""
    wanted = plain_etag(request.etag)
    uri = f"s3://{request.bucket}/{request.key}"
    head = unless(f"Looking at {uri}", _GONE, lambda: s3.head_object(Bucket=request.bucket, Key=request.key))
    if head is None:
        return _claim(request, wanted, "", MISSING, f"{uri} no longer exists")
    etag, uploaded_at = plain_etag(head["ETag"]), iso(head["LastModified"])
    if wanted and wanted != etag:
        reason = f"the object was replaced: its ETag is now {etag}; the newer upload has an event of its own"
        return _claim(request, wanted, uploaded_at, SUPERSEDED, reason)
    return _hold(s3, sagemaker, request, etag, uploaded_at)


def _hold(s3: S3Client, sagemaker: SageMakerClient, request: Namespace, etag: str, uploaded_at: str) -> Claim:
    bucket, prefix = split_s3_uri(request.claims_uri)
    key = f"{prefix}/{claim_name(identity_of(request.bucket, request.key, etag), request.run_key)}".lstrip("/")
    names = ("bucket", "key", "execution_arn")
    document = {"etag": etag, **{name: getattr(request, name) for name in names}}
    for _ in range(_ROUNDS):
        holder = _read_holder(s3, bucket, key)
        # The first moment seen is kept: outputs are filed under its date, so a take-over can't file them twice.
        first_seen = holder.uploaded_at if holder else uploaded_at
        document["uploaded_at"] = first_seen
        reason = "first execution for this file"
        if holder is not None:
            if holder.execution_arn == request.execution_arn:
                return _claim(request, etag, first_seen, PROCESS, "this execution holds the claim already")
            status = _execution_status(sagemaker, holder.execution_arn)
            if not may_take_over(status):
                reason = f"the same file is or was processed by {holder.execution_arn} ({status})"
                return _claim(request, etag, first_seen, DUPLICATE, reason)
            reason = f"taken over from {holder.execution_arn} ({status})"
        if _write_holder(s3, bucket, key, document, replaces=holder.object_etag if holder else None):
            return _claim(request, etag, first_seen, PROCESS, reason)
    raise ClaimError(
        f"The claim s3://{bucket}/{key} changed hands {_ROUNDS} times while this execution asked for it. "
        "Start the execution again."
    )


def pinned(s3: S3Client, claim: Claim, inputs_uri: str) -> Claim:
    """Copy exactly the claimed version; the claim becomes superseded or missing where that version is gone by now."""
    if claim.decision != PROCESS:
        return claim
    bucket, prefix = split_s3_uri(inputs_uri)
    folder = f"{prefix}/{claim.identity}".lstrip("/")
    with aws_call(f"Copying s3://{claim.bucket}/{claim.key}"):
        try:
            s3.copy_object(
                Bucket=bucket,
                Key=f"{folder}/{file_name(claim.key)}",
                CopySource={"Bucket": claim.bucket, "Key": claim.key},
                CopySourceIfMatch=claim.etag,
                # Without the uploader's tags: copying those takes permissions to read and to set tags.
                TaggingDirective="REPLACE",
            )
        except ClientError as error:
            if error_code(error) in _GONE:
                return replace(claim, decision=MISSING, reason="the object was deleted while it was claimed")
            if error_code(error) in _LOST_THE_RACE:
                reason = "the object was replaced while it was claimed; the newer upload has an event of its own"
                return replace(claim, decision=SUPERSEDED, reason=reason)
            raise
    return replace(claim, input_uri=f"s3://{bucket}/{folder}/")


def claim_name(identity: str, run_key: str) -> str:
    """Return the claim object's name: one for all executions that the upload started, one for each run by hand."""
    if run_key == UPLOAD_RUN_KEY:
        return f"{identity}.json"
    return f"{identity}-{hashlib.sha256(run_key.encode('utf-8')).hexdigest()[:12]}.json"


def _claim(request: Namespace, etag: str, uploaded_at: str, decision: str, reason: str) -> Claim:
    identity = identity_of(request.bucket, request.key, etag)
    return Claim(
        decision=decision,
        reason=reason,
        bucket=request.bucket,
        key=request.key,
        etag=etag,
        identity=identity,
        prediction_name=prediction_name(request.key, identity),
        dt=uploaded_at[:10],
        uploaded_at=uploaded_at,
        input_uri="",
    )


def _read_holder(s3: S3Client, bucket: str, key: str) -> Holder | None:
    what = f"Reading the claim s3://{bucket}/{key}"
    answer = unless(what, _GONE, lambda: s3.get_object(Bucket=bucket, Key=key))
    if answer is None:
        return None
    with aws_call(what):
        body = answer["Body"].read()
    try:
        document = json.loads(body)
        return Holder(str(document["execution_arn"]), str(document["uploaded_at"]), answer["ETag"])
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimError(
            f"s3://{bucket}/{key} is not a claim ({error}). Delete it and start the execution again."
        ) from error


def _write_holder(s3: S3Client, bucket: str, key: str, document: dict[str, str], *, replaces: str | None) -> bool:
    """Create the claim, or replace exactly the version `replaces`; False where another execution was faster."""
    body = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    condition: dict[str, Any] = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
    answer = unless(
        f"Writing the claim s3://{bucket}/{key}",
        _LOST_THE_RACE | _GONE,
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition),
    )
    return answer is not None


def _execution_status(sagemaker: SageMakerClient, arn: str) -> str:
    what = f"Looking at the pipeline execution {arn}"
    answer = unless(what, _NO_SUCH_EXECUTION, lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))
    return "missing" if answer is None else answer["PipelineExecutionStatus"]


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    parser = Arguments(__doc__)
    parser.add_argument("--bucket", required=True, help="bucket of the uploaded file")
    parser.add_argument("--key", required=True, help="key of the uploaded file, as it is (not URL-encoded)")
    parser.add_argument("--etag", default="", help="ETag of the upload; empty means the current version")
    parser.add_argument("--run-key", default=UPLOAD_RUN_KEY, help="another value for a run that is started by hand")
    parser.add_argument("--execution-arn", required=True, help="ARN of the pipeline execution that asks")
    parser.add_argument("--claims-uri", required=True, help="s3://bucket/prefix that holds the claims")
    parser.add_argument("--inputs-uri", required=True, help="s3://bucket/prefix that gets a copy of the version")
    parser.add_path("--output-dir", OUTPUT / "claim", "gets claim.json")
    request = parser.parse_args(arguments)
    s3 = boto3.client("s3", **client_settings())
    sagemaker = boto3.client("sagemaker", **client_settings())
    claim = pinned(s3, claim_file(s3, sagemaker, request), request.inputs_uri)
    write_claim(claim, request.output_dir)
    print(f"claim: {claim.decision}: {claim.reason} ({claim.prediction_name})")


if __name__ == "__main__":
    run_step(main)
