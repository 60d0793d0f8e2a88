"""Requests a second of the local endpoint beside moto's own server, with one client and with eight.

``python -m benchmarks.endpoint_requests`` sends the same requests to both, in turns, and prints the ratio (above 1: the
endpoint is faster). They are prepared by boto3 before the clock runs and sent over plain connections, so that the
servers are measured and not the client. Each phase is bounded by its number of requests; the best of the rounds counts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
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

from pipeline.local.daemon import running_endpoint
from pipeline.local.state import ACCESS_KEY_ID, SECRET_ACCESS_KEY

_BUCKET = "requests"
_LISTED = 100
_CLIENTS = (1, 8)
_IDLE_SECONDS = 10.0
_START_SECONDS = 30.0
_BODY = b"x" * 1024
_ROLE = "arn:aws:iam::123456789012:role/requests"


@dataclass(frozen=True)
class Prepared:
    """A request as it goes over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Kind:
    """Requests of one kind.

    Attributes:
        call: makes the n-th one through boto3 clients.
        moto: whether moto answers it.
    """

    name: str
    call: Callable[[Callable[[str], Any], int], object]
    moto: bool = True


_KINDS = (
    Kind("S3 PutObject 1 KiB", lambda client, n: client("s3").put_object(Bucket=_BUCKET, Key=f"k{n}", Body=_BODY)),
    Kind("S3 GetObject 1 KiB", lambda client, n: client("s3").get_object(Bucket=_BUCKET, Key=f"k{n}")),
    Kind(
        f"S3 ListObjectsV2 of {_LISTED}",
        lambda client, n: client("s3").list_objects_v2(Bucket=f"{_BUCKET}-listed", StartAfter=f"a{n}"),
    ),
    Kind(
        "SQS SendMessage",
        lambda client, n: client("sqs").send_message(QueueUrl=f"{client('sqs').meta.endpoint_url}/123456789012/q",
                                                     MessageBody=f"message {n}"),
    ),
    Kind(
        "SQS ReceiveMessage",
        lambda client, _: client("sqs").receive_message(QueueUrl=f"{client('sqs').meta.endpoint_url}/123456789012/q",
                                                        MaxNumberOfMessages=1),
    ),
    Kind("SageMaker DescribePipeline", lambda client, _: client("sagemaker").describe_pipeline(PipelineName="p")),
    Kind("SageMaker ListModels", lambda client, n: client("sagemaker").list_models(NameContains=str(n))),
    Kind(
        "Feature Store PutRecord",
        lambda client, n: client("sagemaker-featurestore-runtime").put_record(
            FeatureGroupName="g",
            Record=[{"FeatureName": "id", "ValueAsString": str(n)}, {"FeatureName": "at", "ValueAsString": "1"}],
        ),
        moto=False,
    ),
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint_requests", description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="of each kind in each round (default: 300)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    best: dict[tuple[str, int, str], float] = {}
    with tempfile.TemporaryDirectory() as name, running_endpoint(Path(name)) as endpoint, _moto_server() as moto_url:
        servers = {"endpoint": endpoint.url, "moto": moto_url}
        for server, url in servers.items():
            _set_up(_clients(url), moto=server == "moto")
        for kind in _KINDS:
            for clients in _CLIENTS:
                for _ in range(options.rounds):
                    for server, url in servers.items():
                        if server == "moto" and not kind.moto:
                            continue
                        rate = _rate(url, _prepared(kind, url, options.requests), clients)
                        key = (kind.name, clients, server)
                        best[key] = max(best.get(key, 0.0), rate)
        _print(best)
        process = psutil.Process(endpoint.running.pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(_IDLE_SECONDS)
        busy = sum(process.cpu_times()[:2]) - before
        sys.stdout.write(f"idle: {busy:.2f} s of CPU in {_IDLE_SECONDS:.0f} s\n")
    sys.stdout.write(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}\n")
    return 0


def _print(best: dict[tuple[str, int, str], float]) -> None:
    sys.stdout.write(f"{'':<30}{'clients':>8}{'endpoint':>12}{'moto':>10}{'ratio':>8}\n")
    for kind in _KINDS:
        for clients in _CLIENTS:
            ours, theirs = best[kind.name, clients, "endpoint"], best.get((kind.name, clients, "moto"))
            compared = f"{theirs:>8.0f}/s{ours / theirs:>8.2f}" if theirs else f"{'-':>10}{'-':>8}"
            sys.stdout.write(f"{kind.name:<30}{clients:>8}{ours:>10.0f}/s{compared}\n")


def _clients(url: str) -> Callable[[str], Any]:
    session = boto3.session.Session(
        aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name="us-east-1"
    )
    new_client: Any = session.client
    # Nothing is sent twice: what boto3 prepares is answered with an error, see _prepared.
    config = Config(retries={"total_max_attempts": 1})
    return cache(lambda service: new_client(service, endpoint_url=url, config=config))


def _set_up(client: Callable[[str], Any], *, moto: bool) -> None:
    """What the requests need; the first request of a service also makes moto load it."""
    for bucket in (_BUCKET, f"{_BUCKET}-listed"):
        client("s3").create_bucket(Bucket=bucket)
    for number in range(_LISTED):
        client("s3").put_object(Bucket=f"{_BUCKET}-listed", Key=f"key-{number}", Body=b"")
    client("sqs").create_queue(QueueName="q")
    step = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]})
    client("sagemaker").create_pipeline(
        PipelineName="p", PipelineDefinition=definition, ClientRequestToken="p" * 32, RoleArn=_ROLE
    )
    client("sagemaker").list_models()
    if not moto:
        client("sagemaker").create_feature_group(
            FeatureGroupName="g",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="at",
            FeatureDefinitions=[
                {"FeatureName": "id", "FeatureType": "String"},
                {"FeatureName": "at", "FeatureType": "Fractional"},
            ],
            OnlineStoreConfig={"EnableOnlineStore": True},
        )


def _prepared(kind: Kind, url: str, count: int) -> list[Prepared]:
    """The requests that boto3 would send, signed; nothing is sent."""
    client, found = _clients(url), []

    def keep(request: Any, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        parts = urlsplit(request.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        found.append(Prepared(request.method, target, headers, body.encode() if isinstance(body, str) else body))
        return AWSResponse(request.url, 500, HTTPHeaders(), _Nothing())

    for service in ("s3", "sqs", "sagemaker", "sagemaker-featurestore-runtime"):
        events = client(service).meta.events
        events.register("before-send", keep)
    for number in range(count):
        with suppress(ClientError):
            kind.call(client, number)
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Nothing:
    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter(())

    def read(self, *_: Any) -> bytes:
        return b""


def _rate(url: str, requests: list[Prepared], clients: int) -> float:
    """Requests a second; the slowest client ends it."""
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
    seconds = time.perf_counter() - start
    if failures:
        raise SystemExit(failures[0])
    return len(requests) / seconds


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
