"""publish.py against S3 over HTTP (moto)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import publish
from analysis.runtime import streams
from analysis.runtime.errors import AwsCallError, ClaimError, PublishError
from analysis.runtime.upload import Claim, claim_of, claim_text

KEY = "raw/training/=a b+ü%.csv"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/bikes/7"
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/bikes/execution/abc123def456"
ROWS = "date,actual,row_role\n2026-01-01,985,train\n2026-01-02,,new\n"
OUTPUT = "1557.5581579523225,-11.443155330691297,3126.5594712353363\n1.0,0.5,1.5"


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    for bucket in ("raw", "artifacts", "predictions"):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def upload(s3) -> Callable[..., Claim]:
    """Upload a version and put what the steps before have made of it into `artifacts`; the claim on it."""

    def put(content: bytes = b"a", rows: str = ROWS, output: str = OUTPUT, moment: str = "2026-03-04") -> Claim:
        version = s3.put_object(Bucket="raw", Key=KEY, Body=content)["VersionId"]
        claim = claim_of("raw", KEY, version, f"{moment}T05:06:07.000Z")
        texts = {"claim.json": claim_text(claim), "rows.csv": rows, "features.csv.out": output}
        for name, text in texts.items():
            s3.put_object(Bucket="artifacts", Key=f"{claim.identity}/{name}", Body=text.encode())
        hold(s3, claim, EXECUTION)
        return claim

    return put


def hold(s3, claim: Claim, execution: str) -> None:
    """Let an execution own the claim."""
    holder = {"execution_arn": execution, "uploaded_at": claim.uploaded_at}
    s3.put_object(Bucket="artifacts", Key=f"claims/{claim.identity}.json", Body=json.dumps(holder).encode())


def run(claim: Claim, uri: str = "s3://predictions", **more: str) -> dict[str, str]:
    folder = f"s3://artifacts/{claim.identity}"
    options = {
        "rows-uri": f"{folder}/rows.csv",
        "transform-uri": f"{folder}/features.csv.out",
        "claim-uri": f"{folder}/claim.json",
        "predictions-uri": uri,
        "profile": "forecast",
        "model-package-arn": PACKAGE,
        "execution-arn": EXECUTION,
        "claims-uri": "s3://artifacts/claims",
        "claim-name": claim.identity,
        "retry-seconds": "5",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return publish.publish_step([f"--{name}={value}" for name, value in options.items()])


def stored(s3) -> dict[str, bytes]:
    entries = s3.list_objects_v2(Bucket="predictions").get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket="predictions", Key=entry["Key"])["Body"].read() for entry in entries}


def newest(s3) -> dict[str, object]:
    pointers = {key: json.loads(body) for key, body in stored(s3).items() if key.startswith("newest/forecast/")}
    latest = pointers.pop("newest/forecast/latest.json")
    ((_, newest),) = pointers.items()
    assert latest == newest
    return newest


def test_the_analysts_file_its_manifest_and_the_pointer_to_it(s3, upload) -> None:
    claim = upload()
    answer = run(claim)
    files = stored(s3)
    csv_key = f"predictions/forecast/dt=2026-03-04/{claim.prediction_name}.csv"
    manifest_key = f"manifests/forecast/dt=2026-03-04/{claim.prediction_name}.json"
    assert answer == {
        "decision": "published",
        "predictions_uri": f"s3://predictions/{csv_key}",
        "reason": "2 predictions",
    }
    page_key = f"reports/forecast/dt=2026-03-04/{claim.prediction_name}.html"
    assert {csv_key, manifest_key, page_key} < set(files)
    assert s3.head_object(Bucket="predictions", Key=page_key)["ContentType"] == "text/html; charset=utf-8"
    assert b"2 rows, predicted by version" in files[page_key]
    table = list(csv.reader(io.StringIO(files[csv_key].decode("utf-8"))))
    assert table == [
        ["date", "prediction", "lower_95", "upper_95", "actual", "model_version", "execution_id", "source_key",
         "extrapolated", "history_gap", "row_role", "model_status", "uploaded_at"],
        ["2026-01-01", "1557.5581579523225", "-11.443155330691297", "3126.5594712353363", "985", "7", "abc123def456",
         KEY, "", "", "train", "Deleted", "2026-03-04T05:06:07.000Z"],
        ["2026-01-02", "1.0", "0.5", "1.5", "", "7", "abc123def456", KEY, "", "", "new", "Deleted",
         "2026-03-04T05:06:07.000Z"],
    ]  # fmt: skip
    manifest = json.loads(files[manifest_key])
    assert manifest["rows"] == 2
    assert manifest["row_roles"] == {"train": 1, "new": 1}
    assert (manifest["profile"], manifest["model_status"]) == ("forecast", "Deleted")
    assert manifest["extrapolated"] is None
    assert manifest["history_gap"] is None
    assert manifest["bytes"] == len(files[csv_key])
    assert manifest["sha256"] == hashlib.sha256(files[csv_key]).hexdigest()
    assert (manifest["predictions"], manifest["report"]) == (csv_key, page_key)
    assert manifest["source"]["version_id"] == claim.version_id
    assert newest(s3) == {**manifest, "manifest": manifest_key}


def test_extrapolated_rows_are_marked_and_counted(s3, upload) -> None:
    answer = run(upload(output="5.0,0.0,9.5,1\n1.0,0.5,1.5,0"))
    assert answer["reason"] == "2 predictions, 1 of them outside the training ranges"
    (table,) = [text for key, text in stored(s3).items() if key.endswith(".csv")]
    assert [row["extrapolated"] for row in csv.DictReader(io.StringIO(table.decode()))] == ["1", "0"]
    assert newest(s3)["extrapolated"] == 1
    assert run(upload(output="5.0,0.0,9.5,0\n1.0,0.5,1.5,0"))["reason"] == "2 predictions"
    assert newest(s3)["extrapolated"] == 0


def test_the_history_gap_of_each_row_is_published_and_counted(s3, upload) -> None:
    rows = "date,actual,history_gap,row_role\n2026-01-01,985,0,new\n2026-01-02,,3,new\n"
    answer = run(upload(rows=rows, output="5.0,0.0,9.5,1\n1.0,0.5,1.5,0"))
    assert answer["reason"].endswith("training ranges, 1 from values that are up to 3 too old")
    (table,) = [text for key, text in stored(s3).items() if key.endswith(".csv")]
    found = list(csv.DictReader(io.StringIO(table.decode())))
    assert [(row["actual"], row["extrapolated"], row["history_gap"]) for row in found] == [
        ("985", "1", "0"), ("", "0", "3"),
    ]  # fmt: skip
    assert newest(s3)["history_gap"] == {"rows": 1, "largest": 3}
    assert run(upload(rows=rows.replace(",3", ",0")))["reason"] == "2 predictions"
    assert newest(s3)["history_gap"] == {"rows": 0, "largest": 0}
    with pytest.raises(PublishError, match=r"rows\.csv, row 2: history_gap is '', and not a whole number"):
        run(upload(rows=rows.replace(",3,", ",,")))


def evaluated(s3, package: str, uri: str) -> None:
    """Let the registry name an evaluation of a version, which says 611.2 and 95.9 %."""
    figures = {"mae": 611.2, "rmse": 805.0, "r2": 0.8, "rows": 220, "intervals": {"calibrated": {"coverage": 0.959}}}
    document = {"validation": {"headline": "random", "level": 0.95, "random": figures}}
    s3.put_object(Bucket="artifacts", Key="evaluation.json", Body=json.dumps(document).encode())
    boto3.client("sagemaker").create_model_package(
        ModelPackageGroupName=package,
        ModelApprovalStatus="Approved",
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}},
    )


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://artifacts/evaluation.json", "the typical error (MAE) was 611 rentals"),
        ("s3://elsewhere/evaluation.json", "how large its errors are is not known"),
        ("s3://artifacts/quality.json", "how large its errors are is not known"),
    ],
)
def test_the_page_has_figures_of_the_version_and_words_of_the_declaration(s3, upload, uri: str, says: str) -> None:
    claim = upload()
    words = {"row": "day", "rows": "days", "units": "rentals", "time": "date"}
    s3.put_object(Bucket="artifacts", Key="quality.json", Body=json.dumps({"words": words}).encode())
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="bikes")
    evaluated(s3, "bikes", uri)
    package = PACKAGE.removesuffix("7") + "1"
    for _ in range(2):
        run(claim, model_package_arn=package, drift_uri="s3://artifacts/quality.json")
        (html,) = [body.decode() for key, body in stored(s3).items() if key.endswith(".html")]
        assert says in html
        assert "2 days, predicted by version" in html
        assert "Somebody has approved version 1 for use." in html
        # Whatever has become of the version meanwhile, publishing again gives the same page.
        boto3.client("sagemaker").update_model_package(ModelPackageArn=package, ModelApprovalStatus="Rejected")


def test_publishing_twice_changes_nothing(s3, upload) -> None:
    claim = upload()
    run(claim)
    once = stored(s3)
    assert run(claim)["decision"] == "published"
    assert stored(s3) == once


def register(*versions: str) -> Callable[[str, str], None]:
    """Register a version of each of these statuses; what changes the status of one, by its number."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="bikes")
    for status in versions:
        sagemaker.create_model_package(ModelPackageGroupName="bikes", ModelApprovalStatus=status)

    def decide(version: str, status: str) -> None:
        arn = PACKAGE.removesuffix("7") + version
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)

    return decide


