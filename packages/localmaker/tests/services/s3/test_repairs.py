"""Which statements of a bucket policy apply on the local endpoint."""

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle
from localmaker.services.s3.repairs import applicable, condition_holds


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        ({"BoolIfExists": {"AWS:securetransport": ["false", "true"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
    ],
)
def test_conditions_are_judged_as_for_a_tls_client(condition, holds):
    assert condition_holds(condition) is holds


def test_only_statements_that_apply_are_left_and_without_their_conditions():
    kept = {"Sid": "Kept", "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    dropped = {"Sid": "Dropped", "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    policy = applicable({"Version": "2012-10-17", "Statement": [kept, dropped]})
    assert policy == {"Version": "2012-10-17", "Statement": [{"Sid": "Kept", "Effect": "Deny"}]}
    assert applicable({"Statement": kept})["Statement"] == [{"Sid": "Kept", "Effect": "Deny"}]


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


def test_every_object_is_encrypted(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    answers = [
        s3.put_object(Bucket=unique, Key="k", Body=b"1"),
        s3.get_object(Bucket=unique, Key="k"),
        s3.head_object(Bucket=unique, Key="k"),
        s3.copy_object(Bucket=unique, Key="c", CopySource={"Bucket": unique, "Key": "k"}),
        s3.create_multipart_upload(Bucket=unique, Key="m"),
    ]
    assert [answer.get("ServerSideEncryption") for answer in answers] == ["AES256"] * len(answers)
    named = s3.put_object(Bucket=unique, Key="k", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/k")
    assert named["ServerSideEncryption"] == s3.head_object(Bucket=unique, Key="k")["ServerSideEncryption"] == "aws:kms"
    assert (
        "x-amz-server-side-encryption"
        not in s3.get_object_tagging(Bucket=unique, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    )
