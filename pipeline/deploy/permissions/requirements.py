"""What compiled definitions require of the role that they run as: jobs, scripts, images, functions, S3 locations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipedef.arns import queue_arn, repository_arn

_IMAGE_FIELDS = frozenset({"Image", "ImageUri", "TrainingImage"})
_BRANCHES = ("IfSteps", "ElseSteps")
_SCHEME = "s3://"
_SCRIPT_ARGUMENTS = "ContainerArguments"
#: Members of a request below which a job writes; a script may read or write the locations among its arguments.
_WRITTEN = ("Output", "Checkpoint", "DataCapture", _SCRIPT_ARGUMENTS)


def arguments_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a step's arguments; a Callback or Lambda step may have none."""
    return step.get("Arguments") or {}


def steps_of(definition: str) -> list[dict[str, Any]]:
    """Return all steps of a compiled definition, those inside conditions included."""

    def walk(steps: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for step in steps:
            yield step
            if step["Type"] == "Condition":
                for branch in _BRANCHES:
                    yield from walk(arguments_of(step).get(branch) or [])

    return list(walk(json.loads(definition)["Steps"]))


@dataclass(frozen=True, order=True)
class S3Location:
    """Objects of a bucket.

    Attributes:
        bucket: its name.
        keys: pattern of the keys, such as ``runs/*``.
        written: whether something is written there, and not only read.
    """

    bucket: str
    keys: str
    written: bool


@dataclass(frozen=True)
class Requirements:
    """What the definitions use.

    Attributes:
        step_types: of the steps.
        scripts: of ``steps/`` that processing steps run.
        repositories: ARNs of the repositories of the steps' images.
        functions: ARNs of the functions that Lambda steps call.
        queues: ARNs of the queues that Callback steps send to.
        locations: S3 objects that the steps read and write.
        endpoint_configurations: names that steps give to the endpoint configurations that they create.
        experiments: whether executions are kept as trials of an experiment.
    """

    step_types: frozenset[str]
    scripts: frozenset[str]
    repositories: frozenset[str]
    functions: frozenset[str]
    queues: frozenset[str]
    locations: frozenset[S3Location]
    endpoint_configurations: frozenset[str]
    experiments: bool

    @classmethod
    def of(cls, definitions: Iterable[str], region: str) -> Requirements:
        """Read compiled definitions of a region's pipelines; the values of pipeline variables are unknown, left out."""
        texts = list(definitions)
        steps = [step for text in texts for step in steps_of(text)]
        return cls(
            step_types=frozenset(step["Type"] for step in steps),
            scripts=frozenset(name for step in steps for name in _scripts(step)),
            repositories=frozenset(found for step in steps for found in _repositories(arguments_of(step))),
            functions=frozenset(step["FunctionArn"] for step in steps if isinstance(step.get("FunctionArn"), str)),
            queues=frozenset(queue for step in steps if (queue := queue_arn(step.get("SqsQueueUrl"), region))),
            locations=locations_of(steps),
            endpoint_configurations=frozenset(
                name for step in steps if isinstance(name := arguments_of(step).get("EndpointConfigName"), str)
            ),
            experiments=any(json.loads(text).get("PipelineExperimentConfig") for text in texts),
        )


def _scripts(step: Mapping[str, Any]) -> Iterator[str]:
    # Other people's definitions come here too, before any check has run.
    application = arguments_of(step).get("AppSpecification")
    words = application.get("ContainerEntrypoint") if isinstance(application, Mapping) else None
    words = words if isinstance(words, list) else []
    yield from (PurePosixPath(word).name for word in words if isinstance(word, str) and word.endswith(".py"))


def _repositories(value: Any) -> Iterator[str]:
    """Yield the repository of every image below a value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            found = repository_arn(item) if key in _IMAGE_FIELDS else None
            yield from [found] if found else _repositories(item)
    elif isinstance(value, list):
        for item in value:
            yield from _repositories(item)


def locations_of(steps: Iterable[Mapping[str, Any]]) -> frozenset[S3Location]:
    """Return every S3 location in the arguments of steps, as far as it is known before an execution."""
    return frozenset(location for step in steps for location in _locations(step.get("Arguments"), ()))


def _locations(value: Any, path: tuple[str, ...]) -> Iterator[S3Location]:
    text = _known_prefix(value)
    if text is not None:
        # Where a variable comes first, or in the bucket's name, the bucket is unknown.
        if text.startswith(_SCHEME) and (isinstance(value, str) or "/" in text.removeprefix(_SCHEME)):
            yield _location(text, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            # The steps of a condition's branches are steps themselves.
            if key not in _BRANCHES:
                yield from _locations(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from _locations(item, path)


def _known_prefix(value: Any) -> str | None:
    """Return a text, or a joined one up to its first variable; None for what is no text."""
    if isinstance(value, str):
        return value
    body = value.get("Std:Join") if isinstance(value, Mapping) else None
    pieces = body.get("Values") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(pieces, list):
        return None
    text, between = "", str(body.get("On", ""))
    for piece in pieces:
        if not isinstance(piece, str):
            return text
        text += f"{piece}{between}"
    return text.removesuffix(between)


def _location(uri: str, path: tuple[str, ...]) -> S3Location:
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    folder, slash, _ = key.partition("/")
    # A URI is a prefix of keys; scripts are given folders.
    keys = f"{folder}/*" if slash or (key and _SCRIPT_ARGUMENTS in path) else f"{key}*"
    return S3Location(bucket, keys, any(part in word for word in path for part in _WRITTEN))
