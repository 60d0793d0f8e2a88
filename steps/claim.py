"""Claim one version of one input file for one pipeline execution, so that it is processed once.

EventBridge delivers at least once, so two executions may start for the same upload. The first to create
<claims-uri>/<identity>.json owns it; S3's conditional writes decide, so there is no window between asking and writing.
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
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from analysis.runtime.aws import aws_call, error_code, s3_client, sagemaker_client, split_s3_uri
from analysis.runtime.claim_file import Claim, identity_of, prediction_name, write_claim
from analysis.runtime.container import PROCESSING, PROCESSING_MESSAGE, Arguments, run_step
from analysis.runtime.errors import ClaimError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

PROCESS, DUPLICATE, MISSING, SUPERSEDED = "process", "duplicate", "missing", "superseded"

UPLOAD = "upload"
"""Run key of executions that an upload started: however often its event arrives, they share one claim."""

_ENDED_WITHOUT_RESULT = frozenset({"Failed", "Stopped", "missing"})
_LOST_THE_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_SUCH_EXECUTION = frozenset({"ResourceNotFound", "ValidationException", "ResourceNotFoundException"})
_ROUNDS = 10
"""Each round is lost only to another execution that wrote the claim in between."""


@dataclass(frozen=True)
class Upload:
    """The object as it is now: its ETag without quotes and the moment it was uploaded."""

    etag: str
    uploaded_at: datetime


@dataclass(frozen=True)
class Holder:
    """What the claim object says: the execution that owns the file, and the upload moment it was first seen with."""

    execution_arn: str
    uploaded_at: str
    object_etag: str


def plain_etag(etag: str) -> str:
    """An ETag without the quotes that some APIs put around it."""
    return etag.strip().strip('"')


def iso(moment: datetime) -> str:
    """Seconds in UTC, ending in Z: one of the forms that the Feature Store takes as an event time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def may_take_over(status: str) -> bool:
    """Whether an execution of that status will never deliver what it claimed."""
    return status in _ENDED_WITHOUT_RESULT


def claim_file(s3: S3Client, sagemaker: SageMakerClient, request: Namespace) -> Claim:
    """Decide about the object that `request` names (bucket, key, etag, execution_arn, claims_uri)."""
    wanted = plain_etag(request.etag)
    upload = _head(s3, request.bucket, request.key)
    if upload is None:
        return _claim(request, wanted, "", MISSING, f"s3://{request.bucket}/{request.key} is not there (any more)")
    if wanted and wanted != upload.etag:
        reason = f"the object was replaced: its ETag is now {upload.etag}; the newer upload has an event of its own"
        return _claim(request, wanted, iso(upload.uploaded_at), SUPERSEDED, reason)
    return _hold(s3, sagemaker, request, upload)


def _hold(s3: S3Client, sagemaker: SageMakerClient, request: Namespace, upload: Upload) -> Claim:
    bucket, prefix = split_s3_uri(request.claims_uri)
    identity = identity_of(request.bucket, request.key, upload.etag)
    name = claim_name(identity, request.run_key)
    claim_key = f"{prefix}/{name}" if prefix else name
    for _ in range(_ROUNDS):
        holder = _read_holder(s3, bucket, claim_key)
        # The first moment seen is kept: outputs are filed under its date, so a take-over can't file them twice.
        uploaded_at = holder.uploaded_at if holder else iso(upload.uploaded_at)
        document = _holder_document(request, upload.etag, uploaded_at)
        if holder is None:
            if _write_holder(s3, bucket, claim_key, document, replaces=None):
                return _claim(request, upload.etag, uploaded_at, PROCESS, "first execution for this file")
            continue
        if holder.execution_arn == request.execution_arn:
            return _claim(request, upload.etag, uploaded_at, PROCESS, "this execution holds the claim already")
        status = _execution_status(sagemaker, holder.execution_arn)
        if not may_take_over(status):
            reason = f"the same file is or was processed by {holder.execution_arn} ({status})"
            return _claim(request, upload.etag, uploaded_at, DUPLICATE, reason)
        if _write_holder(s3, bucket, claim_key, document, replaces=holder.object_etag):
            return _claim(
                request, upload.etag, uploaded_at, PROCESS, f"taken over from {holder.execution_arn} ({status})"
            )
    raise ClaimError(
        f"The claim s3://{bucket}/{claim_key} changed hands {_ROUNDS} times while it was asked for. "
        "Start the execution again."
    )


