"""`localmaker` as a user runs it, in a shell whose variables may lead somewhere else."""

from __future__ import annotations

import io
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from rich.console import Console

from localmaker import daemon
from localmaker.cli import show_ready
from localmaker.daemon import EndpointHandle
from localmaker.elsewhere import Found, elsewhere
from localmaker.errors import UnsafeStateError
from localmaker.sandbox import bubblewrap
from localmaker.sandbox.sandbox import find_bubblewrap
from localmaker.state.credentials import administrator_of
from localmaker.state.directory import Running

pytestmark = pytest.mark.usefixtures("image")


def localmaker(*arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "localmaker", *arguments]
    done = subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "own state"
    yield folder
    if folder.is_dir() and daemon.status(folder) is not None:
        daemon.down(folder)


def test_another_endpoint_is_told_of_and_left_alone(endpoint: EndpointHandle, state_dir: Path) -> None:
    here, there = ("--state-dir", str(state_dir)), endpoint.url
    stop = f"localmaker down --state-dir {shlex.quote(str(endpoint.state_dir))}"
    note = (
        f"Note: AWS_ENDPOINT_URL is {there}: another local endpoint, with its state in {endpoint.state_dir}. "
        f"To stop that one: {stop}\n"
    )
    status = localmaker("status", *here, code=8, AWS_ENDPOINT_URL=there)
    assert "is not running" in status.stdout
    assert status.stderr == note
    down = localmaker("down", *here, code=8, AWS_ENDPOINT_URL=there)
    assert down.stderr.endswith(note)
    up = localmaker("up", "--detach", "--port", "0", *here, AWS_ENDPOINT_URL=there)
    assert up.stderr == note
    described = json.loads(
        localmaker("status", "--json", *here, AWS_ENDPOINT_URL_S3=there, AWS_ENDPOINT_URL_SAGEMAKER=there).stdout
    )
    assert described["running"] is True
    assert described["elsewhere"] == [
        {
            "variables": ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SAGEMAKER"],
            "url": there,
            "found": "localmaker",
            "state_dir": str(endpoint.state_dir),
            "stop": stop,
        }
    ]
    own = described["url"]
    assert localmaker("down", *here, AWS_ENDPOINT_URL=own).stderr == ""
    assert daemon.status(endpoint.state_dir) == endpoint.running


class _Answers(BaseHTTPRequestHandler):
    """Answers the paths that a server has."""

    server: Any

    def do_GET(self) -> None:
        body = self.server.paths.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"<html>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as serving:
        vars(serving)["paths"] = {}
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("paths", "found", "words"),
    [
        ({}, Found.OTHER, "where something else answers"),
        ({"/_local/health": b"[]"}, Found.OTHER, "where something else answers"),
        ({"/_local/health": b'{"state_dir": "/a\\u001b[2Jb"}'}, Found.OTHER, "where something else answers"),
        ({"/_localstack/health": b'{"services": {}}'}, Found.LOCALSTACK, "where LocalStack answers"),
    ],
)
def test_other_programs(server: Any, paths: dict[str, bytes], found: Found, words: str, tmp_path: Path) -> None:
    server.paths.update(paths)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    [other] = elsewhere(tmp_path, {"AWS_ENDPOINT_URL": url})
    assert (other.found, other.state_dir) == (found, None)
    assert str(other) == f"AWS_ENDPOINT_URL is {url}, {words}."
    assert elsewhere(tmp_path, {"AWS_ENDPOINT_URL": url, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}) == []


