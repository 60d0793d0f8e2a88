"""Telling "there is no such thing" from every other error."""

from __future__ import annotations

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
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
}


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing asked for does not exist.

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
    """The answer of ``call``, or None where AWS says there is no such thing; other errors pass."""
    try:
        return call()
    except ClientError as error:
        if is_missing(error):
            return None
        raise
