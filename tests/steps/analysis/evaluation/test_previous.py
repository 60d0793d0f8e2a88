"""The comparison with the approved model, against a registry and S3 over HTTP (moto)."""

from __future__ import annotations

import json

import boto3
import pytest

GROUP = "bikes"


@pytest.fixture
def registry(aws):
    boto3.client("s3").create_bucket(Bucket="artifacts")
    client = boto3.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName=GROUP)
    return client


@pytest.fixture
def register(registry):
    def add(data: bytes | None, status: str = "Approved") -> str:
        """Register a version whose model data are `data`; None names an object that does not exist."""
        count = len(registry.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"])
        key = f"runs/{count}/model.tar.gz"
        if data is not None:
            boto3.client("s3").put_object(Bucket="artifacts", Key=key, Body=data)
        container = {
            "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1",
            "ModelDataUrl": f"s3://artifacts/{key}",
        }
        return registry.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]

    return add


@pytest.fixture
def evaluated(sample_runs, evaluate_run, tmp_path):
    def run(group: str = GROUP):
        root = sample_runs["forecast"].root
        log = evaluate_run(root, tmp_path / "out", "--model-package-group-name", group)
        report = (tmp_path / "out" / "report.html").read_text()
        return json.loads((tmp_path / "out" / "evaluation.json").read_text())["previous_model"], log, report

    return run


def archive(run) -> bytes:
    return (run.root / "archive" / "model.tar.gz").read_bytes()


def test_the_same_model_is_as_good(registry, register, evaluated, sample_runs) -> None:
    arn = register(archive(sample_runs["forecast"]))
    register(b"never looked at", "PendingManualApproval")
    block, _, report = evaluated()
    assert (block["status"], block["model_package_arn"], block["version"]) == ("compared", arn, 1)
    assert set(block["difference"].values()) == {0.0}
    assert block["same_split"]
    assert block["test"]["r2"] == sample_runs["forecast"].evaluation["test"]["r2"]
    assert "As good as the approved model" in report
    assert arn in report


def test_a_model_of_other_rows_is_compared_with_a_caution(
    register, evaluated, sample_runs, tmp_path, pack_model
) -> None:
    document = sample_runs["forecast"].document("model/model.json")
    document["intercept"] += 500.0
    document["provenance"]["data_sha256"] = "0" * 64
    (tmp_path / "worse").mkdir()
    (tmp_path / "worse" / "model.json").write_text(json.dumps(document))
    pack_model(tmp_path / "worse", tmp_path / "worse.tar.gz")
    register((tmp_path / "worse.tar.gz").read_bytes())
    block, _, report = evaluated()
    assert block["difference"]["rmse"] < 0
    assert not block["same_split"]
    assert "Better than the approved model" in report
    assert "perhaps on some of these test days" in report


def test_a_model_of_other_columns_is_not_comparable(register, evaluated, sample_runs) -> None:
    register(archive(sample_runs["parity"]))
    block, _, report = evaluated()
    assert block["status"] == "not comparable"
    assert "casual" in block["reason"]
    assert "It could not be compared (not comparable)" in report


def test_without_an_approved_model_the_report_says_so(registry, register, evaluated) -> None:
    assert evaluated()[0]["status"] == "none"
    register(b"x", "Rejected")
    block, log, report = evaluated()
    assert block["status"] == "none"
    assert "no version in bikes is approved yet" in report
    assert "previous model: none" in log


@pytest.mark.parametrize("data", [None, b"", b"no archive", b"\x1f\x8b\x08\x00"])
def test_an_unreadable_model_fails_nothing(register, evaluated, data) -> None:
    arn = register(data)
    block, _, report = evaluated()
    assert (block["status"], block["model_package_arn"]) == ("unreadable", arn)
    assert block["reason"]
    assert "It could not be compared (unreadable)" in report


def test_no_endpoint_and_no_region_fail_nothing(evaluated, point_at, monkeypatch) -> None:
    point_at("http://127.0.0.1:9")
    assert evaluated()[0]["status"] == "unreadable"
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "No AWS region" in evaluated()[0]["reason"]


def test_nothing_is_asked_without_a_group(trained) -> None:
    assert trained.evaluation["previous_model"]["status"] == "not asked"
