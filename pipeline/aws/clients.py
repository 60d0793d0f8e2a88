"""The one boundary to AWS: typed clients, made when first used.

What they talk to is decided by ``AWS_ENDPOINT_URL``, else by the environment's ``endpoint_url``, else it is AWS. The
code behind them is the same either way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import BikeshareError, DeploymentError, SettingsError
from pipeline.settings.environment import Settings

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

#: Services that there is a client for, by botocore's name.
SERVICES = ("events", "glue", "iam", "logs", "s3", "sagemaker", "sagemaker-featurestore-runtime", "sns", "sqs", "sts")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

#: Codes that mean: not allowed to. S3 answers HEAD requests without a body, so there the status is all there is.
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
#: Codes that mean: nobody, or nobody any more.
_NOBODY = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId"),
    *("RequestExpired", "SignatureDoesNotMatch", "UnrecognizedClientException"),
}
#: Codes that mean: there is one of that name.
_ALREADY_THERE = {
    *("AlreadyExistsException", "BucketAlreadyOwnedByYou", "EntityAlreadyExists", "QueueAlreadyExists"),
    *("QueueNameExists", "ResourceAlreadyExistsException", "ResourceInUse"),
}
_CHECK_NETWORK = "Check network and AWS_ENDPOINT_URL."
_SIGN_IN = "Run `aws sso login` or set AWS_PROFILE."


class Aws:
    """Clients for one environment.

    Args:
        settings: of the environment; gives region and, where it names one, the endpoint.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.endpoint_url = _endpoint_url() or settings.endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return self.endpoint_url is not None and urlsplit(self.endpoint_url).hostname in _LOOPBACK

    @cached_property
    def _session(self) -> Session:
        """botocore's own session: boto3's makes the same clients, and takes another 40 ms to import for the rest."""
        from botocore.loaders import Loader
        from botocore.session import Session

        class OurServices(Loader):
            """A loader that does not search botocore's 400 folders for what a service may be called."""

            def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
                return list(SERVICES)

        session = Session()
        session.register_component("data_loader", OurServices())
        if self.is_local and session.get_credentials() is None:
            # The local endpoint asks for none, but botocore signs nothing without any.
            session.set_credentials("local", "local")
        return session

    def _shared_client(self, service: str) -> Any:
        """The one client of a service. Clients may be used by many threads at once; sessions that make them may not."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._client(service)
            return self._clients[service]

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        return self._session.create_client(
            service,
            region_name=self.settings.region,
            endpoint_url=self.endpoint_url,
            config=Config(
                retries={"mode": "standard", "max_attempts": 5},
                connect_timeout=10,
                s3={"addressing_style": "path"} if self.is_local else None,
            ),
        )

    @property
    def s3(self) -> S3Client:
        """Amazon S3."""
        client: S3Client = self._shared_client("s3")
        return client

    @property
    def iam(self) -> IAMClient:
        """AWS Identity and Access Management."""
        client: IAMClient = self._shared_client("iam")
        return client

    @property
    def sts(self) -> STSClient:
        """AWS Security Token Service."""
        client: STSClient = self._shared_client("sts")
        return client

    @property
    def sagemaker(self) -> SageMakerClient:
        """Amazon SageMaker."""
        client: SageMakerClient = self._shared_client("sagemaker")
        return client

    @property
    def feature_store(self) -> SageMakerFeatureStoreRuntimeClient:
        """Amazon SageMaker Feature Store's records."""
        client: SageMakerFeatureStoreRuntimeClient = self._shared_client("sagemaker-featurestore-runtime")
        return client

    @property
    def events(self) -> EventBridgeClient:
        """Amazon EventBridge."""
        client: EventBridgeClient = self._shared_client("events")
        return client

    @property
    def logs(self) -> CloudWatchLogsClient:
        """Amazon CloudWatch Logs."""
        client: CloudWatchLogsClient = self._shared_client("logs")
        return client

    @property
    def sqs(self) -> SQSClient:
        """Amazon SQS."""
        client: SQSClient = self._shared_client("sqs")
        return client

    @property
    def sns(self) -> SNSClient:
        """Amazon SNS."""
        client: SNSClient = self._shared_client("sns")
        return client

    @property
    def glue(self) -> Any:
        """AWS Glue; its stubs are not among the development dependencies."""
        return self._shared_client("glue")

    def cli(self, words: str) -> str:
        """A command line of the AWS CLI for this environment that somebody can copy."""
        return f"aws --endpoint-url {self.endpoint_url} {words}" if self.is_local else f"aws {words}"

    def check_account(self) -> None:
        """Refuse to work in another account than the environment's.

        Raises:
            DeploymentError: no credentials, nothing answers, or they belong to another account.
        """
        with aws_errors("Asking who the credentials belong to", self, DeploymentError):
            account = self.sts.get_caller_identity()["Account"]
        if account != self.settings.account_id:
            raise DeploymentError(
                f"The credentials belong to account {account}, "
                f"but environment {self.settings.environment!r} is account {self.settings.account_id}.",
                hint=f"To try this environment on the local endpoint: export BIKESHARE_ACCOUNT_ID={account}"
                if self.is_local
                else "Choose another profile (AWS_PROFILE) or another environment (--env), or correct account_id in "
                "the environment's settings.",
            )


