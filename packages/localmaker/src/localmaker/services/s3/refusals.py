"""Requests that S3 refuses and moto accepts or fails on.

- Conditions of the S3 user guide ("Add preconditions to S3 operations with conditional requests"). They hold while the
  object is written, because the gateway lets one request at a time write an object.
- Keys that are too long, and presigned URLs that have expired.
- Uploads that do not exist, copies without a source, malformed lists of parts and unknown canned ACLs.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from moto.s3 import responses
from moto.s3.exceptions import InvalidArgumentError, MalformedXML, NoSuchUpload, S3ClientError
from moto.s3.models import MultipartDict, get_canned_acl
from moto.s3.responses import S3Response

_LONGEST_KEY_BYTES = 1024
_SOURCE_CONDITION = "x-amz-copy-source-"


@dataclass(frozen=True)
class Refusal:
    """An error that S3 answers.

    Attributes:
        status: the HTTP status.
        code: S3's error code.
        message: S3's message.
        more: further elements of the error document.
    """

    status: int
    code: str
    message: str
    more: Mapping[str, str]

    def response(self) -> tuple[int, dict[str, Any], str]:
        """Return what moto's responses return."""
        elements = {"Code": self.code, "Message": self.message, **self.more}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
        return self.status, {"Content-Type": "application/xml", "status": self.status}, text


def _failed(condition: str) -> Refusal:
    message = "At least one of the pre-conditions you specified did not hold"
    return Refusal(412, "PreconditionFailed", message, {"Condition": condition})


def write_refusal(headers: Mapping[str, str], etag: str | None) -> Refusal | None:
    """Return the error if ``If-Match`` or ``If-None-Match`` forbids to write an object.

    Args:
        headers: the request's headers, case-insensitive.
        etag: the ETag of the existing object; None if there is none.
    """
    wanted, unwanted = headers.get("If-Match"), headers.get("If-None-Match")
    if wanted is not None:
        if etag is None:
            return Refusal(404, "NoSuchKey", "The specified key does not exist.", {})
        if not _same(wanted, etag):
            return _failed("If-Match")
    if unwanted is not None:
        if unwanted != "*":
            message = "A header you provided implies functionality that is not implemented"
            return Refusal(501, "NotImplemented", message, {"Header": "If-None-Match"})
        if etag is not None:
            return _failed("If-None-Match")
    return None


def source_refusal(headers: Mapping[str, str], etag: str, modified: datetime) -> Refusal | None:
    """Return the error if the conditions on the source of a copy do not hold.

    Args:
        headers: the request's headers, case-insensitive.
        etag: the ETag of the source.
        modified: when the source was written, in UTC.
    """
    wanted, unwanted = headers.get(f"{_SOURCE_CONDITION}if-match"), headers.get(f"{_SOURCE_CONDITION}if-none-match")
    since, until = _time(headers, "if-modified-since"), _time(headers, "if-unmodified-since")
    modified = modified.replace(microsecond=0)
    # A condition on the ETag takes precedence over one on the time.
    if wanted is not None and not _same(wanted, etag):
        return _failed(f"{_SOURCE_CONDITION}If-Match")
    if unwanted is not None and _same(unwanted, etag):
        return _failed(f"{_SOURCE_CONDITION}If-None-Match")
    if wanted is None and until is not None and modified > until:
        return _failed(f"{_SOURCE_CONDITION}If-Unmodified-Since")
    if unwanted is None and since is not None and modified <= since:
        return _failed(f"{_SOURCE_CONDITION}If-Modified-Since")
    return None


def key_refusal(key: str) -> Refusal | None:
    """Return the error if a key is longer than S3 allows, in UTF-8."""
    length = len(key.encode())
    if length <= _LONGEST_KEY_BYTES:
        return None
    sizes = {"Size": str(length), "MaxSizeAllowed": str(_LONGEST_KEY_BYTES)}
    return Refusal(400, "KeyTooLongError", "Your key is too long", sizes)


def expiry_refusal(query: Mapping[str, list[str]], now: float) -> Refusal | None:
    """Return the error if a presigned URL, of either signature version, has expired.

    Args:
        query: the parameters of the URL.
        now: the time in seconds since 1970.
    """
    try:
        if "X-Amz-Expires" in query:
            signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            until = signed.timestamp() + int(query["X-Amz-Expires"][0])
        elif "Signature" in query and "Expires" in query:
            until = float(query["Expires"][0])
        else:
            return None
    except (KeyError, ValueError):
        message = "Query-string authentication requires a date and a number of seconds"
        return Refusal(400, "AuthorizationQueryParametersError", message, {})
    return Refusal(403, "AccessDenied", "Request has expired", {}) if now > until else None


def _same(tag: str, other: str) -> bool:
    return tag.strip('"') == other.strip('"')


