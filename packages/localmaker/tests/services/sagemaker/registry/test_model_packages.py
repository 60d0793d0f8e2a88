"""Model packages and their groups."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scikit:1.9-0"
PACKAGE: dict[str, Any] = {
    "ModelPackageDescription": "d",
    "InferenceSpecification": {
        "Containers": [
            {
                "Image": IMAGE,
                "ModelDataUrl": "s3://b/model.tar.gz",
                "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
            }
        ],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
        "SupportedTransformInstanceTypes": ["ml.m7i.large"],
    },
    "ModelMetrics": {
        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/evaluation.json"}}
    },
    "DriftCheckBaselines": {
        "ModelDataQuality": {"Constraints": {"ContentType": "application/json", "S3Uri": "s3://b/constraints.json"}},
    },
    "SamplePayloadUrl": "s3://b/sample.tar.gz",
    "Domain": "MACHINE_LEARNING",
    "Task": "REGRESSION",
    "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Pending"},
    "ModelCard": {"ModelCardContent": '{"model_overview": {}}', "ModelCardStatus": "Draft"},
    "CustomerMetadataProperties": {"data": "abc", "code": "def"},
    "SourceUri": "s3://b/source",
    "SkipModelValidation": "All",
}


@pytest.fixture
def sagemaker(endpoint: EndpointHandle) -> Any:
    return endpoint.client("sagemaker")


@pytest.fixture
def group(sagemaker: Any, unique: str) -> str:
    sagemaker.create_model_package_group(
        ModelPackageGroupName=unique, ModelPackageGroupDescription="g", Tags=[{"Key": "k", "Value": "v"}]
    )
    return unique


def test_every_field_comes_back(sagemaker: Any, group: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, **PACKAGE)["ModelPackageArn"]
    assert arn.endswith(f":model-package/{group}/1")
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert {key: described[key] for key in PACKAGE} == PACKAGE
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageVersion"] == 1
    assert described["ModelPackageStatus"] == "Completed"


def test_approval_and_metadata(sagemaker: Any, group: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, **PACKAGE)["ModelPackageArn"]
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"more": "x"},
        CustomerMetadataPropertiesToRemove=["code"],
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "good"
    assert described["CustomerMetadataProperties"] == {"data": "abc", "more": "x"}
    assert described["LastModifiedTime"] >= described["CreationTime"]
    with pytest.raises(sagemaker.exceptions.ClientError, match="Member must satisfy enum value set"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Maybe")


def test_updates_at_the_same_time_lose_nothing(endpoint: EndpointHandle, sagemaker: Any, group: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]

    def add(key: str) -> None:
        sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={key: "x"})

    keys = [str(number) for number in range(50)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, keys))
    assert sorted(sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]) == sorted(keys)
    with pytest.raises(sagemaker.exceptions.ClientError, match="would have 51 CustomerMetadataProperties"):
        add("50")
    swapped = {"CustomerMetadataProperties": {"50": "y"}, "CustomerMetadataPropertiesToRemove": ["0"]}
    sagemaker.update_model_package(ModelPackageArn=arn, **swapped)
    assert len(sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]) == 50


def test_metadata_of_which_nothing_is_left(sagemaker: Any, group: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"key": "x"})
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["key"])
    assert "CustomerMetadataProperties" not in sagemaker.describe_model_package(ModelPackageName=arn)


def test_the_content_of_an_archived_card_stays(sagemaker: Any, group: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, **PACKAGE)["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Archived"})
    archived = {**PACKAGE["ModelCard"], "ModelCardStatus": "Archived"}
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelCard"] == archived
    with pytest.raises(sagemaker.exceptions.ClientError, match="Model Card is in Archived state"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardContent": "{}"})


def test_a_description_without_what_is_encrypted(sagemaker: Any, group: str) -> None:
    content = {"intended_uses": {"risk_rating": "Low", "purpose_of_model": "secret"}}
    card = {"ModelCardContent": json.dumps(content), "ModelCardStatus": "Draft"}
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, ModelCard=card)["ModelPackageArn"]
    described = sagemaker.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")
    assert json.loads(described["ModelCard"]["ModelCardContent"]) == {"intended_uses": {"risk_rating": "Low"}}


def test_packages_are_found_by_name(sagemaker: Any, group: str, unique: str) -> None:
    sagemaker.create_model_package(ModelPackageGroupName=group)
    sagemaker.create_model_package(ModelPackageName=f"{unique}-own")

    def found(**wanted: Any) -> list[str]:
        answer = sagemaker.list_model_packages(ModelPackageType="Both", **wanted)["ModelPackageSummaryList"]
        return [one["ModelPackageArn"].rpartition(f"{unique}")[2] for one in answer]

    assert sorted(found(NameContains=unique.upper())) == ["-own", "/1"]
    assert found(NameContains=f"{unique}-o") == ["-own"]
    assert found(NameContains="arn") == []


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ('{"model_overview": {"model_description": "of a stand-alone card"}}', "'model_description' was unexpected"),
        ('{"intended_uses": {"risk_rating": "Negligible"}}', "'Negligible' is not one of"),
        ('{"training_details": {"training_observations": 1}}', "1 is not of type 'string'"),
        ('{"evaluation_details": [{"name": NaN}]}', "NaN is not a number in JSON"),
    ],
)
def test_a_card_that_does_not_fit_the_schema_of_packages_is_refused(
    sagemaker: Any, group: str, content: str, refusal: str
) -> None:
    card = {"ModelCardContent": content, "ModelCardStatus": "Draft"}
    with pytest.raises(sagemaker.exceptions.ClientError, match=refusal) as created:
        sagemaker.create_model_package(ModelPackageGroupName=group, ModelCard=card)
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, **PACKAGE)["ModelPackageArn"]
    assert arn.endswith("/1")
    with pytest.raises(sagemaker.exceptions.ClientError, match=refusal) as updated:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelCard=card)
    assert {one.value.response["Error"]["Code"] for one in (created, updated)} == {"ValidationException"}
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelCard"] == PACKAGE["ModelCard"]


def test_versions_are_listed_and_never_given_twice(sagemaker: Any, group: str) -> None:
    arns = [sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"] for _ in range(12)]
    sagemaker.delete_model_package(ModelPackageName=arns.pop())
    arns.append(sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"])
    assert arns[-1].endswith("/13")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    found = [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]
    assert found == arns[::-1]
    sagemaker.update_model_package(ModelPackageArn=arns[3], ModelApprovalStatus="Approved")
    approved = sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [one["ModelPackageArn"] for one in approved["ModelPackageSummaryList"]] == [arns[3]]


def test_a_client_token_creates_once(sagemaker: Any, group: str) -> None:
    arns = {
        sagemaker.create_model_package(ModelPackageGroupName=group, ClientToken=group)["ModelPackageArn"]
        for _ in range(2)
    }
    assert len(arns) == 1


def test_groups(sagemaker: Any, group: str, unique: str) -> None:
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupDescription"] == "g"
    assert described["ModelPackageGroupStatus"] == "Completed"
    arn = described["ModelPackageGroupArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": "w"}, {"Key": "l", "Value": "x"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["l"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "w"}]
    with pytest.raises(sagemaker.exceptions.ClientError, match="already exists"):
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    package = sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    with pytest.raises(sagemaker.exceptions.ConflictException):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(sagemaker.exceptions.ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)


def test_what_does_not_exist(sagemaker: Any, group: str, unique: str) -> None:
    with pytest.raises(sagemaker.exceptions.ClientError, match="does not exist"):
        sagemaker.describe_model_package(ModelPackageName=f"{unique}-none")
    with pytest.raises(sagemaker.exceptions.ClientError, match="does not exist"):
        sagemaker.create_model_package(ModelPackageGroupName=f"{unique}-none")
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, **PACKAGE)["ModelPackageArn"]
    answer = sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, f"{arn}9"])
    assert list(answer["ModelPackageSummaries"]) == [arn]
    assert list(answer["BatchDescribeModelPackageErrorMap"]) == [f"{arn}9"]


def test_a_package_has_either_a_name_or_a_group(sagemaker: Any, group: str) -> None:
    with pytest.raises(sagemaker.exceptions.ClientError, match="Cannot determine which one to use"):
        sagemaker.create_model_package(ModelPackageName=group, ModelPackageGroupName=group, **PACKAGE)
    with pytest.raises(sagemaker.exceptions.ClientError, match="Missing ARN"):
        sagemaker.create_model_package(**PACKAGE)


def test_the_arn_of_a_package_is_in_lower_case(sagemaker: Any, group: str) -> None:
    """As in the outputs of AWS's guide: AbaloneModelPackageGroupName becomes abalonemodelpackagegroupname."""
    name = f"{group}-Upper"
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    version = sagemaker.create_model_package(ModelPackageGroupName=name, **PACKAGE)["ModelPackageArn"]
    alone = sagemaker.create_model_package(ModelPackageName=f"{name}-Alone", **PACKAGE)["ModelPackageArn"]
    assert version.endswith(f":model-package/{name.lower()}/1")
    assert alone.endswith(f":model-package/{name.lower()}-alone")
    assert sagemaker.describe_model_package(ModelPackageName=version)["ModelPackageGroupName"] == name
    assert sagemaker.describe_model_package(ModelPackageName=f"{name}-Alone")["ModelPackageArn"] == alone
    listed = sagemaker.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]
    assert [one["ModelPackageArn"] for one in listed] == [version]


def test_a_model_from_a_package(sagemaker: Any, group: str) -> None:
    package = sagemaker.create_model_package(ModelPackageGroupName=group, **PACKAGE)["ModelPackageArn"]
    role = "arn:aws:iam::123456789012:role/r"
    sagemaker.create_model(ModelName=group, Containers=[{"ModelPackageName": package}], ExecutionRoleArn=role)
    assert sagemaker.describe_model(ModelName=group)["Containers"][0]["ModelPackageName"] == package
    arn = sagemaker.describe_model(ModelName=group)["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "of", "Value": "moto"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "of", "Value": "moto"}]
    sagemaker.delete_model(ModelName=group)
