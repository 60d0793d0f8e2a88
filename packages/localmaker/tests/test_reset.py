"""``POST /moto-api/reset`` forgets what every service holds, also what runs, for good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.images.table import DEFAULT_IMAGE

ROLE = "arn:aws:iam::123456789012:role/reset"


def fill(endpoint: EndpointHandle) -> str:
    """Create one of each kind of resource that has a store of its own, and return the id of a query.

    A job and an execution still run then.
    """
    sagemaker, s3 = endpoint.client("sagemaker"), endpoint.client("s3")
    s3.create_bucket(Bucket="reset")
    queue = endpoint.client("sqs").create_queue(QueueName="reset")["QueueUrl"]
    waiting = {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}}
    definition = json.dumps({"Version": "2020-12-01", "Steps": [waiting]})
    sagemaker.create_pipeline(
        PipelineName="p", PipelineDefinition=definition, RoleArn=ROLE, ClientRequestToken="t" * 32
    )
    sagemaker.start_pipeline_execution(PipelineName="p")
    sagemaker.create_processing_job(
        ProcessingJobName="j",
        AppSpecification={"ImageUri": DEFAULT_IMAGE, "ContainerEntrypoint": ["sleep", "600"]},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        RoleArn=ROLE,
    )
    sagemaker.create_feature_group(
        FeatureGroupName="f",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": "String"} for name in ("id", "at")],
        OnlineStoreConfig={"EnableOnlineStore": True},
        RoleArn=ROLE,
    )
    sagemaker.create_code_repository(CodeRepositoryName="c", GitConfig={"RepositoryUrl": "https://example.com/c.git"})
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    events = endpoint.client("events")
    events.put_rule(Name="r", ScheduleExpression="rate(1 hour)")
    query = endpoint.client("athena").start_query_execution(
        QueryString="SELECT 1", ResultConfiguration={"OutputLocation": "s3://reset/results/"}
    )
    requests.post(f"{endpoint.url}/_local/clock", json={"now": "2036-01-01T00:00:00Z"}, timeout=60).raise_for_status()
    return str(query["QueryExecutionId"])


def left(endpoint: EndpointHandle) -> dict[str, Any]:
    """Return what the endpoint lists."""
    sagemaker = endpoint.client("sagemaker")
    return {
        "pipelines": sagemaker.list_pipelines()["PipelineSummaries"],
        "jobs": sagemaker.list_processing_jobs()["ProcessingJobSummaries"],
        "groups": sagemaker.list_feature_groups()["FeatureGroupSummaries"],
        "repositories": sagemaker.list_code_repositories()["CodeRepositorySummaryList"],
        "packages": sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"],
        "buckets": endpoint.client("s3").list_buckets()["Buckets"],
        "queues": endpoint.client("sqs").list_queues().get("QueueUrls", []),
        "rules": endpoint.client("events").list_rules()["Rules"],
    }


def test_everything_is_forgotten_for_good(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        empty = left(endpoint)
        query = fill(endpoint)
        assert [kind for kind, found in left(endpoint).items() if not found] == []
        answer = requests.post(f"{endpoint.url}/moto-api/reset", timeout=120)
        assert answer.json() == {"status": "ok"}
        assert left(endpoint) == empty
        moved = requests.post(f"{endpoint.url}/_local/clock", json={"now": "2030-01-01T00:00:00Z"}, timeout=60).json()
        assert moved["next"] is None
        with pytest.raises(ClientError, match=f"QueryExecution {query} was not found"):
            endpoint.client("athena").get_query_execution(QueryExecutionId=query)
    with running_endpoint(tmp_path) as endpoint:
        assert left(endpoint) == empty
        # Names and tokens are free again.
        fill(endpoint)
        assert [kind for kind, found in left(endpoint).items() if not found] == []


def test_only_a_post_resets(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        endpoint.client("s3").create_bucket(Bucket="stays")
        requests.get(f"{endpoint.url}/moto-api/reset", timeout=60)
    with running_endpoint(tmp_path) as endpoint:
        assert [one["Name"] for one in endpoint.client("s3").list_buckets()["Buckets"]] == ["stays"]
