"""One part of an object that came in parts, and what S3 tells of its parts."""

import hashlib

import pytest
import requests
from botocore.exceptions import ClientError

SIZES = [5 << 20, 5 << 20, 1000]
PARTS = [bytes([number]) * size for number, size in enumerate(SIZES, 1)]


@pytest.fixture(params=[None, "CRC32", "SHA256"])
def algorithm(request):
    return request.param


@pytest.fixture
def uploaded(endpoint, unique, algorithm):
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    where = {"Bucket": unique, "Key": "in parts.bin"}
    chosen = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    upload = s3.create_multipart_upload(**where, **chosen)["UploadId"]
    parts = []
    for number, body in enumerate(PARTS, 1):
        answer = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body, **chosen)
        checksums = {f"Checksum{algorithm}": answer[f"Checksum{algorithm}"]} if algorithm else {}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **checksums})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    return s3, where, parts


def test_one_part_is_answered_with_its_place_in_the_object(uploaded):
    s3, where, _ = uploaded
    begin = 0
    for number, body in enumerate(PARTS, 1):
        answer = s3.get_object(**where, PartNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == f"bytes {begin}-{begin + len(body) - 1}/{sum(SIZES)}"
        assert (answer["PartsCount"], answer["ContentLength"]) == (3, len(body))
        assert answer["ETag"].endswith('-3"')
        assert answer["Body"].read() == body
        begin += len(body)


def test_its_length_is_told_without_its_content(uploaded):
    s3, where, _ = uploaded
    answer = s3.head_object(**where, PartNumber=3)
    assert (answer["ContentLength"], answer["PartsCount"]) == (1000, 3)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ETag"] == s3.head_object(**where)["ETag"]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"], indirect=True)
def test_a_checksum_of_checksums_says_of_how_many(uploaded, algorithm):
    s3, where, _ = uploaded
    told = [ask(**where, ChecksumMode="ENABLED") for ask in (s3.head_object, s3.get_object)]
    assert {answer["ChecksumType"] for answer in told} == {"COMPOSITE"}
    (value,) = {answer[f"Checksum{algorithm}"] for answer in told}
    assert value.endswith("-3")
    told[1]["Body"].close()


def test_a_part_that_is_not_there_is_refused(uploaded):
    s3, where, _ = uploaded
    with pytest.raises(ClientError) as caught:
        s3.get_object(**where, PartNumber=4)
    assert caught.value.response["Error"]["Code"] == "InvalidPartNumber"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416
    with pytest.raises(ClientError) as caught:
        s3.head_object(**where, PartNumber=4)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


@pytest.mark.parametrize("number", ["0", "10001", "two", "-1", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_no_number_of_a_part_is_refused(endpoint, unique, method, number):
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="whole", Body=b"12345")
    url = s3.generate_presigned_url(f"{method.lower()}_object", Params={"Bucket": unique, "Key": "whole"})
    answer = requests.request(method, url.replace("?", f"?partNumber={number}&", 1), timeout=10)
    assert answer.status_code == 400
    if method == "GET":
        assert "<Code>InvalidArgument</Code>" in answer.text
        assert "between 1 and 10000" in answer.text


def test_an_object_that_came_whole_is_one_part(endpoint, unique):
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="whole", Body=b"12345")
    answer = s3.get_object(Bucket=unique, Key="whole", PartNumber=1)
    assert (answer["ContentRange"], answer["Body"].read()) == ("bytes 0-4/5", b"12345")
    assert s3.head_object(Bucket=unique, Key="whole", PartNumber=1)["ContentLength"] == 5
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=unique, Key="whole", PartNumber=2)
    assert caught.value.response["Error"]["Code"] == "InvalidPartNumber"


def test_attributes_tell_of_the_parts(uploaded, algorithm):
    s3, where, parts = uploaded
    found = s3.get_object_attributes(**where, ObjectAttributes=["ETag", "ObjectSize", "ObjectParts", "Checksum"])
    assert found["ObjectSize"] == sum(SIZES)
    told = found["ObjectParts"]
    assert told["TotalPartsCount"] == 3
    if algorithm is None:
        assert "Parts" not in told
        return
    name = f"Checksum{algorithm}"
    assert [(part["PartNumber"], part["Size"], part[name]) for part in told["Parts"]] == [
        (part["PartNumber"], size, part[name]) for part, size in zip(parts, SIZES, strict=True)
    ]
    assert told["IsTruncated"] is False


@pytest.mark.parametrize("algorithm", ["CRC32"], indirect=True)
def test_parts_come_in_pages(uploaded):
    s3, where, _ = uploaded
    first = s3.get_object_attributes(**where, ObjectAttributes=["ObjectParts"], MaxParts=2)["ObjectParts"]
    assert ([part["PartNumber"] for part in first["Parts"]], first["IsTruncated"]) == ([1, 2], True)
    rest = s3.get_object_attributes(
        **where, ObjectAttributes=["ObjectParts"], PartNumberMarker=first["NextPartNumberMarker"]
    )["ObjectParts"]
    assert ([part["PartNumber"] for part in rest["Parts"]], rest["IsTruncated"]) == ([3], False)


def test_a_copy_is_one_piece(uploaded, algorithm):
    s3, where, _ = uploaded
    bucket = where["Bucket"]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=where)
    whole = b"".join(PARTS)
    # boto3 compares the content with the checksum that the answer says.
    answer = s3.get_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert answer["Body"].read() == whole
    assert hashlib.md5(whole, usedforsecurity=False).hexdigest() == answer["ETag"].strip('"')
    if algorithm:
        assert (answer["ChecksumType"], "-" in answer[f"Checksum{algorithm}"]) == ("FULL_OBJECT", False)
    answer = s3.get_object(Bucket=bucket, Key="copy", PartNumber=1)
    assert answer["ContentLength"] == len(whole)
    assert "PartsCount" not in answer
    assert "ObjectParts" not in s3.get_object_attributes(
        Bucket=bucket, Key="copy", ObjectAttributes=["ObjectParts", "ETag"]
    )


def test_names_of_attributes_may_have_spaces_between_them(endpoint, unique):
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="whole", Body=b"12345")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": unique, "Key": "whole"})
    names = {"x-amz-object-attributes": "ETag, ObjectSize"}
    answer = requests.get(url.replace("?", "?attributes&", 1), headers=names, timeout=10)
    assert "<ObjectSize>5</ObjectSize>" in answer.text


@pytest.mark.parametrize("algorithm", [None], indirect=True)
def test_its_owner_may_do_everything_with_it(uploaded):
    s3, where, _ = uploaded
    (grant,) = s3.get_object_acl(**where)["Grants"]
    assert grant["Permission"] == "FULL_CONTROL"
