"""Compare runs of both pipelines with those of another commit, alternating on the same machine.

::

    python -m benchmarks.against_commit COMMIT [--runs 5] [--data FILE]

Each commit has a checkout, an environment and a local endpoint of its own, and is deployed once. Then one run of each
takes its turn. A run is an upload; it is timed until its prediction CSV is there, and until the execution has ended.
Every upload has one more newline at its end, so that neither claim nor step cache answers for it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from pipeline.demo.sample import write_sample

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "123456789012"
PREFIX = "bikeshare-local"
_FIRST_PORT = 4700
_POLL_SECONDS = 0.03


@dataclass(frozen=True)
class Took:
    """Seconds of one run, from the upload on."""

    predictions: float
    end: float


@dataclass(frozen=True)
class Side:
    """One commit, deployed on an endpoint of its own."""

    name: str
    checkout: Path
    port: int

    @cached_property
    def environment(self) -> dict[str, str]:
        """Variables for its commands and clients."""
        given = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_DEFAULT_REGION": "us-east-1"}
        return {**os.environ, **given, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}

    def client(self, service: str) -> Any:
        """Return a client of its endpoint."""
        create: Any = boto3.client
        return create(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - the endpoint checks none
        )

    def command(self, *words: str) -> None:
        """Run one of its commands; its output is shown where it fails."""
        python = self.checkout / ".venv" / "bin" / "python"
        done = subprocess.run(
            [str(python), "-m", "pipeline", *words],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{self.name}: {' '.join(words)}\n{done.stdout}{done.stderr}")

    def run(self, flow: str, body: bytes, number: int) -> Took:
        """Upload a file and time what follows."""
        s3, sagemaker = self.client("s3"), self.client("sagemaker")
        known = set(self._predictions(s3))
        executions = set(self._executions(sagemaker, flow))
        start = time.perf_counter()
        s3.put_object(Bucket=f"{PREFIX}-raw-{ACCOUNT}", Key=f"raw/{flow}/run-{number}.csv", Body=body)
        published = None
        while True:
            time.sleep(_POLL_SECONDS)
            now = time.perf_counter() - start
            if published is None and set(self._predictions(s3)) - known:
                published = now
            for arn in set(self._executions(sagemaker, flow)) - executions:
                status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
                if status in {"Failed", "Stopped"}:
                    sys.exit(f"{self.name}: {arn} {status}")
                if status == "Succeeded" and published is not None:
                    return Took(published, now)

    def _predictions(self, s3: Any) -> list[str]:
        listed = s3.list_objects_v2(Bucket=f"{PREFIX}-predictions-{ACCOUNT}", Prefix="predictions/")
        return [item["Key"] for item in listed.get("Contents", [])]

    def _executions(self, sagemaker: Any, flow: str) -> list[str]:
        listed = sagemaker.list_pipeline_executions(PipelineName=f"{PREFIX}-{flow}", MaxResults=10)
        return [item["PipelineExecutionArn"] for item in listed["PipelineExecutionSummaries"]]


@contextmanager
def _deployed(side: Side, state: Path) -> Iterator[Side]:
    side.command("local", "up", "--state-dir", str(state), "--port", str(side.port), "--detach")
    try:
        side.command("deploy")
        yield side
    finally:
        side.command("local", "down", "--state-dir", str(state))


@contextmanager
def _checkout(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out beside this one, with an environment of its own."""
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(folder), commit], cwd=ROOT, check=True)
    try:
        subprocess.run(["make", "environment"], cwd=folder, check=True, capture_output=True)
        yield folder
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(folder)], cwd=ROOT, check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="to compare with")
    parser.add_argument("--runs", type=int, default=5, help="of each pipeline and commit (default: 5)")
    parser.add_argument("--data", type=Path, help="CSV to train on and to score (default: the generated sample)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        body = (arguments.data or write_sample(root / "sample")).read_bytes()
        before = stack.enter_context(_checkout(arguments.commit, root / "before"))
        checkouts = {"before": before, "now": ROOT}
        sides = [
            stack.enter_context(_deployed(Side(name, checkout, _FIRST_PORT + number), root / f"state-{name}"))
            for number, (name, checkout) in enumerate(checkouts.items())
        ]
        for flow in ("training", "scoring"):
            # The first run of each prepares what the others find.
            took: dict[str, list[Took]] = {side.name: [] for side in sides}
            for number in range(arguments.runs + 1):
                for side in sides if number % 2 else reversed(sides):
                    one = side.run(flow, body + b"\n" * number, number)
                    took[side.name] += [one] if number else []
            _print(flow, took)
            if flow == "training":
                for side in sides:
                    side.command("model", "approve", "1")


def _print(flow: str, took: dict[str, list[Took]]) -> None:
    print(f"\n{flow}: seconds from the upload, {len(took['now'])} runs each, alternating")
    for what in ("predictions", "end"):
        values = {name: [getattr(one, what) for one in runs] for name, runs in took.items()}
        medians = {name: statistics.median(one) for name, one in values.items()}
        ratio = statistics.median(now / before for now, before in zip(values["now"], values["before"], strict=True))
        shown = ", ".join(f"{name} {median:.2f}" for name, median in medians.items())
        print(f"  until the {what:<11} median {shown}; paired ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
