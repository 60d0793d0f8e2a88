"""What S3 says of every object."""

from __future__ import annotations

from localmaker.daemon import EndpointHandle


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
