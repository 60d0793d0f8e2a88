"""Execution environments: processes that run calls of one function, one after the other.

As in Lambda a process that has answered is kept for the next call: what the module has imported and ``/tmp`` are still
there, and the call does not wait for a start. One that has failed to answer, or has left other processes behind, is
not kept. A function of the user's own table runs every call in a process of its own.
"""

from __future__ import annotations

import json
import os
import select
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import SandboxProcess
from localmaker.services.lambda_.logs import new_log_stream
from localmaker.services.lambda_.process import Channel, LogPlace, seen_paths, start
from localmaker.services.lambda_.table import LocalFunction
from localmaker.services.lambda_.uploaded import unpack

_DONE = b"."
_RESULT = "result.json"


class Ending(StrEnum):
    """How a call has ended."""

    ANSWERED = "answered"
    ENDED = "its process has ended"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Start:
    """What the start of a process needs beside the function.

    Attributes:
        group: of its log.
        variables: where AWS's APIs are, and the credentials for them.
        door: the only way out of a VPC, if there is one.
    """

    group: str
    variables: Mapping[str, str]
    door: Door | None


class Execution:
    """One process. Its start and its calls may be in different threads, but not at the same time.

    Attributes:
        function: that it runs.
        stream: of its log.
        output: descriptor from which its output can be read.
        output_writer: the other end.
        credentials: to be closed with it.
    """

    def __init__(self, function: LocalFunction) -> None:
        self.function = function
        self.stream = new_log_stream(function.version)
        self.credentials = ExitStack()
        self.idle_since = 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="function-", ignore_cleanup_errors=True)
        self.directory = Path(self._folder.name)
        self.output, self.output_writer = os.pipe()
        self._calls_reader, self._calls = os.pipe()
        os.set_blocking(self._calls, False)
        self._done, self._done_writer = os.pipe()
        self._process: SandboxProcess | None = None
        self.code = 0
        self.exceeded: str | None = None

    def start(self, settings: Start) -> None:
        """Start the process. It is killed when the thread that does so ends.

        Raises:
            FunctionTableError: its code is not acceptable.
            SandboxError: the interpreter does not start.
            EnvironmentBuildError: there is no environment of the runtime, and it cannot be built.
        """
        (self.directory / "call").mkdir()
        if self.function.uploaded:
            unpack(self.function, self.directory / "code")
        channel = Channel(self._calls_reader, self._done_writer, self.output_writer)
        place = LogPlace(settings.group, self.stream)
        self._process = start(
            self.function, self.directory, channel, place, variables=settings.variables, door=settings.door
        )
        for descriptor in (self._calls_reader, self._done_writer):
            os.close(descriptor)
        self._calls_reader = self._done_writer = -1

    @property
    def is_running(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    @property
    def process(self) -> SandboxProcess:
        """The running process."""
        if self._process is None:
            raise ValueError("the process was not started")
        return self._process

    @property
    def root(self) -> str:
        """The directory of the function's code, as the process sees it."""
        if self.function.uploaded:
            return seen_paths(self.directory)[0]
        return str(self.function.file.parent)

    def call(self, document: Mapping[str, Any], seconds: float) -> Ending:
        """Run one call.

        Args:
            document: what :mod:`.host` reads.
            seconds: after which it is out of time.
        """
        # Not by a file: the process can put a link or a pipe wherever it finds one.
        unsent = json.dumps(document).encode() + b"\n"
        life, deadline = self.process.life(), time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._calls, select.POLLOUT)
        for descriptor in (self._done, life):
            poll.register(descriptor, select.POLLIN | select.POLLHUP)
        while (left := deadline - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
            if self._calls in ready:
                unsent = self._send(unsent)
                if not unsent:
                    poll.unregister(self._calls)
            if self._done in ready and os.read(self._done, 1) == _DONE:
                return Ending.ANSWERED
            if life in ready:
                return Ending.ENDED
            if self._done in ready:  # closed: the end of the process follows
                poll.unregister(self._done)
        return Ending.TIMED_OUT

    def _send(self, unsent: bytes) -> bytes:
        """Write as much of a call as the process takes at once; return the rest."""
        try:
            return unsent[os.write(self._calls, unsent) :]
        except BlockingIOError:
            return unsent
        except BrokenPipeError:  # the end of the process follows
            return b""

    def result(self) -> Path:
        """Return the file that the process has written, whatever it is."""
        return self.directory / "call" / _RESULT

    def clear(self) -> bool:
        """Make it ready for the next call; return whether that was possible."""
        ready, _, _ = select.select([self._done, self.process.life()], [], [], 0)
        try:
            self.result().unlink()
        except OSError:
            return False
        return not ready and self.process.is_alone()

    def kill(self) -> None:
        """End the process, in the middle of a call, too."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """End the process and everything that it has started."""
        if self._process is not None:
            self._process.kill()
            self.code, self.exceeded = self._process.wait(), self._process.exceeded
            self._process = None

    def close(self) -> None:
        """End the process, and remove what it has left."""
        self.end()
        ends = (self._calls_reader, self._calls, self._done, self._done_writer)
        for descriptor in (self.output, self.output_writer, *ends):
            if descriptor >= 0:
                os.close(descriptor)
        self.credentials.close()
        self._folder.cleanup()
