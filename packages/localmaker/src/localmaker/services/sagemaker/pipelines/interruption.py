"""Setting right what a process that ended left behind: what was running is Failed, what was queued stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localmaker.services.sagemaker.pipelines.engine import INTERRUPTED_REASON
from localmaker.services.sagemaker.pipelines.ports import Clock
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, ExecutionStatus, StepStatus
from localmaker.services.sagemaker.pipelines.status_events import execution_event, step_event
from localmaker.services.sagemaker.pipelines.store import PipelineStore


def fail_interrupted(store: PipelineStore, clock: Clock) -> list[dict[str, Any]]:
    """Fail every execution that was running, with the steps that had not ended.

    Returns:
        The events that tell so, for when somebody is there to be told.
    """
    events: list[dict[str, Any]] = []
    for record in store.unfinished_executions():
        if record.queued:
            continue
        for step in store.steps(record.arn):
            if not step.status.ended:
                now = clock.now()
                failed = replace(step, status=StepStatus.FAILED, ended=now, failure_reason=INTERRUPTED_REASON)
                store.put_step(failed)
                events.append(step_event(failed, step.status, now))
        ended = store.update_execution(record.arn, lambda current: _failed(current, clock))
        events.append(execution_event(ended, record.status))
    return events


def _failed(record: ExecutionRecord, clock: Clock) -> ExecutionRecord:
    return replace(
        record, status=ExecutionStatus.FAILED, failure_reason=INTERRUPTED_REASON, modified=clock.now(), queued=False
    )
