"""Tell the error "does not exist" from every other one."""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

T = TypeVar("T")

_CODES = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "EntityNotFoundException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchKey",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "ObjectLockConfigurationNotFoundError",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
}


def is_missing(error: ClientError) -> bool:
    """Say whether AWS answers that the resource does not exist.

    SageMaker answers ``ValidationException`` with "does not exist" or "Could not find" for some kinds.
    """
    details = error.response.get("Error", {})
    if details.get("Code") in _CODES:
        return True
    message = details.get("Message", "").lower()
    return details.get("Code") == "ValidationException" and (
        "does not exist" in message or "could not find" in message or "not found" in message
    )


def unless_missing(call: Callable[[], T]) -> T | None:
    """Return the answer of a call, or None where AWS says that the resource does not exist; other errors pass."""
    try:
        return call()
    except ClientError as error:
        if is_missing(error):
            return None
        raise
