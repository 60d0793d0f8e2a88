"""Stacks make their resources by the endpoint's own APIs, or fail and say why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from moto.cloudformation.parsing import get_model_map

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.services.cloudformation.stacks import KINDS

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sagemaker.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
READ = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DEFINITION = {"Version": "2020-12-01", "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "e"}}]}
HANDLER = "def handler(event, context):\n    return {'said': event['say']}\n"


def role(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **more}}


def pipeline(name: str, definition: Any = DEFINITION, **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::SageMaker::Pipeline",
        "Properties": {
            "PipelineName": name,
            "PipelineDefinition": {"PipelineDefinitionBody": json.dumps(definition)},
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
            **more,
        },
    }


def project(name: str) -> dict[str, Any]:
    """Return what projects' templates hold, in a form that names each resource after the stack."""
    arn = {"Fn::GetAtt": ["Role", "Arn"]}
    resources = {
        "Role": role(ManagedPolicyArns=[READ], Policies=[{"PolicyName": "own", "PolicyDocument": POLICY}]),
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketName": name,
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": "true"}},
            },
        },
        "Pipeline": pipeline(name, ParallelismConfiguration={"MaxParallelExecutionSteps": "3"}),
        "Group": {
            "Type": "AWS::SageMaker::ModelPackageGroup",
            "Properties": {"ModelPackageGroupName": name, "Tags": [{"Key": "a", "Value": "b"}]},
        },
        "Features": {
            "Type": "AWS::SageMaker::FeatureGroup",
            "Properties": {
                "FeatureGroupName": name,
                "RecordIdentifierFeatureName": "id",
                "EventTimeFeatureName": "at",
                "FeatureDefinitions": [{"FeatureName": one, "FeatureType": "String"} for one in ("id", "at")],
                "OnlineStoreConfig": {"EnableOnlineStore": True},
                "RoleArn": arn,
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Code": {"ZipFile": HANDLER},
                "Role": arn,
                "Timeout": "30",
            },
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": name,
                "EventPattern": {"source": ["aws.s3"], "detail": {"bucket": {"name": [{"Ref": "Bucket"}]}}},
                "Targets": [
                    {
                        "Id": "pipeline",
                        "Arn": {"Fn::Sub": "arn:aws:sagemaker:${AWS::Region}:${AWS::AccountId}:pipeline/${Pipeline}"},
                        "RoleArn": arn,
                    }
                ],
            },
        },
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "Name": name,
                "ScheduleExpression": "rate(1 day)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "RoleArn": arn},
            },
        },
        "Metadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2"}},
    }
    outputs = {
        "Pipeline": {"Value": {"Ref": "Pipeline"}},
        "Group": {"Value": {"Fn::GetAtt": ["Group", "ModelPackageGroupArn"]}},
        "Function": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
    }
    return {"Resources": resources, "Outputs": outputs}


@pytest.fixture
def cloudformation(endpoint: EndpointHandle) -> Any:
    return endpoint.client("cloudformation")


def create(cloudformation: Any, name: str, template: dict[str, Any]) -> dict[str, Any]:
    """Create a stack, and return its description, when it is complete or has failed."""
    identifier = cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))["StackId"]
    described: dict[str, Any] = cloudformation.describe_stacks(StackName=identifier)["Stacks"][0]
    return described


def reason(cloudformation: Any, name: str, logical_id: str) -> str:
    """Return why a resource has failed."""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    [failed] = [
        one for one in events if one["LogicalResourceId"] == logical_id and one["ResourceStatus"].endswith("_FAILED")
    ]
    return str(failed["ResourceStatusReason"])


