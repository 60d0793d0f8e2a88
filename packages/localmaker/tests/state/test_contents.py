"""Bodies of uploads as clients send them, framed or not, with leading or trailing checksums; and copies."""

from __future__ import annotations

import base64
import binascii
import hashlib
import http.client
import os
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle
from localmaker.state.checksums import checksum_of, encoded

SIZES = (0, 10, 65_536, 65_537, 300_000)
SIGNED = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"


@pytest.fixture(scope="module")
def bucket(endpoint: EndpointHandle) -> str:
    endpoint.client("s3").create_bucket(Bucket="bodies")
    return "bodies"


def framed(body: bytes, trailers: dict[str, str], signed: bool) -> bytes:
    """Return an ``aws-chunked`` body, as newer clients send it."""
    signature = f";chunk-signature={'0' * 64}" if signed else ""
    pieces = [body[at : at + 70_000] for at in range(0, len(body), 70_000)]
    chunks = [f"{len(piece):x}{signature}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    end = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    return b"".join(chunks) + f"0{signature}\r\n{end}\r\n".encode()


def put(endpoint: EndpointHandle, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(endpoint.url).port, timeout=30)
    connection.request("PUT", quote(path, safe="/?=&"), body, {"Authorization": SIGNED, **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA256"])
def test_a_trailing_checksum(endpoint: EndpointHandle, bucket: str, unique: str, algorithm: str, size: int) -> None:
    body, s3 = os.urandom(size), endpoint.client("s3")
    value = checksum_of([body], algorithm, size)
    # Where it can't be computed here the client's own is kept.
    text = encoded(value or b"from the client!"[:8])
    name = f"x-amz-checksum-{algorithm.lower()}"
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(size),
        "x-amz-trailer": name,
        "x-amz-sdk-checksum-algorithm": algorithm,
    }
    status, _ = put(endpoint, f"/{bucket}/{unique}", framed(body, {name: text}, signed=False), headers)
    assert status == 200
    answer = s3.head_object(Bucket=bucket, Key=unique, ChecksumMode="ENABLED")
    assert (answer["ContentLength"], answer[f"Checksum{algorithm}"]) == (size, text)
    assert s3.get_object(Bucket=bucket, Key=unique)["Body"].read() == body


@pytest.mark.parametrize("size", SIZES)
def test_signed_chunks(endpoint: EndpointHandle, bucket: str, unique: str, size: int) -> None:
    body = os.urandom(size)
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": str(size),
    }
    assert put(endpoint, f"/{bucket}/{unique}", framed(body, {}, signed=True), headers)[0] == 200
    assert endpoint.client("s3").get_object(Bucket=bucket, Key=unique)["Body"].read() == body


@pytest.mark.parametrize("size", [10, 300_000])
def test_what_does_not_agree_with_its_checksum_is_refused(
    endpoint: EndpointHandle, bucket: str, unique: str, size: int
) -> None:
    s3, body = endpoint.client("s3"), os.urandom(size)
    wrong = {"ChecksumCRC32": "AAAAAA==", "ChecksumSHA256": base64.b64encode(bytes(32)).decode()}
    for name, value in wrong.items():
        with pytest.raises(ClientError, match=r"BadDigest.*did not match the calculated checksum"):
            s3.put_object(Bucket=bucket, Key=unique, Body=body, **{name: value})
    with pytest.raises(ClientError, match=r"BadDigest.*Content-MD5"):
        s3.put_object(Bucket=bucket, Key=unique, Body=body, ContentMD5=base64.b64encode(bytes(16)).decode())
    with pytest.raises(ClientError, match="InvalidDigest"):
        s3.put_object(Bucket=bucket, Key=unique, Body=body, ContentMD5="x")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key=unique)
    right = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    s3.put_object(Bucket=bucket, Key=unique, Body=body, ContentMD5=right)


