"""Requests that S3 refuses, and requests that it takes and moto fails on."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle
from localmaker.services.s3.refusals import expiry_refusal, key_refusal, source_refusal, write_refusal

THEN = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER, LATER = "Wed, 31 Dec 2025 00:00:00 GMT", "Fri, 02 Jan 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "etag", "code"),
    [
        ({}, '"a"', None),
        ({"If-Match": '"a"'}, '"a"', None),
        ({"If-Match": "a"}, '"a"', None),
        ({"If-Match": "b"}, '"a"', "PreconditionFailed"),
        ({"If-Match": "a"}, None, "NoSuchKey"),
        ({"If-None-Match": "*"}, None, None),
        ({"If-None-Match": "*"}, '"a"', "PreconditionFailed"),
        ({"If-None-Match": '"a"'}, '"b"', "NotImplemented"),
    ],
)
def test_writing(headers: dict[str, str], etag: str | None, code: str | None) -> None:
    refusal = write_refusal(headers, etag)
    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("conditions", "refused"),
    [
        ({"if-match": "a"}, False),
        ({"if-match": "b"}, True),
        ({"if-none-match": "a"}, True),
        ({"if-none-match": "b"}, False),
        ({"if-unmodified-since": EARLIER}, True),
        ({"if-unmodified-since": LATER}, False),
        ({"if-modified-since": LATER}, True),
        ({"if-modified-since": EARLIER}, False),
        # The tag decides where both are given.
        ({"if-match": "a", "if-unmodified-since": EARLIER}, False),
        ({"if-none-match": "a", "if-modified-since": EARLIER}, True),
        ({"if-modified-since": "yesterday"}, False),
    ],
)
def test_copying(conditions: dict[str, str], refused: bool) -> None:
    headers = {f"x-amz-copy-source-{name}": value for name, value in conditions.items()}
    assert (source_refusal(headers, '"a"', THEN) is not None) is refused


def test_the_length_of_a_key_is_counted_in_bytes() -> None:
    assert key_refusal("é" * 512) is None
    refusal = key_refusal("é" * 513)
    assert refusal is not None
    assert "<Size>1026</Size><MaxSizeAllowed>1024</MaxSizeAllowed>" in refusal.response()[2]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, None),
        ({"X-Amz-Date": ["20260101T000000Z"], "X-Amz-Expires": ["60"]}, None),
        ({"X-Amz-Date": ["20260101T000000Z"], "X-Amz-Expires": ["59"]}, "AccessDenied"),
        ({"X-Amz-Expires": ["60"]}, "AuthorizationQueryParametersError"),
        ({"Signature": ["s"], "Expires": [str(THEN.timestamp() + 61)]}, None),
        ({"Signature": ["s"], "Expires": [str(THEN.timestamp() + 59)]}, "AccessDenied"),
    ],
)
def test_signed_urls(query: dict[str, list[str]], code: str | None) -> None:
    refusal = expiry_refusal(query, (THEN + timedelta(seconds=60)).timestamp())
    assert (refusal.code if refusal else None) == code


@pytest.fixture(scope="module")
def bucket(endpoint: Any) -> str:
    endpoint.client("s3").create_bucket(Bucket="conditions")
    return "conditions"


def refused(call: Any, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_conditional_copies(endpoint: Any, bucket: str, unique: str) -> None:
    s3 = endpoint.client("s3")
    etag = s3.put_object(Bucket=bucket, Key=unique, Body=b"1")["ETag"]
    copy = {"Bucket": bucket, "Key": f"{unique} copy", "CopySource": {"Bucket": bucket, "Key": unique}}
    assert refused(s3.copy_object, **copy, IfMatch=etag) == ("NoSuchKey", 404)
    s3.copy_object(**copy, IfNoneMatch="*")
    assert refused(s3.copy_object, **copy, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(s3.copy_object, **copy, IfMatch='"0"') == ("PreconditionFailed", 412)
    s3.copy_object(**copy, IfMatch=etag, CopySourceIfUnmodifiedSince=datetime.now(UTC))
    old = datetime(2000, 1, 1, tzinfo=UTC)
    assert refused(s3.copy_object, **copy, CopySourceIfUnmodifiedSince=old) == ("PreconditionFailed", 412)


def test_conditional_ends_of_uploads(endpoint: Any, bucket: str, unique: str) -> None:
    s3 = endpoint.client("s3")

    def uploaded() -> dict[str, Any]:
        upload = s3.create_multipart_upload(Bucket=bucket, Key=unique)["UploadId"]
        named = {"Bucket": bucket, "Key": unique, "UploadId": upload}
        part = s3.upload_part(**named, PartNumber=1, Body=b"part")["ETag"]
        return {**named, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}

    assert refused(s3.complete_multipart_upload, **uploaded(), IfMatch='"0"') == ("NoSuchKey", 404)
    first = uploaded()
    answer = s3.complete_multipart_upload(**first, IfNoneMatch="*")
    assert "VersionId" not in answer
    # The same upload again is the same answer, as a client that got none asks again.
    assert s3.complete_multipart_upload(**first, IfNoneMatch="*")["ETag"] == answer["ETag"]
    assert refused(s3.complete_multipart_upload, **uploaded(), IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(s3.complete_multipart_upload, **uploaded(), IfMatch='"0"') == ("PreconditionFailed", 412)
    s3.complete_multipart_upload(**uploaded(), IfMatch=answer["ETag"])


def test_long_keys(endpoint: Any, bucket: str) -> None:
    s3 = endpoint.client("s3")
    key = "ü" * 512
    s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"1"
    assert refused(s3.put_object, Bucket=bucket, Key=f"{key}x", Body=b"1") == ("KeyTooLongError", 400)
    assert refused(s3.create_multipart_upload, Bucket=bucket, Key=f"{key}x") == ("KeyTooLongError", 400)


def test_an_old_url_is_refused(endpoint: Any, bucket: str, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=bucket, Key=unique, Body=b"1")
    parameters = {"Bucket": bucket, "Key": unique}
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=parameters)) as answer:  # noqa: S310 - ours
        assert answer.read() == b"1"
    old = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=-10)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(old)  # noqa: S310 - ours
    with caught.value as answer:
        assert (answer.status, b"Request has expired" in answer.read()) == (403, True)


def test_a_copy_of_a_version_that_is_gone_is_refused(endpoint, unique):
    s3 = endpoint.client("s3")
    bucket = unique
    s3.create_bucket(Bucket=bucket)
    first = s3.put_object(Bucket=bucket, Key="a b+ü.csv", Body=b"1")["ETag"]
    source = {"Bucket": bucket, "Key": "a b+ü.csv"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=first)
    second = s3.put_object(Bucket=bucket, Key="a b+ü.csv", Body=b"2")["ETag"]
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=first.strip('"'))
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"1"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, CopySourceIfMatch=second)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"2"


@pytest.fixture
def own_bucket(endpoint: EndpointHandle, unique: str) -> str:
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
    endpoint: EndpointHandle, own_bucket: str, call: Callable[[Any, str], Any], code: str, status: int
) -> None:
    with pytest.raises(ClientError) as refused:
        call(endpoint.client("s3"), own_bucket)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_no_tags_are_tags(endpoint: EndpointHandle, own_bucket: str) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=own_bucket, Key="k", Tagging="a=b")
    s3.put_object_tagging(Bucket=own_bucket, Key="k", Tagging={"TagSet": []})
    assert s3.get_object_tagging(Bucket=own_bucket, Key="k")["TagSet"] == []


def test_answers_name_checksums_and_repeat_the_request(endpoint: EndpointHandle, own_bucket: str) -> None:
    s3 = endpoint.client("s3")
    put = s3.put_object(Bucket=own_bucket, Key="a b", Body=b"1", ChecksumAlgorithm="SHA256")
    assert put["ChecksumType"] == "FULL_OBJECT"
    assert s3.get_object(Bucket=own_bucket, Key="a b", ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"
    [entry] = s3.list_objects_v2(Bucket=own_bucket, FetchOwner=True)["Contents"]
    assert (entry["Key"], entry["ChecksumAlgorithm"], entry["ChecksumType"]) == ("a b", ["SHA256"], "FULL_OBJECT")
    assert set(entry["Owner"]) == {"ID"}
    first = s3.list_objects(Bucket=own_bucket)
    assert (first["Marker"], first["Prefix"]) == ("", "")
    s3.put_object(Bucket=own_bucket, Key="c", Body=b"1")
    token = s3.list_objects_v2(Bucket=own_bucket, MaxKeys=1)["NextContinuationToken"]
    second = s3.list_objects_v2(Bucket=own_bucket, MaxKeys=1, ContinuationToken=token)
    assert [one["Key"] for one in second["Contents"]] == ["c"]
    assert second["ContinuationToken"] == token
    copied = s3.copy_object(
        Bucket=own_bucket, Key="copy", CopySource={"Bucket": own_bucket, "Key": "a b"}, ChecksumAlgorithm="SHA256"
    )
    assert copied["CopyObjectResult"]["ChecksumType"] == "FULL_OBJECT"
    attributes = s3.get_object_attributes(Bucket=own_bucket, Key="a b", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    [version, *_] = s3.list_object_versions(Bucket=own_bucket, Prefix="a b")["Versions"]
    assert (version["ChecksumAlgorithm"], version["ChecksumType"]) == (["SHA256"], "FULL_OBJECT")
