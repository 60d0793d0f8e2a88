"""Models: created once, listed in order and pages, and named by ARN in errors."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/r"


def create(sagemaker, *names):
    for name in names:
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})


def test_models_are_listed_by_name_in_the_order_and_pages_asked_for(endpoint, unique):
    sagemaker = endpoint.client("sagemaker")
    create(sagemaker, f"{unique}-b", f"{unique}-c", f"{unique}-a")

    def listed(**request):
        pages = sagemaker.get_paginator("list_models").paginate(NameContains=unique.upper(), **request)
        return [[model["ModelName"][-1] for model in page["Models"]] for page in pages]

    assert listed() == [["a", "c", "b"]]
    assert listed(SortBy="Name", SortOrder="Ascending", MaxResults=2) == [["a", "b"], ["c"]]
    assert listed(SortBy="CreationTime", SortOrder="Ascending") == [["b", "c", "a"]]
    created = sagemaker.describe_model(ModelName=f"{unique}-c")["CreationTime"]
    assert listed(CreationTimeAfter=created) == [["a"]]


def test_a_model_is_created_once(endpoint, unique):
    sagemaker = endpoint.client("sagemaker")
    create(sagemaker, unique)
    with pytest.raises(ClientError) as refused:
        create(sagemaker, unique)
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model/{unique}"
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": f'Cannot create already existing model "{arn}".',
    }
    sagemaker.delete_model(ModelName=unique)
    create(sagemaker, unique)


@pytest.mark.parametrize("operation", ["describe_model", "delete_model"])
def test_a_model_that_is_not_there_is_named_by_its_arn(endpoint, unique, operation):
    with pytest.raises(ClientError) as refused:
        getattr(endpoint.client("sagemaker"), operation)(ModelName=unique)
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model/{unique}"
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": f'Could not find model "{arn}".',
    }
