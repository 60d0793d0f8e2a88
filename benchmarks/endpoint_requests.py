"""Compare the local endpoint's requests per second with those of moto's own server, for one client and for eight.

``python -m benchmarks.endpoint_requests [--only SQS]`` sends the same requests to both in turn, and prints the median
and the lowest ratio of the rounds (above 1: the endpoint is faster). boto3 prepares the requests before the clock
starts, and they are sent over plain connections, so that the servers are measured rather than the client. Each phase
has a fixed number of requests. Errors from moto's server count as responses and are reported.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3.session
import psutil
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.request_kinds import KINDS, Kind, set_up
from localmaker.daemon import running_endpoint
from localmaker.state.credentials import ANY

_CLIENTS = (1, 8)
_IDLE_SECONDS = 10.0
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Prepared:
    """A request as it is sent over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Round:
    """The results of one kind of request on both servers.

    Attributes:
        endpoint: the endpoint's requests per second.
        moto: the same for moto's server; None if it does not support them.
        failures: how many of moto's responses were errors.
    """

    endpoint: float
    moto: float | None
    failures: int


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint_requests", description=__doc__)
    parser.add_argument("--requests", type=int, default=200, help="requests of each kind per round (default: 200)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per kind (default: 5)")
    parser.add_argument(
        "--only", default="", help="only kinds whose names contain one of these words, such as SQS,PutObject"
    )
    options = parser.parse_args(arguments)
    words = options.only.split(",")
    with tempfile.TemporaryDirectory() as name, running_endpoint(Path(name)) as endpoint, _moto_server() as moto_url:
        set_up(_clients(endpoint.url), moto=False)
        set_up(_clients(moto_url), moto=True)
        ours_of, theirs_of = _Preparation(endpoint.url), _Preparation(moto_url)
        sys.stdout.write(f"{'':<32}{'clients':>8}{'endpoint':>12}{'moto':>10}{'ratio':>8}{'lowest':>8}\n")
        for kind in KINDS:
            if not any(word in kind.name for word in words):
                continue
            count = max(1, round(options.requests * kind.share))
            ours = ours_of.requests(kind, count)
            theirs = theirs_of.requests(kind, count) if kind.moto else []
            for clients in _CLIENTS:
                rounds = [_round(endpoint.url, ours, moto_url, theirs, clients=clients) for _ in range(options.rounds)]
                sys.stdout.write(f"{kind.name:<32}{clients:>8}{_summary(rounds)}\n")
                sys.stdout.flush()
        process = psutil.Process(endpoint.running.pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(_IDLE_SECONDS)
        busy = sum(process.cpu_times()[:2]) - before
        sys.stdout.write(f"idle: {busy:.2f} s of CPU in {_IDLE_SECONDS:.0f} s\n")
    sys.stdout.write(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}\n")
    return 0


def _round(url: str, ours: list[Prepared], moto_url: str, theirs: list[Prepared], *, clients: int) -> Round:
    endpoint, failures = _rate(url, ours, clients)
    if failures:
        raise SystemExit(failures[0])
    if not theirs:
        return Round(endpoint, None, 0)
    moto, failures = _rate(moto_url, theirs, clients)
    return Round(endpoint, moto, len(failures))


def _summary(rounds: list[Round]) -> str:
    ours = statistics.median(one.endpoint for one in rounds)
    rates = [one.moto for one in rounds if one.moto is not None]
    if not rates:
        return f"{ours:>10.0f}/s{'-':>10}{'-':>8}{'-':>8}"
    ratios = [one.endpoint / one.moto for one in rounds if one.moto is not None]
    failures = sum(one.failures for one in rounds)
    text = f"{ours:>10.0f}/s{statistics.median(rates):>8.0f}/s{statistics.median(ratios):>8.2f}{min(ratios):>8.2f}"
    return f"{text}   moto failed {failures} times" if failures else text


def _clients(url: str) -> Callable[[str], Any]:
    session = boto3.session.Session(
        aws_access_key_id=ANY.access_key, aws_secret_access_key=ANY.secret_key, region_name="us-east-1"
    )
    new_client: Any = session.client
    # Do not retry: _Preparation answers every request with an error.
    config = Config(retries={"total_max_attempts": 1})
    return cache(lambda service: new_client(service, endpoint_url=url, config=config))


class _Preparation:
    """Let boto3 sign requests, and keep them instead of sending them.

    Args:
        url: the server that the requests are for.
    """

    def __init__(self, url: str) -> None:
        self._found: list[Prepared] = []
        clients = _clients(url)

        def client(service: str) -> Any:
            clients(service).meta.events.register("before-send", self._keep)
            return clients(service)

        self._client = cache(client)

    def requests(self, kind: Kind, count: int) -> list[Prepared]:
        self._found.clear()
        for number in range(count):
            with suppress(ClientError):
                kind.call(self._client, number)
        return list(self._found)

    def _keep(self, request: Any, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        parts = urlsplit(request.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._found.append(Prepared(request.method, target, headers, body.encode() if isinstance(body, str) else body))
        return AWSResponse(request.url, 500, HTTPHeaders(), _Nothing())


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Nothing:
    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter(())

    def read(self, *_: Any) -> bytes:
        return b""


def _rate(url: str, requests: list[Prepared], clients: int) -> tuple[float, list[str]]:
    """Send the requests; return requests per second until the slowest client is done, and the errors."""
    address = urlsplit(url)
    failures: list[str] = []

    def send(mine: list[Prepared]) -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        for request in mine:
            connection.request(request.method, request.target, request.body, request.headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= 300:
                failures.append(f"{request.method} {request.target}: {answer.status} {content[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=send, args=(requests[number::clients],)) for number in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(requests) / (time.perf_counter() - start), failures


@contextmanager
def _moto_server() -> Iterator[str]:
    code = (
        "from moto.server import ThreadedMotoServer\n"
        "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False); server.start()\n"
        "print(server.get_host_and_port()[1], flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("moto's server has no standard output")
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            _wait_for(url)
            yield url
        finally:
            process.kill()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _clients(url)("s3").list_buckets()
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    raise SystemExit(main())
