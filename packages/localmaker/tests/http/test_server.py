from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from localmaker.errors import NotLoopbackError, PortInUseError
from localmaker.http.server import LoopbackServer


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/unread":
        body = b"unread"
    elif environ["PATH_INFO"] == "/headers":
        names = sorted(key for key in environ if key.startswith("HTTP_X_"))
        body = repr([names, environ["moto.preserved_header_names"]]).encode()
    else:
        body = environ["wsgi.input"].read() + environ["RAW_URI"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


@pytest.fixture
def port() -> Iterator[int]:
    server = LoopbackServer(echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    yield connection
    connection.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str) -> bytes:
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    assert response.status == 200
    return response.read()


def test_one_connection_carries_many_requests(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "PUT", "/a%20b?c=d", b"body") == b"body/a%20b?c=d"
    first = connection.sock
    assert ask(connection, "PUT", "/unread", b"x" * 100_000) == b"unread"
    assert ask(connection, "GET", "//double//slash") == b"//double//slash"
    assert ask(connection, "HEAD", "/") == b""
    assert ask(connection, "DELETE", "/x") == b"/x"
    assert connection.sock is first


def test_a_large_unread_body_closes_the_connection(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("PUT", "/unread")
    connection.putheader("Content-Length", str(1 << 30))
    connection.endheaders(b"only the beginning")
    response = connection.getresponse()
    assert response.read() == b"unread"
    assert response.getheader("Connection") == "close"


def test_chunked_bodies(connection: http.client.HTTPConnection) -> None:
    connection.request("PUT", "/", iter([b"one", b"two"]), encode_chunked=True)
    assert connection.getresponse().read() == b"onetwo/"


def test_expect_100_is_answered_before_the_body(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"hi")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_only_metadata_headers_keep_their_underscores(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/headers", headers={"x-amz-meta-a_b": "1", "x_other": "2", "x-plain": "3"})
    text = connection.getresponse().read().decode()
    assert text == repr([["HTTP_X_AMZ_META_A_B", "HTTP_X_PLAIN"], {"HTTP_X_AMZ_META_A_B": "x-amz-meta-a_b"}])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104 - what is refused
def test_nothing_but_loopback(host: str) -> None:
    with pytest.raises(NotLoopbackError, match=r"binds to 127.0.0.1 only"):
        LoopbackServer(echo, host)


def test_a_taken_port_is_reported_with_its_owner(port: int) -> None:
    with pytest.raises(PortInUseError, match=rf"port {port} is in use by process \d+ .*--port"):
        LoopbackServer(echo, port=port)
