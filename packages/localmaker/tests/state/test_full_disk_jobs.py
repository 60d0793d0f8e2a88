"""A disk that is full while an execution runs: it ends and says why, and the endpoint works on without a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.state.failing_disk import FailingDisk

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.images.environments import JobEnvironment

ROLE = "arn:aws:iam::123456789012:role/full"
#: An execution makes fewer writes than this; `make acceptance` lets each of them fail.
MOST_WRITES = 300
_FULL_BUDGET = 24
# So many failures are seen before there is room again.
_PATIENCE = 3
ENDED = ("Succeeded", "Failed")
JOB = {
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
    },
    "AppSpecification": {
        "ImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
        "ContainerEntrypoint": [
            "/bin/sh",
            "-c",
            "cat /opt/ml/processing/in/* > /opt/ml/processing/out/copy",
        ],
    },
    "RoleArn": ROLE,
    "ProcessingInputs": [
        {
            "InputName": "in",
            "S3Input": {
                "S3Uri": "s3://data/in/",
                "LocalPath": "/opt/ml/processing/in",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "out",
                "S3Output": {
                    "S3Uri": "s3://data/out",
                    "LocalPath": "/opt/ml/processing/out",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ]
    },
}
DEFINITION = {"Version": "2020-12-01", "Steps": [{"Name": "Copy", "Type": "Processing", "Arguments": JOB}]}
PIPELINE = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"


def prepare(endpoint: EndpointHandle) -> None:
    """A file, and a rule that starts the pipeline for each file that comes."""
    s3, events = endpoint.client("s3"), endpoint.client("events")
    s3.create_bucket(Bucket="data")
    s3.put_bucket_notification_configuration(Bucket="data", NotificationConfiguration={"EventBridgeConfiguration": {}})
    endpoint.client("sagemaker").create_pipeline(
        PipelineName="p", PipelineDefinition=json.dumps(DEFINITION), ClientRequestToken="t" * 32, RoleArn=ROLE
    )
    pattern = {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "in/"}]}}}
    events.put_rule(Name="r", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": PIPELINE, "RoleArn": ROLE}])


def executions(endpoint: EndpointHandle) -> list[dict[str, Any]]:
    """Return all executions, newest first, with what is known of why they failed."""
    sagemaker = endpoint.client("sagemaker")
    listed = sagemaker.list_pipeline_executions(PipelineName="p", MaxResults=100)["PipelineExecutionSummaries"]
    found = []
    for one in listed:
        arn = one["PipelineExecutionArn"]
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        reasons = [one.get("FailureReason") for one in (described, *steps)]
        found.append({"arn": arn, "status": one["PipelineExecutionStatus"], "steps": len(steps), "reasons": reasons})
    return found


def all_ended(endpoint: EndpointHandle, count: int) -> list[dict[str, Any]]:
    """Return the executions if there are so many and all have ended, else nothing."""
    found = executions(endpoint)
    return found if len(found) >= count and all(one["status"] in ENDED for one in found) else []


def puts(endpoint: EndpointHandle, key: str) -> bool:
    """Return whether a file is put; if it is refused, it is not there."""
    s3 = endpoint.client("s3")
    try:
        s3.put_object(Bucket="data", Key=key, Body=b"x")
    except ClientError as error:
        refusal = str(error)
    else:
        return True
    assert "nothing has changed" in refusal
    assert key not in [one["Key"] for one in s3.list_objects_v2(Bucket="data").get("Contents", [])]
    return False


@pytest.mark.randomised("faults")
def test_an_execution_ends_whichever_write_fails(
    tmp_path: Path,
    seed: int,
    image: JobEnvironment,
    eventually: Callable[..., Any],
    pytestconfig: pytest.Config,
) -> None:
    budget = pytestconfig.getoption("faults")
    writes = range(seed + 1, MOST_WRITES, budget) if budget >= _FULL_BUDGET else [20 + 30 * seed]
    disk, state_dir = FailingDisk(tmp_path), tmp_path / "state"
    with disk.endpoint(state_dir) as first:
        prepare(first)
        s3 = first.client("s3")
        expected = 0
        for write in writes:
            disk.fail(write)
            refused = not puts(first, f"in/{write}")
            expected += not refused
            # What cannot end while the disk is full goes on when there is room again.
            if not refused:
                eventually(lambda count=expected: disk.failed >= _PATIENCE or all_ended(first, count))
            failed = disk.work()
            for one in eventually(lambda count=expected: all_ended(first, count)) if expected else ():
                assert one["status"] == "Succeeded" or any(one["reasons"])
            if not failed:
                break
        # There is room again.
        assert puts(first, "in/last")
        after = eventually(lambda: all_ended(first, expected + 1))
        assert after[0]["status"] == "Succeeded"
        assert len(after) == expected + 1
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="data")["Contents"]]
        assert "out/copy" in keys
    with running_endpoint(state_dir) as second:
        assert executions(second) == after
        assert [one["Key"] for one in second.client("s3").list_objects_v2(Bucket="data")["Contents"]] == keys
