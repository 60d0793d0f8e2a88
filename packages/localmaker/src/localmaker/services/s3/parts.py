"""Objects that were uploaded in parts, which moto takes for one piece once they are complete.

- One part of an object can be read, and its length asked for (``partNumber``), as clients do that download in parallel.
- ``GetObjectAttributes`` tells of the parts; the names of attributes may have spaces between them.
- A checksum of the parts' checksums is told with the number of parts. A copy has no parts, and a checksum of its own.
- Such an object has an owner, as every other (``GetObjectAcl``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import InvalidArgumentError, S3ClientError
from moto.s3.models import S3Backend, get_canned_acl
from moto.s3.responses import S3Response
from requests.structures import CaseInsensitiveDict

from localmaker.state import s3_contents

_MOST_PARTS = 1000
_LAST_NUMBER = 10_000
_CHECKSUM = "x-amz-checksum-"


def install() -> None:
    """Put it into moto, for the whole process; doing it again changes nothing.

    The attributes are asked for by what says more of them.
    """
    S3Response.get_object = _get_object
    S3Response.head_object = _head_object
    S3Backend.get_object_acl = _get_object_acl
    S3Backend.copy_object = _copy_object


_moto_get_object = S3Response.get_object
_moto_head_object = S3Response.head_object
_moto_copy_object = S3Backend.copy_object
_moto_get_object_attributes = S3Response.get_object_attributes


@dataclass(frozen=True)
class Part:
    """A part of a complete object.

    Attributes:
        number: that it was uploaded with.
        begin, size: where it lies in the object, in bytes.
        checksum: as S3 writes it; None where the upload asked for none.
    """

    number: int
    begin: int
    size: int
    checksum: str | None


def parts_of(key: Any) -> list[Part]:
    """The parts of one of moto's objects in their order; empty where it came whole."""
    upload = getattr(key, "multipart", None)
    if upload is None:
        return []
    algorithm = key.checksum_algorithm
    parts: list[Part] = []
    begin = 0
    # A part that was uploaded and then left out is none of the object's.
    for number in getattr(upload, "completed", upload.partlist):
        part = upload.parts[number]
        checksum = getattr(part, "_checksums", {}).get(algorithm) if algorithm else None
        parts.append(Part(number, begin, part.contentsize, checksum))
        begin += part.contentsize
    return parts


def _asked_for(response: Any) -> int | None:
    """The number of a part; None where the whole object is asked for."""
    (text,) = response.querystring.get("partNumber", [None])[:1]
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LAST_NUMBER):
        message = f"Part number must be an integer between 1 and {_LAST_NUMBER}, inclusive"
        raise InvalidArgumentError(message, "partNumber", text)
    return int(text)


def _wanted(key: Any, number: int) -> Part | None:
    parts = parts_of(key) or [Part(1, 0, key.size, None)]
    return next((part for part in parts if part.number == number), None)


def _refused(response: Any) -> Any:
    error = S3ClientError("InvalidPartNumber", "The requested partnumber is not satisfiable")
    _, headers, body = response.serialized(ActionResult(error))
    # The service model does not have the error, so that moto would answer with 400.
    return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, body


def _told_of(part: Part, key: Any) -> dict[str, str]:
    """The headers that say which part of which object it is."""
    told = {
        "content-range": f"bytes {part.begin}-{part.begin + part.size - 1}/{key.size}",
        "content-length": str(part.size),
    }
    if key.multipart:
        told["x-amz-mp-parts-count"] = str(len(parts_of(key)))
        if part.checksum is not None and key.checksum_type == "COMPOSITE":
            told[f"{_CHECKSUM}{key.checksum_algorithm.lower()}"] = part.checksum
    return told


def _replace(headers: dict[str, Any], told: Mapping[str, str]) -> None:
    # What is said of the checksum is said of the whole object.
    for name in [name for name in headers if name.lower().startswith(_CHECKSUM) or name.lower() in told]:
        del headers[name]
    headers.update(told)


