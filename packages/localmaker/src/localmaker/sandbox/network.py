"""The way out of a network in which nothing but the endpoint answers.

Such a network has a loopback interface of its own. The sandbox's first process opens a listening socket at the
endpoint's address in there and hands it out: a socket stays in the network that it was opened in, so the endpoint
accepts the job's connections itself, and nothing has to be relayed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

_HANDED = b"x"

#: Takes a listening socket and serves it; returns what ends that and closes it.
Serve = Callable[[socket.socket], Callable[[], None]]


@dataclass(frozen=True)
class Door:
    """The one address that answers in a job's network.

    Attributes:
        port: of the endpoint, on 127.0.0.1.
        serve: answers what comes in.
    """

    port: int
    serve: Serve


class OpenedDoor:
    """A door of one sandbox that starts: pass ``descriptor`` to it, then :meth:`serve` or :meth:`close`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.port = door.port
        self._ours, theirs = socket.socketpair()
        self.descriptor = theirs.detach()
        self._end: Callable[[], None] | None = None

    def passed(self) -> None:
        """Forget the descriptor, which the sandbox's process has now."""
        os.close(self.descriptor)

    def serve(self) -> None:
        """Answer what the sandbox sends to the endpoint's address."""
        _, descriptors, _, _ = socket.recv_fds(self._ours, len(_HANDED), 1)
        self._end = self._door.serve(socket.socket(fileno=descriptors[0]))

    def close(self) -> None:
        """Answer nothing any more."""
        self._ours.close()
        if self._end is not None:
            self._end()
