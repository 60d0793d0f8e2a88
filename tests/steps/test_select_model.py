"""Choosing the model that scores: the newest approved version, or the one that is named."""

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


def test_the_newest_approved_version_is_taken(sagemaker) -> None:
    register(sagemaker, "Approved")
    newest = register(sagemaker, "Approved", profile="parity")
    register(sagemaker, "PendingManualApproval")
    register(sagemaker, "Rejected")
    assert select_model.approved_version(sagemaker, GROUP) == newest
    assert select_model.selection(sagemaker, newest) == {
        "model_package_arn": newest,
        "model_data_url": "s3://models/0/model.tar.gz",
        "version": "2",
        "profile": "parity",
    }


def test_without_an_approved_version_the_message_says_how_to_approve_one(sagemaker) -> None:
    register(sagemaker, "PendingManualApproval")
    with pytest.raises(ModelError, match=r"no approved version to score with.*bikeshare model approve"):
        select_model.approved_version(sagemaker, GROUP)


def test_a_named_version_has_to_be_approved(sagemaker) -> None:
    with pytest.raises(ModelError, match="is PendingManualApproval, not Approved"):
        select_model.selection(sagemaker, register(sagemaker, "PendingManualApproval"))


def test_a_version_that_does_not_say_its_profile_is_taken(sagemaker) -> None:
    assert select_model.selection(sagemaker, register(sagemaker, "Approved"))["profile"] == "unknown"


def test_a_version_has_to_have_one_archive(sagemaker) -> None:
    with pytest.raises(ModelError, match="does not have exactly one model archive"):
        select_model.selection(sagemaker, register(sagemaker, "Approved", containers=2))


def test_as_a_function(sagemaker) -> None:
    older = register(sagemaker, "Approved", profile="parity")
    newest = register(sagemaker, "Approved", profile="forecast")
    event = {"model-package-group-name": GROUP, "model-package-arn": "newest-approved", "execution-arn": "arn:x"}
    assert select_model.handler(event, Context())["model_package_arn"] == newest
    assert select_model.handler({**event, "model-package-arn": older}, Context()) == {
        "model_package_arn": older,
        "model_data_url": "s3://models/0/model.tar.gz",
        "version": "1",
        "profile": "parity",
        "reason": "asked for by name",
    }


def test_as_a_program_that_finds_no_group(aws, call_script) -> None:
    outcome = call_script("select_model.py", "--model-package-group-name", "nobody")
    assert outcome.code == 1
    assert "nobody" in outcome.message
