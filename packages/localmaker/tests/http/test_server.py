from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest

from localmaker.errors import NotLoopbackError, PortInUseError
from localmaker.http import connection as connections
from localmaker.http.server import LoopbackServer


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/unread":
        body = b"unread"
    elif environ["PATH_INFO"] == "/fails":
        raise RuntimeError("surprise")
    elif environ["PATH_INFO"] == "/short":
        start_response("200 OK", [("Content-Length", "8")])
        return [b"short"]
    elif environ["PATH_INFO"] == "/injected":
        start_response("200 OK", [("X-Echo", unquote(environ["QUERY_STRING"]))])
        return [b""]
    elif environ["PATH_INFO"] == "/headers":
        names = sorted(key for key in environ if key.startswith("HTTP_X_"))
        body = repr([names, environ["moto.preserved_header_names"]]).encode()
    else:
        body = environ["wsgi.input"].read() + environ["RAW_URI"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


@contextmanager
def serving(server: LoopbackServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    with serving(LoopbackServer(echo)) as port:
        yield port


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


def test_expect_100_is_answered_without_a_body(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_only_metadata_headers_keep_their_underscores(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/headers", headers={"x-amz-meta-a_b": "1", "x_other": "2", "x-plain": "3"})
    text = connection.getresponse().read().decode()
    assert text == repr([["HTTP_X_AMZ_META_A_B", "HTTP_X_PLAIN"], {"HTTP_X_AMZ_META_A_B": "x-amz-meta-a_b"}])


def exchange(port: int, *sent: bytes) -> bytes:
    """Send bytes over a connection of their own, and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        for piece in sent:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_malformed_request_is_answered_and_ends_the_connection(port: int) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = exchange(port, b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", smuggled)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Length is not one whole number" in answer
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 9\r\n\r\ncut", b"Transfer-Encoding: chunked\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n"],
)
def test_a_broken_body_is_answered(port: int, rest: bytes) -> None:
    assert exchange(port, b"PUT / HTTP/1.1\r\nHost: x\r\n", rest).startswith(b"HTTP/1.1 400")


def test_a_refused_client_may_finish_sending(port: int) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"
    assert exchange(port, head, b"x" * (8 << 20)).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("path", "rest", "status"),
    [
        (b"/", b"Transfer-Encoding: chunked\r\n\r\nx\r\n", b"400"),
        (b"/unread", b"Transfer-Encoding: chunked\r\n\r\n", b"200"),
        (b"/unread", b"Content-Length: 1000\r\n\r\n", b"200"),
        (b"/fails", b"Content-Length: 1000\r\n\r\n", b"500"),
    ],
)
def test_an_answer_waits_for_nothing_that_the_client_still_has_to_send(
    port: int, path: bytes, rest: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=4) as client:
        client.sendall(b"PUT " + path + b" HTTP/1.1\r\nHost: x\r\n" + rest)
        assert client.recv(65536).split()[1] == status


def test_a_client_that_does_not_end_its_request_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LINGER_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"PUT /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.endswith(b"unread")


def test_time_is_not_given_back_beyond_a_deadline() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = connections._ClientStream(ours)
        stream.end_by(0.0)
        theirs.sendall(b"x")
        with pytest.raises(TimeoutError):
            stream.readinto(bytearray(100))


def test_requests_after_one_another_in_one_piece(port: int) -> None:
    one = b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
    assert exchange(port, one * 3).count(b"b/a") == 3


def test_a_header_of_an_answer_cannot_hold_a_line_break(port: int) -> None:
    answer = exchange(port, b"GET /injected?a%0d%0aX-Injected:%20b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"X-Injected" not in answer


def test_an_application_that_fails_is_an_answer(port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert exchange(port, b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 500")
    assert "GET /fails was not answered" in caplog.text


def test_an_answer_that_is_cut_off_ends_the_connection(port: int, caplog: pytest.LogCaptureFixture) -> None:
    request = b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n"
    assert exchange(port, request * 2).count(b"HTTP/1.1 200") == 1
    assert "ended 3 bytes before its Content-Length" in caplog.text


@pytest.mark.parametrize(
    "sent", [b"GET /slow HTTP/1.1\r\nHost:", b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_client_that_dawdles_is_answered_and_left(port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.05)
    monkeypatch.setattr(connections, "_BODY_SECONDS", 0.05)
    monkeypatch.setattr(connections, "_LINGER_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(sent)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.split()[1] in (b"408", b"400")
    assert b"RequestTimeout" in answer


def test_an_idle_connection_is_closed_without_a_word(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.1") == 1


def test_patience_is_given_back_by_what_arrives() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = connections._ClientStream(ours)
        stream.patience = 5.0
        theirs.sendall(b"x" * 10)
        stream.readinto(bytearray(100))
        assert 4.0 < stream.patience < 5.01
        theirs.sendall(b"x" * (100 << 10))
        stream.readinto(bytearray(100 << 10))
        assert 60.0 >= stream.patience > 50.0


def test_a_new_client_takes_the_place_of_the_longest_idle_one() -> None:
    with serving(LoopbackServer(echo, most_connections=3)) as port:
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(9)]
        for client in clients:
            assert ask(client, "GET", "/x") == b"/x"
        for client in clients[-3:]:
            first = client.sock
            assert ask(client, "GET", "/y") == b"/y"
            assert client.sock is first
        for client in clients[:-3]:
            assert client.sock.recv(1) == b""
        for client in clients:
            client.close()


def test_a_client_that_comes_while_all_are_being_answered_is_told_to_come_again() -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def busy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        entered.release()
        leave.wait()
        start_response("200 OK", [])
        return [b"done"]

    with serving(LoopbackServer(busy, most_connections=2)) as port:
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(3)]
        for client in clients[:2]:
            client.request("GET", "/")
            entered.acquire()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as refused:
            assert refused.recv(1000).startswith(b"HTTP/1.1 503")
        leave.set()
        for client in clients[:2]:
            assert client.getresponse().read() == b"done"
            client.close()
        assert ask(clients[2], "GET", "/") == b"done"
        clients[2].close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104 - what is refused
def test_nothing_but_loopback(host: str) -> None:
    with pytest.raises(NotLoopbackError, match=r"binds to 127.0.0.1 only"):
        LoopbackServer(echo, host)


def test_a_taken_port_is_reported_with_its_owner(port: int) -> None:
    with pytest.raises(PortInUseError, match=rf"port {port} is in use by process \d+ .*--port"):
        LoopbackServer(echo, port=port)
