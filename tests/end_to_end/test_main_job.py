"""The main job on the real table: a CSV lands in S3, predictions come back, and every number is checked."""

from __future__ import annotations

import csv
import io
import json
import math
import tarfile
from collections import Counter
from datetime import datetime

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("main-job")]

KEY = "raw/training/day.csv"
EXPECTED_STEPS = {
    "ClaimInput",
    "IsNewInput",
    "IsRegistered",
    "ReadHistory",
    "Preprocess",
    "IngestFeatures",
    "Train",
    "Evaluate",
    "QualityGate",
    "ConfirmClaim",
    "RegisterModel",
    "CreateModel",
    "Transform",
    "PublishPredictions",
    "ScorePredictions",
}


@pytest.fixture(scope="module")
def execution(deployed, day_csv):
    """Return the execution that the upload started, once it has ended."""
    return deployed.run(KEY, day_csv)


@pytest.fixture(scope="module")
def days(day_csv):
    """Return the table as dictionaries of text, read without the project's code."""
    return list(csv.DictReader(io.StringIO(day_csv.decode())))


@pytest.fixture(scope="module")
def package(deployed, execution):
    """Return the registered model package."""
    assert execution.status == "Succeeded", execution.explanation
    packages = deployed.model_packages()
    assert len(packages) == 1
    return packages[0]


@pytest.fixture(scope="module")
def model(deployed, package):
    """model.json out of the registered artefact."""
    uri = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with tarfile.open(fileobj=io.BytesIO(deployed.read(bucket, key))) as archive:
        member = archive.extractfile("model.json")
        assert member is not None
        return json.load(member)


@pytest.fixture(scope="module")
def evaluation(deployed, package):
    """Return the model-quality JSON that the package names."""
    uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return json.loads(deployed.read(bucket, key))


@pytest.fixture(scope="module")
def rows(deployed, execution):
    """Rows of the one prediction file."""
    files = deployed.predictions()
    assert len(files) == 1
    return list(csv.DictReader(io.StringIO(next(iter(files.values())).decode())))


def independent_prediction(model, day):
    """One day's prediction from nothing but the registered coefficients and the raw row."""
    total = model["intercept"]
    for name, coefficient in model["coefficients"].items():
        column, _, level = name.rpartition("_")
        if column in {"season", "mnth", "weekday", "weathersit"}:
            value = 1.0 if int(day[column]) == int(level) else 0.0
        else:
            value = float(day[name])
        bounds = model["scaler"].get(name)
        if bounds:
            value = (value - bounds["minimum"]) / (bounds["maximum"] - bounds["minimum"])
        total += coefficient * value
    return total


def is_outside(model, day):
    """Whether a measure of the day is outside the range of the training rows; every level of a category was in it."""
    ranges = {name: model["ranges"][name] for name in ("temp", "atemp", "hum", "windspeed")}
    return any(not limits["minimum"] <= float(day[name]) <= limits["maximum"] for name, limits in ranges.items())


def test_the_execution_succeeds_and_lists_every_step_with_its_times(deployed, execution):
    assert execution.status == "Succeeded", execution.explanation
    answer = deployed.aws.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution.arn, MaxResults=100)
    steps = {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}
    assert set(steps) == EXPECTED_STEPS
    for name, step in steps.items():
        assert step["StepStatus"] == "Succeeded", name
        assert isinstance(step["StartTime"], datetime), name
        assert step["StartTime"] <= step["EndTime"], name


def test_every_row_is_predicted_as_the_registered_coefficients_say(rows, days, model):
    assert len(rows) == len(days) == 730
    for row, day in zip(rows, days, strict=True):
        expected = max(independent_prediction(model, day), 0.0)
        assert math.isclose(float(row["prediction"]), expected, rel_tol=1e-9), day
        assert row["date"] == datetime.strptime(day["dteday"], "%d-%m-%y").strftime("%Y-%m-%d")  # noqa: DTZ007
        assert int(row["actual"]) == int(day["cnt"])
        half_width = model["interval"]["calibration"]["half_width"]
        assert math.isclose(float(row["upper_95"]), independent_prediction(model, day) + half_width, rel_tol=1e-9)
        assert 0.0 <= float(row["lower_95"]) <= float(row["prediction"]) < float(row["upper_95"])
        assert (row["extrapolated"], row["history_gap"]) == (str(int(is_outside(model, day))), "")


