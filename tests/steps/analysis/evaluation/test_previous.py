"""The comparison with the model in use, against a registry and S3 over HTTP (moto)."""

from __future__ import annotations

import io
import json
import tarfile

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
    def add(data: bytes | None, status: str = "Approved", **properties: str) -> str:
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
            CustomerMetadataProperties=properties,
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


@pytest.fixture
def drift_block(evaluated, tmp_path):
    """Evaluate, and return the block `drift` with what the step printed of it, and the report."""

    def run():
        _, log, report = evaluated()
        (line,) = [line for line in log.splitlines() if line.startswith("evaluate: drift")]
        return json.loads((tmp_path / "out" / "evaluation.json").read_text())["drift"], line, report

    return run


def with_model(run, change) -> bytes:
    """Return the run's archive with a changed model.json."""
    document = json.loads((run.root / "model" / "model.json").read_text())
    change(document)
    body = json.dumps(document).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("model.json")
        member.size = len(body)
        tar.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def test_a_file_is_compared_with_the_training_rows_of_the_model_in_use(
    registry, register, drift_block, sample_runs
) -> None:
    register(archive(sample_runs["forecast"]))
    block, line, _ = drift_block()
    assert (block["status"], block["drifted"]) == ("compared", [])
    rows = sample_runs["forecast"].document("prepared/quality/quality.json")["rows"]["used"]
    assert block["rows"] == {"training": sample_runs["forecast"].evaluation["train"]["rows"], "file": rows}
    assert {one["feature"] for one in block["features"]} >= {"temp", "season", "holiday"}
    assert "none beyond 0.25 and chance" in line


def test_a_new_file_that_has_drifted_is_said_and_fails_no_training(register, drift_block, sample_runs):
    def colder(document) -> None:
        feature = document["baseline"]["features"]["temp"]
        feature["counts"] = [sum(feature["counts"]), *(0 for _ in feature["counts"][1:])]
        feature["missing"] = 0.5

    register(with_model(sample_runs["forecast"], colder))
    block, line, _ = drift_block()
    (temp,) = [one for one in block["features"] if one["feature"] == "temp"]
    assert block["drifted"] == ["temp"]
    assert (temp["missing"], temp["missing_in_training"]) == (0.0, 0.5)
    assert temp["bins"][0]["label"] == "freezing"
    assert temp["psi"] > 1.0
    assert "temp (PSI " in line


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda document: document.pop("baseline"), "made before training rows were described"),
        (lambda document: document["baseline"]["features"].clear(), "no feature is known to be the same"),
        (
            lambda document: document.update(
                baseline=None, ranges={}, input_columns=[*reversed(document["input_columns"])]
            ),
            "takes other columns",
        ),
    ],
)
def test_what_can_not_be_compared_is_said(register, drift_block, sample_runs, change, reason) -> None:
    register(with_model(sample_runs["forecast"], change))
    block, line, _ = drift_block()
    assert (block["status"], block["features"]) == ("not compared", [])
    assert reason in block["reason"]
    assert reason in line


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
    assert "As good as the model in use" in report
    assert "there is <strong>no difference that these days can show</strong>" in report
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
    assert "Better than the model in use" in report
    assert "perhaps on some of these test days" in report


def test_a_better_challenger_is_called_so_with_its_interval(register, evaluated, sample_runs) -> None:
    register(with_model(sample_runs["forecast"], lambda document: document.update(intercept=9e4)))
    block, log, report = evaluated()
    low, high = block["difference_intervals"]["rmse"]
    assert block["verdict"] == "better"
    assert low < block["difference"]["rmse"] < high < 0.0
    assert block["difference_intervals"]["r2"][0] > 0.0
    assert (block["interval_level"], block["resamples"], block["rows"]) == (0.95, 1000, block["test"]["rows"])
    assert "model in use: compared with version 1: better, RMSE -" in log
    assert "Champion and challenger" in report


def test_a_model_of_other_columns_is_measured_on_the_same_rows_prepared_for_it(
    register, evaluated, sample_runs
) -> None:
    arn = register(archive(sample_runs["parity"]))
    block, _, report = evaluated()
    assert (block["status"], block["model_package_arn"], block["profile"]) == ("compared", arn, "parity")
    assert block["test"]["r2"] == pytest.approx(1.0)
    assert block["verdict"] == "worse"
    assert "Worse than the model in use" in report


def test_what_a_model_has_learned_is_what_it_is_measured_with(register, evaluated, sample_runs) -> None:
    """Bins of its own are made again for it, from the same rows."""

    def other_fills(document) -> None:
        document["preparation"]["learned"]["edges"] = {"temp": [1.0]}

    register(with_model(sample_runs["forecast"], other_fills))
    block, _, _ = evaluated()
    assert block["status"] == "compared"
    assert set(block["difference"].values()) == {0.0}


def test_a_model_whose_columns_the_rows_lack_is_not_comparable(register, evaluated, lagged_run) -> None:
    register(archive(lagged_run))
    block, _, report = evaluated()
    assert block["status"] == "not comparable"
    assert "its profile forecast-lagged takes" in block["reason"]
    assert "which the test rows lack" in block["reason"]
    assert "It could not be compared (not comparable)" in report


def test_the_version_that_was_put_in_use_last_is_the_champion(register, evaluated, sample_runs) -> None:
    first = register(archive(sample_runs["forecast"]), **{"in-use-since": "2099-01-01T00:00:00.000Z"})
    register(archive(sample_runs["parity"]))
    assert evaluated()[0]["model_package_arn"] == first


def test_without_a_model_in_use_the_report_says_so(registry, register, evaluated) -> None:
    assert evaluated()[0]["status"] == "none"
    register(b"x", "Rejected")
    block, log, report = evaluated()
    assert block["status"] == "none"
    assert "no version in bikes is in use yet" in report
    assert "model in use: none" in log


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
