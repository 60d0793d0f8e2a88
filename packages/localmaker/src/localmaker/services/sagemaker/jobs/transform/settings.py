"""How a transform job's objects are sent to its model: as the request says, else the model, else by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.transform.record_data import DataProcessing

_PAYLOAD, _STRATEGY, _CONCURRENT = "MaxPayloadInMB", "BatchStrategy", "MaxConcurrentTransforms"
# As containers spell the strategies, and as requests do.
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
    """How objects are sent and joined.

    Attributes:
        timeout_seconds: for the answer to one request.
        retries: further attempts after a failed one.
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
        """As SageMaker's own log line tells them."""
        strategy = next(name for name, value in _STRATEGIES.items() if value == self.strategy)
        return f"{_CONCURRENT}={self.concurrent}, {_PAYLOAD}={self.limit_mb}, {_STRATEGY}={strategy}"


def read_settings(request: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a job.

    Args:
        request: the CreateTransformJob request.
        parameters: what the model answers to ``GET /execution-parameters``.

    Raises:
        JobFailure: an execution parameter has no value that it can have.
    """
    source, target, client = request["TransformInput"], request["TransformOutput"], request.get("ModelClientConfig", {})
    known = {**_DEFAULTS, **(parameters or {}), **_asked(request)}
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
    """The variables of a model's container. What the request does not say the container is not told, as on AWS."""
    said = {_VARIABLES[name]: str(value) for name, value in _asked(request).items()}
    return {"SAGEMAKER_BATCH": "true", "TRANSFORM_JOB_NAME": request["TransformJobName"], **said}


def _asked(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the request says, in containers' terms. MaxConcurrentTransforms 0 says nothing; MaxPayloadInMB 0 does."""
    asked: dict[str, Any] = {}
    if _PAYLOAD in request:
        asked[_PAYLOAD] = request[_PAYLOAD]
    if _STRATEGY in request:
        asked[_STRATEGY] = next(name for name, value in _STRATEGIES.items() if value == request[_STRATEGY])
    if request.get(_CONCURRENT, 0):
        asked[_CONCURRENT] = request[_CONCURRENT]
    return asked
