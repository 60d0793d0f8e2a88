"""Callback steps: a message with a token goes to an SQS queue, and the step waits until someone answers the token.

The message is AWS's: ``{"token", "pipelineExecutionArn", "arguments", "status"}``; ``status`` is ``Executing`` at first
and ``Stopping`` in the second message that StopPipelineExecution sends. As in AWS the execution stops only once that
is answered, too, and a step that nobody answers fails after seven days.
"""

from __future__ import annotations

import json
import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.records import StepStatus
from localmaker.services.sagemaker.pipelines.steps.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    refusal,
    resolve_arguments,
    resolve_target,
)
from pipedef.language.outputs import output_list, typed_outputs

PATIENCE = timedelta(days=7)
_TOKEN_LENGTH = 10
_ALPHABET = string.ascii_letters + string.digits


@dataclass
class _Waiting:
    """A step that waits. ``answered`` is set once; with neither outputs nor failure the endpoint shuts down."""

    execution_arn: str
    step: str
    declared: Mapping[str, str]
    answered: threading.Event = field(default_factory=threading.Event)
    outputs: dict[str, Any] | None = None
    failure: str | None = None


class Callbacks:
    """The callback tokens that have not been answered yet. They end with the process, as the steps that wait do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}

    def succeed(self, token: str, given: Mapping[str, str]) -> str:
        """SendPipelineExecutionStepSuccess; returns the execution's ARN.

        Raises:
            AwsError: ResourceNotFound for an unknown token, ValidationException for outputs that do not fit; the step
                goes on waiting.
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
        """SendPipelineExecutionStepFailure; returns the execution's ARN.

        Raises:
            AwsError: ResourceNotFound for an unknown token.
        """
        with self._lock:
            self._find(token).failure = reason or "SendPipelineExecutionStepFailure was called without a FailureReason."
            return self._answer(token)

    def _find(self, token: str) -> _Waiting:
        waiting = self._waiting.get(token)
        if waiting is None:
            raise AwsError(
                "ResourceNotFound",
                f"No callback step waits for token [{token}]: it was answered already, its execution has ended, or "
                "the local endpoint was restarted since (then RetryPipelineExecution sends a new one).",
            )
        return waiting

    def _answer(self, token: str) -> str:
        waiting = self._waiting.pop(token)
        waiting.answered.set()
        return waiting.execution_arn

    def open(self, execution_arn: str, step: str, declared: Mapping[str, str]) -> tuple[str, _Waiting]:
        """A new token, and what waits for its answer."""
        token = "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_LENGTH))
        waiting = _Waiting(execution_arn, step, declared)
        with self._lock:
            self._waiting[token] = waiting
        return token, waiting

    def abandon(self, token: str) -> None:
        """Wait no longer for an answer; nothing happens when it has come already."""
        with self._lock:
            if token in self._waiting:
                self._answer(token)


def run_callback(attempt: Attempt) -> StepResult:
    """Send the message and wait for the answer."""
    step, callbacks = attempt.step, attempt.world.callbacks
    queue = resolve_target(step, attempt.scope) or ""
    body = {"pipelineExecutionArn": attempt.execution.arn, "arguments": resolve_arguments(step, attempt.scope)}
    token, waiting = callbacks.open(attempt.execution.arn, step.name, step.outputs)
    metadata: dict[str, Any] = {"CallbackToken": token, "SqsQueueUrl": queue, "OutputParameters": []}
    stopping = threading.Event()

    def send(status: str) -> None:
        message = json.dumps({"token": token, **body, "status": status})
        attempt.world.client("sqs").send_message(QueueUrl=queue, MessageBody=message)

    def stop(closing: bool) -> None:
        stopping.set()
        if closing:
            callbacks.abandon(token)
        elif not waiting.answered.is_set():
            send("Stopping")

    try:
        attempt.started({"Callback": metadata}, stop)
        send("Executing")
        answered = attempt.world.clock.pause(PATIENCE.total_seconds(), waiting.answered)
    except (ClientError, BotoCoreError) as exc:
        raise refusal("sqs:SendMessage", exc) from exc
    finally:
        callbacks.abandon(token)
    if waiting.failure is not None:
        raise StepFailure(waiting.failure, metadata={"Callback": metadata})
    if waiting.outputs is None and not answered:
        raise StepFailure(
            f"ClientError: The callback step was not answered within {PATIENCE.days} days. Answer token [{token}] with "
            "SendPipelineExecutionStepSuccess or SendPipelineExecutionStepFailure.",
            metadata={"Callback": metadata},
        )
    outputs = waiting.outputs or {}
    return StepResult(
        StepStatus.STOPPED if stopping.is_set() else StepStatus.SUCCEEDED,
        {"OutputParameters": outputs},
        {"Callback": {**metadata, "OutputParameters": output_list(outputs)}},
    )
