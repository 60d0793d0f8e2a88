"""Large bodies of S3 uploads, put into a file as they arrive instead of into memory."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from pipeline.local.errors import LocalEndpointError
from pipeline.local.persistence.blobs import CHUNK_BYTES, BlobStore, BlobWriter
from pipeline.local.persistence.s3_contents import INLINE_BYTES, checksum, staged_upload

# Any other query parameter makes the body a document that moto has to read.
_OF_AN_UPLOAD = {"partNumber", "uploadId", "x-id"}
_OF_A_SIGNATURE = ("X-Amz-", "AWSAccessKeyId", "Signature", "Expires")
_CHECKSUM = re.compile(r"x-amz-checksum-(\w+)", re.IGNORECASE)
_LONGEST_LINE = 1 << 16


class BrokenUploadError(LocalEndpointError):
    """A body ended early or is not framed as its headers say; the upload is refused."""


def is_large_upload(environ: dict[str, Any]) -> bool:
    """Whether a request brings the content of an object, or of a part, that is worth a file."""
    if environ["REQUEST_METHOD"] != "PUT" or "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return False
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if any(name not in _OF_AN_UPLOAD and not name.startswith(_OF_A_SIGNATURE) for name in query):
        return False
    length = environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH") or environ.get("CONTENT_LENGTH") or 0
    return int(length) > INLINE_BYTES


@contextmanager
def body_in_file(environ: dict[str, Any], blobs: BlobStore) -> Iterator[dict[str, Any]]:
    """The request with an empty body, whose content moto gets from a file in this block.

    Raises:
        BrokenUploadError: the body is not what the headers say.
    """
    content_type = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    writer = BlobWriter(blobs)
    try:
        stream = io.BufferedReader(environ["wsgi.input"], CHUNK_BYTES)
        if content_type.startswith("STREAMING-"):
            trailers = _copy_framed(stream, writer.write)
        else:
            trailers = {}
            _copy(stream, int(environ.get("CONTENT_LENGTH") or -1), writer.write)
        # The connection goes on; only the buffer ends here.
        stream.detach()
    except BaseException:
        writer.abandon()
        raise
    content, md5 = writer.finish()
    changed = {**environ, "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO(b""), **trailers}
    changed.pop("HTTP_TRANSFER_ENCODING", None)
    changed.pop("wsgi.input_terminated", None)
    if content_type.startswith("STREAMING-"):
        changed["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    algorithm = changed.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "")
    if algorithm and f"HTTP_X_AMZ_CHECKSUM_{algorithm.upper()}" not in changed:
        changed[f"HTTP_X_AMZ_CHECKSUM_{algorithm.upper()}"] = checksum(content, algorithm.upper()).decode()
    with staged_upload(content, md5):
        yield changed


def _copy(stream: io.BufferedReader, length: int, write: Callable[[bytes], None]) -> None:
    remaining = length
    while remaining:
        piece = stream.read(CHUNK_BYTES if remaining < 0 else min(CHUNK_BYTES, remaining))
        if not piece:
            if remaining < 0:
                return
            raise BrokenUploadError(f"the body ended {remaining} bytes before its Content-Length")
        write(piece)
        remaining -= len(piece) if remaining > 0 else 0


def _copy_framed(stream: io.BufferedReader, write: Callable[[bytes], None]) -> dict[str, str]:
    """Copy an ``aws-chunked`` body; its trailing checksums, as WSGI headers."""
    while True:
        line = stream.readline(_LONGEST_LINE)
        try:
            length = int(line.split(b";", 1)[0], 16)
        except ValueError as error:
            raise BrokenUploadError("the body is not framed as aws-chunked") from error
        if not length:
            break
        _copy(stream, length, write)
        stream.readline(_LONGEST_LINE)
    trailers: dict[str, str] = {}
    while (line := stream.readline(_LONGEST_LINE).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        if _CHECKSUM.fullmatch(name.strip()):
            trailers["HTTP_" + name.strip().upper().replace("-", "_")] = value.strip()
    return trailers
