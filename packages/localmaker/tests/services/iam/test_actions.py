"""Which actions on which resources a request takes, by the table."""

from __future__ import annotations

import pytest

from localmaker.services.iam.actions import Location, required_calls

CARD = "arn:aws:sagemaker:eu-west-1:123456789012:model-card/bikes-1"


def test_an_export_job_is_part_of_its_card():
    location = Location("eu-west-1", "123456789012")
    job = {"ModelCardExportJobArn": f"{CARD}/export-job/pdf"}
    (call,) = required_calls("sagemaker", "DescribeModelCardExportJob", job, location)
    assert call.resource == f"{CARD}/export-job/pdf"
    export = {"ModelCardName": "bikes-1", "ModelCardExportJobName": "pdf", "OutputConfig": {"S3OutputPath": "s3://b/c"}}
    (call,) = required_calls("sagemaker", "CreateModelCardExportJob", export, location)
    assert call.resource == CARD


@pytest.mark.parametrize(
    ("operation", "request_", "resource"),
    [
        ("GetSecretValue", {"SecretId": "arn:aws:secretsmanager:us-east-1:1:secret:git-AbCdEf"}, "git-AbCdEf"),
        ("GetSecretValue", {"SecretId": "git"}, "git-000000"),
        ("CreateSecret", {"Name": "git"}, "git-000000"),
    ],
)
def test_a_secret_is_named_by_its_arn_or_its_name(operation, request_, resource):
    (call,) = required_calls("secretsmanager", operation, request_, Location("us-east-1", "123456789012"))
    assert call.resource.endswith(f":secret:{resource}")


def test_a_tuning_job_passes_the_roles_of_its_training_jobs():
    location = Location("us-east-1", "123456789012")
    roles = ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"]
    named = {"HyperParameterTuningJobName": "t"}
    several = {**named, "TrainingJobDefinitions": [{"RoleArn": role} for role in roles]}
    create, *passed = required_calls("sagemaker", "CreateHyperParameterTuningJob", several, location)
    assert create.resource == "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/t"
    assert [(call.action, call.resource) for call in passed] == [("iam:PassRole", role) for role in roles]
    one = {**named, "TrainingJobDefinition": {"RoleArn": roles[0]}}
    assert [call.resource for call in required_calls("sagemaker", "CreateHyperParameterTuningJob", one, location)][
        1:
    ] == [roles[0]]


def test_lineage_is_read_and_changed_by_arn():
    location = Location("us-east-1", "123456789012")
    arns = {
        f"{end}Arn": f"arn:aws:sagemaker:us-east-1:123456789012:artifact/{end}" for end in ("Source", "Destination")
    }
    calls = required_calls("sagemaker", "AddAssociation", arns, location)
    assert [(call.action, call.resource) for call in calls] == [
        ("sagemaker:AddAssociation", arn) for arn in arns.values()
    ]
    (call,) = required_calls("sagemaker", "DescribeAction", {"ActionName": "a"}, location)
    assert call.resource == "arn:aws:sagemaker:us-east-1:123456789012:action/a"
