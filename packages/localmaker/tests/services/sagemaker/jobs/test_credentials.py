"""Where IAM is enforced, a job has the credentials of its role and comes by no others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.images.environments import JobEnvironment
from localmaker.state.credentials import CREDENTIALS_NAME

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
BUCKET = "jobs"
NEEDED = {"Effect": "Allow", "Action": ["ecr:*", "logs:*", "cloudwatch:*", "s3:ListBucket"], "Resource": "*"}
OWN = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/own/*"}
PROGRAM = """
import json, os
import boto3

given = json.load(open("/opt/ml/processing/input/given.json"))

def attempt(call, **parameters):
    try:
        call(**parameters)
    except Exception as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
    return "allowed"

def buckets(key, secret, token=None):
    return attempt(boto3.client("s3", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
                   .list_buckets)

s3 = boto3.client("s3")
own = [os.environ.get(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]
found = {
    "any": buckets("any", "any"),
    "local": buckets("local", "local"),
    "administrator": buckets(given["administrator"], "guessed"),
    "own key, other secret": buckets(own[0], "guessed", own[2]),
    "own key without token": buckets(own[0], own[1]),
    "another job's": buckets(*given["other"]),
    "file": attempt(open, file=given["file"]),
    "allowed": attempt(s3.put_object, Bucket="jobs", Key="own/x", Body=b""),
    "denied": attempt(s3.put_object, Bucket="jobs", Key="other/x", Body=b""),
    "key of a user": attempt(boto3.client("iam").create_access_key, UserName="any"),
}
s3.put_object(Bucket="jobs", Key=given["answer"], Body=json.dumps({"found": found, "own": own}))
"""


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as handle:
        yield handle


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
def test_a_job_comes_by_no_credentials_but_its_own(
    endpoint: EndpointHandle, image: JobEnvironment, eventually: Callable[..., Any]
) -> None:
    assert image.python.exists()
    s3, iam, sagemaker = (endpoint.client(name) for name in ("s3", "iam", "sagemaker"))
    s3.create_bucket(Bucket=BUCKET)
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName="job", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="job", PolicyName="p", PolicyDocument=policy(NEEDED, OWN))

    def run(name: str, other: list[str | None]) -> dict[str, Any]:
        given = {
            "administrator": endpoint.credentials.access_key,
            "file": str(endpoint.state_dir / CREDENTIALS_NAME),
            "other": other,
            "answer": f"own/{name}.json",
        }
        s3.put_object(Bucket=BUCKET, Key=f"own/{name}/program.py", Body=PROGRAM.encode())
        s3.put_object(Bucket=BUCKET, Key=f"own/{name}/given.json", Body=json.dumps(given).encode())
        folder = "/opt/ml/processing/input"
        sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=arn,
            AppSpecification={
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", f"{folder}/program.py"],
            },
            ProcessingInputs=[
                {
                    "InputName": "program",
                    "S3Input": {
                        "S3Uri": f"s3://{BUCKET}/own/{name}/",
                        "LocalPath": folder,
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
        )

        def ended() -> Any:
            job = sagemaker.describe_processing_job(ProcessingJobName=name)
            return job if job["ProcessingJobStatus"] != "InProgress" else None

        assert eventually(ended)["ProcessingJobStatus"] == "Completed", ended()
        answer: dict[str, Any] = json.loads(s3.get_object(Bucket=BUCKET, Key=f"own/{name}.json")["Body"].read())
        return answer

    foreign = "arn:aws-cn:iam::123456789012:role/job"
    sagemaker.create_processing_job(
        ProcessingJobName="foreign",
        RoleArn=foreign,
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    refused = eventually(lambda: sagemaker.describe_processing_job(ProcessingJobName="foreign").get("FailureReason"))
    assert f"Could not assume role {foreign}" in refused
    first = run("first", ["any", "any", None])
    second = run("second", first["own"])
    assert second["found"] == {
        "any": "InvalidAccessKeyId",
        "local": "InvalidAccessKeyId",
        "administrator": "SignatureDoesNotMatch",
        "own key, other secret": "SignatureDoesNotMatch",
        "own key without token": "InvalidToken",
        "another job's": "ExpiredToken",
        "file": "FileNotFoundError",
        "allowed": "allowed",
        "denied": "AccessDenied",
        "key of a user": "AccessDenied",
    }
