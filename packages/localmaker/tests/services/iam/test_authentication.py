"""Where IAM is enforced, only credentials that the endpoint gave out are taken, by whatever way they come."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.state.credentials import ANY, CREDENTIALS_NAME, Credentials

REGION = "us-east-1"
BUCKET = "checked"
KEY = "a b/ü+~%2F(1)=&.txt"
SERVICES = {
    "s3": "list_buckets",
    "iam": "list_users",
    "sts": "get_caller_identity",
    "sqs": "list_queues",
    "ec2": "describe_vpcs",
    "cloudwatch": "list_metrics",
    "sagemaker": "list_training_jobs",
    "events": "list_rules",
    "lambda": "list_functions",
    "scheduler": "list_schedules",
}
UNKNOWN = {
    "s3": ("InvalidAccessKeyId", 403),
    "iam": ("InvalidClientTokenId", 403),
    "sts": ("InvalidClientTokenId", 403),
    "ec2": ("AuthFailure", 401),
}
MISMATCH = {
    "s3": ("SignatureDoesNotMatch", 403),
    "iam": ("SignatureDoesNotMatch", 403),
    "sts": ("SignatureDoesNotMatch", 403),
    "ec2": ("AuthFailure", 401),
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as handle:
        handle.client("s3").create_bucket(Bucket=BUCKET)
        handle.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"content")
        yield handle


def client_of(endpoint: EndpointHandle, service: str, credentials: Credentials, **config: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint.url,
        region_name=REGION,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def refused(call: Any, **parameters: Any) -> tuple[str, int]:
    """Return code and status of the error that a call gets."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def send(endpoint: EndpointHandle, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def path_of(url: str) -> str:
    split = urlsplit(url)
    return f"{split.path}?{split.query}"


def user(endpoint: EndpointHandle, name: str, *allowed: dict[str, Any]) -> Credentials:
    iam = endpoint.client("iam")
    iam.create_user(UserName=name)
    for number, statement in enumerate(allowed):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
        iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def role(endpoint: EndpointHandle, name: str, *allowed: dict[str, Any], service: str = "sagemaker") -> str:
    iam = endpoint.client("iam")
    principal = {"Service": f"{service}.amazonaws.com"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    for number, statement in enumerate(allowed):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
    return arn


def assumed(endpoint: EndpointHandle, arn: str, seconds: int = 900) -> Credentials:
    sts = client_of(endpoint, "sts", endpoint.credentials, parameter_validation=False)
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="session", DurationSeconds=seconds)["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


@pytest.mark.parametrize(("service", "operation"), SERVICES.items())
def test_every_service_takes_the_administrators_credentials_and_no_others(
    endpoint: EndpointHandle, service: str, operation: str
) -> None:
    if service != "ec2":  # moto takes long to load it
        assert getattr(endpoint.client(service), operation)()
    unknown = UNKNOWN.get(service, ("UnrecognizedClientException", 400))
    for credentials in (Credentials("any", "any"), ANY, Credentials("ASIA0123456789ABCDEF", "any", "token")):
        assert refused(getattr(client_of(endpoint, service, credentials), operation)) == unknown
    wrong = Credentials(endpoint.credentials.access_key, "wrong")
    mismatch = MISMATCH.get(service, ("InvalidSignatureException", 400))
    assert refused(getattr(client_of(endpoint, service, wrong), operation)) == mismatch


def test_the_administrators_credentials_are_in_a_file_of_the_owners_only(endpoint: EndpointHandle) -> None:
    file = endpoint.state_dir / CREDENTIALS_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    session = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_ENDPOINT_URL": endpoint.url, "AWS_REGION": REGION}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with mock.patch.dict(os.environ, {**clean, **session}, clear=True):
        assert boto3.session.Session().client("s3", region_name=REGION).list_buckets()["Buckets"]
    secret = endpoint.credentials.secret_key
    assert secret not in (endpoint.state_dir / "endpoint.log").read_text()
    process = Path(f"/proc/{endpoint.running.pid}")
    if process.exists():
        assert secret.encode() not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls(endpoint: EndpointHandle, version: str) -> None:
    own = client_of(endpoint, "s3", endpoint.credentials, signature_version=version)
    get = own.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY, "ResponseContentType": "text/x"})
    assert send(endpoint, "GET", path_of(get)) == (200, b"content")
    put = own.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": version, "ContentType": "text/x"})
    assert send(endpoint, "PUT", path_of(put), b"sent", Content_Type="text/x")[0] == 200
    assert endpoint.client("s3").get_object(Bucket=BUCKET, Key=version)["Body"].read() == b"sent"
    for path in (path_of(get).replace("checked", "checked2"), path_of(get)[:-1] + "!"):
        status, body = send(endpoint, "GET", path)
        assert (status, b"<Code>SignatureDoesNotMatch<" in body or b"Malformed" in body) in ((403, True), (400, True))
    assert send(endpoint, "DELETE", path_of(get))[0] == 403
    # A header that is not signed could make it another request.
    target = send(endpoint, "PUT", path_of(put), b"{}", X_Amz_Target="SageMaker.ListTrainingJobs")
    assert target[0] == 400
    for credentials, code in (
        (Credentials("any", "any"), b"InvalidAccessKeyId"),
        (Credentials(endpoint.credentials.access_key, "wrong"), b"SignatureDoesNotMatch"),
    ):
        other = client_of(endpoint, "s3", credentials, signature_version=version)
        status, body = send(
            endpoint, "GET", path_of(other.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY}))
        )
        assert (status, code in body) == (403, True)
    late = {"s3v4": timedelta(minutes=20), "s3": timedelta(0)}[version]
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=datetime.now(UTC) - late):
        over = own.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY}, ExpiresIn=1 if late else -5)
    assert send(endpoint, "GET", path_of(over)) == (
        403,
        b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
    )


