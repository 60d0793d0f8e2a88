"""What S3 looks at before it writes, and moto does not: conditions, the length of a key, the age of a signed URL.

Conditions are those of the S3 user guide ("Add preconditions to S3 operations with conditional requests"). They hold
while the object is written, since the gateway lets one request at a time write an object.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from moto.s3.responses import S3Response

_LONGEST_KEY_BYTES = 1024
_SOURCE = "x-amz-copy-source-"


@dataclass(frozen=True)
class Refusal:
    """Why a request is not done.

    Attributes:
        more: further elements of the error document.
    """

    status: int
    code: str
    message: str
    more: Mapping[str, str]

    def response(self) -> tuple[int, dict[str, Any], str]:
        """As moto's responses give it back."""
        elements = {"Code": self.code, "Message": self.message, **self.more}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
        return self.status, {"Content-Type": "application/xml", "status": self.status}, text


def _failed(condition: str) -> Refusal:
    message = "At least one of the pre-conditions you specified did not hold"
    return Refusal(412, "PreconditionFailed", message, {"Condition": condition})


def write_refusal(headers: Mapping[str, str], etag: str | None) -> Refusal | None:
    """Whether ``If-Match`` and ``If-None-Match`` forbid to write an object.

    Args:
        headers: of the request, with any capitals.
        etag: of the object that is there; None when there is none.
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
    """Whether the conditions on the source forbid to copy it.

    Args:
        headers: of the request, with any capitals.
        etag, modified: of the source; the time is in UTC.
    """
    wanted, unwanted = headers.get(f"{_SOURCE}if-match"), headers.get(f"{_SOURCE}if-none-match")
    since, until = _time(headers, "if-modified-since"), _time(headers, "if-unmodified-since")
    modified = modified.replace(microsecond=0)
    # A match of the tag outweighs the times.
    if wanted is not None and not _same(wanted, etag):
        return _failed(f"{_SOURCE}If-Match")
    if unwanted is not None and _same(unwanted, etag):
        return _failed(f"{_SOURCE}If-None-Match")
    if wanted is None and until is not None and modified > until:
        return _failed(f"{_SOURCE}If-Unmodified-Since")
    if unwanted is None and since is not None and modified <= since:
        return _failed(f"{_SOURCE}If-Modified-Since")
    return None


def key_refusal(key: str) -> Refusal | None:
    """Whether a key is longer than S3 takes; counted in UTF-8."""
    length = len(key.encode())
    if length <= _LONGEST_KEY_BYTES:
        return None
    sizes = {"Size": str(length), "MaxSizeAllowed": str(_LONGEST_KEY_BYTES)}
    return Refusal(400, "KeyTooLongError", "Your key is too long", sizes)


def expiry_refusal(query: Mapping[str, list[str]], now: float) -> Refusal | None:
    """Whether a presigned URL, of either version of the signature, is no longer good.

    Args:
        query: the parameters of the URL.
        now: seconds since 1970.
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
    text = headers.get(f"{_SOURCE}{name}")
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def install() -> None:
    """Put the checks into moto, for the whole process; doing it again changes nothing."""
    S3Response._key_response = _first(_expiry, S3Response._key_response)  # noqa: SLF001 - moto has no hook for it
    S3Response.put_object = _first(_write, S3Response.put_object)
    S3Response.copy_object = _first(_write, _first(_source, S3Response.copy_object))
    S3Response.upload_part_copy = _first(_source, S3Response.upload_part_copy)
    S3Response._key_response_post = _first(_post, S3Response._key_response_post)  # noqa: SLF001 - as above


def _first(check: Callable[..., Refusal | None], function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, after a check that may refuse."""
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
    """Whether it is this very upload that made the object: asked again, S3 answers the same."""
    multipart = getattr(existing, "multipart", None)
    return multipart is not None and multipart.id == upload_id


def _write_refusal(response: Any, key: str) -> Refusal | None:
    if "If-Match" not in response.headers and "If-None-Match" not in response.headers:
        return None
    existing = response.backend.get_object(response.bucket_name, key)
    return write_refusal(response.headers, existing.etag if existing is not None else None)


def _source(response: Any) -> Refusal | None:
    if not any(name.lower().startswith(f"{_SOURCE}if-") for name in response.headers.keys()):  # noqa: SIM118 - no dictionary
        return None
    source = urlsplit(str(response.headers["x-amz-copy-source"]))
    bucket, key = unquote(source.path).lstrip("/").split("/", 1)
    version = parse_qs(source.query).get("versionId", [None])[0]
    found = response.backend.get_object(bucket, key, version_id=version)
    if found is None:
        return None
    return source_refusal(response.headers, found.etag, found.last_modified.replace(tzinfo=UTC))