def statuses(s3) -> set[str]:
    (table,) = [text for key, text in stored(s3).items() if key.endswith(".csv")]
    return {row["model_status"] for row in csv.DictReader(io.StringIO(table.decode()))}


def test_a_retry_after_an_approval_gives_the_same_bytes(s3, upload) -> None:
    """The status is the one of the first time: a file that somebody may have opened does not change."""
    decide, claim, package = register("PendingManualApproval"), upload(), PACKAGE.removesuffix("7") + "1"
    run(claim, model_package_arn=package)
    once = stored(s3)
    assert (statuses(s3), newest(s3)["model_status"]) == ({"PendingManualApproval"}, "PendingManualApproval")
    decide("1", "Approved")
    run(claim, model_package_arn=package)
    assert stored(s3) == once


def test_another_execution_says_the_status_of_its_own_time(s3, upload) -> None:
    decide, claim, package = register("PendingManualApproval"), upload(), PACKAGE.removesuffix("7") + "1"
    run(claim, model_package_arn=package)
    decide("1", "Approved")
    other = EXECUTION.replace("abc123", "fff999")
    hold(s3, claim, other)
    run(claim, model_package_arn=package, execution_arn=other)
    assert (statuses(s3), newest(s3)["model_status"]) == ({"Approved"}, "Approved")


