"""Requests a second of the local endpoint beside moto's own server, its idle CPU, and its time to ready.

``python -m benchmarks.endpoint_requests`` runs both on the loopback interface, one after the other in turns, and
prints the ratio (above 1: the endpoint is faster). Each phase is bounded by its number of requests.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3.session
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from pipeline.local.daemon import running_endpoint
from pipeline.local.state import ACCESS_KEY_ID, SECRET_ACCESS_KEY

_BUCKET = "requests"
_ROUNDS = 3
_IDLE_SECONDS = 5.0
_START_SECONDS = 30.0
_BODY = b"x" * 1024


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint_requests", description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="of each kind in each round (default: 300)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        with running_endpoint(Path(name)) as endpoint, _moto_server() as moto_url:
            sys.stdout.write(f"time to ready: {time.perf_counter() - start:.1f} s (with moto's own server)\n")
            rates: dict[tuple[str, str], list[float]] = {}
            for _ in range(_ROUNDS):
                for server, url in (("endpoint", endpoint.url), ("moto", moto_url)):
                    for kind, rate in _measure(url, options.requests):
                        rates.setdefault((kind, server), []).append(rate)
            for kind in dict.fromkeys(kind for kind, _ in rates):
                ours, theirs = (statistics.median(rates[kind, server]) for server in ("endpoint", "moto"))
                sys.stdout.write(f"{kind}: {ours:.0f}/s, moto {theirs:.0f}/s, ratio {ours / theirs:.2f}\n")
            process = psutil.Process(endpoint.running.pid)
            before = sum(process.cpu_times()[:2])
            time.sleep(_IDLE_SECONDS)
            busy = sum(process.cpu_times()[:2]) - before
            sys.stdout.write(f"idle: {100 * busy / _IDLE_SECONDS:.2f} % of a CPU in {_IDLE_SECONDS:.0f} s\n")
        start = time.perf_counter()
        with running_endpoint(Path(name)) as again:
            sys.stdout.write(f"time to ready with that state: {time.perf_counter() - start:.1f} s\n")
            sys.stdout.write(f"{again.running.restored}\n")
    return 0


def _measure(url: str, count: int) -> Iterator[tuple[str, float]]:
    session = boto3.session.Session(
        aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name="us-east-1"
    )
    new_client: Any = session.client
    config = Config(max_pool_connections=8)
    s3 = new_client("s3", endpoint_url=url, config=config)
    sagemaker = new_client("sagemaker", endpoint_url=url, config=config)
    s3.create_bucket(Bucket=_BUCKET)
    # The first request of a service makes moto load it.
    sagemaker.list_models()
    yield "PutObject 1 KiB", _rate(lambda n: s3.put_object(Bucket=_BUCKET, Key=f"k{n}", Body=_BODY), count)
    yield "GetObject 1 KiB", _rate(lambda n: s3.get_object(Bucket=_BUCKET, Key=f"k{n}")["Body"].read(), count)
    yield "ListModels", _rate(lambda n: sagemaker.list_models(NameContains=str(n)), count)


def _rate(call: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(count)))
    return count / (time.perf_counter() - start)


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
    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")  # noqa: S106 - nothing checks it
    new_client: Any = session.client
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            new_client("s3", endpoint_url=url).list_buckets()
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    raise SystemExit(main())
