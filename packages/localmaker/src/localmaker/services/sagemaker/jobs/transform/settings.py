"""How a transform job sends objects to its model: settings of the request, else of the model, else defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.transform.record_data import DataProcessing

_PAYLOAD, _STRATEGY, _CONCURRENT = "MaxPayloadInMB", "BatchStrategy", "MaxConcurrentTransforms"
# The strategies as containers and as requests spell them.
_STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
_DEFAULTS = {_PAYLOAD: 6, _STRATEGY: "MULTI_RECORD", _CONCURRENT: 1}
_VARIABLES = {
    _PAYLOAD: "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    _STRATEGY: "SAGEMAKER_BATCH_STRATEGY",
    _CONCURRENT: "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
}
_DEFAULT_TIMEOUT_SECONDS = 600
_DEFAULT_RETRIES = 3


@dataclass(frozen=True)
class Settings:
    """The way to send objects and to join their answers.

    Attributes:
        timeout_seconds: limit for the answer to one request.
        retries: number of attempts after the first one.
        data: filters and join.
    """

    split_type: str
    strategy: str
    limit_mb: int
    concurrent: int
    content_type: str | None
    accept: str | None
    line_after_each: bool
    timeout_seconds: float
    retries: int
    data: DataProcessing

    def __str__(self) -> str:
        """Return the settings as SageMaker's own log line shows them."""
        strategy = next(name for name, value in _STRATEGIES.items() if value == self.strategy)
        return f"{_CONCURRENT}={self.concurrent}, {_PAYLOAD}={self.limit_mb}, {_STRATEGY}={strategy}"


def read_settings(request: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of a job.

    Args:
        request: the CreateTransformJob request.
        parameters: what the model answers to ``GET /execution-parameters``.

    Raises:
        JobFailure: an execution parameter has an invalid value.
    """
    source, target, client = request["TransformInput"], request["TransformOutput"], request.get("ModelClientConfig", {})
    known = {**_DEFAULTS, **(parameters or {}), **_requested(request)}
    try:
        limit_mb, concurrent = int(known[_PAYLOAD]), int(known[_CONCURRENT])
        strategy = _STRATEGIES[known[_STRATEGY]]
    except (KeyError, TypeError, ValueError) as error:
        raise JobFailure(f"AlgorithmError: the model's execution parameters cannot be used: {parameters}") from error
    return Settings(
        split_type=source.get("SplitType", "None"),
        strategy=strategy,
        limit_mb=limit_mb,
        concurrent=max(concurrent, 1),
        content_type=source.get("ContentType"),
        accept=target.get("Accept"),
        line_after_each=target.get("AssembleWith", "None") == "Line",
        timeout_seconds=client.get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT_SECONDS),
        retries=client.get("InvocationsMaxRetries", _DEFAULT_RETRIES),
        data=DataProcessing.of(request),
    )


def batch_variables(request: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the variables of a model's container. As on AWS, they show only what the request sets."""
    said = {_VARIABLES[name]: str(value) for name, value in _requested(request).items()}
    return {"SAGEMAKER_BATCH": "true", "TRANSFORM_JOB_NAME": request["TransformJobName"], **said}


def _requested(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings in the request, in containers' terms. Zero counts for MaxPayloadInMB only."""
    asked: dict[str, Any] = {}
    if _PAYLOAD in request:
        asked[_PAYLOAD] = request[_PAYLOAD]
    if _STRATEGY in request:
        asked[_STRATEGY] = next(name for name, value in _STRATEGIES.items() if value == request[_STRATEGY])
    if request.get(_CONCURRENT, 0):
        asked[_CONCURRENT] = request[_CONCURRENT]
    return asked
