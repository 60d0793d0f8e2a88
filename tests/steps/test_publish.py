"""publish.py against S3 over HTTP (moto)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable
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
ROWS = "date,actual\n2026-01-01,985\n2026-01-02,\n"
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
    (key,) = [key for key in stored(s3) if key.startswith("newest/")]
    return json.loads(stored(s3)[key])


def test_the_analysts_file_its_manifest_and_the_pointer_to_it(s3, upload) -> None:
    claim = upload()
    answer = run(claim)
    files = stored(s3)
    csv_key = f"predictions/dt=2026-03-04/{claim.prediction_name}.csv"
    manifest_key = f"manifests/dt=2026-03-04/{claim.prediction_name}.json"
    assert answer == {
        "decision": "published",
        "predictions_uri": f"s3://predictions/{csv_key}",
        "reason": "2 predictions",
    }
    assert {csv_key, manifest_key} < set(files)
    table = list(csv.reader(io.StringIO(files[csv_key].decode("utf-8"))))
    assert table == [
        ["date", "prediction", "lower_95", "upper_95", "actual", "model_version", "execution_id", "source_key",
         "extrapolated"],
        ["2026-01-01", "1557.5581579523225", "-11.443155330691297", "3126.5594712353363", "985", "7", "abc123def456",
         KEY, ""],
        ["2026-01-02", "1.0", "0.5", "1.5", "", "7", "abc123def456", KEY, ""],
    ]  # fmt: skip
    manifest = json.loads(files[manifest_key])
    assert manifest["rows"] == 2
    assert manifest["extrapolated"] is None
    assert manifest["bytes"] == len(files[csv_key])
    assert manifest["sha256"] == hashlib.sha256(files[csv_key]).hexdigest()
    assert manifest["predictions"] == csv_key
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


def test_publishing_twice_changes_nothing(s3, upload) -> None:
    claim = upload()
    run(claim)
    once = stored(s3)
    assert run(claim)["decision"] == "published"
    assert stored(s3) == once


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
    first, put_table = upload(), publish._put_table

    def put_and_be_overtaken(*arguments):
        manifest = put_table(*arguments)
        s3.put_object(Bucket="raw", Key=KEY, Body=b"newer")
        return manifest

    monkeypatch.setattr(publish, "_put_table", put_and_be_overtaken)
    assert run(first)["decision"] == "superseded"
    assert stored(s3) == {}


def test_a_pointer_that_was_replaced_meanwhile_is_looked_at_again(s3, upload, monkeypatch) -> None:
    first, put_json, overtaken = upload(), publish._put_json, []

    def put_and_be_overtaken(client, bucket, key, document, **condition):
        if condition and not overtaken:
            overtaken.append(upload(b"B"))
            client.put_object(Bucket=bucket, Key=key, Body=b"{}")
        return put_json(client, bucket, key, document, **condition)

    monkeypatch.setattr(publish, "_put_json", put_and_be_overtaken)
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
        (ROWS + "2026-01-03,\n", OUTPUT, "3 rows but 2 predictions"),
        (ROWS + "2026-01-03,\n2026-01-04,\n", OUTPUT, "4 rows but 2 predictions"),
        (ROWS, OUTPUT + "\n1,0,2", "2 rows but 3 predictions"),
        ("date,actual\n", OUTPUT, "0 rows but 2 predictions"),
        ("date,count\n", OUTPUT, "columns date, count: the last one must be actual"),
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
    with pytest.raises(AwsCallError, match=r"s3://nowhere/predictions/dt=.*NoSuchBucket"):
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
    claim = upload(rows="date,actual\n" + "2026-01-01,ü\n" * rows, output=output)
    uri = run(claim)["predictions_uri"]
    body = s3.get_object(Bucket="predictions", Key=uri.removeprefix("s3://predictions/"))["Body"].read()
    assert len(body) > streams._CHUNK_BYTES
    assert "-" in s3.head_object(Bucket="predictions", Key=uri.removeprefix("s3://predictions/"))["ETag"]
    assert newest(s3)["sha256"] == hashlib.sha256(body).hexdigest()
    lines = body.decode("utf-8").splitlines()
    assert len(lines) == rows + 1
    assert lines[1:] == [
        f"2026-01-01,{number}.5,-1.25,123456.789,ü,7,abc123def456,{KEY}," for number in range(rows)
    ]  # fmt: skip


@given(st.lists(st.binary(max_size=50), max_size=20), st.lists(st.integers(1, 30), min_size=1))
def test_a_generated_file_gives_its_bytes_in_any_portions(pieces: list[bytes], sizes: list[int]) -> None:
    file = streams.GeneratedFile(iter(pieces))
    portions = chain(sizes, repeat(7))
    read = list(iter(lambda: file.read(next(portions)), b""))
    whole = b"".join(pieces)
    assert b"".join(read) == whole
    assert (file.size, file.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


@given(st.text(max_size=20))
def test_no_text_cell_starts_a_formula(text: str) -> None:
    cell = publish.safe_text(text)
    assert is_number(cell) or not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.endswith(text)


def is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and not set(cell) - set("+-.eE0123456789")
    except ValueError:
        return False


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_that_name_rows_stay_numbers(number: float) -> None:
    assert publish.safe_text(str(number)) == str(number)


@pytest.mark.parametrize("start", ["=1+1", "+1+1", "-1-A1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\uff1d1"])
def test_formula_starts_are_quoted(start: str) -> None:
    assert publish.safe_text(start) == f"'{start}"


def test_text_columns_of_the_file_are_guarded() -> None:
    table = publish.Table(iter(["date,actual", "2026-01-01,1"]), iter(["-5.0,-9.0,1.0"]), ("=7", "+x", "@k"))
    _, row = b"".join(table.pieces()).decode().splitlines()
    assert row.split(",") == ["2026-01-01", "-5.0", "-9.0", "1.0", "1", "'=7", "'+x", "'@k", ""]


def test_rows_go_by_whatever_names_them() -> None:
    """As without a key: by the record's identifier and its line."""
    table = publish.Table(
        iter(["town,record,line,actual", "-5,ab-0,2,", "=x,ab-1,3,6"]), iter(["5,4,6"] * 2), ("7", "x", "k")
    )
    header, *rows = [line.split(",") for line in b"".join(table.pieces()).decode().splitlines()]
    assert header[:4] == ["town", "record", "line", "prediction"]
    assert [row[:3] for row in rows] == [["-5", "ab-0", "2"], ["'=x", "ab-1", "3"]]
    assert [row[header.index("actual")] for row in rows] == ["", "6"]


def test_names_out_of_arns() -> None:
    assert publish.last_part(PACKAGE) == "7"
    assert publish.last_part("arn:aws:sagemaker:us-east-1:1:model-package/single") == "single"
    assert publish.last_part(EXECUTION) == "abc123def456"
