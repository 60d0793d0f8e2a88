"""Object contents of moto's S3 in memory when small and in files when large, so that a large one costs no memory.

moto holds every object as a whole, joins the parts of an upload in memory and answers with a copy. Here a body has been
read, and lies in a file where it is large, before moto sees the request (:func:`staged_upload`); joined parts are a
list of extents, and an answer is read while it is sent.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from moto.s3 import models, responses
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart, S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore

from localmaker.state.blobs import BlobStore, BlobWriter, Extent, StoredBytes
from localmaker.state.checksums import checksum_of, encoded, of_parts

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
    content: bytes | StoredBytes | None
    md5: str
    checksums: dict[str, str] = field(default_factory=dict)


_staged: ContextVar[_Staged | None] = ContextVar("staged_upload", default=None)
_lazy: ContextVar[bool] = ContextVar("lazy_contents", default=False)
_blobs: list[BlobStore] = []


@contextmanager
def staged_upload(content: bytes | StoredBytes, md5: str, checksums: dict[str, str]) -> Iterator[None]:
    """Make ``content`` the body of the object that moto creates from an empty one in this block.

    Args:
        md5: of the content, in hexadecimal.
        checksums: others of the content, by algorithm, as S3 writes them.
    """
    token = _staged.set(_Staged(content, md5, checksums))
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
        key._checksums = staged.checksums  # noqa: SLF001 - ours, in moto's object
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
    md5s = bytearray()
    parts: list[Any] = []
    for number, wanted in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != wanted.replace('"', ""):
            raise InvalidPart
        if parts and parts[-1].contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
            raise EntityTooSmall
        md5s.extend(bytes.fromhex(part.etag.strip('"')))
        extents.extend(_as_stored(part._content).extents)  # noqa: SLF001 - ours, in moto's object
        parts.append(part)
    if not parts:
        raise MalformedXML
    upload.completed = [int(part.name) for part in parts]
    etag = f"{hashlib.md5(bytes(md5s), usedforsecurity=False).hexdigest()}-{len(parts)}"
    return StoredBytes(extents), etag, _upload_checksum(upload.metadata, parts)


def _as_stored(content: bytes | StoredBytes) -> StoredBytes:
    if isinstance(content, StoredBytes):
        return content
    writer = BlobWriter(_blobs[0])
    writer.write(content)
    return writer.finish()[0]


def _upload_checksum(metadata: Any, parts: list[Any]) -> tuple[str, str, int] | None:
    """Kind, value and number of parts of the checksum that the upload asked for; None where there is none.

    Which kind is the default is in "Checking object integrity in Amazon S3": that of the whole object for CRC64NVME,
    else that of the parts' checksums.
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
        whole = of_parts(algorithm, known)
        return None if whole is None else (kind, encoded(whole), 1)
    joined = b"".join(value for value, _ in known)
    value = checksum_of([joined], algorithm, len(joined))
    return None if value is None else (kind, encoded(value), len(parts))


def _part_checksum(part: Any, algorithm: str) -> bytes | None:
    given = getattr(part, "_checksums", {}).get(algorithm)
    if given is not None:
        return base64.b64decode(given)
    return checksum_of(_pieces(part._content), algorithm, part.contentsize)  # noqa: SLF001 - ours, in moto's object


def _pieces(content: bytes | StoredBytes) -> Iterable[bytes]:
    return content if isinstance(content, StoredBytes) else [content]


def checksum(body: Any, algorithm: str, encode_base64: bool = True) -> bytes:
    """In place of moto's. What cannot be computed is empty, which no client compares with anything."""
    value = checksum_of(_pieces(body), algorithm, len(body)) or b""
    return encoded(value).encode() if encode_base64 else value
