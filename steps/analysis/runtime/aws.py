"""AWS clients for the steps that need one, and AWS's errors as errors that name what was tried."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from analysis.runtime.errors import AwsCallError, SettingsError

Answer = TypeVar("Answer")

_BUSY_CODES = (
    "BandwidthLimitExceeded InternalError InternalFailure InternalServerError LimitExceededException"
    " OperationAborted PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded"
    " RequestThrottled RequestThrottledException RequestTimeout RequestTimeoutException ServiceUnavailable"
    " SlowDown ThrottledException Throttling ThrottlingException TooManyRequestsException"
    " TransactionInProgressException"
)
_BUSY = frozenset(_BUSY_CODES.split())
_SERVER_ERRORS = range(500, 600)
_TOO_MANY_REQUESTS = 429
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_DOUBLINGS = 30  # enough for any cap, and no float overflows


def client_settings(connections: int = 10, *, attempts: int = 8, **options: Any) -> dict[str, Any]:
    """Return the keyword arguments of every boto3.client: the region, and standard retries with back-off and jitter.

    Credentials and, where AWS is not meant, AWS_ENDPOINT_URL come from the environment, as botocore reads them.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("No AWS region: set AWS_REGION or AWS_DEFAULT_REGION in the job's environment.")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=connections, **options
    )
    return {"region_name": region, "config": config}


def patient_client(service: str, seconds: float) -> Any:
    """Return a client whose calls are repeated for so many seconds from now while AWS is busy or can't be reached.

    For functions: no retry policy of a pipeline covers their steps, and botocore's own retries stop after some
    attempts or, under throttling, when their quota is used up.
    """
    # Imported here because commands that call nothing use this module, too.
    import boto3

    create: Any = boto3.client  # the stubs know a type for each service
    client = create(service, **client_settings(attempts=1, connect_timeout=10, read_timeout=60))
    deadline = time.monotonic() + seconds

    def pause_before_next(attempts: int, response: Any, caught_exception: Exception | None, **_: Any) -> float | None:
        pause = backoff(attempts)
        return pause if is_transient(response, caught_exception) and time.monotonic() + pause < deadline else None

    # botocore asks the handlers of this event after each attempt; a number is the pause before the next one.
    client.meta.events.register("needs-retry", pause_before_next)
    return client


def backoff(attempt: int, longest: float | None = None) -> float:
    """Return seconds before the next attempt (1, 2, …): doubling, capped, with full jitter so that callers spread."""
    cap = _LONGEST_PAUSE if longest is None else longest
    return random.uniform(0.0, min(cap, _FIRST_PAUSE * 2 ** min(attempt, _DOUBLINGS)))  # noqa: S311 (no secret)


def is_transient(response: tuple[Any, dict[str, Any]] | None, exception: Exception | None) -> bool:
    """Say whether an attempt may succeed if repeated: AWS was busy, failed on its side, or was not reached."""
    if response is None:
        return isinstance(exception, (BotoConnectionError, HTTPClientError))
    http, parsed = response
    code = parsed.get("Error", {}).get("Code")
    return is_busy(http.status_code, str(code))


def is_busy(status: int, code: str) -> bool:
    """Say whether an answer, by its HTTP status and error code, means that AWS was busy or failed on its side."""
    return status in _SERVER_ERRORS or status == _TOO_MANY_REQUESTS or code in _BUSY


def error_code(error: ClientError) -> str:
    """Return AWS's error code, such as "NoSuchKey" or, from HEAD requests, "404"."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def aws_call(what: str) -> Iterator[None]:
    """Turn an error of the AWS call inside into an AwsCallError that says what was tried."""
    try:
        yield
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise AwsCallError(f"{what} failed: {error.operation_name} answered {error_code(error)}: {message}") from error
    except BotoCoreError as error:
        raise AwsCallError(f"{what} failed: {error}") from error


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key into bucket and key (or prefix), without slashes at the ends; raise SettingsError."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise SettingsError(f"{uri!r} is not an S3 URI; write s3://bucket/prefix.")
    return bucket, key.strip("/")


def unless(what: str, codes: frozenset[str], call: Callable[[], Answer]) -> Answer | None:
    """Make an AWS call; return None where AWS answers with one of the error codes."""
    with aws_call(what):
        try:
            return call()
        except ClientError as error:
            if error_code(error) in codes:
                return None
            raise
