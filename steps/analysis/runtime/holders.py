"""Who works on a version of a file: the claim objects, which only the owner or a take-over writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.runtime.aws import aws_call, split_s3_uri, unless
from analysis.runtime.errors import ClaimError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class Holder:
    """The content of a claim object: the execution that owns the file, and the upload time it was first seen with."""

    execution_arn: str
    uploaded_at: str
    object_etag: str


def read_holder(s3: S3Client, bucket: str, key: str) -> Holder | None:
    """Return who owns a claim; None where nobody does."""
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


def claim_key(claims_uri: str, name: str) -> tuple[str, str]:
    """Return bucket and key of a claim object."""
    bucket, prefix = split_s3_uri(claims_uri)
    return bucket, f"{prefix}/{name}.json".lstrip("/")


def refuse_unless_held(s3: S3Client, claims_uri: str, name: str, execution_arn: str) -> None:
    """Raise ClaimError where another execution has taken a claim over, as may have happened before a retry."""
    bucket, key = claim_key(claims_uri, name)
    holder = read_holder(s3, bucket, key)
    if holder is None or holder.execution_arn != execution_arn:
        by = "nobody: the claim was deleted" if holder is None else holder.execution_arn
        raise ClaimError(f"This execution does not hold the claim on its file any more; it is held by {by}.")
