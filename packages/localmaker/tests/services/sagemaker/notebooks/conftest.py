"""Short ways to notebook instances, and a Git server on loopback whose repositories they clone."""

from __future__ import annotations

import base64
import functools
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from localmaker.sandbox.sandbox import Isolation, detect_isolation

ROLE = "arn:aws:iam::123456789012:role/notebooks"
GROUP = "/aws/sagemaker/NotebookInstances"


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    if detect_isolation() is Isolation.NONE:
        pytest.skip("there is no sandbox")


class Notebooks:
    """Notebook instances on a running endpoint, whose names begin alike."""

    def __init__(self, endpoint: Any, unique: str, eventually: Callable[..., Any]) -> None:
        self.endpoint, self.unique, self._eventually = endpoint, unique, eventually
        self.sagemaker = endpoint.client("sagemaker")

    def configure(self, on_start: str | None = None, on_create: str | None = None, name: str = "") -> str:
        """Create a lifecycle configuration of scripts; return its name."""
        scripts = {"OnStart": on_start, "OnCreate": on_create}
        hooks = {hook: content(script) for hook, script in scripts.items() if script is not None}
        name = name or self.unique
        self.sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name, **hooks)
        return name

    def create(self, name: str = "", **fields: Any) -> str:
        """Create an instance; return its name."""
        name = name or self.unique
        request = {"InstanceType": "ml.t3.medium", "RoleArn": ROLE, **fields}
        self.sagemaker.create_notebook_instance(NotebookInstanceName=name, **request)
        return name

    def run(self, on_start: str, name: str = "", **fields: Any) -> dict[str, Any]:
        """Create an instance with a script, and wait until it has started or failed."""
        name = self.create(name, LifecycleConfigName=self.configure(on_start, name=name), **fields)
        return self.wait(name, "InService", "Failed")

    def wait(self, name: str = "", *states: str) -> dict[str, Any]:
        """Wait for one of the states; return what is described then."""

        def reached() -> dict[str, Any] | None:
            found: dict[str, Any] = self.describe(name)
            return found if found["NotebookInstanceStatus"] in states else None

        return self._eventually(reached)  # type: ignore[no-any-return]

    def describe(self, name: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_notebook_instance(NotebookInstanceName=name or self.unique)
        return found

    def start(self, name: str = "") -> dict[str, Any]:
        self.sagemaker.start_notebook_instance(NotebookInstanceName=name or self.unique)
        return self.wait(name, "InService", "Failed")

    def stop(self, name: str = "") -> dict[str, Any]:
        self.sagemaker.stop_notebook_instance(NotebookInstanceName=name or self.unique)
        return self.wait(name, "Stopped", "Failed")

    def log(self, hook: str = "OnStart", name: str = "") -> list[str]:
        """Return what a script has printed."""
        logs = self.endpoint.client("logs")
        stream = f"{name or self.unique}/LifecycleConfig{hook}"
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=[stream])
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []


@pytest.fixture
def notebooks(endpoint: Any, unique: str, eventually: Callable[..., Any]) -> Notebooks:
    return Notebooks(endpoint, unique, eventually)


def content(script: str) -> list[dict[str, str]]:
    """Return a script as requests have it."""
    return [{"Content": base64.b64encode(script.encode()).decode()}]


@dataclass
class GitServer:
    """Repositories that can be read over (dumb) HTTP."""

    folder: Path
    url: str = ""
    credentials: tuple[str, str] | None = None
    paths: list[str] = field(default_factory=list)

    def commit(self, name: str, files: dict[str, str], branch: str = "main") -> str:
        """Commit files to a branch of a repository; return the repository's URL."""
        bare, work = self.folder / f"{name}.git", self.folder / f"{name}.work"
        if not bare.exists():
            self._git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            self._git(self.folder, "init", "--quiet", "--initial-branch=main", str(work))
        self._git(work, "checkout", "--quiet", "-B", branch)
        for path, text in files.items():
            (work / path).write_text(text)
        self._git(work, "add", "--all")
        self._git(work, "commit", "--quiet", "--message", "Change")
        self._git(work, "push", "--quiet", str(bare), f"HEAD:{branch}")
        self._git(bare, "update-server-info")
        return f"{self.url}/{name}.git"

    @staticmethod
    def _git(folder: Path, *arguments: str) -> None:
        who = {f"GIT_{role}_{what}": "ada" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        variables = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "-C", str(folder), *arguments], env=variables, check=True, capture_output=True)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, git: GitServer, *args: Any) -> None:
        self._served = git
        super().__init__(*args, directory=str(git.folder))

    def do_GET(self) -> None:
        self._served.paths.append(self.path)
        if self._served.credentials is not None:
            expected = base64.b64encode(":".join(self._served.credentials).encode()).decode()
            if self.headers.get("Authorization") != f"Basic {expected}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests free of requests."""


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, server)) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        http.shutdown()
        thread.join()
