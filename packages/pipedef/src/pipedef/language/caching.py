"""Step caching: the key of a step's arguments and how long a former result holds. Pure functions.

The arguments that count are those of AWS's page "Default cache key attributes by pipeline step type".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipedef.language.model import StepType

KEY_ARGUMENTS: Mapping[StepType, tuple[str, ...]] = {
    StepType.PROCESSING: ("AppSpecification", "Environment", "ProcessingInputs"),
    StepType.TRAINING: (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    StepType.TRANSFORM: ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    StepType.TUNING: ("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
}
# AWS also accepts durations without the leading P ("30dT5h"), and in lower case.
_DURATION = re.compile(
    r"P?(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)
_UNITS = (
    timedelta(days=365),
    timedelta(days=30),
    timedelta(weeks=1),
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
)


def parse_duration(text: str) -> timedelta | None:
    """Read an ISO 8601 duration; a year counts 365 days and a month 30. None when the text is not a duration."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    return sum((int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS, strict=True)), timedelta())


def cache_key(step_type: StepType, arguments: Mapping[str, Any], target: str | None = None) -> str | None:
    """Return the SHA-256 of the resolved arguments that count, or None when steps of this type are never cached.

    Of a Callback, Lambda or EndpointConfig step all of them count, and the queue or function that it hands over to.
    """
    all_count = target is not None or step_type is StepType.ENDPOINT_CONFIG
    names = tuple(arguments) if all_count else KEY_ARGUMENTS.get(step_type)
    if names is None:
        return None
    counted = {name: arguments[name] for name in names if name in arguments}
    if target is not None:
        counted = {"Target": target, "Arguments": counted}
    text = json.dumps([step_type, counted], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