def pinned(s3: S3Client, claim: Claim, inputs_uri: str) -> Claim:
    """The claim with a copy of exactly its version; superseded or missing where that is gone by now."""
    if claim.decision != PROCESS:
        return claim
    bucket, prefix = split_s3_uri(inputs_uri)
    folder = f"{prefix}/{claim.identity}" if prefix else claim.identity
    with aws_call(f"Copying s3://{claim.bucket}/{claim.key}"):
        try:
            s3.copy_object(
                Bucket=bucket,
                Key=f"{folder}/{PurePosixPath(claim.key).name}",
                CopySource={"Bucket": claim.bucket, "Key": claim.key},
                CopySourceIfMatch=claim.etag,
                # Without the uploader's tags, which S3 lets nobody copy who may not read tags and set them.
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
    """Name of the claim object: one for all executions that the upload started, one for each run that was asked for."""
    if run_key == UPLOAD:
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


def _head(s3: S3Client, bucket: str, key: str) -> Upload | None:
    with aws_call(f"Looking at s3://{bucket}/{key}"):
        try:
            answer = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
    return Upload(etag=plain_etag(answer["ETag"]), uploaded_at=answer["LastModified"])


def _read_holder(s3: S3Client, bucket: str, key: str) -> Holder | None:
    with aws_call(f"Reading the claim s3://{bucket}/{key}"):
        try:
            answer = s3.get_object(Bucket=bucket, Key=key)
            body = answer["Body"].read()
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
    try:
        document = json.loads(body)
        return Holder(str(document["execution_arn"]), str(document["uploaded_at"]), answer["ETag"])
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimError(
            f"s3://{bucket}/{key} is no claim of ours ({error}). Delete it and start the execution again."
        ) from error


def _holder_document(request: Namespace, etag: str, uploaded_at: str) -> dict[str, str]:
    return {
        "bucket": request.bucket,
        "key": request.key,
        "etag": etag,
        "execution_arn": request.execution_arn,
        "uploaded_at": uploaded_at,
    }


def _write_holder(s3: S3Client, bucket: str, key: str, document: dict[str, str], *, replaces: str | None) -> bool:
    """Create the claim, or replace exactly the version `replaces`; False where another execution was faster."""
    body = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    with aws_call(f"Writing the claim s3://{bucket}/{key}"):
        try:
            if replaces is None:
                s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfMatch=replaces)
        except ClientError as error:
            if error_code(error) in _LOST_THE_RACE | _GONE:
                return False
            raise
    return True


def _execution_status(sagemaker: SageMakerClient, arn: str) -> str:
    with aws_call(f"Looking at the pipeline execution {arn}"):
        try:
            return sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        except ClientError as error:
            if error_code(error) in _NO_SUCH_EXECUTION:
                return "missing"
            raise


def main(arguments: Sequence[str]) -> None:
    parser = Arguments(__doc__, PROCESSING_MESSAGE)
    parser.add_argument("--bucket", required=True, help="bucket of the uploaded file")
    parser.add_argument("--key", required=True, help="key of the uploaded file, as it is (not URL-encoded)")
    parser.add_argument("--etag", default="", help="ETag of the upload; empty means the version that is there now")
    parser.add_argument("--run-key", default=UPLOAD, help="another value for a run that is wanted again, by hand")
    parser.add_argument("--execution-arn", required=True, help="ARN of the pipeline execution that asks")
    parser.add_argument("--claims-uri", required=True, help="s3://bucket/prefix that holds the claims")
    parser.add_argument(
        "--inputs-uri", required=True, help="s3://bucket/prefix that gets a copy of the version claimed"
    )
    parser.add_argument("--output-dir", type=Path, default=PROCESSING / "output" / "claim", help="gets claim.json")
    request = parser.parse_args(arguments)
    s3 = s3_client()
    claim = pinned(s3, claim_file(s3, sagemaker_client(), request), request.inputs_uri)
    write_claim(claim, request.output_dir)
    print(f"claim: {claim.decision}: {claim.reason} ({claim.prediction_name})")


if __name__ == "__main__":
    run_step(main, PROCESSING_MESSAGE)
