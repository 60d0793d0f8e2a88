"""register_model.py against the local endpoint's registry."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import evaluate
from analysis.runtime.registry import in_use
from localmaker.daemon import EndpointHandle, running_endpoint
from pipedef.document.model_cards import CardKind, card_problems
from pipeline.aws.clients import Aws
from pipeline.aws.states import Waiting
from pipeline.datasets.shipped import declaration_file
from pipeline.settings.environment import load_settings
from scripts.lib.program import NoAnswerError, RegistrationError
from scripts.register_model import create_version, image_uri, ready_group

GROUP = "bikeshare-local-regression"
ROOT = Path(__file__).parents[2]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sklearn:1.9-0"
FILES = {
    *("card.json", "data-constraints.json", "data-statistics.json", "evaluation.json", "model-constraints.json"),
    *("model-statistics.json", "report.html", "sample-payload.tar.gz"),
}


def evaluated(trained: Any, directory: Path) -> Path:
    """Evaluate a model as the pipeline does; the folder of what is written."""
    prepared = trained.prepared
    with contextlib.redirect_stdout(io.StringIO()):
        evaluate.main(
            ["--dataset", str(declaration_file("bike_sharing")), "--model-dir", str(trained.archive.parent),
             *(f"--{name}-dir={prepared / name}" for name in ("train", "test", "scoring", "rows", "quality")),
             "--output-dir", str(directory), "--message-file", str(directory / "message")]
        )  # fmt: skip
    return directory


@pytest.fixture(scope="session")
def evaluation(trained, tmp_path_factory) -> Path:
    folder = evaluated(trained, tmp_path_factory.mktemp("evaluation"))
    assert {path.name for path in folder.iterdir()} >= FILES
    return folder


@pytest.fixture(scope="session")
def parity(train_on, trained):
    """Train on parts of the target: what no new row has."""
    return train_on(trained.raw, "parity")


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as handle:
        yield handle


@pytest.fixture
def registry(running, monkeypatch):
    """A registry without the environment's group, and its bucket."""
    for variable, value in {**running.environment(), "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(variable, value)
    sagemaker, bucket = running.client("sagemaker"), load_settings("local").artifacts_bucket
    if bucket not in {one["Name"] for one in running.client("s3").list_buckets()["Buckets"]}:
        running.client("s3").create_bucket(Bucket=bucket)
    yield sagemaker
    for group in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        for arn in arns(sagemaker, group["ModelPackageGroupName"]):
            sagemaker.delete_model_package(ModelPackageName=arn)
        sagemaker.delete_model_package_group(ModelPackageGroupName=group["ModelPackageGroupName"])


def arns(sagemaker, group: str = GROUP) -> list[str]:
    found = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return [version["ModelPackageArn"] for version in found]


def only_version(sagemaker, group: str = GROUP) -> dict[str, Any]:
    (arn,) = arns(sagemaker, group)
    return sagemaker.describe_model_package(ModelPackageName=arn)


def test_the_whole_of_it(registry, running, trained, evaluation, call_program) -> None:
    options = ("--evaluation", evaluation, "--image", IMAGE, "--reason", "Agreed on Tuesday")
    done = call_program("register_model.py", trained.archive, *options)
    assert done.code == 0, done.err
    package = only_version(registry)
    arn = package["ModelPackageArn"]
    quality = json.loads((evaluation / "evaluation.json").read_text())
    r_squared = f"{quality['regression_metrics']['r2']['value']:.4f}"
    assert done.out.startswith(f"{arn}: profile forecast, R-squared on test rows {r_squared}, approved and in use\n")
    assert "not given" not in done.err
    # Group: description, tags.
    group = registry.describe_model_package_group(ModelPackageGroupName=GROUP)
    assert group["ModelPackageGroupDescription"].startswith("Linear regression of ")
    tags = registry.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"]
    assert {"Key": "environment", "Value": "local"} in tags
    # Inference specification: as the pipeline's.
    specification = package["InferenceSpecification"]
    (container,) = specification["Containers"]
    assert container["Image"] == IMAGE
    digest = hashlib.sha256(trained.archive.read_bytes()).hexdigest()
    folder = f"s3://{load_settings('local').artifacts_bucket}/registered/{digest}"
    assert container["ModelDataUrl"] == f"{folder}/model.tar.gz"
    assert container["Environment"]["PIP_NO_BUILD_ISOLATION"] == "0"
    assert specification["SupportedRealtimeInferenceInstanceTypes"]
    assert specification["SupportedTransformInstanceTypes"]
    assert specification["SupportedContentTypes"] == ["text/csv"]
    # Metrics, baselines, sample: objects that are there.
    metrics, baselines = package["ModelMetrics"], package["DriftCheckBaselines"]
    uris = {
        metrics["ModelQuality"]["Statistics"]["S3Uri"]: "evaluation.json",
        metrics["ModelQuality"]["Constraints"]["S3Uri"]: "model-constraints.json",
        metrics["ModelDataQuality"]["Statistics"]["S3Uri"]: "data-statistics.json",
        metrics["ModelDataQuality"]["Constraints"]["S3Uri"]: "data-constraints.json",
        baselines["ModelQuality"]["Statistics"]["S3Uri"]: "model-statistics.json",
        baselines["ModelDataQuality"]["Statistics"]["S3Uri"]: "data-statistics.json",
        package["SamplePayloadUrl"]: "sample-payload.tar.gz",
    }
    for uri, name in uris.items():
        assert uri == f"{folder}/{name}"
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = running.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        assert body == (evaluation / name).read_bytes()
    # Metadata, and the decision.
    metadata = package["CustomerMetadataProperties"]
    assert metadata["archive-sha256"] == digest
    assert (metadata["profile"], metadata["scores-new-rows"]) == ("forecast", "yes")
    assert metadata["data-sha256"] == quality["registration"]["data_sha256"]
    assert metadata["declaration-sha256"] == quality["registration"]["declaration_sha256"]
    assert re.fullmatch(r"[\w.:/=+@ -]{1,256}", metadata["git-commit"])
    assert metadata["decided-by"].startswith("arn:aws:")
    assert datetime.fromisoformat(metadata["in-use-since"]).tzinfo is not None
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "Agreed on Tuesday")
    assert in_use([package]) == package
    assert call_program("export_model.py", arn, "--name", "again").code == 0


