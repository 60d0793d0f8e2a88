"""What a step needs its role to be allowed on: objects, images, roles, keys, functions, queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipedef.arns import queue_arn, repository_arn
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import default_location, object_arn, pattern_of
from pipedef.document.values import follow
from pipedef.language.expressions import GET, is_expression

_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_IMAGES = frozenset({"Image", "ImageUri", "TrainingImage"})
_ROLES = frozenset({"RoleArn", "ExecutionRoleArn"})
_KEYS = frozenset({"KmsKeyId", "VolumeKmsKeyId"})
_KEY_ACTIONS = {"KmsKeyId": "kms:GenerateDataKey", "VolumeKmsKeyId": "kms:CreateGrant"}


@dataclass(frozen=True)
class Needed:
    """One action on one resource.

    Attributes:
        action: such as ``s3:GetObject``.
        arn: of the resource, a pattern where parts of it are known only once the pipeline runs.
        shown: the resource as messages name it.
        field: path inside the step.
    """

    action: str
    arn: str
    shown: str
    field: str


def needed(step: Step, definition: Definition, partition: str, region: str) -> Iterator[Needed]:
    """Everything that a step's arguments name and that can be known before it runs.

    Args:
        step: of the definition.
        definition: that the step's references lead into.
        partition: of AWS, as ARNs name it.
        region: that the pipeline runs in.
    """
    yield from _objects(step, definition, partition)
    yield from _named(step.arguments, "Arguments")
    function = step.content.get("FunctionArn")
    if isinstance(function, str):
        yield Needed("lambda:InvokeFunction", function, function, "FunctionArn")
    queue = queue_arn(step.content.get("SqsQueueUrl"), region)
    if queue is not None:
        yield Needed("sqs:SendMessage", queue, queue, "SqsQueueUrl")


def _objects(step: Step, definition: Definition, partition: str) -> Iterator[Needed]:
    places = [("s3:GetObject", path, uri) for _, path, uri in step.inputs()]
    places += [("s3:PutObject", path, uri) for _, path, uri in step.outputs()]
    places += [("s3:GetObject", path, uri) for path, uri in _further_inputs(step)]
    for action, path, uri in places:
        # What is a parameter is by default what it is unless somebody says otherwise.
        places_of_it = (pattern_of(uri, definition), default_location(uri, definition))
        location = next((one for one in places_of_it if one.startswith("s3:/")), None)
        if location is not None:
            yield Needed(action, f"{object_arn(location, partition)}*", location, path)


def _further_inputs(step: Step) -> Iterator[tuple[str, Any]]:
    """Input of a batch transform, and model artefacts; what another step wrote is that step's matter."""
    source = ("TransformInput", "DataSource", "S3DataSource", "S3Uri")
    found = [(f"Arguments.{'.'.join(source)}", follow(step.arguments, *source))]
    found += [(path, uri) for path, uri in _values(step.arguments, "Arguments", frozenset({"ModelDataUrl"}))]
    yield from ((path, uri) for path, uri in found if not (is_expression(uri) and GET in uri))


def _named(arguments: Mapping[str, Any], path: str) -> Iterator[Needed]:
    for field, image in _values(arguments, path, _IMAGES):
        repository = repository_arn(image)
        if repository is not None:
            yield from (Needed(action, repository, str(image), field) for action in _PULL)
    for field, role in _values(arguments, path, _ROLES):
        if isinstance(role, str):
            yield Needed("iam:PassRole", role, role, field)
    for field, key in _values(arguments, path, _KEYS):
        # Which key an alias is of, only KMS knows.
        if isinstance(key, str) and ":key/" in key:
            yield Needed(_KEY_ACTIONS[field.rpartition(".")[2]], key, key, field)


def _values(value: Any, path: str, names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """(path, value) of every member of these names below a value."""
    if isinstance(value, Mapping) and not is_expression(value):
        for key, item in value.items():
            if key in names:
                yield f"{path}.{key}", item
            else:
                yield from _values(item, f"{path}.{key}", names)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _values(item, f"{path}[{index}]", names)
