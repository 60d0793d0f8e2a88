"""A deployed local environment, reached as a user reaches it: through the command line and plain boto3."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.template import Template
from pipeline.aws.clients import Aws
from pipeline.executions.uploads import started_for
from pipeline.executions.view import FINAL, ExecutionView, view
from pipeline.results.features import read_features
from pipeline.settings.contract import Flow, Function
from pipeline.settings.environment import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 180.0
#: Of this process, and so of the template that commands are forked from.
PYTHON_PATH = os.environ.get("PYTHONPATH")


@functools.cache
def commands() -> Template:
    """Return the template of this worker's commands; the SDK, which only a new definition needs, is not in it."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "pipeline").rglob("*.py"))]
    names = [
        ".".join(path.parts) for path in paths if not path.name.startswith("__") and "definition" not in path.parts
    ]
    template = Template(names, os.environ)
    atexit.register(template.close)
    return template


@dataclass(frozen=True)
class Deployed:
    """A deployed environment on a running endpoint."""

    endpoint: EndpointHandle
    settings: Settings
    aws: Aws

    def command(
        self, *arguments: str, check: bool = True, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``bikeshare`` as a user would, with ``variables`` over those that make it use the endpoint.

        It is a process of its own, but one that has imported already what commands import; where a test has another
        copy of the project imported, it is a new interpreter.
        """
        environment = {**os.environ, **self.endpoint.environment(), **(variables or {})}
        if environment.get("PYTHONPATH") != PYTHON_PATH:
            words = [sys.executable, "-m", "pipeline", *arguments]
            return subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=check)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            program = commands().start(
                "pipeline",
                arguments,
                stdout=output.fileno(),
                stderr=errors.fileno(),
                environment=environment,
                directory=ROOT,
            )
            assert program is not None, "a module of the pipeline can't be imported"
            program.stdin.close()
            code = program.wait()
            texts = [file.read().decode() for file in (output, errors) if file.seek(0) == 0]
        done = subprocess.CompletedProcess(["bikeshare", *arguments], code, *texts)
        if check:
            done.check_returncode()
        return done

    def script(self, name: str, *arguments: str | Path) -> None:
        """Run a program of ``scripts/`` as an operator would."""
        subprocess.run(
            [sys.executable, str(ROOT / "scripts" / name), *(str(argument) for argument in arguments)],
            env={**os.environ, **self.endpoint.environment()},
            capture_output=True,
            text=True,
            check=True,
        )

    def put(self, key: str, body: bytes) -> str:
        """Put an object into the raw bucket as any uploader would; return its version."""
        return str(self.aws.s3.put_object(Bucket=self.settings.raw_bucket, Key=key, Body=body)["VersionId"])

    def executions(self) -> list[str]:
        """ARNs of all executions, oldest first."""
        pages = self.aws.sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self.settings.training_pipeline_name, SortBy="CreationTime", SortOrder="Ascending"
        )
        return [item["PipelineExecutionArn"] for page in pages for item in page["PipelineExecutionSummaries"]]

    def finished(self, arn: str) -> ExecutionView:
        """Wait for the end of an execution and return it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        # A look at the whole execution takes a twentieth of a second of work, and this is where tests wait most.
        status = self.aws.sagemaker.describe_pipeline_execution
        while status(PipelineExecutionArn=arn)["PipelineExecutionStatus"] not in FINAL:
            assert time.monotonic() < deadline, f"{arn} did not end: {view(self.aws, arn)}"
            time.sleep(0.1)
        return view(self.aws, arn)

    def started(self, key: str, version: str, flow: Flow = "training", known: Collection[str] = ()) -> str:
        """ARN of the execution that EventBridge starts for an upload, and that is not in ``known``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            arn = started_for(self.aws, self.settings.pipeline_name(flow), key, version, frozenset(known))
            if arn:
                return arn
            time.sleep(0.05)
        pytest.fail(f"nothing was started for {key}")

    def run(self, key: str, body: bytes, flow: Flow = "training") -> ExecutionView:
        """Upload and wait for the end of the execution that this starts."""
        return self.finished(self.started(key, self.put(key, body), flow))

    def send_event(self, key: str, version: str) -> None:
        """Put an ``Object Created`` event on the bus, as a second delivery of S3's would be."""
        self.aws.events.put_events(
            Entries=[
                {
                    "Source": "aws.s3",
                    "DetailType": "Object Created",
                    "Detail": json.dumps(
                        {
                            "version": "0",
                            "bucket": {"name": self.settings.raw_bucket},
                            "object": {"key": key, "version-id": version, "size": 1, "sequencer": "00"},
                            "reason": "PutObject",
                        }
                    ),
                }
            ]
        )

    def models(self) -> list[str]:
        """Names of all models."""
        return [model["ModelName"] for model in self.aws.sagemaker.list_models(MaxResults=100)["Models"]]

    def sweep(self) -> str:
        """Call the sweep as its rule does, but for models of any age; what it answers."""
        event = {
            "pipeline": list(self.settings.pipeline_names),
            "project": self.settings.system,
            "environment": self.settings.environment,
            "keep-hours": 0,
        }
        name = self.settings.function_name(Function.SWEEP)
        answer = self.aws.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return str(json.loads(answer["Payload"].read())["reason"])

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """All keys under a prefix."""
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's content."""
        return self.aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def history(self, rows: int) -> pd.DataFrame:
        """Wait until the offline store has so many rows, which it gets a little later, and return what it knows."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = read_features(self.aws)
            if len(found) >= rows and found[self.settings.declared.target].notna().sum() >= rows:
                return found
            time.sleep(0.5)
        pytest.fail(f"the offline store has {len(found)} of {rows} rows")

    def stored(self, row: str) -> dict[str, str]:
        """Return what the Feature Store knows of a row: inputs and outcome."""
        groups = (self.settings.inputs_group_name, self.settings.outcomes_group_name)
        answers = [
            self.aws.feature_store.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=row)
            for group in groups
        ]
        return {item["FeatureName"]: item["ValueAsString"] for one in answers for item in one.get("Record", [])}

    def predictions(self) -> dict[str, bytes]:
        """Key → content of every prediction CSV."""
        bucket = self.settings.predictions_bucket
        return {key: self.read(bucket, key) for key in self.keys(bucket, "predictions/")}

    def model_packages(self) -> list[dict[str, Any]]:
        """Descriptions of all registered versions, oldest first."""
        pages = self.aws.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.settings.model_package_group_name, SortBy="CreationTime", SortOrder="Ascending"
        )
        found = [
            dict(self.aws.sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"]))
            for page in pages
            for item in page["ModelPackageSummaryList"]
        ]
        return [{key: value for key, value in item.items() if key != "ResponseMetadata"} for item in found]


@contextmanager
def deployment(state: Path, dataset: str) -> Iterator[Deployed]:
    """Deploy a data set, by name or by the path of its declaration, by the command line on a fresh endpoint."""
    with environment_of(state, dataset) as environment:
        environment.command("deploy")
        yield environment


@contextmanager
def environment_of(state: Path, dataset: str) -> Iterator[Deployed]:
    """Run an endpoint on a state directory, with what it has of a data set's environment."""
    with (
        running_endpoint(state) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), "BIKESHARE_DATASET": dataset}),
    ):
        settings = load_settings("local")
        yield Deployed(endpoint, settings, Aws(settings))


