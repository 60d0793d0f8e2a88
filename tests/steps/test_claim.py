"""claim.py against S3 and SageMaker over HTTP (moto)."""

from __future__ import annotations

import json
from argparse import Namespace

import boto3
import pytest

import claim
from analysis.runtime.errors import AwsCallError, ClaimError
from analysis.runtime.upload import UPLOAD_RUN_KEY, read_claim

KEY = "raw/training/2026/Größe a+b%20 'x'.csv"
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/bikes/execution/abc123def456"


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    for bucket in ("raw", "artifacts"):
        client.create_bucket(Bucket=bucket)
    return client


@pytest.fixture
def sagemaker(aws):
    return boto3.client("sagemaker")


@pytest.fixture
def succeeded(sagemaker) -> str:
    """Start an execution that moto reports as Succeeded."""
    role = "arn:aws:iam::123456789012:role/pipelines"
    sagemaker.create_pipeline(PipelineName="bikes", PipelineDefinition="{}", RoleArn=role, ClientRequestToken="t" * 32)
    return sagemaker.start_pipeline_execution(PipelineName="bikes")["PipelineExecutionArn"]


def upload(s3, content: bytes = b"a,b\n1,2\n", key: str = KEY) -> str:
    return s3.put_object(Bucket="raw", Key=key, Body=content)["ETag"]


def ask(s3, sagemaker, etag: str, execution: str = EXECUTION, key: str = KEY, *, run_key: str = UPLOAD_RUN_KEY):
    request = Namespace(
        bucket="raw",
        key=key,
        etag=etag,
        run_key=run_key,
        execution_arn=execution,
        claims_uri="s3://artifacts/claims/",
    )
    return claim.claim_file(s3, sagemaker, request)


def claims(s3) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="artifacts").get("Contents", [])]


def test_the_first_execution_processes(s3, sagemaker) -> None:
    etag = upload(s3)
    found = ask(s3, sagemaker, etag)
    head = s3.head_object(Bucket="raw", Key=KEY)
    assert found.decision == "process"
    assert found.etag == etag.strip('"')
    assert found.prediction_name == f"Gro-e-a-b-20-x-{found.identity[:12]}"
    assert found.uploaded_at == head["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found.dt == found.uploaded_at[:10]
    assert claims(s3) == [f"claims/{found.identity}.json"]
    held = json.loads(s3.get_object(Bucket="artifacts", Key=claims(s3)[0])["Body"].read())
    assert held["execution_arn"] == EXECUTION


def test_quotes_around_the_etag_make_no_difference(s3, sagemaker) -> None:
    etag = upload(s3)
    quoted, plain = ask(s3, sagemaker, etag), ask(s3, sagemaker, etag.strip('"'))
    empty = ask(s3, sagemaker, "")
    assert quoted.identity == plain.identity == empty.identity


def test_a_retried_execution_processes_again(s3, sagemaker) -> None:
    etag = upload(s3)
    first = ask(s3, sagemaker, etag)
    again = ask(s3, sagemaker, etag)
    assert again.decision == "process"
    assert (again.identity, again.dt, again.prediction_name) == (first.identity, first.dt, first.prediction_name)


def test_a_second_execution_is_a_duplicate(s3, sagemaker, succeeded) -> None:
    etag = upload(s3)
    assert ask(s3, sagemaker, etag, succeeded).decision == "process"
    second = ask(s3, sagemaker, etag)
    assert second.decision == "duplicate"
    assert succeeded in second.reason
    assert "Succeeded" in second.reason


def test_a_run_that_is_asked_for_again_has_a_claim_of_its_own(s3, sagemaker, succeeded) -> None:
    etag = upload(s3)
    first = ask(s3, sagemaker, etag, execution=succeeded)
    again = ask(s3, sagemaker, etag, run_key="by-hand-1")
    assert again.decision == "process"
    # The same names: its outputs replace the earlier ones.
    assert (again.identity, again.prediction_name, again.dt) == (first.identity, first.prediction_name, first.dt)
    assert len(claims(s3)) == 2


def test_a_claim_of_a_vanished_execution_is_taken_over_with_its_upload_moment(s3, sagemaker, succeeded) -> None:
    etag = upload(s3)
    first = ask(s3, sagemaker, etag, f"{succeeded[:-12]}gone00000000")
    held = json.loads(s3.get_object(Bucket="artifacts", Key=claims(s3)[0])["Body"].read())
    body = json.dumps({**held, "uploaded_at": "2020-02-03T04:05:06Z"})
    s3.put_object(Bucket="artifacts", Key=claims(s3)[0], Body=body.encode())
    taken = ask(s3, sagemaker, etag, succeeded)
    assert (taken.decision, taken.dt, taken.identity) == ("process", "2020-02-03", first.identity)
    assert ask(s3, sagemaker, etag).decision == "duplicate"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Failed", True),
        ("Stopped", True),
        ("missing", True),
        ("Executing", False),
        ("Stopping", False),
        ("Succeeded", False),
    ],
)
def test_which_executions_may_be_taken_over(status: str, expected: bool) -> None:
    assert claim.may_take_over(status) is expected


def test_a_replaced_object_is_superseded(s3, sagemaker) -> None:
    old = upload(s3)
    upload(s3, b"a,b\n3,4\n")
    found = ask(s3, sagemaker, old)
    assert found.decision == "superseded"
    assert claims(s3) == []


