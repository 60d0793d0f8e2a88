"""The step scripts under AWS's own toolkits, and by our own route: the same model.json and the same predictions.

Three times the same training: the job's own entry point in the image's libraries; the image's ``train`` program, which
the job does not use; a training job of the local endpoint. And the model under sagemaker-inference and gunicorn, beside
a transform job of the endpoint.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from localmaker.daemon import running_endpoint
from pipeline.datasets.shipped import declaration_file
from pipeline.definition.bundle import ARCHIVE_NAME
from pipeline.demo.sample import write_sample

pytestmark = [pytest.mark.aws_toolkits, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
JOB = "same-results"
ARGUMENTS = ["--profile", "forecast", "--feature-count", "12"]
ENTRYPOINT = ["/bin/bash", "/opt/ml/input/data/code/run.sh", "train.py"]
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/jobs"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """What the Preprocess step makes of the sample."""
    csv = write_sample(tmp_path_factory.mktemp("raw") / "days.csv")
    output = tmp_path_factory.mktemp("prepared")
    subprocess.run(
        [sys.executable, ROOT / "steps" / "preprocess.py", "--input-file", csv, "--output-dir", output,
         "--purpose", "training", "--profile", "forecast", "--dataset", declaration_file("bike_sharing")],
        check=True, capture_output=True,
    )  # fmt: skip
    return output


@pytest.fixture
def job(container, bundle, wheels, prepared):
    """Make a training container with its channels: code, wheels, train."""

    def make(name: str) -> Any:
        made = container(name)
        channels = made.ml / "input" / "data"
        shutil.copytree(prepared / "train", channels / "train")
        (channels / "code").mkdir()
        for key, content in bundle.objects().items():
            (channels / "code" / key.rpartition("/")[2]).write_bytes(content)
        (channels / "wheels").mkdir()
        for wheel in wheels:
            shutil.copy(wheel, channels / "wheels")
        return made

    return make


@pytest.fixture
def variables(bundle) -> dict[str, str]:
    """The variables of the job: those of its request, and the one that SageMaker sets."""
    return {"AWS_DEFAULT_REGION": "us-east-1", "CODE_SHA256": bundle.sha256, "TRAINING_JOB_NAME": JOB}


def model_json(made: Any) -> bytes:
    return (made.ml / "model" / "model.json").read_bytes()


@pytest.fixture
def by_our_entry_point(job, variables):
    made = job("own")
    done = made.run(*ENTRYPOINT, *ARGUMENTS, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture
def by_the_toolkit(job, variables):
    """The image's ``train`` in script mode, as it would run without our entry point."""
    made = job("toolkit")
    archive = f"/opt/ml/input/data/code/{ARCHIVE_NAME}"
    script = {"sagemaker_program": "train.py", "sagemaker_submit_directory": archive, "sagemaker_region": "us-east-1"}
    parameters = {**script, "profile": "forecast", "feature-count": 12}
    channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    files = {
        "hyperparameters": {name: json.dumps(value) for name, value in parameters.items()},
        "inputdataconfig": dict.fromkeys(("code", "wheels", "train"), channel),
        "resourceconfig": {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "lo"},
    }
    for name, content in files.items():
        (made.ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
    # The toolkit installs requirements.txt by itself, with pip's own settings.
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/opt/ml/input/data/wheels"}
    program = "from sagemaker_training.cli.train import main; main()"
    done = made.run("python3", "-c", program, **variables, **offline)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sagemaker-training-toolkit" in done.stdout + done.stderr
    return made


@pytest.fixture
def at_the_endpoint(tmp_path, by_our_entry_point, prepared, variables) -> tuple[bytes, bytes]:
    """Train by a job on the endpoint, and predict by another; return model.tar.gz and what the transform answered."""
    with running_endpoint(tmp_path / "state") as running, mock.patch.dict(os.environ, running.environment()):
        return jobs_of_the_endpoint(by_our_entry_point, prepared, variables)


def jobs_of_the_endpoint(made, prepared, variables) -> tuple[bytes, bytes]:
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    s3.create_bucket(Bucket="jobs")
    for path in (made.ml / "input" / "data").rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), "jobs", str(path.relative_to(made.ml / "input" / "data")))
    s3.upload_file(str(prepared / "scoring" / "features.csv"), "jobs", "scoring/features.csv")
    limits = {"MaxRuntimeInSeconds": 600}
    machine = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    sagemaker.create_training_job(
        TrainingJobName=JOB,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File",
                                "ContainerEntrypoint": ENTRYPOINT, "ContainerArguments": ARGUMENTS},
        RoleArn=ROLE,
        InputDataConfig=[
            {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://jobs/{name}/"}}}
            # As in the pipeline, there is no input of wheels where the image has all that is needed.
            for name in ("code", "wheels", "train") if any((made.ml / "input" / "data" / name).iterdir())
        ],
        OutputDataConfig={"S3OutputPath": "s3://jobs/output"},
        ResourceConfig={**machine, "VolumeSizeInGB": 1},
        StoppingCondition=limits,
        EnableNetworkIsolation=True,
        Environment={name: value for name, value in variables.items() if name != "TRAINING_JOB_NAME"},
    )  # fmt: skip
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=JOB, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    uri = sagemaker.describe_training_job(TrainingJobName=JOB)["ModelArtifacts"]["S3ModelArtifacts"]
    program = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    serving = {"Image": IMAGE, "ModelDataUrl": uri, "Environment": {**program, "PIP_NO_BUILD_ISOLATION": "0"}}
    sagemaker.create_model(ModelName=JOB, ExecutionRoleArn=ROLE, EnableNetworkIsolation=True, PrimaryContainer=serving)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://jobs/scoring/features.csv"}}
    sagemaker.create_transform_job(
        TransformJobName=JOB, ModelName=JOB, TransformResources=machine, BatchStrategy="MultiRecord",
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": "s3://jobs/predictions", "Accept": "text/csv", "AssembleWith": "Line"},
    )  # fmt: skip
    sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName=JOB, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    read = [s3.get_object(Bucket="jobs", Key=key)["Body"].read() for key in (uri[10:], "predictions/features.csv.out")]
    return read[0], read[1]


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket in the file system: the container has no network."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


