"""Each region has pipelines, executions and jobs of its own; what runs there works there."""

from __future__ import annotations

import json

import pytest
import requests
from botocore.exceptions import ClientError

from localmaker.daemon import running_endpoint

ROLE = "arn:aws:iam::123456789012:role/r"
HERE, THERE = "us-east-1", "ap-southeast-2"
FAIL = json.dumps(
    {"Version": "2020-12-01", "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
)
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


def processing(name, code):
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python", "-c", code]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }


def test_pipelines_and_executions_belong_to_the_region_of_the_request(endpoint, unique, eventually):
    here, there = endpoint.client("sagemaker", HERE), endpoint.client("sagemaker", THERE)
    arn = there.create_pipeline(
        PipelineName=unique, PipelineDefinition=FAIL, RoleArn=ROLE, ClientRequestToken="t" * 32
    )["PipelineArn"]
    assert arn == f"arn:aws:sagemaker:{THERE}:123456789012:pipeline/{unique}"
    with pytest.raises(ClientError, match="does not exist"):
        here.describe_pipeline(PipelineName=unique)
    other = here.create_pipeline(
        PipelineName=unique, PipelineDefinition=FAIL, RoleArn=ROLE, ClientRequestToken="t" * 32
    )["PipelineArn"]
    assert other != arn
    execution = there.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
    assert execution.startswith(arn)
    eventually(
        lambda: there.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"] == "Failed"
    )
    assert here.list_pipeline_executions(PipelineName=unique)["PipelineExecutionSummaries"] == []


def test_a_job_works_in_the_region_that_it_was_created_in(endpoint, unique, eventually):
    there = endpoint.client("sagemaker", THERE)
    queue = endpoint.client("sqs", THERE).create_queue(QueueName=unique)["QueueUrl"]
    code = (
        f"import boto3; print('sent'); boto3.client('sqs').send_message(QueueUrl={queue!r}, MessageBody='from the job')"
    )
    arn = there.create_processing_job(**processing(unique, code))["ProcessingJobArn"]
    assert arn.split(":")[3] == THERE
    eventually(
        lambda: (
            there.describe_processing_job(ProcessingJobName=unique)["ProcessingJobStatus"] in ("Completed", "Failed")
        )
    )
    described = there.describe_processing_job(ProcessingJobName=unique)
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    (message,) = endpoint.client("sqs", THERE).receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "from the job"
    streams = endpoint.client("logs", THERE).describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=unique
    )["logStreams"]
    assert streams
    with pytest.raises(ClientError, match="Could not find requested job"):
        endpoint.client("sagemaker", HERE).describe_processing_job(ProcessingJobName=unique)


def test_rules_of_another_region_start_pipelines_there(endpoint, unique, eventually):
    sagemaker, events = endpoint.client("sagemaker", THERE), endpoint.client("events", THERE)
    arn = sagemaker.create_pipeline(
        PipelineName=unique, PipelineDefinition=FAIL, RoleArn=ROLE, ClientRequestToken=unique.ljust(32, "x")
    )["PipelineArn"]
    events.put_rule(Name=unique, EventPattern=json.dumps({"source": [unique]}))
    events.put_targets(Rule=unique, Targets=[{"Id": "1", "Arn": arn, "RoleArn": ROLE}])
    events.put_events(Entries=[{"Source": unique, "DetailType": "Go", "Detail": "{}"}])
    (started,) = eventually(
        lambda: sagemaker.list_pipeline_executions(PipelineName=unique)["PipelineExecutionSummaries"]
    )
    assert started["PipelineExecutionArn"].startswith(arn)


def test_changes_of_a_jobs_status_are_told_in_its_region(endpoint, unique, eventually):
    events, sqs = endpoint.client("events", THERE), endpoint.client("sqs", THERE)
    queue = sqs.create_queue(QueueName=unique)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.sagemaker"],
        "region": [THERE],
        "detail": {"ProcessingJobName": [unique], "ProcessingJobStatus": ["Completed"]},
    }
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "1", "Arn": arn}])
    endpoint.client("sagemaker", THERE).create_processing_job(**processing(unique, "print(1)"))
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(message["Body"])["region"] == THERE


@pytest.mark.parametrize("region", ["..", "..%2f..", "EU"])
def test_what_can_be_no_region_is_refused(endpoint, region):
    scope = f"Credential=local/20260101/{region}/sagemaker/aws4_request"
    answer = requests.post(
        endpoint.url,
        data="{}",
        headers={
            "X-Amz-Target": "SageMaker.ListPipelines",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        },
        timeout=10,
    )
    assert answer.status_code == 400
    assert "is not the name of a region" in answer.json()["message"]
    assert {path.name for path in (endpoint.state_dir / "regions").iterdir()} <= {HERE, THERE, "eu-west-1"}


def test_s3_names_the_region_that_it_expects(endpoint, unique):
    # As clients sign that name the first region as S3 once did.
    scope = "Credential=local/20260101/US/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    answer = requests.put(f"{endpoint.url}/{unique}", headers=headers, timeout=10)
    assert answer.status_code == 400
    assert "<Code>AuthorizationHeaderMalformed</Code>" in answer.text
    assert "<Region>us-east-1</Region>" in answer.text


def test_what_an_earlier_version_kept_for_all_regions_is_set_aside(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "pipelines.sqlite3").write_bytes(b"of old")
    with running_endpoint(tmp_path) as endpoint:
        assert endpoint.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
        assert "jobs is from a version without regions" in endpoint.running.restored
    [aside] = tmp_path.glob("set-aside-*")
    assert {path.name for path in aside.iterdir()} == {"jobs", "pipelines.sqlite3"}
