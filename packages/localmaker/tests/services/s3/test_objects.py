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


def test_keys_of_versions_are_encoded_where_a_client_asks_for_it(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_bucket_versioning(Bucket=unique, VersioningConfiguration={"Status": "Enabled"})
    keys = ["a b/100%25 Größe.csv", "a b/x+y & 'z'.csv"]
    for key in keys:
        s3.put_object(Bucket=unique, Key=key, Body=b"1")
    s3.delete_object(Bucket=unique, Key=keys[1])
    # boto3 asks for it by itself, and decodes; when told to ask, it leaves the answer as it is.
    decoded = s3.list_object_versions(Bucket=unique, Prefix="a b/")
    assert [version["Key"] for version in decoded["Versions"]] == keys
    assert [marker["Key"] for marker in decoded["DeleteMarkers"]] == keys[1:]
    assert decoded["Prefix"] == "a b/"
    grouped = s3.list_object_versions(Bucket=unique, Delimiter="/")
    assert [one["Prefix"] for one in grouped["CommonPrefixes"]] == ["a b/"]
    encoded = s3.list_object_versions(Bucket=unique, EncodingType="url")
    assert encoded["Versions"][0]["Key"] == "a%20b/100%2525%20Gr%C3%B6%C3%9Fe.csv"