def _endpoint_url() -> str | None:
    """What the variable says.

    Raises:
        SettingsError: it is no URL; botocore would end in a traceback.
    """
    url = os.environ.get("AWS_ENDPOINT_URL")
    parts = urlsplit(url or "")
    if url and not (parts.scheme in {"http", "https"} and parts.hostname):
        raise SettingsError(f"AWS_ENDPOINT_URL: {url!r} is no URL.", "Write http://127.0.0.1:4566, or unset it.")
    return url


def _hint(code: str, settings: Settings) -> str | None:
    """What to do about an error code of AWS."""
    if code in _DENIED:
        needed = f"bikeshare trust-policy {settings.options} --permissions"
        return f"The credentials lack this permission. What is needed: {needed} (uploads and runs: --purpose operate)"
    if code in _ALREADY_THERE:
        return "Somebody else has just made it, perhaps a deployment at the same time: look, and run it again."
    return _SIGN_IN if code in _NOBODY else None


@contextmanager
def aws_errors(action: str, aws: Aws, error_type: Callable[[str, str | None], BikeshareError]) -> Iterator[None]:
    """Turn botocore's errors into one of ours that says what was being done and what to do next.

    Args:
        action: what is being done, such as "Creating bucket a-b-c".
        aws: the clients in use.
        error_type: class of :mod:`pipeline.errors` to raise.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
    )
    from botocore.exceptions import ConnectionError as UnreachableError
    from botocore.parsers import ResponseParserError

    from pipeline.aws.not_found import is_missing

    try:
        yield
    except EndpointConnectionError as error:
        hint = "Start the local endpoint: bikeshare local up --detach" if aws.is_local else _CHECK_NETWORK
        raise error_type(f"{action}: nothing answers at {aws.endpoint_url or 'AWS'}.", hint) from error
    except NoCredentialsError as error:
        raise error_type(f"{action}: there are no AWS credentials.", _SIGN_IN) from error
    except (ProfileNotFound, SSOError, TokenRetrievalError) as error:
        raise error_type(f"{action}: {error}", _SIGN_IN) from error
    except ClientError as error:
        details = error.response.get("Error", {})
        code, message = details.get("Code", "Unknown"), details.get("Message", str(error))
        deployed = f"See whether it is deployed: {aws.settings.command('plan')}" if is_missing(error) else None
        raise error_type(f"{action}: AWS answered {code}: {message}", _hint(code, aws.settings) or deployed) from error
    except ResponseParserError as error:
        raise error_type(
            f"{action}: what answers at {aws.endpoint_url or 'AWS'} does not speak as AWS does.", _CHECK_NETWORK
        ) from error
    except (HTTPClientError, UnreachableError) as error:
        raise error_type(f"{action}: {error}", _CHECK_NETWORK) from error
    except BotoCoreError as error:
        raise error_type(f"{action}: {error}", None) from error
