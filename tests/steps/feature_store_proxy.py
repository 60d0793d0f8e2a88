"""An HTTP proxy before the local endpoint's Feature Store, which fails as AWS does: by a seed, or as told."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

BUSY = [
    (400, "ThrottlingException"),
    (429, "TooManyRequestsException"),
    (503, "ServiceUnavailable"),
    (500, "InternalFailure"),
]


@dataclass
class Faults:
    """What goes wrong, and what was seen.

    throttled, dropped, unprocessed: shares of calls, calls and entries. answers: status and code of the next calls.
    refused: identifier → code of its error and how often. left: identifier → how often it is left unprocessed.
    invalid: identifiers for which calls are refused as a whole. hangs_after: calls after which none is answered any
    more. sizes: entries of each call that arrived.
    """

    seed: int = 0
    throttled: float = 0.0
    dropped: float = 0.0
    unprocessed: float = 0.0
    answers: list[tuple[int, str]] = field(default_factory=list)
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    invalid: set[str] = field(default_factory=set)
    hangs_after: int | None = None
    sizes: list[int] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.lock = threading.Lock()
        self.over = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    faults: Faults
    upstream: str
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.endpoint = http.client.HTTPConnection(self.upstream)

    def finish(self) -> None:
        self.endpoint.close()
        super().finish()

    def do_HEAD(self) -> None:
        self._answer(*self._forwarded(b""))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/BatchWriteRecord":
            self._write(json.loads(body)["Entries"])
        else:
            self._answer(*self._forwarded(body))

    def _write(self, entries: list[Any]) -> None:
        faults = self.faults
        with faults.lock:
            faults.sizes.append(len(entries))
            fault = self._fault(entries)
            left = [entry for entry in entries if self._is_left(entry)]
            errors = [error for entry in entries if entry not in left and (error := self._error(entry))]
        if fault == "hang":
            faults.over.wait()
        if isinstance(fault, tuple):
            self._answer(fault[0], {"x-amzn-ErrorType": fault[1]}, json.dumps({"Message": "not now"}).encode())
            return
        failed = [*left, *(error["Entry"] for error in errors)]
        kept = [entry for entry in entries if entry not in failed]
        answer: dict[str, Any] = {"Errors": [], "UnprocessedEntries": []}
        if kept and fault in {None, "drop after"}:
            status, headers, content = self._forwarded(json.dumps({"Entries": kept}).encode())
            if status != 200:
                self._answer(status, headers, content)
                return
            answer = json.loads(content)
        if fault is not None:
            self.close_connection = True
            return
        answer["Errors"] += errors
        answer["UnprocessedEntries"] += left
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _fault(self, entries: list[Any]) -> Any:
        """Choose what goes wrong with the call; None for nothing."""
        faults = self.faults
        if faults.hangs_after is not None and len(faults.sizes) > faults.hangs_after:
            return "hang"
        if faults.answers:
            return faults.answers.pop(0)
        if any(name_of(entry) in faults.invalid for entry in entries):
            return 400, "ValidationException"
        draw = faults.random.random()
        if draw < faults.throttled:
            fault: Any = faults.random.choice(BUSY)
        elif draw < faults.throttled + faults.dropped:
            fault = faults.random.choice(["drop before", "drop after"])
        else:
            return None
        faults.seen[str(fault)] += 1
        return fault

    def _is_left(self, entry: Any) -> bool:
        name = name_of(entry)
        if self.faults.left[name] > 0:
            self.faults.left[name] -= 1
            return True
        return self.faults.random.random() < self.faults.unprocessed

    def _error(self, entry: Any) -> Any:
        name = name_of(entry)
        code, times = self.faults.refused.get(name, ("", 0))
        if times <= 0:
            return None
        self.faults.refused[name] = (code, times - 1)
        return {"Entry": entry, "ErrorCode": code, "ErrorMessage": f"{name} is bad"}

    def _forwarded(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {**self.headers, "Content-Length": str(len(body))}
        self.endpoint.request(self.command, self.path, body, headers)
        answer = self.endpoint.getresponse()
        content = answer.read()
        return answer.status, dict(answer.getheaders()), content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, *_: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients may be gone."""


def name_of(entry: Any, identifier: str = "dteday") -> str:
    """Return the record identifier of an entry."""
    return next(str(v["ValueAsString"]) for v in entry["Record"] if v["FeatureName"] == identifier)


@contextmanager
def proxy_to(url: str, faults: Faults) -> Iterator[str]:
    """Serve until the block is left; yields the proxy's URL."""
    handler = type("Handler", (_Handler,), {"faults": faults, "upstream": urlsplit(url).netloc})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        faults.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
