"""Callback steps: a message with a token goes to an SQS queue, and the step waits for the answer to the token.

The message is AWS's: ``{"token", "pipelineExecutionArn", "arguments", "status"}``; ``status`` is ``Executing`` at first
and ``Stopping`` in the second message that StopPipelineExecution sends. As in AWS the execution stops only once that
is answered, too, and a step without an answer fails after seven days.
"""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.pipelines.records import StepStatus
from localmaker.services.sagemaker.pipelines.steps.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    refusal,
    resolve_arguments,
    resolve_target,
)
from pipedef.language.outputs import output_list

TIMEOUT = timedelta(days=7)


def run_callback(attempt: Attempt) -> StepResult:
    """Send the message and wait for the answer."""
    step, callbacks = attempt.step, attempt.services.callbacks
    queue = resolve_target(step, attempt.scope) or ""
    body = {"pipelineExecutionArn": attempt.execution.arn, "arguments": resolve_arguments(step, attempt.scope)}
    token, waiting = callbacks.open(attempt.execution.arn, step.name, step.outputs)
    metadata: dict[str, Any] = {"CallbackToken": token, "SqsQueueUrl": queue, "OutputParameters": []}
    stopping = threading.Event()

    def send(status: str) -> None:
        message = json.dumps({"token": token, **body, "status": status})
        attempt.services.client("sqs").send_message(QueueUrl=queue, MessageBody=message)

    def stop(closing: bool) -> None:
        stopping.set()
        if closing:
            callbacks.abandon(token)
        elif not waiting.answered.is_set():
            send("Stopping")

    try:
        attempt.started({"Callback": metadata}, stop)
        send("Executing")
        answered = attempt.services.clock.pause(TIMEOUT.total_seconds(), waiting.answered)
    except (ClientError, BotoCoreError) as exc:
        raise refusal("sqs:SendMessage", exc) from exc
    finally:
        callbacks.abandon(token)
    if waiting.failure is not None:
        raise StepFailure(waiting.failure, metadata={"Callback": metadata})
    if waiting.outputs is None and not answered:
        raise StepFailure(
            f"ClientError: The callback step was not answered within {TIMEOUT.days} days. Answer token [{token}] with "
            "SendPipelineExecutionStepSuccess or SendPipelineExecutionStepFailure.",
            metadata={"Callback": metadata},
        )
    outputs = waiting.outputs or {}
    return StepResult(
        StepStatus.STOPPED if stopping.is_set() else StepStatus.SUCCEEDED,
        {"OutputParameters": outputs},
        {"Callback": {**metadata, "OutputParameters": output_list(outputs)}},
    )
