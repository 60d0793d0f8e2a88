"""publish.py against S3 over HTTP (moto)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace

import boto3
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import publish
from analysis.runtime.errors import PublishError
from analysis.runtime.upload import Claim, write_claim

CLAIM = Claim(
    decision="process",
    reason="first",
    bucket="raw",
    key="raw/training/=a b+ü%.csv",
    etag="e",
    identity="f" * 64,
    prediction_name="a-b-ffffffffffff",
    dt="2026-03-04",
    uploaded_at="2026-03-04T05:06:07Z",
    input_uri="s3://a/inputs/f/",
)
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/bikes/7"
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/bikes/execution/abc123def456"
ROWS = "date,actual\n2026-01-01,985\n2026-01-02,\n"
OUTPUT = "1557.5581579523225,-11.443155330691297,3126.5594712353363\n1.0,0.5,1.5"


@pytest.fixture
def inputs(tmp_path):
    for name, file, text in (("rows", "rows.csv", ROWS), ("transform", "features.csv.out", OUTPUT)):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    write_claim(CLAIM, tmp_path / "claim")
    return tmp_path


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket="predictions")
    return client


def run(call_script, directory, uri: str = "s3://predictions"):
    return call_script(
        "publish.py", "--transform-dir", directory / "transform", "--rows-dir", directory / "rows",
        "--claim-dir", directory / "claim", "--predictions-uri", uri,
        "--model-package-arn", PACKAGE, "--execution-arn", EXECUTION,
    )  # fmt: skip


def stored(s3) -> dict[str, bytes]:
    entries = s3.list_objects_v2(Bucket="predictions").get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket="predictions", Key=entry["Key"])["Body"].read() for entry in entries}


def test_the_analysts_file_and_its_manifest(s3, call_script, inputs) -> None:
    done = run(call_script, inputs)
    assert done.code == 0, done.err
    files = stored(s3)
    csv_key = "predictions/dt=2026-03-04/a-b-ffffffffffff.csv"
    manifest_key = "manifests/dt=2026-03-04/a-b-ffffffffffff.json"
    assert set(files) == {csv_key, manifest_key}
    table = list(csv.reader(io.StringIO(files[csv_key].decode("utf-8"))))
    assert table == [
        ["date", "prediction", "lower_95", "upper_95", "actual", "model_version", "execution_id", "source_key"],
        ["2026-01-01", "1557.5581579523225", "-11.443155330691297", "3126.5594712353363", "985", "7", "abc123def456",
         "raw/training/=a b+ü%.csv"],
        ["2026-01-02", "1.0", "0.5", "1.5", "", "7", "abc123def456", "raw/training/=a b+ü%.csv"],
    ]  # fmt: skip
    manifest = json.loads(files[manifest_key])
    assert manifest["rows"] == 2
    assert manifest["sha256"] == hashlib.sha256(files[csv_key]).hexdigest()
    assert manifest["predictions"] == csv_key
    assert manifest["source"]["key"] == CLAIM.key


def test_publishing_twice_changes_nothing(s3, call_script, inputs) -> None:
    run(call_script, inputs)
    once = stored(s3)
    assert run(call_script, inputs).code == 0
    assert stored(s3) == once


def test_a_prefix_is_kept(s3, call_script, inputs) -> None:
    run(call_script, inputs, "s3://predictions/team a/")
    assert all(key.startswith("team a/") for key in stored(s3))


def test_a_different_number_of_rows_publishes_nothing(s3, call_script, inputs) -> None:
    (inputs / "rows" / "rows.csv").write_text(ROWS + "2026-01-03,\n")
    done = run(call_script, inputs)
    assert done.code == 1
    assert "3 days but 2 predictions" in done.message
    assert "Traceback" not in done.err
    assert stored(s3) == {}


def test_a_bucket_that_is_not_there_is_named(aws, call_script, inputs) -> None:
    done = run(call_script, inputs)
    assert done.code == 1
    assert "s3://predictions/predictions/dt=2026-03-04/a-b-ffffffffffff.csv" in done.message
    assert "NoSuchBucket" in done.message


@pytest.mark.parametrize("text", ["1,2", "1,2,x", "1,2,inf", "1,2,nan", "", "a", "1,2,3,4"])
def test_output_of_another_kind_is_refused(tmp_path, text: str) -> None:
    path = tmp_path / "features.csv.out"
    path.write_text(f"1,0,2\n{text}\n1,0,2\n")
    with pytest.raises(PublishError, match=r"features\.csv\.out, line 2"):
        publish.read_predictions(path)


def test_the_manifest_is_put_after_the_csv() -> None:
    order = []

    class Recorder:
        def put_object(self, **request: object) -> None:
            order.append(request["Key"])

    table = publish.prediction_table(pd.DataFrame({"date": ["d"], "actual": [""]}), [("1", "0", "2")], ("7", "x", "k"))
    files = publish.publication(table, CLAIM, PACKAGE, EXECUTION, "")
    publish.put(Recorder(), "predictions", files)
    assert order == list(files)
    assert [key.partition("/")[0] for key in order] == ["predictions", "manifests"]


@given(st.text(max_size=20))
def test_no_text_cell_starts_a_formula(text: str) -> None:
    cell = publish.safe_text(text)
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.endswith(text)


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\uff1d1"])
def test_formula_starts_are_quoted(start: str) -> None:
    assert publish.safe_text(start) == f"'{start}"


def test_text_columns_of_the_file_are_guarded() -> None:
    rows = pd.DataFrame({"date": ["2026-01-01"], "actual": ["1"]})
    table = publish.prediction_table(rows, [("-5.0", "-9.0", "1.0")], ("=7", "+x", "@k"))
    assert table.iloc[0].tolist() == ["2026-01-01", "-5.0", "-9.0", "1.0", "1", "'=7", "'+x", "'@k"]


def test_names_out_of_arns() -> None:
    assert publish.last_part(PACKAGE) == "7"
    assert publish.last_part("arn:aws:sagemaker:us-east-1:1:model-package/single") == "single"
    assert publish.last_part(EXECUTION) == "abc123def456"


def test_a_claim_without_a_file_publishes_nothing(aws, call_script, inputs) -> None:
    write_claim(replace(CLAIM, decision="missing", dt=""), inputs / "claim")
    done = run(call_script, inputs)
    assert done.code == 1
    assert "nothing to publish" in done.message
