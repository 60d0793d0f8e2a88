"""Run a training job: channels down, the program, model and output up."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from localmaker.sandbox import limits
from localmaker.sandbox.sandbox import SandboxProcess
from localmaker.services.sagemaker.jobs.data.archives import find_requirements, find_wheels
from localmaker.services.sagemaker.jobs.data.channels import Channel, download_channels, make_pipes
from localmaker.services.sagemaker.jobs.data.continuous import ContinuousUpload
from localmaker.services.sagemaker.jobs.data.inputs import InputSource
from localmaker.services.sagemaker.jobs.data.pipes import PipeForm, first_failure
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error, shorten
from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome, algorithm_error, read_failure
from localmaker.services.sagemaker.jobs.requests import instances_of, runtime_limit
from localmaker.services.sagemaker.jobs.running import algorithms
from localmaker.services.sagemaker.jobs.running.following import ProcessEnd
from localmaker.services.sagemaker.jobs.running.installing import without_installing
from localmaker.services.sagemaker.jobs.running.instances import Instance
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob
from localmaker.services.sagemaker.jobs.training import outputs, script_mode

_FOLDERS = ("input/config", "input/data", "model", "output/data", "checkpoints", "code")
_SIGNALLED = 128


@dataclass(frozen=True)
class Program:
    """The program that runs in the container.

    Attributes:
        sources: of the image's own entry point, whose exit status is 1 for every failure; None for any other program.
    """

    command: Sequence[str]
    directory: str
    sources: script_mode.Sources | None = None


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it failed before its program started, or while its outputs were stored.
    """
    job.progress("Downloading")
    channels = _channels(job.request)
    program = _prepare(job, channels)
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    job.progress("Training")
    with ContinuousUpload(job.transfer, outputs.watched_folders(job), job.limits.disk_bytes) as uploads:
        with ExitStack() as feeds:
            feed = make_pipes(job.transfer, channels, _roots(job), job.log.say_from_any_thread)
            pipes = [feeds.enter_context(pipe) for pipe in feed]
            end = job.follow(job.start_all(functools.partial(_start, job, program)), runtime_limit(job.request))
        unread = first_failure(pipes)
    failed = unread is not None or (end.code != 0 and not (end.stopped or end.timed_out))
    job.progress("Uploading")
    try:
        uploads.finish()
        outputs.upload(job, with_model=not failed)
    except JobFailure as failure:
        return Outcome(JobStatus.FAILED, shorten(str(failure)))
    if failed:
        reason = shorten(str(unread)) if unread is not None else _failure_reason(job, program, end)
        return Outcome(JobStatus.FAILED, reason)
    return _ending(end)


def _ending(end: ProcessEnd) -> Outcome:
    """Return the outcome of a job that did not fail."""
    if end.stopped:
        return Outcome(JobStatus.STOPPED)
    if end.timed_out:
        return Outcome(JobStatus.STOPPED, secondary_status="MaxRuntimeExceeded")
    return Outcome(JobStatus.COMPLETED)


def _roots(job: RunningJob) -> Sequence[Path]:
    return [instance.ml for instance in job.instances]


def _channels(request: Mapping[str, Any]) -> Sequence[Channel]:
    return [
        Channel(
            InputSource.of(channel["DataSource"]["S3DataSource"]),
            PurePosixPath("input/data", channel["ChannelName"]),
            input_mode(request, channel),
            PipeForm.of(channel),
        )
        for channel in request.get("InputDataConfig", [])
    ]


def _prepare(job: RunningJob, channels: Sequence[Channel]) -> Program:
    """Provide everything that the container finds when it starts."""
    for root, folder in product(_roots(job), _FOLDERS):
        (root / folder).mkdir(parents=True)
    folders = download_channels(job.transfer, channels, _roots(job), job.limits.disk_bytes)
    outputs.prepare_folders(job)
    for instance in job.instances:
        _write_configuration(job, instance)
    return _program(job, folders)


