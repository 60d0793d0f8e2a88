"""Requests that S3 refuses or takes, where moto fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle


@pytest.fixture
def bucket(endpoint: EndpointHandle, unique: str) -> str:
    endpoint.client("s3").create_bucket(Bucket=unique)
    return unique


def _complete(s3: Any, bucket: str, upload: str, parts: list[dict[str, Any]]) -> Any:
    return s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})


def _no_parts(s3: Any, bucket: str) -> Any:
    return _complete(s3, bucket, s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"], [])


@pytest.mark.parametrize(
    ("call", "code", "status"),
    [
        (
            lambda s3, bucket: s3.upload_part(Bucket=bucket, Key="k", UploadId="none", PartNumber=1, Body=b""),
            "NoSuchUpload",
            404,
        ),
        (lambda s3, bucket: _complete(s3, bucket, "none", [{"PartNumber": 1, "ETag": "x"}]), "NoSuchUpload", 404),
        (lambda s3, bucket: s3.list_parts(Bucket=bucket, Key="k", UploadId="none"), "NoSuchUpload", 404),
        (lambda s3, bucket: s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId="none"), "NoSuchUpload", 404),
        (_no_parts, "InvalidRequest", 400),
        (lambda s3, bucket: s3.copy_object(Bucket=bucket, Key="k", CopySource="nothing"), "InvalidArgument", 400),
        (lambda s3, bucket: s3.put_object(Bucket=bucket, Key="k", ACL="made-up"), "InvalidArgument", 400),
    ],
)
def test_what_is_refused(
    endpoint: EndpointHandle, bucket: str, call: Callable[[Any, str], Any], code: str, status: int
) -> None:
    with pytest.raises(ClientError) as refused:
        call(endpoint.client("s3"), bucket)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_no_tags_are_tags(endpoint: EndpointHandle, bucket: str) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Tagging="a=b")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": []})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_what_answers_say_beside(endpoint: EndpointHandle, bucket: str) -> None:
    s3 = endpoint.client("s3")
    assert (
        s3.put_object(Bucket=bucket, Key="a b", Body=b"1", ChecksumAlgorithm="SHA256")["ChecksumType"] == "FULL_OBJECT"
    )
    assert s3.get_object(Bucket=bucket, Key="a b", ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"
    [entry] = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert (entry["Key"], entry["ChecksumAlgorithm"], entry["ChecksumType"]) == ("a b", ["SHA256"], "FULL_OBJECT")
    assert set(entry["Owner"]) == {"ID"}
    first = s3.list_objects(Bucket=bucket)
    assert (first["Marker"], first["Prefix"]) == ("", "")
    s3.put_object(Bucket=bucket, Key="c", Body=b"1")
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    second = s3.list_objects_v2(Bucket=bucket, MaxKeys=1, ContinuationToken=token)
    assert [one["Key"] for one in second["Contents"]] == ["c"]
    assert second["ContinuationToken"] == token
    copied = s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b"}, ChecksumAlgorithm="SHA256"
    )
    assert copied["CopyObjectResult"]["ChecksumType"] == "FULL_OBJECT"
    attributes = s3.get_object_attributes(Bucket=bucket, Key="a b", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    [version, *_] = s3.list_object_versions(Bucket=bucket, Prefix="a b")["Versions"]
    assert (version["ChecksumAlgorithm"], version["ChecksumType"]) == (["SHA256"], "FULL_OBJECT")
