"""Choosing the model that scores: the version in use, or the one that is named."""

from __future__ import annotations

import boto3
import pytest

import select_model
from analysis.runtime.errors import ModelError

GROUP = "bikes"


class Context:
    """As Lambda's, with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def sagemaker(aws):
    client = boto3.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName=GROUP)
    return client


def container(number: int) -> dict[str, str]:
    return {"Image": "image", "ModelDataUrl": f"s3://models/{number}/model.tar.gz"}


def register(sagemaker, status: str, containers: int = 1, **properties: str) -> str:
    return sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,
        CustomerMetadataProperties=properties,
        InferenceSpecification={
            "Containers": [container(number) for number in range(containers)],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]


def test_the_version_that_was_approved_last_is_taken(sagemaker) -> None:
    register(sagemaker, "Approved")
    newest = register(sagemaker, "Approved", profile="forecast")
    register(sagemaker, "PendingManualApproval")
    register(sagemaker, "Rejected")
    assert select_model.selection(select_model.version_in_use(sagemaker, GROUP)) == {
        "model_package_arn": newest,
        "model_data_url": "s3://models/0/model.tar.gz",
        "version": "2",
        "profile": "forecast",
    }


def test_an_older_version_that_was_put_in_use_later_is_taken(sagemaker) -> None:
    older = register(sagemaker, "Approved", **{"in-use-since": "2099-01-01T00:00:00.000Z", "decided-by": "ann"})
    register(sagemaker, "Approved")
    package = select_model.version_in_use(sagemaker, GROUP)
    assert package["ModelPackageArn"] == older
    assert select_model.since_when(package) == "in use since 2099-01-01 00:00 UTC, by ann"


def test_more_versions_than_fit_a_page(sagemaker) -> None:
    oldest = register(sagemaker, "Approved", **{"in-use-since": "2099-01-01T00:00:00.000Z"})
    for _ in range(101):
        register(sagemaker, "Approved")
    assert select_model.version_in_use(sagemaker, GROUP)["ModelPackageArn"] == oldest


def test_without_an_approved_version_the_message_says_how_to_approve_one(sagemaker) -> None:
    register(sagemaker, "PendingManualApproval")
    with pytest.raises(ModelError, match=r"no approved version to score with.*bikeshare model approve"):
        select_model.version_in_use(sagemaker, GROUP)


def test_a_version_that_can_score_no_new_file_is_passed_over(sagemaker) -> None:
    able = register(sagemaker, "Approved", **{"scores-new-rows": "yes"})
    register(sagemaker, "Approved", **{"scores-new-rows": "no: casual registered"})
    assert select_model.version_in_use(sagemaker, GROUP)["ModelPackageArn"] == able


def test_where_no_approved_version_can_score_new_files_the_uploader_is_not_blamed(sagemaker) -> None:
    for _ in range(2):
        register(sagemaker, "Approved", profile="parity", **{"scores-new-rows": "no: casual registered"})
    with pytest.raises(ModelError) as refused:
        select_model.version_in_use(sagemaker, GROUP)
    assert str(refused.value) == (
        "Nothing is wrong with the file: the model package group bikes has no approved version that can score new "
        "files. Version 2 (profile parity) takes casual and registered as inputs, which are never known in advance. "
        "Likewise approved: version 1. Look at the versions (bikeshare model list), approve one that can "
        "(bikeshare model approve VERSION), then start the execution again."
    )


def test_a_named_version_has_to_be_approved(sagemaker) -> None:
    with pytest.raises(ModelError, match="is PendingManualApproval, not Approved"):
        select_model.named_version(sagemaker, register(sagemaker, "PendingManualApproval"))


def test_a_version_that_does_not_say_its_profile_is_taken(sagemaker) -> None:
    package = select_model.named_version(sagemaker, register(sagemaker, "Approved"))
    assert select_model.selection(package)["profile"] == "unknown"


def test_a_version_has_to_have_one_archive(sagemaker) -> None:
    package = select_model.named_version(sagemaker, register(sagemaker, "Approved", containers=2))
    with pytest.raises(ModelError, match="does not have exactly one model archive"):
        select_model.selection(package)


def test_as_a_function(sagemaker) -> None:
    older = register(sagemaker, "Approved", profile="forecast")
    newest = register(sagemaker, "Approved", profile="forecast")
    event = {"model-package-group-name": GROUP, "model-package-arn": "in-use", "execution-arn": "arn:x"}
    answer = select_model.handler(event, Context())
    assert answer["model_package_arn"] == newest
    assert answer["reason"].startswith("in use since 2")
    assert select_model.handler({**event, "model-package-arn": older}, Context()) == {
        "model_package_arn": older,
        "model_data_url": "s3://models/0/model.tar.gz",
        "version": "1",
        "profile": "forecast",
        "reason": "asked for by name",
    }


def test_as_a_program_that_finds_no_group(aws, call_script) -> None:
    outcome = call_script("select_model.py", "--model-package-group-name", "nobody")
    assert outcome.code == 1
    assert "nobody" in outcome.message
