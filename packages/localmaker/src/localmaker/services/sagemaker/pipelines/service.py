"""The pipelines of the local endpoint: the catalogue and the executions.

::

    service = PipelineService(state_dir, account_id, region, jobs, client)
    service.resume()                      # once the endpoint answers
    service.catalog.create({...})         # CreatePipeline, in botocore's terms
    service.executions.start({...})       # StartPipelineExecution
    service.close()
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.sagemaker.pipelines.callback_tokens import Callbacks
from localmaker.services.sagemaker.pipelines.catalog.pipelines import PipelineCatalog
from localmaker.services.sagemaker.pipelines.executions.operations import DEFAULT_MAX_RUNNING, PipelineExecutions
from localmaker.services.sagemaker.pipelines.ports import (
    ClientFactory,
    Clock,
    EventSink,
    ExecutionServices,
    JobService,
    SystemClock,
    TuningService,
)
from localmaker.services.sagemaker.pipelines.store import PipelineStore

logger = logging.getLogger(__name__)


class PipelineService:
    """Pipelines and executions of one account and region.

    It restores what the state directory contains: executions that were running when the process ended become ``Failed``
    and can be retried; executions that were still queued run after :meth:`resume`.

    Args:
        state_dir: directory of ``pipelines.sqlite3``; created if missing.
        account_id: twelve digits.
        region: such as ``us-east-1``.
        jobs: runs processing, training and transform jobs.
        client: gives a boto3 client by service name; used from many threads.
        max_running: executions that run at the same time; further ones wait in order.
        on_event: receives every status change as a complete EventBridge event, from any thread. An exception from it
            is logged and does not affect the execution.
        clock: replaceable in tests.
        acting: gives executions clients and checks for their roles.
        functions_dir: directory of ``functions.toml``, if there is one; ``state_dir`` by default.
        functions: holds the calls of functions in progress; by default the service's own, which end with it.
        tuning: runs the jobs of Tuning steps.
    """

    def __init__(
        self,
        state_dir: Path,
        account_id: str,
        region: str,
        jobs: JobService,
        client: ClientFactory,
        *,
        max_running: int = DEFAULT_MAX_RUNNING,
        on_event: EventSink | None = None,
        clock: Clock | None = None,
        acting: Acting | None = None,
        functions_dir: Path | None = None,
        functions: RunningFunctions | None = None,
        tuning: TuningService | None = None,
    ) -> None:
        self._store = PipelineStore(state_dir)
        self._own_functions = RunningFunctions()
        self._on_event = on_event
        clock = clock or SystemClock()
        self.catalog = PipelineCatalog(self._store, account_id, region, client, clock)
        self.callbacks = Callbacks()
        services = ExecutionServices(
            store=self._store,
            jobs=jobs,
            client=client,
            clock=clock,
            emit=self._emit,
            state_dir=functions_dir or state_dir,
            callbacks=self.callbacks,
            acting=acting,
            functions=functions or self._own_functions,
            tuning=tuning,
        )
        self.executions = PipelineExecutions(services, self.catalog, max_running)

    def resume(self) -> None:
        """Start the executions that were queued when the endpoint went down. Call it once the endpoint answers."""
        self.executions.dispatch()

    def close(self, timeout: float = 10.0) -> None:
        """Stop running executions and close the store. They end ``Failed`` and can be retried; queued ones are kept.

        Args:
            timeout: seconds to wait for jobs to end; executions still running then are failed by the next start.
        """
        self.executions.close(timeout)
        self._own_functions.stop_all()
        self._store.close()

    def _emit(self, event: dict[str, Any]) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            logger.exception("The receiver of status changes failed on %s", event["detail-type"])
