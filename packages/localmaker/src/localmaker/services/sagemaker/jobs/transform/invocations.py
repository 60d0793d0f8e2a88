"""Requests to a transform job's model server: concurrent, with their answers in order."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.transform.settings import Settings
from localmaker.services.sagemaker.jobs.transform.splitting import split

_OK, _NOT_FOUND, _CLIENT_ERRORS, _SERVER_ERRORS = 200, 404, 400, 500
_SHOWN_BODY = 300
# As much as the largest MaxPayloadInMB; an answer is held in memory.
_LONGEST_ANSWER = 100 * 1024**2


class InvocationError(JobFailure):
    """The model server did not answer a request with 200.

    Args:
        status: HTTP status of the answer; None without an answer.
        body: start of the answer.
    """

    def __init__(self, text: str, status: int | None = None, body: str = "") -> None:
        super().__init__(f"{text} {body}".rstrip())
        self.text = text
        self.status = status
        self.body = body

    @property
    def is_client_error(self) -> bool:
        """The algorithm rejects the request (4xx) and would do so again."""
        return self.status is not None and _CLIENT_ERRORS <= self.status < _SERVER_ERRORS


class _Connection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    address = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.address)


class ModelServerClient:
    """HTTP client of one model server. It closes each connection with its answer, so each request opens one.

    Args:
        address: of its Unix socket.
    """

    def __init__(self, address: str, settings: Settings) -> None:
        self._address = address
        self.settings = settings

    def ping(self) -> None:
        """Return when the model is loaded.

        Raises:
            InvocationError: the server ended, or answers with an error.
        """
        status, _ = self._get("/ping", "while it loaded the model")
        if status != _OK:
            raise InvocationError(f"the model server answered /ping with {status}")

    def execution_parameters(self) -> Mapping[str, Any]:
        """Return the execution parameters that the model asks for; empty where it has none.

        Raises:
            InvocationError: the answer is an error, or not a JSON object.
        """
        status, answer = self._get("/execution-parameters", "while it was asked for execution parameters")
        if status == _NOT_FOUND:
            return {}
        try:
            parameters = json.loads(answer) if status == _OK else None
        except ValueError:
            parameters = None
        if not isinstance(parameters, dict):
            raise _bad_answer("the execution parameters are not a JSON object:", status, answer)
        return parameters

    def invoke(self, body: bytes) -> bytes:
        """Return the answer to one request. A request that the algorithm rejects (4xx) is not retried.

        Raises:
            InvocationError: there was no answer, or not 200, after all retries.
        """
        for _ in range(self.settings.retries):
            try:
                return self._invoke_once(body)
            except InvocationError as failure:
                if failure.is_client_error:
                    raise
        return self._invoke_once(body)

    def _get(self, path: str, doing: str) -> tuple[int, bytes]:
        try:
            return self._request("GET", path)
        except (OSError, http.client.HTTPException) as error:
            raise InvocationError(f"the model server ended {doing}") from error

    def _invoke_once(self, body: bytes) -> bytes:
        settings = self.settings
        headers = {"Content-Type": settings.content_type, "Accept": settings.accept}
        given = {name: value for name, value in headers.items() if value is not None}
        try:
            status, answer = self._request("POST", "/invocations", body, given, timeout=settings.timeout_seconds)
        except (OSError, http.client.HTTPException) as error:
            raise InvocationError(f"Unable to get response from algorithm: {type(error).__name__}: {error}") from error
        if status != _OK:
            raise _bad_answer("Bad HTTP status received from algorithm:", status, answer)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        timeout: float | None = None,
    ) -> tuple[int, bytes]:
        """Return the status and the answer.

        Raises:
            InvocationError: the answer is too long.
        """
        with closing(_Connection("model", timeout=timeout)) as connection:
            connection.address = self._address
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read(_LONGEST_ANSWER + 1)
            if len(answer) > _LONGEST_ANSWER:
                raise InvocationError(f"the model server answered {path} with more than {_LONGEST_ANSWER >> 20} MiB")
            return response.status, answer


def _bad_answer(text: str, status: int, answer: bytes) -> InvocationError:
    return InvocationError(f"{text} {status}", status, answer[:_SHOWN_BODY].decode(errors="replace"))


@dataclass(frozen=True)
class Requests:
    """The requests of several objects to one model server.

    Attributes:
        pool: sends the requests.
        free: one permit for each request that may be under way, or answered and not yet written.
    """

    client: ModelServerClient
    pool: ThreadPoolExecutor
    free: threading.BoundedSemaphore


def transform_file(source: Path, target: Path, requests: Requests, settings: Settings) -> None:
    """Send one object's records, and write the answers in order.

    Args:
        source: the object.
        target: file that receives the answers; incomplete if an error is raised.

    Raises:
        JobFailure: a request failed, or a record is too large.
    """
    with source.open("rb") as file, target.open("wb") as joined:
        bodies = split(file, settings.split_type, settings.strategy, settings.limit_mb)
        for answer in _answers(bodies, requests, settings):
            joined.write(answer)
            if settings.line_after_each:
                joined.write(b"\n")


def _answers(bodies: Iterator[bytes], requests: Requests, settings: Settings) -> Iterator[bytes]:
    waiting: deque[Future[bytes]] = deque()

    def send(body: bytes) -> bytes:
        answer = requests.client.invoke(settings.data.filter_input(body))
        return settings.data.join(body, answer)

    def oldest() -> bytes:
        future = waiting.popleft()
        try:
            return future.result()
        finally:
            requests.free.release()

    try:
        for body in bodies:
            # Write own answers before waiting for a permit: a waiting thread then holds none, so there is no deadlock.
            while not requests.free.acquire(blocking=not waiting):
                yield oldest()
            waiting.append(requests.pool.submit(send, body))
        while waiting:
            yield oldest()
    finally:
        for future in waiting:
            if not future.cancel():
                wait([future])
            requests.free.release()
