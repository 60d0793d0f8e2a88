"""Run a processing job: inputs down, the command, outputs up."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from localmaker.sandbox import limits
from localmaker.sandbox.sandbox import SandboxProcess
from localmaker.services.sagemaker.jobs.data.archives import find_requirements, find_wheels
from localmaker.services.sagemaker.jobs.data.channels import Channel, below_ml, download_channels, make_pipes
from localmaker.services.sagemaker.jobs.data.continuous import ContinuousUpload, WatchedFolder
from localmaker.services.sagemaker.jobs.data.inputs import InputSource
from localmaker.services.sagemaker.jobs.data.objects import S3Uri, check_outputs, has_link
from localmaker.services.sagemaker.jobs.data.pipes import PipeForm, first_failure
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error, shorten
from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome, algorithm_error, read_message
from localmaker.services.sagemaker.jobs.requests import instances_of, runtime_limit, with_defaults
from localmaker.services.sagemaker.jobs.running.following import ProcessEnd
from localmaker.services.sagemaker.jobs.running.instances import Instance
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it fails before its command started, or while its outputs are stored.
    """
    request = job.request
    channels, roots = _channels(job), [instance.ml for instance in job.instances]
    inputs = download_channels(job.transfer, channels, roots, job.limits.disk_bytes)
    outputs = _managed_outputs(job)
    for instance in job.instances:
        _write_configuration(job, instance)
        for output in outputs:
            (instance.ml / _relative(output)).mkdir(parents=True, exist_ok=True)
    specification = request["AppSpecification"]
    requirements, wheels = find_requirements(inputs), find_wheels(inputs)
    job.prepare_environment(specification["ImageUri"], requirements, wheels, network=_has_network(job))
    command = [*specification.get("ContainerEntrypoint", []), *specification.get("ContainerArguments", [])]
    if not command:
        raise client_error(
            "AppSpecification has no ContainerEntrypoint, and the image's own entry point is not available here."
        )
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    limit = runtime_limit(request)
    with ExitStack() as streams:
        uploads = streams.enter_context(
            ContinuousUpload(job.transfer, _continuous_folders(job, outputs), job.limits.disk_bytes)
        )
        pipes = [
            streams.enter_context(pipe)
            for pipe in make_pipes(job.transfer, channels, roots, job.log.say_from_any_thread)
        ]
        end = job.follow(job.start_all(functools.partial(_start, job, command)), limit)
    message = None
    try:
        message = read_message(instance.ml / "output" / "message" for instance in job.instances)
        uploads.finish()
        missing = first_failure(pipes)
        if missing is not None:
            raise missing
        if end.code == 0 and not (end.stopped or end.timed_out):
            # The first instance's files come last: of several with one key, its own stays.
            for instance in job.instances:
                check_outputs(_folders_at_end(instance, outputs), job.limits.disk_bytes)
            for instance, output in product(reversed(job.instances), outputs):
                _upload_output(job, instance, output)
    except JobFailure as failure:
        return Outcome(JobStatus.FAILED, shorten(str(failure)), message)
    return _outcome(job, end, message, limit)


def _channels(job: RunningJob) -> Sequence[Channel]:
    """Return the inputs that SageMaker itself provides; those that AppManaged says are the program's."""
    return [
        Channel(
            InputSource.of(source),
            below_ml(source["LocalPath"]),
            source.get("S3InputMode", "File"),
            PipeForm(gzipped=source.get("S3CompressionType", "None") == "Gzip"),
        )
        for entry in job.request.get("ProcessingInputs", [])
        if not entry.get("AppManaged", False)
        for source in [entry["S3Input"]]
    ]


def _start(job: RunningJob, command: Sequence[str], instance: Instance) -> SandboxProcess:
    return job.start_process(instance, command, job.request.get("Environment", {}), "/", network=_has_network(job))


def _has_network(job: RunningJob) -> bool:
    return not job.request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)


def _outcome(job: RunningJob, end: ProcessEnd, message: str | None, limit: int) -> Outcome:
    if end.stopped:
        return Outcome(JobStatus.STOPPED, exit_message=message)
    if end.timed_out:
        reason = f"ClientError: Job exceeded the maximum runtime of {limit} seconds, so it was stopped."
        return Outcome(JobStatus.STOPPED, failure_reason=reason, exit_message=message)
    if end.exceeded is not None:
        return Outcome(JobStatus.FAILED, limits.failure_reason(end.exceeded, job.limits), message)
    if end.code != 0:
        own = read_message([end.instance.ml / "output" / "message"])
        return Outcome(JobStatus.FAILED, algorithm_error(own, end.code), message)
    return Outcome(JobStatus.COMPLETED, exit_message=message)


def _relative(entry: Mapping[str, Any]) -> PurePosixPath:
    """Return an output's folder below ``/opt/ml``."""
    return below_ml(entry["S3Output"]["LocalPath"])


def _managed_outputs(job: RunningJob) -> Sequence[Mapping[str, Any]]:
    """Return the outputs that SageMaker itself uploads."""
    outputs = job.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [entry for entry in outputs if not entry.get("AppManaged", False)]


def _is_continuous(output: Mapping[str, Any]) -> bool:
    return bool(output["S3Output"]["S3UploadMode"] == "Continuous")


def _continuous_folders(job: RunningJob, outputs: Sequence[Mapping[str, Any]]) -> Sequence[WatchedFolder]:
    return [
        WatchedFolder(instance.ml, _relative(output), output["S3Output"]["S3Uri"])
        for instance in reversed(job.instances)
        for output in outputs
        if _is_continuous(output)
    ]


def _folders_at_end(instance: Instance, outputs: Sequence[Mapping[str, Any]]) -> Sequence[tuple[Path, S3Uri]]:
    return [
        (instance.ml / _relative(output), S3Uri.parse(output["S3Output"]["S3Uri"]))
        for output in outputs
        if not _is_continuous(output)
    ]


def _upload_output(job: RunningJob, instance: Instance, entry: Mapping[str, Any]) -> None:
    if _is_continuous(entry):
        return
    relative = _relative(entry)
    if has_link(instance.ml, relative):
        raise client_error(f'Output folder "/opt/ml/{relative}" is a symbolic link; links are not followed.')
    job.transfer.upload_folder(instance.ml / relative, entry["S3Output"]["S3Uri"])


def _write_configuration(job: RunningJob, instance: Instance) -> None:
    folder = instance.ml / "config"
    folder.mkdir(parents=True)
    (instance.ml / "output").mkdir(exist_ok=True)
    request = with_defaults(job.record.kind, job.request)
    configuration = {
        "ProcessingJobArn": job.record.arn,
        "ProcessingJobName": job.record.name,
        "AppSpecification": {"ContainerEntrypoint": None, "ContainerArguments": None, **request["AppSpecification"]},
        "Environment": request.get("Environment", {}),
        "ProcessingInputs": request.get("ProcessingInputs", []),
        "ProcessingOutputConfig": request.get("ProcessingOutputConfig", {"Outputs": []}),
        "ProcessingResources": request["ProcessingResources"],
        "NetworkConfig": request.get("NetworkConfig"),
        "RoleArn": request["RoleArn"],
        "StoppingCondition": request["StoppingCondition"],
    }
    (folder / "processingjobconfig.json").write_text(json.dumps(configuration))
    kind = instances_of(job.record.kind, request).type
    hosts = {"current_host": instance.host, "current_instance_type": kind, "hosts": job.hosts}
    (folder / "resourceconfig.json").write_text(json.dumps(hosts))
