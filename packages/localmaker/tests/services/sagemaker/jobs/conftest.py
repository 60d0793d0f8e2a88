"""Short ways to run jobs: in a JobService on moto's S3, logs and model registry, or on a running endpoint."""

from __future__ import annotations

import io
import itertools
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer

from localmaker.daemon import EndpointHandle
from localmaker.images.environments import JobEnvironment
from localmaker.services.sagemaker.jobs.kinds import JobKind, JobStatus
from localmaker.services.sagemaker.jobs.service import JobService
from localmaker.services.sagemaker.jobs.shapes import service_model

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/jobs"
REGION = "us-east-1"
BUCKET = "artifacts"


def host_from(folder: str) -> str:
    """Shell text that becomes the instance's host name, also where it shares the machine's."""
    read = f'import json; print(json.load(open("{folder}/resourceconfig.json"))["current_host"])'
    return f"$(python3 -c '{read}')"


PROCESSING_HOST, TRAINING_HOST = host_from("/opt/ml/config"), host_from("/opt/ml/input/config")


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """Return a tar.gz of the files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def check_shape(kind: JobKind, description: Mapping[str, Any]) -> None:
    """Check that a Describe response has the members of botocore's output shape, and nothing else."""
    shape: Any = service_model().operation_model(f"Describe{kind}Job").output_shape
    assert set(description) <= set(shape.members)
    report = ParamValidator().validate(dict(description), shape)
    assert not report.has_errors(), report.generate_report()


