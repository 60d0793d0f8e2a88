"""score_predictions.py against S3 and CloudWatch over HTTP (moto)."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

import score_predictions
from analysis.runtime.errors import AwsCallError, ScoreError
from analysis.runtime.names import PREDICTED
from analysis.runtime.upload import Claim, claim_of, claim_text

PIPELINE = "bikes-dev-training"
EXECUTION = f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{PIPELINE}/execution/abc123def456"
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/bikes"
NAMESPACE = {"name": ""}
KEY = "raw/training/outcomes.csv"


@pytest.fixture
def s3(aws, monkeypatch):
    # Nothing deletes a metric.
    monkeypatch.setitem(NAMESPACE, "name", f"bikes-{uuid.uuid4()}")
    client = boto3.client("s3")
    for bucket in ("raw", "artifacts", "predictions"):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def outcomes(s3) -> Callable[..., Claim]:
    """Upload a file with outcomes, and put what the steps before have made of it; the claim on it."""

    def put(rows: str, moment: str = "2026-03-09T00:00:00.000Z", key: str = KEY) -> Claim:
        version = s3.put_object(Bucket="raw", Key=key, Body=rows.encode())["VersionId"]
        claim = claim_of("raw", key, version, moment)
        for name, text in {"claim.json": claim_text(claim), "rows.csv": rows}.items():
            s3.put_object(Bucket="artifacts", Key=f"{claim.identity}/{name}", Body=text.encode())
        return claim

    return put


@pytest.fixture
def predict(s3) -> Callable[..., str]:
    """Publish a prediction file as publish.py does, each row with an interval of 2 around its prediction."""

    def put(
        rows: dict[str, str] | list[tuple[str, ...]],
        *,
        labels: tuple[str, ...] = ("date",),
        version: str = "1",
        profile: str = "forecast",
        at: str = "2026-03-01T00:00:00.000Z",
        actual: str = "",
        role: str = "new",
        **manifest: Any,
    ) -> str:
        named = [(key, value) for key, value in rows.items()] if isinstance(rows, dict) else rows
        name = f"{profile}/dt={at[:10]}/f{version}-{len(stored(s3))}"
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([*labels, *PREDICTED])
        for *cells, prediction in named:
            value = float(prediction)
            numbers = [prediction, str(value - 1), str(value + 1), actual]
            writer.writerow([*cells, *numbers, version, f"run{version}", "raw/x.csv", "0", "", role, "Approved", at])
        s3.put_object(Bucket="predictions", Key=f"predictions/{name}.csv", Body=buffer.getvalue().encode())
        document = {
            "predictions": f"predictions/{name}.csv",
            "profile": profile,
            "model_package_arn": f"{GROUP}/{version}",
            "execution_arn": f"{EXECUTION.rpartition('/')[0]}/run{version}",
            "source": {"key": "raw/x.csv", "identity": name},
            "uploaded_at": at,
            "predicted_at": at,
            "first_label": min(row[0] for row in named),
            "last_label": max(row[0] for row in named),
            "outcomes": {"known": len(named) if actual else 0, "awaited": 0 if actual or role != "new" else len(named)},
            **manifest,
        }
        s3.put_object(Bucket="predictions", Key=f"manifests/{name}.json", Body=json.dumps(document).encode())
        return f"predictions/{name}.csv"

    return put


def run(claim: Claim, **more: str) -> dict[str, str]:
    options = {
        "rows-uri": f"s3://artifacts/{claim.identity}/rows.csv",
        "claim-uri": f"s3://artifacts/{claim.identity}/claim.json",
        "predictions-uri": "s3://predictions",
        "joined-by": "date",
        "time-label": "date",
        "metrics-namespace": NAMESPACE["name"],
        "least-rows": "1",
        "execution-arn": EXECUTION,
        "retry-seconds": "5",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return score_predictions.score_step([f"--{name}={value}" for name, value in options.items() if value])


def stored(s3, prefix: str = "") -> dict[str, bytes]:
    entries = s3.list_objects_v2(Bucket="predictions", Prefix=prefix).get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket="predictions", Key=entry["Key"])["Body"].read() for entry in entries}


def table(s3, claim: Claim, profile: str = "forecast") -> list[dict[str, str]]:
    key = f"realised/{profile}/dt={claim.dt}/{claim.prediction_name}.csv"
    return list(csv.DictReader(io.StringIO(stored(s3)[key].decode())))


def summary(s3, claim: Claim, profile: str = "forecast") -> dict[str, Any]:
    return json.loads(stored(s3)[f"realised-manifests/{profile}/dt={claim.dt}/{claim.prediction_name}.json"])


def metrics(version: str | None = None) -> dict[str, float]:
    """Return the newest value of each metric of the pipeline, or of a version."""
    client = boto3.client("cloudwatch")
    dimensions = [{"Name": "Pipeline", "Value": PIPELINE}]
    dimensions += [{"Name": "Version", "Value": version}] if version else []
    found = {}
    now = datetime.now(UTC)
    for metric in client.list_metrics(Namespace=NAMESPACE["name"])["Metrics"]:
        if sorted(map(str, metric["Dimensions"])) == sorted(map(str, dimensions)):
            points = client.get_metric_statistics(
                **metric,
                StartTime=now - timedelta(hours=1),
                EndTime=now + timedelta(hours=1),
                Period=7200,
                Statistics=["Minimum"],
            )["Datapoints"]
            found[metric["MetricName"]] = points[-1]["Minimum"]
    return found


def test_outcomes_beside_their_predictions(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10", "2026-03-03": "20", "2026-03-04": "30"})
    claim = outcomes("date,actual,row_role\n2026-03-02,10.5,train\n2026-03-03,25,test\n2026-03-08,1,train\n")
    answer = run(claim)
    assert answer == {
        "reason": "version 1: 1 of 2 outcomes in the interval (50%), mean absolute error 2.75",
        "rows": "2",
    }
    common = {
        "model_version": "1", "execution_id": "run1", "source_key": "raw/x.csv",
        "predicted_at": "2026-03-01T00:00:00.000Z", "known_at": "2026-03-09T00:00:00.000Z",
    }  # fmt: skip
    assert table(s3, claim) == [
        {"date": "2026-03-02", "prediction": "10", "lower_95": "9.0", "upper_95": "11.0", "actual": "10.5", **common},
        {"date": "2026-03-03", "prediction": "20", "lower_95": "19.0", "upper_95": "21.0", "actual": "25", **common},
    ]
    said = summary(s3, claim)
    assert said["versions"] == {
        "1": {
            "2026-03-02": {"rows": 1, "error": 0.5, "absolute": 0.5, "squared": 0.25, "covered": 1},
            "2026-03-03": {"rows": 1, "error": 5.0, "absolute": 5.0, "squared": 25.0, "covered": 0},
        }
    }
    assert (said["rows"], said["joined_by"], said["first_label"], said["last_label"]) == (
        2, ["date"], "2026-03-02", "2026-03-03",
    )  # fmt: skip
    expected = {"RealisedCoverage": 0.5, "RealisedMae": 2.75, "RealisedRmse": (25.25 / 2) ** 0.5, "RealisedRows": 2.0}
    assert metrics() == pytest.approx(expected)
    assert metrics("1") == pytest.approx(expected)


def test_doing_it_again_changes_nothing(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10"})
    claim = outcomes("date,actual,row_role\n2026-03-02,10.5,train\n")
    run(claim)
    once = stored(s3)
    assert run(claim)["rows"] == "1"
    assert stored(s3) == once


@pytest.mark.parametrize(
    "known",
    [
        {"role": "train", "actual": "10"},
        {"role": "test", "actual": "10"},
        {"role": "test"},
        {"at": "2026-03-09T00:00:01.000Z"},
        {"predicted_at": "2026-03-09T00:00:01.000Z"},
    ],
)
def test_what_was_known_when_it_was_predicted_is_not_measured(s3, outcomes, predict, known) -> None:
    predict({"2026-03-02": "10"}, **known)
    answer = run(outcomes("date,actual,row_role\n2026-03-02,10.5,train\n"))
    assert answer["reason"] == "no row of the file was predicted before its outcome was known"
    assert not stored(s3, "realised")


def test_each_version_once_and_profiles_apart(s3, outcomes, predict) -> None:
    rows = {"2026-03-02": "10"}
    predict({"2026-03-02": "1"}, at="2026-03-01T00:00:00.000Z")
    predict(rows, at="2026-03-02T00:00:00.000Z")
    predict({"2026-03-02": "12"}, version="2")
    predict({"2026-03-02": "14"}, version="3", profile="parity")
    claim = outcomes("date,actual,row_role\n2026-03-02,10.5,train\n")
    run(claim)
    assert [(row["model_version"], row["prediction"]) for row in table(s3, claim)] == [("1", "10"), ("2", "12")]
    assert [row["prediction"] for row in table(s3, claim, "parity")] == ["14"]
    assert [metrics(version)["RealisedRows"] for version in "123"] == [1.0, 1.0, 1.0]
    assert metrics("3")["RealisedMae"] == 3.5


def test_a_corrected_outcome_replaces_the_older_figure(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10", "2026-03-03": "20"})
    first = "date,actual,row_role\n2026-03-02,10.5,train\n2026-03-03,20,train\n"
    run(outcomes(first), least_rows="3")
    # The training's own predictions say what was known since then.
    predict({"2026-03-02": "10"}, actual="10.5", role="train", at="2026-03-09T00:00:00.000Z", version="2")
    predict({"2026-03-03": "20"}, actual="20", role="train", at="2026-03-09T00:00:00.000Z", version="2")
    corrected = outcomes(first.replace("10.5", "14"), "2026-03-10T00:00:00.000Z", "raw/training/again.csv")
    run(corrected, least_rows="2")
    assert [(row["date"], row["actual"]) for row in table(s3, corrected)] == [("2026-03-02", "14")]
    # 4 and 0, not 0.5, 4 and 0.
    assert metrics() == {"RealisedCoverage": 0.5, "RealisedMae": 0.5 * 4, "RealisedRmse": 8**0.5, "RealisedRows": 2.0}


def test_a_table_without_a_key_is_joined_by_its_records(s3, outcomes, predict) -> None:
    labels = ("record", "line")
    predict([("ab-0", "2", "5"), ("cd-0", "3", "6")], labels=labels)
    claim = outcomes("record,line,actual,row_role\ncd-0,9,6.5,train\nff-0,2,5,train\n")
    run(claim, joined_by="record", time_label="")
    assert [(row["record"], row["line"], row["actual"]) for row in table(s3, claim)] == [("cd-0", "9", "6.5")]
    assert list(summary(s3, claim)["versions"]["1"]) == ["2026-03-09"]


def test_a_key_of_several_columns_that_a_spreadsheet_could_take_for_formulas(s3, outcomes, predict) -> None:
    labels = ("time", "station")
    predict([("2026-03-02", "'=a", "5"), ("2026-03-02", "b", "6")], labels=labels)
    claim = outcomes("time,station,actual,history_gap,row_role\n2026-03-02,=a,5.5,0,train\n")
    run(claim, joined_by="time,station", time_label="time")
    assert [(row["station"], row["prediction"]) for row in table(s3, claim)] == [("'=a", "5")]


def test_too_few_rows_give_no_figures(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10"})
    run(outcomes("date,actual,row_role\n2026-03-02,10.5,train\n"), least_rows="2")
    assert metrics() == {"RealisedRows": 1.0}


def test_figures_are_of_the_newest_outcomes_that_are_enough(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10", "2026-03-03": "20", "2026-03-04": "30"})
    for number, (day, actual) in enumerate((("02", "99"), ("03", "20"), ("04", "30"))):
        rows = f"date,actual,row_role\n2026-03-{day},{actual},train\n"
        run(outcomes(rows, f"2026-03-1{number}T00:00:00.000Z", f"raw/training/{day}.csv"), least_rows="2")
    # The lowest since the first: of the first two outcomes.
    assert metrics()["RealisedCoverage"] == 0.5
    assert {name: points for name, points in metrics().items() if name == "RealisedRows"} == {"RealisedRows": 1.0}


def test_many_rows_are_joined_in_parts(s3, outcomes, predict, monkeypatch) -> None:
    monkeypatch.setattr(score_predictions, "rows_at_once", lambda: 7)
    days = [f"2026-{month:02d}-{day:02d}" for month in (1, 2) for day in range(1, 29)]
    predict(dict.fromkeys(days[:40], "10"), at="2025-12-31T00:00:00.000Z")
    predict(dict.fromkeys(days[40:], "10"), at="2025-12-31T00:00:00.000Z", version="2")
    claim = outcomes("date,actual,row_role\n" + "".join(f"{day},10,train\n" for day in days))
    assert run(claim)["rows"] == str(len(days))
    assert [row["date"] for row in table(s3, claim)] == days


def test_a_file_that_was_replaced_meanwhile_is_not_measured(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10"})
    claim = outcomes("date,actual,row_role\n2026-03-02,10.5,train\n")
    s3.put_object(Bucket="raw", Key=KEY, Body=b"newer")
    assert "was replaced by version" in run(claim)["reason"]
    assert not stored(s3, "realised")


def test_a_prediction_file_that_somebody_has_deleted_or_is_being_replaced_is_left_out(s3, outcomes, predict) -> None:
    s3.delete_object(Bucket="predictions", Key=predict({"2026-03-02": "10"}))
    # The manifest is still that of the execution before.
    predict({"2026-03-02": "12"}, version="2", execution_arn="…/another")
    answer = run(outcomes("date,actual,row_role\n2026-03-02,10.5,train\n"))
    assert answer["rows"] == "0"


def test_files_of_an_earlier_layout_are_left_out(s3, outcomes, predict) -> None:
    s3.put_object(Bucket="predictions", Key="manifests/dt=2026-03-01/x.json", Body=b"{}")
    s3.put_object(Bucket="predictions", Key="manifests/forecast/dt=2026-03-01/x.json", Body=b"{}")
    assert run(outcomes("date,actual,row_role\n2026-03-02,10.5,train\n"))["rows"] == "0"


def test_what_is_in_another_form_is_named(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10"})
    with pytest.raises(ScoreError, match=r"rows\.csv has no column station; it has date, actual, row_role"):
        run(outcomes("date,actual,row_role\n2026-03-02,10.5,train\n"), joined_by="station")
    s3.put_object(Bucket="predictions", Key="manifests/forecast/dt=2026-03-01/y.json", Body=b"[")
    with pytest.raises(ScoreError, match="is no manifest of this project"):
        run(outcomes("date,actual,row_role\n2026-03-02,10.5,train\n"))


def test_without_rows_csv_the_call_is_named(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10"})
    claim = outcomes("date,actual,row_role\n2026-03-02,10.5,train\n")
    with pytest.raises(AwsCallError, match="Reading s3://artifacts/absent failed"):
        run(claim, rows_uri="s3://artifacts/absent")


def test_metrics_that_are_refused_fail_nothing(s3, outcomes, predict) -> None:
    predict({"2026-03-02": "10"})
    claim = outcomes("date,actual,row_role\n2026-03-02,10.5,train\n")
    answer = run(claim, metrics_namespace="AWS/Ours")
    assert answer["rows"] == "1"
    assert table(s3, claim)
