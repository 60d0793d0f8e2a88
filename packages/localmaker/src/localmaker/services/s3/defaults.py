"""What a bucket is born with, as S3 makes every bucket since April 2023.

Its objects are encrypted with keys of S3, public access is blocked, and objects belong to the bucket's owner. The
encryption can be changed and never be taken away; the other two can.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend

_ENCRYPTION = {
    "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"},
}
_OWNERSHIP: Any = "BucketOwnerEnforced"


def install() -> None:
    """Put it into moto, for the whole process; doing it again changes nothing."""
    S3Backend.create_bucket = _create_bucket
    S3Backend.get_bucket_encryption = _get_bucket_encryption


_moto_create_bucket = S3Backend.create_bucket
_moto_get_bucket_encryption = S3Backend.get_bucket_encryption


def _create_bucket(backend: S3Backend, *args: Any, **kwargs: Any) -> FakeBucket:
    bucket = _moto_create_bucket(backend, *args, **kwargs)
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    # A request that names another ownership sets it afterwards.
    bucket.ownership_rule = _OWNERSHIP
    return bucket


def _get_bucket_encryption(backend: S3Backend, bucket_name: str) -> dict[str, Any]:
    return _moto_get_bucket_encryption(backend, bucket_name) or _ENCRYPTION
