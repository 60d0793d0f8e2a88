"""Small JSON objects in S3: put, read, and replaced only where nobody else has replaced them meanwhile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from analysis.runtime.aws import aws_call, split_s3_uri, unless
from analysis.runtime.errors import PublishError
from analysis.runtime.files import json_text
from analysis.runtime.upload import Claim, claim_from

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_LOST_THE_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


def exists(s3: S3Client, bucket: str, key: str) -> bool:
    """Say whether there is such an object."""
    return etag_of(s3, bucket, key) is not None


def etag_of(s3: S3Client, bucket: str, key: str) -> str | None:
    """Return what tells an object's content from others; None where there is no such object."""
    what = f"Looking at s3://{bucket}/{key}"
    found = unless(what, _GONE, lambda: s3.head_object(Bucket=bucket, Key=key))
    return None if found is None else found["ETag"]


def read_if_there(s3: S3Client, bucket: str, key: str) -> tuple[dict[str, Any], str] | None:
    """Return a JSON object and its ETag; None where there is no such object, or none of ours under its key."""
    found = unless(f"Reading s3://{bucket}/{key}", _GONE, lambda: s3.get_object(Bucket=bucket, Key=key))
    if found is None:
        return None
    try:
        return dict(json.loads(found["Body"].read())), found["ETag"]
    except (TypeError, ValueError):
        return {}, found["ETag"]


def read_document(s3: S3Client, bucket: str, key: str, what: str) -> dict[str, Any]:
    """Return a JSON object; raise PublishError where it is none, which says that it is not `what`."""
    with aws_call(f"Reading s3://{bucket}/{key}"):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise TypeError(f"{type(document).__name__} instead of an object")
    except (TypeError, ValueError) as error:
        raise PublishError(f"s3://{bucket}/{key} is not {what} ({error}).") from error
    return document


def read_claim_object(s3: S3Client, uri: str) -> Claim:
    """Read the claim.json that claim.py has put beside the copy of the file."""
    document = read_document(s3, *split_s3_uri(uri), "a claim")
    try:
        return claim_from(document, uri)
    except (TypeError, ValueError) as error:
        raise PublishError(f"{uri} is not a claim ({error}).") from error


def put_json(s3: S3Client, bucket: str, key: str, document: dict[str, Any], **condition: str) -> bool:
    """Put a document; False where the condition does not hold."""
    body = json_text(document).encode("utf-8")
    answer = unless(
        f"Writing s3://{bucket}/{key}",
        _LOST_THE_RACE | _GONE if condition else frozenset(),
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition),  # type: ignore[arg-type]
    )
    return answer is not None


def replacing(etag: str | None) -> dict[str, str]:
    """Return the condition under which an object is still the one with that ETag, or still absent."""
    return {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