def input_mode(request: Mapping[str, Any], channel: Mapping[str, Any]) -> str:
    """Return ``File``, ``FastFile`` or ``Pipe``."""
    mode: str = channel.get("InputMode", request["AlgorithmSpecification"].get("TrainingInputMode", "File"))
    return mode


def _start(job: RunningJob, program: Program, instance: Instance) -> SandboxProcess:
    request = job.request
    sources = program.sources
    return job.start_process(
        instance,
        program.command,
        {
            "TRAINING_JOB_NAME": job.record.name,
            "TRAINING_JOB_ARN": job.record.arn,
            **(script_mode.variables(job, instance, sources) if sources else {}),
            **request.get("Environment", {}),
        },
        program.directory,
        network=not request.get("EnableNetworkIsolation", False),
        read_only=[
            f"/opt/ml/input/data/{channel['ChannelName']}"
            for channel in request.get("InputDataConfig", [])
            if input_mode(request, channel) == "FastFile"
        ],
    )


def _program(job: RunningJob, folders: Sequence[Path]) -> Program:
    algorithm = job.request["AlgorithmSpecification"]
    image, network = algorithm["TrainingImage"], not job.request.get("EnableNetworkIsolation", False)
    explicit = script_mode.entry_point(algorithm)
    sources = script_mode.find_sources(job.request.get("HyperParameters", {}), job.request.get("Environment", {}))
    if explicit:
        requirements, wheels = find_requirements(folders), find_wheels(folders)
        job.prepare_environment(image, requirements, wheels, network=network)
        return Program(explicit, "/")
    if sources is None:
        return _own_algorithm(job, image, network=network)
    for instance in job.instances:
        script_mode.fetch_sources(job, instance, sources)
    code = job.instances[0].ml / "code"
    job.prepare_environment(image, find_requirements([code]), network=network)
    return Program(script_mode.command(code, sources), "/opt/ml/code", sources)


def _own_algorithm(job: RunningJob, image: str, *, network: bool) -> Program:
    """Return the program of the image's own algorithm."""
    program = job.find_image(image).train
    if program is None:
        raise client_error(
            "the job has neither AlgorithmSpecification.ContainerEntrypoint nor the hyperparameters sagemaker_program "
            "and sagemaker_submit_directory, and its image has no algorithm here, so there is nothing to run."
        )
    job.prepare_environment(image, [], network=network)
    for instance in job.instances:
        path = algorithms.bring(program, instance.ml)
    return Program(["python3", str(path)], "/")


def _failure_reason(job: RunningJob, program: Program, end: ProcessEnd) -> str:
    if end.exceeded is not None:
        return limits.failure_reason(end.exceeded, job.limits)
    message = read_failure(end.instance.ml / "output" / "failure")
    code = end.code if program.sources is None else 1
    if message is None and program.sources is not None:
        command = " ".join(without_installing(program.command))
        # The toolkit reports a signal as Python's subprocess does.
        status = end.code if end.code <= _SIGNALLED else _SIGNALLED - end.code
        message = f'ExecuteUserScriptError:\nExitCode {status}\nErrorMessage ""\nCommand "{command}"'
    return algorithm_error(message, code)


def _write_configuration(job: RunningJob, instance: Instance) -> None:
    folder = instance.ml / "input" / "config"
    request = job.request
    kind = instances_of(job.record.kind, request).type
    group = {"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": job.hosts}
    contents: dict[str, Any] = {
        "hyperparameters": dict(request.get("HyperParameters", {})),
        "inputdataconfig": {
            channel["ChannelName"]: {
                "TrainingInputMode": input_mode(request, channel),
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in request.get("InputDataConfig", [])
        },
        "resourceconfig": {
            "current_host": instance.host,
            "current_instance_type": kind,
            "current_group_name": "homogeneousCluster",
            "hosts": job.hosts,
            "instance_groups": [group],
            "network_interface_name": "lo",
        },
    }
    checkpoints = outputs.checkpoint_configuration(request)
    if checkpoints is not None:
        contents["checkpointconfig"] = checkpoints
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