def test_profiles_share_no_file(s3, upload) -> None:
    claim = upload()
    run(claim)
    forecast = stored(s3)
    run(claim, profile="parity")
    both = stored(s3)
    assert {key: both[key] for key in forecast} == forecast
    assert {key.replace("/parity/", "/forecast/") for key in both.keys() - forecast.keys()} == set(forecast)


@pytest.mark.parametrize("profile", ["none", "unknown", "../x", "a/b", "A", "a_b", "", "x-latest", "é"])
def test_a_profile_that_names_no_folder_is_refused(s3, upload, profile) -> None:
    """What a version that was registered by other means says of its profile; two of them are names, all the same."""
    claim = upload()
    if profile in {"none", "unknown"}:
        assert run(claim, profile=profile)["decision"] == "published"
        return
    with pytest.raises(PublishError, match="no folder and no table"):
        run(claim, profile=profile)
    assert stored(s3) == {}


def test_the_latest_file_of_all_keys_is_the_one_that_was_uploaded_last(s3, upload) -> None:
    def latest() -> str:
        return json.loads(stored(s3)["newest/forecast/latest.json"])["uploaded_at"][:10]

    for moment, expected in (("2026-03-04", "2026-03-04"), ("2026-03-06", "2026-03-06"), ("2026-03-05", "2026-03-06")):
        run(upload(moment=moment))
        assert latest() == expected
    s3.put_object(Bucket="predictions", Key="newest/forecast/latest.json", Body=b"[]")
    run(upload(moment="2026-03-03"))
    assert latest() == "2026-03-03"


