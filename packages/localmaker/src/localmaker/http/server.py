"""A threaded HTTP/1.1 server for one WSGI application, on the loopback interface.

Werkzeug's development server, which moto uses, closes every connection and waits 10 ms after each response; this
one keeps connections open, turns Nagle's algorithm off and sleeps in the kernel while nothing happens. It follows
the same conventions for what moto reads from the WSGI environment (``RAW_URI``, preserved metadata header names).
"""

from __future__ import annotations

import errno
import io
import ipaddress
import itertools
import logging
import selectors
import socket
import sys
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import psutil
from werkzeug.serving import DechunkedInput

from localmaker.errors import NotLoopbackError, PortInUseError

logger = logging.getLogger(__name__)

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_IDLE_CONNECTION_SECONDS = 600
# A refused upload up to this size is read to its end, so that its connection can be reused.
_DRAIN_BYTES = 1 << 20
_NO_BODY = {204, 304}


class BodyReader(io.RawIOBase):
    """The body of one request: reads stop at its end, however much the connection holds."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self.remaining = length

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as fits into the buffer, and return how much that is."""
        view = memoryview(buffer)[: self.remaining]
        data = self._stream.read(len(view)) if len(view) else b""
        view[: len(data)] = data
        self.remaining -= len(data)
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Read up to ``size`` bytes, or to the end."""
        wanted = self.remaining if size is None or size < 0 else min(size, self.remaining)
        data = self._stream.read(wanted) if wanted else b""
        self.remaining -= len(data)
        return data


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = _IDLE_CONNECTION_SECONDS
    server: LoopbackServer

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError) as error:
            logger.debug("connection dropped: %s", error)
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except ConnectionError as error:
            logger.debug("connection dropped: %s", error)

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed:
            # The base class takes leading slashes for a mistake; an S3 key may start with one.
            self.path = self.requestline.split()[1]
        return parsed

    def handle_expect_100(self) -> bool:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        logger.debug(format, *args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body, environ = self._environ()
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[..., Any]:
            started["status"], started["headers"] = status, headers
            return pieces.append

        pieces: list[bytes] = []
        chunks = self.server.application(environ, start_response)
        try:
            self._finish_body(body)
            names = {name.lower() for name, _ in started["headers"]}
            if "content-length" not in names:
                # The length is known only once everything is there.
                pieces.extend(chunks)
                self._send(started["status"], started["headers"], pieces, sum(map(len, pieces)))
            else:
                self._send(started["status"], started["headers"], itertools.chain(pieces, chunks), None)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _environ(self) -> tuple[BodyReader | None, dict[str, Any]]:
        url = urlsplit(self.path)
        # "//bucket/key" parses as a network location; S3 keys may start with a slash.
        raw_path = f"//{url.netloc}{url.path}" if not url.scheme and url.netloc else url.path
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(raw_path, "latin-1"),
            "QUERY_STRING": url.query,
            "REQUEST_URI": self.path,
            "RAW_URI": self.path,
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": self.client_address[1],
            "SERVER_NAME": self.server.server_address[0],
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
        }
        self._add_headers(environ)
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            environ["wsgi.input"] = DechunkedInput(cast(BinaryIO, self.rfile))
            environ["wsgi.input_terminated"] = True
            # Only a reader of the whole body knows where a chunked one ends.
            self.close_connection = True
            return None, environ
        body = BodyReader(cast(BinaryIO, self.rfile), int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = body
        return body, environ

    def _add_headers(self, environ: dict[str, Any]) -> None:
        preserved: dict[str, str] = {}
        for name, value in self.headers.items():
            if "_" in name:
                # WSGI cannot tell x_y from x-y; S3 metadata keys may hold underscores, other headers are dropped.
                if not name.lower().startswith("x-amz-meta-"):
                    continue
                preserved["HTTP_" + name.upper().replace("-", "_")] = name
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ and key.startswith("HTTP_") else value
        environ["moto.preserved_header_names"] = preserved

    def _finish_body(self, body: BodyReader | None) -> None:
        if body is None or not body.remaining:
            return
        if body.remaining > _DRAIN_BYTES:
            self.close_connection = True
            return
        body.read()

    def _send(self, status: str, headers: list[tuple[str, str]], pieces: Iterable[bytes], length: int | None) -> None:
        code = int(status.split(" ", 1)[0])
        self.send_response_only(code, status.partition(" ")[2])
        names = set()
        for name, value in headers:
            if name.lower() in ("connection", "transfer-encoding"):
                continue
            names.add(name.lower())
            self.send_header(name, value)
        if "date" not in names:
            self.send_header("Date", self.date_time_string())
        if "content-length" not in names and code not in _NO_BODY and length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and code not in _NO_BODY:
            for piece in pieces:
                self.wfile.write(piece)
        self.wfile.flush()


class LoopbackServer(ThreadingMixIn, TCPServer):
    """Serves ``application`` with one thread per connection.

    Args:
        application: a WSGI application.
        host: a loopback address.
        port: TCP port; 0 picks a free one, see ``url``.

    Raises:
        NotLoopbackError: ``host`` is reachable from other machines.
        PortInUseError: another process listens on ``port``.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, application: WsgiApplication, host: str = "127.0.0.1", port: int = 0) -> None:
        self.application = application
        require_loopback(host)
        self._wake_reader, self._wake_writer = socket.socketpair()
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            self._wake_reader.close()
            self._wake_writer.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(port_in_use_message(port)) from error
            raise

    @property
    def url(self) -> str:
        """The address that clients use."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def serve_forever(self, poll_interval: float = 0) -> None:  # noqa: ARG002 - never polls; the base class has it
        """Serve until :meth:`shutdown`; blocks in the kernel while there is nothing to do."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake_reader in ready:
                    return
                self._accept()

    def _accept(self) -> None:
        try:
            request, client_address = self.get_request()
        except OSError:  # the client is gone already
            return
        self.process_request(request, client_address)

    def shutdown(self) -> None:
        """Make :meth:`serve_forever` return. May be called from a signal handler or any thread."""
        self._wake_writer.send(b"x")

    def server_close(self) -> None:
        """Close the sockets."""
        super().server_close()
        self._wake_reader.close()
        self._wake_writer.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class passes it
        """Log an exception that no response could be sent for."""
        logger.exception("a request from %s was not answered", client_address)


def require_loopback(host: str) -> None:
    """Refuse every address but the loopback interface's: the endpoint runs code for anyone who can reach it."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host) == ipaddress.ip_address("127.0.0.1")
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopbackError(
            f"the local endpoint binds to 127.0.0.1 only, not to {host!r}: it has no authentication and runs any "
            "code it is given. To reach it from elsewhere, forward the port through ssh (ssh -L 4566:127.0.0.1:4566)"
        )


def port_in_use_message(port: int) -> str:
    """Return what occupies a port, and what to do about it."""
    owner = _process_on_port(port)
    return f"port {port} is in use{f' by {owner}' if owner else ''}; stop that, or choose another port with --port"


def _process_on_port(port: int) -> str | None:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "a process of another user"
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                return f"process {connection.pid}"
            return f"process {connection.pid} ({command[:120]})"
    return None