@pytest.fixture(scope="session")
def deployed_state(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives a new state directory in which a data set is deployed.

    It is deployed once, and what its endpoint has left on the disk is copied: a deployment takes ten times as long.
    """
    first: dict[str, Path] = {}

    def state_of(dataset: str) -> Path:
        if dataset not in first:
            first[dataset] = tmp_path_factory.mktemp("deployed")
            with deployment(first[dataset], dataset):
                pass
        return Path(shutil.copytree(first[dataset], tmp_path_factory.mktemp("state") / "copy", symlinks=True))

    return state_of


@pytest.fixture(scope="module")
def deployed(deployed_state: Callable[[str], Path]) -> Iterator[Deployed]:
    """Return an environment of the bike-sharing table; one for a module."""
    with environment_of(deployed_state("bike_sharing"), "bike_sharing") as environment:
        yield environment


@pytest.fixture(scope="module")
def deployed_wine(deployed_state: Callable[[str], Path]) -> Iterator[Deployed]:
    """Return an environment of the red wine table; one for a module."""
    with environment_of(deployed_state("red_wine"), "red_wine") as environment:
        yield environment


@pytest.fixture(scope="module")
def deploy_declaration(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Path], AbstractContextManager[Deployed]]:
    """Return a context manager in which a declaration is deployed."""
    return lambda declaration: deployment(tmp_path_factory.mktemp("state"), str(declaration))


@pytest.fixture(scope="session")
def wine_csv() -> bytes:
    """Return the real table; it lies beside the project, not in it."""
    path = ROOT.parent / "shared" / "data" / "wine_quality" / "winequality-red.csv"
    if not path.is_file():
        pytest.skip(f"the wine table is not at {path}")
    return path.read_bytes()


@pytest.fixture(scope="session")
def day_csv() -> bytes:
    """Return the real table; it lies beside the project, not in it."""
    path = Path(os.environ.get("BIKE_SHARING_CSV") or ROOT.parent / "shared" / "data" / "bike_sharing" / "day.csv")
    if not path.is_file():
        pytest.skip(f"the bike-sharing table is not at {path}; set BIKE_SHARING_CSV to its path")
    return path.read_bytes()


@pytest.fixture(scope="session")
def sample_csv(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the generated sample."""
    from pipeline.demo.sample import write_sample

    return write_sample(tmp_path_factory.mktemp("sample")).read_bytes()
