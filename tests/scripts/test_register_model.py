from __future__ import annotations

import hashlib
import json

import boto3
import pytest

from pipeline.settings.environment import load_settings
from scripts.register_model import image_uri

GROUP = "bikeshare-local-regression"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sklearn:1.9-0"


@pytest.fixture
def registry(aws_url):
    settings = load_settings("local")
    boto3.client("s3").create_bucket(Bucket=settings.artifacts_bucket)
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return sagemaker


def versions(registry) -> list[str]:
    found = registry.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return [version["ModelPackageArn"] for version in found]


def test_a_version_that_can_be_exported_again(registry, trained, call_program, tmp_path) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({"regression_metrics": {"r2": {"value": 0.8342}}}))
    done = call_program("register_model.py", trained.archive, "--evaluation", "evaluation.json", "--image", IMAGE)
    assert done.code == 0, done.err
    (arn,) = versions(registry)
    assert done.out.startswith(f"{arn}: profile forecast, R-squared on test rows 0.8342, waiting for approval")
    package = registry.describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Image"] == IMAGE
    digest = hashlib.sha256(trained.archive.read_bytes()).hexdigest()
    assert container["ModelDataUrl"].endswith(f"/registered/{digest}/model.tar.gz")
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert statistics.endswith(f"/registered/{digest}/evaluation.json")
    assert call_program("export_model.py", arn, "--name", "again").code == 0
    assert (tmp_path / "exports" / "again.pickle").is_file()


def test_the_same_archive_is_registered_once(registry, trained, call_program) -> None:
    for _ in range(2):
        done = call_program("register_model.py", trained.archive, "--image", IMAGE)
        assert done.code == 0, done.err
    assert "is registered already: " in done.out
    assert len(versions(registry)) == 1


def test_errors_name_what_is_wrong(registry, trained, call_program, tmp_path) -> None:
    (tmp_path / "no.tar.gz").write_text("no archive")
    (tmp_path / "no.json").write_text("{}")
    archive = trained.archive
    for arguments, code, says in (
        (("absent.tar.gz",), 1, "The model archive absent.tar.gz is not there"),
        (("no.tar.gz",), 9, "can't be used"),
        ((archive, "--evaluation", "no.json"), 1, "no.json is not an evaluation.json"),
        ((archive, "--group", "absent"), 11, "Looking at model package group absent"),
    ):
        done = call_program("register_model.py", *arguments)
        assert (done.code, done.out) == (code, ""), done
        assert says in done.err
        assert "Traceback" not in done.err
    assert versions(registry) == []


def test_the_image_is_the_pipelines() -> None:
    assert image_uri(load_settings("local")).endswith("/sagemaker-scikit-learn:1.9-0-cpu-py3")
