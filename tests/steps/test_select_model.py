"""Choosing the model that scores: the newest approved version, or the one that is named."""

from __future__ import annotations

import json

import boto3
import pytest

import select_model
from analysis.runtime.errors import ModelError

GROUP = "bikes"


@pytest.fixture
def sagemaker(aws):
    client = boto3.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName=GROUP)
    return client


def register(sagemaker, status: str, **properties: str) -> str:
    return sagemaker.create_model_package(
        ModelPackageGroupName=GROUP, ModelApprovalStatus=status, CustomerMetadataProperties=properties
    )["ModelPackageArn"]


def test_the_newest_approved_version_is_taken(sagemaker) -> None:
    register(sagemaker, "Approved")
    newest = register(sagemaker, "Approved", profile="parity")
    register(sagemaker, "PendingManualApproval")
    register(sagemaker, "Rejected")
    assert select_model.approved_version(sagemaker, GROUP) == newest
    assert select_model.selection(sagemaker, newest) == {
        "model_package_arn": newest,
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


def test_a_version_that_does_not_say_its_profile_is_a_forecast(sagemaker) -> None:
    assert select_model.selection(sagemaker, register(sagemaker, "Approved"))["profile"] == "forecast"


def test_as_a_job(sagemaker, call_script, tmp_path) -> None:
    arn = register(sagemaker, "Approved", profile="forecast")
    outcome = call_script("select_model.py", "--model-package-group-name", GROUP, "--output-dir", tmp_path / "model")
    assert outcome.code == 0, outcome.stderr
    assert json.loads((tmp_path / "model" / "model.json").read_text())["model_package_arn"] == arn


def test_as_a_job_that_finds_no_group(aws, call_script, tmp_path) -> None:
    outcome = call_script("select_model.py", "--model-package-group-name", "nobody", "--output-dir", tmp_path / "model")
    assert outcome.code == 1
    assert "nobody" in outcome.message
    assert not (tmp_path / "model").exists()
