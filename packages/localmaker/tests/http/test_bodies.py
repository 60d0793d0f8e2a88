from __future__ import annotations

import io

import pytest

from localmaker.errors import AwsError
from localmaker.http.bodies import BodyReader, ChunkedReader

CHUNKS = b"3\r\none\r\n000A;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext"


def test_a_body_ends_where_its_length_does() -> None:
    stream = io.BytesIO(b"bodynext")
    body = BodyReader(stream, 4)
    assert (body.read(2), body.is_whole, body.read(), body.is_whole, body.read()) == (b"bo", False, b"dy", True, b"")
    assert stream.read() == b"next"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100, -1])
def test_chunks_are_joined(size: int) -> None:
    stream = io.BytesIO(CHUNKS)
    body = ChunkedReader(stream)
    pieces = []
    while piece := body.read(size):
        pieces.append(piece)
    assert (b"".join(pieces), body.is_whole, stream.read()) == (b"one0123456789", True, b"next")


def test_a_body_as_a_buffer() -> None:
    buffer = bytearray(20)
    assert ChunkedReader(io.BytesIO(CHUNKS)).readinto(buffer) == 13
    assert bytes(buffer[:13]) == b"one0123456789"


@pytest.mark.parametrize(
    "raw",
    [
        b"x\r\n", b"\r\n", b"-1\r\n", b"+1\r\na\r\n", b"0x1\r\na\r\n", b"1\na\n0\n\n", b"f" * 16 + b"\r\n",
        b"1 1\r\na\r\n", b"1\r\nab\r\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"0\r\nTrailer: x",
        b"0\r\n" + b"T: x\r\n" * 5000, b"1;" + b"a" * 5000 + b"\r\na\r\n", b"1;\x00\r\na\r\n0\r\n\r\n", b"",
    ],
)  # fmt: skip
def test_malformed_chunks_are_refused(raw: bytes) -> None:
    with pytest.raises(AwsError) as refused:
        ChunkedReader(io.BytesIO(raw)).read()
    assert (refused.value.code, refused.value.status) == ("MalformedHttpRequestException", 400)


@pytest.mark.parametrize("body", [BodyReader(io.BytesIO(b"bod"), 4), ChunkedReader(io.BytesIO(b"4\r\nbod"))])
def test_a_cut_body_is_no_body(body: BodyReader) -> None:
    with pytest.raises(AwsError) as refused:
        body.read()
    assert refused.value.code == "IncompleteBody"
    assert not body.drain(100)


def test_what_happens_before_the_first_read() -> None:
    calls: list[str] = []
    body = BodyReader(io.BytesIO(b"body"), 4, lambda: calls.append("continue"))
    assert body.is_untouched
    body.read(1)
    assert body.drain(1 << 20)
    assert (calls, body.is_untouched) == (["continue"], False)
