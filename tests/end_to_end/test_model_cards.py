"""Model cards that follow versions, whoever decides on them; through plain AWS APIs, on a deployed environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.card.following import card_name
from pipedef.document.model_cards import CardKind, card_problems
from pipeline.demo.sample import write_sample
from tests.end_to_end.conftest import Deployed


@pytest.fixture(scope="module")
def trained(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Train once, and describe the version that this registers."""
    done = deployed.run("raw/training/days.csv", write_sample(tmp_path_factory.mktemp("days")).read_bytes())
    assert done.status == "Succeeded", done.explanation
    return deployed.model_packages()[-1]


def card(deployed: Deployed, version: int) -> dict[str, Any] | None:
    """Describe the card of a version; None where there is none yet."""
    sagemaker = deployed.aws.sagemaker
    try:
        return dict(sagemaker.describe_model_card(ModelCardName=card_name(group(deployed), version)))
    except sagemaker.exceptions.ResourceNotFound:
        return None


def group(deployed: Deployed) -> str:
    return deployed.settings.model_package_group_name


def has_status(deployed: Deployed, version: int, status: str) -> bool:
    found = card(deployed, version)
    return found is not None and found["ModelCardStatus"] == status


def test_a_version_approved_by_boto3_alone_gets_an_approved_card(
    deployed: Deployed, trained: dict[str, Any], eventually: Callable[..., Any]
) -> None:
    number, arn = trained["ModelPackageVersion"], trained["ModelPackageArn"]
    eventually(lambda: has_status(deployed, number, "PendingReview"))
    deployed.aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    eventually(lambda: has_status(deployed, number, "Approved"))
    found = card(deployed, number)
    assert found is not None
    assert list(card_problems(found["Content"], CardKind.STAND_ALONE)) == []
    content = json.loads(found["Content"])
    assert content["model_package_details"]["model_approval_status"] == "Approved"
    assert content["model_overview"]["model_id"] == arn
    properties = deployed.aws.sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert "in-use-since" in properties
    deployed.aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    eventually(lambda: has_status(deployed, number, "Archived"))
    properties = deployed.aws.sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert "in-use-since" not in properties
    deployed.aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    eventually(lambda: has_status(deployed, number, "Approved"))


@pytest.fixture(scope="module")
def pdf(deployed: Deployed, trained: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the card of the trained version."""
    file = tmp_path_factory.mktemp("cards") / "card.pdf"
    done = deployed.command("model", "card", str(trained["ModelPackageVersion"]), "--pdf", str(file), "--json")
    bucket, _, key = json.loads(done.stdout)["uri"].removeprefix("s3://").partition("/")
    assert deployed.read(bucket, key) == file.read_bytes()
    return file


def test_its_pdf_has_a_picture_of_each_plot(pdf: Path, trained: dict[str, Any]) -> None:
    content = json.loads(trained["ModelCard"]["ModelCardContent"])
    groups = [group for one in content["evaluation_details"] for group in one["metric_groups"]]
    kinds = [metric["type"] for group in groups for metric in group["metric_data"]]
    pictures = len(re.findall(rb"/Subtype\s*/Image", pdf.read_bytes()))
    assert pictures >= kinds.count("bar_chart") + kinds.count("linear_graph") >= 4


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler's pdftotext is not installed")
def test_its_pdf_opens_elsewhere(pdf: Path) -> None:
    done = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    text = " ".join(done.stdout.split())
    for words in ("Intended uses", "R-squared", "Actual against predicted", "Quantiles of the error", "Coefficients"):
        assert words in text


def test_a_version_registered_by_hand_has_a_card_too(
    deployed: Deployed, trained: dict[str, Any], tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    uri = trained["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(deployed.read(bucket, key))
    deployed.script("register_model.py", archive)
    number = deployed.model_packages()[-1]["ModelPackageVersion"]
    assert number != trained["ModelPackageVersion"]
    eventually(lambda: has_status(deployed, number, "Approved"))


def test_a_version_without_a_card_raises_no_alarm(deployed: Deployed, eventually: Callable[..., Any]) -> None:
    sagemaker, settings = deployed.aws.sagemaker, deployed.settings
    arn = sagemaker.create_model_package(ModelPackageGroupName=group(deployed), ModelApprovalStatus="Approved")[
        "ModelPackageArn"
    ]
    eventually(lambda: sagemaker.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties"))
    sagemaker.delete_model_package(ModelPackageName=arn)
    assert card(deployed, int(arn.rpartition("/")[2])) is None
    url = deployed.aws.sqs.get_queue_url(QueueName=settings.dead_letter_queue_name)["QueueUrl"]
    assert "Messages" not in deployed.aws.sqs.receive_message(QueueUrl=url)


def test_destroy_keeps_cards_with_their_versions_and_deletes_them_with_the_data(deployed: Deployed) -> None:
    def names() -> list[str]:
        found = deployed.aws.sagemaker.list_model_cards(NameContains=group(deployed))["ModelCardSummaries"]
        return [one["ModelCardName"] for one in found]

    assert names()
    kept = deployed.command("destroy", "--yes")
    assert kept.returncode == 0
    assert names()
    deployed.command("deploy")
    deployed.command("destroy", "--yes", "--delete-data")
    assert names() == []
