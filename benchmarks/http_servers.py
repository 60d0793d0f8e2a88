"""Compare the local endpoint's HTTP server with cheroot, which is no dependency: ``uv pip install cheroot`` first.

``python -m benchmarks.http_servers [--rounds 5]`` serves one small WSGI application with both, each in a process of its
own, and sends the same requests to them in turn. It prints medians: requests per second for a PUT of 100 bytes over
kept-alive connections, and the seconds that 32 simultaneous requests of one second take.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localmaker.http.server import LoopbackServer

SERVERS = ("own", "cheroot-10", "cheroot-64")
CLIENTS = (1, 8, 32)
_REQUESTS = 1600
_SLOW = 32


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read the body and answer; take a second for ``/slow``."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def serve(name: str) -> None:
    """Print the port, then answer until the process is killed."""
    if name == "own":
        own = LoopbackServer(application, "127.0.0.1", 0)
        print(own.url.rpartition(":")[2], flush=True)
        own.serve_forever()
        return
    wsgi: Any = importlib.import_module("cheroot.wsgi")
    server = wsgi.Server(("127.0.0.1", 0), application, numthreads=int(name.partition("-")[2]))
    server.prepare()
    print(server.bind_addr[1], flush=True)
    server.serve()


def send(port: int, count: int, method: str, path: str) -> None:
    """Send requests over one connection; over a new one where the server closed it, as clients do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    answered = 0
    while answered < count:
        try:
            connection.request(method, path, body=b"x" * 100 if method == "PUT" else None)
            connection.getresponse().read()
            answered += 1
        except ConnectionError:
            connection.close()
    connection.close()


def seconds_for(port: int, clients: int, each: int, method: str, path: str) -> float:
    """Return how long several clients take, each on a thread and a connection of its own."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(send, port, each, method, path) for _ in range(clients)]:
            done.result()
    return time.perf_counter() - begin


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default: 5)")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    command = [sys.executable, "-m", "benchmarks.http_servers", "--serve"]
    processes = {name: subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in SERVERS}
    try:
        ports = {name: int(process.stdout.readline()) for name, process in processes.items() if process.stdout}
        print(f"{'':<28}" + "".join(f"{name:>12}" for name in SERVERS))
        for clients in CLIENTS:
            each = _REQUESTS // clients
            found: dict[str, list[float]] = {name: [] for name in SERVERS}
            for _ in range(options.rounds):
                for name, port in ports.items():
                    found[name].append(each * clients / seconds_for(port, clients, each, "PUT", "/x"))
            rates = "".join(f"{statistics.median(found[name]):>12,.0f}" for name in SERVERS)
            print(f"{f'requests/s, {clients} clients':<28}{rates}")
        slow = "".join(f"{seconds_for(port, _SLOW, 1, 'GET', '/slow'):>12.1f}" for port in ports.values())
        print(f"{f'seconds, {_SLOW} slow requests':<28}{slow}")
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
