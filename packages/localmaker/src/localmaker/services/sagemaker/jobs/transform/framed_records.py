"""RecordIO and TFRecord: files of framed records, as batch transform splits them.

RecordIO (MXNet): magic number, length, content, padded to four bytes. The three highest bits of the length say whether
the frame contains a whole record or its first, a middle or its last part; a record is split where its content has the
magic number.

TFRecord (TensorFlow): length in eight bytes, its checksum, content, the content's checksum; each a masked CRC32C.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error
from localmaker.state import checksums

RECORD_IO, TF_RECORD = "RecordIO", "TFRecord"
SPLIT_TYPES = (RECORD_IO, TF_RECORD)

_MAGIC = struct.pack("<I", 0xCED7230A)
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_CHECKSUM_BYTES = 4
_MASK_DELTA = 0xA282EAD8
# A bogus length must not make the endpoint allocate all memory.
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FramedRecord:
    """One record.

    Attributes:
        frame: the record with its frame, as in the file.
        content: the record without its frame.
    """

    frame: bytes
    content: bytes


def read_records(file: BinaryIO, split_type: str) -> Iterator[FramedRecord]:
    """Yield the records of a file.

    Args:
        file: open for reading.
        split_type: :data:`RECORD_IO` or :data:`TF_RECORD`.

    Raises:
        JobFailure: the file has another format, or ends within a record.
    """
    read = _READERS[split_type]
    number = 1
    while (record := read(file, number)) is not None:
        yield record
        number += 1


def _read_record_io(file: BinaryIO, number: int) -> FramedRecord | None:
    frame, parts = b"", []
    expected = (_WHOLE, _FIRST)
    while True:
        header = file.read(len(_MAGIC) + 4)
        if not header and not frame:
            return None
        if len(header) < len(_MAGIC) + 4 or not header.startswith(_MAGIC):
            raise _broken(RECORD_IO, number, "it does not begin with RecordIO's magic number and a length")
        (word,) = struct.unpack_from("<I", header, len(_MAGIC))
        part, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
        if part not in expected:
            raise _broken(RECORD_IO, number, "its parts are not in order")
        padded = _read_exactly(file, length + -length % 4, RECORD_IO, number)
        frame += header + padded
        parts.append(padded[:length])
        if part in (_WHOLE, _LAST):
            return FramedRecord(frame, _MAGIC.join(parts))
        expected = (_MIDDLE, _LAST)


def _read_tf_record(file: BinaryIO, number: int) -> FramedRecord | None:
    header = file.read(8 + _CHECKSUM_BYTES)
    if not header:
        return None
    if len(header) < 8 + _CHECKSUM_BYTES or not _is_checksum(header[:8], header[8:]):
        raise _broken(TF_RECORD, number, "it does not begin with a length and the length's checksum")
    (length,) = struct.unpack_from("<Q", header)
    body = _read_exactly(file, length + _CHECKSUM_BYTES, TF_RECORD, number)
    content, checksum = body[:-_CHECKSUM_BYTES], body[-_CHECKSUM_BYTES:]
    if not _is_checksum(content, checksum):
        raise _broken(TF_RECORD, number, "its content does not have its checksum")
    return FramedRecord(header + body, content)


_READERS: Mapping[str, Callable[[BinaryIO, int], FramedRecord | None]] = {
    RECORD_IO: _read_record_io,
    TF_RECORD: _read_tf_record,
}


def _read_exactly(file: BinaryIO, size: int, split_type: str, number: int) -> bytes:
    pieces = []
    remaining = size
    while remaining:
        piece = file.read(min(remaining, _PIECE_BYTES))
        if not piece:
            raise _broken(split_type, number, "the object ends within it")
        pieces.append(piece)
        remaining -= len(piece)
    return b"".join(pieces)


def _is_checksum(content: bytes, checksum: bytes) -> bool:
    """Return whether a masked CRC32C matches a content; True where this machine cannot compute it fast enough."""
    digest = checksums.new_digest("CRC32C", len(content))
    if digest is None:
        return True
    digest.update(content)
    plain = int.from_bytes(digest.digest(), "big")
    masked = (((plain >> 15) | (plain << 17)) + _MASK_DELTA) & 0xFFFFFFFF
    return struct.pack("<I", masked) == checksum


def _broken(split_type: str, number: int, detail: str) -> JobFailure:
    return client_error(f"record {number} of the object is not {split_type}: {detail}")
