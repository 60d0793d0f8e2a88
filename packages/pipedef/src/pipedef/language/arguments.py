"""Step arguments against the request they become: botocore's service model decides what a field may hold.

AWS checks a definition this way when it is created ("Unknown Argument member", "Cannot assign property reference"),
and fits resolved values to the request when the step runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from pipedef.language.expressions import (
    GET,
    ExpressionError,
    ParameterReference,
    StepReference,
    Token,
    is_expression,
    parse_reference,
    to_text,
)
from pipedef.language.model import Parameter, Step, StepType
from pipedef.shapes import broken_constraints, validate_request

REQUEST_OPERATIONS: Mapping[StepType, str] = {
    StepType.PROCESSING: "CreateProcessingJob",
    StepType.TRAINING: "CreateTrainingJob",
    StepType.TRANSFORM: "CreateTransformJob",
    StepType.TUNING: "CreateHyperParameterTuningJob",
    StepType.MODEL: "CreateModel",
    StepType.REGISTER_MODEL: "CreateModelPackage",
    StepType.ENDPOINT_CONFIG: "CreateEndpointConfig",
}
#: Step type → the operations whose responses are its properties.
PROPERTY_OPERATIONS: Mapping[StepType, tuple[str, ...]] = {
    **{step_type: (create.replace("Create", "Describe"),) for step_type, create in REQUEST_OPERATIONS.items()},
    StepType.TUNING: ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
}
#: Arguments of a Lineage step → the requests that it makes of each entry, and the entity's kind in associations.
LINEAGE_OPERATIONS: Mapping[str, tuple[str, str]] = {
    "Actions": ("CreateAction", "Action"),
    "Artifacts": ("CreateArtifact", "Artifact"),
    "Contexts": ("CreateContext", "Context"),
}
_ASSOCIATIONS = "Associations"
_SCALARS = {
    "string": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
    "timestamp": "String",
}


_LINEAGE_ARNS = frozenset({"ActionArns", "ArtifactArns", "ContextArns"})
_SHOWN_CHARACTERS = 200
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (float, int),
    "Boolean": (bool,),
}


@cache
def _model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


def request_shape(step_type: StepType) -> StructureShape:
    """Return the request that a step of this type makes."""
    return operation_shape(REQUEST_OPERATIONS[step_type])


def operation_shape(operation: str) -> StructureShape:
    """Return the request of an operation that creates something."""
    shape = _model().operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)  # noqa: S101  every Create* operation takes a structure
    return shape


def _property_shape(step_type: StepType, first: Token | None) -> StructureShape:
    """Return the response among a step's properties that has a member; the first where none has it."""
    shapes = [_model().operation_model(name).output_shape for name in PROPERTY_OPERATIONS[step_type]]
    found = [shape for shape in shapes if isinstance(shape, StructureShape)]
    return next((shape for shape in found if first in shape.members), found[0])


def property_type(
    step_type: StepType, path: tuple[Token, ...], text: str, outputs: Mapping[str, str] | None = None
) -> str:
    """Return the type of a step's property: String, Integer, Float, Boolean, List, Map or Structure.

    Args:
        step_type: of the step.
        path: of the property.
        text: the whole reference, for the message.
        outputs: the types of a Callback or Lambda step's output parameters by name.

    Raises:
        ExpressionError: steps of this type have no such property.
    """
    if step_type is StepType.CONDITION and path == ("Outcome",):
        return "Boolean"
    if step_type in (StepType.CALLBACK, StepType.LAMBDA):
        return _output_type(step_type, path, text, outputs or {})
    if step_type is StepType.LINEAGE and len(path) == 2 and path[0] in _LINEAGE_ARNS:  # noqa: PLR2004  kind and name
        return "String"
    if step_type not in PROPERTY_OPERATIONS:
        raise ExpressionError(f"Invalid property reference [{text}]: a {step_type} step has no such property.")
    shape: Shape = _property_shape(step_type, next(iter(path), None))
    for token in path:
        if isinstance(shape, StructureShape) and token in shape.members:
            shape = shape.members[str(token)]
        elif isinstance(shape, ListShape):
            shape = shape.member
        elif isinstance(shape, MapShape):
            shape = shape.value
        else:
            raise ExpressionError(f"Invalid property reference [{text}]: there is no [{token}] in a {step_type} step.")
    return _SCALARS.get(shape.type_name, shape.type_name.capitalize())


def _output_type(step_type: StepType, path: tuple[Token, ...], text: str, outputs: Mapping[str, str]) -> str:
    if len(path) != 2 or path[0] != "OutputParameters":  # noqa: PLR2004  the list and a name in it
        raise ExpressionError(
            f"Invalid property reference [{text}]: a {step_type} step has Steps.<step>.OutputParameters['<name>'] only."
        )
    if str(path[1]) not in outputs:
        declared = ", ".join(outputs) or "none"
        raise ExpressionError(
            f"Invalid property reference [{text}]: there is no output parameter [{path[1]}]; declared: {declared}."
        )
    return outputs[str(path[1])]


