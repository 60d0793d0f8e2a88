"""The instances that a Create request asks for, and the key of what they store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobKind

_DEFAULT_TYPE = "ml.m5.large"
_OUTPUTS = {
    JobKind.PROCESSING: "ProcessingOutputConfig",
    JobKind.TRAINING: "OutputDataConfig",
    JobKind.TRANSFORM: "TransformOutput",
}


@dataclass(frozen=True)
class Instances:
    """How many instances of which type.

    Attributes:
        selected: the type comes from InstancePreferences.
    """

    type: str
    count: int
    selected: bool = False


def cluster_of(kind: JobKind, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The structure of a request that names its instances."""
    cluster: Mapping[str, Any] = {
        JobKind.PROCESSING: request.get("ProcessingResources", {}).get("ClusterConfig", {}),
        JobKind.TRAINING: request.get("ResourceConfig", {}),
        JobKind.TRANSFORM: request.get("TransformResources", {}),
    }[kind]
    return cluster


def instances_of(kind: JobKind, request: Mapping[str, Any]) -> Instances:
    """The instances of a job. Of InstancePreferences the first is always to be had here."""
    cluster = cluster_of(kind, request)
    preferences = cluster.get("InstancePreferences")
    chosen = {**cluster, **preferences[0]} if preferences else cluster
    return Instances(
        chosen.get("InstanceType", _DEFAULT_TYPE), int(chosen.get("InstanceCount", 1)), selected=bool(preferences)
    )


def output_key(kind: JobKind, request: Mapping[str, Any]) -> str | None:
    """The KMS key that a job's outputs are encrypted with."""
    return request.get(_OUTPUTS[kind], {}).get("KmsKeyId") or None