def test_a_bucket_in_the_host_is_the_one_that_is_asked_for(endpoint: EndpointHandle) -> None:
    credentials = user(
        endpoint, "one-bucket", {"Action": "s3:GetObject", "Resource": ["arn:aws:s3:::mine/*", "arn:aws:s3:::mine"]}
    )
    endpoint.client("s3").create_bucket(Bucket="mine")
    endpoint.client("s3").put_object(Bucket="mine", Key=f"{BUCKET}/x", Body=b"mine")
    endpoint.client("s3").put_object(Bucket=BUCKET, Key="mine/x", Body=b"not mine")

    def get(host: str, path: str) -> tuple[int, bytes]:
        request = AWSRequest("GET", f"http://{host}{path}", headers={"Host": host})
        S3SigV4Auth(BotoCredentials(credentials.access_key, credentials.secret_key), "s3", REGION).add_auth(request)
        return send(endpoint, "GET", path, **{name.replace("-", "_"): v for name, v in request.headers.items()})

    assert get("127.0.0.1", f"/mine/{BUCKET}/x") == (200, b"mine")
    for host in ("mine.localhost:4566", "mine.s3.amazonaws.com", "mine.s3.us-east-1.amazonaws.com"):
        assert get(host, f"/{BUCKET}/x") == (200, b"mine")
    for host in (f"{BUCKET}.localhost:4566", f"{BUCKET}.s3.amazonaws.com"):
        status, body = get(host, "/mine/x")
        assert (status, b"AccessDenied" in body) == (403, True)


def test_unsigned_requests(endpoint: EndpointHandle) -> None:
    assert send(endpoint, "GET", "/_local/health")[0] == 200
    for method, path in (("GET", "/"), ("GET", f"/{BUCKET}"), ("PUT", f"/{BUCKET}/new"), ("OPTIONS", f"/{BUCKET}/new")):
        status, body = send(endpoint, method, path)
        assert (status, b"AccessDenied" in body) == (403, True)
    query = "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::123456789012:role/r&Version=2011-06-15"
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for answer in (
        send(endpoint, "GET", "/?Action=CreateStack&StackName=s&Version=2010-05-15"),
        send(endpoint, "POST", "/", query.encode(), **form),
    ):
        assert (answer[0], b"MissingAuthenticationToken" in answer[1]) == (403, True)
    target = send(endpoint, "POST", "/", b"{}", X_Amz_Target="SageMaker.ListTrainingJobs")
    assert (target[0], json.loads(target[1])["__type"]) == (400, "MissingAuthenticationTokenException")
    for path in ("/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/iam/security-credentials/"):
        assert send(endpoint, "POST" if "reset" in path else "GET", path)[0] == 403
    assert endpoint.client("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"content"


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=x",
        "X-Amz-Credential={key}/20260101/us-east-1/s3/aws4_request&X-Amz-Signature=x",
        "AWSAccessKeyId={key}&Signature=%C3%BC&Expires=9999999999",
        "AWSAccessKeyId={key}&Signature=x&Expires=never",
        "AWSAccessKeyId={key}&AWSAccessKeyId=any&Signature=x&Expires=9999999999",
        "AWSAccessKeyId={key}&Signature=x&Expires=9999999999&X-Amz-Signature=x",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}/20260101/us-east-1/s3/aws4_request&X-Amz-Signature=x",
    ],
)
def test_urls_that_are_signed_by_halves(endpoint: EndpointHandle, query: str) -> None:
    status, body = send(endpoint, "GET", f"/{BUCKET}?{query.format(key=endpoint.credentials.access_key)}")
    assert status in (400, 403), body