def test_its_card_is_that_of_the_evaluation(registry, trained, evaluation, call_program) -> None:
    options = ("--evaluation", evaluation / "evaluation.json", "--image", IMAGE)
    assert call_program("register_model.py", trained.archive, *options).code == 0
    text = only_version(registry)["ModelCard"]["ModelCardContent"]
    assert list(card_problems(text, CardKind.PACKAGE)) == []
    card, made = json.loads(text), json.loads(json.loads((evaluation / "card.json").read_text())["content"])
    assert card["evaluation_details"] == made["evaluation_details"]
    for section in ("intended_uses", "business_details"):
        assert card[section] == made[section]
    assert card["model_overview"]["model_creator"].startswith("Registered by hand in local of bikeshare")
    details = card["additional_information"]["custom_details"]
    assert (details["Execution"], details["Environment"]) == ("none: registered by hand", "local")
    assert card["training_details"]["training_job_details"]["training_environment"]["container_image"] == [IMAGE]


def test_what_is_missing_is_said_and_the_card_is_made_without(registry, trained, call_program) -> None:
    done = call_program("register_model.py", trained.archive, "--image", IMAGE)
    assert done.code == 0, done.err
    assert "not evaluated" in done.out
    for name in FILES - {"report.html"}:
        assert f"{name}: not given; the version goes without" in done.err
    package = only_version(registry)
    assert "DriftCheckBaselines" not in package
    card = json.loads(package["ModelCard"]["ModelCardContent"])
    assert card["training_details"]["training_job_details"]["hyper_parameters"]
    assert "Plots" in [one["name"] for one in card.get("evaluation_details", [])]
    names = [one["name"] for entry in card["evaluation_details"] for group in entry["metric_groups"]
             for one in group["metric_data"]]  # fmt: skip
    assert "Coefficients" in names
    assert "Actual against predicted" not in names


def test_the_same_archive_is_registered_once(registry, trained, call_program) -> None:
    for _ in range(2):
        done = call_program("register_model.py", trained.archive, "--image", IMAGE, "--leave-pending")
        assert done.code == 0, done.err
    assert re.search(r"is registered already: arn:\S+/\d+ \(PendingManualApproval\)", done.out)
    assert len(arns(registry)) == 1


