"""The head of an HTTP/1.1 request: read within bounds, and refused where RFC 9112 calls it malformed.

What a lenient parser would guess at (two lengths, a bare line feed, a space before a colon) is refused, since clients
that mean well do not send it. A refusal is an :class:`AwsError` with the HTTP status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

from localmaker.errors import AwsError

#: Longest request line. Presigned URLs with a session token and a key of 1,024 encoded bytes take about 6 KiB.
LINE_BYTES = 16 << 10
#: Longest head with all its fields; S3 takes 8 KB, API Gateway 10 KB.
HEAD_BYTES = 64 << 10
FIELDS = 200

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/(\d)\.(\d)\r\n")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"})
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_LENGTH = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class RequestHead:
    """A well-formed head.

    Attributes:
        method: one that AWS's services use.
        target: path and query as they were sent, without scheme and authority.
        path: decoded, each byte as one character, as WSGI has it.
        query: as it was sent.
        version: ``HTTP/1.0`` or ``HTTP/1.1``.
        fields: names in lower case, and values, in the order in which they came.
        original_names: the same names as they were sent.
        length: of the body in bytes; None if it is chunked.
        keep_alive: whether the client wants to go on.
        expects_continue: whether the client waits before it sends the body.
    """

    method: str
    target: str
    path: str
    query: str
    version: str
    fields: list[tuple[str, str]]
    original_names: list[str]
    length: int | None
    keep_alive: bool
    expects_continue: bool


def read_head(stream: BinaryIO) -> RequestHead | None:
    """Read the next request up to its body; None if the client has closed the connection.

    Raises:
        AwsError: the request is malformed (400, 417, 501, 505) or too large (414, 431).
    """
    line = stream.readline(LINE_BYTES + 1)
    if line == b"\r\n":  # RFC 9112, 2.2: an empty line before the request is to be ignored
        line = stream.readline(LINE_BYTES + 1)
    if not line:
        return None
    if len(line) > LINE_BYTES:
        raise AwsError("URITooLong", f"the request line is longer than {LINE_BYTES} bytes", 414)
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise malformed("the request line is not 'METHOD target HTTP/1.1'")
    if found[3] != b"1":
        raise AwsError("HTTPVersionNotSupported", "only HTTP/1.0 and HTTP/1.1 are supported", 505)
    version = "HTTP/1.0" if found[4] == b"0" else "HTTP/1.1"
    method = found[1].decode("ascii")
    if method not in _METHODS:
        raise AwsError("NotImplemented", f"no AWS service has the method {method[:20]}", 501)
    fields, names = _read_fields(stream, HEAD_BYTES - len(line))
    return _head(method, found[2].decode("ascii"), version, fields, names)


def malformed(message: str) -> AwsError:
    """Return the refusal of a request that is no HTTP."""
    return AwsError("MalformedHttpRequestException", message, 400)


def _read_fields(stream: BinaryIO, most_bytes: int) -> tuple[list[tuple[str, str]], list[str]]:
    fields: list[tuple[str, str]] = []
    names: list[str] = []
    while True:
        line = stream.readline(most_bytes + 1)
        most_bytes -= len(line)
        if most_bytes < 0:
            raise AwsError("RequestHeaderSectionTooLarge", f"the header is larger than {HEAD_BYTES} bytes", 431)
        if line == b"\r\n":
            return fields, names
        found = _FIELD.fullmatch(line)
        if found is None:
            raise malformed("the request ends within its header" if not line else "a header line is not 'Name: value'")
        if len(fields) == FIELDS:
            raise AwsError("RequestHeaderSectionTooLarge", f"the request has more than {FIELDS} headers", 431)
        name = found[1].decode("ascii")
        names.append(name)
        fields.append((name.lower(), found[2].decode("latin-1").strip(" \t")))


def _head(
    method: str, target: str, version: str, fields: list[tuple[str, str]], original_names: list[str]
) -> RequestHead:
    hosts, lengths, codings, connection, expects = [], set(), [], "", False
    for name, value in fields:
        if name == "host":
            hosts.append(value)
        elif name == "content-length":
            lengths.add(value)
        elif name == "transfer-encoding":
            codings.append(value.lower())
        elif name == "connection":
            connection += f",{value.lower()}"
        elif name == "expect":
            if value.lower() != "100-continue":
                raise AwsError("ExpectationFailed", f"'Expect: {value[:40]}' cannot be met", 417)
            expects = version == "HTTP/1.1"
    if len(hosts) > 1 or (not hosts and version == "HTTP/1.1"):
        raise malformed("a request has exactly one Host header")  # RFC 9112, 3.2
    target, authority = _origin_form(target)
    if authority is not None:
        fields = [*((name, value) for name, value in fields if name != "host"), ("host", authority)]
        original_names = [*(name for name in original_names if name.lower() != "host"), "Host"]
    options = [option.strip() for option in connection.split(",")]
    keep_alive = version == "HTTP/1.1" and "close" not in options
    length = _body_length(lengths, codings, version)
    path, _, query = target.partition("?")
    return RequestHead(
        method, target, _decoded(path), query, version, fields, original_names, length, keep_alive, expects
    )


def _origin_form(target: str) -> tuple[str, str | None]:
    """Return path and query, and the authority of an absolute target, which counts instead of Host (RFC 9112, 3.2.2).

    Raises:
        AwsError: the target is neither a path nor a URL, or badly encoded.
    """
    authority = None
    if not target.startswith("/"):
        try:
            url = urlsplit(target)
        except ValueError as error:
            raise _invalid_uri(f"the target is no URL: {error}") from error
        if url.scheme not in ("http", "https") or not url.netloc:
            raise _invalid_uri("the target is neither a path nor a URL")
        authority = url.netloc
        target = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
    if "#" in target:
        raise _invalid_uri("the target has a fragment")
    if _BAD_ESCAPE.search(target) is not None:
        raise _invalid_uri("a percent sign is not followed by two hexadecimal digits, or they are 00")
    return target, authority


def _decoded(path: str) -> str:
    if "%" not in path:
        return path
    decoded = unquote_to_bytes(path)
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid_uri("the path is not UTF-8") from error
    return decoded.decode("latin-1")


def _invalid_uri(message: str) -> AwsError:
    return AwsError("InvalidURI", message, 400)


def _body_length(lengths: set[str], codings: list[str], version: str) -> int | None:
    """Return the length of the body, or None if it is chunked (RFC 9112, 6).

    Raises:
        AwsError: the length is ambiguous, is no number, or the transfer coding is unknown.
    """
    if codings:
        if lengths:
            raise malformed("Content-Length and Transfer-Encoding exclude each other")
        if version == "HTTP/1.0":
            raise malformed("HTTP/1.0 has no Transfer-Encoding")
        if codings != ["chunked"]:
            raise AwsError("NotImplemented", f"the transfer coding '{', '.join(codings)[:60]}' is not known", 501)
        return None
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or _LENGTH.fullmatch(length) is None:
        raise malformed("Content-Length is not one whole number")
    return int(length)
