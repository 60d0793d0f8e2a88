"""The one boundary to AWS: typed clients, created when first used.

They talk to ``AWS_ENDPOINT_URL``, else to the environment's ``endpoint_url``, else to AWS. The code that uses them is
the same either way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from analysis.runtime.project import NAME
from pipeline.errors import DeploymentError, PipelineError, SettingsError
from pipeline.settings.environment import VARIABLES, Settings

if TYPE_CHECKING:
    import boto3
    from botocore.exceptions import ClientError
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

    from pipeline.aws.retries import Pace

ClientT = TypeVar("ClientT")

#: Services that there is a client for, by botocore's name.
SERVICES = (
    *("cloudwatch", "ec2", "events", "glue", "iam", "kms", "lambda", "logs", "s3", "sagemaker"),
    *("sagemaker-featurestore-runtime", "scheduler", "secretsmanager", "service-quotas", "sns", "sqs", "sts"),
)
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

_SIGN_IN = "Run `aws sso login` or set AWS_PROFILE."
_CONFLICT = "Somebody else has just created it, perhaps a deployment at the same time: check, and run it again."
#: S3 answers HEAD requests without a body, so there the status is the only code.
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_SIGN_IN_CODES = (
    "ExpiredToken ExpiredTokenException InvalidAccessKeyId InvalidClientTokenId RequestExpired SignatureDoesNotMatch"
    " UnrecognizedClientException"
)
_CHECK_NETWORK = "Check network and AWS_ENDPOINT_URL."


class ServiceClient(Generic[ClientT]):
    """The client of one service; without a name, of the one that an attribute of :class:`Aws` is named after."""

    def __init__(self, service: str = "") -> None:
        self._service = service

    def __set_name__(self, owner: type, name: str) -> None:
        self._service = self._service or name

    def __get__(self, aws: Aws, owner: type) -> ClientT:
        client: ClientT = aws.client(self._service)
        return client


class Aws:
    """Clients for one environment, whose settings give the region and, where they name one, the endpoint."""

    #: The stubs of those that are Any are not among the development dependencies.
    cloudwatch: ServiceClient[Any] = ServiceClient()
    ec2: ServiceClient[Any] = ServiceClient()
    events: ServiceClient[EventBridgeClient] = ServiceClient()
    feature_store: ServiceClient[SageMakerFeatureStoreRuntimeClient] = ServiceClient("sagemaker-featurestore-runtime")
    functions: ServiceClient[Any] = ServiceClient("lambda")
    glue: ServiceClient[Any] = ServiceClient()
    iam: ServiceClient[IAMClient] = ServiceClient()
    kms: ServiceClient[Any] = ServiceClient()
    logs: ServiceClient[CloudWatchLogsClient] = ServiceClient()
    s3: ServiceClient[S3Client] = ServiceClient()
    sagemaker: ServiceClient[SageMakerClient] = ServiceClient()
    scheduler: ServiceClient[Any] = ServiceClient()
    secrets: ServiceClient[Any] = ServiceClient("secretsmanager")
    service_quotas: ServiceClient[Any] = ServiceClient("service-quotas")
    sns: ServiceClient[SNSClient] = ServiceClient()
    sqs: ServiceClient[SQSClient] = ServiceClient()
    sts: ServiceClient[STSClient] = ServiceClient()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.endpoint_url = _endpoint_url() or settings.endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def is_local(self) -> bool:
        """Say whether the endpoint is on this machine."""
        return self.endpoint_url is not None and urlsplit(self.endpoint_url).hostname in _LOOPBACK

    @property
    def pace(self) -> Pace:
        """How long, and how often, to ask again for what is refused only for the moment."""
        from pipeline.aws.retries import CLOUD, LOCAL

        return LOCAL if self.is_local else CLOUD

    @cached_property
    def _session(self) -> Session:
        """Return botocore's own session: boto3's creates the same clients, and takes another 40 ms to import."""
        from botocore.loaders import Loader
        from botocore.session import Session

        class OurServices(Loader):
            """A loader that does not search botocore's 400 folders for the names of services."""

            def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
                return list(SERVICES)

        session = Session()
        session.register_component("data_loader", OurServices())
        if self.is_local and session.get_credentials() is None:
            # The local endpoint checks none, but botocore signs nothing without any.
            session.set_credentials("local", "local")
        return session

    def boto3_session(self) -> boto3.Session:
        """Return a session for libraries that create their own clients; they find the endpoint in other ways."""
        import boto3

        found = self._session.get_credentials()
        keys = found.get_frozen_credentials() if found is not None else None
        return boto3.Session(
            aws_access_key_id=keys and keys.access_key,
            aws_secret_access_key=keys and keys.secret_key,
            aws_session_token=keys and keys.token,
            region_name=self.settings.region,
        )

    def client(self, service: str) -> Any:
        """Return the one client of a service. Threads may share clients, but not the session that creates them."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        from botocore.config import Config

        client = self._session.create_client(
            service,
            region_name=self.settings.region,
            endpoint_url=self.endpoint_url,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                connect_timeout=10,
                s3={"addressing_style": "path"} if self.is_local else None,
            ),
        )
        self.pace.register(client)
        return client

    def cli(self, words: str) -> str:
        """Return a command line of the AWS CLI for this environment that can be copied."""
        return f"aws --endpoint-url {self.endpoint_url} {words}" if self.is_local else f"aws {words}"

    def check_account(self) -> None:
        """Refuse to work in an account other than the environment's.

        Raises:
            DeploymentError: no credentials, nothing answers, or they belong to another account.
        """
        with aws_errors("Asking who the credentials belong to", self, DeploymentError):
            account = self.sts.get_caller_identity()["Account"]
        if account != self.settings.account_id:
            raise DeploymentError(
                f"The credentials belong to account {account}, "
                f"but environment {self.settings.environment!r} is account {self.settings.account_id}.",
                hint=f"To try this environment on the local endpoint: export {VARIABLES}ACCOUNT_ID={account}"
                if self.is_local
                else "Choose another profile (AWS_PROFILE) or another environment (--env), or correct account_id in "
                "the environment's settings.",
            )


def _endpoint_url() -> str | None:
    """Read AWS_ENDPOINT_URL.

    Raises:
        SettingsError: it is not a URL; botocore would end in a traceback.
    """
    url = os.environ.get("AWS_ENDPOINT_URL")
    parts = urlsplit(url or "")
    if url and not (parts.scheme in {"http", "https"} and parts.hostname):
        raise SettingsError(f"AWS_ENDPOINT_URL: {url!r} is not a URL.", "Write http://127.0.0.1:4566, or unset it.")
    return url


def _hint(error: ClientError, aws: Aws) -> str | None:
    """Return what to do about an error of AWS."""
    code, settings = error.response.get("Error", {}).get("Code", ""), aws.settings
    if code in _SIGN_IN_CODES.split() and aws.is_local:
        return f'The local endpoint enforces IAM. For its own credentials: eval "$({NAME} local env)"'
    if code in _DENIED:
        needed = f"{NAME} trust-policy {settings.options} --permissions"
        message = error.response["Error"].get("Message", "")
        if "iam:UpdateAssumeRolePolicy" in message or ("iam:" in message and settings.permissions_boundary is None):
            return "CI changes roles only below permissions_boundary, and never their trust: deploy as administrator."
        other = "removing: --purpose destroy; uploads and runs: --purpose operate"
        return f"The credentials lack this permission. What is needed: {needed} ({other})"
    if code in _SIGN_IN_CODES.split():
        return _SIGN_IN
    from pipeline.aws.not_found import is_missing
    from pipeline.aws.retries import is_taken

    if is_taken(error):
        return _CONFLICT
    return f"See whether it is deployed: {settings.command('plan')}" if is_missing(error) else None


@contextmanager
def aws_errors(action: str, aws: Aws, error_type: Callable[[str, str | None], PipelineError]) -> Iterator[None]:
    """Turn botocore's errors into one of ours that says what to do next, and what was being done.

    ``action`` says that, such as "Creating bucket a-b-c".
    """
    from botocore import exceptions as botocore
    from botocore.parsers import ResponseParserError

    endpoint = aws.endpoint_url or "AWS"
    try:
        yield
    except botocore.EndpointConnectionError as error:
        hint = f"Start the local endpoint: {NAME} local up --detach" if aws.is_local else _CHECK_NETWORK
        raise error_type(f"{action}: nothing answers at {endpoint}.", hint) from error
    except botocore.NoCredentialsError as error:
        raise error_type(f"{action}: there are no AWS credentials.", _SIGN_IN) from error
    except (botocore.ProfileNotFound, botocore.SSOError, botocore.TokenRetrievalError) as error:
        raise error_type(f"{action}: {error}", _SIGN_IN) from error
    except botocore.ClientError as error:
        details = error.response.get("Error", {})
        code, message = details.get("Code", "Unknown"), details.get("Message", str(error))
        raise error_type(f"{action}: AWS answered {code}: {message}", _hint(error, aws)) from error
    except ResponseParserError as error:
        raise error_type(f"{action}: {endpoint} does not answer as AWS does.", _CHECK_NETWORK) from error
    except (botocore.HTTPClientError, botocore.ConnectionError) as error:
        raise error_type(f"{action}: {error}", _CHECK_NETWORK) from error
    except botocore.BotoCoreError as error:
        raise error_type(f"{action}: {error}", None) from error
