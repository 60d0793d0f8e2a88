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


def request(endpoint: EndpointHandle, service: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    url = urlsplit(endpoint.url)
    signed = SIGNED.replace("/sagemaker/", f"/{service}/")
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    method, path = named.pop("method", "POST"), named.pop("path", "/")
    connection.request(method, path, body, {"Authorization": signed, **named})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


NO_JSON_OBJECT = [
    b"{", b"{{{", b"[]", b'"x"', b"1", b"null", b"{}{}", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}",
    b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("body", NO_JSON_OBJECT)
@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("sagemaker", "SageMaker.ListFeatureGroups"), ("sagemaker", "SageMaker.ListModelPackageGroups"),
        ("sqs", "AmazonSQS.ListQueues"), ("logs", "Logs_20140328.DescribeLogGroups"), ("glue", "AWSGlue.GetDatabases"),
        ("dynamodb", "DynamoDB_20120810.ListTables"), ("kms", "TrentService.ListKeys"),
        ("events", "AWSEvents.ListRules"),
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(endpoint: EndpointHandle, service: str, target: str, body: bytes) -> None:
    status, answer = request(endpoint, service, body, X_Amz_Target=target, Content_Type="application/x-amz-json-1.1")
    assert status == 400, answer
    assert json.loads(answer)["__type"] == "SerializationException"


@pytest.mark.parametrize(
    ("service", "target", "body", "code"),
    [
        ("sqs", "AmazonSQS.CreateQueue", {"QueueName": ["a"]}, "SerializationException"),
        ("sqs", "AmazonSQS.CreateQueue", {}, "ValidationException"),
        ("logs", "Logs_20140328.CreateLogGroup", {"logGroupName": {}}, "SerializationException"),
        ("kms", "TrentService.DescribeKey", {"KeyId": "missing"}, "NotFoundException"),
        ("sagemaker", "SageMaker.DescribeExperiment", {"ExperimentName": "missing"}, "ResourceNotFound"),
        ("sagemaker", "SageMaker.Nothing", {}, "UnknownOperationException"),
        ("dynamodb", "", {}, "UnknownOperationException"),
        ("secretsmanager", "secretsmanager.ListSecrets", {"NextToken": "x"}, "ValidationException"),
    ],
)
def test_moto_is_asked_what_makes_sense(
    endpoint: EndpointHandle, service: str, target: str, body: dict[str, Any], code: str
) -> None:
    headers = {"X_Amz_Target": target} if target else {}
    status, answer = request(endpoint, service, json.dumps(body).encode(), **headers)
    assert status in (400, 404), answer
    assert json.loads(answer)["__type"].rpartition("#")[2] == code


@pytest.mark.parametrize("body", [b"<a>", b"{}", b"<a/>", b"<CreateBucketConfiguration><LocationConstraint>", b"\x00"])
@pytest.mark.parametrize("query", ["delete", "tagging", "versioning", "lifecycle", "cors"])
def test_a_broken_document_of_s3_is_refused(endpoint: EndpointHandle, unique: str, query: str, body: bytes) -> None:
    endpoint.client("s3").create_bucket(Bucket=unique)
    method = "POST" if query == "delete" else "PUT"
    status, answer = request(endpoint, "s3", body, method=method, path=f"/{unique}?{query}")
    assert (status, b"<Code>MalformedXML</Code>" in answer) == (400, True), answer


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("?list-type=2&max-keys=x", {}),
        ("/key?partNumber=x&uploadId=y", {"x-amz-copy-source": "a/b"}),
    ],
)
def test_a_broken_argument_of_s3_is_refused(
    endpoint: EndpointHandle, unique: str, path: str, headers: dict[str, str]
) -> None:
    endpoint.client("s3").create_bucket(Bucket=unique)
    method = "PUT" if headers else "GET"
    status, answer = request(endpoint, "s3", b"", method=method, path=f"/{unique}{path}", **headers)
    assert status in (400, 404), answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_operations_in_headers_are_sent_by_post(endpoint: EndpointHandle, method: str) -> None:
    status, _ = request(endpoint, "sagemaker", b"{}", method=method, X_Amz_Target="SageMaker.ListModels")
    assert status == 400


