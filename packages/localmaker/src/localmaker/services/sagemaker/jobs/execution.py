"""Run one job from its start to its outcome: its directory, its logs, the code of its kind, and the clean-up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.sandbox import sandbox
from localmaker.sandbox.limits import limits_now, read_settings
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation
from localmaker.services.iam.acting import Acting, JobIdentity, RoleRefusedError
from localmaker.services.logs.writer import JobLog
from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer
from localmaker.services.sagemaker.jobs.failures import JobFailure, JobStopped, JobTimedOut, client_error, shorten
from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind, JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome
from localmaker.services.sagemaker.jobs.processing.job import run as run_processing
from localmaker.services.sagemaker.jobs.records import JobRecord, Metric
from localmaker.services.sagemaker.jobs.requests import instances_of, output_key
from localmaker.services.sagemaker.jobs.running.following import StopSignal
from localmaker.services.sagemaker.jobs.running.instances import Instance, host_name
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob
from localmaker.services.sagemaker.jobs.training.job import run as run_training
from localmaker.services.sagemaker.jobs.training.metrics import MetricReader, Watch, publish
from localmaker.services.sagemaker.jobs.transform.job import run as run_transform
from localmaker.services.sagemaker.jobs.transform.models import Place, place_of
from localmaker.state.credentials import ANY

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

_LOGGER = logging.getLogger(__name__)

_RUNNERS: Mapping[JobKind, Callable[[RunningJob], Outcome]] = {
    JobKind.PROCESSING: run_processing,
    JobKind.TRAINING: run_training,
    JobKind.TRANSFORM: run_transform,
}


class Executor:
    """Executes jobs, each in the calling thread.

    Args:
        client: gives a boto3 client of the endpoint by service name; used from many threads.
        acting: gives each job clients and credentials of its role; without it all jobs use the endpoint's.
        state_dir, url, region: of the endpoint.
        stop_grace_seconds: time between the request to stop and the end of the process tree.
        isolation: how jobs are isolated from the machine; detected if None.
        door: the only way out of the network of jobs with a VpcConfig; without one they have the machine's.

    Raises:
        LimitSettingError: a variable that sets a limit is not a positive number.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        *,
        acting: Acting | None,
        state_dir: Path,
        url: str,
        region: str,
        stop_grace_seconds: float,
        isolation: Isolation | None,
        door: Door | None = None,
    ) -> None:
        self._door = door
        self._state_dir = state_dir
        self._limits = read_settings()
        self._forced_isolation = isolation
        self._client = client
        self._acting = acting
        self._url, self._region = url, region
        self._stop_grace_seconds = stop_grace_seconds

    @property
    def isolation(self) -> Isolation:
        """The isolation of jobs from the machine."""
        return self._forced_isolation or sandbox.detect_isolation()

    @property
    def sagemaker(self) -> SageMakerClient:
        """A client of the endpoint's SageMaker."""
        client: SageMakerClient = self._client("sagemaker")
        return client

    def execute(
        self,
        record: JobRecord,
        folder: Path,
        stop: StopSignal,
        progress: Callable[[str], None],
        watch: Watch,
    ) -> Outcome:
        """Run a job to its end. Failures are part of the outcome.

        Args:
            record: of the job.
            folder: the job's directory, for its logs and, while it runs, ``work/``.
            stop: asks it to stop.
            progress: receives a training job's secondary status, or ``Stopping`` of any job.
            watch: receives each value of a metric, in the thread that reads its log.
        """
        try:
            place = place_of(self.sagemaker, record.kind, record.request)
            with self._identity(record, place) as identity:
                return self._execute(record, folder, stop, progress, watch, identity=identity, place=place)
        except JobStopped as end:
            return _stopped(record.kind, end)
        except JobFailure as failure:
            return Outcome(JobStatus.FAILED, shorten(str(failure)))
        except RoleRefusedError as refusal:
            return Outcome(JobStatus.FAILED, shorten(str(client_error(str(refusal)))))
        except Exception as error:
            _LOGGER.exception("%s job %s", record.kind, record.name)
            return Outcome(JobStatus.FAILED, shorten(f"InternalServerError: {type(error).__name__}: {error}"))

    def publish_metrics(self, job: JobId, metrics: Sequence[Metric]) -> None:
        """Send the metrics of a training job to CloudWatch. A failure to do so does not change the job."""
        if not metrics:
            return
        try:
            publish(self._client("cloudwatch"), job.name, metrics)
        except (BotoCoreError, ClientError):
            _LOGGER.exception("the metrics of %s job %s could not be stored", job.kind, job.name)

    def _execute(
        self,
        record: JobRecord,
        folder: Path,
        stop: StopSignal,
        progress: Callable[[str], None],
        watch: Watch,
        *,
        identity: JobIdentity,
        place: Place,
    ) -> Outcome:
        # Everything that may fail comes before the logs are opened.
        isolation, sagemaker = self.isolation, self.sagemaker
        key = output_key(record.kind, record.request)
        transfer = ObjectTransfer(identity.s3, self._region, place.role, key=key, is_stopped=lambda: stop.requested)
        metrics = MetricReader.of(record, self._state_dir, watch)
        instances = [
            self._make_instance(record, folder, number, metrics, identity.logs)
            for number in range(1, instances_of(record.kind, record.request).count + 1)
        ]
        running = RunningJob(
            record=record,
            work=folder / "work",
            instances=instances,
            transfer=transfer,
            sagemaker=sagemaker,
            stop=stop,
            progress=progress,
            network_variables={**self._network_variables(), **identity.variables},
            isolation=isolation,
            stop_grace_seconds=self._stop_grace_seconds,
            limits=limits_now(self._limits, folder, len(instances)),
            state_dir=self._state_dir,
            door=self._door if place.in_vpc else None,
        )
        try:
            return replace(_RUNNERS[record.kind](running), metrics=metrics.final(), series=metrics.all())
        except JobFailure as failure:
            running.log.say(str(failure))
            raise
        finally:
            for instance in instances:
                instance.log.close()
                if instance.data_log is not None:
                    instance.data_log.close()
            running.clean_up()

    def _identity(self, record: JobRecord, place: Place) -> AbstractContextManager[JobIdentity]:
        if self._acting is None:
            return nullcontext(JobIdentity(self._client("s3"), self._client("logs"), {}))
        return self._acting.job(record.kind.log_group, record.arn, place.role, place.image, record.request)

    def _make_instance(
        self, record: JobRecord, folder: Path, number: int, metrics: MetricReader, logs: CloudWatchLogsClient
    ) -> Instance:
        host = host_name(number)
        work = folder / "work" / host
        (work / "ml").mkdir(parents=True)
        stream = (record.log_stream or f"{record.name}/{host_name(1)}").replace(f"/{host_name(1)}", f"/{host}")
        path, group = log_file(folder, number), record.kind.log_group
        log = JobLog(path, logs, group, stream, metrics.read)
        if record.kind is not JobKind.TRANSFORM:
            return Instance(number, work, log)
        data_path = path.with_name(f"{path.name}-data")
        return Instance(number, work, log, JobLog(data_path, logs, group, f"{stream}/data-log"))

    def _network_variables(self) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": self._url,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_REGION": self._region,
            **ANY.variables(),
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def _stopped(kind: JobKind, end: JobStopped) -> Outcome:
    """Return the outcome of a job that was stopped before its program ran."""
    if not isinstance(end, JobTimedOut):
        return Outcome(JobStatus.STOPPED)
    if kind is JobKind.TRAINING:
        return Outcome(JobStatus.STOPPED, secondary_status="MaxRuntimeExceeded")
    return Outcome(JobStatus.STOPPED, str(client_error(str(end))))


def log_file(folder: Path, instance: int) -> Path:
    """Return the file of an instance's output: ``log`` for the first, ``log-algo-2`` and so on."""
    return folder / ("log" if instance == 1 else f"log-{host_name(instance)}")
