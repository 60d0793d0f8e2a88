"""`bikeshare local` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import psutil
import pytest
from rich.console import Console

from localmaker import daemon
from pipeline.local_endpoint import local_endpoint

ROOT = Path(__file__).parents[2]


def bikeshare(*arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


WITHOUT_THE_ENDPOINT = """
import sys
sys.modules["localmaker"] = None
sys.argv = ["bikeshare", *sys.argv[1:]]
from pipeline.cli import main
main()
"""


@pytest.mark.parametrize("arguments", [["local"], ["local", "up", "--detach"], ["local", "status", "--json"], ["demo"]])
def test_without_the_endpoint_commands_say_how_to_install_it(arguments):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_ENDPOINT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 8
    assert done.stderr.splitlines() == [
        "error: The local AWS endpoint is not installed.",
        "  → pip install 'bikeshare-pipeline[local]'",
    ]


@pytest.fixture
def state_dir(tmp_path):
    folder = tmp_path / "state"
    yield folder
    if folder.is_dir() and daemon.status(folder) is not None:
        daemon.down(folder)


def test_up_status_kill_and_up_again(state_dir, tmp_path):
    where = ("--state-dir", str(state_dir))
    assert "is not running" in bikeshare("local", "status", *where, code=8)
    said = bikeshare("local", "up", "--detach", "--port", "0", *where)
    assert "this machine only" in said
    assert "new state" in said
    status = json.loads(bikeshare("local", "status", "--json", *where))
    assert status["running"] is True
    assert status["enforces_iam"] is False
    s3 = boto3.client(
        "s3",
        endpoint_url=status["url"],
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    s3.create_bucket(Bucket="kept")
    os.kill(status["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(status["pid"])] if psutil.pid_exists(status["pid"]) else [], timeout=30)
    assert "is not running" in bikeshare("local", "status", *where, code=8)
    record = tmp_path / "actions.jsonl"
    again = bikeshare("local", "up", "-d", "--port", "0", "--enforce-iam", "--record-actions", str(record), *where)
    assert "the previous endpoint was killed" in again
    assert "State at its start: state " in bikeshare("local", "status", *where)
    assert json.loads(bikeshare("local", "status", "--json", *where))["enforces_iam"] is True
    assert record.exists()
    refused = bikeshare("local", "up", "-d", "--port", "0", "--record-actions", str(record), *where, code=8)
    assert "started with other options" in refused
    bikeshare("local", "down", *where)
    assert "no local endpoint is running" in bikeshare("local", "down", *where, code=8)


@pytest.mark.parametrize("detach", [["--detach"], []])
def test_more_than_loopback_is_refused_in_so_many_words(state_dir, detach):
    said = bikeshare(
        "local",
        "up",
        "--host",
        "0.0.0.0",  # noqa: S104
        "--port",
        "0",
        "--state-dir",
        str(state_dir),
        *detach,
        code=8,
    )
    assert "binds to 127.0.0.1 only" in said
    assert "ssh -L" in said
    assert "Traceback" not in said
    assert not state_dir.exists()


def test_a_wrong_port_is_refused_before_anything_is_built(state_dir):
    said = bikeshare("local", "up", "--port", "99999", "--state-dir", str(state_dir), code=2)
    assert "less than or equal to 65535" in said
    assert not state_dir.exists()


def test_an_empty_state_directory_is_not_the_current_one():
    assert "is not a directory" in bikeshare("local", "status", "--state-dir", "", code=2)


def test_status_works_where_the_settings_are_wrong(state_dir, monkeypatch):
    monkeypatch.setenv("BIKESHARE_ENDPOINT_URL", "http://127.0.0.1:abc")
    said = bikeshare("local", "status", "--state-dir", str(state_dir), code=8)
    assert f"local up --detach --state-dir {state_dir}" in said
    assert "endpoint_url: its port is not a number up to 65535" in bikeshare("plan", code=3)


def test_status_tells_where_clients_go_instead(state_dir, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    said = bikeshare("local", "status", "--state-dir", str(state_dir), code=8)
    assert "AWS_ENDPOINT_URL is http://127.0.0.1:9, where nothing listens." in said


def test_requirements_that_are_not_text_are_named(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_bytes("# größer\n".encode("latin-1"))
    said = bikeshare("local", "prepare", "--requirements", str(file), code=8)
    assert f"{file} is not UTF-8" in said
    assert "Traceback" not in said


def test_the_demo_gets_the_credentials_that_an_enforcing_endpoint_wants(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    running = daemon.up(0, enforce_iam=True)
    monkeypatch.setenv("BIKESHARE_ENDPOINT_URL", running.url)
    with local_endpoint(Console(quiet=True), keep_up=False):
        # Of a session of its own: the default one keeps the credentials that it was first used with.
        client = boto3.Session().client("s3", endpoint_url=running.url, region_name="us-east-1")
        assert client.list_buckets()["Buckets"] == []
    assert daemon.status() is None
