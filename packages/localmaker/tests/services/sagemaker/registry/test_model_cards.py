"""Model cards, their versions, and their export as PDF."""

from __future__ import annotations

import json
import os
import signal

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import running_endpoint

CONTENT = {
    "model_overview": {"model_description": "Daily rentals, R² ≥ 0.8", "algorithm_type": "Ordinary least squares"},
    "intended_uses": {"purpose_of_model": "Forecast", "risk_rating": "Low"},
    "evaluation_details": [
        {
            "name": "Rows held out",
            "metric_groups": [
                {
                    "name": "Regression",
                    "metric_data": [{"name": "R-squared", "type": "number", "value": 0.83, "notes": "test rows"}],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"environment": "local"}},
}


@pytest.fixture
def sagemaker(endpoint):
    return endpoint.client("sagemaker")


@pytest.fixture
def card(sagemaker, unique):
    arn = sagemaker.create_model_card(
        ModelCardName=unique,
        Content=json.dumps(CONTENT),
        ModelCardStatus="Draft",
        Tags=[{"Key": "a", "Value": "1"}],
    )["ModelCardArn"]
    assert arn.endswith(f":model-card/{unique}")
    return arn


def test_content_makes_a_version_and_a_status_does_not(sagemaker, card, unique):
    assert sagemaker.list_tags(ResourceArn=card)["Tags"] == [{"Key": "a", "Value": "1"}]
    sagemaker.update_model_card(ModelCardName=unique, ModelCardStatus="Approved")
    first = sagemaker.describe_model_card(ModelCardName=unique)
    assert (first["ModelCardVersion"], first["ModelCardStatus"]) == (1, "Approved")
    assert json.loads(first["Content"]) == CONTENT
    sagemaker.update_model_card(ModelCardName=card, Content='{"model_overview": {}}')
    second = sagemaker.describe_model_card(ModelCardName=unique)
    assert (second["ModelCardVersion"], second["Content"]) == (2, '{"model_overview": {}}')
    assert second["CreationTime"] == first["CreationTime"]
    assert second["LastModifiedTime"] > first["LastModifiedTime"]
    assert sagemaker.describe_model_card(ModelCardName=unique, ModelCardVersion=1)["Content"] == first["Content"]
    plain = sagemaker.describe_model_card(ModelCardName=unique, ModelCardVersion=1, IncludedData="MetadataOnly")
    assert json.loads(plain["Content"]) == {"intended_uses": {"risk_rating": "Low"}}
    versions = sagemaker.list_model_card_versions(ModelCardName=unique, SortOrder="Descending")
    assert [one["ModelCardVersion"] for one in versions["ModelCardVersionSummaryList"]] == [2, 1]
    (listed,) = sagemaker.list_model_cards(NameContains=unique, ModelCardStatus="Approved")["ModelCardSummaries"]
    assert listed["ModelCardArn"] == card
    assert sagemaker.list_model_cards(NameContains=unique, ModelCardStatus="Draft")["ModelCardSummaries"] == []


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (("create_model_card", {"Content": "{}", "ModelCardStatus": "Draft"}), ("ConflictException", "already exists")),
        (("update_model_card", {"Content": "no json"}), ("ValidationException", "not JSON")),
        (("update_model_card", {"Content": "[]"}), ("ValidationException", "not a JSON object")),
        (
            ("update_model_card", {"Content": '{"intended_uses": {"risk_rating": "low"}}'}),
            ("ValidationException", "intended_uses.risk_rating: 'low' is not one of"),
        ),
        (
            ("update_model_card", {"Content": '{"model_overview": {"model_version": NaN}}'}),
            ("ValidationException", "NaN"),
        ),
        (
            ("create_model_card", {"Content": '{"own": {}}', "ModelCardStatus": "Draft"}),
            ("ValidationException", "'own' was unexpected"),
        ),
        (("update_model_card", {"Content": "{}", "ModelCardStatus": "Draft"}), ("ValidationException", "same request")),
        (("describe_model_card", {"ModelCardVersion": 7}), ("ResourceNotFound", "no version 7")),
    ],
)
def test_what_is_refused(sagemaker, card, unique, asked, refusal):
    (call, arguments), (code, message) = asked, refusal
    with pytest.raises(ClientError, match=message) as refused:
        getattr(sagemaker, call)(ModelCardName=unique, **arguments)
    assert refused.value.response["Error"]["Code"] == code


def test_a_deleted_card_is_gone_with_its_jobs(sagemaker, card, unique):
    job = sagemaker.create_model_card_export_job(
        ModelCardName=unique, ModelCardExportJobName="one", OutputConfig={"S3OutputPath": "s3://no-such-bucket-1/x"}
    )["ModelCardExportJobArn"]
    sagemaker.delete_model_card(ModelCardName=unique)
    for call, arguments in (
        (sagemaker.describe_model_card, {"ModelCardName": unique}),
        (sagemaker.update_model_card, {"ModelCardName": unique, "Content": "{}"}),
        (sagemaker.list_model_card_versions, {"ModelCardName": unique}),
        (sagemaker.delete_model_card, {"ModelCardName": unique}),
        (sagemaker.describe_model_card_export_job, {"ModelCardExportJobArn": job}),
    ):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="does not exist"):
            call(**arguments)


def exported(sagemaker, eventually, arn):
    described = eventually(
        lambda: (
            (found := sagemaker.describe_model_card_export_job(ModelCardExportJobArn=arn))["Status"] != "InProgress"
            and found
        )
    )
    return {key: value for key, value in described.items() if key != "ResponseMetadata"}


def test_an_export_job_writes_a_pdf(endpoint, sagemaker, card, unique, eventually):
    endpoint.client("s3").create_bucket(Bucket=unique)
    sagemaker.update_model_card(ModelCardName=unique, Content='{"model_overview": {"model_name": "second"}}')
    output = {"S3OutputPath": f"s3://{unique}/cards/"}
    arn = sagemaker.create_model_card_export_job(
        ModelCardName=unique, ModelCardVersion=1, ModelCardExportJobName="first", OutputConfig=output
    )["ModelCardExportJobArn"]
    assert arn == f"{card}/export-job/first"
    described = exported(sagemaker, eventually, arn)
    assert described["Status"] == "Completed", described
    assert described["ModelCardVersion"] == 1
    where = described["ExportArtifacts"]["S3ExportArtifacts"]
    assert where.startswith(f"s3://{unique}/cards/{unique}/")
    key = where.removeprefix(f"s3://{unique}/")
    body = endpoint.client("s3").get_object(Bucket=unique, Key=key)["Body"].read()
    assert body.startswith(b"%PDF-")
    with pytest.raises(sagemaker.exceptions.ConflictException):
        sagemaker.create_model_card_export_job(
            ModelCardName=unique, ModelCardExportJobName="first", OutputConfig=output
        )
    newest = sagemaker.create_model_card_export_job(
        ModelCardName=card, ModelCardExportJobName="second", OutputConfig=output
    )["ModelCardExportJobArn"]
    assert exported(sagemaker, eventually, newest)["ModelCardVersion"] == 2

    def names(**more):
        listed = sagemaker.list_model_card_export_jobs(ModelCardName=unique, **more)["ModelCardExportJobSummaries"]
        return [job["ModelCardExportJobName"] for job in listed]

    assert names() == ["first", "second"]
    assert names(SortBy="Name", SortOrder="Descending") == ["second", "first"]
    assert names(ModelCardVersion=2) == ["second"]
    assert names(ModelCardExportJobNameContains="irs") == ["first"]
    assert names(StatusEquals="Failed") == []


def test_a_bucket_that_is_not_there_fails_the_job(sagemaker, card, unique, eventually):
    arn = sagemaker.create_model_card_export_job(
        ModelCardName=unique, ModelCardExportJobName="x", OutputConfig={"S3OutputPath": f"s3://{unique}/cards"}
    )["ModelCardExportJobArn"]
    described = exported(sagemaker, eventually, arn)
    assert described["Status"] == "Failed"
    assert "NoSuchBucket" in described["FailureReason"]


def test_a_killed_endpoint_fails_the_jobs_that_ran(tmp_path, unique, eventually):
    with running_endpoint(tmp_path) as first:
        client = first.client("sagemaker")
        first.client("s3").create_bucket(Bucket=unique)
        client.create_model_card(ModelCardName=unique, Content=json.dumps(CONTENT), ModelCardStatus="Draft")
        arn = client.create_model_card_export_job(
            ModelCardName=unique, ModelCardExportJobName="x", OutputConfig={"S3OutputPath": f"s3://{unique}"}
        )["ModelCardExportJobArn"]
        os.kill(first.running.pid, signal.SIGKILL)
    with running_endpoint(tmp_path) as second:
        described = second.client("sagemaker").describe_model_card_export_job(ModelCardExportJobArn=arn)
        assert described["Status"] in ("Failed", "Completed")
        if described["Status"] == "Failed":
            assert "ended while this job was running" in described["FailureReason"]
