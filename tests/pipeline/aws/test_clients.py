"""The boundary to AWS: what becomes of botocore's errors."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import SSOTokenLoadError as NotSignedInError
from botocore.parsers import ResponseParserError

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import DeploymentError, SettingsError
from pipeline.settings.environment import load_settings

SIGN_IN = "aws sso login"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoCredentialsError(), SIGN_IN),
        (ProfileNotFound(profile="nobody"), SIGN_IN),
        (NotSignedInError(error_msg="no token"), SIGN_IN),
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "it expired"}}, "GetRole"), SIGN_IN),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole"), "lack this permission"),
        (
            ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "not allowed: iam:UpdateAssumeRolePolicy"}},
                "UpdateAssumeRolePolicy",
            ),
            "never their trust: deploy as administrator",
        ),
        (ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject"), "lack this permission"),
        (ClientError({"Error": {"Code": "403", "Message": "no"}}, "GetRole"), "trust-policy --env dev --permissions"),
        (ClientError({"Error": {"Code": "EntityAlreadyExists", "Message": "r"}}, "CreateRole"), "run it again"),
        (ClientError({"Error": {"Code": "NoSuchBucket", "Message": "no"}}, "ListObjects"), "bikeshare plan --env dev"),
        (EndpointConnectionError(endpoint_url="https://x"), "Check network"),
        (SSLError(endpoint_url="https://x", error="wrong version number"), "Check network"),
        (ReadTimeoutError(endpoint_url="https://x"), "Check network"),
        (ResponseParserError("invalid XML received:\nb'<html>'"), "Check network"),
    ],
)
def test_errors_name_the_next_step(error, words, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws = Aws(load_settings("dev"))
    with pytest.raises(DeploymentError, match=r"^Looking: ") as caught, aws_errors("Looking", aws, DeploymentError):
        raise error
    assert words in (caught.value.hint or "")


def test_the_local_endpoints_credentials_are_not_those_of_aws(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    aws = Aws(load_settings("local"))
    refused = ClientError({"Error": {"Code": "InvalidClientTokenId", "Message": "invalid"}}, "GetCallerIdentity")
    with pytest.raises(DeploymentError) as caught, aws_errors("Asking", aws, DeploymentError):
        raise refused
    assert "bikeshare local env" in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:4566", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_not_a_url_is_named(monkeypatch, url):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(SettingsError, match=r"AWS_ENDPOINT_URL: '.*' is not a URL"):
        Aws(load_settings("dev"))
