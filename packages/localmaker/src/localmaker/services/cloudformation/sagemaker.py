"""Kinds of SageMaker's resources."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localmaker.services.cloudformation.fitting import UnfitError, document
from localmaker.services.cloudformation.kinds import Kind, Made, Properties

_DEFINITION, _IN_S3 = "PipelineDefinition", "PipelineDefinitionS3Location"
_IN_S3_NAMES = {"Bucket": "Bucket", "Key": "ObjectKey", "Version": "VersionId"}
_SECONDS, _PAUSE = 30.0, 0.1


@dataclass(frozen=True)
class _Pipeline(Kind):
    """A pipeline, whose definition is a property in one of two forms."""

    def parameters(self, client: Any, operation: str, properties: Properties) -> dict[str, Any]:
        given = properties.get(_DEFINITION)
        if not isinstance(given, Mapping):
            raise UnfitError(f"#/{_DEFINITION}: expected type: object, found: {type(given).__name__}")
        others = {key: value for key, value in properties.items() if key != _DEFINITION}
        if "PipelineDefinitionBody" in given:
            body = given["PipelineDefinitionBody"]
            others[_DEFINITION] = body if isinstance(body, str) else document(body)
        else:
            place: Mapping[str, Any] = given.get(_IN_S3, {})
            # The ETag is not compared: the version says the same.
            others[_IN_S3] = {_IN_S3_NAMES[key]: place[key] for key in place if key != "ETag"}
        return super().parameters(client, operation, others)

    def parameters_of(self, key: str) -> tuple[str, ...]:
        return (_DEFINITION, _IN_S3) if key == _DEFINITION else super().parameters_of(key)


@dataclass(frozen=True)
class _FeatureGroup(Kind):
    """A feature group, which takes a moment to be created, and to be deleted."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        made = super().made(client, name, properties)
        end = time.monotonic() + _SECONDS
        while (found := client.describe_feature_group(FeatureGroupName=made.physical_id))[
            "FeatureGroupStatus"
        ] == "Creating" and time.monotonic() < end:
            time.sleep(_PAUSE)
        if found["FeatureGroupStatus"] != "Created":
            raise UnfitError(f"it is {found['FeatureGroupStatus']}: {found.get('FailureReason', '')}")
        return made

    def gone(self, client: Any, made: Made, properties: Properties) -> None:
        super().gone(client, made, properties)
        end = time.monotonic() + _SECONDS
        with suppress(client.exceptions.ResourceNotFound):
            while time.monotonic() < end:
                client.describe_feature_group(FeatureGroupName=made.physical_id)
                time.sleep(_PAUSE)


@dataclass(frozen=True)
class _NotebookInstance(Kind):
    """A notebook instance, which is stopped before it is changed or deleted."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        made = super().made(client, name, properties)
        found = _settled(client, name, "Pending")
        if found == "Failed":
            reason = client.describe_notebook_instance(NotebookInstanceName=name).get("FailureReason", "")
            client.delete_notebook_instance(NotebookInstanceName=name)
            raise UnfitError(f"it is Failed: {reason}")
        return made

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        name = self.name_of(before)
        was_running = _stopped(client, name)
        changed = super().changed(client, before, old, new)
        if changed is not None and was_running:
            _settled(client, name, "Updating")
            client.start_notebook_instance(NotebookInstanceName=name)
        return changed

    def gone(self, client: Any, made: Made, properties: Properties) -> None:
        name = self.name_of(made)
        _stopped(client, name)
        super().gone(client, made, properties)
        with suppress(ClientError):
            _settled(client, name, "Deleting")


def _stopped(client: Any, name: str) -> bool:
    """Stop a notebook instance, and return whether it was running."""
    running = _settled(client, name, "Pending") == "InService"
    if running:
        client.stop_notebook_instance(NotebookInstanceName=name)
        _settled(client, name, "Stopping")
    return running


def _settled(client: Any, name: str, status: str) -> str:
    """Return the status of a notebook instance once it is another one, or after a while.

    Raises:
        ClientError: there is no such instance, or no longer.
    """
    end = time.monotonic() + _SECONDS
    while (found := str(client.describe_notebook_instance(NotebookInstanceName=name)["NotebookInstanceStatus"])) == (
        status
    ) and time.monotonic() < end:
        time.sleep(_PAUSE)
    return found


@dataclass(frozen=True)
class _Endpoint(Kind):
    """An endpoint; there is no operation here that changes one."""

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        if old.get(self.name) != new.get(self.name):
            return None
        self.gone(client, before, old)
        return self.made(client, self.name_of(before), new)


def _named(kind: type[Kind], noun: str, **more: Any) -> Kind:
    """Return a kind whose operations and members are called after its noun, and whose ``Ref`` is the ARN."""
    given = {
        "type": f"AWS::SageMaker::{noun}",
        "service": "sagemaker",
        "create": f"Create{noun}",
        "delete": f"Delete{noun}",
        "name": f"{noun}Name",
        "ref": f"{noun}Arn",
        "attributes": {f"{noun}Name": f"{noun}Name"},
        "underscores": False,
    }
    return kind(**{**given, **more})


KINDS = (
    _named(_Pipeline, "Pipeline", ref="PipelineName", attributes={}, update="UpdatePipeline", longest_name=256),
    _named(_FeatureGroup, "FeatureGroup", ref="FeatureGroupName", attributes={}, update="UpdateFeatureGroup"),
    _named(Kind, "ModelPackageGroup", attributes={"ModelPackageGroupArn": "ModelPackageGroupArn"}),
    _named(Kind, "CodeRepository", update="UpdateCodeRepository"),
    _named(_NotebookInstance, "NotebookInstance", update="UpdateNotebookInstance"),
    _named(Kind, "NotebookInstanceLifecycleConfig", update="UpdateNotebookInstanceLifecycleConfig"),
    _named(Kind, "Model"),
    _named(Kind, "EndpointConfig"),
    _named(_Endpoint, "Endpoint"),
)
