"""A training job as the pipeline starts it: its failure reason is always a sentence of the project."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from functools import partial
from unittest import mock

import boto3
import pytest

from localmaker.daemon import running_endpoint
from pipeline.definition.bundle import ARCHIVE_NAME, LAUNCHER_NAME, build_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/jobs"


def archive(requirements: str = "", **files: str) -> bytes:
    """Pack scripts as the code of a job."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in {
            "requirements.txt": requirements,
            **{f"{name}.py": text for name, text in files.items()},
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """An endpoint with the code, the wheels, and a table that was not prepared for training."""
    bundle = build_bundle()
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        client = boto3.client("s3")
        client.create_bucket(Bucket="jobs")
        client.put_object(Bucket="jobs", Key="wheels/none", Body=b"")
        client.put_object(Bucket="jobs", Key="train/train.parquet", Body=b"no rows")
        codes = {
            "code": bundle.archive,
            "broken": b"no archive",
            "killed": archive(train="import os; os.kill(os.getpid(), 9)"),
            "unimportable": archive(train="import library_that_nobody_has"),
            "without-script": archive(),
            "without-wheel": archive(f"absent==1.0 --hash=sha256:{'0' * 64}", train=""),
        }
        for folder, content in codes.items():
            client.put_object(Bucket="jobs", Key=f"{folder}/{ARCHIVE_NAME}", Body=content)
            client.put_object(Bucket="jobs", Key=f"{folder}/{LAUNCHER_NAME}", Body=bundle.launcher)
        yield client


@pytest.fixture
def reason(s3, eventually):
    """Run a training job to its failure; return its reason."""

    def run(code: str, wheels: str = "wheels", *, isolated: bool = True) -> str:
        sagemaker = boto3.client("sagemaker")
        name = f"job-{uuid.uuid4().hex}"
        channels = {"code": code, "wheels": wheels, "train": "train"}
        launcher = f"/opt/ml/input/data/code/{LAUNCHER_NAME}"
        sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/bash", launcher, "train.py"],
                "ContainerArguments": ["--profile", "forecast"],
            },
            RoleArn=ROLE,
            InputDataConfig=[
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://jobs/{folder}/"}},
                }
                for channel, folder in channels.items()
            ],
            OutputDataConfig={"S3OutputPath": "s3://jobs/output"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 300},
            EnableNetworkIsolation=isolated,
        )
        describe = partial(sagemaker.describe_training_job, TrainingJobName=name)
        eventually(lambda: describe()["TrainingJobStatus"] == "Failed", 180)
        return str(describe()["FailureReason"])

    return run


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize(
    ("code", "wheels", "sentence"),
    [
        (
            "code",
            "wheels",
            "The description of the training rows is missing: /opt/ml/input/data/train/source.json",
        ),
        ("without-wheel", "wheels", "run.sh: requirements.txt can't be installed from the input 'wheels': No matching"),
        ("broken", "wheels", "run.sh: sourcedir.tar.gz can't be unpacked."),
        ("without-script", "wheels", "run.sh: there is no script 'train.py' in sourcedir.tar.gz."),
        ("killed", "wheels", "train.py ended before it could say why; the end of its log does."),
        ("unimportable", "wheels", "train.py ended before it could say why; the end of its log does."),
    ],
)
def test_the_reason_is_a_sentence_of_the_project(reason, code, wheels, sentence, isolated):
    assert reason(code, wheels, isolated=isolated).startswith(f"AlgorithmError: {sentence}")
