from __future__ import annotations

import hashlib
import io
import tarfile

import boto3
import pytest

from analysis.model.artefact import read_model
from scripts.lib.exports.sources import find_model, version_in_use
from scripts.lib.program import ModelSourceError, aws_of

GROUP = "bikeshare-local-regression"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sklearn:1.9-0"


def no_aws():
    raise AssertionError("AWS was asked")


@pytest.fixture
def bucket(aws_url, trained) -> str:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key="runs/a b/model.tar.gz", Body=trained.archive.read_bytes())
    return "s3://artifacts/runs/a b/model.tar.gz"


@pytest.fixture
def register(bucket):
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)

    def create(status: str = "Approved", uri: str = bucket) -> str:
        return sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]

    return create


def test_a_file(trained) -> None:
    found = find_model(str(trained.archive), no_aws)
    assert found.model == read_model(trained.model_dir)
    assert (found.source, found.name) == ("model.tar.gz", "model")
    assert found.archive_sha256 == hashlib.sha256(trained.archive.read_bytes()).hexdigest()


def test_an_object(bucket, trained) -> None:
    found = find_model(bucket, lambda: aws_of("local"))
    assert found.model == read_model(trained.model_dir)
    assert (found.source, found.name) == (bucket, "model")


def test_a_version_in_the_registry(register, trained) -> None:
    arn = register()
    found = find_model(arn, lambda: aws_of("local"))
    assert found.model == read_model(trained.model_dir)
    assert (found.source, found.name) == (arn, f"{GROUP}-1")


def test_the_version_in_use(register) -> None:
    register("Approved")
    newest = register("Approved")
    register("Rejected")
    register("PendingManualApproval")
    assert version_in_use(GROUP, aws_of("local")) == newest


def test_no_version_is_approved(register) -> None:
    register("Rejected")
    with pytest.raises(ModelSourceError, match=f"No version of model package group {GROUP} that can score is approved"):
        version_in_use(GROUP, aws_of("local"))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("absent.tar.gz", "There is no model archive at absent.tar.gz"),
        ("s3://", "is not an S3 URI"),
        ("s3://artifacts/absent.tar.gz", "s3://artifacts/absent.tar.gz: AWS answered NoSuchKey"),
        ("s3://nowhere/model.tar.gz", "NoSuchBucket"),
        ("arn:aws:s3:::artifacts", "is not the ARN of a model package"),
        (f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{GROUP}/9", f"model-package/{GROUP}/9"),
    ],
)
def test_what_is_not_there_is_named(bucket, source: str, says: str) -> None:
    with pytest.raises(ModelSourceError, match=says):
        find_model(source, lambda: aws_of("local"))


def test_nothing_answers(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's pauses between its attempts
    with pytest.raises(ModelSourceError, match="nothing answers") as error:
        version_in_use(GROUP, aws_of("local"))
    assert error.value.hint == "Start the local endpoint: bikeshare local up --detach"


def archive_of(path, name: str, content: bytes) -> str:
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return str(path)


def test_archives_that_hold_no_model(tmp_path) -> None:
    (tmp_path / "text.tar.gz").write_text("no archive")
    for source, says in (
        (str(tmp_path / "text.tar.gz"), "can't be used"),
        (archive_of(tmp_path / "other.tar.gz", "model.pkl", b""), "there is no model.json"),
        (archive_of(tmp_path / "outside.tar.gz", "../model.json", b"{}"), "can't be used"),
        (archive_of(tmp_path / "empty.tar.gz", "model.json", b"{}"), "its format is None"),
    ):
        with pytest.raises(ModelSourceError, match=says):
            find_model(source, no_aws)