@pytest.mark.parametrize("size", [0, 10, 300_000])
def test_what_does_not_have_the_signed_hash_is_refused(
    endpoint: EndpointHandle, bucket: str, unique: str, size: int
) -> None:
    s3, body = endpoint.client("s3"), os.urandom(size)
    upload = s3.create_multipart_upload(Bucket=bucket, Key=unique)["UploadId"]
    paths = (f"/{bucket}/{unique}", f"/{bucket}/{unique}?partNumber=1&uploadId={upload}")
    for path in paths:
        status, answer = put(endpoint, path, body, {"x-amz-content-sha256": hashlib.sha256(body + b"x").hexdigest()})
        assert (status, b"<Code>XAmzContentSHA256Mismatch</Code>" in answer) == (400, True)
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key=unique)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key=unique, UploadId=upload)
    for path, value in zip(paths, (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"), strict=True):
        assert put(endpoint, path, body, {"x-amz-content-sha256": value})[0] == 200
    assert s3.get_object(Bucket=bucket, Key=unique)["Body"].read() == body


def test_a_wrong_trailer_and_a_wrong_frame(endpoint: EndpointHandle, bucket: str, unique: str) -> None:
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": "x-amz-checksum-crc32"}
    wrong = framed(b"12345", {"x-amz-checksum-crc32": "AAAAAA=="}, signed=False)
    status, answer = put(endpoint, f"/{bucket}/{unique}", wrong, headers)
    assert (status, b"<Code>BadDigest</Code>" in answer) == (400, True)
    status, answer = put(endpoint, f"/{bucket}/{unique}", b"no frame", headers)
    assert (status, b"<Code>IncompleteBody</Code>" in answer) == (400, True)


def test_a_form_is_no_form_for_s3(endpoint: EndpointHandle, bucket: str, unique: str) -> None:
    """``curl --data`` and urllib name this content type by themselves."""
    s3 = endpoint.client("s3")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": unique})
    request = urllib.request.Request(url, data=b"a=b&c", method="PUT")  # noqa: S310 - ours
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - ours
        assert answer.status == 200
    assert s3.get_object(Bucket=bucket, Key=unique)["Body"].read() == b"a=b&c"


@pytest.mark.parametrize(("kind", "suffix"), [("COMPOSITE", "-2"), ("FULL_OBJECT", "")])
def test_checksums_of_an_upload_in_parts(
    endpoint: EndpointHandle, bucket: str, unique: str, kind: str, suffix: str
) -> None:
    s3, parts = endpoint.client("s3"), [os.urandom(5 << 20), b"end"]
    named = {"Bucket": bucket, "Key": unique}
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm="CRC32", ChecksumType=kind)["UploadId"]
    listed: list[dict[str, Any]] = []
    for number, part in enumerate(parts, start=1):
        answer = s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32")
        assert answer["ChecksumCRC32"] == encoded(binascii.crc32(part).to_bytes(4, "big"))
        listed.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": listed})
    joined = b"".join(parts if kind == "FULL_OBJECT" else [binascii.crc32(part).to_bytes(4, "big") for part in parts])
    found = s3.get_object(**named, ChecksumMode="ENABLED")
    assert found["ChecksumCRC32"] == encoded(binascii.crc32(joined).to_bytes(4, "big")) + suffix
    assert found["ChecksumType"] == kind
    assert found["Body"].read() == b"".join(parts)


def test_a_copy_shares_the_file_of_a_large_object(endpoint: EndpointHandle, bucket: str, unique: str) -> None:
    s3, body = endpoint.client("s3"), os.urandom(300_000)
    s3.put_object(Bucket=bucket, Key=unique, Body=body)
    objects = endpoint.running.state_dir / "aws" / "objects"
    before = set(objects.iterdir())
    s3.copy_object(Bucket=bucket, Key=f"{unique}/copy", CopySource={"Bucket": bucket, "Key": unique})
    assert set(objects.iterdir()) <= before
    s3.delete_object(Bucket=bucket, Key=unique)
    assert s3.get_object(Bucket=bucket, Key=f"{unique}/copy")["Body"].read() == body