def test_the_token_of_a_page_is_refused_if_it_is_none(endpoint: EndpointHandle) -> None:
    form = b"Action=SimulateCustomPolicy&Version=2010-05-08&PolicyInputList=&ActionNames.member.1=s3:GetObject&Marker=x"
    kind = "application/x-www-form-urlencoded"
    status, answer = request(endpoint, "iam", form, Content_Type=kind)
    assert status == 400
    assert b"&apos;x&apos; at &apos;Marker&apos;" in answer.replace(b"'", b"&apos;")


@pytest.mark.parametrize(
    "header",
    ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b", "x", SIGNED.replace("us-east-1", "../.."), SIGNED[:60]],
)
def test_a_broken_signature_is_refused(endpoint: EndpointHandle, header: str) -> None:
    status, answer = request(endpoint, "", b"{}", Authorization=header, X_Amz_Target="SageMaker.ListModels")
    assert (status, json.loads(answer)["__type"]) == (400, "IncompleteSignature")


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


@pytest.mark.parametrize("verb", ["start", "stop", "reset", "upload", "download", "replay"])
@pytest.mark.parametrize("prefix", ["/moto-api/recorder", "/moto-api/./recorder", "/x/../moto-api/recorder"])
def test_nothing_is_recorded(endpoint: EndpointHandle, verb: str, prefix: str) -> None:
    for method in ("GET", "POST"):
        status, body = request(endpoint, "sts", b"{}", method=method, path=f"{prefix}/{verb}-recording")
        assert status in (403, 404)
    if prefix == "/moto-api/recorder":
        assert b"moto's recorder is not available" in body
    assert not (endpoint.state_dir / "moto_recording").exists()


def test_motos_own_authorization_stays_off(endpoint: EndpointHandle) -> None:
    assert request(endpoint, "sts", b"0", path="/moto-api/reset-auth")[0] == 403
    assert endpoint.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("list-type=2&continuation-token=x", "The continuation token provided is incorrect"),
        ("list-type=2&continuation-token=", "The continuation token provided is incorrect"),
        ("list-type=2&max-keys=-1", "max-keys"),
        ("max-keys=-1", "max-keys"),
        ("max-keys=x", "max-keys"),
        ("versions&max-keys=-1", "max-keys"),
        ("max-keys=99999999999", "max-keys"),
        ("uploads&max-uploads=-1", "max-uploads"),
    ],
)
def test_a_page_that_cannot_be_asked_for(endpoint: EndpointHandle, unique: str, query: str, message: str) -> None:
    endpoint.client("s3").create_bucket(Bucket=unique)
    status, body = request(endpoint, "s3", b"", method="GET", path=f"/{unique}?{query}")
    assert (status, b"<Code>InvalidArgument</Code>" in body, message in body.decode()) == (400, True, True)


def test_pages_of_objects_and_parts(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    keys = [f"a/{number} \u00e9" for number in range(3)]
    for key in keys:
        s3.put_object(Bucket=unique, Key=key, Body=b"")
    for name in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(name).paginate(Bucket=unique, PaginationConfig={"PageSize": 1})
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    assert s3.list_objects_v2(Bucket=unique, MaxKeys=0)["KeyCount"] == 0
    upload = s3.create_multipart_upload(Bucket=unique, Key="k")["UploadId"]
    for query in (f"uploadId={upload}&max-parts=-1", f"uploadId={upload}&part-number-marker=-1"):
        status, body = request(endpoint, "s3", b"", method="GET", path=f"/{unique}/k?{query}")
        assert (status, b"<Code>InvalidArgument</Code>" in body) == (400, True)
