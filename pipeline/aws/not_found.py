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
#: The last two are what it says of code repositories and of notebook instances.
_WORDS = ("does not exist", "could not find", "not found", "cannot find", "recordnotfound")


def is_missing(error: ClientError) -> bool:
    """Say whether AWS answers that the resource does not exist.

    SageMaker answers ``ValidationException`` for some kinds, each in words of its own.
    """
    details = error.response.get("Error", {})
    if details.get("Code") in _CODES:
        return True
    message = details.get("Message", "").lower()
    return details.get("Code") == "ValidationException" and any(words in message for words in _WORDS)


def unless_missing(call: Callable[[], T]) -> T | None:
    """Return the answer of a call, or None where AWS says that the resource does not exist; other errors pass."""
    try:
        return call()
    except ClientError as error:
        if is_missing(error):
            return None
        raise
