"""An endpoint whose jobs and functions with a VpcConfig reach nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.sandbox.sandbox import Isolation, detect_isolation


@pytest.fixture(scope="session")
def confining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    if detect_isolation() is Isolation.NONE:
        pytest.skip("there is no sandbox")
    with running_endpoint(tmp_path_factory.mktemp("confining"), no_egress=True) as handle:
        yield handle


@pytest.fixture
def other_port() -> Iterator[int]:
    """Return the port of another program on this machine, on all of its addresses."""
    with HTTPServer(("0.0.0.0", 0), BaseHTTPRequestHandler) as server:  # noqa: S104 - the job is to try them all
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
