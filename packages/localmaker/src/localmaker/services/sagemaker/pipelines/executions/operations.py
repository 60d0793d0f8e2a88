"""Executions of pipelines: start, stop, retry, describe, list, and the queue for those over the limit."""

from __future__ import annotations

import functools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.listing import created_within, page
from localmaker.services.sagemaker.pipelines import views
from localmaker.services.sagemaker.pipelines.catalog.pipelines import PipelineCatalog
from localmaker.services.sagemaker.pipelines.catalog.versions import find_number
from localmaker.services.sagemaker.pipelines.events import execution_event
from localmaker.services.sagemaker.pipelines.executions.engine import ExecutionEngine, fail_interrupted
from localmaker.services.sagemaker.pipelines.executions.starting import new_execution, reused_records
from localmaker.services.sagemaker.pipelines.ports import ExecutionServices
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, ExecutionStatus, PipelineRecord, StepStatus
from localmaker.services.sagemaker.pipelines.store import token_of
from localmaker.state.room import with_reserve
from pipedef.language.model import StepType
from pipedef.language.parsing import parse_definition

logger = logging.getLogger(__name__)

DEFAULT_MAX_RUNNING = 20
_RETRY_SECONDS = 1.0
_RETRYABLE = frozenset({ExecutionStatus.FAILED, ExecutionStatus.STOPPED, ExecutionStatus.COMPLETED_WITH_FAILURES})


