from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from analysis.runtime import aws
from analysis.runtime.aws import aws_call, client_settings, patient_client, split_s3_uri
from analysis.runtime.errors import AwsCallError, SettingsError


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://bucket/a b/ü%/", ("bucket", "a b/ü%")),
    ],
)
def test_s3_uris(uri: str, parts: tuple[str, str]) -> None:
    assert split_s3_uri(uri) == parts


@pytest.mark.parametrize("uri", ["", "bucket/key", "https://bucket/key", "s3://", "s3:///key"])
def test_what_is_no_s3_uri(uri: str) -> None:
    with pytest.raises(SettingsError, match="not an S3 URI"):
        split_s3_uri(uri)


def test_a_missing_region_says_what_to_set(monkeypatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(SettingsError, match="AWS_DEFAULT_REGION"):
        boto3.client("s3", **client_settings())


def test_a_lost_connection_is_an_aws_error() -> None:
    with pytest.raises(AwsCallError, match=r"Reading x failed: .*127"), aws_call("Reading x"):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def answers(point_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int | str]]:
    """S3 that gives these answers, one a request: a status, a code of an error, or "drop" for a lost connection."""
    script: list[int | str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = script.pop(0)
            if answer == "drop":
                self.connection.close()
                return
            status = answer if isinstance(answer, int) else 400
            body = f"<Error><Code>{answer}</Code><Message>now</Message></Error>".encode() if status != 200 else b"ok"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    monkeypatch.setattr(aws, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(aws, "_LONGEST_PAUSE", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    point_at(f"http://127.0.0.1:{server.server_port}")
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_patient_client_asks_again_more_often_than_botocore_would(answers) -> None:
    answers += ["drop", 503, "SlowDown", 500, 429, "RequestTimeout", "ThrottlingException", *[503] * 30, 200]
    assert patient_client("s3", 60).get_object(Bucket="bucket", Key="key")["Body"].read() == b"ok"
    assert answers == []


@pytest.mark.parametrize("refusal", [403, "NoSuchKey", "InvalidRequest", 412])
def test_what_will_not_change_is_not_asked_again(answers, refusal) -> None:
    answers += [refusal, 200]
    with pytest.raises(ClientError):
        patient_client("s3", 60).get_object(Bucket="bucket", Key="key")
    assert answers == [200]


def test_patience_ends(answers) -> None:
    answers += [503, 200]
    with pytest.raises(ClientError, match="503"):
        patient_client("s3", 0).get_object(Bucket="bucket", Key="key")
    assert answers == [200]


def test_pauses_grow_are_capped_and_differ() -> None:
    assert max(aws.backoff(1) for _ in range(100)) <= 0.2
    pauses = [aws.backoff(attempt, 2.0) for attempt in range(1, 5000, 50)]
    assert max(pauses) <= 2.0
    assert len(set(pauses)) == len(pauses)
