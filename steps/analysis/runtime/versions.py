"""Versions of objects: whether an uploaded file's is still the newest one, and which commit the code is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.runtime.aws import split_s3_uri, unless
from analysis.runtime.upload import Claim

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GIT_COMMIT = "git-commit"
"""Metadata of the packed code: the commit that it was first deployed from, "-dirty" at its end where files differed."""
UNKNOWN_COMMIT = "unknown"
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


def current_version(s3: S3Client, bucket: str, key: str) -> Mapping[str, Any] | None:
    """Return what S3 says of the newest version of an object; None where it is deleted, or was never there.

    The newest one is the first that ListObjectVersions names; S3's answers are strongly consistent in this.
    """
    what = f"Looking at s3://{bucket}/{key}"
    return unless(what, _GONE, lambda: s3.head_object(Bucket=bucket, Key=key))


def superseded(s3: S3Client, claim: Claim) -> str | None:
    """Return why the claimed version is not to be worked on any more; None while it is the newest one.

    No upload replaces what a schedule started.
    """
    if claim.schedule:
        return None
    current = current_version(s3, claim.bucket, claim.key)
    if current is None:
        return f"s3://{claim.bucket}/{claim.key} was deleted"
    newest = current.get("VersionId")
    if newest == claim.version_id:
        return None
    return f"s3://{claim.bucket}/{claim.key} was replaced by version {newest}, which has an execution of its own"


def commit_of_code(s3: S3Client, uri: str | None) -> str:
    """Return the git commit that the object of the packed code names, or that it is unknown."""
    if uri is None:
        return UNKNOWN_COMMIT
    head = current_version(s3, *split_s3_uri(uri)) or {}
    return str(head.get("Metadata", {}).get(GIT_COMMIT) or UNKNOWN_COMMIT)
