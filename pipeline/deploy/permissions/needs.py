"""What compiled definitions ask of the role that they run as: kinds of steps, scripts, images, functions, queues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipedef.arns import queue_arn, repository_arn
from pipeline.deploy.permissions.places import Place, places_of

_IMAGE_FIELDS = frozenset({"Image", "ImageUri", "TrainingImage"})


def arguments_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step's arguments; a Callback or Lambda step may have none."""
    return step.get("Arguments") or {}


def steps_of(definition: str) -> list[dict[str, Any]]:
    """All steps of a compiled definition, those inside conditions included."""

    def walk(steps: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for step in steps:
            yield step
            if step["Type"] == "Condition":
                yield from walk(arguments_of(step).get("IfSteps") or [])
                yield from walk(arguments_of(step).get("ElseSteps") or [])

    return list(walk(json.loads(definition)["Steps"]))


@dataclass(frozen=True)
class Needs:
    """What the definitions ask for.

    Attributes:
        step_types: of the steps.
        scripts: of ``steps/`` that processing steps run.
        repositories: ARNs of what the steps' images are in.
        functions: ARNs of the functions that Lambda steps call.
        queues: ARNs of the queues that Callback steps send to.
        places: S3 objects that the steps read and write.
        endpoint_configurations: names that steps give to the endpoint configurations that they make.
        experiments: whether executions are kept as trials of an experiment.
    """

    step_types: frozenset[str]
    scripts: frozenset[str]
    repositories: frozenset[str]
    functions: frozenset[str]
    queues: frozenset[str]
    places: frozenset[Place]
    endpoint_configurations: frozenset[str]
    experiments: bool

    @classmethod
    def of(cls, definitions: Iterable[str], region: str) -> Needs:
        """Read compiled definitions of a region's pipelines; what is a pipeline variable is not known, and left out."""
        texts = list(definitions)
        steps = [step for text in texts for step in steps_of(text)]
        return cls(
            step_types=frozenset(step["Type"] for step in steps),
            scripts=frozenset(name for step in steps for name in _scripts(step)),
            repositories=frozenset(found for step in steps for found in _repositories(arguments_of(step))),
            functions=frozenset(step["FunctionArn"] for step in steps if isinstance(step.get("FunctionArn"), str)),
            queues=frozenset(queue for step in steps if (queue := queue_arn(step.get("SqsQueueUrl"), region))),
            places=places_of(steps),
            endpoint_configurations=frozenset(
                name for step in steps if isinstance(name := arguments_of(step).get("EndpointConfigName"), str)
            ),
            experiments=any(json.loads(text).get("PipelineExperimentConfig") for text in texts),
        )


def _scripts(step: Mapping[str, Any]) -> Iterator[str]:
    # Definitions of other people come here too, before anything has been said about what is wrong with them.
    application = arguments_of(step).get("AppSpecification")
    words = application.get("ContainerEntrypoint") if isinstance(application, Mapping) else None
    words = words if isinstance(words, list) else []
    yield from (PurePosixPath(word).name for word in words if isinstance(word, str) and word.endswith(".py"))


def _repositories(value: Any) -> Iterator[str]:
    """The repository of every image below a value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            found = repository_arn(item) if key in _IMAGE_FIELDS else None
            yield from [found] if found else _repositories(item)
    elif isinstance(value, list):
        for item in value:
            yield from _repositories(item)
