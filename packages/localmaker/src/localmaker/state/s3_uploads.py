"""The bodies of S3 uploads: unframed, compared with the checksums that come with them, large ones put into a file.

moto is then given an empty body and gets the content in another way (:func:`s3_contents.staged_upload`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from localmaker.errors import LocalmakerError
from localmaker.state.blobs import CHUNK_BYTES, BlobStore, BlobWriter, StoredBytes
from localmaker.state.checksums import ALGORITHMS, Digest, encoded, new_digest
from localmaker.state.s3_contents import INLINE_BYTES, staged_upload

# Any other query parameter makes the body a document that moto has to read.
_OF_AN_UPLOAD = {"partNumber", "uploadId", "x-id"}
_OF_A_SIGNATURE = ("X-Amz-", "AWSAccessKeyId", "Signature", "Expires")
_CHECKSUM = re.compile(r"x-amz-checksum-(\w+)", re.IGNORECASE)
_LONGEST_LINE = 1 << 16
_MD5_BYTES = 16
_LOCAL_NAMES = {"127.0.0.1", "localhost"}


class BrokenUploadError(LocalmakerError):
    """A body is not what the headers say; the upload is refused.

    Args:
        code: S3's error code.
    """

    def __init__(self, message: str, code: str = "IncompleteBody") -> None:
        super().__init__(message)
        self.code = code


def is_upload(environ: dict[str, Any]) -> bool:
    """Whether a request brings the content of an object or of a part."""
    if environ["REQUEST_METHOD"] != "PUT" or "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return False
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if any(name not in _OF_AN_UPLOAD and not name.startswith(_OF_A_SIGNATURE) for name in query):
        return False
    host = urlsplit(f"//{environ.get('HTTP_HOST', '127.0.0.1')}").hostname
    if host in _LOCAL_NAMES:
        return bool(environ["PATH_INFO"].lstrip("/").partition("/")[2])
    # The bucket's name may be in the host; the largest document that creates a bucket is small.
    return _length(environ) > INLINE_BYTES


def _length(environ: dict[str, Any]) -> int:
    return int(environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH") or environ.get("CONTENT_LENGTH") or 0)


@contextmanager
def received_body(environ: dict[str, Any], blobs: BlobStore) -> Iterator[dict[str, Any]]:
    """The request with an empty body, whose content moto gets from memory or from a file in this block.

    Raises:
        BrokenUploadError: the body is not what the headers say.
    """
    is_framed = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").startswith("STREAMING-")
    length = _length(environ)
    in_memory = length <= INLINE_BYTES and "HTTP_TRANSFER_ENCODING" not in environ
    writer: _Writer = _MemoryWriter() if in_memory else BlobWriter(blobs)
    digests = _digests(environ, length)

    def write(piece: bytes) -> None:
        writer.write(piece)
        for digest in digests.values():
            digest.update(piece)

    try:
        stream = io.BufferedReader(environ["wsgi.input"], CHUNK_BYTES)
        if is_framed:
            trailers = _copy_framed(stream, write)
        else:
            trailers = {}
            remaining = environ.get("CONTENT_LENGTH")
            _copy(stream, int(remaining) if remaining else -1 if "HTTP_TRANSFER_ENCODING" in environ else 0, write)
        # The connection goes on; only the buffer ends here.
        stream.detach()
        found = {name: encoded(digest.digest()) for name, digest in digests.items()}
        declared = _declared({**environ, **trailers})
        _compare(declared, found)
        content, md5 = writer.finish()
        _compare_md5(environ.get("HTTP_CONTENT_MD5"), md5)
    except BaseException:
        writer.abandon()
        raise
    checksums = {**found, **declared}
    changed = {**environ, "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO(b"")}
    for name in ("HTTP_TRANSFER_ENCODING", "wsgi.input_terminated"):
        changed.pop(name, None)
    if is_framed:
        changed["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    # moto looks for the value of the algorithm that this names.
    algorithm = next(iter(declared), environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "").upper())
    changed.pop("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", None)
    if algorithm in checksums:
        changed["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm
        changed[f"HTTP_X_AMZ_CHECKSUM_{algorithm}"] = checksums[algorithm]
    with staged_upload(content, md5, checksums):
        yield changed


class _Writer(Protocol):
    def write(self, piece: bytes) -> None: ...

    def finish(self) -> tuple[bytes | StoredBytes, str]: ...

    def abandon(self) -> None: ...


class _MemoryWriter:
    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def finish(self) -> tuple[bytes, str]:
        content = b"".join(self._pieces)
        return content, hashlib.md5(content, usedforsecurity=False).hexdigest()

    def abandon(self) -> None:
        self._pieces.clear()


def _digests(environ: dict[str, Any], length: int) -> dict[str, Digest]:
    """Empty digests for the checksums that come with a body, or that are asked for."""
    names = {*_declared(environ), environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "").upper()}
    names |= {found.upper() for found in _CHECKSUM.findall(environ.get("HTTP_X_AMZ_TRAILER", ""))}
    digests = {name: new_digest(name, length) for name in names}
    return {name: digest for name, digest in digests.items() if digest is not None}


def _declared(environ: dict[str, Any]) -> dict[str, str]:
    named = {name: environ.get(f"HTTP_X_AMZ_CHECKSUM_{name}") for name in ALGORITHMS}
    return {name: value for name, value in named.items() if value}


def _compare(declared: dict[str, str], found: dict[str, str]) -> None:
    for name, value in declared.items():
        if found.get(name, value) != value:
            raise BrokenUploadError(f"The {name} you specified did not match the calculated checksum.", "BadDigest")


def _compare_md5(declared: str | None, md5: str) -> None:
    if declared is None:
        return
    try:
        value = base64.b64decode(declared, validate=True)
    except binascii.Error:
        value = b""
    if len(value) != _MD5_BYTES:
        raise BrokenUploadError("The Content-MD5 you specified was invalid.", "InvalidDigest")
    if value.hex() != md5:
        raise BrokenUploadError("The Content-MD5 you specified did not match what we received.", "BadDigest")


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