def test_the_approval_can_be_left_to_somebody_else(registry, trained, call_program) -> None:
    done = call_program("register_model.py", trained.archive, "--image", IMAGE, "--leave-pending")
    assert "waiting for approval\nApprove it: bikeshare model approve " in done.out
    package = only_version(registry)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert "in-use-since" not in package["CustomerMetadataProperties"]


def test_a_version_that_can_not_score_new_files_is_not_put_in_use(registry, parity, call_program) -> None:
    done = call_program("register_model.py", parity.archive, "--image", IMAGE)
    assert done.code == 0, done.err
    assert "not put in use: it takes casual and registered as inputs, which are never known in advance" in done.out
    package = only_version(registry)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["CustomerMetadataProperties"]["scores-new-rows"] == "no: casual registered"


def test_another_data_set(registry, trained_on_wine, call_program, monkeypatch) -> None:
    monkeypatch.setenv("BIKESHARE_DATASET", "red_wine")
    bucket = load_settings("local").artifacts_bucket
    Aws(load_settings("local")).s3.create_bucket(Bucket=bucket)
    done = call_program("register_model.py", trained_on_wine.archive, "--image", IMAGE)
    assert done.code == 0, done.err
    package = only_version(registry, load_settings("local").model_package_group_name)
    assert package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].startswith(f"s3://{bucket}/registered/")
    assert list(card_problems(package["ModelCard"]["ModelCardContent"], CardKind.PACKAGE)) == []


def test_another_group_and_a_new_one(registry, trained, call_program) -> None:
    done = call_program("register_model.py", trained.archive, "--image", IMAGE, "--group", "by-hand")
    assert "by-hand: created" in done.err
    assert "model card 1 --group by-hand" in done.out
    again = call_program("register_model.py", trained.archive, "--image", IMAGE, "--group", "by-hand")
    assert "by-hand: is there" in again.err
    assert len(arns(registry, "by-hand")) == 1
    assert call_program("register_model.py", trained.archive, "--image", IMAGE, "--time-stamped-group").code == 0
    names = [one["ModelPackageGroupName"]
             for one in registry.list_model_package_groups()["ModelPackageGroupSummaryList"]]  # fmt: skip
    (stamped,) = set(names) - {"by-hand"}
    assert re.fullmatch(rf"{GROUP}-\d{{4}}(-\d\d){{5}}", stamped)
    assert len(arns(registry, stamped)) == 1


def test_the_organisations_standard_refuses_with_a_list(registry, trained, call_program, tmp_path, monkeypatch) -> None:
    standard = tmp_path / "standard.toml"
    fields = ("colour", "depth", "reviewer")
    text = "".join(f'[fields.{name}]\ntitle = "The {name}"\nowner = "team"\n' for name in fields)
    standard.write_text(f'title = "Our standard"\nversion = "3"\n[owners]\nteam = "all"\n{text}')
    monkeypatch.setenv("BIKESHARE_REGISTRY__CARD_STANDARD", str(standard))
    done = call_program("register_model.py", trained.archive, "--image", IMAGE)
    assert (done.code, done.out) == (11, "")
    assert "does not meet Our standard, 3: 3 fields of it" in done.err
    for name in fields:
        assert f"{name} (The {name}; team): it is missing; write it in card.fields.{name}" in done.err
    assert registry.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_the_figures_of_another_model_are_refused(registry, trained, parity, evaluation, call_program) -> None:
    done = call_program("register_model.py", parity.archive, "--image", IMAGE, "--evaluation", evaluation)
    assert (done.code, done.out) == (1, "")
    assert "evaluation.json is of another model (profile forecast, not parity)" in done.err
    other = evaluated(parity, evaluation.parent / "parity")
    (other / "evaluation.json").write_bytes((evaluation / "evaluation.json").read_bytes())
    done = call_program("register_model.py", trained.archive, "--image", IMAGE, "--evaluation", other)
    assert (done.code, done.out) == (1, "")
    assert "card.json is of another run than evaluation.json" in done.err
    assert registry.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_card_that_earlier_code_has_made_is_taken(registry, trained, evaluation, call_program, tmp_path) -> None:
    """Words of a card change from release to release, figures do not."""
    for name in ("evaluation.json", "card.json"):
        text = (evaluation / name).read_text("utf-8")
        assert name == "evaluation.json" or "Mean error (" in text
        (tmp_path / name).write_text(text.replace("Mean error (", "Bias (") if name == "card.json" else text, "utf-8")
    done = call_program("register_model.py", trained.archive, "--image", IMAGE, "--evaluation", tmp_path)
    assert done.code == 0, done.err
    assert "Bias (" in only_version(registry)["ModelCard"]["ModelCardContent"]