def test_each_row_says_what_it_was_to_the_model_and_whether_that_was_approved(rows):
    assert Counter(row["row_role"] for row in rows) == {"train": 510, "test": 219, "new": 1}
    assert {row["model_status"] for row in rows} == {"PendingManualApproval"}
    assert len({row["uploaded_at"] for row in rows}) == 1


def test_what_leaks_the_answer_is_no_input(model):
    assert not {"casual", "registered", "cnt"} & set(model["input_columns"])


def test_each_row_names_its_model_and_execution(rows, execution, package):
    assert {row["execution_id"] for row in rows} == {execution.arn.rsplit("/", 1)[-1]}
    assert {row["model_version"] for row in rows} == {str(package["ModelPackageVersion"])}


def test_every_day_is_a_record_in_the_feature_store(deployed, execution, days):
    found = 0
    for day in days:
        identifier = datetime.strptime(day["dteday"], "%d-%m-%y").strftime("%Y-%m-%d")  # noqa: DTZ007
        values = deployed.stored(identifier)
        assert [int(values[name]) for name in ("casual", "registered", "cnt")] == [
            int(day[name]) for name in ("casual", "registered", "cnt")
        ]
        assert math.isclose(float(values["temp"]), float(day["temp"]), rel_tol=1e-12)
        found += 1
    assert found == 730


def test_the_registered_version_carries_metrics_and_a_card(package, evaluation):
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert evaluation["regression_metrics"]["r2"]["value"] >= 0.83
    assert evaluation["leakage"]["verdict"] == "pass"
    card = json.loads(package["ModelCard"]["ModelCardContent"])
    headline, random, rolling, *_ = card["evaluation_details"]
    for shown, figure in ((headline, "chronological"), (rolling, "rolling"), (random, "random")):
        values = {metric["name"]: metric["value"] for metric in shown["metric_groups"][0]["metric_data"]}
        found = evaluation["validation"][figure]
        shares = [found["intervals"][kind]["coverage"] for kind in ("calibrated", "classical")]
        names = ("R-squared", "Root mean squared error (rentals)", "Mean absolute error (rentals)")
        inside = (f"Share inside the {kind} interval" for kind in ("calibrated", "classical"))
        expected = [found["r2"], found["rmse"], found["mae"], *shares]
        assert [values[name] for name in (*names, *inside)] == pytest.approx(expected, rel=1e-5)
    assert evaluation["validation"]["random"]["r2"] == evaluation["regression_metrics"]["r2"]["value"]
    assert "measured on the 220 latest, 2019-05-26 to 2019-12-31" in headline["evaluation_observation"]


def test_the_metrics_equal_an_independent_computation_on_the_same_split(evaluation, days, model):
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(list(range(730)), train_size=0.7, test_size=0.3, random_state=333)
    assert (len(train), len(test)) == (510, 219)
    actual = [float(days[index]["cnt"]) for index in test]
    predicted = [independent_prediction(model, days[index]) for index in test]
    mean = sum(actual) / len(actual)
    residual = sum((a - p) ** 2 for a, p in zip(actual, predicted, strict=True))
    r_squared = 1 - residual / sum((a - mean) ** 2 for a in actual)
    assert evaluation["regression_metrics"]["r2"]["value"] == pytest.approx(r_squared, rel=1e-9)
    assert evaluation["regression_metrics"]["rmse"]["value"] == pytest.approx(math.sqrt(residual / 219), rel=1e-9)
    assert r_squared >= 0.83


def test_the_manifest_describes_the_file(deployed, execution, rows):
    import hashlib

    ((key, content),) = deployed.predictions().items()
    manifest_key = key.replace("predictions/", "manifests/", 1).removesuffix(".csv") + ".json"
    manifest = json.loads(deployed.read(deployed.settings.predictions_bucket, manifest_key))
    assert manifest["rows"] == 730
    assert manifest["extrapolated"] == sum(row["extrapolated"] == "1" for row in rows)
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_logs_of_the_jobs_are_in_cloudwatch(deployed, execution):
    (train,) = [step for step in execution.steps if step.name == "Train"]
    streams = deployed.aws.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{train.job_name}/"
    )["logStreams"]
    assert streams
    events = deployed.aws.logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=streams[0]["logStreamName"], startFromHead=True
    )["events"]
    assert any("train:r2=" in event["message"] for event in events)


