"""For every test."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Every endpoint of the suite checks its own answers against botocore's service models.
os.environ["LOCALMAKER_CHECK_RESPONSES"] = "1"

# In a run that a script starts in the background SIGINT is ignored, and the children of the tests would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["budgets"]

#: Files of more than a minute, the longest first (`make test` names the slowest tests). They start first, so that no
#: worker is left alone with one at the end.
LONGEST = (
    "end_to_end/test_least_privilege.py",
    "pipeline/deploy/test_interruptions.py",
    "end_to_end/test_realised.py",
    "end_to_end/test_model_in_use.py",
    "end_to_end/test_two_versions.py",
    "end_to_end/test_datasets.py",
    "end_to_end/test_schedule.py",
    "end_to_end/test_workflows.py",
    "end_to_end/test_recovery.py",
    "end_to_end/test_kills.py",
    "test_wheels.py",
    "end_to_end/test_for_analysts.py",
    "end_to_end/test_newest_upload.py",
    "notebooks/test_sections.py",
    "notebooks/test_other_tables.py",
    "end_to_end/test_leftovers.py",
    "end_to_end/test_card_standard.py",
    "end_to_end/test_scoring.py",
    "end_to_end/test_bad_input.py",
    "end_to_end/test_trigger.py",
    "pipeline/deploy/test_commands.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Call a function until its result is true, and give that."""

    def call(function: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (result := function()):
            assert time.monotonic() < deadline, f"nothing happened for {seconds} s; last result: {result!r}"
            time.sleep(0.02)
        return result

    return call


@pytest.fixture(scope="session")
def _moto_url() -> Iterator[str]:
    # Most tests need no moto, and its import takes a while.
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_account(_moto_url: str, point_at: Callable[[str], None]) -> str:
    """An empty AWS account served over HTTP on loopback by moto; the environment points at it. Its URL."""
    connection = http.client.HTTPConnection(_moto_url.removeprefix("http://"))
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
    point_at(_moto_url)
    return _moto_url


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make AWS clients of this process and of its children talk to the URL given."""

    def point(url: str) -> None:
        settings = {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "NO_PROXY": "127.0.0.1",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)

    return point
