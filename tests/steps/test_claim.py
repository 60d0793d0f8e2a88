"""claim.py against S3 and SageMaker over HTTP (moto)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest

import claim
from analysis.runtime.errors import AwsCallError, ClaimError, SettingsError
from analysis.runtime.upload import read_claim

KEY = "raw/training/2026/Größe a+b%20 'x'.csv"
REGISTERED = {"rows-uri": "s3://a/rows.csv", "transform-uri": "s3://a/x.out", "features-uri": "s3://a/features"}
DRIFT = {"drift-uri": "s3://a/evaluation.json", "profile": "forecast"}
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/bikes/execution/abc123def456"


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    for bucket in ("raw", "artifacts"):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
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
    """Upload a file and return its version."""
    return s3.put_object(Bucket="raw", Key=key, Body=content)["VersionId"]


def ask(version: str = claim.NEWEST, execution: str = EXECUTION, **more: str) -> dict[str, str]:
    options = {
        "bucket": "raw",
        "key": KEY,
        "version-id": version,
        "execution-arn": execution,
        "claims-uri": "s3://artifacts/claims/",
        "inputs-uri": "s3://artifacts/inputs",
        "retry-seconds": "5",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return claim.claim_step([f"--{name}={value}" for name, value in options.items()])


def claims(s3, prefix: str = "claims/") -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="artifacts", Prefix=prefix).get("Contents", [])]


def test_the_first_execution_processes(s3) -> None:
    version = upload(s3)
    found = ask(version)
    head = s3.head_object(Bucket="raw", Key=KEY)
    assert found["decision"] == "process"
    assert found["name"] == found["identity"]
    assert claims(s3) == [f"claims/{found['identity']}.json"]
    held = json.loads(s3.get_object(Bucket="artifacts", Key=claims(s3)[0])["Body"].read())
    assert held["execution_arn"] == EXECUTION
    assert held["version_id"] == version
    assert held["uploaded_at"] == head["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_the_version_claimed_is_copied_with_what_is_known_of_it(s3, tmp_path) -> None:
    version = upload(s3, b"a,b\n1,2\n")
    found = ask(version)
    folder = f"inputs/{found['identity']}"
    assert found["input_uri"] == f"s3://artifacts/{folder}/input.csv"
    assert found["claim_uri"] == f"s3://artifacts/{folder}/claim.json"
    assert claims(s3, "inputs/") == [f"{folder}/claim.json", f"{folder}/input.csv"]
    assert s3.get_object(Bucket="artifacts", Key=f"{folder}/input.csv")["Body"].read() == b"a,b\n1,2\n"
    s3.download_file("artifacts", f"{folder}/claim.json", str(tmp_path / "claim.json"))
    written = read_claim(tmp_path)
    assert (written.bucket, written.key, written.version_id) == ("raw", KEY, version)
    assert written.prediction_name == f"Gro-e-a-b-20-x-{found['identity'][:12]}"
    assert written.dt == written.uploaded_at[:10]


def test_a_file_too_large_for_one_copy_is_copied_in_parts(s3, monkeypatch) -> None:
    monkeypatch.setattr(claim, "_COPIED_AT_ONCE", 50 << 20)
    content = bytes(range(256)) * (51 << 12)
    version = upload(s3, content)
    upload(s3, b"newer", key="raw/training/other.csv")
    key = ask(version)["input_uri"].removeprefix("s3://artifacts/")
    copied = s3.get_object(Bucket="artifacts", Key=key)
    assert copied["ETag"].endswith('-11"')
    assert copied["Body"].read() == content


def test_the_newest_version_is_meant_where_none_is_named(s3) -> None:
    upload(s3, b"older")
    version = upload(s3)
    assert ask()["identity"] == ask(version)["identity"]


def test_a_retried_execution_processes_again(s3) -> None:
    version = upload(s3)
    first, again = ask(version), ask(version)
    assert again["decision"] == "process"
    assert {**again, "reason": ""} == {**first, "reason": ""}


def test_a_claim_that_is_asked_for_twice_still_knows_what_was_registered(s3, sagemaker) -> None:
    """The answer to the first write may be lost, or the copy after it may fail."""
    version = upload(s3)
    first = ask(version, model_package_group_name="bikes")
    sagemaker.create_model_package_group(ModelPackageGroupName="bikes")
    properties = {"claim": first["name"], **REGISTERED}
    sagemaker.create_model_package(ModelPackageGroupName="bikes", CustomerMetadataProperties=properties)
    again = ask(version, model_package_group_name="bikes")
    assert (again["decision"], again["rows_uri"]) == ("publish", REGISTERED["rows-uri"])


def test_only_the_holder_may_go_on(s3) -> None:
    version = upload(s3)
    name = ask(version)["name"]
    assert ask(version, confirm=name) == {"reason": "this execution holds the claim", "decision": "process"}
    with pytest.raises(ClaimError, match=f"is held by {EXECUTION}"):
        ask(version, "arn:another", confirm=name)


def test_a_second_execution_is_a_duplicate(s3, succeeded) -> None:
    version = upload(s3)
    assert ask(version, succeeded)["decision"] == "process"
    second = ask(version)
    assert second["decision"] == "duplicate"
    assert f"{succeeded} (Succeeded)" in second["reason"]


def test_the_same_content_uploaded_again_is_another_version(s3, succeeded) -> None:
    first = ask(upload(s3), succeeded)
    second = ask(upload(s3))
    assert second["decision"] == "process"
    assert second["identity"] != first["identity"]


def test_a_run_that_is_asked_for_again_has_a_claim_of_its_own(s3, succeeded) -> None:
    version = upload(s3)
    first = ask(version, succeeded)
    again = ask(version, run_key="by-hand-1")
    assert again["decision"] == "process"
    # The same names: its outputs replace the earlier ones.
    assert (again["identity"], again["claim_uri"]) == (first["identity"], first["claim_uri"])
    assert again["name"] != first["name"]
    assert len(claims(s3)) == 2


def test_a_claim_of_a_vanished_execution_is_taken_over_with_its_upload_moment(s3, succeeded) -> None:
    version = upload(s3)
    first = ask(version, f"{succeeded[:-12]}gone00000000")
    held = json.loads(s3.get_object(Bucket="artifacts", Key=claims(s3)[0])["Body"].read())
    body = json.dumps({**held, "uploaded_at": "2020-02-03T04:05:06.007Z"})
    s3.put_object(Bucket="artifacts", Key=claims(s3)[0], Body=body.encode())
    taken = ask(version, succeeded)
    assert (taken["decision"], taken["identity"]) == ("process", first["identity"])
    _, _, key = taken["claim_uri"].removeprefix("s3://").partition("/")
    assert json.loads(s3.get_object(Bucket="artifacts", Key=key)["Body"].read())["dt"] == "2020-02-03"
    assert ask(version)["decision"] == "duplicate"


@pytest.mark.parametrize(
    "case",
    [
        ("PendingManualApproval", REGISTERED, "publish"),
        ("Approved", REGISTERED, "publish"),
        ("Rejected", REGISTERED, "process"),
        ("Approved", {}, "process"),
        ("Approved", {**REGISTERED, **DRIFT}, "publish"),
    ],
)
def test_a_take_over_publishes_what_the_execution_before_has_registered(s3, sagemaker, succeeded, case) -> None:
    status, properties, expected = case
    version = upload(s3)
    gone = f"{succeeded[:-12]}gone00000000"
    first = ask(version, gone, model_package_group_name="bikes")
    sagemaker.create_model_package_group(ModelPackageGroupName="bikes")
    sagemaker.create_model_package(ModelPackageGroupName="bikes", CustomerMetadataProperties={"claim": "another"})
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="bikes",
        ModelApprovalStatus=status,
        CustomerMetadataProperties={"claim": first["name"], **properties},
    )["ModelPackageArn"]
    sagemaker.create_model_package(ModelPackageGroupName="bikes", CustomerMetadataProperties={"claim": "third"})
    taken = ask(version, succeeded, model_package_group_name="bikes")
    assert taken["decision"] == expected
    found = (taken["model_package_arn"], taken["rows_uri"], taken["transform_uri"], taken["features_uri"])
    assert found == ((arn, *REGISTERED.values()) if expected == "publish" else ("none",) * 4)
    assert taken["drift_uri"] == properties.get("drift-uri", "none")
    assert taken["profile"] == properties.get("profile", "none")
    assert claims(s3, taken["claim_uri"].partition("artifacts/")[2])


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


def test_a_replaced_version_is_superseded(s3) -> None:
    old = upload(s3)
    new = upload(s3, b"a,b\n3,4\n")
    found = ask(old)
    assert found["decision"] == "superseded"
    assert new in found["reason"]
    assert claims(s3) == []


def test_a_deleted_object_is_missing(s3) -> None:
    assert ask("abc")["decision"] == "missing"
    version = upload(s3)
    s3.delete_object(Bucket="raw", Key=KEY)
    assert ask(version)["decision"] == "missing"
    assert claims(s3) == []


def test_a_bucket_without_versions_is_refused(s3) -> None:
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key=KEY, Body=b"a")
    with pytest.raises(ClaimError, match="keeps no versions"):
        ask(bucket="plain")


def test_a_file_that_is_too_large_is_refused_before_any_work(s3) -> None:
    upload(s3, b"x" * (1 << 20) + b"y")
    assert ask(largest_mib="2")["decision"] == "process"
    with pytest.raises(ClaimError, match=r"has 2 MiB; this environment takes at most 1 MiB.*largest_file_mib"):
        ask(largest_mib="1", run_key="other")
    assert len(claims(s3)) == 1


def test_of_two_writers_only_one_gets_the_claim(s3) -> None:
    assert claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "1"}, replaces=None)
    stale = s3.head_object(Bucket="artifacts", Key="claims/x.json")["ETag"]
    assert not claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "2"}, replaces=None)
    assert claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "3"}, replaces=stale)
    assert not claim._write_holder(s3, "artifacts", "claims/x.json", {"n": "4"}, replaces=stale)
    assert not claim._write_holder(s3, "artifacts", "claims/gone.json", {"n": "5"}, replaces=stale)


SCHEDULED_KEY = "schedule/bikes-retrain/2026-12-01T03:00:00Z"


def test_the_time_of_a_schedule_is_claimed_without_any_object(s3, tmp_path) -> None:
    found = ask("schedule", key=SCHEDULED_KEY)
    assert (found["decision"], found["reason"]) == ("process", "first execution for this time of the schedule")
    folder = f"inputs/{found['identity']}"
    assert sorted(claims(s3, "inputs/")) == [f"{folder}/claim.json", f"{folder}/input.csv"]
    copied = s3.get_object(Bucket="artifacts", Key=f"{folder}/input.csv")["Body"].read()
    assert copied == b"\n"  # a line without cells: jobs are given a file, and services take none that is empty
    s3.download_file("artifacts", f"{folder}/claim.json", str(tmp_path / "claim.json"))
    claimed = read_claim(tmp_path)
    assert (claimed.schedule, claimed.uploaded_at, claimed.dt) == (
        *("bikes-retrain", "2026-12-01T03:00:00.000Z", "2026-12-01"),
    )
    assert claimed.prediction_name.startswith("2026-12-01T03-00-00Z-")


def test_a_schedule_that_fires_twice_is_processed_once(s3, succeeded) -> None:
    first = ask("schedule", succeeded, key=SCHEDULED_KEY)
    second = ask("schedule", key=SCHEDULED_KEY)
    assert (second["decision"], second["identity"]) == ("duplicate", first["identity"])
    later = ask("schedule", key=SCHEDULED_KEY.replace("12-01", "12-02"))
    other = ask("schedule", key=SCHEDULED_KEY.replace("bikes", "wines"))
    assert (later["decision"], other["decision"]) == ("process", "process")
    assert len(claims(s3)) == 3


def test_no_upload_supersedes_what_a_schedule_started(s3) -> None:
    ask("schedule", key=SCHEDULED_KEY)
    upload(s3)
    upload(s3, key=SCHEDULED_KEY)
    assert ask("schedule", key=SCHEDULED_KEY)["decision"] == "process"


@pytest.mark.parametrize("key", [KEY, "schedule/2026-12-01T03:00:00Z", "schedule/x/tomorrow", f"{SCHEDULED_KEY}.csv"])
def test_a_key_that_names_no_schedule_is_refused(s3, key: str) -> None:
    with pytest.raises(SettingsError, match="not that of a schedule, such as"):
        ask("schedule", key=key)
    assert claims(s3, "") == []


def test_something_else_in_the_claims_place_says_what_to_do(s3) -> None:
    found = ask(upload(s3))
    s3.put_object(Bucket="artifacts", Key=f"claims/{found['identity']}.json", Body=b"hello")
    with pytest.raises(ClaimError, match="Delete it and start the execution again"):
        ask()


def test_an_aws_error_names_operation_and_code(s3) -> None:
    upload(s3)
    with pytest.raises(AwsCallError, match="GetObject answered NoSuchBucket"):
        ask(claims_uri="s3://nowhere-at-all")


def test_the_copy_has_none_of_the_uploaders_tags(s3) -> None:
    """S3 asks whoever copies tags for s3:GetObjectTagging and s3:PutObjectTagging, which the role is not allowed."""
    s3.put_object(Bucket="raw", Key=KEY, Body=b"a,b\n", Tagging="owner=sales")
    ask()
    for key in claims(s3, "inputs/"):
        assert s3.get_object_tagging(Bucket="artifacts", Key=key)["TagSet"] == []


def test_what_is_not_processed_is_not_copied(s3, succeeded) -> None:
    version = upload(s3)
    ask(version, succeeded)
    for key in claims(s3, "inputs/"):
        s3.delete_object(Bucket="artifacts", Key=key)
    ask(version)
    assert claims(s3, "inputs/") == []


MOMENT = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)


def versions(*ages: float) -> list[dict[str, object]]:
    """Versions v0, v1, … of a key, newest first, so many seconds old."""
    return [
        {"VersionId": f"v{number}", "LastModified": MOMENT - timedelta(seconds=age)} for number, age in enumerate(ages)
    ]


@pytest.mark.parametrize(
    ("listed", "wanted", "expected"),
    [
        (versions(0), "v0", "2026-03-04T05:06:07.000Z"),
        (versions(0, 0.5, 60), "v0", "2026-03-04T05:06:07.001Z"),
        (versions(0, 0.5, 0.8), "v0", "2026-03-04T05:06:07.002Z"),
        (versions(0, 0.5, 0.8), "v1", "2026-03-04T05:06:07.001Z"),
        (versions(0, 1), "v1", "2026-03-04T05:06:06.000Z"),
        (versions(*[0.0] * 1200), "v0", "2026-03-04T05:06:07.999Z"),
    ],
)
def test_versions_of_one_second_have_moments_in_their_order(listed, wanted, expected) -> None:
    assert claim.upload_moment(iter(listed), wanted) == expected


def test_a_version_that_is_not_listed_is_no_guess() -> None:
    with pytest.raises(ClaimError, match="lists no version v9"):
        claim.upload_moment(iter(versions(0, 1)), "v9")


def test_as_a_program(s3, call_script) -> None:
    version = upload(s3)
    done = call_script(
        "claim.py", "--bucket", "raw", "--key", KEY, "--version-id", version, "--execution-arn", EXECUTION,
        "--claims-uri", "s3://artifacts/claims", "--inputs-uri", "s3://artifacts/inputs",
    )  # fmt: skip
    assert done.code == 0, done.err
    first, _, answer = done.out.partition("\n")
    assert first.startswith("claim: process")
    assert json.loads(answer)["decision"] == "process"


def test_as_a_program_that_fails(s3, call_script) -> None:
    upload(s3)
    done = call_script(
        "claim.py", "--bucket", "raw", "--key", KEY, "--execution-arn", EXECUTION, "--claims-uri", "claims",
        "--inputs-uri", "s3://artifacts/inputs",
    )  # fmt: skip
    assert done.code == 1
    assert "'claims' is not an S3 URI" in done.message
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [({"git-commit": f"{'ab' * 20}-dirty"}, f"{'ab' * 20}-dirty"), ({}, "unknown"), (None, "unknown")],
)
def test_the_commit_of_the_code_is_answered(s3, metadata, expected) -> None:
    upload(s3)
    if metadata is not None:
        s3.put_object(Bucket="artifacts", Key="code/ab/sourcedir.tar.gz", Body=b"x", Metadata=metadata)
    answer = ask(code_uri="s3://artifacts/code/ab/sourcedir.tar.gz")
    assert answer["git_commit"] == expected


def test_without_code_its_commit_is_unknown(s3) -> None:
    upload(s3)
    assert ask()["git_commit"] == "unknown"
