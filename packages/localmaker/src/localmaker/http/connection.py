"""One connection of a client: requests in, answers out, until one of them ends it.

A client is waited for, but not for ever: each wait takes from its patience, and each byte that it sends gives some
back. So a slow client is served, and one that sends a byte a second is not.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import math
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, BinaryIO, cast

from localmaker.errors import AwsError
from localmaker.http.bodies import BodyReader, ChunkedReader
from localmaker.http.heads import RequestHead, read_head

logger = logging.getLogger(__name__)

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[str, str]]

# Seconds. boto3 keeps its connections for the next request, and opens another one without ado if it finds them closed.
_IDLE_SECONDS = 60.0
_HEAD_SECONDS = 10.0
_BODY_SECONDS = 60.0
# For one piece of an answer: a program may take its time between two reads of a large object.
_SEND_SECONDS = 600.0
# How long a client that is refused may go on sending before it looks at the answer.
_LINGER_SECONDS = 5.0
_SLOWEST_BYTES_PER_SECOND = 1024
# A refused upload up to this size is read to its end, so that its connection can be reused.
_DRAIN_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 16
_NO_BODY = {204, 304}


class _ClientStream(io.RawIOBase):
    """What a client sends.

    Attributes:
        patience: how many seconds the client may be waited for now.
        waiting_since: the time (monotonic) since which it has been waited for; None while it is not.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.patience = _IDLE_SECONDS
        self.waiting_since: float | None = None
        self._deadline = math.inf

    def end_by(self, deadline: float) -> None:
        """Wait for nothing after a time (monotonic), however much arrives until then."""
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        begin = time.monotonic()
        left = min(self.patience, self._deadline - begin)
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        self.waiting_since = begin
        count = self._connection.recv_into(buffer)
        self.waiting_since = None
        left = self.patience - (time.monotonic() - begin) + count / _SLOWEST_BYTES_PER_SECOND
        self.patience = min(max(left, 0.001), _BODY_SECONDS)
        return count


