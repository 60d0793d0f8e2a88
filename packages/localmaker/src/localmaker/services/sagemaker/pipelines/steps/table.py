"""The current steps of one execution. Every change is stored; changes of status are sent to EventBridge."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localmaker.services.sagemaker.pipelines.events import step_event
from localmaker.services.sagemaker.pipelines.ports import ExecutionServices
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, StepRecord, StepStatus
from localmaker.state.room import until_stored
from pipedef.language.model import Step

_MAX_REASON = 1024


class StepTable:
    """The records of the steps that have started. Safe to use from any thread.

    Attributes:
        changed: guards the records and the state that changes with them; notified when a step has ended.
    """

    def __init__(self, services: ExecutionServices, execution: ExecutionRecord) -> None:
        self.changed = threading.Condition()
        self._services = services
        self._execution = execution
        self._records = {record.name: record for record in services.store.steps(execution.arn)}

    def records(self) -> Mapping[str, StepRecord]:
        """Return the records by name, live."""
        return self._records

    def add(self, step: Step) -> None:
        """Add a step that starts; :meth:`send_start_event` sends its event."""
        with self.changed:
            record = StepRecord(
                execution_arn=self._execution.arn,
                pipeline_arn=self._execution.pipeline_arn,
                name=step.name,
                type=step.type,
                status=StepStatus.STARTING,
                attempt=self._execution.attempts.get(step.name, 0) + 1,
                position=1 + max((item.position for item in self._records.values()), default=0),
                started=self._services.clock.now(),
                display_name=step.display_name,
                description=step.description,
            )
            self._services.store.put_step(record)
            self._records[step.name] = record

    def send_start_event(self, name: str) -> None:
        """Send the event of a step that was added."""
        self._services.emit(step_event(self._records[name], None, self._services.clock.now()))

    def update(self, name: str, **changes: Any) -> None:
        """Change a step. An ended step is not changed, and a status never goes back."""
        with self.changed:
            before = self._records[name]
            if before.status.ended:
                return
            if before.status is StepStatus.STOPPING and changes.get("status") in (
                StepStatus.STARTING,
                StepStatus.EXECUTING,
            ):
                del changes["status"]
            after = replace(before, **changes)
            # An end has happened and cannot be refused: on a full disk it is stored as soon as there is room.
            if after.status.ended:
                until_stored(lambda: self._services.store.put_step(after), self.pause, f"the end of step {name}")
            else:
                self._services.store.put_step(after)
            self._records[name] = after
        if after.status is not before.status:
            self._services.emit(step_event(after, before.status, self._services.clock.now()))

    def pause(self, seconds: float) -> bool:
        """Wait for so many seconds, or for a change; what is tried again after that ends when the store is closed."""
        with self.changed:
            self.changed.wait(seconds)
        return False

    def end(self, name: str, status: StepStatus, **changes: Any) -> None:
        """Make the last change of a step."""
        # A Fail step without a message gives no reason.
        reason = (changes.pop("failure_reason", None) or "")[:_MAX_REASON] or None
        self.update(name, status=status, ended=self._services.clock.now(), failure_reason=reason, **changes)
