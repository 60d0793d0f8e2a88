"""Regions: each has its own pipelines, executions and jobs, as in AWS; they share the machine.

A region is opened by the first request that names it, or at the start of the endpoint if it has stored state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from localmaker.errors import AwsError
from localmaker.http.protocol import is_region_name
from localmaker.ports import EventPublisher, LocalEndpoint
from localmaker.services.events.job_events import job_event
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.sagemaker.jobs.data.trees import remove_tree
from localmaker.services.sagemaker.jobs.service import JobService, job_slots
from localmaker.services.sagemaker.pipelines.service import PipelineService
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tuning.service import TuningJobs
from localmaker.state.formats import REGIONS_FOLDER


@dataclass(frozen=True)
class Region:
    """The services of one region.

    Attributes:
        name: such as ``eu-west-1``.
        jobs, tuning, pipelines: the services that run them.
        acting: gives them clients that act under roles.
    """

    name: str
    jobs: JobService
    tuning: TuningJobs
    pipelines: PipelineService
    acting: Acting


class Regions:
    """The regions of one endpoint.

    Args:
        endpoint: whose state directory, account and clients they use.
        events: receives the status changes of jobs and executions.
        acting_in: returns what gives a region's services clients that act under roles.
        functions: in progress; knows the only way out of a VPC, if jobs and functions in one have not the machine's.
    """

    def __init__(
        self,
        endpoint: LocalEndpoint,
        events: EventPublisher,
        acting_in: Callable[[str], Acting],
        functions: RunningFunctions,
    ) -> None:
        self._functions = functions
        self._endpoint = endpoint
        self._events = events
        self._acting_in = acting_in
        self._folder = endpoint.state_dir / REGIONS_FOLDER
        self._slots = job_slots()
        self._lock = threading.Lock()
        self._opened: dict[str, Region] = {}
        self._closed = False

    def resume(self) -> None:
        """Open the regions with stored state; queued executions continue. Call it once the endpoint answers."""
        names = {path.name for path in self._folder.iterdir()} if self._folder.is_dir() else set()
        for name in sorted({*names, self._endpoint.region}):
            self.at(name)

    def at(self, name: str) -> Region:
        """Return a region by its name, opened if need be.

        Raises:
            AwsError: the name is invalid, or the endpoint is shutting down.
        """
        with self._lock:
            region = self._opened.get(name)
            if region is not None:
                return region
            if self._closed:
                raise AwsError("InternalFailure", "The local endpoint is shutting down.", 500)
            region = self._open(name)
            self._opened[name] = region
        region.pipelines.resume()
        return region

    def forget(self) -> None:
        """Stop executions and jobs, and begin again without any."""
        self.close()
        if self._folder.is_dir():
            remove_tree(self._folder)
        with self._lock:
            self._opened = {}
            self._closed = False

    def close(self) -> None:
        """Stop executions and jobs, while requests are still answered."""
        with self._lock:
            self._closed = True
            opened = list(self._opened.values())
        for region in opened:
            region.pipelines.close()
        for region in opened:
            region.tuning.close()
            region.jobs.close()
            region.tuning.join()
            region.acting.close()

    def _open(self, name: str) -> Region:
        if not is_region_name(name):
            raise AwsError("ValidationException", f"{name!r} is not the name of a region.")
        endpoint, folder = self._endpoint, self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        acting = self._acting_in(name)
        jobs = JobService(
            folder,
            lambda service: endpoint.client(service, name),
            acting=acting,
            url=endpoint.url,
            region=name,
            account_id=endpoint.account_id,
            on_status_change=lambda kind, description: self._events.publish(
                {**job_event(kind.value, description), "region": name}
            ),
            slots=self._slots,
            images_dir=endpoint.state_dir,
            door=self._functions.door,
        )
        tuning = TuningJobs(
            endpoint.service(ResourceStore, name),
            jobs,
            region=name,
            account_id=endpoint.account_id,
            on_status_change=lambda description: self._events.publish(
                {**job_event("HyperParameterTuning", description), "region": name}
            ),
        )
        pipelines = PipelineService(
            folder,
            endpoint.account_id,
            name,
            jobs,
            lambda service: endpoint.client(service, name),
            on_event=self._events.publish,
            acting=acting,
            functions_dir=endpoint.state_dir,
            functions=self._functions,
            tuning=tuning,
        )
        return Region(name, jobs, tuning, pipelines, acting)
