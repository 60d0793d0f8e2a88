"""Run one execution, in a thread of its own: from its experiment to its last status.

Nothing polls. The engine's thread sleeps on a condition variable until a step ends or a stop is requested; a step's
thread sleeps in ``JobService.wait``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.iam.calls import Operation
from localmaker.services.sagemaker.pipelines.events import execution_event, step_event
from localmaker.services.sagemaker.pipelines.executions.progress import Progress, assess
from localmaker.services.sagemaker.pipelines.executions.selection import restrict
from localmaker.services.sagemaker.pipelines.ports import Clock, ExecutionServices
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, ExecutionStatus, StepStatus
from localmaker.services.sagemaker.pipelines.steps.attempts import refusal
from localmaker.services.sagemaker.pipelines.steps.experiments import ensure_trial
from localmaker.services.sagemaker.pipelines.steps.run import Halt, StepRun
from localmaker.services.sagemaker.pipelines.steps.table import StepTable
from localmaker.services.sagemaker.pipelines.store import PipelineStore
from localmaker.state.databases import StoreClosedError
from localmaker.state.room import until_stored
from pipedef.language.graph import build_graph
from pipedef.language.model import StepType
from pipedef.language.parsing import parse_definition

logger = logging.getLogger(__name__)

DEFAULT_PARALLEL_STEPS = 50
_MAX_REASON = 1300
# The name of the sessions in which SageMaker acts under a role.
_SESSION = "SageMaker"
INTERRUPTED_REASON = (
    "The local endpoint stopped while this execution was running. Run it again from the failed steps with "
    "RetryPipelineExecution."
)


class ExecutionEngine:
    """One execution while it runs. Steps that already succeeded (before a retry) are kept.

    Args:
        on_end: called from the engine's thread after the execution's last status has been stored and sent.
    """

    def __init__(self, services: ExecutionServices, execution: ExecutionRecord, on_end: Callable[[str], None]) -> None:
        self.execution = execution
        self._services = _under_role(services, execution)
        self._on_end = on_end
        self._table = StepTable(self._services, execution)
        self._halt = Halt()
        self._interrupted = False
        self._broken = False
        self._definition = parse_definition(services.store.definition(execution.definition_id))
        self._graph = restrict(build_graph(self._definition), execution.selected)
        self._running: dict[str, StepRun] = {}
        self._thread = threading.Thread(target=self._run, name=f"pipeline-{execution.id}", daemon=True)

    def start(self) -> None:
        """Begin to run steps; return at once."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; return False when the time was not enough."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self, *, closing: bool = False) -> None:
        """Start no more steps and stop the running jobs; return before they have ended.

        Args:
            closing: the endpoint is shutting down; the execution ends Failed, to be retried, instead of Stopped.
        """
        with self._table.changed:
            if self._halt.requested.is_set() and not closing:
                return
            # An execution that was already stopping counts as stopped, even if the endpoint does not wait for it.
            self._interrupted = closing and not self._halt.requested.is_set()
            self._halt.closing = closing
            self._halt.requested.set()
            self._table.changed.notify_all()
            running = list(self._running.values())
        for run in running:
            run.stop()

    def wake(self) -> None:
        """Check again which steps may run."""
        with self._table.changed:
            self._table.changed.notify_all()

    def _run(self) -> None:
        try:
            self._finish(self._refused_experiment() or self._run_steps_or_fail())
        except StoreClosedError:
            logger.info("%s was still running when the endpoint closed; the next start reports it", self.execution.arn)
        finally:
            self._on_end(self.execution.arn)

    def _refused_experiment(self) -> Progress | None:
        """Return how an execution ends whose experiment or trial cannot be created; None for any other."""
        if self.execution.experiment is None or self._halt.requested.is_set():
            return None
        try:
            ensure_trial(self._services, self.execution.experiment)
        except (ClientError, BotoCoreError) as exc:
            operation = getattr(exc, "operation_name", "CreateExperiment")
            reason = refusal(f"sagemaker:{operation}", exc).reason[:_MAX_REASON]
            return Progress((), ExecutionStatus.FAILED, reason)
        return None

    def _run_steps_or_fail(self) -> Progress:
        """Run the steps; an error of the endpoint itself, such as a full disk, fails the execution."""
        try:
            return self._run_steps()
        except StoreClosedError:
            raise
        except Exception as error:
            logger.exception("%s cannot go on", self.execution.arn)
            with self._table.changed:
                running = list(self._running.values())
            for run in running:
                run.stop()
            with self._table.changed:
                self._table.changed.wait_for(lambda: not self._running)
            self._broken = True
            return Progress((), ExecutionStatus.FAILED, f"InternalFailure: {error}"[:_MAX_REASON])

    def _run_steps(self) -> Progress:
        """Run steps until none is running and none may start; return the progress then."""
        with self._table.changed:
            while True:
                records = {name: record for name, record in self._table.records().items() if name in self._graph}
                progress = assess(self._graph, records, self._running)
                ready = () if self._halt.requested.is_set() else progress.ready
                for name in ready[: max(self._parallel_steps() - len(self._running), 0)]:
                    self._launch(name)
                if not self._running:
                    return progress
                self._table.changed.wait()

    def _launch(self, name: str) -> None:
        step = self._definition.steps[name]
        run = StepRun(
            self._services,
            self.execution,
            self._definition,
            self._table,
            step,
            halt=self._halt,
            on_end=self._running.pop,
        )
        self._running[name] = run
        try:
            run.start()
        except BaseException:
            del self._running[name]
            raise

    def _parallel_steps(self) -> int:
        """Return how many steps may run now: UpdatePipelineExecution may have changed it since the start."""
        record = self._services.store.execution(self.execution.arn) or self.execution
        return record.max_parallel_steps or DEFAULT_PARALLEL_STEPS

    def _finish(self, progress: Progress) -> None:
        status, reason = progress.status, progress.failure_reason
        if self._halt.requested.is_set() and not self._lambda_failed() and not self._broken:
            status, reason = ExecutionStatus.STOPPED, None
        if self._interrupted:
            status, reason = ExecutionStatus.FAILED, INTERRUPTED_REASON
        store, clock, arn = self._services.store, self._services.clock, self.execution.arn
        event = until_stored(lambda: _end(store, clock, arn, status, reason), self._table.pause, f"the end of {arn}")
        self._services.emit(event)

    def _lambda_failed(self) -> bool:
        """Return whether a function failed: a stop waits for functions, and the execution is Failed then, as in AWS."""
        return any(
            record.type == StepType.LAMBDA and record.status is StepStatus.FAILED
            for record in self._table.records().values()
        )


def _under_role(services: ExecutionServices, execution: ExecutionRecord) -> ExecutionServices:
    """Return the same services, used under the execution's role, whether by a request to the endpoint or not."""
    acting = services.acting
    if acting is None:
        return services

    def authorize(operation: Operation) -> None:
        acting.call(execution.role_arn, execution.pipeline_arn, _SESSION, operation)

    return replace(
        services,
        client=lambda service: acting.client(service, execution.role_arn, execution.pipeline_arn, _SESSION),
        own_client=services.client,
        authorize=authorize,
    )


def _end(store: PipelineStore, clock: Clock, arn: str, status: ExecutionStatus, reason: str | None) -> dict[str, Any]:
    """Store an execution's last status; return the event that reports it."""
    previous: list[ExecutionStatus] = []

    def change(record: ExecutionRecord) -> ExecutionRecord:
        previous.append(record.status)
        return replace(record, status=status, failure_reason=reason, modified=clock.now(), queued=False)

    return execution_event(store.update_execution(arn, change), previous[0])


def fail_interrupted(store: PipelineStore, clock: Clock) -> list[dict[str, Any]]:
    """Fail every execution that an ended process left running, with its unfinished steps. Queued executions stay.

    Returns:
        The events that report it, to be sent once there is a receiver.
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
        events.append(_end(store, clock, record.arn, ExecutionStatus.FAILED, INTERRUPTED_REASON))
    return events
