"""Runs one execution: a coordinating thread that starts what may run, and one thread for each running step.

Nothing polls. The coordinator sleeps on a condition variable until a step ends or a stop is asked for; a step's thread
sleeps in ``JobService.wait``.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.local.errors import AwsError
from pipeline.local.pipelines.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    Stopper,
    resolve_arguments,
    resolve_target,
)
from pipeline.local.pipelines.caching import cache_key, parse_duration
from pipeline.local.pipelines.definition import Step, StepType
from pipeline.local.pipelines.graph import build_graph
from pipeline.local.pipelines.naming import job_name, new_suffix
from pipeline.local.pipelines.parsing import parse_definition
from pipeline.local.pipelines.ports import World
from pipeline.local.pipelines.progress import Progress, assess
from pipeline.local.pipelines.records import ExecutionRecord, ExecutionStatus, StepRecord, StepStatus
from pipeline.local.pipelines.retrying import ExceptionType, retry_delay
from pipeline.local.pipelines.roles import under_role
from pipeline.local.pipelines.scope import ExecutionScope
from pipeline.local.pipelines.selection import restrict
from pipeline.local.pipelines.status_events import execution_event, step_event
from pipeline.local.pipelines.steps import JOB_STEPS, RUNNERS, STOPPABLE_STEPS
from pipeline.local.pipelines.store import StoreClosedError

logger = logging.getLogger(__name__)

DEFAULT_PARALLEL_STEPS = 50
INTERRUPTED_REASON = (
    "The local endpoint stopped while this execution was running. Run it again from the failed steps with "
    "RetryPipelineExecution."
)
_MAX_REASON = 1024
# A name in the arguments is the custom prefix of PipelineDefinitionConfig(use_custom_job_prefix=True).
_NAME_ARGUMENTS = {
    **{step_type: f"{step_type}JobName" for step_type in JOB_STEPS},
    StepType.MODEL: "ModelName",
}


@dataclass(frozen=True)
class _CacheHit:
    source: StepRecord


class ExecutionEngine:
    """One execution while it runs.

    Steps that already succeeded (before a retry) are kept. ``on_end`` is called from the coordinating thread after the
    execution's last status has been stored and sent.
    """

    def __init__(self, world: World, execution: ExecutionRecord, on_end: Callable[[str], None]) -> None:
        self.execution = execution
        self._world = under_role(world, execution)
        self._on_end = on_end
        self._definition = parse_definition(world.store.definition(execution.definition_id))
        self._graph = restrict(build_graph(self._definition), execution.selected)
        self._changed = threading.Condition()
        self._halt = threading.Event()
        self._closing = False
        self._shutdown = False
        self._records = {record.name: record for record in world.store.steps(execution.arn)}
        self._stoppers: dict[str, Stopper] = {}
        self._running: set[str] = set()
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
        with self._changed:
            if self._halt.is_set() and not closing:
                return
            # What was asked to stop before counts as stopped, even if the endpoint does not wait for it.
            self._closing = closing and not self._halt.is_set()
            self._shutdown = closing
            self._halt.set()
            running = list(self._stoppers)
            self._changed.notify_all()
        for name in running:
            self._stop_step(name)

    def _stop_step(self, name: str) -> None:
        with self._changed:
            stopper = self._stoppers.get(name)
        if stopper is None:
            return
        self._update(name, status=StepStatus.STOPPING)
        try:
            stopper(self._shutdown)
        except AwsError as exc:
            # A job ended between the look and the call; its thread reports how.
            logger.info("Step %s of %s could not be stopped: %s", name, self.execution.arn, exc)
        except (ClientError, BotoCoreError):
            logger.exception("Nobody could be told that step %s of %s shall stop", name, self.execution.arn)

    # -- the coordinator ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._finish(self._coordinate())
        except StoreClosedError:
            logger.info("%s was still running when the endpoint closed; the next start reports it", self.execution.arn)
        finally:
            self._on_end(self.execution.arn)

    def _coordinate(self) -> Progress:
        with self._changed:
            while True:
                progress = assess(self._graph, self._records, self._running)
                ready = () if self._halt.is_set() else progress.ready
                room = (self.execution.max_parallel_steps or DEFAULT_PARALLEL_STEPS) - len(self._running)
                for name in ready[: max(room, 0)]:
                    self._launch(self._definition.steps[name])
                if not self._running:
                    return progress
                self._changed.wait()

    def _finish(self, progress: Progress) -> None:
        status, reason = progress.status, progress.failure_reason
        if self._halt.is_set() and not self._lambda_failed():
            status, reason = ExecutionStatus.STOPPED, None
        if self._closing:
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
            record.type == StepType.LAMBDA and record.status is StepStatus.FAILED for record in self._records.values()
        )

    # -- one step ----------------------------------------------------------------------------------------------------

    def _launch(self, step: Step) -> None:
        record = StepRecord(
            execution_arn=self.execution.arn,
            pipeline_arn=self.execution.pipeline_arn,
            name=step.name,
            type=step.type,
            status=StepStatus.STARTING,
            attempt=self.execution.attempts.get(step.name, 0) + 1,
            position=1 + max((item.position for item in self._records.values()), default=0),
            started=self._world.clock.now(),
            display_name=step.display_name,
            description=step.description,
        )
        self._records[step.name] = record
        self._running.add(step.name)
        self._world.store.put_step(record)
        thread = threading.Thread(target=self._run_step, args=(step,), name=f"step-{step.name}", daemon=True)
        thread.start()

    def _update(self, name: str, **changes: Any) -> None:
        """Store a change of a step and send an event when it changes the status. A status never goes back."""
        with self._changed:
            before = self._records[name]
            if before.status.ended:
                return
            if before.status is StepStatus.STOPPING and changes.get("status") in (
                StepStatus.STARTING,
                StepStatus.EXECUTING,
            ):
                del changes["status"]
            after = replace(before, **changes)
            self._records[name] = after
            self._world.store.put_step(after)
        if after.status is not before.status:
            self._world.emit(step_event(after, before.status, self._world.clock.now()))

    def _run_step(self, step: Step) -> None:
        self._world.emit(step_event(self._records[step.name], None, self._world.clock.now()))
        try:
            self._try_until_done(step)
        except StoreClosedError:
            logger.info("Step %s of %s ended after the endpoint had closed", step.name, self.execution.arn)
        except Exception as exc:
            logger.exception("Step %s of %s broke the engine", step.name, self.execution.arn)
            self._end(step.name, StepStatus.FAILED, failure_reason=f"InternalFailure: {type(exc).__name__}: {exc}")
        finally:
            with self._changed:
                self._stoppers.pop(step.name, None)
                self._running.discard(step.name)
                self._changed.notify_all()

    def _end(self, name: str, status: StepStatus, **changes: Any) -> None:
        if changes.get("failure_reason"):
            changes["failure_reason"] = changes["failure_reason"][:_MAX_REASON]
        self._update(name, status=status, ended=self._world.clock.now(), **changes)

    def _try_until_done(self, step: Step) -> None:
        retries: Counter[ExceptionType] = Counter()
        while True:
            try:
                outcome = self._attempt(step)
            except StepFailure as failure:
                record = self._records[step.name]
                elapsed = (self._world.clock.now() - record.started).total_seconds()
                done = retries[failure.kind] if failure.kind else 0
                delay = retry_delay(step.retry_policies, failure.kind, done, elapsed)
                metadata = failure.metadata or record.metadata
                if delay is None or failure.kind is None:
                    self._end(step.name, StepStatus.FAILED, failure_reason=failure.reason, metadata=metadata)
                    return
                if self._world.clock.pause(delay, self._halt):
                    self._end(step.name, StepStatus.STOPPED, failure_reason=failure.reason, metadata=metadata)
                    return
                retries[failure.kind] += 1
                self._update(step.name, attempt=record.attempt + 1)
            else:
                self._end_with(step.name, outcome)
                return

    def _end_with(self, name: str, outcome: StepResult | _CacheHit) -> None:
        if isinstance(outcome, _CacheHit):
            source = outcome.source
            self._end(
                name,
                StepStatus.SUCCEEDED,
                properties=source.properties,
                metadata=source.metadata,
                cache_source=source.execution_arn,
            )
        else:
            self._end(name, outcome.status, properties=outcome.properties, metadata=outcome.metadata)

    def _attempt(self, step: Step) -> StepResult | _CacheHit:
        prefix = step.arguments.get(_NAME_ARGUMENTS.get(step.type, ""))
        name = job_name(self.execution.id, step.name, new_suffix(), prefix if isinstance(prefix, str) else None)
        scope = ExecutionScope(
            self.execution,
            self._definition,
            lambda: self._records,
            self._world.client,
            now=self._world.clock.now(),
            job_name=name,
        )
        hit = self._cached(step, scope)
        if hit is not None:
            return hit
        if step.type not in STOPPABLE_STEPS:
            self._update(step.name, status=StepStatus.EXECUTING)
        return RUNNERS[step.type](
            Attempt(
                world=self._world,
                execution=self.execution,
                step=step,
                scope=scope,
                resource_name=name,
                experiment=self._definition.experiment,
                started=lambda metadata, stopper: self._started(step.name, metadata, stopper),
            )
        )

    def _started(self, name: str, metadata: dict[str, Any], stopper: Stopper) -> None:
        self._update(name, status=StepStatus.EXECUTING, metadata=metadata)
        with self._changed:
            self._stoppers[name] = stopper
            halted = self._halt.is_set()
        if halted:
            # The stop came before this was known: it could not be stopped then.
            self._stop_step(name)

    def _cached(self, step: Step, scope: ExecutionScope) -> _CacheHit | None:
        if step.cache is None or not step.cache.enabled or step.cache.expire_after is None:
            return None
        key = cache_key(step.type, resolve_arguments(step, scope), resolve_target(step, scope))
        lifetime = parse_duration(step.cache.expire_after)
        if key is None or lifetime is None:
            return None
        self._update(step.name, cache_key=key)
        now = self._world.clock.now()
        since = (
            now - lifetime if lifetime < now - datetime.min.replace(tzinfo=UTC) else datetime.min.replace(tzinfo=UTC)
        )
        source = self._world.store.cached_step(self.execution.pipeline_arn, step.name, key, since)
        return None if source is None else _CacheHit(source)