def test_moto_and_what_does_not_answer(tmp_path: Path) -> None:
    moto = ThreadedMotoServer(port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    [other] = elsewhere(tmp_path, {"AWS_ENDPOINT_URL": f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"})  # noqa: S104
    moto.stop()
    assert other.found is Found.MOTO
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen()
        port = silent.getsockname()[1]
        for scheme in ("http", "https"):
            [other] = elsewhere(tmp_path, {"AWS_ENDPOINT_URL": f"{scheme}://localhost:{port}"})
            assert other.found is Found.OTHER
    [other] = elsewhere(tmp_path, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    assert str(other) == f"AWS_ENDPOINT_URL is http://127.0.0.1:{port}, where nothing listens."


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pa@ss@127.0.0.1:1/x", "http://127.0.0.1:1/x"),
        ("https://user:pa/s#s?@example.org", "https://example.org"),
        ("http://user:pa//ss@127.0.0.1:1", "http://127.0.0.1:1"),
        ("user:pass@127.0.0.1:1", "127.0.0.1:1"),
        ("user:pa//ss@host", "host"),
        ("http://user:pass@127.0.0.1:port", "http://127.0.0.1:port"),
        ("http://127.0.0.1:1//x", "http://127.0.0.1:1//x"),
    ],
)
def test_a_password_in_a_url_is_not_shown(tmp_path: Path, url: str, shown: str) -> None:
    [other] = elsewhere(tmp_path, {"AWS_ENDPOINT_URL": url})
    assert (other.url, other.described()["url"]) == (shown, shown)
    assert str(other).startswith(f"AWS_ENDPOINT_URL is {shown}")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://s3.eu-west-1.amazonaws.com", Found.REMOTE),
        ("http://192.0.2.1:4566", Found.REMOTE),
        ("http://127.0.0.1:port", Found.INVALID),
        ("127.0.0.1:4566", Found.INVALID),
        ("http://[::1", Found.INVALID),
    ],
)
def test_what_is_asked_nothing(url: str, found: Found, tmp_path: Path) -> None:
    assert [other.found for other in elsewhere(tmp_path, {"AWS_ENDPOINT_URL_STS": url, "AWS_ENDPOINT_URL": ""})] == [
        found
    ]


def test_a_shell_gets_the_administrators_credentials(state_dir: Path) -> None:
    where = ("--state-dir", str(state_dir))
    assert "no local endpoint is running" in localmaker("env", *where, code=8).stderr
    up = localmaker("up", "--detach", "--port", "0", "--enforce-iam", *where)
    assert f'eval "$(localmaker env --state-dir {shlex.quote(str(state_dir))})"' in up.stdout
    secret = administrator_of(state_dir).secret_key
    assert secret not in up.stdout + up.stderr + localmaker("status", "--json", *where).stdout
    shell = f'eval "$({shlex.join([sys.executable, "-m", "localmaker", "env", *where])})" && env -0'
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    stale = {"AWS_SESSION_TOKEN": "stale", "AWS_ACCESS_KEY_ID": "any"}
    output = subprocess.run(["sh", "-c", shell], env={**clean, **stale}, capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in output.stdout.split("\0") if line)
    assert "AWS_SESSION_TOKEN" not in variables
    session = boto3.session.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    url = variables["AWS_ENDPOINT_URL"]
    assert session.client("s3", endpoint_url=url, region_name=variables["AWS_REGION"]).list_buckets()["Buckets"] == []


def test_a_file_of_credentials_that_others_can_read_is_refused(state_dir: Path) -> None:
    state_dir.mkdir()
    assert administrator_of(state_dir) == administrator_of(state_dir)
    file = state_dir / "credentials"
    file.chmod(0o644)
    with pytest.raises(UnsafeStateError, match="other users can read"):
        administrator_of(state_dir)
    file.write_text("nothing")
    file.chmod(0o600)
    with pytest.raises(UnsafeStateError, match="holds no credentials"):
        administrator_of(state_dir)


def test_another_moto_is_refused_before_anything_is_built(state_dir: Path, tmp_path: Path) -> None:
    other = (
        "import moto\nmoto.__version__ = '5.1.0'\nimport moto.sqs.models\ndel moto.sqs.models.Queue._set_attributes\n"
    )
    (tmp_path / "sitecustomize.py").write_text(other)
    cache = tmp_path / "cache"
    said = localmaker(
        "up",
        "-d",
        "--port",
        "0",
        "--state-dir",
        str(state_dir),
        code=8,
        PYTHONPATH=str(tmp_path),
        XDG_CACHE_HOME=str(cache),
    )
    assert said.stderr.startswith("error: moto 5.1.0 is not a version that the local endpoint was tested with")
    assert not cache.exists()
    assert not state_dir.exists()


def test_jobs_without_a_sandbox_are_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running("http://127.0.0.1:1", 1, "us-east-1", 0.0, tmp_path)
    find_bubblewrap.cache_clear()
    monkeypatch.setattr(bubblewrap, "candidates", lambda: iter([str(tmp_path / "bwrap"), "/bin/false"]))
    console = Console(file=io.StringIO())
    show_ready(console, running)
    find_bubblewrap.cache_clear()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Jobs run without a sandbox, as your user: " in shown
    assert f"{tmp_path / 'bwrap'}: No such file or directory; /bin/false: exit status 1. Install" in shown


def test_a_sandbox_that_there_is_not_is_refused(state_dir: Path) -> None:
    done = localmaker("up", "--detach", "--state-dir", str(state_dir), code=8, LOCALMAKER_SANDBOX="root")
    assert "LOCALMAKER_SANDBOX=root is neither bubblewrap nor none" in done.stderr
