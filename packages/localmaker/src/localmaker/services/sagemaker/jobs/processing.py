"""What a processing job does: inputs down, the command, outputs up."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from localmaker.services.sagemaker.jobs import requirements
from localmaker.services.sagemaker.jobs.data.continuous import ContinuousUpload, WatchedFolder
from localmaker.services.sagemaker.jobs.data.inputs import InputSource, download, find_objects, share
from localmaker.services.sagemaker.jobs.data.objects import has_link
from localmaker.services.sagemaker.jobs.data.pipes import ChannelPipe, PipeForm, first_failure
from localmaker.services.sagemaker.jobs.defaults import with_defaults
from localmaker.services.sagemaker.jobs.failures import REASON_LIMIT, JobFailure, client_error, shorten
from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome, read_message, unzip_folder
from localmaker.services.sagemaker.jobs.resources import instances_of
from localmaker.services.sagemaker.jobs.sandbox import limits
from localmaker.services.sagemaker.jobs.sandbox.following import ProcessEnd
from localmaker.services.sagemaker.jobs.sandbox.instances import Instance
from localmaker.services.sagemaker.jobs.sandbox.running import RunningJob
from localmaker.services.sagemaker.jobs.sandbox.sandbox import SandboxProcess


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it fails before its command started, or while its outputs are stored.
    """
    request = job.request
    inputs = _download_inputs(job)
    outputs = _managed_outputs(job)
    for instance in job.instances:
        _write_configuration(job, instance)
        for output in outputs:
            (instance.ml / _relative(output)).mkdir(parents=True, exist_ok=True)
    specification = request["AppSpecification"]
    job.prepare_environment(specification["ImageUri"], requirements.find(inputs))
    command = [*specification.get("ContainerEntrypoint", []), *specification.get("ContainerArguments", [])]
    if not command:
        raise client_error(
            "AppSpecification has no ContainerEntrypoint, and the image's own entry point is not available here."
        )
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    limit = with_defaults(job.record.kind, request)["StoppingCondition"]["MaxRuntimeInSeconds"]
    with ExitStack() as streams:
        uploads = streams.enter_context(ContinuousUpload(job.transfer, _continuous_folders(job, outputs)))
        pipes = [streams.enter_context(pipe) for pipe in _pipes(job)]
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
            for instance, output in product(reversed(job.instances), outputs):
                _upload_output(job, instance, output)
    except JobFailure as failure:
        return Outcome(JobStatus.FAILED, shorten(str(failure)), message)
    return _outcome(job, end, message, limit)


def _pipes(job: RunningJob) -> Iterator[ChannelPipe]:
    """The inputs in Pipe mode: ``LocalPath`` is the pipes' path without ``_<epoch>``, as a channel's folder is."""
    for instance, entry in product(job.instances, _managed_inputs(job)):
        source = entry["S3Input"]
        if source.get("S3InputMode", "File") == "Pipe":
            prefix = instance.ml / _below_ml(source["LocalPath"])
            prefix.parent.mkdir(parents=True, exist_ok=True)
            yield ChannelPipe(
                job.transfer,
                InputSource.of(source),
                PipeForm(gzipped=source.get("S3CompressionType", "None") == "Gzip"),
                prefix,
                instance=instance.number,
                count=len(job.instances),
                tell=job.log.say_from_any_thread,
            )


def _start(job: RunningJob, command: Sequence[str], instance: Instance) -> SandboxProcess:
    isolated = job.request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
    return job.start_process(instance, command, job.request.get("Environment", {}), "/opt/ml", network=not isolated)


def _outcome(job: RunningJob, end: ProcessEnd, message: str | None, limit: int) -> Outcome:
    if end.stopped:
        return Outcome(JobStatus.STOPPED, exit_message=message)
    if end.timed_out:
        reason = f"ClientError: Job exceeded the maximum runtime of {limit} seconds, so it was stopped."
        return Outcome(JobStatus.STOPPED, failure_reason=reason, exit_message=message)
    if end.exceeded is not None:
        return Outcome(JobStatus.FAILED, limits.failure_reason(end.exceeded, job.limits), message)
    if end.code != 0:
        ending = f", exit code: {end.code}"
        own = read_message([end.instance.ml / "output" / "message"])
        text = f"AlgorithmError: {own or 'See job logs for more information'}"
        return Outcome(JobStatus.FAILED, text[: REASON_LIMIT - len(ending)] + ending, message)
    return Outcome(JobStatus.COMPLETED, exit_message=message)


def _relative(entry: Mapping[str, Any]) -> PurePosixPath:
    """An output's folder below ``/opt/ml``."""
    return _below_ml(entry["S3Output"]["LocalPath"])


def _below_ml(path: str) -> PurePosixPath:
    """Requests are validated before (``validation.py``)."""
    return PurePosixPath(path).relative_to("/opt/ml")


def _managed_outputs(job: RunningJob) -> Sequence[Mapping[str, Any]]:
    """As :func:`_managed_inputs`."""
    outputs = job.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [entry for entry in outputs if not entry.get("AppManaged", False)]


def _managed_inputs(job: RunningJob) -> Sequence[Mapping[str, Any]]:
    """The inputs that the application does not see to itself."""
    return [entry for entry in job.request.get("ProcessingInputs", []) if not entry.get("AppManaged", False)]


def _download_inputs(job: RunningJob) -> Sequence[Path]:
    """Returns the first instance's input folders."""
    folders: list[Path] = []
    for entry in _managed_inputs(job):
        source = entry["S3Input"]
        if source.get("S3InputMode", "File") == "Pipe":
            continue
        where = InputSource.of(source)
        objects = find_objects(job.transfer, where)
        for instance in job.instances:
            folder = instance.ml / _below_ml(source["LocalPath"])
            folder.mkdir(parents=True, exist_ok=True)
            download(job.transfer, share(objects, where, instance.number, len(job.instances)), folder)
            if source.get("S3CompressionType") == "Gzip":
                unzip_folder(folder)
            if instance.number == 1:
                folders.append(folder)
    return folders


def _is_continuous(output: Mapping[str, Any]) -> bool:
    return bool(output["S3Output"]["S3UploadMode"] == "Continuous")


def _continuous_folders(job: RunningJob, outputs: Sequence[Mapping[str, Any]]) -> Sequence[WatchedFolder]:
    return [
        WatchedFolder(instance.ml, _relative(output), output["S3Output"]["S3Uri"])
        for instance in reversed(job.instances)
        for output in outputs
        if _is_continuous(output)
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