@pytest.mark.parametrize(
    "header",
    [
        "AWS {key}:c2lnbmF0dXJl",
        "Basic {key}",
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/iam/aws4_request",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Credential={key}/20260101/us-east-1/iam/aws4_request, Signature=00",
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/iam/aws4_request, SignedHeaders=, Signature=" + "0" * 64,
        "",
    ],
)
def test_headers_that_are_no_signatures(endpoint: EndpointHandle, header: str) -> None:
    sent = {"Authorization": header.format(key=endpoint.credentials.access_key), "X_Amz_Date": "20260101T000000Z"}
    status, body = send(endpoint, "GET", f"/{BUCKET}", **sent)
    assert status in (400, 403), body


def test_streamed_and_multipart_uploads(endpoint: EndpointHandle, tmp_path: Path) -> None:
    s3 = endpoint.client("s3")
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)
    # botocore frames what it cannot hash in advance only over TLS; the request is the same.
    framed = f"{len(content):x}\r\n".encode() + content + b"\r\n0\r\nx-amz-checksum-crc32:"
    framed += base64.b64encode(zlib.crc32(content).to_bytes(4, "big")) + b"\r\n\r\n"
    for declared in ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD", hashlib.sha256(content).hexdigest()):
        is_framed = declared.startswith("STREAMING")
        headers = {
            "Host": urlsplit(endpoint.url).netloc,
            "X-Amz-Content-SHA256": declared,
            **({"Content-Encoding": "aws-chunked", "X-Amz-Trailer": "x-amz-checksum-crc32"} if is_framed else {}),
            **({"X-Amz-Decoded-Content-Length": str(len(content))} if is_framed else {}),
        }
        request = AWSRequest("PUT", f"{endpoint.url}/{BUCKET}/{declared}", headers=headers)
        credentials = BotoCredentials(endpoint.credentials.access_key, endpoint.credentials.secret_key)
        SigV4Auth(credentials, "s3", REGION).add_auth(request)
        sent = {name.replace("-", "_"): value for name, value in request.headers.items()}
        assert send(endpoint, "PUT", f"/{BUCKET}/{declared}", framed if is_framed else content, **sent)[0] == 200
        assert s3.get_object(Bucket=BUCKET, Key=declared)["Body"].read() == content
    s3.upload_file(
        str(tmp_path / "file"),
        BUCKET,
        "parts",
        Config=boto3.s3.transfer.TransferConfig(multipart_threshold=100_000, multipart_chunksize=100_000),
    )
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": KEY})
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "copy"}]})


def test_the_body_is_what_was_signed(endpoint: EndpointHandle) -> None:
    for service, code in (("sagemaker", b"InvalidSignatureException"), ("iam", b"SignatureDoesNotMatch")):
        headers = {"Host": urlsplit(endpoint.url).netloc, "Content-Type": "application/x-www-form-urlencoded"}
        if service == "sagemaker":
            headers |= {"X-Amz-Target": "SageMaker.ListTrainingJobs", "Content-Type": "application/x-amz-json-1.1"}
        body = b"{}" if service == "sagemaker" else b"Action=ListUsers&Version=2010-05-08"
        request = AWSRequest("POST", f"{endpoint.url}/", headers=headers, data=body)
        credentials = BotoCredentials(endpoint.credentials.access_key, endpoint.credentials.secret_key)
        SigV4Auth(credentials, service, REGION).add_auth(request)
        sent = {name.replace("-", "_"): value for name, value in request.headers.items()}
        assert send(endpoint, "POST", "/", body, **sent)[0] == 200
        assert code in send(endpoint, "POST", "/", body + b" ", **sent)[1]
        assert code in send(endpoint, "POST", "/?x=y", body, **sent)[1]
        declared = {**sent, "X_Amz_Content_SHA256": hashlib.sha256(body).hexdigest()}
        assert code in send(endpoint, "POST", "/", body, **declared)[1]


