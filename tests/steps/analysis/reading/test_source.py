"""gzip: limits of its expansion, and what is damaged."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from analysis.reading.source import Expansion, Source, UnreadableError

TEXT = b"".join(b"%d,%d\n" % (number, number * number % 997) for number in range(3000))
PACKED = gzip.compress(TEXT)


def text_of(path: Path, expansion: Expansion | None = None) -> bytes:
    return b"".join(block for _, block in Source(path, expansion or Expansion()).blocks())


def refused(path: Path, expansion: Expansion | None = None) -> str:
    with pytest.raises(UnreadableError) as caught:
        text_of(path, expansion)
    return str(caught.value)


def test_gzip_is_expanded(write) -> None:
    assert text_of(write(PACKED)) == TEXT


@pytest.mark.parametrize("length", [2, 9, 10, 11, 500, len(PACKED) - 8, len(PACKED) - 1])
def test_a_file_that_ends_early_is_refused(write, length: int) -> None:
    assert "ends too early" in refused(write(PACKED[:length]))


@pytest.mark.parametrize("more", [PACKED, b"\0", b"1,2\n"])
def test_more_data_after_the_end_is_refused(write, more: bytes) -> None:
    assert "more data follows" in refused(write(PACKED + more))


@pytest.mark.parametrize("position", [2, 12, 3000, -6, -2])
def test_damaged_data_is_refused(write, position: int) -> None:
    damaged = bytearray(PACKED)
    damaged[position] ^= 0x55
    assert "damaged" in refused(write(bytes(damaged)))


def test_gzip_inside_gzip_is_refused(write) -> None:
    assert "a gzip archive inside another" in refused(write(gzip.compress(PACKED)))


def test_a_workbook_inside_gzip_is_refused(write) -> None:
    assert "an Excel workbook" in refused(write(gzip.compress(b"PK\x03\x04")))


@pytest.mark.parametrize(
    "expansion", [Expansion(ratio=1, always=100), Expansion(most=len(TEXT) - 1), Expansion(ratio=1, always=0)]
)
def test_expansion_is_limited(write, expansion: Expansion) -> None:
    assert "expands to more than" in refused(write(PACKED), expansion)


def test_as_much_as_allowed_is_expanded(write) -> None:
    assert text_of(write(PACKED), Expansion(ratio=1, always=len(TEXT), most=len(TEXT))) == TEXT


def test_no_more_is_expanded_than_is_refused(write) -> None:
    """A few bytes that stand for gigabytes cost neither memory nor time."""
    engine = zlib.compressobj(wbits=31)
    bomb = b"".join([engine.compress(b"1,2\n" * (1 << 18)) for _ in range(64)]) + engine.flush()
    path = write(bomb)
    lines = []
    with pytest.raises(UnreadableError, match="expands to more than"):
        lines.extend(first for first, _ in Source(path, Expansion(ratio=1, always=1 << 21)).blocks())
    assert len(lines) == 1
