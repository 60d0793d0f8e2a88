from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from pipedef.errors import AwsError
from pipedef.shapes import validate_request


def service_model(service: str) -> Any:
    """Return botocore's model of a service."""
    return botocore.session.get_session().get_service_model(service)


PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/1"
LOCATION = {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml"}


def problems(operation: str, request: dict[str, Any], service: str = "sagemaker") -> str:
    with pytest.raises(AwsError) as refused:
        validate_request(service_model(service).operation_model(operation), request)
    return str(refused.value)


def test_missing_members_at_every_depth() -> None:
    message = problems("CreatePipeline", {"PipelineName": "p", "ParallelismConfiguration": {}})
    assert message.startswith("ValidationException: 3 validation errors detected: ")
    for path in ("clientRequestToken", "roleArn", "parallelismConfiguration.maxParallelExecutionSteps"):
        assert f"Value null at '{path}' failed to satisfy constraint: Member must not be null" in message


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"PipelineName": "a b"},
            "Value 'a b' at 'pipelineName' failed to satisfy constraint: Member must satisfy regul",
        ),
        ({"PipelineName": ""}, "Member must have length greater than or equal to 1"),
        ({"PipelineName": "a", "NextToken": "a" * 8193}, "Member must have length less than or equal to 8192"),
        ({"PipelineName": "a", "MaxResults": 0}, "Member must have value greater than or equal to 1"),
        ({"PipelineName": "a", "MaxResults": 101}, "Member must have value less than or equal to 100"),
        ({"PipelineName": "a", "SortOrder": "Up"}, "Member must satisfy enum value set: [Ascending, Descending]"),
    ],
)
def test_constraints(request_: dict[str, Any], message: str) -> None:
    assert message in problems("ListPipelineExecutions", request_)


@pytest.mark.parametrize("value", ["", "a" * 257, "a,b", 'a"b', "a;b", "a\nb", "a#b"])
def test_what_a_value_of_customer_metadata_may_not_be(value: str) -> None:
    request = {"ModelPackageArn": PACKAGE, "CustomerMetadataProperties": {"k": value}}
    assert "'customerMetadataProperties.k.member'" in problems("UpdateModelPackage", request)


@pytest.mark.parametrize("value", ["2026-12-01T03:00:00.000Z", "arn:aws:iam::123456789012:user/é 日本", "a" * 256])
def test_what_a_value_of_customer_metadata_may_be(value: str) -> None:
    request = {"ModelPackageArn": PACKAGE, "CustomerMetadataProperties": {"k": value}}
    validate_request(service_model("sagemaker").operation_model("UpdateModelPackage"), request)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"PipelineName": 1}, "int at 'pipelineName' can not be converted to string"),
        ({"PipelineName": "a", "MaxResults": True}, "bool at 'maxResults' can not be converted to integer"),
        ({"PipelineName": "a", "CreatedAfter": "x"}, "str at 'createdAfter' can not be converted to timestamp"),
    ],
)
def test_wrong_types(request_: dict[str, Any], message: str) -> None:
    assert problems("ListPipelineExecutions", request_) == f"SerializationException: {message}"


def test_the_feature_store_runtime_spells_its_code_differently() -> None:
    message = problems("GetRecord", {"FeatureGroupName": "g"}, "sagemaker-featurestore-runtime")
    assert message.startswith("ValidationError: 1 validation error detected")


def test_what_is_valid_passes() -> None:
    request = {"PipelineName": "p", "MaxResults": 5, "CreatedAfter": datetime.now(UTC)}
    validate_request(service_model("sagemaker").operation_model("ListPipelineExecutions"), request)
