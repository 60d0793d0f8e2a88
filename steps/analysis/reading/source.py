"""The text of a file, piece by piece: gzip is expanded, the encoding found, and what is no text refused.

Holds one piece at a time, whatever the size of the file.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

MIB = 1 << 20
_PIECE = 2 * MIB
_LONGEST_LINE = MIB
_GZIP = b"\x1f\x8b"
_OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    _GZIP: "a gzip archive inside another",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xfe\x00\x00": "text in UTF-32",
    b"\x00\x00\xfe\xff": "text in UTF-32",
}
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r")
_CONTROL = re.compile(rb"[" + re.escape(_CONTROLS) + rb"]")


class UnreadableError(Exception):
    """The text ends here, for a reason that the message says.

    line: where that is, as an editor counts; before: what the line holds before the place.
    """

    def __init__(self, message: str, line: int = 1, before: bytes = b"") -> None:
        super().__init__(message)
        self.line, self.before = line, before


@dataclass(frozen=True)
class Expansion:
    """How far a gzip file may expand: to `ratio` times its size, or to `always` bytes, but never beyond `most` bytes.

    DEFLATE reaches a ratio of 1,032; tables rarely have more than 20.
    """

    ratio: int = 200
    always: int = 16 * MIB
    most: int = 512 * MIB


class Source:
    """One file. compressed, encoding, marked and line_ends are known once its lines were read."""

    def __init__(self, path: Path, expansion: Expansion) -> None:
        self._path, self._expansion = path, expansion
        self.compressed = False
        self.encoding = "utf-8"
        self.marked = False
        self.line_ends: set[str] = set()

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        r"""Yield whole lines as UTF-8, each ending in \n, with the number of the first one.

        Raises UnreadableError after the last whole line before the place that can't be read.
        """
        line, rest = 1, b""
        try:
            for piece in self._pieces():
                block, rest = self._whole_lines(rest + piece)
                if block:
                    yield line, block
                    line += block.count(b"\n")
                if len(rest) > _LONGEST_LINE:
                    raise UnreadableError(f"the line is longer than {_LONGEST_LINE:,} bytes; this is no table")
        except UnreadableError as error:
            raise UnreadableError(str(error), line, rest) from error
        if rest:
            self.line_ends |= {"CR"} if rest.endswith(b"\r") else set()
            yield line, rest.removesuffix(b"\r") + b"\n"

    def _whole_lines(self, text: bytes) -> tuple[bytes, bytes]:
        r"""Divide text after its last line end, and write every line end as \n."""
        # A \r at the end may be half of a line end.
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
        block, rest = text[:end], text[end:]
        pairs, lone = block.count(b"\r\n"), block.count(b"\r")
        found = {"CRLF": pairs, "CR": lone - pairs, "LF": block.count(b"\n") - pairs}
        self.line_ends |= {name for name, count in found.items() if count}
        if lone:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return block, rest

    def _pieces(self) -> Iterator[bytes]:
        with self._path.open("rb") as stream:
            pieces = iter(lambda: stream.read(_PIECE), b"")
            start, pieces = _peek(pieces)
            self.compressed = start.startswith(_GZIP)
            if self.compressed:
                start, pieces = _peek(_expanded(pieces, self._path.stat().st_size, self._expansion))
            for signature, kind in _OTHER_FILES.items():
                if start.startswith(signature):
                    raise UnreadableError(f"this is {kind}, not CSV text; save it as CSV UTF-8")
            mark = next((mark for mark in _MARKS if start.startswith(mark)), b"")
            self.marked, self.encoding = bool(mark), _MARKS.get(mark, "utf-8")
            if (start[::2] == b"\0\0") is not (start[1::2] == b"\0\0"):
                raise UnreadableError("the text is UTF-16 without a byte order mark; save it as CSV UTF-8")
            for text in _decoded(pieces, self.encoding, len(mark)):
                if len(text.translate(None, _CONTROLS)) < len(text):
                    at = next(_CONTROL.finditer(text)).start()
                    yield text[:at]
                    raise UnreadableError(f"byte 0x{text[at]:02x} is not text: this is a binary file, not CSV")
                yield text


def _peek(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, enough for every signature, and all pieces as they were."""
    taken = [next(pieces, b"")]
    start = taken[0][:4]
    return start, chain(taken, pieces)


def _expanded(pieces: Iterable[bytes], size: int, expansion: Expansion) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    most = min(expansion.most, max(expansion.always, expansion.ratio * size))
    length = 0
    for piece in chain(pieces, [b""]):
        waiting = piece
        while True:
            if engine.eof and waiting:
                raise UnreadableError("more data follows the end of the gzip data; compress one file, in one go")
            try:
                text = b"" if engine.eof else engine.decompress(waiting, _PIECE)
            except zlib.error as error:
                raise UnreadableError(f"the gzip data is damaged ({error}); compress the file again") from error
            waiting = engine.unused_data or engine.unconsumed_tail
            length += len(text)
            if length > most:
                raise UnreadableError(f"the gzip data expands to more than {most:,} bytes; upload smaller files")
            if text:
                yield text
            if not waiting and not text:
                break
    if not engine.eof:
        raise UnreadableError("the gzip data ends too early; compress and upload the file again")


def _decoded(pieces: Iterable[bytes], encoding: str, mark: int) -> Iterator[bytes]:
    """Yield the text as UTF-8, without its first `mark` bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    skipped = mark
    for piece in chain(pieces, [None]):
        try:
            text = decoder.decode((piece or b"")[skipped:], final=piece is None)
        except UnicodeDecodeError as error:
            yield error.object[: error.start].decode(encoding).encode()
            called = encoding[: len("utf-16")].upper()
            message = f"byte 0x{error.object[error.start]:02x} is not {called}; save the file as CSV UTF-8"
            raise UnreadableError(message) from error
        skipped = 0
        yield text.encode()
