from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from analysis.runtime.aws import aws_call, client_settings, split_s3_uri
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
