"""What jobs run and read: pinned images and code, isolation from the network, instances, the input of a transform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.checks.registry import Problem, Severity, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import ANYTHING, default_location, differs_by_execution, pattern_of
from pipedef.document.values import code_channel, follow, objects
from pipedef.language.expressions import is_expression

#: Steps whose image AWS publishes without a version.
_IMAGES_OF_AWS = frozenset({"ClarifyCheck", "QualityCheck"})
_IMAGE_FIELDS = frozenset({"Image", "ImageUri", "TrainingImage"})
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_MOVING_TAGS = frozenset(
    {
        "latest",
        "stable",
        "edge",
        "nightly",
        "canary",
        "current",
        "next",
        "release",
        "lts",
        "snapshot",
        "main",
        "master",
        "trunk",
        "head",
        "dev",
        "develop",
        "development",
        "test",
        "stage",
        "staging",
        "prod",
        "production",
    }
)
#: Of a tag such as ``1.9-latest``.
_MOVING_PARTS = frozenset({"latest", "nightly"})
#: Steps that run scripts → where they list inputs.
_INPUTS_OF = {"Processing": "ProcessingInputs", "Training": "InputDataConfig"}
_CONTENT_ADDRESSED = re.compile(r"/[0-9a-f]{64}(/|$)")


@definition_check("images-pinned", Severity.WARNING)
def images_are_pinned(definition: Definition) -> Iterator[Problem]:
    """Check that every container image has a tag that does not move, or a digest."""
    for step in definition.steps:
        if step.type in _IMAGES_OF_AWS:
            continue
        for field, image in _images(step.arguments, "Arguments"):
            reason = _moving(image)
            if reason:
                yield Problem(
                    reason,
                    "Name the version, such as …/sagemaker-scikit-learn:1.9-0-cpu-py3, or the digest.",
                    step=step.name,
                    field=field,
                )


def _images(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, image URI) of every image below a JSON value."""
    if isinstance(value, Mapping) and not is_expression(value):
        for key, item in value.items():
            if key in _IMAGE_FIELDS:
                yield f"{path}.{key}", item
            else:
                yield from _images(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _images(item, f"{path}[{index}]")


def _moving(image: Any) -> str:
    """Return why an image can change; empty where it can't."""
    if not isinstance(image, str):
        return "The image is a pipeline variable: which one will run is not known."
    if _DIGEST.search(image):
        return ""
    if "@" in image:
        return f"{image} has a malformed digest, not sha256: and 64 hexadecimal digits."
    _, colon, tag = image.rpartition("/")[2].partition(":")
    if not colon or not tag:
        return f"{image} has no tag, which means latest."
    moves = tag.lower() in _MOVING_TAGS or _MOVING_PARTS & set(re.split(r"[-._]", tag.lower()))
    return f"{image} has a tag that moves." if moves else ""


@definition_check("code-pinned", Severity.WARNING)
def code_is_pinned(definition: Definition) -> Iterator[Problem]:
    """Check that the code of every cached step is in a path that names its content, so that new code runs.

    A step's cache compares where the code is, not what it is.
    """
    checked = [step for step in definition.steps if step.cached or definition.project.code_named_by_digest]
    for step in checked:
        for field, location in _code(step, definition):
            if not _CONTENT_ADDRESSED.search(location):
                yield Problem(
                    f"{location} can hold other code tomorrow, and a cached result would stay."
                    if step.cached
                    else f"{location} can hold other code tomorrow.",
                    "Put the SHA-256 of the code into its path.",
                    step=step.name,
                    field=field,
                )


def _code(step: Step, definition: Definition) -> Iterator[tuple[str, str]]:
    submitted = follow(step.arguments, "HyperParameters", "sagemaker_submit_directory")
    channel = code_channel(submitted)
    if channel is not None:
        yield from ((field, pattern_of(uri, definition)) for name, field, uri in step.inputs() if name == channel)
    elif submitted is not None:
        yield "Arguments.HyperParameters.sagemaker_submit_directory", pattern_of(submitted, definition)
    channels = {"code"} if step.type == "Processing" and step.script is not None else set()
    channels |= {name for name in map(code_channel, step.entry_point) if name is not None}
    for name, field, uri in step.inputs():
        if name in channels:
            yield field, pattern_of(uri, definition)


def _isolation(step: Step) -> str | None:
    """Return the path of the field that takes the network from a step's container; None where it has one."""
    for keys in (("EnableNetworkIsolation",), ("NetworkConfig", "EnableNetworkIsolation")):
        if follow(step.arguments, *keys) is True:
            return ".".join(("Arguments", *keys))
    return None


@definition_check("network-isolation")
def isolated_steps_need_no_network(definition: Definition) -> Iterator[Problem]:
    """Check that containers without a network call no AWS API and fetch no code."""
    for step in definition.steps:
        field = _isolation(step)
        if field is None:
            continue
        actions = definition.script_actions(step)
        if actions:
            yield Problem(
                f"{step.script} calls {', '.join(sorted(set(actions)))}, and the container has no network.",
                "Leave the step its network.",
                step=step.name,
                field=field,
            )
        submitted = follow(step.arguments, "HyperParameters", "sagemaker_submit_directory")
        if submitted is not None and code_channel(submitted) is None:
            yield Problem(
                "The training toolkit fetches the code from S3 inside the container, which has no network.",
                "Give the code as a channel and name its path in /opt/ml/input/data.",
                step=step.name,
                field="Arguments.HyperParameters.sagemaker_submit_directory",
            )


@definition_check("libraries-as-input")
def jobs_bring_their_libraries(definition: Definition) -> Iterator[Problem]:
    """Check that the job of every script has the input that it installs libraries from, where the project names one."""
    wanted = definition.project.libraries_input
    for step in definition.steps_of_type(*_INPUTS_OF) if wanted else ():
        if step.script is not None and wanted not in {name for name, _, _ in step.inputs()}:
            yield Problem(
                f"{step.script} installs what the image lacks from the input {wanted!r}, which its job does not have"
                f"{_no_other_way(step)}.",
                f"Give the step the input {wanted!r}, with the folder that holds the libraries.",
                step=step.name,
                field=f"Arguments.{_INPUTS_OF[step.type]}",
            )


def _no_other_way(step: Step) -> str:
    if _isolation(step):
        return ", and it has no network"
    in_vpc = follow(step.arguments, "VpcConfig") or follow(step.arguments, "NetworkConfig", "VpcConfig")
    return ", and its subnets need no way to a package index" if in_vpc else ""


@definition_check("instances-share-work", Severity.WARNING)
def instances_share_the_work(definition: Definition) -> Iterator[Problem]:
    """Check that several instances of a processing job share the input."""
    for step in definition.steps_of_type("Processing"):
        if step.script in definition.project.sharing_scripts:
            continue
        count = follow(step.arguments, "ProcessingResources", "ClusterConfig", "InstanceCount")
        distributions = [
            follow(item, "S3Input", "S3DataDistributionType")
            for _, item in objects(step.arguments.get("ProcessingInputs"))
        ]
        if isinstance(count, int) and count > 1 and "ShardedByS3Key" not in distributions:
            yield Problem(
                f"Each of the {count} instances gets all of the input and writes to the same outputs.",
                "Use one instance, or distribute an input with ShardedByS3Key.",
                step=step.name,
                field="Arguments.ProcessingResources.ClusterConfig.InstanceCount",
            )


_FILE_AT_THE_END = re.compile(r".*/[^/*]+\.[A-Za-z0-9]+", re.DOTALL)


@definition_check("transform-input", Severity.WARNING)
def transform_takes_one_file(definition: Definition) -> Iterator[Problem]:
    """Check that a transform that is to read one file names it, in a folder that no other execution writes to.

    The type S3Prefix takes every object whose key begins like the location: ``a.csv`` also takes ``a.csv.bak``.
    """
    for step in definition.steps_of_type("Transform") if definition.project.transforms_read_one_file else ():
        source = follow(step.arguments, "TransformInput", "DataSource", "S3DataSource")
        if follow(source, "S3DataType") != "S3Prefix":
            continue  # a manifest lists its objects
        field = "Arguments.TransformInput.DataSource.S3DataSource.S3Uri"
        location = pattern_of(source.get("S3Uri"), definition)
        if location == ANYTHING:
            # Of a parameter alone nothing is known but its default.
            location = default_location(source.get("S3Uri"), definition)
        if not _FILE_AT_THE_END.fullmatch(location):
            shown = location if location != ANYTHING else "What is known only when the pipeline runs"
            yield Problem(
                f"{shown} is a prefix: the transform takes every object whose key begins like that.",
                "Join the folder with the file's name.",
                step=step.name,
                field=field,
            )
        elif not differs_by_execution(source.get("S3Uri"), definition):
            yield Problem(
                f"{location} lies in a folder that others write to, and a key that begins like it is taken, too.",
                "Take the file from the output of a step of this execution.",
                step=step.name,
                field=field,
            )
