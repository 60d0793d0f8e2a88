"""Answers of moto's SQS that are not what SQS answers, put right.

- ``SetQueueAttributes`` takes away the queue's policy where the request sets other attributes only; in SQS what is not
  named stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.sqs.models import Queue

_moto_set_attributes = Queue._set_attributes  # noqa: SLF001 - moto has no hook for it


def repair_sqs() -> None:
    """Put them right for the whole process; doing it again changes nothing."""
    Queue._set_attributes = _set_attributes  # noqa: SLF001 - as above


def _set_attributes(queue: Any, attributes: Mapping[str, Any], now: float | None = None) -> None:
    policy = queue.policy if hasattr(queue, "_policy_json") else None
    _moto_set_attributes(queue, attributes, now)
    if "Policy" not in attributes:
        queue.policy = policy