def test_the_resources_of_a_project_are_made_and_deleted(
    endpoint: EndpointHandle, cloudformation: Any, unique: str
) -> None:
    stack = create(cloudformation, unique, project(unique))
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert outputs["Pipeline"] == unique
    assert outputs["Group"].endswith(f":model-package-group/{unique}")
    listed = cloudformation.describe_stack_resources(StackName=unique)["StackResources"]
    assert {one["LogicalResourceId"] for one in listed} == project(unique)["Resources"].keys()
    sagemaker = endpoint.client("sagemaker")
    described = sagemaker.describe_pipeline(PipelineName=unique)
    assert json.loads(described["PipelineDefinition"]) == DEFINITION
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert sagemaker.list_tags(ResourceArn=outputs["Group"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert sagemaker.describe_feature_group(FeatureGroupName=unique)["FeatureGroupStatus"] == "Created"
    s3 = endpoint.client("s3")
    assert s3.get_bucket_versioning(Bucket=unique)["Status"] == "Enabled"
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=unique)
    iam, made = endpoint.client("iam"), next(one for one in listed if one["LogicalResourceId"] == "Role")
    attached = iam.list_attached_role_policies(RoleName=made["PhysicalResourceId"])["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [READ]
    events = endpoint.client("events")
    [target] = events.list_targets_by_rule(Rule=unique)["Targets"]
    assert target["Arn"] == described["PipelineArn"]
    assert endpoint.client("scheduler").get_schedule(Name=unique)["Target"]["Arn"] == outputs["Function"]
    answer = endpoint.client("lambda").invoke(FunctionName=unique, Payload=b'{"say": "hello"}')
    assert json.load(answer["Payload"]) == {"said": "hello"}

    cloudformation.delete_stack(StackName=unique)
    assert unique not in [one["PipelineName"] for one in sagemaker.list_pipelines()["PipelineSummaries"]]
    assert unique not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert events.list_rules(NamePrefix=unique)["Rules"] == []
    assert cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_a_rule_of_a_stack_starts_its_pipeline(
    endpoint: EndpointHandle, cloudformation: Any, unique: str, eventually: Callable[..., Any]
) -> None:
    create(cloudformation, unique, project(unique))
    endpoint.client("s3").put_object(Bucket=unique, Key="k", Body=b"1")
    executions = endpoint.client("sagemaker").list_pipeline_executions
    assert eventually(lambda: executions(PipelineName=unique)["PipelineExecutionSummaries"])


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        (pipeline("p", {"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Nonsense"}]}), "Nonsense"),
        (pipeline("p", Nonsense="1"), "extraneous key [Nonsense] is not permitted"),
        (
            {"Type": "AWS::SageMaker::Domain", "Properties": {}},
            "does not make resources of type AWS::SageMaker::Domain",
        ),
        ({"Type": "AWS::Neptune::DBCluster"}, "does not make resources of type AWS::Neptune::DBCluster"),
        ({"Type": "Custom::Thing", "Properties": {"ServiceToken": "arn"}}, "does not make resources of type Custom::"),
        (
            {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "now and then"}},
            "Parameter ScheduleExpression is not valid",
        ),
        (
            {"Type": "AWS::S3::Bucket", "Properties": {"AccelerateConfiguration": {"AccelerationStatus": "Enabled"}}},
            "extraneous key [AccelerateConfiguration] is not permitted",
        ),
    ],
    ids=lambda value: value["Type"] if isinstance(value, dict) else "",
)
def test_a_resource_that_cannot_be_made_fails_the_stack(
    endpoint: EndpointHandle, cloudformation: Any, unique: str, resource: dict[str, Any], words: str
) -> None:
    template = {"Resources": {"Role": role(RoleName=unique), "Broken": {**resource, "DependsOn": "Role"}}}
    stack = create(cloudformation, unique, template)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stack["StackStatusReason"].startswith("The following resource(s) failed to create: [Broken].")
    assert words in reason(cloudformation, unique, "Broken")
    with pytest.raises(endpoint.client("iam").exceptions.NoSuchEntityException):
        endpoint.client("iam").get_role(RoleName=unique)
    assert cloudformation.describe_stack_resources(StackName=unique)["StackResources"] == []
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        cloudformation.get_waiter("stack_create_complete").wait(StackName=unique)


def test_an_export_of_what_cannot_be_made(cloudformation: Any, unique: str) -> None:
    outputs = {"Out": {"Value": {"Ref": "Broken"}, "Export": {"Name": {"Fn::Sub": "${Broken}-out"}}}}
    stack = create(cloudformation, unique, {"Resources": {"Broken": {"Type": "A::B::C"}}, "Outputs": outputs})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "A::B::C" in reason(cloudformation, unique, "Broken")


@pytest.mark.parametrize(("template", "status"), [(project, "CREATE_COMPLETE"), (None, "ROLLBACK_COMPLETE")])
def test_a_change_set_makes_the_same(
    cloudformation: Any, unique: str, template: Callable[[str], dict[str, Any]] | None, status: str
) -> None:
    """As ``aws cloudformation deploy`` does, and CDK."""
    broken = {"Broken": {"Type": "A::B::C", "DependsOn": ["Role"]}, "Role": role()}
    document = template(unique) if template else {"Resources": broken}
    named = {"StackName": unique, "ChangeSetName": "c"}
    cloudformation.create_change_set(**named, TemplateBody=json.dumps(document), ChangeSetType="CREATE")
    cloudformation.execute_change_set(**named)
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert stack["StackStatus"] == status
    assert [one["OutputKey"] for one in stack.get("Outputs", [])] == list(document.get("Outputs", {}))


