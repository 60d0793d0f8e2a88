"""A Git server, an account with the secret, and a notebook's home in which the real start script runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from pipeline.aws.clients import Aws
from pipeline.settings.environment import load_settings
from pipeline.source_control.names import Names
from pipeline.source_control.pull import pull_script
from pipeline.source_control.repository import Repository
from tests.git_server import GitServer, git, git_server

USER, PASSWORD = "ada", "s3cr3t-T0ken-that-nobody-else-has"
NOTICE = "00-GIT-NOTICE.md"


@dataclass
class Notebook:
    """A notebook instance's home with a clone, as SageMaker leaves it, and its start script."""

    home: Path
    script: str
    environment: dict[str, str]

    @property
    def clone(self) -> Path:
        return self.home / "SageMaker" / "work"

    @property
    def log(self) -> str:
        return (self.home / "SageMaker" / ".pull-on-start.log").read_text()

    @property
    def notice(self) -> str:
        path = self.clone / NOTICE
        return path.read_text() if path.exists() else ""

    def launch(self) -> subprocess.Popen[bytes]:
        """Run the script in the foreground, as one process group that can be killed."""
        script = self.script.replace("nohup setsid ", "exec ").replace("2>&1 &\n", "2>&1\n")
        return subprocess.Popen(["bash", "-c", script], env=self.environment, start_new_session=True)

    def start(self) -> str:
        """Start the instance: run the script as it is, and wait for what it leaves in the background."""
        before = len(self.log) if (self.home / "SageMaker" / ".pull-on-start.log").exists() else 0
        subprocess.run(["bash", "-c", self.script], env=self.environment, check=True, timeout=10)
        self.wait()
        return self.log[before:]

    def kill(self) -> None:
        """End the instance as a power failure would."""
        while found := list(self._processes()):
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def _processes(self) -> Iterator[int]:
        """Yield what runs in this home, and nothing else."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"NOTEBOOK_HOME={self.home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)

    def wait(self) -> None:
        """Wait until no process of the script is left."""
        deadline = time.monotonic() + 60
        while list(self._processes()):
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def rescues(self) -> list[str]:
        return git(self.clone, "for-each-ref", "--format=%(refname:short)", "refs/heads/rescue").splitlines()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A server that lets everybody in: asking Secrets Manager takes as long as all the rest."""
    folder = tmp_path / "server"
    folder.mkdir()
    with git_server(folder) as running:
        running.create("work")
        running.commit("work", {"README.md": "first\n", "a.txt": "a\n", "b.txt": "b\n"})
        yield running


@pytest.fixture
def locked(server: GitServer) -> GitServer:
    """The same server, which asks for the credential."""
    server.credentials = (USER, PASSWORD)
    return server


@pytest.fixture
def notebook(tmp_path: Path, server: GitServer, endpoint: EndpointHandle) -> Notebook:
    """A notebook whose clone is at the first commit, and whose secret is in the account."""
    return notebook_in(tmp_path, server, endpoint)


def notebook_in(folder: Path, server: GitServer, endpoint: EndpointHandle) -> Notebook:
    with mock_environment(endpoint.environment()):
        aws = Aws(load_settings("local"))
        put_secret(aws, USER, PASSWORD)
        settings = aws.settings
    script = pull_script(settings, Repository.of(f"{server.url}/work.git", "main", local=True), "ada-notebook")
    home = folder / "home"
    (home / "SageMaker").mkdir(parents=True)
    git(folder, "clone", "--quiet", str(server.folder / "work.git"), str(home / "SageMaker" / "work"))
    found = Notebook(home, script, environment_of(home, endpoint))
    git(found.clone, "remote", "set-url", "origin", f"{server.url}/work.git")
    return found


def put_secret(aws: Aws, user: str, password: str) -> None:
    text = f'{{"username": "{user}", "password": "{password}"}}'
    name = Names(aws.settings).secret
    try:
        aws.secrets.create_secret(Name=name, SecretString=text)
    except aws.secrets.exceptions.ResourceExistsException:
        aws.secrets.put_secret_value(SecretId=name, SecretString=text)


def environment_of(home: Path, endpoint: EndpointHandle) -> dict[str, str]:
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        **endpoint.environment(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NOTEBOOK_USER": user,
        "NOTEBOOK_HOME": str(home),
        "NOTEBOOK_PAUSE": "0.01",
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def mock_environment(values: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield
