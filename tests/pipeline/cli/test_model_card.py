"""``model card``: for people, as JSON, as a PDF; against the local endpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from click.testing import Result
from typer.testing import CliRunner

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.cli import app
from pipeline.errors import RegistryError
from pipeline.settings.environment import load_settings

CARD = {
    "model_overview": {"model_creator": "Training pipeline of bikeshare"},
    "intended_uses": {"purpose_of_model": "Planning [bold] bikes", "risk_rating": "Low"},
    "evaluation_details": [
        {
            "name": "Random split",
            "evaluation_observation": "Measured on 30 days.",
            "metric_groups": [
                {
                    "name": "Regression",
                    "metric_data": [
                        {"name": "R-squared", "type": "number", "value": 0.81234567, "notes": "1 is perfect."},
                        {"name": "Errors by month", "type": "bar_chart", "value": [10.0, 20.0],
                         "x_axis_name": ["January", "February"], "y_axis_name": "bikes",
                         "notes": "Scaled to 0..1."},
                        {"name": "Quantiles", "type": "linear_graph", "value": [[1, -3.5], [99, 4.5]],
                         "x_axis_name": "percent", "y_axis_name": "error"},
                        {"name": "Intervals", "type": "matrix", "value": [[1.0, 2.0]],
                         "x_axis_name": ["low", "high"], "y_axis_name": ["temp"]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"Algorithm": "Ordinary least squares"}},
}  # fmt: skip
OTHER = "other-group"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Register a version with a card and one without, and one with a card in another group."""
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), "NO_COLOR": "1", "COLUMNS": "100"}),
    ):
        settings = load_settings("local")
        clients = Aws(settings)
        clients.s3.create_bucket(Bucket=settings.artifacts_bucket)
        card = {"ModelCard": {"ModelCardContent": json.dumps(CARD), "ModelCardStatus": "PendingReview"}}
        for group, more in ((settings.model_package_group_name, [card, {}]), (OTHER, [card])):
            clients.sagemaker.create_model_package_group(ModelPackageGroupName=group)
            for one in more:
                clients.sagemaker.create_model_package(ModelPackageGroupName=group, **one)  # type: ignore[arg-type]
        yield clients


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["model", "card", *arguments])


def test_people_can_read_it(aws: Aws) -> None:
    output = run("1").output
    for text in (
        *("Version 1 of bikeshare-local-regression", "Model creator", "Planning [bold] bikes", "Measured on 30 days."),
        *("0.812346  1 is perfect.", "February  20  ██████████████████████████████", "99  4.5", "temp  1    2"),
        *("Ordinary least squares", "Scaled to 0..1."),
    ):
        assert text in output
    order = ["Model overview", "Intended uses", "Random split", "Additional information"]
    assert [output.index(name) for name in order] == sorted(output.index(name) for name in order)


def test_scripts_can_read_it(aws: Aws) -> None:
    assert json.loads(run("1", "--json").output) == CARD


def test_another_group(aws: Aws) -> None:
    assert "Version 1 of other-group" in run("1", "--group", OTHER).output
    refused = run("2", "--group", OTHER)
    assert isinstance(refused.exception, RegistryError)
    assert "other-group has no version 2; there are: 1." in str(refused.exception)


def test_a_version_without_a_card(aws: Aws) -> None:
    assert "has no model card: whoever registered it gave it none." in run("2").output
    assert json.loads(run("2", "--json").output) == {}
    refused = run("2", "--pdf")
    assert isinstance(refused.exception, RegistryError)
    assert "Version 2 has no model card" in str(refused.exception)


def test_as_a_pdf(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("1", "--pdf")
    assert done.exit_code == 0, done.output
    assert "export: Completed" in done.output
    assert (tmp_path / "bikeshare-local-regression-1.pdf").read_bytes().startswith(b"%PDF-")
    card = aws.sagemaker.describe_model_card(ModelCardName="bikeshare-local-regression-1")
    assert card["ModelCardStatus"] == "PendingReview"
    again = run("1", "--pdf", "card.pdf", "--json")
    answer = json.loads(again.stdout)
    assert answer["file"] == "card.pdf"
    bucket, _, key = answer["uri"].removeprefix("s3://").partition("/")
    assert bucket == aws.settings.artifacts_bucket
    assert key.startswith("cards/bikeshare-local-regression-1/1/")
    assert (tmp_path / "card.pdf").is_file()


def test_the_pdf_of_an_archived_card(aws: Aws, tmp_path: Path) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{OTHER}/1"
    aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    done = run("1", "--group", OTHER, "--pdf", str(tmp_path / "card.pdf"))
    assert done.exit_code == 0, done.output
    assert aws.sagemaker.describe_model_card(ModelCardName=f"{OTHER}-1")["ModelCardStatus"] == "Archived"


def test_an_export_that_fails_says_why(aws: Aws, tmp_path: Path) -> None:
    with mock.patch.dict(os.environ, {"BIKESHARE_BUCKETS__ARTIFACTS": "nobody-has-this-bucket"}):
        refused = run("1", "--pdf", str(tmp_path / "card.pdf"))
    assert isinstance(refused.exception, RegistryError)
    assert "The export of the model card bikeshare-local-regression-1 is Failed" in str(refused.exception)
    assert not (tmp_path / "card.pdf").exists()


def test_a_file_is_for_a_pdf_and_its_folder_is_there_before_anything_is_exported(aws: Aws) -> None:
    assert run("1", "card.pdf").exit_code == 2
    refused = run("1", "--pdf", "/no/such/folder/card.pdf")
    assert refused.exit_code == 2
    assert "export:" not in refused.output
