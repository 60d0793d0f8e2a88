"""What SageMaker adds to a job's request in its Describe response: the values that hold where none was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.resources import instances_of

DEFAULT_RUNTIME_SECONDS = 86_400
_DISTRIBUTION = {"S3DataDistributionType": "FullyReplicated"}
_MANAGED = {"AppManaged": False}
_STOPPING = {"MaxRuntimeInSeconds": DEFAULT_RUNTIME_SECONDS}

Structure = Mapping[str, Any]


def with_defaults(kind: JobKind, request: Structure) -> dict[str, Any]:
    """The request with SageMaker's defaults in it."""
    return _COMPLETE[kind](request)


def _processing(request: Structure) -> dict[str, Any]:
    completed = {"StoppingCondition": _STOPPING, **request}
    completed["ProcessingResources"] = _inside(
        request["ProcessingResources"], "ClusterConfig", _selected(JobKind.PROCESSING, request)
    )
    if "ProcessingInputs" in request:
        completed["ProcessingInputs"] = [_processing_input(entry) for entry in request["ProcessingInputs"]]
    outputs: Structure | None = request.get("ProcessingOutputConfig")
    if outputs is not None:
        completed["ProcessingOutputConfig"] = {**outputs, "Outputs": _each(outputs["Outputs"], _MANAGED)}
    return completed


def _processing_input(entry: Structure) -> Structure:
    defaults = {"S3InputMode": "File", "S3CompressionType": "None", **_DISTRIBUTION}
    return _inside({**_MANAGED, **entry}, "S3Input", defaults)


def _training(request: Structure) -> dict[str, Any]:
    completed = {"StoppingCondition": _STOPPING, **request}
    algorithm = request.get("AlgorithmSpecification")
    if algorithm is not None:
        series = {"EnableSageMakerMetricsTimeSeries": bool(algorithm.get("MetricDefinitions"))}
        completed["AlgorithmSpecification"] = {**series, **algorithm}
    if "InputDataConfig" in request:
        channel = {"CompressionType": "None", "RecordWrapperType": "None"}
        completed["InputDataConfig"] = [
            {**channel, **entry, "DataSource": _inside(entry["DataSource"], "S3DataSource", _DISTRIBUTION)}
            for entry in request["InputDataConfig"]
        ]
    completed = _inside(completed, "ResourceConfig", _selected(JobKind.TRAINING, request))
    return _inside(completed, "OutputDataConfig", {"KmsKeyId": "", "CompressionType": "GZIP"})


def _transform(request: Structure) -> dict[str, Any]:
    processing = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    completed = _inside(request, "TransformInput", {"CompressionType": "None", "SplitType": "None"})
    completed = _inside(completed, "TransformOutput", {"AssembleWith": "None", "KmsKeyId": ""})
    return {**completed, "DataProcessing": {**processing, **request.get("DataProcessing", {})}}


def _selected(kind: JobKind, request: Structure) -> Structure:
    """Which of InstancePreferences it has become."""
    instances = instances_of(kind, request)
    if not instances.selected:
        return {}
    return {"SelectedInstanceType": instances.type, "SelectedInstanceCount": instances.count}


_COMPLETE: Mapping[JobKind, Callable[[Structure], dict[str, Any]]] = {
    JobKind.PROCESSING: _processing,
    JobKind.TRAINING: _training,
    JobKind.TRANSFORM: _transform,
}


def _inside(structure: Structure, member: str, defaults: Structure) -> dict[str, Any]:
    """A structure with defaults in one of its members, if it has that."""
    if member not in structure:
        return dict(structure)
    return {**structure, member: {**defaults, **structure[member]}}


def _each(entries: Sequence[Structure], defaults: Structure) -> Sequence[Structure]:
    return [{**defaults, **entry} for entry in entries]
