"""Step arguments against the AWS request that they become, by botocore's service model.

botocore's own validator knows types and minimum lengths only, and SageMaker looks at most arguments when the step
runs: half an hour into an execution. So required and unknown members, types, lengths, ranges, patterns and enumerations
are all checked here. A pipeline variable is accepted where its type is; of a parameter, the default and the
allowed values are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.values import follow, listed
from pipedef.language.arguments import REQUEST_OPERATIONS, property_type
from pipedef.language.expressions import (
    GET,
    JOIN,
    ExpressionError,
    ParameterReference,
    StepReference,
    is_expression,
    parse_reference,
)
from pipedef.language.model import StepType
from pipedef.language.parameters import PARAMETER_TYPES

#: Step type → the request that its arguments become. The checks of data and of models run in processing jobs.
_OPERATIONS: Mapping[str, str] = {
    **{str(kind): operation for kind, operation in REQUEST_OPERATIONS.items()},
    "ClarifyCheck": "CreateProcessingJob",
    "QualityCheck": "CreateProcessingJob",
}
#: Request → the name in it that SageMaker Pipelines makes itself.
_MADE_BY_PIPELINES: Mapping[str, str] = {
    "CreateHyperParameterTuningJobRequest": "HyperParameterTuningJobName",
    "CreateModelInput": "ModelName",
    "CreateProcessingJobRequest": "ProcessingJobName",
    "CreateTrainingJobRequest": "TrainingJobName",
    "CreateTransformJobRequest": "TransformJobName",
}
#: Forms that tell at their beginning that they are none.
_SCHEMES: Mapping[str, tuple[str, ...]] = {"S3Uri": ("s3://", "https://")}
_TYPES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("String", (str,)),
    "integer": ("Integer", (int,)),
    "long": ("Integer", (int,)),
    "float": ("Float", (int, float)),
    "double": ("Float", (int, float)),
    "boolean": ("Boolean", (bool,)),
}
_SHOWN_CHARACTERS = 60

#: (path of the field, what is wrong with it, how to fix it)
Mismatch = tuple[str, str, str]


@definition_check("arguments")
def arguments_fit(definition: Definition) -> Iterator[Problem]:
    """Check that each step's arguments fit the AWS request that they become, to length and pattern."""
    for step in definition.steps:
        operation = _OPERATIONS.get(step.type)
        if operation is None:
            continue
        for path, message, fix in _mismatches(step.arguments, _request(operation), "Arguments", definition):
            yield Problem(f"{message} ({operation}).", fix, step=step.name, field=path)


def _step_type(step: Step) -> StepType:
    try:
        return StepType(step.type)
    except ValueError:
        # Not one whose arguments are a request known here; step types themselves are another check's concern.
        return StepType.FAIL


@cache
def _service() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


@cache
def _request(operation: str) -> Shape:
    shape = _service().operation_model(operation).input_shape
    if shape is None:
        raise ValueError(f"{operation} takes no request.")
    return shape


def _mismatches(value: Any, shape: Shape, path: str, definition: Definition) -> Iterator[Mismatch]:
    if is_expression(value):
        yield from _expression(value, shape, path, definition)
    elif isinstance(shape, StructureShape):
        yield from _structure(value, shape, path, definition)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield path, "A list is needed", "Make it a list."
            return
        yield from _constraints(value, shape, path)
        for index, item in enumerate(value):
            yield from _mismatches(item, shape.member, f"{path}[{index}]", definition)
    elif isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            yield path, "An object of names and values is needed", "Make it an object."
            return
        yield from _constraints(value, shape, path)
        for key, item in value.items():
            yield from _constraints(key, shape.key, f"{path}.{key} (the name)")
            yield from _mismatches(item, shape.value, f"{path}.{key}", definition)
    else:
        yield from _scalar(value, shape, path)


def _structure(value: Any, shape: StructureShape, path: str, definition: Definition) -> Iterator[Mismatch]:
    if not isinstance(value, Mapping):
        yield path, "An object is needed", f"It takes {', '.join(list(shape.members)[:6])}."
        return
    for name in shape.required_members:
        if value.get(name) is None and name != _MADE_BY_PIPELINES.get(shape.name):
            yield f"{path}.{name}", f"{name} is missing", f"Give {name}."
    for name, item in value.items():
        if name not in shape.members:
            yield f"{path}.{name}", f"There is no member {name}", "Remove it, or correct its spelling."
        else:
            yield from _mismatches(item, shape.members[name], f"{path}.{name}", definition)


def _scalar(value: Any, shape: Shape, path: str) -> Iterator[Mismatch]:
    wanted, types = _TYPES.get(shape.type_name, (shape.type_name, (object,)))
    if not isinstance(value, types) or (isinstance(value, bool) and wanted not in {"Boolean", shape.type_name}):
        yield path, f"{_shown(value)} is not of type {wanted}", f"Write a {wanted}."
        return
    yield from _constraints(value, shape, path)


