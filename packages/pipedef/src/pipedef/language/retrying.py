"""Retry policies of a step: which failure is tried again, when, and how often. Pure decisions, no clock.

Rules are those of AWS's page "Retry Policy for Pipeline Steps": defaults 1 s, back-off 2.0, 5 retries;
``Step.SERVICE_FAULT`` and ``Step.THROTTLING`` are retried even without a policy.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_ATTEMPTS_LIMIT = 20
MAX_INTERVAL_SECONDS = 43_200
MAX_EXPIRE_AFTER_MINUTES = 14_400
MEMBERS = frozenset({"ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin"})
_SERVER_ERROR = 500


class ExceptionType(StrEnum):
    """The failures that a policy can name."""

    SERVICE_FAULT = "Step.SERVICE_FAULT"
    THROTTLING = "Step.THROTTLING"
    JOB_INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
    CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
    RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"


@dataclass(frozen=True)
class RetryPolicy:
    """How to retry some failures. ``expire_after_minutes`` bounds the time since the step started."""

    exception_types: frozenset[ExceptionType]
    interval_seconds: float = 1.0
    backoff_rate: float = 2.0
    max_attempts: int | None = 5
    expire_after_minutes: float | None = None


DEFAULT_POLICY = RetryPolicy(frozenset({ExceptionType.SERVICE_FAULT, ExceptionType.THROTTLING}))


def parse_retry_policy(item: Any) -> RetryPolicy:
    """Read one entry of ``RetryPolicies``.

    Raises:
        ValueError: a field is missing, unknown or out of AWS's range.
    """
    if not isinstance(item, Mapping):
        raise ValueError("a retry policy must be a Json Object.")  # noqa: TRY004  it is data of a request
    if unknown := sorted(set(item) - MEMBERS):
        raise ValueError(f"unknown retry policy member '{unknown[0]}'.")
    names = item.get("ExceptionType")
    if not isinstance(names, list) or not names:
        raise ValueError("a retry policy needs ExceptionType, a list that is not empty.")
    if unknown := [name for name in names if name not in list(ExceptionType)]:
        raise ValueError(f"unknown ExceptionType [{unknown[0]}] in a retry policy; known: {', '.join(ExceptionType)}.")
    if "MaxAttempts" in item and "ExpireAfterMin" in item:
        raise ValueError("a retry policy takes MaxAttempts or ExpireAfterMin, not both.")
    expire_after = item.get("ExpireAfterMin")
    return RetryPolicy(
        exception_types=frozenset(ExceptionType(name) for name in names),
        interval_seconds=_in_range(item, "IntervalSeconds", 1.0, 0, MAX_INTERVAL_SECONDS),
        backoff_rate=_in_range(item, "BackoffRate", 2.0, 0, sys.float_info.max),
        max_attempts=int(_in_range(item, "MaxAttempts", 5, 0, MAX_ATTEMPTS_LIMIT)) if expire_after is None else None,
        expire_after_minutes=(
            None if expire_after is None else _in_range(item, "ExpireAfterMin", 0, 0, MAX_EXPIRE_AFTER_MINUTES)
        ),
    )


def _in_range(item: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = item.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} [{value}] of a retry policy must be a number from {low} to {high}.")
    return float(value)


def classify_refusal(code: str, status: int) -> ExceptionType | None:
    """Return the kind of failure when an AWS call was refused with an error code and an HTTP status."""
    if "Throttl" in code or code in {"TooManyRequestsException", "SlowDown", "RequestLimitExceeded"}:
        return ExceptionType.THROTTLING
    if code == "ResourceLimitExceeded":
        return ExceptionType.RESOURCE_LIMIT
    if status >= _SERVER_ERROR or code in {"InternalFailure", "InternalServerError", "ServiceUnavailable"}:
        return ExceptionType.SERVICE_FAULT
    return None


def classify_job_failure(reason: str) -> ExceptionType | None:
    """Return the kind of failure when a job ended ``Failed`` with a reason. A failing script is not retried."""
    prefixes = {
        "InternalServerError": ExceptionType.JOB_INTERNAL_ERROR,
        "CapacityError": ExceptionType.CAPACITY_ERROR,
        "InsufficientCapacityError": ExceptionType.CAPACITY_ERROR,
        "ResourceLimitExceeded": ExceptionType.RESOURCE_LIMIT,
    }
    return next((kind for prefix, kind in prefixes.items() if reason.startswith(prefix)), None)


def retry_delay(
    policies: Sequence[RetryPolicy], failure: ExceptionType | None, retries_done: int, elapsed_seconds: float
) -> float | None:
    """Return the seconds until the next attempt, or None when the step has failed for good.

    Args:
        policies: the step's own; the first that names the failure counts, AWS's default after them.
        failure: what went wrong; None is never retried.
        retries_done: attempts after the first so far (for this kind of failure).
        elapsed_seconds: since the step started.
    """
    if failure is None:
        return None
    policy = next((item for item in (*policies, DEFAULT_POLICY) if failure in item.exception_types), None)
    if policy is None or (policy.max_attempts is not None and retries_done >= policy.max_attempts):
        return None
    delay = min(policy.interval_seconds * policy.backoff_rate**retries_done, MAX_INTERVAL_SECONDS)
    if policy.expire_after_minutes is not None and elapsed_seconds + delay > policy.expire_after_minutes * 60:
        return None
    return delay