@pytest.fixture
def serving(container, at_the_endpoint):
    """A container with the model artefact, and with the image's libraries alone."""
    made = container("serving")
    with tarfile.open(fileobj=io.BytesIO(at_the_endpoint[0])) as tar:
        tar.extractall(made.ml / "model", filter="data")
    return made


@pytest.fixture
def served(serving, prepared, eventually) -> tuple[int, bytes]:
    """Return the answer of the container's model server: gunicorn with sagemaker-inference."""
    work, body = serving.ml.parent, (prepared / "scoring" / "features.csv").read_bytes()
    shutil.copy(Path(__file__).with_name("server.py"), work)
    path = work / "socket"
    server = ["python3", "-m", "gunicorn", "--bind", f"unix:{path}", "--timeout", "60", "server:app"]
    variables = {"PYTHONPATH": f"{work}:/opt/ml/model/code", "SAGEMAKER_PROGRAM": "inference.py"}
    with (work / "server.log").open("wb") as log:
        process = subprocess.Popen(serving.command(*server, variables=variables), stderr=log)
        try:
            eventually(lambda: path.exists() or process.poll() is not None, 300)
            assert process.poll() is None, (work / "server.log").read_text()
            connection = _Connection(str(path))
            connection.request("POST", "/invocations", body, {"Content-Type": "text/csv", "Accept": "text/csv"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            process.terminate()
            process.wait()


def test_the_toolkits_and_our_own_route_make_the_same_model_and_the_same_predictions(
    by_our_entry_point, by_the_toolkit, at_the_endpoint, serving, served
):
    ours = model_json(serving)
    assert json.loads(ours)["provenance"]["training_job"] == JOB
    assert model_json(by_our_entry_point) == ours
    assert model_json(by_the_toolkit) == ours

    transformed = at_the_endpoint[1]
    status, predicted = served
    assert status == 200, predicted
    assert predicted.split(b"\n") == transformed.rstrip(b"\n").split(b"\n")
