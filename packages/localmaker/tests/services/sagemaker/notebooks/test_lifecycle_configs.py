"""Lifecycle configurations as boto3 sees them."""

from __future__ import annotations

import base64
import random

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.notebooks.conftest import content


@pytest.fixture
def sagemaker(endpoint):
    return endpoint.client("sagemaker")


def test_the_life_of_a_configuration(sagemaker, unique):
    name = f"{unique}-Mixed"
    arn = sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=name,
        OnStart=content("echo start"),
        OnCreate=content("echo create"),
        Tags=[{"Key": "a", "Value": "1"}],
    )["NotebookInstanceLifecycleConfigArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:notebook-instance-lifecycle-config/{name.lower()}"
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    made = sagemaker.describe_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)
    assert made["NotebookInstanceLifecycleConfigName"] == name
    assert made["OnStart"] == content("echo start")
    sagemaker.update_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=name, OnStart=content("echo other"), OnCreate=[]
    )
    changed = sagemaker.describe_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)
    assert changed["OnStart"] == content("echo other")
    assert "OnCreate" not in changed
    assert changed["CreationTime"] == made["CreationTime"]
    assert changed["LastModifiedTime"] >= made["LastModifiedTime"]
    sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)
    for verb in ("describe", "update", "delete"):
        call = getattr(sagemaker, f"{verb}_notebook_instance_lifecycle_config")
        with pytest.raises(ClientError, match=rf"Unable to {verb} .* '{arn}'. .Details: .* does not exist"):
            call(NotebookInstanceLifecycleConfigName=name)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_a_name_is_taken_whatever_its_case(sagemaker, unique):
    sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=unique)
    with pytest.raises(ClientError, match="already exists") as refused:
        sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=unique.upper())
    assert refused.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        ({"OnStart": [{"Content": "echo not base64!"}]}, "OnStart is not a base64-encoded string"),
        ({"OnCreate": [{}]}, "OnCreate has no content"),
        ({"OnStart": [{"Content": "A" * 16388}]}, "length less than or equal to 16384"),
        ({"OnStart": content("echo") * 2}, "length less than or equal to 1"),
        ({"NotebookInstanceLifecycleConfigName": "under_score"}, "regular expression"),
        ({"NotebookInstanceLifecycleConfigName": "a" * 64}, "length less than or equal to 63"),
    ],
)
def test_what_is_refused(sagemaker, unique, request_, match):
    with pytest.raises(ClientError, match=match) as refused:
        sagemaker.create_notebook_instance_lifecycle_config(
            **{"NotebookInstanceLifecycleConfigName": unique, **request_}
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_the_largest_script_is_12_kilobytes(sagemaker, unique):
    script = base64.b64encode(random.Random(1).randbytes(12288)).decode()
    assert len(script) == 16384
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=unique, OnStart=[{"Content": script}]
    )


def test_lists_are_filtered_sorted_and_paged(sagemaker, unique):
    names = [f"{unique}-{letter}" for letter in "bca"]
    for name in names:
        sagemaker.create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName=name, OnStart=content("true")
        )
    sagemaker.update_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=names[0])

    def listed(**more):
        pages = sagemaker.get_paginator("list_notebook_instance_lifecycle_configs").paginate(
            NameContains=unique, PaginationConfig={"PageSize": 2}, **more
        )
        found = [one for page in pages for one in page["NotebookInstanceLifecycleConfigs"]]
        assert all("OnStart" not in one for one in found)
        return "".join(one["NotebookInstanceLifecycleConfigName"][-1] for one in found)

    assert listed() == "bca"
    assert listed(SortBy="Name") == "abc"
    assert listed(SortBy="LastModifiedTime", SortOrder="Descending") == "bac"
