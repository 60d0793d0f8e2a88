"""The output of one call of a local function, written to a file and to CloudWatch Logs as Lambda does."""

from __future__ import annotations

import os
import secrets
import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localmaker.services.logs.writer import JobLog

_READ_BYTES = 64 * 1024


def log_group(function: str) -> str:
    """Return the name of the log group of a function."""
    return f"/aws/lambda/{function}"


def new_log_stream(version: str) -> str:
    """Return a new name of a log stream, in Lambda's form."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{secrets.token_hex(16)}"


@dataclass(frozen=True)
class FunctionOutput:
    """The destinations of the output of one call.

    Attributes:
        request_id: of the call.
        file: for the output of all calls of the function.
        group, stream: in CloudWatch Logs.
        client: of CloudWatch Logs.
        version, memory_mb: of the function.
    """

    request_id: str
    file: Path
    group: str
    client: Any
    version: str
    memory_mb: int
    stream: str

    @contextmanager
    def copied(self, source: int) -> Iterator[None]:
        """Copy what comes from a descriptor; at the end, what has come so far, even if its other end is still open."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        log = JobLog(self.file, self.client, self.group, self.stream)
        wake_read, wake_write = os.pipe()
        log.say(f"START RequestId: {self.request_id} Version: {self.version}")
        name = f"log-{self.request_id}"
        reader = threading.Thread(target=_copy, args=(source, wake_read, log), name=name, daemon=True)
        reader.start()
        began = time.monotonic()
        try:
            yield
        finally:
            milliseconds = (time.monotonic() - began) * 1000
            os.close(wake_write)
            reader.join()
            log.say(f"END RequestId: {self.request_id}")
            log.say(
                f"REPORT RequestId: {self.request_id}\tDuration: {milliseconds:.2f} ms\t"
                f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {self.memory_mb} MB"
            )
            log.close()
            os.close(wake_read)

    def write_timeout(self, descriptor: int, seconds: float) -> None:
        """Write Lambda's message about a function that ran out of time."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{moment} {self.request_id} Task timed out after {seconds:.2f} seconds\n"
        os.write(descriptor, line.encode())


def _copy(source: int, wake: int, log: JobLog) -> None:
    """Copy to the log until the other end of ``wake`` is closed, and then what is left."""
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        woken = False
        while not woken:
            due = log.flush_due
            ready = {key.fd for key, _ in selector.select(None if due is None else max(0.0, due - time.monotonic()))}
            woken = wake in ready
            if source in ready:
                log.write(os.read(source, _READ_BYTES))
            if log.flush_due is not None and time.monotonic() >= log.flush_due:
                log.flush()
    os.set_blocking(source, False)
    while data := _available(source):
        log.write(data)


def _available(source: int) -> bytes:
    try:
        return os.read(source, _READ_BYTES)
    except BlockingIOError:
        return b""
