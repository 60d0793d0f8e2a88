"""Whether a version of an uploaded file is still the newest one: the newest upload wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.runtime.aws import unless
from analysis.runtime.upload import Claim

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


def current_version(s3: S3Client, bucket: str, key: str) -> Mapping[str, Any] | None:
    """Return what S3 says of the newest version of an object; None where it is deleted, or was never there.

    The newest one is the first that ListObjectVersions names; S3's answers are strongly consistent in this.
    """
    what = f"Looking at s3://{bucket}/{key}"
    return unless(what, _GONE, lambda: s3.head_object(Bucket=bucket, Key=key))


def superseded(s3: S3Client, claim: Claim) -> str | None:
    """Return why the claimed version is not to be worked on any more; None while it is the newest one."""
    current = current_version(s3, claim.bucket, claim.key)
    if current is None:
        return f"s3://{claim.bucket}/{claim.key} was deleted"
    newest = current.get("VersionId")
    if newest == claim.version_id:
        return None
    return f"s3://{claim.bucket}/{claim.key} was replaced by version {newest}, which has an execution of its own"
