"""Events of the registry: who is told of what, and that nobody is forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.services.sagemaker.store import ResourceStore

PACKAGE, CARD = "SageMaker Model Package State Change", "SageMaker Model Card State Change"
VERSION = "2012-10-17"
TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
ALLOWED = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": VERSION, "Statement": [statement]})


def listen(endpoint: EndpointHandle, name: str, queue: Any, detail_type: str, detail: dict[str, Any]) -> None:
    events = endpoint.client("events")
    pattern = {"source": ["aws.sagemaker"], "detail-type": [detail_type], "detail": detail}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])


def test_a_version_and_its_changes(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    listen(endpoint, unique, queue, PACKAGE, {"ModelPackageGroupName": [unique]})
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=unique)
    sagemaker.create_model_package_group(ModelPackageGroupName=f"{unique}-other")
    sagemaker.create_model_package(ModelPackageGroupName=f"{unique}-other")
    arn = sagemaker.create_model_package(ModelPackageGroupName=unique)["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")  # changes nothing
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "b"})
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Rejected", CustomerMetadataPropertiesToRemove=["a"]
    )
    told = sorted(queue.events(4), key=lambda event: event["detail"]["LastModifiedTime"])
    assert all(event["resources"] == [arn] and event["detail"]["ModelPackageArn"] == arn for event in told)
    assert all(event["detail"]["ModelPackageVersion"] == 1 for event in told)
    seen = {
        (event["detail"]["ModelApprovalStatus"], *sorted(event["detail"].get("UpdatedModelPackageFields", [])))
        for event in told
    }
    assert seen == {
        ("PendingManualApproval",),
        ("Approved", "ApprovalDescription", "ModelApprovalStatus"),
        ("Approved", "CustomerMetadataProperties"),
        ("Rejected", "CustomerMetadataProperties", "ModelApprovalStatus"),
    }


FOLLOWER = """
import boto3

def handler(event, context):
    sagemaker = boto3.client("sagemaker", endpoint_url="{url}")
    package = sagemaker.describe_model_package(ModelPackageName=event["detail"]["ModelPackageArn"])
    known = package.get("CustomerMetadataProperties", {{}})
    if package["ModelApprovalStatus"] == "Approved" and "stamped" not in known:
        sagemaker.update_model_package(
            ModelPackageArn=package["ModelPackageArn"], CustomerMetadataProperties={{"stamped": "yes"}}
        )
"""


def test_a_function_that_changes_the_package_it_is_told_of(
    endpoint: EndpointHandle, unique: str, queue: Any, eventually: Callable[..., Any]
) -> None:
    (endpoint.state_dir / "follower.py").write_text(FOLLOWER.format(url=endpoint.url))
    with (endpoint.state_dir / "functions.toml").open("a") as table:
        table.write(f'[[function]]\nname = "{unique}"\nhandler = "follower.py:handler"\n')
    listen(endpoint, unique, queue, PACKAGE, {"ModelPackageGroupName": [unique]})
    function = f"arn:aws:lambda:{endpoint.region}:123456789012:function:{unique}"
    endpoint.client("events").put_targets(Rule=unique, Targets=[{"Id": "f", "Arn": function}])
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=unique)
    arn = sagemaker.create_model_package(ModelPackageGroupName=unique)["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    described = eventually(
        lambda: (
            (found := sagemaker.describe_model_package(ModelPackageName=arn)).get("CustomerMetadataProperties")
            and found
        )
    )
    assert described["CustomerMetadataProperties"] == {"stamped": "yes"}
    updated = [event["detail"].get("UpdatedModelPackageFields", []) for event in queue.events(3)]
    assert sorted(updated) == [[], ["CustomerMetadataProperties"], ["ModelApprovalStatus"]]


def test_a_card_and_its_status(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    listen(endpoint, unique, queue, CARD, {"ModelCardName": [unique]})
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_model_card(ModelCardName=unique, Content="{}", ModelCardStatus="Draft")
    sagemaker.update_model_card(ModelCardName=unique, Content='{"model_overview": {}}')
    sagemaker.update_model_card(ModelCardName=unique, ModelCardStatus="PendingReview")
    seen = {(one["detail"]["ModelCardVersion"], one["detail"]["ModelCardStatus"]) for one in queue.events(3)}
    assert seen == {(1, "Draft"), (2, "Draft"), (2, "PendingReview")}


def test_what_a_killed_endpoint_had_not_published_is_published(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as first:
        sqs = first.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        first.client("events").put_rule(Name="r", EventPattern=json.dumps({"detail-type": [PACKAGE]}))
        first.client("events").put_targets(Rule="r", Targets=[{"Id": "q", "Arn": arn}])
    left = {"detail-type": PACKAGE, "source": "aws.sagemaker", "detail": {"ModelPackageVersion": 7}}
    store = ResourceStore(tmp_path / "resources.db")
    store.put("state-change", "0", left)
    store.close()
    with running_endpoint(tmp_path) as second:
        answer = second.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)
        assert json.loads(answer["Messages"][0]["Body"])["detail"] == left["detail"]
    store = ResourceStore(tmp_path / "resources.db")
    assert store.all("state-change") == []
    store.close()


def test_who_registered_and_approved_a_version(tmp_path: Path) -> None:
    with running_endpoint(tmp_path, enforce_iam=True) as endpoint:
        iam, sagemaker = endpoint.client("iam"), endpoint.client("sagemaker")
        role = iam.create_role(RoleName="reviewer", AssumeRolePolicyDocument=policy(TRUST))["Role"]
        iam.put_role_policy(RoleName="reviewer", PolicyName="p", PolicyDocument=policy(ALLOWED))
        user = iam.create_user(UserName="builder")["User"]
        iam.put_user_policy(UserName="builder", PolicyName="p", PolicyDocument=policy(ALLOWED))
        key = iam.create_access_key(UserName="builder")["AccessKey"]
        builder = client_of(endpoint, key["AccessKeyId"], key["SecretAccessKey"])
        builder.create_model_package_group(ModelPackageGroupName="g")
        arn = builder.create_model_package(ModelPackageGroupName="g")["ModelPackageArn"]
        session = endpoint.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="ann")["Credentials"]
        reviewer = client_of(endpoint, session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        reviewer.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CreatedBy"]["IamIdentity"] == {"Arn": user["Arn"], "PrincipalId": user["UserId"]}
    assert described["LastModifiedBy"]["IamIdentity"] == {
        "Arn": "arn:aws:sts::123456789012:assumed-role/reviewer/ann",
        "PrincipalId": f"{role['RoleId']}:ann",
    }


def client_of(endpoint: EndpointHandle, key: str, secret: str, token: str | None = None) -> Any:
    return boto3.client(
        "sagemaker",
        endpoint_url=endpoint.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


@pytest.mark.parametrize("request_", [{"Content": "{}"}, {"ModelCardStatus": "Draft"}])
def test_an_archived_card_is_not_updated_any_more(
    endpoint: EndpointHandle, unique: str, request_: dict[str, str]
) -> None:
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_model_card(ModelCardName=unique, Content="{}", ModelCardStatus="Approved")
    sagemaker.update_model_card(ModelCardName=unique, ModelCardStatus="Archived")
    with pytest.raises(sagemaker.exceptions.ClientError, match="Model Card is in Archived state"):
        sagemaker.update_model_card(ModelCardName=unique, **request_)