def test_independent_steps_run_at_the_same_time(execution):
    steps = {step.name: step for step in execution.steps}
    evaluate, create_model = steps["Evaluate"], steps["CreateModel"]
    assert evaluate.started < create_model.ended
    assert create_model.started < evaluate.ended


def test_no_model_is_left(deployed, execution):
    assert execution.status == "Succeeded", execution.explanation
    assert deployed.aws.sagemaker.list_models()["Models"] == []


def test_the_same_event_again_changes_nothing(deployed, execution, day_csv):
    before, packages = deployed.predictions(), deployed.model_packages()
    known = deployed.executions()
    version = deployed.aws.s3.head_object(Bucket=deployed.settings.raw_bucket, Key=KEY)["VersionId"]
    deployed.send_event(KEY, version)
    (arn,) = _wait_for_more(deployed, known)
    second = deployed.finished(arn)
    assert second.status == "Succeeded", second.explanation
    assert {step.name for step in second.steps if step.status == "Succeeded"} == {
        "ClaimInput",
        "IsNewInput",
        "IsRegistered",
    }
    assert deployed.predictions() == before
    assert deployed.model_packages() == packages


def _wait_for_more(deployed, known):
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        new = [arn for arn in deployed.executions() if arn not in known]
        if new:
            return new
        time.sleep(0.05)
    pytest.fail("the second event started nothing")


def test_commands_for_people_show_it(deployed, execution):
    runs = deployed.command("runs")
    assert execution.arn.rsplit("/", 1)[-1] in runs.stdout
    shown = deployed.command("predictions", "--rows", "3")
    assert "predictions/forecast/dt=" in shown.stdout
    assert "2018-01-01" in shown.stdout
    watched = deployed.command("watch", execution.arn)
    assert "PublishPredictions" in watched.stdout
    assert "Succeeded" in watched.stdout
    assert "on AWS this time would be about $0.0" in watched.stdout
    listed = json.loads(deployed.command("predictions", "--json").stdout)
    assert len(listed["files"]) == 1


def test_a_plan_after_deploy_is_empty(deployed):
    found = deployed.command("plan")
    assert found.returncode == 0
    assert "No changes" in found.stdout


def test_logs_can_be_read_by_step(deployed, execution):
    train = deployed.command("logs", execution.arn, "--step", "train")
    assert "train:r2=" in train.stdout
    everything = deployed.command("logs", execution.arn)
    assert "claim: process" in everything.stdout
    assert train.stdout in everything.stdout
    unknown = deployed.command("logs", execution.arn, "--step", "Nothing", check=False)
    assert unknown.returncode == 6
    assert "has no step Nothing" in unknown.stderr


def test_exports_of_the_registered_model_predict_what_the_batch_transform_predicted(
    deployed, package, rows, day_csv, tmp_path
):
    (tmp_path / "day.csv").write_bytes(day_csv)
    published = [float(row["prediction"]) for row in rows]
    deployed.script("export_model.py", package["ModelPackageArn"], "--output-dir", tmp_path, "--name", "model")
    for ending in ("pickle", "joblib"):
        output = tmp_path / f"{ending}.csv"
        deployed.script(
            "predict_from_export.py", tmp_path / f"model.{ending}", tmp_path / "day.csv", "--output", output
        )
        exported = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(output.read_text(encoding="utf-8")))]
        assert len(exported) == 730
        for one, other in zip(exported, published, strict=True):
            assert math.isclose(one, other, rel_tol=1e-12), ending


def test_the_report_is_one_file(deployed, execution, tmp_path):
    path = tmp_path / "report.html"
    deployed.command("report", execution.identifier, "-o", str(path))
    text = path.read_text(encoding="utf-8")
    assert "day.csv" in text
    assert "R-squared" in text
    assert not [word for word in ('src="http', 'href="http', "url(http") if word in text]