def test_errors_name_what_is_wrong(registry, trained, trained_on_wine, call_program, tmp_path) -> None:
    (tmp_path / "no.tar.gz").write_text("no archive")
    (tmp_path / "no.json").write_text("{}")
    archive = trained.archive
    for arguments, code, says in (
        (("absent.tar.gz",), 1, "The model archive absent.tar.gz is not there"),
        (("no.tar.gz",), 9, "can't be used"),
        ((archive, "--evaluation", "no.json"), 1, "no.json is not an evaluation.json"),
        ((archive, "--evaluation", "."), 1, "evaluation.json is not an evaluation.json"),
        ((archive, "--group", "no_such.name", "--image", IMAGE), 11, "Preparing model package group no_such.name"),
        ((archive, "--timeout-seconds", "0"), 2, "more than 0 is needed"),
        ((archive, "--image", IMAGE, "--reason", "x" * 1025), 11, "has 1,025 characters, and AWS keeps 1,024"),
        ((trained_on_wine.archive,), 1, "The model is of the data set"),
    ):
        done = call_program("register_model.py", *arguments)
        assert (done.code, done.out) == (code, ""), done
        assert says in done.err
        assert "Traceback" not in done.err
    assert registry.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_nothing_answers(trained, call_program, point_at) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    point_at(f"http://127.0.0.1:{port}")
    done = call_program("register_model.py", trained.archive, "--image", IMAGE)
    assert done.code == 12
    assert f"nothing answers at http://127.0.0.1:{port}" in done.err


@pytest.fixture
def says(registry):
    """Clients for which AWS answers another status than the endpoint, as it does for seconds after a creation."""
    aws = Aws(load_settings("local"))

    def answer(operation: str, field: str, *statuses: str) -> Aws:
        left = list(statuses)

        def change(parsed: dict[str, Any], **_: Any) -> None:
            if field in parsed and left:
                parsed[field] = left.pop(0) if len(left) > 1 else left[0]

        aws.sagemaker.meta.events.register(f"after-call.sagemaker.{operation}", change)
        return aws

    return answer


def test_a_group_is_waited_for(says, capsys) -> None:
    seen: list[str] = []
    aws = says("DescribeModelPackageGroup", "ModelPackageGroupStatus", "Pending", "InProgress", "Completed")
    assert ready_group("slow", aws, Waiting(10, seen.append)) == "created"
    assert seen == ["Pending", "InProgress", "Completed"]


def test_a_time_out_names_the_state(says) -> None:
    aws = says("DescribeModelPackageGroup", "ModelPackageGroupStatus", "InProgress")
    with pytest.raises(NoAnswerError, match=r"Model package group slow is still InProgress after 0\.2 seconds"):
        ready_group("slow", aws, Waiting(0.2))


def test_what_failed_is_not_taken_for_done(says) -> None:
    aws = says("DescribeModelPackageGroup", "ModelPackageGroupStatus", "Failed")
    with pytest.raises(RegistrationError, match="Model package group broken is Failed"):
        ready_group("broken", aws, Waiting(10))
    aws = says("DescribeModelPackage", "ModelPackageStatus", "InProgress", "Failed")
    with pytest.raises(RegistrationError, match=r"Version arn:\S+/1 is Failed: AWS gives no reason"):
        create_version({"ModelPackageGroupName": "broken"}, aws, Waiting(10))


def test_the_sdk_leaves_nobody_chattering() -> None:
    program = (
        "import logging; from pipeline.settings.environment import load_settings; "
        "from scripts.register_model import image_uri; image_uri(load_settings('local')); "
        "logging.getLogger('botocore.credentials').info('Found credentials')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == ""


def test_the_image_is_the_pipelines() -> None:
    assert image_uri(load_settings("local")).endswith("/sagemaker-scikit-learn:1.9-0-cpu-py3")
