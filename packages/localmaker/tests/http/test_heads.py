from __future__ import annotations

import io

import pytest

from localmaker.errors import AwsError
from localmaker.http import heads
from localmaker.http.heads import RequestHead, read_head


def read(*lines: str) -> RequestHead:
    found = read_head(io.BytesIO("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")))
    assert found is not None
    return found


def refused(raw: bytes) -> tuple[int, str]:
    with pytest.raises(AwsError) as error:
        read_head(io.BytesIO(raw))
    return error.value.status, error.value.code


def test_a_request() -> None:
    head = read("", "PUT /a%20b//c?d=%2F&e HTTP/1.1", "Host: x:1", "x-amz-META-A_b:  \xe4 ", "Content-Length: 5")
    assert (head.method, head.target, head.path, head.query) == ("PUT", "/a%20b//c?d=%2F&e", "/a b//c", "d=%2F&e")
    assert head.fields == [("host", "x:1"), ("x-amz-meta-a_b", "\xe4"), ("content-length", "5")]
    assert head.original_names[1] == "x-amz-META-A_b"
    assert (head.length, head.keep_alive, head.expects_continue) == (5, True, False)


def test_the_end_of_the_connection_is_no_request() -> None:
    assert read_head(io.BytesIO(b"")) is None
    assert read_head(io.BytesIO(b"\r\n")) is None


@pytest.mark.parametrize(
    ("lines", "keep_alive"),
    [
        (["GET / HTTP/1.1", "Host: x"], True),
        (["GET / HTTP/1.1", "Host: x", "Connection: Upgrade, Close"], False),
        (["GET / HTTP/1.1", "Host: x", "Connection: a", "Connection: close"], False),
        (["GET / HTTP/1.0"], False),
    ],
)
def test_how_long_a_connection_is_kept(lines: list[str], keep_alive: bool) -> None:
    assert read(*lines).keep_alive is keep_alive


def test_the_authority_of_an_absolute_target_counts() -> None:
    head = read("GET http://evil.example:80?x HTTP/1.1", "Host: localhost", "A: b")
    assert (head.target, head.fields) == ("/?x", [("a", "b"), ("host", "evil.example:80")])
    assert head.original_names == ["A", "Host"]


def test_a_chunked_body_has_no_length() -> None:
    assert read("PUT / HTTP/1.1", "Host: x", "Transfer-Encoding: Chunked").length is None


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET", 400), ("GET /", 400), ("GET  / HTTP/1.1", 400), (" GET / HTTP/1.1", 400), ("GET / HTTP/1.1 ", 400),
        ("GET\t/ HTTP/1.1", 400), ("GET / http/1.1", 400), ("GET / HTTP/1.10", 400), ("GET /a b HTTP/1.1", 400),
        ("GET /\xff HTTP/1.1", 400), ("GET /\x00 HTTP/1.1", 400), ("GET /%zz HTTP/1.1", 400), ("GET /?% HTTP/1.1", 400),
        ("GET /%00 HTTP/1.1", 400), ("GET /%ff HTTP/1.1", 400), ("GET /a#b HTTP/1.1", 400), ("GET * HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 400), ("GET ftp://x/ HTTP/1.1", 400), ("GET http:///x HTTP/1.1", 400),
        ("GET http://[x/ HTTP/1.1", 400), ("GET / HTTP/2.0", 505), ("GET / HTTP/0.9", 505), ("TRACE / HTTP/1.1", 501),
        ("CONNECT x:1 HTTP/1.1", 501), ("get / HTTP/1.1", 501), (f"GET /{'a' * heads.LINE_BYTES} HTTP/1.1", 414),
    ],
)  # fmt: skip
def test_a_malformed_request_line(line: str, status: int) -> None:
    assert refused(f"{line}\r\nHost: x\r\n\r\n".encode("latin-1"))[0] == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("Host: x\r\nHost: x", 400), ("A: b", 400), ("Host : x", 400), ("Host: x\r\n: y", 400), ("Host: x\r\ny", 400),
        ("Host: x\r\n folded", 400), ("Host: x\nA: b", 400), ("Host: x\r\nA: b\rc", 400), ("Host: x\r\nA: \x00", 400),
        ("Host: x\r\nA\xff: b", 400), ("Host: x\r\nContent-Length: -1", 400), ("Host: x\r\nContent-Length: ", 400),
        ("Host: x\r\nContent-Length: x", 400), ("Host: x\r\nContent-Length: +1", 400),
        ("Host: x\r\nContent-Length: 1_0", 400), ("Host: x\r\nContent-Length: 0x1", 400),
        ("Host: x\r\nContent-Length: \u00b2", 400), ("Host: x\r\nContent-Length: 1, 1", 400),
        ("Host: x\r\nContent-Length: 1\r\nContent-Length: 2", 400), (f"Host: x\r\nContent-Length: {'9' * 30}", 400),
        ("Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
        ("Host: x\r\nTransfer-Encoding: gzip", 501), ("Host: x\r\nTransfer-Encoding: chunked, chunked", 501),
        ("Host: x\r\nTransfer-Encoding: ", 501),
        ("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501), ("Host: x\r\nExpect: x", 417),
        (f"Host: x\r\nA: {'b' * heads.HEAD_BYTES}", 431), ("Host: x" + "\r\nA: b" * heads.FIELDS, 431),
    ],
)  # fmt: skip
def test_malformed_headers(fields: str, status: int) -> None:
    assert refused(f"PUT / HTTP/1.1\r\n{fields}\r\n\r\n".encode("latin-1"))[0] == status


def test_a_cut_head() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert {refused(raw[:length])[0] for length in range(1, len(raw))} == {400}


def test_http_1_0_has_no_chunks() -> None:
    assert refused(b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")[0] == 400
