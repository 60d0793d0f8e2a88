"""Run one step of an execution from start to end: cache, attempts, retries, stop; each step in its own thread."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.naming import job_name, new_token, tuning_job_name
from localmaker.services.sagemaker.pipelines.ports import ExecutionServices
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, StepStatus
from localmaker.services.sagemaker.pipelines.steps.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    Stopper,
    resolve_arguments,
    resolve_target,
)
from localmaker.services.sagemaker.pipelines.steps.kinds import JOB_STEPS, RUNNERS, STOPPABLE_STEPS
from localmaker.services.sagemaker.pipelines.steps.scope import ExecutionScope
from localmaker.services.sagemaker.pipelines.steps.table import StepTable
from localmaker.state.databases import StoreClosedError
from pipedef.language.caching import cache_key, parse_duration
from pipedef.language.model import Definition, Step, StepType
from pipedef.language.retrying import ExceptionType, retry_delay

logger = logging.getLogger(__name__)

# A name in the arguments is the custom prefix of PipelineDefinitionConfig(use_custom_job_prefix=True).
_NAME_ARGUMENTS = {
    **{step_type: f"{step_type}JobName" for step_type in JOB_STEPS},
    StepType.MODEL: "ModelName",
    StepType.REGISTER_MODEL: "ModelPackageName",
}


class Halt:
    """The request to start no more steps and to stop those that run.

    Attributes:
        requested: set once.
        closing: the endpoint is shutting down, and nothing may be waited for.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.closing = False


class StepRun:
    """A running step.

    Args:
        services, execution, definition: of the step.
        table: of the execution.
        step: to run.
        halt: of the execution.
        on_end: called from the step's thread at its end, with the table locked.
    """

    def __init__(
        self,
        services: ExecutionServices,
        execution: ExecutionRecord,
        definition: Definition,
        table: StepTable,
        step: Step,
        *,
        halt: Halt,
        on_end: Callable[[str], object],
    ) -> None:
        self._services = services
        self._execution = execution
        self._definition = definition
        self._table = table
        self._step = step
        self._halt = halt
        self._on_end = on_end
        self._stopper: Stopper | None = None

    def start(self) -> None:
        """Start the step; return at once."""
        self._table.add(self._step)
        threading.Thread(target=self._run, name=f"step-{self._step.name}", daemon=True).start()

    def stop(self) -> None:
        """Stop the step if it can be stopped; return before it has ended."""
        with self._table.changed:
            stopper = self._stopper
        if stopper is None:
            return
        self._table.update(self._step.name, status=StepStatus.STOPPING)
        try:
            stopper(self._halt.closing)
        except AwsError as exc:
            # The job has just ended; its thread reports the outcome.
            logger.info("Step %s of %s could not be stopped: %s", self._step.name, self._execution.arn, exc)
        except (ClientError, BotoCoreError):
            logger.exception("Step %s of %s could not be asked to stop", self._step.name, self._execution.arn)

    def _run(self) -> None:
        name = self._step.name
        self._table.send_start_event(name)
        try:
            self._try_until_done()
        except StoreClosedError:
            logger.info("Step %s of %s ended after the endpoint had closed", name, self._execution.arn)
        except Exception as exc:
            logger.exception("Step %s of %s failed with an unexpected error", name, self._execution.arn)
            self._table.end(name, StepStatus.FAILED, failure_reason=f"InternalFailure: {type(exc).__name__}: {exc}")
        finally:
            with self._table.changed:
                self._stopper = None
                self._on_end(name)
                self._table.changed.notify_all()

    def _try_until_done(self) -> None:
        step, name = self._step, self._step.name
        retries: Counter[ExceptionType] = Counter()
        while True:
            try:
                outcome = self._attempt()
            except StepFailure as failure:
                record = self._table.records()[name]
                elapsed = (self._services.clock.now() - record.started).total_seconds()
                done = retries[failure.kind] if failure.kind else 0
                delay = retry_delay(step.retry_policies, failure.kind, done, elapsed)
                metadata = failure.metadata or record.metadata
                if delay is None or failure.kind is None:
                    self._table.end(name, StepStatus.FAILED, failure_reason=failure.reason, metadata=metadata)
                    return
                if self._services.clock.pause(delay, self._halt.requested):
                    self._table.end(name, StepStatus.STOPPED, failure_reason=failure.reason, metadata=metadata)
                    return
                retries[failure.kind] += 1
                self._table.update(name, attempt=record.attempt + 1)
            else:
                self._table.end(name, **vars(outcome))
                return

    def _attempt(self) -> StepResult:
        step = self._step
        prefix = step.arguments.get(_NAME_ARGUMENTS.get(step.type, ""))
        name = (
            tuning_job_name(self._execution.id, step.name, new_token())
            if step.type is StepType.TUNING
            else job_name(self._execution.id, step.name, new_token(), prefix if isinstance(prefix, str) else None)
        )
        scope = ExecutionScope(
            self._execution,
            self._definition,
            self._table.records,
            self._services.client,
            now=self._services.clock.now(),
            job_name=name,
        )
        hit = self._cached(scope)
        if hit is not None:
            return hit
        if step.type not in STOPPABLE_STEPS:
            self._table.update(step.name, status=StepStatus.EXECUTING)
        return RUNNERS[step.type](
            Attempt(
                services=self._services,
                execution=self._execution,
                step=step,
                scope=scope,
                resource_name=name,
                experiment=self._definition.experiment,
                started=self._started,
            )
        )

    def _started(self, metadata: dict[str, Any], stopper: Stopper) -> None:
        self._table.update(self._step.name, status=StepStatus.EXECUTING, metadata=metadata)
        with self._table.changed:
            self._stopper = stopper
            halted = self._halt.requested.is_set()
        if halted:
            # The stop was requested before there was anything to stop.
            self.stop()

    def _cached(self, scope: ExecutionScope) -> StepResult | None:
        step = self._step
        if step.cache is None or not step.cache.enabled or step.cache.expire_after is None:
            return None
        key = cache_key(step.type, resolve_arguments(step, scope), resolve_target(step, scope))
        lifetime = parse_duration(step.cache.expire_after)
        if key is None or lifetime is None:
            return None
        self._table.update(step.name, cache_key=key)
        earliest = datetime.min.replace(tzinfo=UTC)
        now = self._services.clock.now()
        since = now - lifetime if lifetime < now - earliest else earliest
        source = self._services.store.cached_step(self._execution.pipeline_arn, step.name, key, since)
        if source is None:
            return None
        return StepResult(StepStatus.SUCCEEDED, source.properties, source.metadata, source.execution_arn)
