"""One endpoint for the contract tests, and scripts and commands that use it as strangers do: by environment only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 280


@dataclass(frozen=True)
class Stranger:
    """Someone whose only tie to the endpoint is the environment of their processes."""

    endpoint: EndpointHandle
    home: Path

    def environment(self) -> dict[str, str]:
        """What a shell needs: the endpoint's variables, and a home without AWS or SageMaker settings."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SAGEMAKER_"))}
        # Usage statistics would go to the network.
        own = {"SAGEMAKER_TELEMETRY_OPT_OUT": "true", "AWS_PAGER": ""}
        return {**inherited, **self.endpoint.environment(), **own, "HOME": str(self.home)}

    def run(self, *command: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command in that environment; when it fails its output is the reason."""
        done = subprocess.run(
            command,
            env=self.environment(),
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def script(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON that a script of this folder prints as its last line; it gets ``given`` as its argument."""
        done = self.run(sys.executable, "-W", "ignore", str(FOLDER / name), json.dumps(given))
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """An AWS CLI command."""
        return self.run(str(Path(sys.executable).with_name("aws")), *arguments, check=check)

    def aws(self, *arguments: str) -> Any:
        """The answer of an AWS CLI command that answers in JSON."""
        return json.loads(self.cli(*arguments, "--output", "json").stdout)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("contract")) as handle:
        yield handle


@pytest.fixture
def stranger(endpoint: EndpointHandle, tmp_path: Path) -> Stranger:
    return Stranger(endpoint, tmp_path)


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(endpoint: EndpointHandle, unique: str) -> str:
    """A new bucket."""
    endpoint.client("s3").create_bucket(Bucket=unique)
    return unique


@pytest.fixture
def await_end() -> Callable[[Any, str], dict[str, Any]]:
    """Waits for an execution; gives its description."""

    def wait(sagemaker: Any, arn: str) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            described: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            if described["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
                return described
            assert time.monotonic() < deadline, described
            time.sleep(0.05)

    return wait
