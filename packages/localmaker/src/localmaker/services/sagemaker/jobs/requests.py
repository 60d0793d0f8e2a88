"""The instances, output key and time limit of a Create request, and the defaults that Describe shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.metric_definitions import with_metric_definitions

_DEFAULT_RUNTIME_SECONDS = 86_400
_DEFAULT_TYPE = "ml.m5.large"
_DISTRIBUTION = {"S3DataDistributionType": "FullyReplicated"}
_MANAGED = {"AppManaged": False}
_STOPPING = {"MaxRuntimeInSeconds": _DEFAULT_RUNTIME_SECONDS}
_OUTPUTS = {
    JobKind.PROCESSING: "ProcessingOutputConfig",
    JobKind.TRAINING: "OutputDataConfig",
    JobKind.TRANSFORM: "TransformOutput",
}

Structure = Mapping[str, Any]


@dataclass(frozen=True)
class Instances:
    """The number and type of a job's instances.

    Attributes:
        selected: the type comes from InstancePreferences.
    """

    type: str
    count: int
    selected: bool = False


def cluster_of(kind: JobKind, request: Structure) -> Structure:
    """Return the structure of a request that describes its instances."""
    cluster: Structure = {
        JobKind.PROCESSING: request.get("ProcessingResources", {}).get("ClusterConfig", {}),
        JobKind.TRAINING: request.get("ResourceConfig", {}),
        JobKind.TRANSFORM: request.get("TransformResources", {}),
    }[kind]
    return cluster


def instances_of(kind: JobKind, request: Structure) -> Instances:
    """Return the instances of a job. The first of InstancePreferences is always available here."""
    cluster = cluster_of(kind, request)
    preferences = cluster.get("InstancePreferences")
    chosen = {**cluster, **preferences[0]} if preferences else cluster
    return Instances(
        chosen.get("InstanceType", _DEFAULT_TYPE), int(chosen.get("InstanceCount", 1)), selected=bool(preferences)
    )


def output_key(kind: JobKind, request: Structure) -> str | None:
    """Return the KMS key that encrypts a job's outputs."""
    return request.get(_OUTPUTS[kind], {}).get("KmsKeyId") or None


def runtime_limit(request: Structure) -> int:
    """Return the seconds that a processing or training job may run."""
    return int(request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DEFAULT_RUNTIME_SECONDS))


def with_defaults(kind: JobKind, request: Structure) -> dict[str, Any]:
    """Return the request completed by SageMaker's defaults."""
    return _COMPLETE[kind](request)


def _processing(request: Structure) -> dict[str, Any]:
    completed = {"StoppingCondition": _STOPPING, **request}
    completed["ProcessingResources"] = _inside(
        request["ProcessingResources"], "ClusterConfig", _selected(JobKind.PROCESSING, request)
    )
    if "ProcessingInputs" in request:
        completed["ProcessingInputs"] = [_processing_input(entry) for entry in request["ProcessingInputs"]]
    if "ProcessingOutputConfig" in request:
        outputs = [{**_MANAGED, **entry} for entry in request["ProcessingOutputConfig"]["Outputs"]]
        completed["ProcessingOutputConfig"] = {**request["ProcessingOutputConfig"], "Outputs": outputs}
    return completed


def _processing_input(entry: Structure) -> Structure:
    defaults = {"S3InputMode": "File", "S3CompressionType": "None", **_DISTRIBUTION}
    return _inside({**_MANAGED, **entry}, "S3Input", defaults)


def _training(request: Structure) -> dict[str, Any]:
    completed = {"StoppingCondition": _STOPPING, **request}
    if "AlgorithmSpecification" in request:
        completed = with_metric_definitions(completed, request.get("HyperParameters", {}))
        algorithm = completed["AlgorithmSpecification"]
        measured = "MetricDefinitions" in algorithm
        completed["AlgorithmSpecification"] = {"EnableSageMakerMetricsTimeSeries": measured, **algorithm}
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
    """Return the members that say which of InstancePreferences was selected."""
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
    """Return a structure with defaults added to one of its members, if it has that member."""
    if member not in structure:
        return dict(structure)
    return {**structure, member: {**defaults, **structure[member]}}