def test_updates(endpoint: EndpointHandle, cloudformation: Any, unique: str) -> None:
    template = project(unique)
    create(cloudformation, unique, template)

    def update() -> dict[str, Any]:
        cloudformation.update_stack(StackName=unique, TemplateBody=json.dumps(template))
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=unique)["Stacks"][0]
        return described

    changed = {**DEFINITION, "Metadata": {"a": "b"}}
    resources = template["Resources"]
    resources["Pipeline"] = pipeline(unique, changed)
    resources["Function"]["Properties"]["Code"]["ZipFile"] = HANDLER.replace("said", "heard")
    resources["Rule"]["Properties"]["State"] = "DISABLED"
    resources["Role"]["Properties"]["ManagedPolicyArns"] = []
    del resources["Schedule"]
    assert update()["StackStatus"] == "UPDATE_COMPLETE"
    found = endpoint.client("sagemaker").describe_pipeline(PipelineName=unique)["PipelineDefinition"]
    assert json.loads(found) == changed
    answer = endpoint.client("lambda").invoke(FunctionName=unique, Payload=b'{"say": "hello"}')
    assert json.load(answer["Payload"]) == {"heard": "hello"}
    assert endpoint.client("events").describe_rule(Name=unique)["State"] == "DISABLED"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        endpoint.client("scheduler").get_schedule(Name=unique)

    resources["Rule"]["Properties"]["Name"] = f"{unique}-renamed"
    assert update()["StackStatus"] == "UPDATE_COMPLETE"
    assert endpoint.client("events").describe_rule(Name=f"{unique}-renamed")["State"] == "DISABLED"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        endpoint.client("events").describe_rule(Name=unique)

    resources["Features"]["Properties"]["RecordIdentifierFeatureName"] = "at"
    assert update()["StackStatus"] == "UPDATE_FAILED"
    assert "custom-named resource requires replacing" in reason(cloudformation, unique, "Features")


def test_a_notebook_instance_is_changed_in_place(endpoint: EndpointHandle, cloudformation: Any, unique: str) -> None:
    properties = {"InstanceType": "ml.t3.medium", "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}
    instance = {"Type": "AWS::SageMaker::NotebookInstance", "Properties": properties}
    template = {
        "Resources": {"Role": role(), "Instance": instance},
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Instance", "NotebookInstanceName"]}}},
    }
    [output] = create(cloudformation, unique, template)["Outputs"]
    properties["InstanceType"] = "ml.t3.large"
    cloudformation.update_stack(StackName=unique, TemplateBody=json.dumps(template))
    named = {"NotebookInstanceName": output["OutputValue"]}
    found = endpoint.client("sagemaker").describe_notebook_instance(**named)
    assert found["InstanceType"] == "ml.t3.large"
    assert found["NotebookInstanceStatus"] in ("Pending", "InService")
    cloudformation.delete_stack(StackName=unique)
    with pytest.raises(ClientError, match="RecordNotFound"):
        endpoint.client("sagemaker").describe_notebook_instance(**named)


def test_a_bucket_that_is_not_empty_stays(endpoint: EndpointHandle, cloudformation: Any, unique: str) -> None:
    create(cloudformation, unique, project(unique))
    s3 = endpoint.client("s3")
    s3.put_bucket_versioning(Bucket=unique, VersioningConfiguration={"Status": "Suspended"})
    version = s3.put_object(Bucket=unique, Key="k", Body=b"1").get("VersionId", "null")
    cloudformation.delete_stack(StackName=unique)
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert "BucketNotEmpty" in reason(cloudformation, unique, "Bucket")
    s3.delete_object(Bucket=unique, Key="k", VersionId=version)
    cloudformation.delete_stack(StackName=unique)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=unique)


