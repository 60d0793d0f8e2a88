"""Claim one version of one input file for one pipeline execution, so that it is processed once.

EventBridge delivers at least once, so two executions may start for the same upload. The first to create
<claims-uri>/<identity>.json owns it; S3's conditional writes decide, so there is no gap between asking and writing.
The owner puts a copy of just that version and claim.json, which says what it is, into <inputs-uri>/<identity>/.

A schedule starts executions without a file: they claim its due time instead (--version-id schedule), and the copy is
an empty file.

The answer's `decision` is "process", "publish" (an execution that failed afterwards has registered a model for this
claim: only its results are still to be published), "duplicate", "superseded" or "missing"; `reason` says why.
"""

from __future__ import annotations

import hashlib
import math
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from analysis.runtime.aws import aws_call, error_code, patient_client, split_s3_uri, unless
from analysis.runtime.container import run_step
from analysis.runtime.errors import ClaimError
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of
from analysis.runtime.holders import claim_key, read_holder, refuse_unless_held
from analysis.runtime.project import NAME
from analysis.runtime.upload import (
    CLAIM_FILE,
    INPUT_FILE,
    SCHEDULED,
    UPLOAD_RUN_KEY,
    Claim,
    claim_of,
    claim_text,
    scheduled_claim,
)
from analysis.runtime.versions import commit_of_code, current_version, superseded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

PROCESS, PUBLISH, DUPLICATE, MISSING, SUPERSEDED = "process", "publish", "duplicate", "missing", "superseded"
NEWEST = "latest"
"""Instead of a version's id: the newest version at the time of the claim."""
PUBLISHED_FROM = ("rows-uri", "transform-uri", "features-uri")
"""Metadata of a registered version: what its execution has left for publishing and ingestion."""
ALSO_FROM = ("drift-uri", "profile")
"""The same, but versions that were registered by an earlier version of this project lack it."""

_ENDED_WITHOUT_RESULT = frozenset({"Failed", "Stopped", "missing"})
_LOST_THE_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
_NO_SUCH_EXECUTION = frozenset({"ResourceNotFound", "ValidationException", "ResourceNotFoundException"})
_ROUNDS = 10
"""Each round is lost only to another execution that wrote the claim in between."""
_COPIED_AT_ONCE = 5 << 30
_MIB = 1 << 20


@dataclass(frozen=True)
class Decision:
    """What an execution is to do with a version, and why; `registered` is its model package, for "publish"."""

    word: str
    reason: str
    claim: Claim | None = None
    name: str = ""
    registered: Mapping[str, Any] | None = None


def may_take_over(status: str) -> bool:
    """Return whether an execution of that status will never deliver what it claimed."""
    return status in _ENDED_WITHOUT_RESULT


def claim_version(s3: S3Client, sagemaker: SageMakerClient, request: Namespace) -> Decision:
    """Decide about the object version, or the time of a schedule, that `request` names."""
    if request.version_id == SCHEDULED:
        return _hold(s3, sagemaker, request, scheduled_claim(request.bucket, request.key))
    uri = f"s3://{request.bucket}/{request.key}"
    head = current_version(s3, request.bucket, request.key)
    if head is None:
        return Decision(MISSING, f"{uri} no longer exists")
    version = head.get("VersionId")
    if version is None:
        raise ClaimError(
            f"{uri} has no version id: the bucket keeps no versions. Enable them ({NAME} deploy), upload it again."
        )
    if request.version_id not in {NEWEST, version}:
        reason = f"{uri} was replaced by version {version}, which has an execution of its own"
        return Decision(SUPERSEDED, reason)
    if head["ContentLength"] > request.largest_mib * _MIB:
        raise ClaimError(
            f"{uri} has {math.ceil(head['ContentLength'] / _MIB):,} MiB; this environment takes at most "
            f"{request.largest_mib:,} MiB. Set running.largest_file_mib and deploy, or upload a smaller file."
        )
    moment = upload_moment(_versions(s3, request.bucket, request.key), version)
    return _hold(s3, sagemaker, request, claim_of(request.bucket, request.key, version, moment))


