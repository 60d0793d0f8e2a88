"""What S3 does with objects and says of them, where moto does otherwise.

- A bucket whose versioning is suspended keeps the versions that it has: a new object replaces only the version
  ``null``, and so does the delete marker that a deletion leaves. moto drops all versions.
- A key that never existed gets a delete marker, too, in a bucket with versions.
- The answer to the deletion of a delete marker says so (``x-amz-delete-marker``). In a bucket without versions a
  completed upload has none either.
- Every object is encrypted (``x-amz-server-side-encryption``). Checksums come with a type (``x-amz-checksum-type``).
- Lists repeat the marker, prefix and encoding of the request, and encode keys as it asks. Owners have no display name
  any more.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from moto.core.responses import ActionResult
from moto.s3.exceptions import AccessDeniedByLock, MethodNotAllowed
from moto.s3.models import FakeDeleteMarker, FakeKey, FakeTableStorageBucket, S3Backend
from moto.s3.responses import S3Response

from localmaker.services.s3 import multipart

_NO_VERSION = "null"
# Answers about an object itself name its encryption and checksum. Those about its tags, ACL and the like do not.
_OBJECT_PARAMETERS = {"partNumber", "uploadId", "uploads", "versionId", "x-id"}
_SIGNED_URL_PARAMETERS = ("X-Amz-", "AWSAccessKeyId", "Signature", "Expires", "response-")
_CHECKSUM = "x-amz-checksum-"
_ANSWERS: dict[str, dict[str, tuple[str, str | None]]] = {
    # Member of the answer, parameter of the request, and its default; None leaves the member out.
    "list_objects": {"Marker": ("marker", ""), "Prefix": ("prefix", "")},
    "list_objects_v2": {"ContinuationToken": ("continuation-token", None)},
    "list_object_versions": {"EncodingType": ("encoding-type", None)},
    "copy_object": {},
    "get_object_attributes": {},
}


def install() -> None:
    """Patch moto for the whole process. Safe to call again.

    ``delete_object`` is called by the patch of :mod:`localmaker.services.s3.events`.
    """
    S3Backend.put_object = _put_object
    S3Response._key_response = _key_response  # noqa: SLF001 - moto has no hook for it
    S3Response._key_response_post = _key_response_post  # noqa: SLF001 - as above
    for name, function in _moto_answers.items():
        setattr(S3Response, name, _completing(function, _ANSWERS[name]))


_moto_put_object = S3Backend.put_object
_moto_key_response = S3Response._key_response  # noqa: SLF001 - as above
_moto_key_response_post = S3Response._key_response_post  # noqa: SLF001 - as above
_moto_answers = {name: getattr(S3Response, name) for name in _ANSWERS}
_moto_answers["get_object_attributes"] = multipart.get_object_attributes


def _put_object(backend: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> Any:
    bucket = backend.get_bucket(bucket_name)
    if bucket.versioning_status is None or bucket.is_versioned:
        return _moto_put_object(backend, bucket_name, key_name, *args, **kwargs)
    before = list(bucket.keys.getlist(key_name, []))
    # moto disposes of the versions that it drops, so it must not see these.
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
    """Return the versions that a new version ``null`` does not replace."""
    return [version for version in bucket.keys.getlist(key_name, []) if version.version_id != _NO_VERSION]


def delete_object(
    backend: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
) -> tuple[bool, dict[str, Any]]:
    """Delete an object, or a version of it, in moto's bucket.

    Args:
        backend: moto's backend.
        bucket_name: the bucket.
        key_name: the key.
        version_id: the version; None deletes the current one.
        bypass: whether to ignore a lock in governance mode.

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
    _set_versions(bucket, key_name, [version for version in versions if version is not gone])
    return True, {**answer, "delete-marker": "true"} if isinstance(gone, FakeDeleteMarker) else answer


def _set_versions(bucket: Any, key_name: str, versions: list[Any]) -> None:
    bucket.keys.setlist(key_name, versions)
    if not versions:
        bucket.keys.pop(key_name)


def _new_marker(backend: Any, bucket: Any, key_name: str) -> Any:
    versions = bucket.keys.getlist(key_name, [])
    marked = versions[-1] if versions else FakeKey(key_name, b"", backend.account_id, bucket.region_name)
    marker = FakeDeleteMarker(key=marked)
    if not bucket.is_versioned:
        marker._version_id = _NO_VERSION  # noqa: SLF001 - moto has no other way
        _set_versions(bucket, key_name, _others(bucket, key_name))
    return marker


