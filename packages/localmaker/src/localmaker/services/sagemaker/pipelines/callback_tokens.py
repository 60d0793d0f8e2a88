"""The tokens of callback steps that wait for an answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.naming import new_token
from pipedef.language.outputs import typed_outputs


@dataclass
class WaitingStep:
    """A step that waits for its answer.

    ``answered`` is set once; with neither outputs nor failure the endpoint is shutting down.
    """

    execution_arn: str
    step: str
    declared: Mapping[str, str]
    answered: threading.Event = field(default_factory=threading.Event)
    outputs: dict[str, Any] | None = None
    failure: str | None = None


class Callbacks:
    """The unanswered callback tokens. They end with the process, as the waiting steps do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, WaitingStep] = {}

    def succeed(self, token: str, given: Mapping[str, str]) -> str:
        """Answer a token with output parameters (SendPipelineExecutionStepSuccess); return the execution's ARN.

        Raises:
            AwsError: ResourceNotFound for an unknown token, ValidationException for outputs that do not fit: then the
                step continues to wait.
        """
        with self._lock:
            waiting = self._find(token)
            unknown = sorted(set(given) - set(waiting.declared))
            if unknown:
                declared = ", ".join(waiting.declared) or "none"
                raise AwsError(
                    "ValidationException",
                    f"Step [{waiting.step}] declares no output parameter [{unknown[0]}]; declared: {declared}.",
                )
            try:
                waiting.outputs = typed_outputs(waiting.declared, given)
            except ValueError as exc:
                raise AwsError("ValidationException", f"Step [{waiting.step}]: {exc}.") from exc
            return self._answer(token)

    def fail(self, token: str, reason: str | None) -> str:
        """Answer a token with a failure (SendPipelineExecutionStepFailure); return the execution's ARN.

        Raises:
            AwsError: ResourceNotFound for an unknown token.
        """
        with self._lock:
            self._find(token).failure = reason or "SendPipelineExecutionStepFailure was called without a FailureReason."
            return self._answer(token)

    def _find(self, token: str) -> WaitingStep:
        waiting = self._waiting.get(token)
        if waiting is None:
            raise AwsError(
                "ResourceNotFound",
                f"No callback step waits for token [{token}]: it was already answered, its execution has ended, or "
                "the local endpoint has been restarted (RetryPipelineExecution then sends a new token).",
            )
        return waiting

    def _answer(self, token: str) -> str:
        waiting = self._waiting.pop(token)
        waiting.answered.set()
        return waiting.execution_arn

    def open(self, execution_arn: str, step: str, declared: Mapping[str, str]) -> tuple[str, WaitingStep]:
        """Return a new token, and the step that waits for its answer."""
        token = new_token()
        waiting = WaitingStep(execution_arn, step, declared)
        with self._lock:
            self._waiting[token] = waiting
        return token, waiting

    def abandon(self, token: str) -> None:
        """Stop waiting for an answer, unless it has already been given."""
        with self._lock:
            if token in self._waiting:
                self._answer(token)
