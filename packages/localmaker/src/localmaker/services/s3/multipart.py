"""Objects that are uploaded in parts.

- moto joins the parts in memory; here a complete object is a list of extents of its parts' files.
- The checksum of a complete object is that of the whole or that of the parts' checksums, as the upload asked for.
- One part of an object can be read, and its length asked for (``partNumber``), as clients do that download in parallel.
- ``GetObjectAttributes`` lists the parts; the names of attributes may be separated by spaces.
- A checksum of the parts' checksums ends with the number of parts. A copy has no parts, and a checksum of its own.
- Such an object has an owner like every other (``GetObjectAcl``).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from moto.core.responses import ActionResult
from moto.s3 import models
from moto.s3.exceptions import EntityTooSmall, InvalidArgumentError, InvalidPart, MalformedXML, S3ClientError
from moto.s3.models import FakeMultipart, S3Backend, get_canned_acl
from moto.s3.responses import S3Response
from requests.structures import CaseInsensitiveDict

from localmaker.state.blobs import Extent, StoredBytes
from localmaker.state.checksums import checksum_of, combine_parts, encoded
from localmaker.state.contents import checksum, in_files, pieces_of

_MOST_PARTS = 1000
_LAST_NUMBER = 10_000
_CHECKSUM = "x-amz-checksum-"


def install() -> None:
    """Patch moto for the whole process. Safe to call again.

    ``get_object_attributes`` is called by the patch of :mod:`localmaker.services.s3.objects`.
    """
    FakeMultipart.complete = _complete
    S3Response.get_object = _get_object
    S3Response.head_object = _head_object
    S3Backend.get_object_acl = _get_object_acl
    S3Backend.copy_object = _copy_object


_moto_get_object = S3Response.get_object
_moto_head_object = S3Response.head_object
_moto_copy_object = S3Backend.copy_object
_moto_get_object_attributes = S3Response.get_object_attributes


def _complete(upload: Any, body: Iterable[tuple[int, str]]) -> tuple[Any, str, tuple[str, str, int] | None]:
    """Complete an upload as moto does, without joining the parts in memory."""
    extents: list[Extent] = []
    md5s = bytearray()
    parts: list[Any] = []
    for number, wanted in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != wanted.replace('"', ""):
            raise InvalidPart
        if parts and parts[-1].contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
            raise EntityTooSmall
        md5s.extend(bytes.fromhex(part.etag.strip('"')))
        extents.extend(in_files(part._content).extents)  # noqa: SLF001 - ours, in moto's object
        parts.append(part)
    if not parts:
        raise MalformedXML
    upload.completed = [int(part.name) for part in parts]
    etag = f"{hashlib.md5(bytes(md5s), usedforsecurity=False).hexdigest()}-{len(parts)}"
    return StoredBytes(extents), etag, _upload_checksum(upload.metadata, parts)


def _upload_checksum(metadata: Any, parts: list[Any]) -> tuple[str, str, int] | None:
    """Return kind, value and number of parts of the checksum that the upload asked for, or None.

    The default kind is that of "Checking object integrity in Amazon S3": the checksum of the whole object for
    CRC64NVME, else the checksum of the parts' checksums.
    """
    algorithm = metadata.get("x-amz-checksum-algorithm")
    if not algorithm:
        return None
    kind = metadata.get("x-amz-checksum-type") or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    found = [(_part_checksum(part, algorithm), part.contentsize) for part in parts]
    known = [(value, length) for value, length in found if value is not None]
    if len(known) < len(parts):
        return None
    if kind == "FULL_OBJECT":
        whole = combine_parts(algorithm, known)
        return None if whole is None else (kind, encoded(whole), 1)
    joined = b"".join(value for value, _ in known)
    value = checksum_of([joined], algorithm, len(joined))
    return None if value is None else (kind, encoded(value), len(parts))


def _part_checksum(part: Any, algorithm: str) -> bytes | None:
    given = getattr(part, "_checksums", {}).get(algorithm)
    if given is not None:
        return base64.b64decode(given)
    return checksum_of(pieces_of(part._content), algorithm, part.contentsize)  # noqa: SLF001 - ours, in moto's object


@dataclass(frozen=True)
class Part:
    """A part of a complete object.

    Attributes:
        number: the number that it was uploaded with.
        begin, size: its place in the object, in bytes.
        checksum: as S3 writes it; None if the upload asked for none.
    """

    number: int
    begin: int
    size: int
    checksum: str | None


def parts_of(key: Any) -> list[Part]:
    """Return the parts of one of moto's objects in order; none if it was uploaded as a whole."""
    upload = getattr(key, "multipart", None)
    if upload is None:
        return []
    algorithm = key.checksum_algorithm
    parts: list[Part] = []
    begin = 0
    # A part may have been uploaded and left out of the object.
    for number in getattr(upload, "completed", upload.partlist):
        part = upload.parts[number]
        checksum = getattr(part, "_checksums", {}).get(algorithm) if algorithm else None
        parts.append(Part(number, begin, part.contentsize, checksum))
        begin += part.contentsize
    return parts