def check_arguments(
    step_type: StepType,
    arguments: Mapping[str, Any],
    parameters: Mapping[str, Parameter],
    steps: Mapping[str, Step],
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step, in AWS's words where they are known.

    References to steps that do not exist are another check's concern.
    """
    yield from _check(arguments, request_shape(step_type), parameters, steps)


def check_lineage(
    arguments: Mapping[str, Any], parameters: Mapping[str, Parameter], steps: Mapping[str, Step]
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a Lineage step; see :func:`check_arguments`."""
    for member, entries in arguments.items():
        if member not in (*LINEAGE_OPERATIONS, _ASSOCIATIONS):
            yield f"Unknown Argument member '{member}'."
        elif not isinstance(entries, list):
            yield "Expecting start of Json Array."
        elif member == _ASSOCIATIONS:
            for entry in entries:
                yield from _check_association(entry)
        else:
            for entry in entries:
                yield from _check(entry, operation_shape(LINEAGE_OPERATIONS[member][0]), parameters, steps)


def _check_association(entry: Any) -> Iterator[str]:
    given = entry if isinstance(entry, Mapping) else {}
    ends = [given.get("Source"), given.get("Destination")]
    if not set(given) <= {"Source", "Destination", "AssociationType"} or not all(
        isinstance(end, Mapping) and set(end) in ({"Arn"}, {"Name", "Type"}) for end in ends
    ):
        yield "An association takes Source and Destination (each Arn, or Name and Type) and AssociationType."


def _check(value: Any, shape: Shape, parameters: Mapping[str, Parameter], steps: Mapping[str, Step]) -> Iterator[str]:
    if is_expression(value):
        yield from _check_assignment(value, shape, parameters, steps)
    elif isinstance(shape, ListShape) and not isinstance(value, list):
        yield "Expecting start of Json Array."
    elif isinstance(shape, StructureShape | MapShape) and not isinstance(value, Mapping):
        yield "Expecting start of Json Object."
    elif shape.type_name in _SCALARS:
        yield from _check_literal(value, shape)
    else:
        yield from _check_constraints(value, shape)
        for key, item, member in _members(value, shape):
            if member is None:
                yield f"Unknown Argument member '{key}'."
            else:
                yield from _check(item, member, parameters, steps)


def _check_literal(value: Any, shape: Shape) -> Iterator[str]:
    wanted = _SCALARS[shape.type_name]
    if value is None or isinstance(value, list | Mapping):
        yield f"Expecting a value of type [{wanted}], not {json.dumps(value)}."
        return
    fitted = _fit_scalar(value, wanted)
    if not isinstance(fitted, _PYTHON_TYPES[wanted]) or isinstance(fitted, bool) != (wanted == "Boolean"):
        yield f"Model Validation failed: Value '{value}' for '{shape.name}' is not of type [{wanted}]"
        return
    yield from _check_constraints(fitted, shape)


def _check_constraints(value: Any, shape: Shape) -> Iterator[str]:
    for constraint in broken_constraints(shape.type_name, shape.metadata, value):
        said = constraint.removeprefix("Member must satisfy ").removeprefix("Member must have ")
        shown = value if isinstance(value, str) else json.dumps(value)[:_SHOWN_CHARACTERS]
        yield f"Model Validation failed: Value '{shown}' for '{shape.name}' failed to satisfy {said}"


def _members(value: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape | None]]:
    """Yield the parts of a container as (key, value, shape); None for the shape of a key that has none."""
    if isinstance(shape, ListShape):
        yield from (("", item, shape.member) for item in value)
    elif isinstance(shape, MapShape):
        yield from ((key, item, shape.value) for key, item in value.items())
    elif isinstance(shape, StructureShape):
        yield from ((key, item, shape.members.get(key)) for key, item in value.items())


def _check_assignment(
    expression: Mapping[str, Any], shape: Shape, parameters: Mapping[str, Parameter], steps: Mapping[str, Step]
) -> Iterator[str]:
    wanted = _SCALARS.get(shape.type_name, shape.type_name.capitalize())
    if GET not in expression:
        if "Std:Join" in expression and wanted != "String":
            yield f"Cannot assign Std:Join to argument of type [{wanted}]."
        return
    text = expression[GET]
    reference = parse_reference(text)
    given = "String"
    if isinstance(reference, ParameterReference):
        if reference.name not in parameters:
            return
        given = parameters[reference.name].type
    elif isinstance(reference, StepReference):
        if reference.step not in steps:
            return
        source = steps[reference.step]
        given = property_type(source.type, reference.path, text, source.outputs)
        if source.type is StepType.CONDITION and wanted == "String":
            return
    if given != wanted and not (given == "Integer" and wanted == "Float"):
        yield f"Cannot assign property reference [{text}] to argument of type [{wanted}]"


def fit(value: Any, shape: Shape) -> Any:
    """Return a resolved value in the type that the request wants: strings from numbers, numbers from digits.

    What cannot be converted is left as it is; :func:`validate_step_request` then reports it.
    """
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {key: fit(item, shape.members[key]) if key in shape.members else item for key, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [fit(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: fit(item, shape.value) for key, item in value.items()}
    return _fit_scalar(value, _SCALARS.get(shape.type_name))


def _fit_scalar(value: Any, wanted: str | None) -> Any:
    if wanted == "String" and isinstance(value, bool | int | float):
        return to_text(value)
    if wanted == "Boolean" and value in ("true", "false"):
        return value == "true"
    if wanted in ("Integer", "Float") and isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return value
        return int(number) if wanted == "Integer" and number.is_integer() else number
    return value


def validate_step_request(step_type: StepType, request: dict[str, Any]) -> None:
    """Check a complete request as the operation does.

    Raises:
        AwsError: ValidationException, or SerializationException for a value of another type.
    """
    validate_request(_model().operation_model(REQUEST_OPERATIONS[step_type]), request)