def _constraints(value: Any, shape: Shape, path: str) -> Iterator[Mismatch]:
    metadata = shape.metadata
    low, high = metadata.get("min"), metadata.get("max")
    measured = isinstance(value, str | list | Mapping)
    size = len(value) if measured else value
    unit = ("characters" if isinstance(value, str) else "entries") if measured else ""
    if high is not None and size > high:
        yield (
            path,
            f"{_shown(value)} has {size} {unit}, at most {high} are allowed"
            if measured
            else (f"{size} is more than {high}, the largest value allowed"),
            "Shorten it; long values belong in a file that the job reads." if measured else f"Use at most {high}.",
        )
    if low is not None and size < low:
        yield (
            path,
            f"{_shown(value)} has {size} {unit}, at least {low} are needed"
            if measured
            else (f"{size} is less than {low}, the smallest value allowed"),
            "Fill it in, or leave it out." if measured else f"Use at least {low}.",
        )
    if isinstance(value, str):
        pattern = _compiled(metadata["pattern"]) if metadata.get("pattern") else None
        if pattern is not None and not pattern.fullmatch(value):
            yield path, f"{_shown(value)} does not fit the pattern {metadata['pattern']}", "Correct its spelling."
        choices = metadata.get("enum")
        if choices and value not in choices:
            yield path, f"{_shown(value)} is not one of {len(choices)} allowed values", _choice(value, choices)


def _choice(value: str, choices: list[str]) -> str:
    """Suggest the values that begin like the wrong one, as an instance family's sizes do; all where they are few."""
    similar = choices if len(choices) <= 6 else [item for item in choices if item[:5] == value[:5]]  # noqa: PLR2004
    return f"Use one of {', '.join(similar[:8])}." if similar else "Look the allowed values up in the API reference."


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern; None where only Java knows its syntax (Unicode classes): such patterns are not checked."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _expression(value: Mapping[str, Any], shape: Shape, path: str, definition: Definition) -> Iterator[Mismatch]:
    wanted = _TYPES.get(shape.type_name, (shape.type_name.capitalize(), ()))[0]
    if JOIN in value:
        if wanted != "String":
            yield path, f"A Std:Join is text, and a {wanted} is needed", f"Put a {wanted} or a variable of that type."
            return
        length = least_length(value)
        high = shape.metadata.get("max")
        if high is not None and length > high:
            yield path, f"The literal pieces alone have {length} characters, at most {high} are allowed", "Shorten it."
        beginning, schemes = _beginning(value), _SCHEMES.get(shape.name, ())
        if schemes and not any(beginning.startswith(one) or one.startswith(beginning) for one in schemes):
            fix = f"Let the first piece begin with {' or '.join(schemes)}."
            yield path, f"{_shown(beginning)} can't begin an {shape.name}", fix
    elif GET in value:
        yield from _variable(str(value[GET]), shape, wanted, path, definition)


def limited_texts(step: Step) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """Yield (path, expression, most characters) of the arguments that are no literals and have a longest length."""
    operation = _OPERATIONS.get(step.type)
    if operation is not None:
        yield from _limited(step.arguments, _request(operation), "Arguments")


def _limited(value: Any, shape: Shape, path: str) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    if is_expression(value):
        if shape.type_name == "string" and "max" in shape.metadata:
            yield path, value, shape.metadata["max"]
    elif isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, item in value.items():
            if name in shape.members:
                yield from _limited(item, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _limited(item, shape.value, f"{path}.{key}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(listed(value)):
            yield from _limited(item, shape.member, f"{path}[{index}]")


def least_length(value: Any) -> int:
    """Return the characters that a value has whatever its variables are."""
    if not is_expression(value):
        return len(str(value))
    body = value.get(JOIN)
    pieces = body.get("Values") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(pieces, list):
        return 0
    separators = len(str(body.get("On", ""))) * max(len(pieces) - 1, 0)
    return separators + sum(least_length(piece) for piece in pieces)


def _beginning(value: Any) -> str:
    """Return what a joined text begins with, as far as it is written out."""
    if not is_expression(value):
        return str(value)
    text, between = "", str(follow(value, JOIN, "On") or "")
    for index, piece in enumerate(listed(follow(value, JOIN, "Values"))):
        text += (between if index else "") + _beginning(piece)
        if is_expression(piece):
            break
    return text


def _variable(text: str, shape: Shape, wanted: str, path: str, definition: Definition) -> Iterator[Mismatch]:
    try:
        reference = parse_reference(text)
        given = "String"
        if isinstance(reference, ParameterReference):
            parameter = definition.parameter_named.get(reference.name)
            if parameter is None or str(parameter.get("Type")) not in PARAMETER_TYPES:
                return  # the checks of parameters say so
            given = str(parameter.get("Type"))
            yield from _parameter_values(parameter, shape, f"{path} (parameter {reference.name})")
        elif isinstance(reference, StepReference):
            step = definition.step_named.get(reference.step)
            if step is None:
                return
            given = property_type(_step_type(step), reference.path, text, step.output_types)
    except ExpressionError:
        return
    if given != wanted and (given, wanted) != ("Integer", "Float"):
        fix = "Use to_string() of the parameter." if wanted == "String" else f"Use a variable of type {wanted}."
        yield path, f"{text} is of type {given}, and a {wanted} is needed", fix


def _parameter_values(parameter: Mapping[str, Any], shape: Shape, path: str) -> Iterator[Mismatch]:
    values = [parameter["DefaultValue"]] if parameter.get("DefaultValue") is not None else []
    for value in [*values, *(item for item in listed(parameter.get("EnumValues")) if item not in values)]:
        if isinstance(value, str) == (shape.type_name == "string"):
            yield from _scalar(value, shape, path)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