def test_a_prefix_is_kept(s3, upload) -> None:
    run(upload(), "s3://predictions/team a/")
    assert all(key.startswith("team a/") for key in stored(s3))


def test_the_newest_upload_wins_whatever_the_order_of_the_executions(s3, upload) -> None:
    first, second = upload(b"A"), upload(b"B")
    assert run(second)["decision"] == "published"
    slow = run(first)
    assert slow["decision"] == "superseded"
    assert second.version_id in slow["reason"]
    assert newest(s3)["source"]["version_id"] == second.version_id
    assert not [key for key in stored(s3) if first.prediction_name in key]


def test_a_then_b_then_a_ends_with_a(s3, upload) -> None:
    for content in (b"A", b"B", b"A"):
        last = upload(content)
        assert run(last)["decision"] == "published"
    assert newest(s3)["source"]["version_id"] == last.version_id


def test_a_newer_version_that_arrives_meanwhile_takes_back_what_was_written(s3, upload, monkeypatch) -> None:
    first, put_table = upload(), publish.put_table

    def put_and_be_overtaken(*arguments):
        manifest = put_table(*arguments)
        s3.put_object(Bucket="raw", Key=KEY, Body=b"newer")
        return manifest

    monkeypatch.setattr(publish, "put_table", put_and_be_overtaken)
    assert run(first)["decision"] == "superseded"
    assert stored(s3) == {}


def test_a_pointer_that_was_replaced_meanwhile_is_looked_at_again(s3, upload, monkeypatch) -> None:
    first, put_json, overtaken = upload(), publish.put_json, []

    def put_and_be_overtaken(client, bucket, key, document, **condition):
        if condition and not overtaken:
            overtaken.append(upload(b"B"))
            client.put_object(Bucket=bucket, Key=key, Body=b"{}")
        return put_json(client, bucket, key, document, **condition)

    monkeypatch.setattr(publish, "put_json", put_and_be_overtaken)
    assert run(first)["decision"] == "superseded"
    assert [key.partition("/")[0] for key in stored(s3)] == ["newest"]


def test_what_was_published_before_a_newer_upload_stays(s3, upload) -> None:
    first = upload(b"A")
    run(first)
    published = stored(s3)
    upload(b"B")
    assert run(first)["decision"] == "superseded"
    assert stored(s3) == published


def test_an_execution_whose_file_was_taken_over_publishes_nothing(s3, upload) -> None:
    claim = upload()
    hold(s3, claim, "arn:another")
    with pytest.raises(ClaimError, match="is held by arn:another"):
        run(claim)
    s3.delete_object(Bucket="artifacts", Key=f"claims/{claim.identity}.json")
    with pytest.raises(ClaimError, match="the claim was deleted"):
        run(claim)
    assert stored(s3) == {}


def test_a_model_that_can_not_be_deleted_is_left_to_the_sweep(s3, upload, capsys, monkeypatch) -> None:
    claim = upload()
    monkeypatch.setattr(publish, "_NO_SUCH_MODEL", frozenset())
    assert run(claim, model_name="gone")["decision"] == "published"
    assert "warning: Deleting the model gone failed" in capsys.readouterr().out


def test_a_deleted_file_is_not_published(s3, upload) -> None:
    claim = upload()
    s3.delete_object(Bucket="raw", Key=KEY)
    assert "was deleted" in run(claim)["reason"]
    assert stored(s3) == {}


@pytest.mark.parametrize(
    ("rows", "output", "message"),
    [
        (ROWS + "2026-01-03,,new\n", OUTPUT, "3 rows but 2 predictions"),
        (ROWS + "2026-01-03,,new\n2026-01-04,,new\n", OUTPUT, "4 rows but 2 predictions"),
        (ROWS, OUTPUT + "\n1,0,2", "2 rows but 3 predictions"),
        ("date,actual,row_role\n", OUTPUT, "0 rows but 2 predictions"),
        ("date,actual\n", OUTPUT, "columns date, actual: the last ones must be actual, row_role"),
        ("actual,row_role\n", OUTPUT, "after what names a row"),
        *(
            (ROWS, f"1,0,2\n{line}", "line 2")
            for line in ("1,2", "1,2,x", "1,2,inf", "1,2,nan", "a", "1,2,3,4", "1,2,3,0,0", "1,2,3,")
        ),
    ],
)
def test_what_does_not_belong_together_publishes_nothing(s3, upload, rows, output, message) -> None:
    with pytest.raises(PublishError, match=message):
        run(upload(rows=rows, output=output))
    assert stored(s3) == {}


