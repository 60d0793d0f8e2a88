"""What a training job does: channels down, the program, model and output up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.local.jobs import archives, requirements, script_mode
from pipeline.local.jobs.failures import REASON_LIMIT, JobFailure, client_error, shorten
from pipeline.local.jobs.kinds import JobStatus
from pipeline.local.jobs.objects import S3Uri, has_link, regular_files
from pipeline.local.jobs.outcome import Outcome, read_message, unzip_folder
from pipeline.local.jobs.running import ProcessEnd, RunningJob
from pipeline.local.jobs.shapes import model_artifacts_uri

_HOST = "algo-1"
_DEFAULT_RUNTIME_SECONDS = 86_400


@dataclass(frozen=True)
class Program:
    """What runs in the container.

    Attributes:
        script_mode: the image's own entry point runs it, whose exit status is 1 for every failure.
    """

    command: Sequence[str]
    variables: Mapping[str, str]
    directory: str
    script_mode: bool


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it fails before its program started, or while its outputs are stored.
    """
    request = job.request
    job.progress("Downloading")
    for folder in ("input/config", "input/data", "model", "output/data", "checkpoints", "code"):
        (job.ml / folder).mkdir(parents=True)
    channels = [_download_channel(job, channel) for channel in request.get("InputDataConfig", [])]
    _download_checkpoints(job)
    _write_configuration(job)
    program = _program(job, channels)
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    job.progress("Training")
    limit = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DEFAULT_RUNTIME_SECONDS)
    process = job.start_process(
        program.command,
        {
            "TRAINING_JOB_NAME": job.record.name,
            "TRAINING_JOB_ARN": job.record.arn,
            **program.variables,
            **request.get("Environment", {}),
        },
        program.directory,
        network=not request.get("EnableNetworkIsolation", False),
    )
    end = job.follow(process, limit)
    failed = end.code != 0 and not (end.stopped or end.timed_out)
    if not end.stopped:
        job.progress("Uploading")
    try:
        _upload(job, with_model=not failed)
    except JobFailure as failure:
        return Outcome(JobStatus.FAILED, shorten(str(failure)))
    if failed:
        return Outcome(JobStatus.FAILED, _failure_reason(job, program, end))
    if end.stopped:
        return Outcome(JobStatus.STOPPED)
    if end.timed_out:
        return Outcome(JobStatus.STOPPED, secondary_status="MaxRuntimeExceeded")
    return Outcome(JobStatus.COMPLETED)


def _program(job: RunningJob, channels: Sequence[Path]) -> Program:
    algorithm = job.request["AlgorithmSpecification"]
    explicit = [*algorithm.get("ContainerEntrypoint", []), *algorithm.get("ContainerArguments", [])]
    sources = script_mode.find_sources(job.request.get("HyperParameters", {}))
    if explicit:
        job.prepare_environment(algorithm["TrainingImage"], requirements.find(channels))
        return Program(explicit, {}, "/opt/ml", script_mode=False)
    if sources is None:
        raise client_error(
            "the job has neither AlgorithmSpecification.ContainerEntrypoint nor the hyperparameters sagemaker_program "
            "and sagemaker_submit_directory, so there is nothing to run."
        )
    script_mode.fetch_sources(job, sources)
    job.prepare_environment(algorithm["TrainingImage"], requirements.find([job.ml / "code"]))
    return Program(
        script_mode.command(job, sources),
        script_mode.variables(job, sources),
        "/opt/ml/code",
        script_mode=True,
    )


def _failure_reason(job: RunningJob, program: Program, end: ProcessEnd) -> str:
    message = read_message(job.ml / "output" / "failure")
    code = 1 if program.script_mode else end.code
    if message is None and program.script_mode:
        command = " ".join(script_mode.user_command(program.command))
        message = f'ExecuteUserScriptError:\nExitCode {end.code}\nErrorMessage ""\nCommand "{command}"'
    ending = f", exit code: {code}"
    return f"AlgorithmError: {message or 'See job logs for more information'}"[: REASON_LIMIT - len(ending)] + ending


def _download_channel(job: RunningJob, channel: Mapping[str, Any]) -> Path:
    folder: Path = job.ml / "input" / "data" / channel["ChannelName"]
    folder.mkdir()
    job.transfer.download_prefix(channel["DataSource"]["S3DataSource"]["S3Uri"], folder)
    if channel.get("CompressionType") == "Gzip":
        unzip_folder(folder)
    return folder


def _download_checkpoints(job: RunningJob) -> None:
    """What an earlier job left; none is normal."""
    configuration = job.request.get("CheckpointConfig")
    if configuration is None:
        return
    try:
        job.transfer.download_prefix(f"{configuration['S3Uri'].rstrip('/')}/", job.ml / "checkpoints")
    except JobFailure as failure:
        if "No S3 objects found" not in str(failure):
            raise


def _upload(job: RunningJob, *, with_model: bool) -> None:
    model_uri = model_artifacts_uri(job.record)
    output_uri = model_uri.rsplit("/output/", 1)[0] + "/output"
    for folder in ("model", "output/data", "checkpoints"):
        if has_link(job.ml, PurePosixPath(folder)):
            raise client_error(f'"/opt/ml/{folder}" is a symbolic link; links are not followed.')
    if with_model:
        _upload_packed(job, "model", model_uri)
    if any(True for _ in regular_files(job.ml / "output" / "data")):
        suffix = "/data/" if model_uri.endswith("/") else "/output.tar.gz"
        _upload_packed(job, "output/data", output_uri + suffix)
    configuration = job.request.get("CheckpointConfig")
    if configuration is not None:
        job.transfer.upload_folder(job.ml / "checkpoints", configuration["S3Uri"])


def _upload_packed(job: RunningJob, folder: str, uri: str) -> None:
    if uri.endswith("/"):
        job.transfer.upload_folder(job.ml / folder, uri)
        return
    archive = job.work / Path(uri).name
    archives.pack(job.ml / folder, archive)
    job.transfer.upload(archive, S3Uri.parse(uri))


def _write_configuration(job: RunningJob) -> None:
    folder = job.ml / "input" / "config"
    request = job.request
    instance = request.get("ResourceConfig", {}).get("InstanceType", "ml.m5.large")
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": [_HOST]}
    contents: dict[str, Any] = {
        "hyperparameters": dict(request.get("HyperParameters", {})),
        "inputdataconfig": {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": "None",
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in request.get("InputDataConfig", [])
        },
        "resourceconfig": {
            "current_host": _HOST,
            "current_instance_type": instance,
            "current_group_name": "homogeneousCluster",
            "hosts": [_HOST],
            "instance_groups": [group],
            "network_interface_name": "lo",
        },
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
