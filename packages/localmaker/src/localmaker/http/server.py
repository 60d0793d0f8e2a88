"""A threaded HTTP/1.1 server for one WSGI application, on the loopback interface.

Werkzeug's development server, which moto uses, closes every connection and waits 10 ms after each response; this
one keeps connections open, turns Nagle's algorithm off and sleeps in the kernel while nothing happens. It follows
the same conventions for what moto reads from the WSGI environment (``RAW_URI``, preserved metadata header names).
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import resource
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import TCPServer
from typing import Any, cast

import psutil

from localmaker.errors import NotLoopbackError, PortInUseError
from localmaker.http.connection import Connection, WsgiApplication

logger = logging.getLogger(__name__)

#: Connections served at the same time, unless the limit of open files is lower than twice that.
MOST_CONNECTIONS = 512
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
# Until files are closed; the client waits in the kernel's queue.
_OUT_OF_FILES_SECONDS = 0.1


class LoopbackServer(TCPServer):
    """Serves ``application`` with one thread per connection.

    A client that comes when there are too many takes the place of the one that has been waited for longest. If all are
    being answered, it gets 503, which AWS's clients repeat.

    Args:
        application: a WSGI application.
        host: a loopback address.
        port: TCP port; 0 picks a free one, see ``url``.
        most_connections: how many are served at the same time.

    Raises:
        NotLoopbackError: ``host`` is reachable from other machines.
        PortInUseError: another process listens on ``port``.
    """

    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(
        self,
        application: WsgiApplication,
        host: str = "127.0.0.1",
        port: int = 0,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self.application = application
        self._most_connections = min(most_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._open: set[Connection] = set()
        self._open_lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        require_loopback(host)
        self._wake_reader, self._wake_writer = socket.socketpair()
        try:
            super().__init__((host, port), Connection)  # type: ignore[arg-type]  # never called: see _accept
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
        self._selector.register(self.socket, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if self._wake_reader in ready:
                return
            for listener in ready:
                self._accept_from(cast("socket.socket", listener))

    def serve_also(self, listener: socket.socket) -> Callable[[], None]:
        """Serve the clients of another listening socket too; return what ends that and closes it. From any thread."""
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)

        def end() -> None:
            with suppress(KeyError, RuntimeError):  # the server may have been closed meanwhile
                self._selector.unregister(listener)
            listener.close()

        return end

    def _accept_from(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
            client.setblocking(True)
            self._accept(client, address)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._hang_up_longest_waiting()
                self._wake_reader.settimeout(_OUT_OF_FILES_SECONDS)
                with suppress(TimeoutError):
                    self._wake_reader.recv(1, socket.MSG_PEEK)
            # Otherwise the client is gone already, or the listener.

    def _accept(self, client: socket.socket, address: Any) -> None:
        with self._open_lock:
            is_full = len(self._open) >= self._most_connections
        if is_full and not self._hang_up_longest_waiting():
            with client:
                client.setblocking(False)
                client.send(_BUSY)
            logger.warning("refused a client: %d others are being answered", self._most_connections)
            return
        connection = Connection(client, address, self.application, self.server_address)
        with self._open_lock:
            self._open.add(connection)
        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._open_lock:
                self._open.discard(connection)

    def _hang_up_longest_waiting(self) -> bool:
        """End the connection from which nothing has come for longest; False if there is none."""
        with self._open_lock:
            waiting = [(since, one) for one in self._open if (since := one.waiting_since) is not None]
            if not waiting:
                return False
            longest = min(waiting, key=lambda pair: pair[0])[1]
            self._open.discard(longest)
        longest.hang_up()
        return True

    def shutdown(self) -> None:
        """Make :meth:`serve_forever` return. May be called from a signal handler or any thread."""
        self._wake_writer.send(b"x")

    def server_close(self) -> None:
        """Close the sockets."""
        super().server_close()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()


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
