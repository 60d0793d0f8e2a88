"""The output of a job or a function: in a file, live in CloudWatch Logs, and line by line for a reader of metrics."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

_LOGGER = logging.getLogger(__name__)

# PutLogEvents takes 10,000 events or 1 MiB with 26 bytes for each event, and 256 KiB an event.
_MAX_EVENTS = 10_000
_MAX_BATCH_BYTES = 1_000_000
_EVENT_OVERHEAD = 26
_MAX_LINE_BYTES = 200_000
_FLUSH_SECONDS = 0.3


class JobLog:
    """Takes bytes as they come and keeps whole lines. Used by one thread.

    A failing CloudWatch Logs does not fail the job: the file stays complete, and the endpoint's own log says so once.
    Nor does a full disk: the file then says how much is missing.

    Args:
        path: file that the output is appended to.
        client: CloudWatch Logs; None keeps the file only.
        group, stream: must not contain a colon or an asterisk; both are made if absent.
        on_line: receives each line, without its end.
    """

    def __init__(
        self,
        path: Path,
        client: CloudWatchLogsClient | None,
        group: str,
        stream: str,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._file = path.open("ab", buffering=0)
        self._missing = 0
        self._client = client
        self._group = group
        self._stream = stream
        self._on_line = on_line
        self._rest = b""
        self._events: list[InputLogEventTypeDef] = []
        self._bytes = 0
        self._flush_at: float | None = None
        self._stream_made = False
        self._told: deque[str] = deque()

    @property
    def flush_due(self) -> float | None:
        """When :meth:`flush` has to be called at the latest, on the monotonic clock; None while nothing waits."""
        return self._flush_at

    def write(self, data: bytes) -> None:
        """Take a piece of output."""
        while self._told and not self._rest:  # never in the middle of a line
            data = f"{self._told.popleft()}\n".encode() + data
        self._store(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        while len(self._rest) > _MAX_LINE_BYTES:
            self._take(self._rest[:_MAX_LINE_BYTES])
            self._rest = self._rest[_MAX_LINE_BYTES:]

    def _store(self, data: bytes) -> None:
        """Append to the file; what does not fit on a full disk is missing, and the file says so once it can."""
        note = (
            f"[{self._missing} bytes of output are missing here: they could not be written]\n" if self._missing else ""
        )
        left = memoryview(note.encode() + data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            if not self._missing:
                _LOGGER.warning("%s misses output: %s", self._file.name, error)
            self._missing += min(len(left), len(data))
        else:
            self._missing = 0

    def say(self, line: str) -> None:
        """Add a line of the endpoint's own."""
        self.write(f"{line}\n".encode())

    def say_from_any_thread(self, line: str) -> None:
        """Like :meth:`say`, but the line is stored with the next output or at the end."""
        self._told.append(line)

    def _take(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), _MAX_LINE_BYTES):
            text = line[start : start + _MAX_LINE_BYTES].decode(errors="replace").rstrip("\r")
            self._on_line(text)
            size = len(text.encode()) + _EVENT_OVERHEAD
            if len(self._events) >= _MAX_EVENTS or self._bytes + size > _MAX_BATCH_BYTES:
                self.flush()
            # CloudWatch Logs refuses an empty message.
            self._events.append({"timestamp": time.time_ns() // 1_000_000, "message": text or " "})
            self._bytes += size
            if self._flush_at is None:
                self._flush_at = time.monotonic() + _FLUSH_SECONDS

    def flush(self) -> None:
        """Send the lines that wait."""
        events, self._events, self._bytes, self._flush_at = self._events, [], 0, None
        if self._client is None or not events:
            return
        try:
            if not self._stream_made:
                self._make_stream(self._client)
                self._stream_made = True
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            _LOGGER.warning("%s/%s: CloudWatch Logs no longer receives this log: %s", self._group, self._stream, error)
            self._client = None

    def _make_stream(self, client: CloudWatchLogsClient) -> None:
        try:
            client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except client.exceptions.ResourceAlreadyExistsException:
            _LOGGER.debug("%s has logs of an earlier call", self._stream)
        except client.exceptions.ResourceNotFoundException:
            try:
                client.create_log_group(logGroupName=self._group)
            except client.exceptions.ResourceAlreadyExistsException:
                _LOGGER.debug("%s was made by another job just now", self._group)
            client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)

    def close(self) -> None:
        """Send everything, including a last line without an end."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._take(rest)
        self.write(b"")
        if self._missing:
            self._store(b"")
        self.flush()
        self._file.close()
