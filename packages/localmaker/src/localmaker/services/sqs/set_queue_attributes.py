"""A patch of moto: ``SetQueueAttributes`` keeps the queue's policy.

- moto: a request that sets other attributes removes the policy.
- SQS: an attribute that the request does not name stays as it is.
- Replaced: ``moto.sqs.models.Queue._set_attributes``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.sqs.models import Queue

_moto_set_attributes = Queue._set_attributes  # noqa: SLF001 - moto has no hook for it


def install() -> None:
    """Replace it for the whole process; a second call changes nothing."""
    Queue._set_attributes = _set_attributes  # noqa: SLF001 - as above


def _set_attributes(queue: Any, attributes: Mapping[str, Any], now: float | None = None) -> None:
    policy = queue.policy if hasattr(queue, "_policy_json") else None
    _moto_set_attributes(queue, attributes, now)
    if "Policy" not in attributes:
        queue.policy = policy