def test_a_bucket_that_is_not_there_is_named(s3, upload) -> None:
    claim = upload()
    with pytest.raises(AwsCallError, match=r"s3://nowhere/manifests/forecast/dt=.*NoSuchBucket"):
        run(claim, "s3://nowhere")


def test_the_model_of_the_transform_is_deleted_and_may_be_gone(s3, upload) -> None:
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model(
        ModelName="pipelines-abc123def456-CreateModel-1", ExecutionRoleArn="arn:aws:iam::123456789012:role/execution"
    )
    claim = upload()
    for _ in range(2):
        assert run(claim, model_name="pipelines-abc123def456-CreateModel-1")["decision"] == "published"
        assert sagemaker.list_models()["Models"] == []


def test_files_larger_than_a_part_are_put_in_parts(s3, upload, monkeypatch) -> None:
    monkeypatch.setattr(streams, "_CHUNK_BYTES", 5 << 20)
    rows = 90_000
    output = "\n".join(f"{number}.5,-1.25,123456.789" for number in range(rows))
    claim = upload(rows="date,actual,row_role\n" + "2026-01-01,ü,test\n" * rows, output=output)
    uri = run(claim)["predictions_uri"]
    body = s3.get_object(Bucket="predictions", Key=uri.removeprefix("s3://predictions/"))["Body"].read()
    assert len(body) > streams._CHUNK_BYTES
    assert "-" in s3.head_object(Bucket="predictions", Key=uri.removeprefix("s3://predictions/"))["ETag"]
    assert newest(s3)["sha256"] == hashlib.sha256(body).hexdigest()
    lines = body.decode("utf-8").splitlines()
    assert len(lines) == rows + 1
    assert lines[1:] == [
        f"2026-01-01,{number}.5,-1.25,123456.789,ü,7,abc123def456,{KEY},,,test,Deleted,{claim.uploaded_at}"
        for number in range(rows)
    ]  # fmt: skip


def feature(name: str, psi: float, **changes: object) -> dict[str, object]:
    return {
        "feature": name, "psi": psi, "chance": 0.1, "drifted": psi > 0.25, "used": True, "unseen": 0.0, "missing": 0.0,
        "missing_in_training": 0.0, "bins": [], **changes,
    }  # fmt: skip


DRIFT = {
    "status": "compared",
    "reason": "",
    "threshold": 0.25,
    "rows": {"training": 500, "file": 2},
    "drifted": ["temp"],
    "features": [feature("temp", 1.5, unseen=0.5), feature("hum", 0.01, missing=0.25)],
}


@pytest.fixture
def told(s3, upload):
    """Publish with a report that has such a block `drift`; what publishing has answered, and the manifest."""

    def put(document: object, **more: str):
        claim = upload()
        body = document if isinstance(document, str) else json.dumps(document)
        s3.put_object(Bucket="artifacts", Key="quality.json", Body=body.encode())
        more = {"metrics_namespace": "bikes-dev", **more}
        answer = run(claim, drift_uri="s3://artifacts/quality.json", **more)
        return answer, newest(s3)["drift"]

    return put


def metrics(namespace: str = "bikes-dev") -> dict[tuple[str, ...], float]:
    """Return the largest value of every metric of the last hour: (name, values of its dimensions)."""
    client, now = boto3.client("cloudwatch"), datetime.now(UTC)
    found = {}
    for metric in client.list_metrics(Namespace=namespace)["Metrics"]:
        names = sorted(metric["Dimensions"], key=lambda one: one["Name"], reverse=True)
        points = client.get_metric_statistics(
            **metric, StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Period=3600,
            Statistics=["Maximum"],
        )["Datapoints"]  # fmt: skip
        found[metric["MetricName"], *(one["Value"] for one in names)] = max(point["Maximum"] for point in points)
    return found


