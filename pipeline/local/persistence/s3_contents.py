"""Object contents of moto's S3 in memory when small and in files when large, so that a large one costs no memory.

moto holds every object as a whole, joins the parts of an upload in memory and answers with a copy. Here a large body
is in a file before moto sees the request (:func:`staged_upload`), joined parts are a list of extents, and an answer
is read while it is sent.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.s3 import models, responses
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart, S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore, compute_checksum

from pipeline.local.persistence.blobs import BlobStore, BlobWriter, Extent, StoredBytes

#: Contents up to this size stay in memory and in the state file; larger ones get a file.
INLINE_BYTES = 1 << 16


class TrackedKeys(_VersionedKeyStore):  # type: ignore[misc]  # moto is not typed here
    """A bucket's keys, which tell which of them change.

    Args:
        touched: called with each key.
    """

    def __init__(self, touched: Callable[[str], None]) -> None:
        super().__init__()
        self._touched = touched

    def __setitem__(self, key: str, value: Any) -> None:
        self._touched(key)
        super().__setitem__(key, value)

    def setlist(self, key: str, list_: Any) -> None:
        self._touched(key)
        super().setlist(key, list_)

    def pop(self, key: str) -> None:
        self._touched(key)
        super().pop(key)


@dataclass
class _Staged:
    content: StoredBytes | None
    md5: str


_staged: ContextVar[_Staged | None] = ContextVar("staged_upload", default=None)
_lazy: ContextVar[bool] = ContextVar("lazy_contents", default=False)
_blobs: list[BlobStore] = []


@contextmanager
def staged_upload(content: StoredBytes, md5: str) -> Iterator[None]:
    """Make ``content`` the body of the object that moto creates from an empty one in this block."""
    token = _staged.set(_Staged(content, md5))
    try:
        yield
    finally:
        _staged.reset(token)


def install(blobs: BlobStore) -> None:
    """Keep large contents in ``blobs`` from now on, for the whole process."""
    _blobs[:] = [blobs]
    FakeKey.value = property(_get_value, _set_value)
    FakeKey.__getstate__ = _get_state
    FakeKey.__setstate__ = _set_state
    FakeKey.dispose = _dispose
    FakeKey.__del__ = _nothing
    # moto remembers every object that ever was, to close its file at a reset.
    FakeKey.instances_tracked = deque(maxlen=0)
    FakeMultipart.instances_tracked = deque(maxlen=0)
    FakeMultipart.complete = _complete
    S3Response.get_object = _lazily(S3Response.get_object)
    S3Response.copy_object = _lazily(S3Response.copy_object)
    S3Backend.upload_part_copy = _lazily(S3Backend.upload_part_copy)
    models.compute_checksum = checksum
    responses.compute_checksum = checksum


def _lazily(function: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(function, "__wrapped__"):
        return function

    @functools.wraps(function)
    def with_lazy_contents(*args: Any, **kwargs: Any) -> Any:
        token = _lazy.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _lazy.reset(token)

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
    elif isinstance(content, (bytes, bytearray)) and len(content) > INLINE_BYTES:
        writer = BlobWriter(_blobs[0])
        writer.write(bytes(content))
        content, md5 = writer.finish()
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
    key._content = b""  # noqa: SLF001 - a file goes when nothing refers to it
    if key.multipart:
        key.multipart.dispose()
    key.disposed = True


def _nothing(key: Any) -> None:
    """In place of moto's warning about objects that were not disposed of."""


def _complete(upload: Any, body: Iterable[tuple[int, str]]) -> tuple[Any, str, tuple[str, str, int] | None]:
    """As moto's, without joining the parts in memory."""
    extents: list[Extent] = []
    contents: list[Any] = []
    md5s = bytearray()
    last = None
    for number, wanted in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != wanted.replace('"', ""):
            raise InvalidPart
        if last is not None and last.contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
            raise EntityTooSmall
        md5s.extend(bytes.fromhex(part.etag.strip('"')))
        contents.append(part._content)  # noqa: SLF001 - ours, in moto's object
        extents.extend(_as_stored(contents[-1]).extents)
        last = part
    if last is None:
        raise MalformedXML
    etag = f"{hashlib.md5(bytes(md5s), usedforsecurity=False).hexdigest()}-{len(contents)}"
    return StoredBytes(extents), etag, _upload_checksum(upload.metadata, contents)


def _as_stored(content: bytes | StoredBytes) -> StoredBytes:
    if isinstance(content, StoredBytes):
        return content
    writer = BlobWriter(_blobs[0])
    writer.write(content)
    return writer.finish()[0]


def _upload_checksum(metadata: Any, parts: list[Any]) -> tuple[str, str, int]:
    # Which is the default follows moto's MultipartChecksumBuilder.
    algorithm = metadata.get("x-amz-checksum-algorithm") or "CRC64NVME"
    kind = metadata.get("x-amz-checksum-type") or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    if kind == "COMPOSITE":
        joined = b"".join(checksum(part, algorithm, encode_base64=False) for part in parts)
        return kind, checksum(joined, algorithm).decode(), len(parts)
    whole = (piece for part in parts for piece in ([part] if isinstance(part, bytes) else part))
    return kind, _checksum_of_pieces(whole, algorithm).decode(), 1


def checksum(body: Any, algorithm: str, encode_base64: bool = True) -> bytes:
    if not isinstance(body, StoredBytes):
        return bytes(compute_checksum(body, algorithm, encode_base64))
    return _checksum_of_pieces(body, algorithm, encode_base64)


def _checksum_of_pieces(pieces: Iterable[bytes], algorithm: str, encode_base64: bool = True) -> bytes:
    """The checksum of joined pieces. Algorithms that need a library fall back on CRC32, as in moto."""
    if algorithm in ("SHA1", "SHA256"):
        digest = hashlib.new(algorithm, usedforsecurity=False)
        for piece in pieces:
            digest.update(piece)
        value = digest.digest()
    else:
        crc = 0
        for piece in pieces:
            crc = binascii.crc32(piece, crc)
        value = crc.to_bytes(4, "big")
    return base64.b64encode(value) if encode_base64 else value