def test_a_deleted_object_is_missing(s3, sagemaker) -> None:
    found = ask(s3, sagemaker, "abc")
    assert (found.decision, found.dt, found.uploaded_at) == ("missing", "", "")
    assert claims(s3) == []


def test_of_two_writers_only_one_gets_the_claim(s3) -> None:
    assert claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "1"}, replaces=None)
    stale = s3.head_object(Bucket="artifacts", Key="claims/x.json")["ETag"]
    assert not claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "2"}, replaces=None)
    assert claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "3"}, replaces=stale)
    assert not claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "4"}, replaces=stale)
    assert not claim._write_holder(s3, "artifacts", "claims/gone.json", {"n": "5"}, replaces=stale)


def test_something_else_in_the_claims_place_says_what_to_do(s3, sagemaker) -> None:
    etag = upload(s3)
    found = ask(s3, sagemaker, etag)
    s3.put_object(Bucket="artifacts", Key=f"claims/{found.identity}.json", Body=b"hello")
    with pytest.raises(ClaimError, match="Delete it and start the execution again"):
        ask(s3, sagemaker, etag)


def test_an_aws_error_names_operation_and_code(s3, sagemaker) -> None:
    etag = upload(s3)
    request = Namespace(
        bucket="raw",
        key=KEY,
        etag=etag,
        run_key=UPLOAD_RUN_KEY,
        execution_arn=EXECUTION,
        claims_uri="s3://nowhere-at-all",
    )
    with pytest.raises(AwsCallError, match="GetObject answered NoSuchBucket"):
        claim.claim_file(s3, sagemaker, request)


def test_as_a_job(s3, call_script, tmp_path) -> None:
    etag = upload(s3)
    done = call_script(
        "claim.py", "--bucket", "raw", "--key", KEY, "--etag", etag, "--execution-arn", EXECUTION,
        "--claims-uri", "s3://artifacts/claims", "--inputs-uri", "s3://artifacts/inputs",
        "--output-dir", tmp_path / "claim",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert read_claim(tmp_path / "claim").decision == "process"
    assert "claim: process" in done.out


def test_as_a_job_without_an_etag_given(s3, call_script, tmp_path) -> None:
    upload(s3)
    done = call_script(
        "claim.py", "--bucket", "raw", "--key", KEY, "--etag", "", "--execution-arn", EXECUTION,
        "--claims-uri", "s3://artifacts/claims", "--inputs-uri", "s3://artifacts/inputs",
        "--output-dir", tmp_path / "claim",
    )  # fmt: skip
    assert done.code == 0, done.err


def test_as_a_job_that_fails(s3, call_script, tmp_path) -> None:
    upload(s3)
    done = call_script(
        "claim.py", "--bucket", "raw", "--key", KEY, "--execution-arn", EXECUTION, "--claims-uri", "claims",
        "--inputs-uri", "s3://artifacts/inputs",
    )  # fmt: skip
    assert done.code == 1
    assert "'claims' is not an S3 URI" in done.message
    assert "Traceback" not in done.err


def test_the_version_claimed_is_copied_under_its_identity(s3, sagemaker) -> None:
    etag = upload(s3, b"a,b\n1,2\n")
    found = claim.pinned(s3, ask(s3, sagemaker, etag), "s3://artifacts/inputs")
    assert found.input_uri == f"s3://artifacts/inputs/{found.identity}/"
    upload(s3, b"something newer")
    copies = s3.list_objects_v2(Bucket="artifacts", Prefix=f"inputs/{found.identity}/")["Contents"]
    (copy,) = [item["Key"] for item in copies]
    assert copy.endswith("/" + KEY.rpartition("/")[2])
    assert s3.get_object(Bucket="artifacts", Key=copy)["Body"].read() == b"a,b\n1,2\n"


def test_the_copy_has_none_of_the_uploaders_tags(s3, sagemaker) -> None:
    """S3 asks whoever copies tags for s3:GetObjectTagging and s3:PutObjectTagging, which the role is not allowed."""
    etag = s3.put_object(Bucket="raw", Key=KEY, Body=b"a,b\n", Tagging="owner=sales")["ETag"]
    taken = claim.pinned(s3, ask(s3, sagemaker, etag), "s3://artifacts/inputs")
    (copy,) = (key for key in claims(s3) if key.startswith("inputs/"))
    assert taken.input_uri == f"s3://artifacts/{copy.rpartition('/')[0]}/"
    assert s3.get_object_tagging(Bucket="artifacts", Key=copy)["TagSet"] == []


def test_an_object_deleted_after_its_claim_is_missing(s3, sagemaker) -> None:
    claimed = ask(s3, sagemaker, upload(s3))
    s3.delete_object(Bucket="raw", Key=KEY)
    found = claim.pinned(s3, claimed, "s3://artifacts/inputs")
    assert (found.decision, found.input_uri) == ("missing", "")


def test_what_is_not_processed_is_not_copied(s3, sagemaker, succeeded) -> None:
    etag = upload(s3)
    ask(s3, sagemaker, etag, succeeded)
    claim.pinned(s3, ask(s3, sagemaker, etag), "s3://artifacts/inputs")
    assert "Contents" not in s3.list_objects_v2(Bucket="artifacts", Prefix="inputs/")