def test_a_stack_survives_a_restart(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        create(endpoint.client("cloudformation"), "kept", project("kept"))
    with running_endpoint(tmp_path) as endpoint:
        cloudformation = endpoint.client("cloudformation")
        assert [one["StackName"] for one in cloudformation.describe_stacks()["Stacks"]] == ["kept"]
        cloudformation.delete_stack(StackName="kept")
        assert endpoint.client("sagemaker").list_pipelines()["PipelineSummaries"] == []


# moto makes these in the same way as its API does, which the endpoint leaves to moto.
_MOTO_AS_WELL = {
    "AWS::Events::EventBus",
    "AWS::Events::Archive",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::LayerVersion",
    "AWS::CloudWatch::Dashboard",
}


def test_no_resource_is_made_past_what_the_endpoint_answers_itself() -> None:
    services = ("Athena", "CloudWatch", "Events", "Lambda", "S3", "Scheduler")
    known = {kind for kind in get_model_map() if "::" in kind and kind.split("::")[1] in services}
    assert known - KINDS.keys() == _MOTO_AS_WELL


def test_a_condition_that_is_false_makes_no_resource(cloudformation: Any, unique: str) -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"Role": role(), "Unknown": {"Type": "A::B::C", "Condition": "Never"}},
    }
    assert create(cloudformation, unique, template)["StackStatus"] == "CREATE_COMPLETE"
    listed = cloudformation.describe_stack_resources(StackName=unique)["StackResources"]
    assert [one["LogicalResourceId"] for one in listed] == ["Role"]


def test_the_properties_of_a_bucket(endpoint: EndpointHandle, cloudformation: Any, unique: str, queue: Any) -> None:
    properties = {
        "BucketName": unique,
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/own"}}
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "old",
                    "Status": "Enabled",
                    "Prefix": "tmp/",
                    "ExpirationInDays": "30",
                    "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 7}],
                }
            ]
        },
        "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": 60}]},
        "NotificationConfiguration": {
            "QueueConfigurations": [
                {
                    "Event": "s3:ObjectCreated:*",
                    "Queue": queue.arn,
                    "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".csv"}]}},
                }
            ]
        },
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    template = {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties},
            "Policy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Bucket"},
                    "PolicyDocument": {"Statement": [{**POLICY["Statement"][0], "Principal": "*"}]},
                },
            },
        }
    }
    assert create(cloudformation, unique, template)["StackStatus"] == "CREATE_COMPLETE"
    s3, named = endpoint.client("s3"), {"Bucket": unique}
    [encrypted] = s3.get_bucket_encryption(**named)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encrypted["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == "alias/own"
    [rule] = s3.get_bucket_lifecycle_configuration(**named)["Rules"]
    assert (rule["Expiration"], rule["Filter"]) == ({"Days": 30}, {"Prefix": "tmp/"})
    assert rule["Transitions"] == [{"Days": 7, "StorageClass": "GLACIER"}]
    assert s3.get_bucket_cors(**named)["CORSRules"][0]["MaxAgeSeconds"] == 60
    assert s3.get_bucket_tagging(**named)["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert json.loads(s3.get_bucket_policy(**named)["Policy"])["Statement"][0]["Principal"] == "*"
    s3.put_object(**named, Key="k.txt", Body=b"1")
    s3.put_object(**named, Key="k.csv", Body=b"1")
    sent = [record["s3"]["object"]["key"] for event in queue.events(2) for record in event.get("Records", [])]
    assert sent == ["k.csv"]


@pytest.mark.parametrize(("kind", "status"), [("AWS::SQS::Queue", "CREATE_COMPLETE"), ("A::B::C", "ROLLBACK_COMPLETE")])
def test_a_stack_fails_with_the_stack_in_it(
    endpoint: EndpointHandle, cloudformation: Any, unique: str, kind: str, status: str
) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="inner.json", Body=json.dumps({"Resources": {"Thing": {"Type": kind}}}))
    properties = {"TemplateURL": f"{endpoint.url}/{unique}/inner.json"}
    template = {"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}}}
    assert create(cloudformation, unique, template)["StackStatus"] == status
    if status == "ROLLBACK_COMPLETE":
        assert "failed to create: [Thing]" in reason(cloudformation, unique, "Inner")


def test_a_name_is_made_up_that_every_service_takes(endpoint: EndpointHandle, cloudformation: Any, unique: str) -> None:
    configuration = {"Type": "AWS::SageMaker::NotebookInstanceLifecycleConfig", "Properties": {}}
    stack = create(cloudformation, f"{unique}-{'long-' * 15}", {"Resources": {"Config": configuration}})
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    listed = endpoint.client("sagemaker").list_notebook_instance_lifecycle_configs(NameContains=unique)
    [found] = listed["NotebookInstanceLifecycleConfigs"]
    assert len(found["NotebookInstanceLifecycleConfigName"]) == 63