def _time(headers: Mapping[str, str], name: str) -> datetime | None:
    text = headers.get(f"{_SOURCE_CONDITION}{name}")
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def install() -> None:
    """Patch moto for the whole process. Safe to call again.

    The other patches of S3's responses come first: these checks wrap them.
    """
    S3Response._key_response = _first(_expiry, S3Response._key_response)  # noqa: SLF001 - moto has no hook for it
    S3Response.put_object = _first(_write, S3Response.put_object)
    S3Response.copy_object = _first(_has_source, _first(_write, _first(_source, S3Response.copy_object)))
    S3Response.upload_part_copy = _first(_has_source, _first(_source, S3Response.upload_part_copy))
    S3Response._key_response_post = _first(_post, S3Response._key_response_post)  # noqa: SLF001 - as above
    S3Response._complete_multipart_body = _complete_multipart_body  # noqa: SLF001 - as above
    S3Response._tagging_from_xml = _tagging_from_xml  # noqa: SLF001 - as above
    MultipartDict.__missing__ = _no_such_upload
    responses.get_canned_acl = _canned_acl


_moto_complete_multipart_body = S3Response._complete_multipart_body  # noqa: SLF001 - as above
_moto_tagging_from_xml = S3Response._tagging_from_xml  # noqa: SLF001 - as above


def _first(check: Callable[..., Refusal | None], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls ``check`` first, and answers its refusal if there is one."""
    if check in getattr(function, "checks", ()):
        return function

    @functools.wraps(function)
    def checked(response: Any, *args: Any, **kwargs: Any) -> Any:
        refusal = check(response, *args, **kwargs)
        return function(response, *args, **kwargs) if refusal is None else refusal.response()

    vars(checked)["checks"] = (*getattr(function, "checks", ()), check)
    return checked


def _expiry(_response: Any, _request: Any, full_url: str) -> Refusal | None:
    return expiry_refusal(parse_qs(urlsplit(full_url).query), time.time())


def _write(response: Any) -> Refusal | None:
    key = response.parse_key_name()
    return key_refusal(key) or _write_refusal(response, key)


def _post(response: Any, _request: Any, _body: bytes, _bucket: str, query: dict[str, Any], key: str) -> Refusal | None:
    if "uploads" in query:
        return key_refusal(key)
    existing = response.backend.get_object(response.bucket_name, key)
    if "uploadId" not in query or _is_completed(existing, query["uploadId"][0]):
        return None
    return _write_refusal(response, key)


def _is_completed(existing: Any, upload_id: str) -> bool:
    """Return whether this upload made the object: S3 gives the same answer to a repeated request."""
    multipart = getattr(existing, "multipart", None)
    return multipart is not None and multipart.id == upload_id


def _write_refusal(response: Any, key: str) -> Refusal | None:
    if "If-Match" not in response.headers and "If-None-Match" not in response.headers:
        return None
    existing = response.backend.get_object(response.bucket_name, key)
    return write_refusal(response.headers, existing.etag if existing is not None else None)


def _has_source(response: Any, *_: Any) -> None:
    source = unquote(urlsplit(str(response.headers.get("x-amz-copy-source"))).path).lstrip("/")
    if not all(source.partition("/")[::2]):
        name = "x-amz-copy-source"
        raise InvalidArgumentError("Invalid copy source object key", name, name)


def _source(response: Any) -> Refusal | None:
    if not any(name.lower().startswith(f"{_SOURCE_CONDITION}if-") for name in response.headers.keys()):  # noqa: SIM118 - no dictionary
        return None
    source = urlsplit(str(response.headers["x-amz-copy-source"]))
    bucket, key = unquote(source.path).lstrip("/").split("/", 1)
    version = parse_qs(source.query).get("versionId", [None])[0]
    found = response.backend.get_object(bucket, key, version_id=version)
    if found is None:
        return None
    return source_refusal(response.headers, found.etag, found.last_modified.replace(tzinfo=UTC))


def _no_such_upload(_uploads: Any, upload_id: str) -> Any:
    raise NoSuchUpload(upload_id)


def _complete_multipart_body(response: Any, body: bytes) -> Iterator[tuple[int, str]]:
    try:
        parts = list(_moto_complete_multipart_body(response, body))
    except (ExpatError, IndexError, ValueError) as error:
        raise (MalformedXML() if body else _no_parts()) from error
    if not parts:
        raise _no_parts()
    return iter(parts)


def _no_parts() -> S3ClientError:
    return S3ClientError("InvalidRequest", "You must specify at least one part")


def _tagging_from_xml(response: Any) -> dict[str, str]:
    try:
        tags: dict[str, str] = _moto_tagging_from_xml(response)
    except TypeError:  # moto expects at least one tag
        return {}
    return tags


def _canned_acl(name: str) -> Any:
    try:
        return get_canned_acl(name)
    except AssertionError as error:
        raise InvalidArgumentError("", "x-amz-acl", name) from error
