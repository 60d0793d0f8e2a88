"""The contents of S3 objects: from the body of an upload to memory or a file, and into moto's objects.

moto holds every object in memory and answers with a copy. Here the body is read before moto sees the request: unframed,
compared with the checksums that come with it, and written to a file if it is large. moto then gets an empty body, and
its object takes the content (:func:`received_body`). An answer is read while it is sent.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import io
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from moto.s3 import models, responses
from moto.s3.models import FakeKey, FakeMultipart, S3Backend
from moto.s3.responses import S3Response

from localmaker.errors import LocalmakerError
from localmaker.state.blobs import CHUNK_BYTES, BlobStore, BlobWriter, StoredBytes
from localmaker.state.checksums import ALGORITHMS, Digest, checksum_of, encoded, new_digest

#: Contents up to this size stay in memory and in the state file; larger ones get a file.
INLINE_BYTES = 1 << 16
# Any other query parameter makes the body a document that moto has to read.
_UPLOAD_PARAMETERS = {"partNumber", "uploadId", "x-id"}
_SIGNATURE_PARAMETERS = ("X-Amz-", "AWSAccessKeyId", "Signature", "Expires")
_CHECKSUM = re.compile(r"x-amz-checksum-(\w+)", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_LINE = 1 << 16
_MD5_BYTES = 16
_LOCAL_NAMES = {"127.0.0.1", "localhost"}


class BrokenUploadError(LocalmakerError):
    """The body of an upload does not match its headers.

    Args:
        message: S3's message.
        code: S3's error code.
    """

    def __init__(self, message: str, code: str = "IncompleteBody") -> None:
        super().__init__(message)
        self.code = code


def is_upload(environ: dict[str, Any]) -> bool:
    """Return whether a request uploads the content of an object or of a part."""
    if environ["REQUEST_METHOD"] != "PUT" or "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return False
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if any(name not in _UPLOAD_PARAMETERS and not name.startswith(_SIGNATURE_PARAMETERS) for name in query):
        return False
    host = urlsplit(f"//{environ.get('HTTP_HOST', '127.0.0.1')}").hostname
    if host in _LOCAL_NAMES:
        return bool(environ["PATH_INFO"].lstrip("/").partition("/")[2])
    # The bucket's name may be in the host. Documents that create a bucket are small.
    return _length(environ) > INLINE_BYTES


def _length(environ: dict[str, Any]) -> int:
    return int(environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH") or environ.get("CONTENT_LENGTH") or 0)


@contextmanager
def received_body(environ: dict[str, Any], blobs: BlobStore) -> Iterator[dict[str, Any]]:
    """Read the body of an upload, and yield the request with an empty one.

    moto's object gets the content in this block.

    Raises:
        BrokenUploadError: the body does not match the headers.
    """
    is_framed = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").startswith("STREAMING-")
    length = _length(environ)
    in_memory = length <= INLINE_BYTES and "HTTP_TRANSFER_ENCODING" not in environ
    writer: _Writer = _MemoryWriter() if in_memory else BlobWriter(blobs)
    digests = _digests(environ, length)
    signed = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").lower()
    sha256 = hashlib.sha256() if _SHA256.fullmatch(signed) is not None else None
    updates = [digest.update for digest in (*digests.values(), sha256) if digest is not None]

    def write(piece: bytes) -> None:
        writer.write(piece)
        for update in updates:
            update(piece)

    try:
        stream = io.BufferedReader(environ["wsgi.input"], CHUNK_BYTES)
        if is_framed:
            trailers = _copy_framed(stream, write)
        else:
            trailers = {}
            remaining = environ.get("CONTENT_LENGTH")
            _copy(stream, int(remaining) if remaining else -1 if "HTTP_TRANSFER_ENCODING" in environ else 0, write)
        # The connection stays open; only the buffer ends here.
        stream.detach()
        if sha256 is not None and sha256.hexdigest() != signed:
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise BrokenUploadError(message, "XAmzContentSHA256Mismatch")
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
    # moto reads the value of the algorithm that this header names.
    algorithm = next(iter(declared), environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "").upper())
    changed.pop("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", None)
    if algorithm in checksums:
        changed["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm
        changed[f"HTTP_X_AMZ_CHECKSUM_{algorithm}"] = checksums[algorithm]
    token = _staged.set(_Staged(content, md5, checksums))
    del content  # moto's object alone refers to the content, so that its file goes with it
    try:
        yield changed
    finally:
        _staged.reset(token)


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
    """Return empty digests for the checksums that come with a body or are requested for it."""
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
    """Copy an ``aws-chunked`` body, and return its trailing checksums as WSGI headers."""
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


@dataclass
class _Staged:
    """The content for the object that moto creates from an empty body; the checksums are named as S3 does."""

    content: bytes | StoredBytes | None
    md5: str
    checksums: dict[str, str] = field(default_factory=dict)


_staged: ContextVar[_Staged | None] = ContextVar("staged_upload", default=None)
_lazy: ContextVar[bool] = ContextVar("lazy_contents", default=False)
_blobs: list[BlobStore] = []


def install(blobs: BlobStore) -> None:
    """Keep large contents in ``blobs`` from now on, for the whole process."""
    _blobs[:] = [blobs]
    FakeKey.value = property(_get_value, _set_value)
    FakeKey.__getstate__ = _get_state
    FakeKey.__setstate__ = _set_state
    FakeKey.dispose = _dispose
    FakeKey.__del__ = _nothing
    # moto remembers every object that ever existed, to close its file at a reset.
    FakeKey.instances_tracked = deque(maxlen=0)
    FakeMultipart.instances_tracked = deque(maxlen=0)
    S3Response.get_object = _lazily(S3Response.get_object)
    S3Response.copy_object = _lazily(S3Response.copy_object)
    S3Backend.upload_part_copy = _lazily(S3Backend.upload_part_copy)
    models.compute_checksum = checksum
    responses.compute_checksum = checksum


def _lazily(function: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(function, "is_lazy"):
        return function

    @functools.wraps(function)
    def with_lazy_contents(*args: Any, **kwargs: Any) -> Any:
        token = _lazy.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _lazy.reset(token)

    vars(with_lazy_contents)["is_lazy"] = True
    return with_lazy_contents


def _get_value(key: Any) -> bytes | StoredBytes:
    content: bytes | StoredBytes = key._content  # noqa: SLF001 - ours, in moto's object
    return bytes(content) if isinstance(content, StoredBytes) and not _lazy.get() else content


def _set_value(key: Any, value: str | bytes | StoredBytes) -> None:
    content: bytes | StoredBytes = value.encode() if isinstance(value, str) else value
    md5 = None
    staged = _staged.get()
    if not content and staged is not None and staged.content is not None:
        content, md5, staged.content = staged.content, staged.md5, None
        key._checksums = staged.checksums  # noqa: SLF001 - ours, in moto's object
    elif isinstance(content, (bytes, bytearray)) and len(content) > INLINE_BYTES:
        content = in_files(bytes(content))
    key._content = content  # noqa: SLF001 - ours, in moto's object
    key.contentsize = len(content)
    if key._etag is None:  # noqa: SLF001 - moto would compute it from its own buffer
        if md5 is None:
            md5 = content.md5() if isinstance(content, StoredBytes) else _md5(content)
        key._etag = md5  # noqa: SLF001 - as above


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


_LIVE = ("_value_buffer", "lock")


def _get_state(key: Any) -> dict[str, Any]:
    return {name: value for name, value in key.__dict__.items() if name not in _LIVE}


def _set_state(key: Any, state: dict[str, Any]) -> None:
    key.__dict__.update(state)
    key.lock = threading.Lock()


def _dispose(key: Any, garbage: bool = False) -> None:  # noqa: ARG001 - moto's signature
    key._content = b""  # noqa: SLF001 - the file is removed when nothing refers to it
    if key.multipart:
        key.multipart.dispose()
    key.disposed = True


def _nothing(key: Any) -> None:
    """Replace moto's warning about objects that were not disposed of."""


def in_files(content: bytes | StoredBytes) -> StoredBytes:
    """Return a content as extents of files; a small one is written to a file of its own."""
    if isinstance(content, StoredBytes):
        return content
    writer = BlobWriter(_blobs[0])
    try:
        writer.write(content)
    except BaseException:
        writer.abandon()
        raise
    return writer.finish()[0]


def pieces_of(content: bytes | StoredBytes) -> Iterable[bytes]:
    """Return a content to iterate in pieces."""
    return content if isinstance(content, StoredBytes) else [content]


def checksum(body: Any, algorithm: str, encode_base64: bool = True) -> bytes:
    """Replace moto's function. A checksum that cannot be computed is empty, which no client compares."""
    value = checksum_of(pieces_of(body), algorithm, len(body)) or b""
    return encoded(value).encode() if encode_base64 else value