class PipelineExecutions:
    """The executions of every pipeline in the catalogue. Those that an earlier process left running become Failed."""

    def __init__(self, services: ExecutionServices, catalog: PipelineCatalog, max_running: int) -> None:
        self._services = services
        self._store = services.store
        self._catalog = catalog
        self._max_running = max_running
        # Notified whenever an execution is removed from the running ones.
        self._changed = threading.Condition(threading.RLock())
        self._running: dict[str, ExecutionEngine] = {}
        # Sent by the first dispatch: before that there may be no receiver.
        self._unsent = fail_interrupted(services.store, services.clock)
        self._closed = False

    # -- operations --------------------------------------------------------------------------------------------------

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer StartPipelineExecution."""
        with self._changed:
            arn = self._store.replayed("StartPipelineExecution", request)
            if arn is not None:
                return {"PipelineExecutionArn": arn}
            pipeline, version, text = self._catalog.find_version(
                request["PipelineName"], request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
            )
            definition = parse_definition(text)
            record = new_execution(
                request, pipeline, version, definition, now=self._services.clock.now(), client=self._services.client
            )
            reused = reused_records(record, definition, self._store)
            token = token_of("StartPipelineExecution", request)
            try:
                record = self._store.add_execution(record, text, token, reused)
            except KeyError:
                raise self._catalog.not_found(pipeline.name) from None
        self._services.emit(execution_event(record, None))
        self.dispatch()
        return {"PipelineExecutionArn": record.arn}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer StopPipelineExecution before the running jobs have ended. Stopping twice is not an error."""
        arn = request["PipelineExecutionArn"]
        previous: list[ExecutionStatus] = []
        with self._changed:
            if self._store.replayed("StopPipelineExecution", request) is not None:
                return {"PipelineExecutionArn": arn}
            engine = self._running.get(arn)

            def change(record: ExecutionRecord) -> ExecutionRecord:
                # Inside the transaction: the execution may be ending at this very moment.
                if record.status.ended:
                    raise AwsError(
                        "ValidationException",
                        f"Pipeline execution with ARN {arn} is {record.status}. Only an execution that is Executing "
                        "can be stopped.",
                    )
                previous.append(record.status)
                status = ExecutionStatus.STOPPED if engine is None else ExecutionStatus.STOPPING
                return replace(record, status=status, queued=False, modified=self._services.clock.now())

            self._find(arn)

            def stop() -> ExecutionRecord:
                previous.clear()
                self._store.remember("StopPipelineExecution", request, arn)
                return self._store.update_execution(arn, change)

            changed = self._store.whole(stop, releases=True)
            self._changed.notify_all()
        if changed.status is not previous[0]:
            self._services.emit(execution_event(changed, previous[0]))
        if engine is not None:
            engine.stop()
        return {"PipelineExecutionArn": arn}

    def retry(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer RetryPipelineExecution: steps that did not succeed run again, the others keep their results."""
        arn = request["PipelineExecutionArn"]
        with self._changed:
            if self._store.replayed("RetryPipelineExecution", request) is not None:
                return {"PipelineExecutionArn": arn}
            record = self._find(arn)
            if record.status.ended:
                # Its last status is stored a moment before its engine ends.
                self._changed.wait_for(lambda: arn not in self._running)
            if record.status not in _RETRYABLE:
                raise AwsError(
                    "ValidationException",
                    f"Pipeline execution with ARN {arn} is {record.status}. Only an execution that is Failed or "
                    "Stopped can be retried.",
                )
            again = [step for step in self._store.steps(arn) if step.status is not StepStatus.SUCCEEDED]
            if ending := next((step.name for step in again if step.type == StepType.FAIL), None):
                raise AwsError(
                    "ValidationException",
                    f"Pipeline execution with ARN {arn} ended with Fail step [{ending}] and cannot be retried. Start a "
                    "new execution.",
                )
            parallel = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")

            def start_again() -> ExecutionRecord:
                self._store.remember("RetryPipelineExecution", request, arn)
                self._store.drop_steps(arn, [step.name for step in again])
                return self._change(
                    arn,
                    status=ExecutionStatus.EXECUTING,
                    queued=True,
                    failure_reason=None,
                    attempts={**record.attempts, **{step.name: step.attempt for step in again}},
                    max_parallel_steps=parallel or record.max_parallel_steps,
                )

            changed = self._store.whole(start_again)
        self._services.emit(execution_event(changed, record.status))
        self.dispatch()
        return {"PipelineExecutionArn": arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdatePipelineExecution: display name, description, and parallelism, which takes effect at once."""
        arn = request["PipelineExecutionArn"]
        record = self._find(arn)
        parallel = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        self._change(
            arn,
            display_name=request.get("PipelineExecutionDisplayName", record.display_name),
            description=request.get("PipelineExecutionDescription", record.description),
            max_parallel_steps=parallel or record.max_parallel_steps,
        )
        with self._changed:
            engine = self._running.get(arn)
        if engine is not None:
            engine.wake()
        return {"PipelineExecutionArn": arn}

    def succeed_step(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer SendPipelineExecutionStepSuccess."""
        given = {item["Name"]: item["Value"] for item in request.get("OutputParameters", [])}
        return self._answer(
            "SendPipelineExecutionStepSuccess",
            request,
            lambda: self._services.callbacks.succeed(request["CallbackToken"], given),
        )

    def fail_step(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer SendPipelineExecutionStepFailure."""
        return self._answer(
            "SendPipelineExecutionStepFailure",
            request,
            lambda: self._services.callbacks.fail(request["CallbackToken"], request.get("FailureReason")),
        )

    def _answer(self, operation: str, request: dict[str, Any], send: Callable[[], str]) -> dict[str, Any]:
        with self._changed:
            arn = self._store.replayed(operation, request)
            if arn is None:
                arn = send()
                self._store.remember(operation, request, arn)
        return {"PipelineExecutionArn": arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribePipelineExecution."""
        record = self._find(request["PipelineExecutionArn"])
        return views.execution_description(record, _aliases(self._catalog.find(record.pipeline_name), record))

    def describe_definition(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribePipelineDefinitionForExecution."""
        record = self._find(request["PipelineExecutionArn"])
        return {
            "PipelineDefinition": self._store.definition(record.definition_id),
            "CreationTime": record.definition_created,
        }

    def list_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelineExecutions, by default newest first."""
        pipeline = self._catalog.find(request["PipelineName"])
        records = created_within(self._store.executions(pipeline.arn), request, lambda item: item.created)
        if alias := request.get("PipelineVersionAlias"):
            version = find_number(pipeline, None, alias)
            records = [item for item in records if item.pipeline_version == version]
        if request.get("SortBy") == "PipelineExecutionArn":
            records.sort(key=lambda item: item.arn)
        if request.get("SortOrder", "Descending") == "Descending":
            records.reverse()

        def summarize(item: ExecutionRecord) -> dict[str, Any]:
            return views.execution_summary(item, _aliases(pipeline, item))

        return page(records, request, "PipelineExecutionSummaries", summarize, size=views.PAGE)

    def list_steps(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelineExecutionSteps: the steps that have started, by default newest first."""
        arn = request.get("PipelineExecutionArn", "")
        self._find(arn)
        records = self._store.steps(arn)
        if request.get("SortOrder", "Descending") == "Descending":
            records.reverse()
        return page(records, request, "PipelineExecutionSteps", views.step_summary, size=views.PAGE)

    def list_parameters(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelineParametersForExecution."""
        parameters = views.parameter_list(self._find(request["PipelineExecutionArn"]))
        return page(parameters, request, "PipelineParameters", size=views.PAGE)

    # -- the queue ---------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Start queued executions, oldest first, as far as the limit allows."""
        with self._changed:
            unsent, self._unsent = self._unsent, []
        for event in unsent:
            self._services.emit(event)
        with self._changed:
            if self._closed:
                return
            for record in self._store.queued_executions(self._max_running - len(self._running)):
                try:
                    started = with_reserve(functools.partial(self._change, record.arn, queued=False))
                except (OSError, sqlite3.Error) as error:  # as on a full disk
                    logger.warning("%s stays in the queue for now: %s", record.arn, error)
                    again = threading.Timer(_RETRY_SECONDS, self.dispatch)
                    again.daemon = True
                    again.start()
                    return
                engine = ExecutionEngine(self._services, started, self._ended)
                self._running[record.arn] = engine
                engine.start()

    def _ended(self, arn: str) -> None:
        with self._changed:
            del self._running[arn]
            self._changed.notify_all()
        self.dispatch()

    def wait(self, arn: str, timeout: float | None = None) -> str:
        """Block until an execution has ended; return its status.

        Raises:
            TimeoutError: it is still running after ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while arn in self._running or not self._find(arn).status.ended:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{arn} is still {self._find(arn).status}")
                self._changed.wait(left)
            return str(self._find(arn).status)

    def close(self, timeout: float) -> None:
        """Stop running executions and start no more. See :meth:`PipelineService.close`."""
        with self._changed:
            self._closed = True
            engines = list(self._running.values())
        for engine in engines:
            engine.stop(closing=True)
        deadline = time.monotonic() + timeout
        for engine in engines:
            engine.join(max(deadline - time.monotonic(), 0))

    def _find(self, arn: str) -> ExecutionRecord:
        record = self._store.execution(arn)
        if record is None:
            raise AwsError("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")
        return record

    def _change(self, arn: str, **changes: Any) -> ExecutionRecord:
        return self._store.update_execution(
            arn, lambda record: replace(record, modified=self._services.clock.now(), **changes)
        )


def _aliases(pipeline: PipelineRecord, record: ExecutionRecord) -> list[str]:
    """Return the current aliases of the version that an execution ran."""
    return pipeline.aliases_of(record.pipeline_version)