def upload_moment(versions: Iterator[Mapping[str, Any]], version_id: str) -> str:
    """Return when a version was uploaded, given those of its key, newest first.

    S3 gives whole seconds; the milliseconds count the versions of the same second that came before, so that of two
    records with the same identifier the Feature Store keeps the later one.
    """
    second: datetime | None = None
    before = 0
    for version in versions:
        modified = version["LastModified"].astimezone(UTC).replace(microsecond=0)
        if second is None:
            second = modified if version["VersionId"] == version_id else None
        elif modified == second:
            before += 1
        else:
            break
    if second is None:
        raise ClaimError(f"S3 lists no version {version_id} of the file. Start the execution again.")
    return f"{second:%Y-%m-%dT%H:%M:%S}.{min(before, 999):03d}Z"


def _versions(s3: S3Client, bucket: str, key: str) -> Iterator[Mapping[str, Any]]:
    with aws_call(f"Listing the versions of s3://{bucket}/{key}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            for version in page.get("Versions", []):
                if version["Key"] != key:
                    return  # keys come in order, and a prefix is also that of longer ones
                yield version


def _hold(s3: S3Client, sagemaker: SageMakerClient, request: Namespace, claim: Claim) -> Decision:
    name = claim_name(claim.identity, request.run_key)
    bucket, key = claim_key(request.claims_uri, name)
    what = "time of the schedule" if claim.schedule else "version"
    reason, registered = f"first execution for this {what}", None
    for _ in range(_ROUNDS):
        holder = read_holder(s3, bucket, key)
        if holder is not None:
            # The first moment seen is kept: outputs are filed under its date, so a take-over can't file them twice.
            claim = claim_of(claim.bucket, claim.key, claim.version_id, holder.uploaded_at)
            if holder.execution_arn == request.execution_arn:
                # As after a lost answer, or a failure between the claim and the copy.
                registered = registered_version(sagemaker, request.model_package_group_name, name)
                word = PUBLISH if registered else PROCESS
                return Decision(word, "this execution holds the claim already", claim, name, registered)
            status = _execution_status(sagemaker, holder.execution_arn)
            if not may_take_over(status):
                reason = f"the same {what} is or was processed by {holder.execution_arn} ({status})"
                return Decision(DUPLICATE, reason, claim, name)
            reason = f"taken over from {holder.execution_arn} ({status})"
            registered = registered_version(sagemaker, request.model_package_group_name, name)
        document = {
            "execution_arn": request.execution_arn,
            **{part: getattr(claim, part) for part in ("bucket", "key", "version_id", "uploaded_at")},
        }
        if _write_holder(s3, bucket, key, document, replaces=holder.object_etag if holder else None):
            return Decision(PUBLISH if registered else PROCESS, reason, claim, name, registered)
    raise ClaimError(
        f"The claim s3://{bucket}/{key} changed hands {_ROUNDS} times while this execution asked for it. "
        "Start the execution again."
    )


def registered_version(sagemaker: SageMakerClient, group: str | None, name: str) -> Mapping[str, Any] | None:
    """Return the newest model package that was registered under a claim and not rejected; None where there is none."""
    if group is None:
        return None
    with aws_call(f"Looking for a version in {group} that was registered for this file"):
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        for page in pages:
            for item in page["ModelPackageSummaryList"]:
                package = sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"])
                properties = package.get("CustomerMetadataProperties", {})
                if properties.get("claim") == name and package.get("ModelApprovalStatus") != "Rejected":
                    return package if properties.keys() >= set(PUBLISHED_FROM) else None
    return None


def pinned(s3: S3Client, decision: Decision, inputs_uri: str) -> Decision:
    """Copy exactly the claimed version, or nothing for a schedule.

    The decision becomes another where that version is not the newest any more.
    """
    claim = decision.claim
    if claim is None or decision.word not in {PROCESS, PUBLISH}:
        return decision
    bucket, folder = split_s3_uri(inputs_uri)
    copy = f"{folder}/{claim.identity}/{INPUT_FILE}"
    with aws_call(f"Copying s3://{claim.bucket}/{claim.key}"):
        try:
            if claim.schedule:
                # Not empty: a job gets no file of 0 bytes as its input.
                s3.put_object(Bucket=bucket, Key=copy, Body=b"\n")
            else:
                s3.copy(
                    {"Bucket": claim.bucket, "Key": claim.key, "VersionId": claim.version_id},
                    bucket,
                    copy,
                    # Without the uploader's tags: copying those takes permissions to read and to set tags.
                    ExtraArgs={"TaggingDirective": "REPLACE"},
                    Config=TransferConfig(
                        multipart_threshold=_COPIED_AT_ONCE, multipart_chunksize=_COPIED_AT_ONCE // 10
                    ),
                )
        except ClientError as error:
            if error_code(error) not in _GONE:
                raise
            return Decision(MISSING, "the version was deleted while it was claimed")
        body = claim_text(claim).encode("utf-8")
        s3.put_object(Bucket=bucket, Key=f"{folder}/{claim.identity}/{CLAIM_FILE}", Body=body)
    replaced = superseded(s3, claim)
    return decision if replaced is None else Decision(SUPERSEDED, replaced, claim, decision.name)


def claim_name(identity: str, run_key: str) -> str:
    """Return the claim's name: one for all executions that the upload started, one for each run by hand."""
    if run_key == UPLOAD_RUN_KEY:
        return identity
    return f"{identity}-{hashlib.sha256(run_key.encode('utf-8')).hexdigest()[:12]}"


def _write_holder(s3: S3Client, bucket: str, key: str, document: dict[str, str], *, replaces: str | None) -> bool:
    """Create the claim, or replace exactly the version `replaces`; False where another execution was faster."""
    body = json_text(document).encode("utf-8")
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


def claim_step(arguments: Sequence[str]) -> Outputs:
    """Run the step and return its output parameters."""
    parser = FunctionArguments(__doc__)
    parser.add_argument("--bucket", required=True, help="bucket of the uploaded file")
    parser.add_argument("--key", required=True, help="key of the uploaded file, as it is (not URL-encoded)")
    version_help = f"id of the version, or {SCHEDULED!r} for the time of a schedule; by default the newest one"
    parser.add_argument("--version-id", default=NEWEST, help=version_help)
    parser.add_argument("--run-key", default=UPLOAD_RUN_KEY, help="another value for a run that is started by hand")
    parser.add_argument("--execution-arn", required=True, help="ARN of the pipeline execution that asks")
    parser.add_argument("--claims-uri", required=True, help="s3://bucket/prefix that holds the claims")
    parser.add_argument("--inputs-uri", required=True, help="s3://bucket/prefix that gets a copy of the version")
    parser.add_argument("--largest-mib", type=int, default=512, help="size of the largest file, in MiB")
    group_help = "where a take-over looks for the version that the execution before it has registered"
    parser.add_argument("--model-package-group-name", help=group_help)
    parser.add_argument("--code-uri", help="object of the packed code, whose metadata name its git commit")
    confirm_help = "only see whether the execution still holds this claim, by its name"
    parser.add_argument("--confirm", help=confirm_help)
    request = parser.parse_args(arguments)
    s3, sagemaker = (patient_client(service, request.retry_seconds) for service in ("s3", "sagemaker"))
    if request.confirm is not None:
        refuse_unless_held(s3, request.claims_uri, request.confirm, request.execution_arn)
        return outputs_of("this execution holds the claim", decision=PROCESS)
    decision = pinned(s3, claim_version(s3, sagemaker, request), request.inputs_uri)
    print(f"claim: {decision.word}: {decision.reason} (s3://{request.bucket}/{request.key})")
    return _outputs(decision, request.inputs_uri, commit_of_code(s3, request.code_uri))


def _outputs(decision: Decision, inputs_uri: str, commit: str) -> Outputs:
    claim, package = decision.claim, decision.registered or {}
    folder = f"{inputs_uri.rstrip('/')}/{claim.identity}" if claim else None
    properties = package.get("CustomerMetadataProperties", {})
    return outputs_of(
        decision=decision.word,
        reason=decision.reason,
        name=decision.name,
        identity=claim.identity if claim else None,
        input_uri=f"{folder}/{INPUT_FILE}" if folder else None,
        claim_uri=f"{folder}/{CLAIM_FILE}" if folder else None,
        uploaded_at=claim.uploaded_at if claim else None,
        git_commit=commit,
        model_package_arn=package.get("ModelPackageArn"),
        **{name.replace("-", "_"): properties.get(name) for name in (*PUBLISHED_FROM, *ALSO_FROM)},
    )


handler = as_function(claim_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(claim_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