class Connection:
    """Serves one client.

    Args:
        client: its socket.
        address: the client's host and port.
        application: a WSGI application.
        server_address: host and port of this end.
    """

    def __init__(
        self, client: socket.socket, address: tuple[str, int], application: WsgiApplication, server_address: Any
    ) -> None:
        self._socket = client
        self._application = application
        self._stream = _ClientStream(client)
        self._input = cast("BinaryIO", io.BufferedReader(self._stream, _BUFFER_BYTES))
        self._keep_alive = True
        self._unread = False
        self._environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "SCRIPT_NAME": "",
            "REMOTE_ADDR": address[0],
            "REMOTE_PORT": address[1],
            "SERVER_NAME": server_address[0],
            "SERVER_PORT": str(server_address[1]),
        }

    @property
    def waiting_since(self) -> float | None:
        """The time (monotonic) since which nothing has come from the client; None while its request is answered."""
        return self._stream.waiting_since

    def hang_up(self) -> None:
        """End it from another thread."""
        with suppress(OSError):  # the client has just done so
            self._socket.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Answer the client's requests until the connection ends, and close it."""
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._keep_alive:
                self._stream.patience = _IDLE_SECONDS
                if not self._input.peek(1):  # type: ignore[attr-defined]  # a BufferedReader has it
                    break
                self._serve_request()
            if self._unread:
                self._linger()
        except OSError as error:
            logger.debug("connection dropped: %s", error)
        except Exception:  # the boundary: its thread ends here
            logger.exception("an answer was cut off")
        finally:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            self._socket.close()

    def _serve_request(self) -> None:
        self._stream.patience = _HEAD_SECONDS
        try:
            head = read_head(self._input)
        except AwsError as error:
            self._refuse(error)
            return
        except TimeoutError:
            self._refuse(AwsError("RequestTimeout", "the request was not sent within the timeout period", 408))
            return
        if head is None:
            self._keep_alive = False
            return
        self._stream.patience = _BODY_SECONDS
        self._keep_alive = head.keep_alive
        self._answer(head)

    def _refuse(self, error: AwsError) -> None:
        """Answer a request that has no well-formed head; where it ends is unknown, so it is the last one."""
        self._keep_alive, self._unread = False, True
        self._send("GET", *_refusal(error))

    def _answer(self, head: RequestHead) -> None:
        before_body = self._send_continue if head.expects_continue else _nothing
        if head.expects_continue and head.length == 0:
            # There is nothing to wait for, but older botocore takes an answer without it for that to its next request.
            self._send_continue()
            before_body = _nothing
        if head.length is None:
            body: BodyReader = ChunkedReader(self._input, before_body)
        else:
            body = BodyReader(self._input, head.length, before_body)
        started: list[Any] = ["", []]
        written: list[bytes] = []

        def start_response(status: str, headers: Headers, _exc_info: Any = None) -> Callable[..., Any]:
            started[:] = status, headers
            return written.append

        chunks: Iterable[bytes] = ()
        try:
            try:
                chunks = self._application(self._environ_of(head, body), start_response)
                status, headers = started
                pieces: Iterable[bytes] = itertools.chain(written, chunks)
                if not any(name.lower() == "content-length" for name, _ in headers):
                    # The length is known only once everything is there.
                    pieces = [b"".join(pieces)]
            except AwsError as error:
                status, headers, pieces = _refusal(error)
            except Exception:  # the boundary: a request gets an answer, whatever fails
                logger.exception("%s %s was not answered", head.method, head.target)
                status, headers, pieces = _refusal(AwsError("InternalFailure", "the local endpoint failed", 500))
            is_reused = self._keep_alive and self._may_end_soon(body, head)
            if not is_reused:
                self._keep_alive, self._unread = False, not body.is_whole
            # Before the rest of the request: the client may wait for the answer, or never send more.
            self._send(head.method, status, headers, pieces)
            if is_reused and not body.is_whole:
                self._drain(body)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _environ_of(self, head: RequestHead, body: BodyReader) -> dict[str, Any]:
        environ = {
            **self._environ,
            "REQUEST_METHOD": head.method,
            "PATH_INFO": head.path,
            "QUERY_STRING": head.query,
            "REQUEST_URI": head.target,
            "RAW_URI": head.target,
            "SERVER_PROTOCOL": head.version,
            "wsgi.input": body,
        }
        preserved: dict[str, str] = {}
        for (name, value), original in zip(head.fields, head.original_names, strict=True):
            key = "HTTP_" + name.upper().replace("-", "_")
            if "_" in name:
                # WSGI cannot tell x_y from x-y; S3 metadata keys may hold underscores, other headers are dropped.
                if not name.startswith("x-amz-meta-"):
                    continue
                preserved[key] = original
            if name in ("content-type", "content-length"):
                environ[key[5:]] = value
            else:
                environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ["moto.preserved_header_names"] = preserved
        if head.length is None:
            environ["wsgi.input_terminated"] = True
        return environ

    def _send_continue(self) -> None:
        self._send_all(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _may_end_soon(self, body: BodyReader, head: RequestHead) -> bool:
        """Return whether the end of a request can be found by reading a little more, or is reached."""
        waits = head.expects_continue and body.is_untouched
        return body.is_whole or not (waits or body.is_broken or (head.length or 0) > _DRAIN_BYTES)

    def _drain(self, body: BodyReader) -> None:
        """Go to the end of a request that is answered, or end the connection."""
        self._stream.end_by(time.monotonic() + _LINGER_SECONDS)
        if not body.drain(_DRAIN_BYTES):
            self._keep_alive, self._unread = False, True
        else:
            self._stream.end_by(math.inf)

    def _send(self, method: str, status: str, headers: Headers, pieces: Iterable[bytes]) -> None:
        lines, length, has_date = [f"HTTP/1.1 {status}"], None, False
        for name, value in headers:
            lowered = name.lower()
            if lowered in ("connection", "transfer-encoding"):
                continue
            if lowered == "content-length":
                length = int(value)
            has_date = has_date or lowered == "date"
            lines.append(f"{name}: {value}")
        if not has_date:
            lines.append(f"Date: {formatdate(usegmt=True)}")
        if length is None and int(status[:3]) not in _NO_BODY:
            pieces = list(pieces)
            length = sum(map(len, pieces))
            lines.append(f"Content-Length: {length}")
        if not self._keep_alive:
            lines.append("Connection: close")
        text = "\n".join([*lines, "", ""])
        if text.count("\n") != len(lines) + 1 or "\r" in text or "\0" in text:
            # A client may choose headers of an answer (S3's response-content-type), and not add lines to it.
            self._send(method, *_refusal(AwsError("InvalidArgument", "a header of the answer would hold a line break")))
            return
        text = text.replace("\n", "\r\n")
        try:
            head = text.encode("latin-1")
        except UnicodeEncodeError:
            head = text.encode("utf-8")
        if method == "HEAD" or int(status[:3]) in _NO_BODY:
            self._send_all(head)
        else:
            self._send_body(head, pieces, length or 0)

    def _send_body(self, head: bytes, pieces: Iterable[bytes], length: int) -> None:
        """Send the head and ``length`` bytes of the pieces, small ones together."""
        waiting, size, left = [head], len(head), length
        for one in pieces:
            piece = one if len(one) <= left else one[:left]
            left -= len(piece)
            waiting.append(piece)
            size += len(piece)
            if size >= _BUFFER_BYTES:
                self._send_all(b"".join(waiting) if len(waiting) > 1 else piece)
                waiting, size = [], 0
        if waiting:
            self._send_all(b"".join(waiting))
        if left:
            logger.error("an answer ended %d bytes before its Content-Length", left)
            self._keep_alive = False

    def _send_all(self, data: bytes) -> None:
        self._socket.settimeout(_SEND_SECONDS)
        self._stream.waiting_since = time.monotonic()
        self._socket.sendall(data)
        self._stream.waiting_since = None

    def _linger(self) -> None:
        """Let the client send on for a while: it would lose the answer if its data found a closed connection."""
        self._socket.shutdown(socket.SHUT_WR)
        self._stream.patience = _LINGER_SECONDS
        self._stream.end_by(time.monotonic() + _LINGER_SECONDS)
        buffer = bytearray(_BUFFER_BYTES)
        while self._stream.readinto(buffer):
            pass


def _refusal(error: AwsError) -> tuple[str, Headers, list[bytes]]:
    status = HTTPStatus(error.status)
    body = json.dumps({"__type": error.code, "message": error.message}).encode()
    headers = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
    return f"{error.status} {status.phrase}", headers, [body]


def _nothing() -> None:
    """Do nothing before a body."""
