"""Runs one execution, in a thread of its own: from its experiment to its last status."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.pipelines.coordinator import Coordinator
from localmaker.services.sagemaker.pipelines.experiments import keep_execution
from localmaker.services.sagemaker.pipelines.ports import World
from localmaker.services.sagemaker.pipelines.progress import Progress
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, ExecutionStatus, StepStatus
from localmaker.services.sagemaker.pipelines.roles import under_role
from localmaker.services.sagemaker.pipelines.selection import restrict
from localmaker.services.sagemaker.pipelines.status_events import execution_event
from localmaker.services.sagemaker.pipelines.steps.attempts import refusal
from localmaker.services.sagemaker.pipelines.steps.run import Halt
from localmaker.services.sagemaker.pipelines.steps.table import StepTable
from localmaker.state.databases import StoreClosedError
from pipedef.language.graph import build_graph
from pipedef.language.model import StepType
from pipedef.language.parsing import parse_definition

logger = logging.getLogger(__name__)

DEFAULT_PARALLEL_STEPS = 50
_MAX_REASON = 1300
INTERRUPTED_REASON = (
    "The local endpoint stopped while this execution was running. Run it again from the failed steps with "
    "RetryPipelineExecution."
)


class ExecutionEngine:
    """One execution while it runs.

    Steps that already succeeded (before a retry) are kept. ``on_end`` is called from the coordinating thread after the
    execution's last status has been stored and sent.
    """

    def __init__(self, world: World, execution: ExecutionRecord, on_end: Callable[[str], None]) -> None:
        self.execution = execution
        self._world = under_role(world, execution)
        self._on_end = on_end
        self._table = StepTable(self._world, execution)
        self._halt = Halt()
        self._interrupted = False
        definition = parse_definition(world.store.definition(execution.definition_id))
        self._coordinator = Coordinator(
            self._world,
            execution,
            definition,
            self._table,
            restrict(build_graph(definition), execution.selected),
            halt=self._halt,
            most_at_once=self._most_at_once,
        )
        self._thread = threading.Thread(target=self._run, name=f"pipeline-{execution.id}", daemon=True)

    def start(self) -> None:
        """Begin to run steps; returns at once."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False when the time was not enough."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self, *, closing: bool = False) -> None:
        """Start no more steps and stop the running jobs; returns before they have ended.

        Args:
            closing: the endpoint shuts down; the execution ends Failed, to be retried, instead of Stopped.
        """
        with self._table.changed:
            if self._halt.asked.is_set() and not closing:
                return
            # What was asked to stop before counts as stopped, even if the endpoint does not wait for it.
            self._interrupted = closing and not self._halt.asked.is_set()
            self._halt.closing = closing
            self._halt.asked.set()
            self._table.changed.notify_all()
        self._coordinator.stop_running()

    def wake(self) -> None:
        """Look again at what may run."""
        with self._table.changed:
            self._table.changed.notify_all()

    def _run(self) -> None:
        try:
            self._finish(self._refused_experiment() or self._coordinator.run())
        except StoreClosedError:
            logger.info("%s was still running when the endpoint closed; the next start reports it", self.execution.arn)
        finally:
            self._on_end(self.execution.arn)

    def _refused_experiment(self) -> Progress | None:
        """How an execution ends whose experiment or trial cannot be made; None for any other."""
        if self.execution.experiment is None or self._halt.asked.is_set():
            return None
        try:
            keep_execution(self._world, self.execution.experiment)
        except (ClientError, BotoCoreError) as exc:
            operation = getattr(exc, "operation_name", "CreateExperiment")
            reason = refusal(f"sagemaker:{operation}", exc).reason[:_MAX_REASON]
            return Progress((), ExecutionStatus.FAILED, reason)
        return None

    def _most_at_once(self) -> int:
        """UpdatePipelineExecution may have changed it since the start."""
        record = self._world.store.execution(self.execution.arn) or self.execution
        return record.max_parallel_steps or DEFAULT_PARALLEL_STEPS

    def _finish(self, progress: Progress) -> None:
        status, reason = progress.status, progress.failure_reason
        if self._halt.asked.is_set() and not self._lambda_failed():
            status, reason = ExecutionStatus.STOPPED, None
        if self._interrupted:
            status, reason = ExecutionStatus.FAILED, INTERRUPTED_REASON
        previous: list[ExecutionStatus] = []

        def change(record: ExecutionRecord) -> ExecutionRecord:
            previous.append(record.status)
            return replace(record, status=status, failure_reason=reason, modified=self._world.clock.now(), queued=False)

        ended = self._world.store.update_execution(self.execution.arn, change)
        self._world.emit(execution_event(ended, previous[0]))

    def _lambda_failed(self) -> bool:
        """A stop waits for functions; the execution is Failed, as in AWS, when one of them does not end well."""
        return any(
            record.type == StepType.LAMBDA and record.status is StepStatus.FAILED
            for record in self._table.records().values()
        )
