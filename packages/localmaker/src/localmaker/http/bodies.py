"""The body of one request as a stream: it ends where the request does, however much the connection holds."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, BinaryIO

from localmaker.errors import AwsError
from localmaker.http.heads import malformed

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_CHUNK_LINE_BYTES = 4096
_TRAILER_BYTES = 16 << 10
_PIECE_BYTES = 1 << 16


def _nothing() -> None:
    pass


class BodyReader(io.RawIOBase):
    """A body of known length.

    Args:
        stream: the connection.
        length: in bytes.
        before_first_read: called once, before the first byte is read.
    """

    def __init__(self, stream: BinaryIO, length: int, before_first_read: Callable[[], None] = _nothing) -> None:
        self._stream = stream
        self._remaining = length
        self._before_first_read: Callable[[], None] | None = before_first_read
        self._is_broken = False

    @property
    def is_whole(self) -> bool:
        """Whether everything has been read, so that the next request begins here."""
        return not self._remaining

    @property
    def is_broken(self) -> bool:
        """Whether its end cannot be found any more: it is malformed, was cut off, or came too slowly."""
        return self._is_broken

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been asked for yet."""
        return self._before_first_read is not None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as fits into the buffer, and return how much that is."""
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Read up to ``size`` bytes, or to the end.

        Raises:
            AwsError: the client has closed the connection or is too slow, or the chunks are malformed.
        """
        if self._before_first_read is not None:
            begin, self._before_first_read = self._before_first_read, None
            begin()
        try:
            return self._read(size)
        except TimeoutError as error:
            self._is_broken = True
            raise AwsError("RequestTimeout", "the body was not sent within the timeout period", 400) from error
        except ConnectionError as error:
            self._is_broken = True
            raise _incomplete() from error
        except AwsError:
            self._is_broken = True
            raise

    def drain(self, most_bytes: int) -> bool:
        """Read what nobody has asked for, and return whether the end was reached within ``most_bytes``."""
        try:
            while most_bytes > 0 and (piece := self.read(min(most_bytes, _PIECE_BYTES))):
                most_bytes -= len(piece)
        except AwsError:
            return False
        return self.is_whole

    def _read(self, size: int | None) -> bytes:
        wanted = self._remaining if size is None or size < 0 else min(size, self._remaining)
        data = self._stream.read(wanted) if wanted else b""
        self._remaining -= len(data)
        if len(data) < wanted:
            raise _incomplete()
        return data


class ChunkedReader(BodyReader):
    """A body in chunks (RFC 9112, 7.1); extensions and trailers are read and ignored."""

    def __init__(self, stream: BinaryIO, before_first_read: Callable[[], None] = _nothing) -> None:
        super().__init__(stream, 0, before_first_read)
        self._at_end = False

    @property
    def is_whole(self) -> bool:
        """Whether everything has been read, so that the next request begins here."""
        return self._at_end

    def _read(self, size: int | None) -> bytes:
        pieces = []
        missing = -1 if size is None or size < 0 else size
        while missing and not self._at_end:
            if not self._remaining:
                self._begin_chunk()
                continue
            piece = super()._read(missing)
            pieces.append(piece)
            missing -= len(piece) if missing > 0 else 0
            if not self._remaining and self._stream.read(2) != b"\r\n":
                raise malformed("a chunk does not end after its size")
        return b"".join(pieces)

    def _begin_chunk(self) -> None:
        found = _CHUNK_SIZE.fullmatch(self._stream.readline(_CHUNK_LINE_BYTES))
        if found is None:
            raise malformed("a chunk does not begin with its size")
        self._remaining = int(found[1], 16)
        if self._remaining:
            return
        most_bytes = _TRAILER_BYTES
        while (line := self._stream.readline(most_bytes)) != b"\r\n":
            most_bytes -= len(line)
            if not line.endswith(b"\r\n") or most_bytes <= 0:
                raise malformed("the trailers of a chunked body are malformed or too large")
        self._at_end = True


def _incomplete() -> AwsError:
    return AwsError("IncompleteBody", "the connection ended before the body did", 400)