def _key_response(response: Any, request: Any, full_url: str) -> Any:
    answer = _moto_key_response(response, request, full_url)
    query = parse_qs(urlsplit(full_url).query, keep_blank_values=True)
    about_object = all(name in _OBJECT_PARAMETERS or name.startswith(_SIGNED_URL_PARAMETERS) for name in query)
    if (
        isinstance(answer, tuple)
        and request.method != "DELETE"
        and about_object
        and answer[0] < HTTPStatus.MULTIPLE_CHOICES
    ):
        answer[1].setdefault("x-amz-server-side-encryption", "AES256")
        if "partNumber" not in query:
            _add_checksum_type(answer[1])
    return answer


def _key_response_post(response: Any, *args: Any, **kwargs: Any) -> Any:
    answer = _moto_key_response_post(response, *args, **kwargs)
    if answer[1].get("x-amz-version-id") == _NO_VERSION:
        del answer[1]["x-amz-version-id"]
    return answer


def _add_checksum_type(headers: dict[str, Any]) -> None:
    values = [value for name, value in headers.items() if name.lower().startswith(_CHECKSUM)]
    if values and f"{_CHECKSUM}type" not in {name.lower() for name in headers}:
        headers[f"{_CHECKSUM}type"] = _checksum_type(values)


def _checksum_type(values: list[Any]) -> str:
    # The checksum of parts' checksums ends with the number of parts.
    return "COMPOSITE" if any("-" in str(value) for value in values) else "FULL_OBJECT"


def _completing(function: Callable[..., Any], repeated: dict[str, tuple[str, str | None]]) -> Callable[..., Any]:
    def completing(response: Any) -> Any:
        serialized = response.serialized

        def with_members(answer: Any) -> Any:
            return serialized(ActionResult(_completed(response, answer.result, repeated)))

        response.serialized = with_members
        return function(response)

    return completing


def _completed(response: Any, result: Any, repeated: dict[str, tuple[str, str | None]]) -> Any:
    if not isinstance(result, dict):
        return result
    for member, (parameter, default) in repeated.items():
        value = response.querystring.get(parameter, [default])[0]
        if value is not None:
            result.setdefault(member, value)
    is_encoded = result.get("EncodingType") == "url"
    for name in ("Contents", "Versions"):
        for entry in result.get(name) or ():
            # moto encodes the keys of objects, and not those of versions.
            _complete_entry(response, entry, is_encoded=is_encoded and name == "Contents")
    if is_encoded and "Versions" in result:
        _encode_keys(result)
    for entry in result.get("DeleteMarkers") or ():
        (entry.get("Owner") or {}).pop("DisplayName", None)
    for name in ("CopyObjectResult", "Checksum"):
        if isinstance(result.get(name), dict):
            _complete_checksum(result[name])
    return result


def _encode_keys(result: dict[str, Any]) -> None:
    """Encode what EncodingType is about in an answer of ListObjectVersions (API reference)."""
    for member in ("Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"):
        if result.get(member):
            result[member] = quote(result[member])
    for name, member in (("Versions", "Key"), ("DeleteMarkers", "Key"), ("CommonPrefixes", "Prefix")):
        for entry in result.get(name) or ():
            entry[member] = quote(entry[member])


def _complete_entry(response: Any, entry: dict[str, Any], *, is_encoded: bool) -> None:
    (entry.get("Owner") or {}).pop("DisplayName", None)
    if "ChecksumAlgorithm" not in entry:
        key = unquote(entry["Key"]) if is_encoded else entry["Key"]
        versions = response.backend.get_bucket(response.bucket_name).keys.getlist(key, [])
        wanted = [one for one in versions if entry.get("VersionId") in (None, one.version_id)]
        algorithm = getattr(wanted[-1], "checksum_algorithm", None) if wanted else None
        if algorithm is None:
            return
        entry["ChecksumAlgorithm"] = [algorithm]
    entry.setdefault("ChecksumType", "FULL_OBJECT")


def _complete_checksum(result: dict[str, Any]) -> None:
    values = [
        value for name, value in result.items() if name.startswith("Checksum") and name != "ChecksumType" and value
    ]
    if values and not result.get("ChecksumType"):
        result["ChecksumType"] = _checksum_type(values)