def _get_object(response: Any) -> Any:
    number = _asked_for(response)
    if number is None:
        return _moto_get_object(response)
    key, _ = response._get_key()  # noqa: SLF001 - moto has no other way
    part = _wanted(key, number)
    if part is None:
        return _refused(response)
    response.querystring.pop("partNumber")
    status, headers, content = _moto_get_object(response)
    if status != HTTPStatus.OK:
        return status, headers, content
    _replace(headers, _told_of(part, key))
    return HTTPStatus.PARTIAL_CONTENT, headers, content[part.begin : part.begin + part.size]


def _head_object(response: Any, bucket_name: str, query: dict[str, Any], key_name: str, headers: dict[str, Any]) -> Any:
    number = _asked_for(response)
    rest = {name: value for name, value in query.items() if name != "partNumber"}
    status, answer, content = _moto_head_object(response, bucket_name, rest, key_name, headers)
    if status != HTTPStatus.OK:
        return status, answer, content
    key = response.backend.get_object(bucket_name, key_name, query.get("versionId", [None])[0])
    if key is None:  # removed since
        return HTTPStatus.NOT_FOUND, {}, ""
    if number is None:
        _say_of_how_many(answer, key)
        return status, answer, content
    part = _wanted(key, number)
    if part is None:
        return _refused(response)
    _replace(answer, _told_of(part, key))
    return HTTPStatus.PARTIAL_CONTENT, answer, content


def _say_of_how_many(headers: dict[str, Any], key: Any) -> None:
    """A checksum of parts' checksums ends with their number; moto says so of the content only."""
    if key.checksum_type != "COMPOSITE":
        return
    for name in [name for name in headers if name.lower() == f"{_CHECKSUM}{key.checksum_algorithm.lower()}"]:
        headers[name] = f"{key.checksum_value}-{key.checksum_parts}"


def get_object_attributes(response: Any) -> Any:
    """As moto's, and of the parts too; what else the answer says is added by ``s3_answers``."""
    headers = CaseInsensitiveDict(response.headers)
    names = [name.strip() for name in headers.get("x-amz-object-attributes", "").split(",")]
    headers["x-amz-object-attributes"] = ",".join(names)
    response.headers = headers
    if "ObjectParts" not in names:
        return _moto_get_object_attributes(response)
    key, _ = response._get_key(validate_storage_class=False)  # noqa: SLF001 - moto has no other way
    parts = parts_of(key)
    serialized = response.serialized

    def with_parts(answer: ActionResult) -> Any:
        page = _page(parts, key.checksum_algorithm, headers) if parts else None
        return serialized(ActionResult({**answer.result, "ObjectParts": page}))

    response.serialized = with_parts
    return _moto_get_object_attributes(response)


def _page(parts: list[Part], algorithm: str | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """ObjectParts of the answer; single parts are told of only where they have checksums."""
    if not all(part.checksum for part in parts):
        return {"TotalPartsCount": len(parts)}
    marker = int(headers.get("x-amz-part-number-marker") or 0)
    most = min(int(headers.get("x-amz-max-parts") or _MOST_PARTS), _MOST_PARTS)
    rest = [part for part in parts if part.number > marker]
    shown = rest[:most]
    return {
        "TotalPartsCount": len(parts),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else marker,
        "MaxParts": most,
        "IsTruncated": len(rest) > len(shown),
        "Parts": [
            {"PartNumber": part.number, "Size": part.size, f"Checksum{algorithm}": part.checksum} for part in shown
        ],
    }


def _get_object_acl(_backend: Any, key: Any) -> Any:
    # Of an upload in parts moto keeps no rights unless some were asked for.
    return key.acl or get_canned_acl("private")


def _copy_object(backend: Any, source: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> None:
    _moto_copy_object(backend, source, bucket_name, key_name, *args, **kwargs)
    if parts_of(source):
        copy = backend.get_bucket(bucket_name).keys[key_name]
        copy.multipart = None
        if copy.checksum_value is not None:
            # That of the parts' checksums is not the copy's, which is whole.
            content = copy._content  # noqa: SLF001 - ours, in moto's object
            copy.checksum_value = s3_contents.checksum(content, copy.checksum_algorithm).decode()
