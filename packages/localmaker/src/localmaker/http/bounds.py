"""How large a request may be, and its body read before anyone sees it.

Objects of S3 are streamed; everything else is a document that is held in memory, so it has a limit. What is read here
is whole: moto takes the beginning of a body for a body.
"""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.answers import is_s3
from localmaker.http.heads import malformed
from localmaker.ports import CredentialScope
from localmaker.state.contents import is_upload

_MIB = 1 << 20
#: DynamoDB's "request size" of 16 MB is the largest of the services without an entry of their own.
DOCUMENT_BYTES = 16 * _MIB
#: AWS's own limits where they are larger: the zip file of CreateFunction in base64 ("Request must be smaller than
#: 70167211 bytes"), the payload of InvokeEndpoint (25 MB), a layer part of ECR (20 MiB in base64).
SERVICE_BYTES = {"lambda": 70_167_211, "sagemaker": 25 * _MIB, "ecr": 28 * _MIB}
#: The largest object that a single PutObject or UploadPart takes ("Amazon S3 quotas").
OBJECT_BYTES = 5 << 30
#: All bodies in memory together, less the beginning of each.
MEMORY_BYTES = 256 * _MIB
_UNCOUNTED_BYTES = 1 << 16
_PIECE_BYTES = 1 << 16
_GZIP = 31

Reserve = Callable[[int], None]


class Memory:
    """What the bodies of all requests may take together.

    The beginning of each does not count, so that small requests go on while large ones take everything.

    Args:
        most_bytes: of what has arrived.
    """

    def __init__(self, most_bytes: int = MEMORY_BYTES) -> None:
        self._left = most_bytes
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator[Reserve]:
        """Yield a function that reserves a number of bytes for one request, until the block ends.

        It raises an AwsError with status 503, which AWS's clients repeat, if there is no room.
        """
        size, taken = 0, 0

        def reserve(count: int) -> None:
            nonlocal size, taken
            size += count
            wanted = max(0, size - _UNCOUNTED_BYTES) - taken
            with self._lock:
                if wanted > self._left:
                    message = "the bodies of other requests take all the memory that there is for them; try again"
                    raise AwsError("ServiceUnavailable", message, 503)
                self._left -= wanted
            taken += wanted

        try:
            yield reserve
        finally:
            with self._lock:
                self._left += taken


def with_body(environ: dict[str, Any], scope: CredentialScope | None, reserve: Reserve) -> dict[str, Any]:
    """Return a request whose body is in memory; an upload to S3 as it is.

    Args:
        reserve: called with the number of bytes of each piece that has arrived.

    Raises:
        AwsError: the body is too large or incomplete, or there is no room for it.
    """
    if _is_for_s3(environ, scope) and (_is_form(environ) or is_upload(environ)):
        if int(environ.get("CONTENT_LENGTH") or 0) > OBJECT_BYTES:
            raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        return environ
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if not is_chunked and not length:
        return environ
    most = _most_bytes(scope)
    if length > most:
        raise _too_large(environ, scope)
    body = io.BytesIO()
    missing = most + 1 if is_chunked else length
    while missing and (piece := environ["wsgi.input"].read(min(missing, _PIECE_BYTES))):
        reserve(len(piece))
        body.write(piece)
        missing -= len(piece)
    if body.tell() > most:
        raise _too_large(environ, scope)
    return _with(environ, body, "HTTP_TRANSFER_ENCODING", "wsgi.input_terminated")


def unzipped(environ: dict[str, Any], scope: CredentialScope | None, reserve: Reserve) -> dict[str, Any]:
    """Return a request with the content of its compressed body, whose signature has been checked; S3 keeps the body.

    Args:
        reserve: called with the number of bytes of each piece of the content.

    Raises:
        AwsError: the content is too large, or is not gzip, or there is no room for it.
    """
    if environ.get("HTTP_CONTENT_ENCODING", "").lower() != "gzip" or _is_for_s3(environ, scope):
        return environ
    most = _most_bytes(scope)
    unzip = zlib.decompressobj(_GZIP)
    content = io.BytesIO()
    try:
        while not unzip.eof and (piece := unzip.unconsumed_tail or environ["wsgi.input"].read(_PIECE_BYTES)):
            part = unzip.decompress(piece, _PIECE_BYTES)
            reserve(len(part))
            content.write(part)
            if content.tell() > most:
                raise _too_large(environ, scope)
    except zlib.error as error:
        raise malformed("the body is not gzip, as its Content-Encoding says") from error
    if not unzip.eof:
        raise malformed("the gzip body is not complete")
    return _with(environ, content, "HTTP_CONTENT_ENCODING")


def _is_for_s3(environ: dict[str, Any], scope: CredentialScope | None) -> bool:
    return is_s3(scope) and "HTTP_X_AMZ_TARGET" not in environ


def _most_bytes(scope: CredentialScope | None) -> int:
    return SERVICE_BYTES.get(scope.signing_name, DOCUMENT_BYTES) if scope is not None else DOCUMENT_BYTES


def _too_large(environ: dict[str, Any], scope: CredentialScope | None) -> AwsError:
    if _is_for_s3(environ, scope):
        return AwsError("MaxMessageLengthExceeded", "Your request was too large.")
    message = f"Request must be smaller than {_most_bytes(scope)} bytes"
    return AwsError("RequestEntityTooLargeException", message, 413)


def _with(environ: dict[str, Any], body: io.BytesIO, *without: str) -> dict[str, Any]:
    changed = {**environ, "wsgi.input": body, "CONTENT_LENGTH": str(body.tell())}
    body.seek(0)
    for name in without:
        changed.pop(name, None)
    return changed


def _is_form(environ: dict[str, Any]) -> bool:
    """Return whether a request uploads an object from an HTML form."""
    content_type: str = environ.get("CONTENT_TYPE", "")
    return environ["REQUEST_METHOD"] == "POST" and content_type.startswith("multipart/form-data")
