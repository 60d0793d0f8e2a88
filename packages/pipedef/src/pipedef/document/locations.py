"""S3 locations that are known only in part, as patterns: ``s3://artifacts/runs/*/Train``, where ``*`` is anything."""

from __future__ import annotations

from functools import cache
from typing import Any

from pipedef.document.definition import Definition
from pipedef.document.values import follow, listed, references
from pipedef.language.expressions import (
    GET,
    JOIN,
    ExecutionReference,
    ParameterReference,
    StepReference,
    is_expression,
)

ANYTHING = "*"


def pattern_of(value: Any, definition: Definition, visited: frozenset[str] = frozenset()) -> str:
    """Return what a string argument can be once the pipeline runs.

    References to another step's output are followed to where that output goes. Parameters can be anything.

    Args:
        value: literal or expression.
        definition: that holds the steps referred to.
        visited: references being followed already, so that a cycle ends.
    """
    if not is_expression(value):
        return str(value)
    if JOIN in value:
        pieces = listed(follow(value, JOIN, "Values"))
        return str(follow(value, JOIN, "On") or "").join(pattern_of(item, definition, visited) for item in pieces)
    name = str(value.get(GET))
    if GET not in value or name in visited:
        return ANYTHING
    target = referred_output(value, definition)
    if target is None:
        return ANYTHING
    location, below = target
    return pattern_of(location, definition, visited | {name}) + below


def default_location(value: Any, definition: Definition) -> str:
    """Return :func:`pattern_of` with parameters at their defaults."""
    return pattern_of(_with_defaults(value, definition), definition)


def _with_defaults(value: Any, definition: Definition) -> Any:
    if not is_expression(value):
        return value
    if JOIN in value:
        body = value[JOIN]
        pieces = [_with_defaults(item, definition) for item in listed(follow(body, "Values"))]
        return {JOIN: {"On": follow(body, "On") or "", "Values": pieces}}
    found = next(references(value, ""), None)
    if found is None or not isinstance(found.reference, ParameterReference):
        return value
    parameter = definition.parameter_named.get(found.reference.name) or {}
    default = parameter.get("DefaultValue")
    return value if default is None else str(default)


def referred_output(value: Any, definition: Definition) -> tuple[Any, str] | None:
    """Return the output that a ``Get`` names: (S3 location of the step that writes it, path below it)."""
    found = origin(value, definition)
    if found is None:
        return None
    for name, _, uri in definition.step_named[found[0]].outputs():
        if name == found[1]:
            return uri, "/*/output/model.tar.gz" if name == "OutputDataConfig" else ""
    return None


def origin(value: Any, definition: Definition) -> tuple[str, str] | None:
    """Return (step, output) that a ``Get`` names; None for anything else.

    The output of a training job is ``OutputDataConfig``, that of a transform job ``TransformOutput``.
    """
    found = next(references(value, ""), None) if is_expression(value) and GET in value else None
    reference = found.reference if found else None
    if not isinstance(reference, StepReference) or reference.step not in definition.step_named:
        return None
    match reference.path:
        case ("ProcessingOutputConfig", "Outputs", str(name), "S3Output", "S3Uri"):
            return reference.step, name
        case ("ProcessingOutputConfig", "Outputs", int(index), "S3Output", "S3Uri"):
            names = [name for name, _, _ in definition.step_named[reference.step].outputs()]
            return (reference.step, names[index]) if index < len(names) else None
        case ("ModelArtifacts", "S3ModelArtifacts"):
            return reference.step, "OutputDataConfig"
        case ("TransformOutput", "S3OutputPath"):
            return reference.step, "TransformOutput"
    return None


def origin_below(value: Any, definition: Definition) -> tuple[str, str] | None:
    """Return (step, output) like :func:`origin`, also for a joined text that begins with a ``Get``."""
    while is_expression(value) and JOIN in value:
        value = next(iter(listed(follow(value, JOIN, "Values"))), None)
    return origin(value, definition)


def differs_by_execution(value: Any, definition: Definition) -> bool:
    """Tell whether a location differs in each execution, by the execution's id or the time."""
    seen: set[str] = set()
    waiting = [value]
    while waiting:
        for found in references(waiting.pop(), ""):
            if isinstance(found.reference, ExecutionReference):
                if found.reference.variable not in {"PipelineName", "PipelineArn"}:
                    return True
            elif found.text not in seen:
                seen.add(found.text)
                target = referred_output({GET: found.text}, definition)
                if target is not None:
                    waiting.append(target[0])
    return False


@cache
def overlap(first: str, second: str) -> bool:
    """Tell whether there is a text that fits both patterns; ``*`` is any number of any characters."""
    reached = {(0, 0)}
    waiting = [(0, 0)]

    def reach(pair: tuple[int, int]) -> None:
        if pair not in reached:
            reached.add(pair)
            waiting.append(pair)

    while waiting:
        i, j = waiting.pop()
        if i == len(first) and j == len(second):
            return True
        one, other = first[i : i + 1], second[j : j + 1]
        if one == ANYTHING:
            reach((i + 1, j))
            if other:
                reach((i, j + 1))
        if other == ANYTHING:
            reach((i, j + 1))
            if one:
                reach((i + 1, j))
        if one and one == other:
            reach((i + 1, j + 1))
    return False


def object_arn(uri_pattern: str, partition: str) -> str:
    """Return the ARN pattern of the objects at a location: ``s3://bucket/key`` → ``arn:aws:s3:::bucket/key``."""
    return f"arn:{partition}:s3:::{uri_pattern.removeprefix('s3://')}"