class Requests:
    """Clients of AWS services at a URL, and requests for jobs.

    Args:
        unique: part of the names of the jobs.
    """

    def __init__(self, url: str, unique: str) -> None:
        self.url = url
        self._unique = unique
        self.s3 = self.client("s3")
        self.logs = self.client("logs")
        self.sagemaker = self.client("sagemaker")
        self._numbers = itertools.count()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=32),
        )

    def name(self) -> str:
        return f"job-{self._unique}-{next(self._numbers)}"

    def put(self, key: str, body: str | bytes) -> str:
        """Store an object; returns its URI."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode() if isinstance(body, str) else body)
        return f"s3://{BUCKET}/{key}"

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"][len(prefix) :] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def log(self, kind: JobKind, name: str) -> str:
        raise NotImplementedError

    def run(self, kind: JobKind, request: Mapping[str, Any]) -> dict[str, Any]:
        """Create, wait; checks the shape of what comes back."""
        raise NotImplementedError

    def processing_request(
        self,
        script: str,
        *,
        arguments: tuple[str, ...] = (),
        inputs: Mapping[str, str] | None = None,
        outputs: tuple[str, ...] = ("out",),
        environment: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Return the request of a job that runs a shell script. Outputs go to ``<name>/<output>/``."""
        name = self.name()
        folder = "/opt/ml/processing"
        return {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["/bin/bash", "-c", script, "bash"],
                **({"ContainerArguments": list(arguments)} if arguments else {}),
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "Environment": dict(environment or {}),
            "ProcessingInputs": [
                {
                    "InputName": key,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"{folder}/input/{key}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for key, uri in (inputs or {}).items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": key,
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/{name}/{key}",
                            "LocalPath": f"{folder}/output/{key}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for key in outputs
                ]
            },
            **fields,
        }

    def process(self, script: str, **options: Any) -> dict[str, Any]:
        return self.run(JobKind.PROCESSING, self.processing_request(script, **options))

    def training_request(
        self,
        files: Mapping[str, str | bytes] | None = None,
        *,
        channels: Mapping[str, str] | None = None,
        hyperparameters: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Return the request of a script-mode job that runs ``train.py`` of the files."""
        name = self.name()
        script_mode = {}
        if files is not None:
            uri = self.put(f"{name}/code/sourcedir.tar.gz", archive(files))
            script_mode = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{uri}"'}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {**script_mode, **(hyperparameters or {})},
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": uri,
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
                for channel, uri in (channels or {}).items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **fields,
        }
        if not request["InputDataConfig"]:
            del request["InputDataConfig"]
        return request

    def train(self, files: Mapping[str, str | bytes] | None = None, **options: Any) -> dict[str, Any]:
        return self.run(JobKind.TRAINING, self.training_request(files, **options))

    def create_model(self, files: Mapping[str, str | bytes], **fields: Any) -> str:
        """Register a model with an archive of the files; returns its name. ``Environment`` is its container's."""
        name = self.name()
        uri = self.put(f"{name}/model.tar.gz", archive(files))
        container = {"Image": IMAGE, "ModelDataUrl": uri, "Environment": fields.pop("Environment", {})}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, **fields)
        return name

    def transform_request(
        self, model: str, uri: str, *, split: str = "Line", assemble: str = "Line", **fields: Any
    ) -> dict[str, Any]:
        """Return the request of a job over a prefix, from and to CSV. Its outputs go to ``<name>/out/``."""
        name = self.name()
        data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
        return {
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": {"DataSource": data, "ContentType": "text/csv", "SplitType": split},
            "TransformOutput": {
                "S3OutputPath": f"s3://{BUCKET}/{name}/out",
                "Accept": "text/csv",
                "AssembleWith": assemble,
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **fields,
        }

    def outputs(self, description: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the outputs of a transform job, by key below its output path."""
        prefix = f"{description['TransformJobName']}/out/"
        return {key: self.read(prefix + key) for key in self.keys(prefix)}


class Jobs(Requests):
    """The service under test, in this process, and moto beside it."""

    def __init__(self, url: str, state_dir: Path, **settings: Any) -> None:
        super().__init__(url, state_dir.name.replace("_", "-"))
        self.state_dir = state_dir
        self.cloudwatch = self.client("cloudwatch")
        self.changes: list[tuple[JobKind, dict[str, Any]]] = []
        self.service = self.new_service(**settings)

    def new_service(self, **settings: Any) -> JobService:
        return JobService(
            self.state_dir,
            lambda service: getattr(self, service),
            url=self.url,
            region=REGION,
            account_id="123456789012",
            on_status_change=lambda kind, description: self.changes.append((kind, description)),
            **{"stop_grace_seconds": 0.5, **settings},
        )

    def log(self, kind: JobKind, name: str) -> str:
        return self.service.log_path(kind, name).read_text()

    def run(self, kind: JobKind, request: Mapping[str, Any]) -> dict[str, Any]:
        self.service.create(kind, request)
        description = self.service.wait(kind, request[kind.name_field])
        check_shape(kind, description)
        return description


class RemoteJobs(Requests):
    """A running endpoint, over HTTP only."""

    def log(self, kind: JobKind, name: str) -> str:
        try:
            streams = self.logs.describe_log_streams(logGroupName=kind.log_group, logStreamNamePrefix=f"{name}/")
        except self.logs.exceptions.ResourceNotFoundException:
            return ""  # no job of the kind has said anything yet
        lines: list[str] = []
        for stream in streams["logStreams"]:
            events = self.logs.get_log_events(
                logGroupName=kind.log_group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
            lines += [event["message"] for event in events]
        return "\n".join(lines)

    def start(self, kind: JobKind, request: Mapping[str, Any]) -> str:
        """Create; returns the ARN."""
        arn: str = getattr(self.sagemaker, f"create_{kind.lower()}_job")(**request)[kind.arn_field]
        return arn

    def describe(self, kind: JobKind, name: str) -> dict[str, Any]:
        description: dict[str, Any] = getattr(self.sagemaker, f"describe_{kind.lower()}_job")(**{kind.name_field: name})
        del description["ResponseMetadata"]
        check_shape(kind, description)
        return description

    def wait(self, kind: JobKind, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while not JobStatus((description := self.describe(kind, name))[kind.status_field]).terminal:
            assert time.monotonic() < deadline, description
            time.sleep(0.05)
        return description

    def run(self, kind: JobKind, request: Mapping[str, Any]) -> dict[str, Any]:
        self.start(kind, request)
        return self.wait(kind, request[kind.name_field])


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="session")
def jobs(moto_url: str, image: JobEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    found = Jobs(moto_url, tmp_path_factory.mktemp("state"))
    found.s3.create_bucket(Bucket=BUCKET)
    yield found
    found.service.close()


@pytest.fixture(scope="session")
def remote(endpoint: EndpointHandle, image: JobEnvironment) -> RemoteJobs:
    """Return the running endpoint that all tests of a run share."""
    found = RemoteJobs(endpoint.url, f"r{uuid.uuid4().hex[:8]}")
    found.s3.create_bucket(Bucket=BUCKET)
    return found


@pytest.fixture
def make_jobs(moto_url: str, jobs: Jobs, tmp_path: Path) -> Iterator[Callable[..., Jobs]]:
    """Further services with settings and a state directory of their own, on the same bucket."""
    made: list[Jobs] = []

    def make(**settings: Any) -> Jobs:
        made.append(Jobs(moto_url, tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        each.service.close()
