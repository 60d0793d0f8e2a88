"""Split an object of a transform job into requests, in linear time and memory: nothing is read twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error
from localmaker.services.sagemaker.jobs.transform.framed_records import SPLIT_TYPES, read_records

_MEGABYTE = 1024 * 1024


def split(file: BinaryIO, split_type: str, strategy: str, limit_mb: int) -> Iterator[bytes]:
    """Yield the request bodies of one object, in order.

    Args:
        file: the object, open for reading.
        split_type: ``None`` (the whole object is one request), ``Line`` (a record is a line with its end),
            ``RecordIO`` or ``TFRecord``.
        strategy: ``MultiRecord`` (as many whole records as fit; RecordIO and TFRecord with their frames) or
            ``SingleRecord`` (one record; RecordIO and TFRecord without their frames).
        limit_mb: MaxPayloadInMB; 0 for no limit.

    Raises:
        JobFailure: a record, or an unsplit object, exceeds the limit; or the object is not RecordIO or TFRecord.
    """
    limit = limit_mb * _MEGABYTE if limit_mb else None
    if split_type == "None":
        body = file.read() if limit is None else file.read(limit + 1)
        if limit is not None and len(body) > limit:
            raise _too_large("an object", limit_mb)
        if body:
            yield body
    elif split_type in SPLIT_TYPES:
        yield from _framed(file, split_type, strategy, limit_mb)
    elif strategy == "SingleRecord":
        yield from _lines(file, limit, limit_mb)
    elif limit is None:
        body = file.read()
        if body:
            yield body
    else:
        yield from _blocks(file, limit, limit_mb)


def _lines(file: BinaryIO, limit: int | None, limit_mb: int) -> Iterator[bytes]:
    size = -1 if limit is None else limit + 1
    while line := file.readline(size):
        if limit is not None and len(line) > limit:
            raise _too_large("a record", limit_mb)
        yield line


def _blocks(file: BinaryIO, limit: int, limit_mb: int) -> Iterator[bytes]:
    """Yield blocks of at most ``limit`` bytes that end at a line end; the rest is carried over."""
    carried = b""
    while True:
        block = carried + file.read(limit - len(carried))
        if len(block) < limit:
            if block:
                yield block
            return
        end = block.rfind(b"\n") + 1
        if end == 0:
            # A last record of exactly the limit, without a line end, still fits.
            if file.read(1):
                raise _too_large("a record", limit_mb)
            yield block
            return
        yield block[:end]
        carried = block[end:]


def _framed(file: BinaryIO, split_type: str, strategy: str, limit_mb: int) -> Iterator[bytes]:
    limit = limit_mb * _MEGABYTE if limit_mb else None
    waiting: list[bytes] = []
    size = 0
    for record in read_records(file, split_type):
        body = record.content if strategy == "SingleRecord" else record.frame
        if limit is not None and len(body) > limit:
            raise _too_large("a record", limit_mb)
        if strategy == "SingleRecord":
            yield body
            continue
        if waiting and limit is not None and size + len(body) > limit:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(body)
        size += len(body)
    if waiting:
        yield b"".join(waiting)


def _too_large(what: str, limit_mb: int) -> JobFailure:
    return client_error(f"{what} is larger than MaxPayloadInMB ({limit_mb} MB); split it or raise the limit")
