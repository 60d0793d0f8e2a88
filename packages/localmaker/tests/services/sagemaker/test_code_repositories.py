"""Code repositories as boto3 sees them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:git-abc"
GIT = {"RepositoryUrl": "https://github.com/example/bikeshare.git", "Branch": "main"}


@pytest.fixture
def sagemaker(endpoint):
    return endpoint.client("sagemaker")


def test_the_life_of_a_repository(sagemaker, unique):
    arn = sagemaker.create_code_repository(CodeRepositoryName=unique, GitConfig=GIT, Tags=[{"Key": "a", "Value": "1"}])[
        "CodeRepositoryArn"
    ]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:code-repository/{unique}"
    made = sagemaker.describe_code_repository(CodeRepositoryName=unique)
    assert made["GitConfig"] == GIT
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    with pytest.raises(ClientError, match="duplicate code repository"):
        sagemaker.create_code_repository(CodeRepositoryName=unique, GitConfig=GIT)
    sagemaker.update_code_repository(CodeRepositoryName=unique, GitConfig={"SecretArn": SECRET})
    changed = sagemaker.describe_code_repository(CodeRepositoryName=unique)
    assert changed["GitConfig"] == {**GIT, "SecretArn": SECRET}
    assert changed["CreationTime"] == made["CreationTime"]
    assert changed["LastModifiedTime"] >= made["LastModifiedTime"]
    sagemaker.delete_code_repository(CodeRepositoryName=unique)
    for call in (sagemaker.describe_code_repository, sagemaker.delete_code_repository):
        with pytest.raises(ClientError, match="Cannot find CodeRepository"):
            call(CodeRepositoryName=unique)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


@pytest.mark.parametrize("url", ["http://github.com/example/x.git", "git@github.com:example/x.git"])
def test_only_https_is_taken(sagemaker, unique, url):
    with pytest.raises(ClientError, match="repositoryUrl") as refused:
        sagemaker.create_code_repository(CodeRepositoryName=unique, GitConfig={"RepositoryUrl": url})
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_lists_are_filtered_sorted_and_paged(sagemaker, unique):
    names = [f"{unique}-{letter}" for letter in "bca"]
    for name in names:
        sagemaker.create_code_repository(CodeRepositoryName=name, GitConfig=GIT)
    sagemaker.update_code_repository(CodeRepositoryName=names[0], GitConfig={"SecretArn": SECRET})

    def listed(**more):
        pages = sagemaker.get_paginator("list_code_repositories").paginate(
            NameContains=unique, PaginationConfig={"PageSize": 2}, **more
        )
        return [one["CodeRepositoryName"][-1] for page in pages for one in page["CodeRepositorySummaryList"]]

    assert listed() == ["a", "b", "c"]
    assert listed(SortOrder="Descending") == ["c", "b", "a"]
    assert listed(SortBy="CreationTime") == ["b", "c", "a"]
    assert listed(SortBy="LastModifiedTime", SortOrder="Descending") == ["b", "a", "c"]
    created = {name: sagemaker.describe_code_repository(CodeRepositoryName=name) for name in names}
    assert listed(LastModifiedTimeAfter=created[names[2]]["LastModifiedTime"]) == ["b"]
    assert listed(CreationTimeBefore=created[names[1]]["CreationTime"]) == ["b"]
