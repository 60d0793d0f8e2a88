"""The training jobs that a tuning request describes: one definition, or several that take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.jobs.shapes import service_model
from localmaker.services.sagemaker.tuning.ranges import Space, space_of

# SageMaker tells each training job so what its tuning job looks at.
_OBJECTIVE = "_tuning_objective_metric"
# Members of HyperParameterTuningResourceConfig that a training job has, too.
_RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


@dataclass(frozen=True)
class Definition:
    """One kind of training job.

    Attributes:
        job: the HyperParameterTrainingJobDefinition.
        space: what is tuned.
        metric: the name of the objective metric; None where the request gives none.
        maximize: whether a higher value of it is better.
    """

    job: Mapping[str, Any]
    space: Space
    metric: str | None
    maximize: bool

    @property
    def name(self) -> str | None:
        """The name of the definition, which only several need."""
        return self.job.get("DefinitionName")


def definitions_of(request: Mapping[str, Any]) -> Sequence[Definition]:
    """Return the definitions of a Create request.

    Raises:
        ValueError: a bound of a range is no number.
    """
    configuration = request["HyperParameterTuningJobConfig"]
    single = [request["TrainingJobDefinition"]] if "TrainingJobDefinition" in request else []
    return [_definition(job, configuration) for job in (*single, *request.get("TrainingJobDefinitions", []))]


def _definition(job: Mapping[str, Any], configuration: Mapping[str, Any]) -> Definition:
    objective = job.get("TuningObjective") or configuration.get("HyperParameterTuningJobObjective") or {}
    ranges = job.get("HyperParameterRanges") or configuration.get("ParameterRanges") or {}
    return Definition(job, space_of(ranges), objective.get("MetricName"), objective.get("Type") == "Maximize")


def training_request(
    definition: Definition, name: str, values: Mapping[str, str], tags: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Return the CreateTrainingJob request of one training job.

    Args:
        definition: of the tuning job.
        name: of the training job.
        values: of the tuned hyperparameters.
        tags: of the tuning job, which its training jobs have, too.
    """
    job, shape = definition.job, service_model().operation_model("CreateTrainingJob").input_shape
    members: Mapping[str, Any] = {} if shape is None else shape.members
    request = {member: value for member, value in job.items() if member in members}
    request["TrainingJobName"] = name
    request["HyperParameters"] = {
        **job.get("StaticHyperParameters", {}),
        **values,
        **({_OBJECTIVE: definition.metric} if definition.metric else {}),
    }
    resources = job.get("HyperParameterTuningResourceConfig")
    if resources is not None:
        # The first of InstanceConfigs is always available here.
        chosen = {**resources, **next(iter(resources.get("InstanceConfigs", [])), {})}
        request["ResourceConfig"] = {member: chosen[member] for member in _RESOURCES if member in chosen}
    if "CheckpointConfig" in job:
        # Each training job has checkpoints of its own: one must not go on from another's.
        checkpoints = job["CheckpointConfig"]
        request["CheckpointConfig"] = {**checkpoints, "S3Uri": f"{checkpoints['S3Uri'].rstrip('/')}/{name}"}
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request