def test_drift_is_in_the_manifest_and_in_cloudwatch(told) -> None:
    answer, manifest = told({"drift": DRIFT})
    assert answer["reason"] == "2 predictions; drifted: temp"
    assert manifest == {
        "status": "compared",
        "reason": "",
        "threshold": 0.25,
        "drifted": ["temp"],
        "largest_psi": {"feature": "temp", "psi": 1.5},
        "largest_unseen": {"feature": "temp", "unseen": 0.5},
        "largest_missing": {"feature": "hum", "missing": 0.25},
    }
    assert metrics() == {
        ("MaximumPsi", "bikes"): 1.5,
        ("DriftedFeatures", "bikes"): 1.0,
        ("Psi", "bikes", "temp"): 1.5,
        ("UnseenShare", "bikes", "temp"): 0.5,
        ("MissingShare", "bikes", "temp"): 0.0,
        ("Psi", "bikes", "hum"): 0.01,
        ("UnseenShare", "bikes", "hum"): 0.0,
        ("MissingShare", "bikes", "hum"): 0.25,
    }


def test_a_table_with_more_columns_than_fit_into_one_call(told) -> None:
    features = [feature(f"f{number}", 0.1) for number in range(400)]
    told({"drift": {**DRIFT, "drifted": [], "features": features}})
    pages = boto3.client("cloudwatch").get_paginator("list_metrics").paginate(Namespace="bikes-dev")
    assert sum(len(page["Metrics"]) for page in pages) == 2 + 3 * 400


def test_a_file_that_was_not_compared_has_no_metrics(told) -> None:
    block = {**DRIFT, "status": "not compared", "reason": "no model", "rows": None, "drifted": [], "features": []}
    answer, manifest = told({"drift": block})
    assert answer["reason"] == "2 predictions"
    assert manifest == {"status": "not compared", "reason": "no model", "threshold": 0.25, "drifted": []}
    assert metrics() == {}


def test_a_report_of_an_earlier_version_says_nothing_of_drift(told) -> None:
    answer, manifest = told({})
    assert (answer["decision"], manifest) == ("published", None)


def test_a_take_over_of_an_earlier_version_has_no_report(s3, upload) -> None:
    answer = run(upload(), drift_uri="none", metrics_namespace="bikes-dev")
    assert (answer["decision"], newest(s3)["drift"]) == ("published", None)


@pytest.mark.parametrize("text", ["[]", "{"])
def test_what_is_no_report_is_named(told, text) -> None:
    with pytest.raises(PublishError, match=r"s3://artifacts/quality\.json is not a report"):
        told(text)


def test_predictions_are_out_where_cloudwatch_is_not_reached(told, s3, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
    answer, _ = told({"drift": DRIFT})
    assert answer["decision"] == "published"
    assert "; without metrics: Putting metrics into bikes-dev failed: Could not connect" in answer["reason"]
    assert "publish: warning: Putting metrics into bikes-dev failed" in capsys.readouterr().out
    assert len(answer["reason"]) <= 1024
    assert any(key.startswith("predictions/") for key in stored(s3))


@given(st.lists(st.binary(max_size=50), max_size=20), st.lists(st.integers(1, 30), min_size=1))
def test_a_generated_file_gives_its_bytes_in_any_portions(pieces: list[bytes], sizes: list[int]) -> None:
    file = streams.GeneratedFile(iter(pieces))
    portions = chain(sizes, repeat(7))
    read = list(iter(lambda: file.read(next(portions)), b""))
    whole = b"".join(pieces)
    assert b"".join(read) == whole
    assert (file.size, file.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


def test_names_out_of_arns() -> None:
    assert publish.last_part(PACKAGE) == "7"
    assert publish.last_part("arn:aws:sagemaker:us-east-1:1:model-package/single") == "single"
    assert publish.last_part(EXECUTION) == "abc123def456"
