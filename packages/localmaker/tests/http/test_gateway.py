from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from localmaker.daemon import EndpointHandle

SIGNED = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=00"


def post(endpoint: EndpointHandle, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    url = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/", body, {"Content-Type": "application/x-amz-json-1.1", **named})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(content)


def call(endpoint: EndpointHandle, operation: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    return post(endpoint, body, X_Amz_Target=f"SageMaker.{operation}", Authorization=SIGNED, **headers)


def test_health(endpoint: EndpointHandle) -> None:
    url = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    connection.request("GET", "/_local/health")
    assert json.loads(connection.getresponse().read()) == {
        "status": "ready",
        "account_id": "123456789012",
        "region": endpoint.region,
        "state_dir": str(endpoint.state_dir),
        "restored": endpoint.running.restored,
    }
    connection.close()


def test_errors_are_on_the_wire_as_aws_sends_them(endpoint: EndpointHandle) -> None:
    status, headers, body = call(endpoint, "DescribeFeatureGroup", b'{"FeatureGroupName": "no-such-group"}')
    assert status == 400
    assert headers["x-amzn-errortype"] == body["__type"] == "ResourceNotFound"
    assert "no-such-group" in body["Message"]
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert len(headers["x-amzn-requestid"]) == 36


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"MaxResults": "many"}', b'{"FeatureGroupName": {}}', b"\xff"])
def test_a_broken_body_is_refused(endpoint: EndpointHandle, body: bytes) -> None:
    status, _, answer = call(endpoint, "ListFeatureGroups" if b"Max" in body else "DescribeFeatureGroup", body)
    assert status == 400
    assert answer["__type"] in ("SerializationException", "ValidationException")


def test_json_null_means_not_given(endpoint: EndpointHandle) -> None:
    status, _, _ = call(endpoint, "ListFeatureGroups", b'{"MaxResults": null}')
    assert status == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://example.org"}, {"Sec_Fetch_Site": "cross-site"}])
def test_web_pages_are_refused(endpoint: EndpointHandle, headers: dict[str, str]) -> None:
    status, answered, body = call(endpoint, "ListFeatureGroups", b"{}", **headers)
    assert status == 403
    assert body["__type"] == "AccessDeniedException"
    assert "access-control-allow-origin" not in answered


def test_what_nobody_implements(endpoint: EndpointHandle) -> None:
    sagemaker = endpoint.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ClientError, match="neither the local endpoint nor moto") as refused:
        sagemaker.list_labeling_jobs()
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_the_services_that_the_project_uses(endpoint: EndpointHandle, unique: str) -> None:
    iam, glue, logs = endpoint.client("iam"), endpoint.client("glue"), endpoint.client("logs")
    assert endpoint.client("sts").get_caller_identity()["Account"] == "123456789012"
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = iam.create_role(RoleName=unique, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert iam.get_role(RoleName=unique)["Role"]["Arn"] == role
    glue.create_database(DatabaseInput={"Name": unique})
    assert glue.get_database(Name=unique)["Database"]["Name"] == unique
    logs.create_log_group(logGroupName=unique)
    found = logs.describe_log_groups(logGroupNamePrefix=unique)["logGroups"]
    assert [group["logGroupName"] for group in found] == [unique]


def test_metadata_names_with_underscores(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="k", Body=b"", Metadata={"a_b": "1", "a-c": "2"})
    assert s3.head_object(Bucket=unique, Key="k")["Metadata"] == {"a_b": "1", "a-c": "2"}


@pytest.mark.parametrize("key", ["/leading", "a//b", "trailing/", "../up", "a b+c%2F", "ü/日本.csv", "~tilde*'()"])
def test_keys_survive(endpoint: EndpointHandle, unique: str, key: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key=key, Body=b"x")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=unique)["Contents"]] == [key]
    assert s3.get_object(Bucket=unique, Key=key)["Body"].read() == b"x"
