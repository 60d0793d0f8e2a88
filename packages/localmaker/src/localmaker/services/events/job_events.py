"""Status changes of SageMaker jobs as EventBridge events, in the shapes of the SageMaker developer guide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

# As EventBridge spells a kind.
_TITLES = {"HyperParameterTuning": "HyperParameter Tuning"}


def job_event(kind: str, description: dict[str, Any]) -> dict[str, Any]:
    """Return the event for a job whose status has just changed.

    Args:
        kind: ``Processing``, ``Training``, ``Transform`` or ``HyperParameterTuning``.
        description: the job's Describe response, which is the event's detail; times become milliseconds since 1970.
    """
    return {
        "detail-type": f"SageMaker {_TITLES.get(kind, kind)} Job State Change",
        "source": "aws.sagemaker",
        "resources": [description[f"{kind}JobArn"]],
        "detail": _with_milliseconds(description),
    }


def _with_milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _with_milliseconds(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_milliseconds(item) for item in value]
    return value