@pytest.mark.parametrize("minutes", [-20, 20])
def test_another_time(endpoint: EndpointHandle, minutes: int) -> None:
    def shifted() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=minutes)

    with mock.patch.object(botocore.auth, "get_current_datetime", shifted):
        assert refused(client_of(endpoint, "s3", endpoint.credentials).list_buckets) == ("RequestTimeTooSkewed", 403)
        assert refused(client_of(endpoint, "iam", endpoint.credentials).list_users) == ("SignatureDoesNotMatch", 403)
        sagemaker = client_of(endpoint, "sagemaker", endpoint.credentials)
        assert refused(sagemaker.list_training_jobs) == ("InvalidSignatureException", 400)


def test_users_may_do_what_their_policies_allow(endpoint: EndpointHandle) -> None:
    credentials = user(endpoint, "reader", {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"})
    reader = client_of(endpoint, "s3", credentials)
    assert reader.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"content"
    assert refused(reader.put_object, Bucket=BUCKET, Key=KEY, Body=b"") == ("AccessDenied", 403)
    assert refused(client_of(endpoint, "iam", credentials).create_user, UserName="x") == ("AccessDenied", 403)
    identity = client_of(endpoint, "sts", credentials).get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:user/reader"
    iam = endpoint.client("iam")
    change = {"UserName": "reader", "AccessKeyId": credentials.access_key}
    iam.update_access_key(**change, Status="Inactive")
    assert refused(reader.get_object, Bucket=BUCKET, Key=KEY) == ("InvalidAccessKeyId", 403)
    iam.update_access_key(**change, Status="Active")
    reader.get_object(Bucket=BUCKET, Key=KEY)
    iam.delete_access_key(**change)
    assert refused(reader.get_object, Bucket=BUCKET, Key=KEY) == ("InvalidAccessKeyId", 403)


def test_sessions_need_their_token(endpoint: EndpointHandle) -> None:
    arn = role(endpoint, "assumed", {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"})
    session = assumed(endpoint, arn)
    client_of(endpoint, "s3", session).get_object(Bucket=BUCKET, Key=KEY)
    for token in (None, "other", session.token[:-1] if session.token else ""):
        without = Credentials(session.access_key, session.secret_key, token)
        assert refused(client_of(endpoint, "s3", without).list_buckets) == ("InvalidToken", 400)
        assert refused(client_of(endpoint, "sts", without).get_caller_identity) == ("InvalidClientTokenId", 403)
    presigned = client_of(endpoint, "s3", session).generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY})
    assert send(endpoint, "GET", path_of(presigned)) == (200, b"content")
    others = client_of(endpoint, "s3", session).generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": KEY})
    assert send(endpoint, "PUT", path_of(others), b"")[0] == 403


def test_a_role_is_assumed_by_those_whom_it_trusts(endpoint: EndpointHandle) -> None:
    credentials = user(endpoint, "assumes", {"Action": "sts:AssumeRole", "Resource": "*"})
    sts = client_of(endpoint, "sts", credentials)
    arn = role(endpoint, "trusting")
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="session") == ("AccessDenied", 403)
    trusted = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/assumes"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "known"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    endpoint.client("iam").update_assume_role_policy(RoleName="trusting", PolicyDocument=document)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="session") == ("AccessDenied", 403)
    assert sts.assume_role(RoleArn=arn, RoleSessionName="session", ExternalId="known")["Credentials"]


@pytest.mark.parametrize("role_arn", [{}, {"RoleArn": "arn:aws:iam::123456789012:user/any"}], ids=["none", "a user"])
def test_a_rule_without_a_role_does_nothing_that_needs_one(endpoint: EndpointHandle, role_arn: dict[str, str]) -> None:
    events, sqs = endpoint.client("events"), endpoint.client("sqs")
    name = f"without-{len(role_arn)}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    pipeline = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/any"
    target = {"Id": "1", "Arn": pipeline, "DeadLetterConfig": {"Arn": arn}, **role_arn}
    events.put_targets(Rule=name, Targets=[target])
    events.put_events(Entries=[{"Source": name, "DetailType": "x", "Detail": "{}"}])
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_sessions_expire(endpoint: EndpointHandle) -> None:
    session = assumed(endpoint, role(endpoint, "brief", {"Action": "*", "Resource": "*"}), seconds=0)
    assert refused(client_of(endpoint, "s3", session).list_buckets) == ("ExpiredToken", 400)
    assert refused(client_of(endpoint, "sts", session).get_caller_identity) == ("ExpiredToken", 403)
    assert refused(client_of(endpoint, "sagemaker", session).list_training_jobs) == ("ExpiredTokenException", 400)


def test_a_role_cannot_have_one_operation_allowed_and_another_one_answered(endpoint: EndpointHandle) -> None:
    arn = role(endpoint, "confusing", {"Action": ["s3:*", "logs:*", "iam:ListUsers"], "Resource": "*"})
    session = assumed(endpoint, arn)
    credentials = BotoCredentials(session.access_key, session.secret_key, session.token)
    target = {"X-Amz-Target": "SageMaker.CreateModel", "Content-Type": "application/x-amz-json-1.1"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    model = b'{"ModelName": "m", "ExecutionRoleArn": "arn:aws:iam::123456789012:role/any"}'
    create = b"Action=CreateUser&UserName=confused&Version=2010-05-08"
    for service, path, headers, body in (
        ("s3", "/", target, model),
        ("logs", "/", target, model),
        ("sagemaker", "/", target, model),
        ("iam", "/?Action=ListUsers", form, create),
        ("iam", "/", {**form, "X-Amz-Target": "x.ListUsers"}, create),
        ("iam", "/", form, create),
        ("s3", "/moto-api/reset", {}, b""),
        ("foo", f"/{BUCKET}", {}, b""),
    ):
        signed = {"Host": urlsplit(endpoint.url).netloc, **headers}
        if service == "s3":
            signed["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        request = AWSRequest("POST", f"{endpoint.url}{path}", headers=signed, data=body)
        SigV4Auth(credentials, service, REGION).add_auth(request)
        sent = {name.replace("-", "_"): value for name, value in request.headers.items()}
        status, answer = send(endpoint, "POST", path, body, **sent)
        assert status in (400, 403), (service, path, answer)
    assert not endpoint.client("sagemaker").list_models()["Models"]
    assert "confused" not in {one["UserName"] for one in endpoint.client("iam").list_users()["Users"]}
    query = SigV4QueryAuth(credentials, "iam", REGION)
    request = AWSRequest("GET", f"{endpoint.url}/?Action=ListUsers&Version=2010-05-08")
    query.add_auth(request)
    assert send(endpoint, "GET", path_of(request.url))[0] == 400


def test_the_aws_cli(endpoint: EndpointHandle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the CLI")

    def aws(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {**clean, **endpoint.environment(), "HOME": str(tmp_path), **variables}
        command = [sys.executable, "-m", "awscli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    done = aws("s3", "cp", str(tmp_path / "file"), f"s3://{BUCKET}/cli")
    assert done.returncode == 0, done.stderr
    assert "InvalidAccessKeyId" in aws("s3", "ls", f"s3://{BUCKET}", AWS_ACCESS_KEY_ID="any").stderr


def test_what_is_not_held(endpoint: EndpointHandle) -> None:
    """A signed request can be sent again, and a stack creates what its template says."""
    request = AWSRequest("PUT", f"{endpoint.url}/{BUCKET}/again", data=b"x")
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(b"x").hexdigest()
    credentials = endpoint.credentials
    S3SigV4Auth(BotoCredentials(credentials.access_key, credentials.secret_key), "s3", REGION).add_auth(request)
    headers = dict(request.headers.items())
    assert [send(endpoint, "PUT", f"/{BUCKET}/again", b"x", **headers)[0] for _ in range(2)] == [200, 200]
    mine = user(endpoint, "stacker", {"Action": "cloudformation:*", "Resource": "*"})
    assert refused(client_of(endpoint, "s3", mine).create_bucket, Bucket="by-hand")[0] == "AccessDenied"
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "by-stack"}}}}
    client_of(endpoint, "cloudformation", mine).create_stack(StackName="s", TemplateBody=json.dumps(template))
    assert "by-stack" in {bucket["Name"] for bucket in endpoint.client("s3").list_buckets()["Buckets"]}
