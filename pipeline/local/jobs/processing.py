"""What a processing job does: inputs down, the command, outputs up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.local.jobs import requirements
from pipeline.local.jobs.failures import REASON_LIMIT, JobFailure, client_error, shorten
from pipeline.local.jobs.kinds import JobStatus
from pipeline.local.jobs.objects import has_link
from pipeline.local.jobs.outcome import Outcome, read_message, unzip_folder
from pipeline.local.jobs.running import RunningJob

_HOST = "algo-1"
_DEFAULT_RUNTIME_SECONDS = 86_400


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it fails before its command started, or while its outputs are stored.
    """
    request = job.request
    _write_configuration(job)
    inputs = [_download_input(job, entry) for entry in request.get("ProcessingInputs", [])]
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for output in outputs:
        (job.ml / _relative(output)).mkdir(parents=True, exist_ok=True)
    specification = request["AppSpecification"]
    job.prepare_environment(specification["ImageUri"], requirements.find(folder for folder in inputs if folder))
    command = [*specification.get("ContainerEntrypoint", []), *specification.get("ContainerArguments", [])]
    if not command:
        raise client_error(
            "AppSpecification has no ContainerEntrypoint, and the image's own entry point is not available here."
        )
    limit = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DEFAULT_RUNTIME_SECONDS)
    process = job.start_process(
        command,
        request.get("Environment", {}),
        "/opt/ml",
        network=not request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
    )
    end = job.follow(process, limit)
    message = read_message(job.ml / "output" / "message")
    if end.stopped:
        return Outcome(JobStatus.STOPPED, exit_message=message)
    if end.timed_out:
        reason = f"ClientError: Job exceeded the maximum runtime of {limit} seconds, so it was stopped."
        return Outcome(JobStatus.STOPPED, failure_reason=reason, exit_message=message)
    if end.code != 0:
        ending = f", exit code: {end.code}"
        text = f"AlgorithmError: {message or 'See job logs for more information'}"
        return Outcome(JobStatus.FAILED, text[: REASON_LIMIT - len(ending)] + ending, message)
    try:
        for output in outputs:
            _upload_output(job, output)
    except JobFailure as failure:
        return Outcome(JobStatus.FAILED, shorten(str(failure)), message)
    return Outcome(JobStatus.COMPLETED, exit_message=message)


def _relative(entry: Mapping[str, Any]) -> PurePosixPath:
    """An output's folder below ``/opt/ml``. Requests are validated before (``validation.py``)."""
    path: str = entry["S3Output"]["LocalPath"]
    return PurePosixPath(path).relative_to("/opt/ml")


def _download_input(job: RunningJob, entry: Mapping[str, Any]) -> Path | None:
    source = entry["S3Input"]
    if entry.get("AppManaged", False) or "LocalPath" not in source:
        return None
    folder = job.ml / PurePosixPath(source["LocalPath"]).relative_to("/opt/ml")
    folder.mkdir(parents=True, exist_ok=True)
    job.transfer.download_prefix(source["S3Uri"], folder)
    if source.get("S3CompressionType") == "Gzip":
        unzip_folder(folder)
    return folder


def _upload_output(job: RunningJob, entry: Mapping[str, Any]) -> None:
    if entry.get("AppManaged", False):
        return
    relative = _relative(entry)
    if has_link(job.ml, relative):
        raise client_error(f'Output folder "/opt/ml/{relative}" is a symbolic link; links are not followed.')
    job.transfer.upload_folder(job.ml / relative, entry["S3Output"]["S3Uri"])


def _write_configuration(job: RunningJob) -> None:
    folder = job.ml / "config"
    folder.mkdir(parents=True)
    (job.ml / "output").mkdir()
    request = job.request
    configuration = {
        "ProcessingJobArn": job.record.arn,
        "ProcessingJobName": job.record.name,
        "AppSpecification": request["AppSpecification"],
        "Environment": request.get("Environment", {}),
        "ProcessingInputs": request.get("ProcessingInputs", []),
        "ProcessingOutputConfig": request.get("ProcessingOutputConfig", {"Outputs": []}),
        "ProcessingResources": request["ProcessingResources"],
        "NetworkConfig": request.get("NetworkConfig"),
        "RoleArn": request["RoleArn"],
        "StoppingCondition": request.get("StoppingCondition", {"MaxRuntimeInSeconds": _DEFAULT_RUNTIME_SECONDS}),
    }
    (folder / "processingjobconfig.json").write_text(json.dumps(configuration))
    instance = request["ProcessingResources"].get("ClusterConfig", {}).get("InstanceType", "ml.m5.large")
    hosts = {"current_host": _HOST, "current_instance_type": instance, "hosts": [_HOST]}
    (folder / "resourceconfig.json").write_text(json.dumps(hosts))
