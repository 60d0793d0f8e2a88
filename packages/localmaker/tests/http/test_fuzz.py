"""A fuzz of HTTP: whatever is sent, the endpoint answers, never with its own failure, and keeps its memory."""

from __future__ import annotations

import http.client
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

from .fuzzing import requests

_SEED = 11
_ANSWER_SECONDS = 30
# Names repeat themselves, and moto's state is emptied now and then, so that what grows is a leak.
_RESET_EVERY = 2000
# Until then botocore's service models are being loaded.
_WARM_REQUESTS = 20_000
_ALLOWED = {501, 503, 505}


class Client:
    """Sends bytes, and returns the status of the answer."""

    def __init__(self, url: str) -> None:
        self._address = (urlsplit(url).hostname, urlsplit(url).port)
        self._connection: socket.socket | None = None

    def status(self, raw: bytes, *, again: bool) -> int:
        """Send a request; ``again`` keeps the connection for the next one."""
        if not again or self._connection is None:
            self.close()
            self._connection = socket.create_connection(self._address, timeout=_ANSWER_SECONDS)
        connection = self._connection
        try:
            connection.sendall(raw)
            if not again:
                connection.shutdown(socket.SHUT_WR)
        except ConnectionError:  # it is refused already, and the answer is there
            again = False
        response = http.client.HTTPResponse(connection, method="HEAD" if raw.startswith(b"HEAD ") else "GET")
        response.begin()
        response.read()
        if response.will_close or not again:
            self.close()
        return response.status

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path) as handle:
        yield handle


@pytest.mark.randomised("fuzz")
def test_every_request_is_answered(fuzzed: EndpointHandle, pytestconfig: pytest.Config) -> None:
    count = pytestconfig.getoption("fuzz")
    process = psutil.Process(fuzzed.running.pid)
    client, statuses, warm = Client(fuzzed.url), Counter[int](), 0
    reset = b"POST /moto-api/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    for number, (raw, well_formed) in enumerate(requests(_SEED, count)):
        if number % _RESET_EVERY == 0:
            assert client.status(reset, again=True) == 200
        if number == count // 2:
            warm = process.memory_info().rss
        status = client.status(raw, again=well_formed)
        statuses[status] += 1
        assert status < 500 or status in _ALLOWED, f"request {number} of seed {_SEED}: {status} for {raw[:2000]!r}"
    client.close()
    if count >= _WARM_REQUESTS:
        grown = process.memory_info().rss - warm
        assert grown < warm // 4, f"{grown >> 20} MiB more memory in the second half of {count} requests"
    assert fuzzed.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert statuses[200] > count // 20