def _requested_part(response: Any) -> int | None:
    """Return the number of the requested part, or None if the whole object is requested."""
    (text,) = response.querystring.get("partNumber", [None])[:1]
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LAST_NUMBER):
        message = f"Part number must be an integer between 1 and {_LAST_NUMBER}, inclusive"
        raise InvalidArgumentError(message, "partNumber", text)
    return int(text)


def _find_part(key: Any, number: int) -> Part | None:
    parts = parts_of(key) or [Part(1, 0, key.size, None)]
    return next((part for part in parts if part.number == number), None)


def _invalid_part_number(response: Any) -> Any:
    error = S3ClientError("InvalidPartNumber", "The requested partnumber is not satisfiable")
    _, headers, body = response.serialized(ActionResult(error))
    # The service model does not have the error, so that moto would answer with 400.
    return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, body


def _part_headers(part: Part, key: Any) -> dict[str, str]:
    """Return the headers that describe a part of an object."""
    headers = {
        "content-range": f"bytes {part.begin}-{part.begin + part.size - 1}/{key.size}",
        "content-length": str(part.size),
    }
    if key.multipart:
        headers["x-amz-mp-parts-count"] = str(len(parts_of(key)))
        if part.checksum is not None and key.checksum_type == "COMPOSITE":
            headers[f"{_CHECKSUM}{key.checksum_algorithm.lower()}"] = part.checksum
    return headers


def _replace(headers: dict[str, Any], replacing: Mapping[str, str]) -> None:
    # The checksum headers are those of the whole object.
    for name in [name for name in headers if name.lower().startswith(_CHECKSUM) or name.lower() in replacing]:
        del headers[name]
    headers.update(replacing)


def _get_object(response: Any) -> Any:
    number = _requested_part(response)
    if number is None:
        return _moto_get_object(response)
    key, _ = response._get_key()  # noqa: SLF001 - moto has no other way
    part = _find_part(key, number)
    if part is None:
        return _invalid_part_number(response)
    response.querystring.pop("partNumber")
    status, headers, content = _moto_get_object(response)
    if status != HTTPStatus.OK:
        return status, headers, content
    _replace(headers, _part_headers(part, key))
    return HTTPStatus.PARTIAL_CONTENT, headers, content[part.begin : part.begin + part.size]


def _head_object(response: Any, bucket_name: str, query: dict[str, Any], key_name: str, headers: dict[str, Any]) -> Any:
    number = _requested_part(response)
    rest = {name: value for name, value in query.items() if name != "partNumber"}
    status, answer, content = _moto_head_object(response, bucket_name, rest, key_name, headers)
    if status != HTTPStatus.OK:
        return status, answer, content
    key = response.backend.get_object(bucket_name, key_name, query.get("versionId", [None])[0])
    if key is None:  # removed since
        return HTTPStatus.NOT_FOUND, {}, ""
    if number is None:
        _add_part_count(answer, key)
        return status, answer, content
    part = _find_part(key, number)
    if part is None:
        return _invalid_part_number(response)
    _replace(answer, _part_headers(part, key))
    return HTTPStatus.PARTIAL_CONTENT, answer, content


def _add_part_count(headers: dict[str, Any], key: Any) -> None:
    """End a checksum of parts' checksums with their number, as moto does for GetObject only."""
    if key.checksum_type != "COMPOSITE":
        return
    for name in [name for name in headers if name.lower() == f"{_CHECKSUM}{key.checksum_algorithm.lower()}"]:
        headers[name] = f"{key.checksum_value}-{key.checksum_parts}"


def get_object_attributes(response: Any) -> Any:
    """Answer as moto does, and list the parts, too."""
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
    """Return ObjectParts of the answer; single parts are listed only if they have checksums."""
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
    # moto gives an object that was uploaded in parts no ACL unless the upload named one.
    return key.acl or get_canned_acl("private")


def _copy_object(backend: Any, source: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> None:
    _moto_copy_object(backend, source, bucket_name, key_name, *args, **kwargs)
    if parts_of(source):
        copy = backend.get_bucket(bucket_name).keys[key_name]
        copy.multipart = None
        if copy.checksum_value is not None:
            # The copy is whole, so it needs a checksum of its content.
            content = copy._content  # noqa: SLF001 - ours, in moto's object
            copy.checksum_value = checksum(content, copy.checksum_algorithm).decode()
