"""What becomes of the versions of an object that is written or deleted, where moto does otherwise.

- A bucket whose versions are suspended keeps those that it has: a new object takes the place of the version ``null``
  only, and so does the marker that a deletion leaves. moto drops all versions.
- A key that never was gets a delete marker, too, in a bucket with versions.
- The answer to the deletion of a delete marker says so (``x-amz-delete-marker``).
"""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import AccessDeniedByLock, MethodNotAllowed
from moto.s3.models import FakeDeleteMarker, FakeKey, FakeTableStorageBucket, S3Backend

_NO_VERSION = "null"


def install() -> None:
    """Put the writing into moto, for the whole process; doing it again changes nothing.

    The deletion is called by what tells of it.
    """
    S3Backend.put_object = _put_object


_moto_put_object = S3Backend.put_object


def _put_object(backend: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> Any:
    bucket = backend.get_bucket(bucket_name)
    if bucket.versioning_status is None or bucket.is_versioned:
        return _moto_put_object(backend, bucket_name, key_name, *args, **kwargs)
    before = list(bucket.keys.getlist(key_name, []))
    # moto empties those that it drops, so that it must not see them.
    dict.pop(bucket.keys, key_name, None)
    try:
        new = _moto_put_object(backend, bucket_name, key_name, *args, **kwargs)
    except BaseException:
        if before:
            dict.__setitem__(bucket.keys, key_name, before)
        raise
    bucket.keys.setlist(key_name, [*(one for one in before if one.version_id != _NO_VERSION), new])
    return new


def _others(bucket: Any, key_name: str) -> list[Any]:
    """Those that a version ``null`` does not take the place of."""
    return [version for version in bucket.keys.getlist(key_name, []) if version.version_id != _NO_VERSION]


def delete_object(
    backend: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
) -> tuple[bool, dict[str, Any]]:
    """Delete an object or a version of it, in moto's bucket.

    Args:
        backend: moto's.
        bypass: whether a lock in governance mode does not hold.

    Returns:
        Whether there was something to delete, and the headers of the answer without ``x-amz-``.
    """
    bucket = backend.get_bucket(bucket_name)
    if isinstance(bucket, FakeTableStorageBucket):
        raise MethodNotAllowed
    if version_id is not None:
        return _delete_version(bucket, key_name, version_id, bypass=bypass)
    if bucket.versioning_status is None:
        found = key_name in bucket.keys
        if found:
            bucket.keys.pop(key_name)
        return found, {}
    marker = _new_marker(backend, bucket, key_name)
    bucket.keys[key_name] = marker
    return True, {"version-id": marker.version_id, "delete-marker": "true"}


def _delete_version(bucket: Any, key_name: str, version_id: str, *, bypass: bool) -> tuple[bool, dict[str, Any]]:
    versions = bucket.keys.getlist(key_name, [])
    gone = next((version for version in versions if str(version.version_id) == str(version_id)), None)
    answer = {"version-id": version_id} if bucket.versioning_status is not None else {}
    if gone is None:
        return False, answer
    if isinstance(gone, FakeKey) and gone.is_locked(governance_bypass=bypass):
        raise AccessDeniedByLock
    _keep(bucket, key_name, [version for version in versions if version is not gone])
    return True, {**answer, "delete-marker": "true"} if isinstance(gone, FakeDeleteMarker) else answer


def _keep(bucket: Any, key_name: str, versions: list[Any]) -> None:
    bucket.keys.setlist(key_name, versions)
    if not versions:
        bucket.keys.pop(key_name)


def _new_marker(backend: Any, bucket: Any, key_name: str) -> Any:
    versions = bucket.keys.getlist(key_name, [])
    marked = versions[-1] if versions else FakeKey(key_name, b"", backend.account_id, bucket.region_name)
    marker = FakeDeleteMarker(key=marked)
    if not bucket.is_versioned:
        marker._version_id = _NO_VERSION  # noqa: SLF001 - moto has no other way
        _keep(bucket, key_name, _others(bucket, key_name))
    return marker
