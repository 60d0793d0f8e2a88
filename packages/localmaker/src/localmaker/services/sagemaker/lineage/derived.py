"""The entities of jobs, model packages and endpoints, from their descriptions. Pure.

They are those of the developer guide's page "Amazon SageMaker AI-Created Tracking Entities". There is one artifact for
each SourceUri, so that a job that reads what another one wrote is connected to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from localmaker.services.sagemaker.lineage.graph import Association, Entity, EntityKind, Graph
from localmaker.services.sagemaker.listing import seconds

_DATA_SET, _IMAGE, _MODEL, _CHECKPOINT = "DataSet", "Image", "Model", "Checkpoint"
_CONTRIBUTED, _PRODUCED, _ASSOCIATED = "ContributedTo", "Produced", "AssociatedWith"
_RESOURCE = {
    EntityKind.ARTIFACT: "artifact",
    EntityKind.ACTION: "action",
    EntityKind.CONTEXT: "context",
    EntityKind.TRIAL_COMPONENT: "experiment-trial-component",
}
#: An artifact of a job: type and SourceUri.
Piece = tuple[str, str]


class Deriving:
    """Adds what follows from descriptions to a graph.

    Args:
        graph: to add to.
        prefix: of ARNs: ``arn:aws:sagemaker:us-east-1:123456789012:``.
    """

    def __init__(self, graph: Graph, prefix: str) -> None:
        self._graph = graph
        self._prefix = prefix

    def job(self, kind: str, described: Mapping[str, Any]) -> None:
        """Add a job: its trial component, what it read, and what it wrote if it has completed."""
        name, created = described[f"{kind}JobName"], _seconds(described["CreationTime"])
        modified = _seconds(described.get("LastModifiedTime") or described["CreationTime"])
        component = component_name(kind, name)
        arn = arn_of(self._prefix, EntityKind.TRIAL_COMPONENT, component)
        source = {"SourceArn": described[f"{kind}JobArn"], "SourceType": f"SageMaker{kind}Job"}
        self._graph.add(
            Entity(EntityKind.TRIAL_COMPONENT, arn, f"{kind}Job", created, modified, component, source, more=described)
        )
        for piece in _inputs(described):
            self._connect(self._artifact(piece, created), arn, _CONTRIBUTED, created)
        if described[f"{kind}JobStatus"] == "Completed":
            for piece in _outputs(described):
                self._connect(arn, self._artifact(piece, modified), _PRODUCED, modified)

    def package(self, package: Mapping[str, Any], group: Mapping[str, Any] | None) -> None:
        """Add a model package: its models and images, its approval, and its group."""
        created = package["CreationTime"]
        arn = self._artifact((_MODEL, package["ModelPackageArn"]), created)
        for container in package.get("InferenceSpecification", {}).get("Containers", []):
            for piece in _container(container):
                self._connect(self._artifact(piece, created), arn, _CONTRIBUTED, created)
        status = package.get("ModelApprovalStatus")
        if group is None:
            return
        named = f"{group['ModelPackageGroupName']}-{package.get('ModelPackageVersion', 1)}"
        if status is not None:
            changed = package.get("LastModifiedTime", created)
            action = self._named(
                EntityKind.ACTION,
                f"{named}-{status}-{int(changed)}-aws-model-package",
                "Approval",
                {"SourceUri": package["ModelPackageArn"], "SourceType": "ARN"},
                changed,
                properties={"ModelApprovalStatus": status},
                more={"Status": "Completed"},
            )
            # To the package, as in the recorded output of AWS's abalone sample.
            self._connect(action, arn, _CONTRIBUTED, changed)
        context = self._named(
            EntityKind.CONTEXT,
            f"{group['ModelPackageGroupName']}-{int(group['CreationTime'])}-aws-model-package-group",
            "ModelGroup",
            {"SourceUri": group["ModelPackageGroupArn"], "SourceType": "ARN"},
            group["CreationTime"],
        )
        self._connect(arn, context, _ASSOCIATED, created)

    def endpoint(self, endpoint: Mapping[str, Any], models: Iterable[Mapping[str, Any]]) -> None:
        """Add an endpoint: its context, its deployment, and the models that it has."""
        name, created = endpoint["EndpointName"], _seconds(endpoint["CreationTime"])
        source = {"SourceUri": endpoint["EndpointArn"], "SourceType": "ARN"}
        context = self._named(EntityKind.CONTEXT, f"{name}-{int(created)}-aws-endpoint", "Endpoint", source, created)
        action = self._named(
            EntityKind.ACTION,
            f"{name}-{int(created)}-aws-model-deployment",
            "ModelDeployment",
            source,
            created,
            more={"Status": "Completed"},
        )
        self._connect(action, context, _ASSOCIATED, created)
        for model in models:
            for container in (model.get("PrimaryContainer"), *model.get("Containers", [])):
                for piece in _container(container or {}):
                    self._connect(self._artifact(piece, created), action, _CONTRIBUTED, created)

    def _artifact(self, piece: Piece, created: float) -> str:
        kind, uri = piece
        arn = artifact_arn(self._prefix, uri)
        source = {"SourceUri": uri, "SourceTypes": []}
        self._graph.add(Entity(EntityKind.ARTIFACT, arn, kind, created, created, source=source))
        return arn

    def _named(
        self,
        kind: EntityKind,
        name: str,
        type_: str,
        source: Mapping[str, Any],
        created: float,
        *,
        properties: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> str:
        arn = arn_of(self._prefix, kind, name)
        self._graph.add(Entity(kind, arn, type_, created, created, name, source, properties or {}, more=more or {}))
        return arn

    def _connect(self, source: str, destination: str, type_: str, created: float) -> None:
        self._graph.connect(Association(source, destination, type_, created))


def arn_of(prefix: str, kind: EntityKind, name: str) -> str:
    """Return the ARN of an entity with a name."""
    return f"{prefix}{_RESOURCE[kind]}/{name}"


def artifact_arn(prefix: str, uri: str, source_types: Iterable[Mapping[str, str]] = ()) -> str:
    """Return the ARN of the artifact of a SourceUri, told apart by its SourceTypes if it has any."""
    types = "".join(f"\n{one['SourceIdType']}={one['Value']}" for one in source_types)
    digest = hashlib.md5(f"{uri}{types}".encode(), usedforsecurity=False).hexdigest()
    return f"{prefix}{_RESOURCE[EntityKind.ARTIFACT]}/{digest}"


def component_name(kind: str, job: str) -> str:
    """Return the name of a job's trial component."""
    return f"{job}-aws-{kind.lower()}-job"


def _inputs(described: Mapping[str, Any]) -> Iterator[Piece]:
    algorithm, application = described.get("AlgorithmSpecification", {}), described.get("AppSpecification", {})
    for image in (algorithm.get("TrainingImage"), application.get("ImageUri")):
        if image:
            yield _IMAGE, image
    for item in described.get("ProcessingInputs", []):
        if "S3Input" in item:
            yield _DATA_SET, item["S3Input"]["S3Uri"]
    for item in described.get("InputDataConfig", []):
        if "S3DataSource" in item["DataSource"]:
            yield _DATA_SET, item["DataSource"]["S3DataSource"]["S3Uri"]
    if "CheckpointConfig" in described:
        yield _CHECKPOINT, described["CheckpointConfig"]["S3Uri"]
    if "TransformInput" in described:
        yield _DATA_SET, described["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]


def _outputs(described: Mapping[str, Any]) -> Iterator[Piece]:
    model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if model:
        yield _MODEL, model
    for item in described.get("ProcessingOutputConfig", {}).get("Outputs", []):
        if "S3Output" in item:
            yield _DATA_SET, item["S3Output"]["S3Uri"]
    if "TransformOutput" in described:
        yield _DATA_SET, described["TransformOutput"]["S3OutputPath"]


def _container(container: Mapping[str, Any]) -> Iterator[Piece]:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    for kind, uri in (
        (_MODEL, container.get("ModelDataUrl") or source),
        (_MODEL, container.get("ModelPackageName")),
        (_IMAGE, container.get("Image")),
    ):
        if uri:
            yield kind, uri


def _seconds(moment: datetime | float) -> float:
    return seconds(moment) if isinstance(moment, datetime) else moment
