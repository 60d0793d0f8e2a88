"""What a definition's parts say about each other: references to steps, their properties, files and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

from pipedef.checks.registry import Problem, Severity, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.values import FoundReference, json_gets, listed, references
from pipedef.language.arguments import PROPERTY_OPERATIONS
from pipedef.language.expressions import (
    ExecutionReference,
    ExpressionError,
    ParameterReference,
    StepReference,
    Token,
    property_file_reference,
)
from pipedef.language.parsing import CONFIGURATION_MEMBERS, TARGETS
from pipedef.language.validation import EXECUTION_VARIABLES

#: Step type → the operations whose responses are the step's properties.
_OPERATIONS: Mapping[str, tuple[str, ...]] = {str(kind): names for kind, names in PROPERTY_OPERATIONS.items()}
_SHOWN_MEMBERS = 8
#: Beginnings of what the body and the selector of a ForEach step refer to.
_OF_A_LOOP = frozenset({"ForEach", "IterationOutput"})


def broken_property(reference: StepReference, target: Step, step: str, field: str) -> Problem | None:
    """Return what is wrong with a reference to a property of ``target``; None where it is there.

    Args:
        reference: to a property, and not to a property file.
        target: the step that it leads to.
        step: that refers to it.
        field: path of the reference.
    """
    members = _members_instead(reference.path, target)
    if members is not None:
        shown = reference.text.removeprefix(f"Steps.{target.name}.")
        where = "Declare it among the outputs of the step" if target.type in TARGETS else "Read what is there"
        fix = f"{where}: {', '.join(_nearest(str(reference.path[-1]), members)) or 'nothing'}."
        return Problem(f"A step of type {target.type} has no property {shown}.", fix, step=step, field=field)
    match reference.path:
        case ("ProcessingOutputConfig", "Outputs", item, *_):
            what, names = "output", [name for name, _, _ in target.outputs()]
        case ("ProcessingInputs" | "InputDataConfig", item, *_):
            what, names = "input", [name for name, _, _ in target.inputs()]
        case _:
            return None
    if item in names or (isinstance(item, int) and item < len(names)):
        return None
    message = f"Step {target.name} has no {what} {item}."
    return Problem(message, f"Its {what}s: {', '.join(names) or 'none'}.", step=step, field=field)


def _members_instead(path: Sequence[Token], target: Step) -> Sequence[str] | None:
    """Return what exists where a property is missing; None where it exists, or where the step's are not known."""
    if target.type in TARGETS:
        there = len(path) == 2 and path[0] == "OutputParameters" and str(path[1]) in target.output_types  # noqa: PLR2004
        return None if there else [f"OutputParameters[{name!r}]" for name in target.output_types]
    if target.type == "Condition":
        return None if tuple(path) == ("Outcome",) else ["Outcome"]
    if target.type == "Fail":
        return []
    shapes = [_response(operation) for operation in _OPERATIONS.get(target.type, ())]
    found = [_missing(path, shape) for shape in shapes]
    if not found or None in found:
        return None
    # Of several responses the one that the path leads into furthest.
    return max((one for one in found if one is not None), key=lambda one: one[0])[1]


@cache
def _response(operation: str) -> Shape:
    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model(operation).output_shape
    assert shape is not None  # noqa: S101  what describes and lists answers with something
    return shape


def _missing(path: Sequence[Token], shape: Shape) -> tuple[int, Sequence[str]] | None:
    """Return (how far a path leads, what there is then); None where it leads to its end."""
    for depth, token in enumerate(path):
        if isinstance(shape, StructureShape) and token in shape.members:
            shape = shape.members[str(token)]
        elif isinstance(shape, ListShape):
            shape = shape.member
        elif isinstance(shape, MapShape):
            shape = shape.value
        else:
            return depth, list(shape.members) if isinstance(shape, StructureShape) else []
    return None


def _nearest(name: str, members: Sequence[str]) -> Sequence[str]:
    """Return the members with a similar name, or with the name in theirs; the first few where there are none."""
    alike = get_close_matches(name, members) or [member for member in members if name.lower() in member.lower()]
    return (alike or members)[:_SHOWN_MEMBERS]


@definition_check("references")
def references_exist(definition: Definition) -> Iterator[Problem]:
    """Check that every step, property and execution variable that is referred to exists."""
    for step in definition.steps:
        for index, upstream in step.dependencies:
            target = definition.step_named.get(upstream)
            if target is None:
                yield _unknown_step(definition, upstream, step.name, f"DependsOn[{index}]")
            elif target.type == "Fail":
                yield Problem(
                    f"It waits for {upstream}, a Fail step: the execution ends there.",
                    f"Remove it, or put the step before {upstream}.",
                    step=step.name,
                    field=f"DependsOn[{index}]",
                )
        for found in step.variables:
            problem = _broken(found, step.name, definition)
            if problem:
                yield problem
    for found in configuration_references(definition):
        problem = _broken(found, "", definition)
        if problem:
            yield problem
        elif isinstance(found.reference, StepReference):
            yield Problem(
                f"{found.text} is not known when the configuration is read: before any step runs.",
                "Use a parameter or an execution variable.",
                field=found.path,
            )


def configuration_references(definition: Definition) -> Iterator[FoundReference]:
    """Yield every ``Get`` beside the steps, such as in the name of the experiment."""
    for name in CONFIGURATION_MEMBERS:
        yield from references(definition.content.get(name), name)


def _broken(found: FoundReference, step: str, definition: Definition) -> Problem | None:
    reference = found.reference
    if reference is None and found.text.partition(".")[0] in _OF_A_LOOP and any(definition.steps_of_type("ForEach")):
        return None
    if reference is None:
        fix = "Start it with Parameters., Execution. or Steps."
        return Problem(f"{found.text!r} is not a reference.", fix, step=step, field=found.path)
    if isinstance(reference, ExecutionReference) and reference.variable not in EXECUTION_VARIABLES:
        return Problem(
            f"There is no execution variable {reference.variable}.",
            f"Use one of {', '.join(sorted(EXECUTION_VARIABLES))}.",
            step=step,
            field=found.path,
        )
    if isinstance(reference, StepReference):
        target = definition.step_named.get(reference.step)
        if target is None:
            return _unknown_step(definition, reference.step, step, found.path)
        if reference.path[:1] != ("PropertyFiles",):
            return broken_property(reference, target, step, found.path)
    return None


def _unknown_step(definition: Definition, name: str, step: str, field: str) -> Problem:
    known = ", ".join(definition.step_named)
    return Problem(f"There is no step {name}.", f"Use one of {known}.", step=step, field=field)


@definition_check("property-files")
def property_files_exist(definition: Definition) -> Iterator[Problem]:
    """Check that every property file that is read is declared, by a step that writes it."""
    for step in definition.steps:
        outputs = {name for name, _, _ in step.outputs()} if step.type == "Processing" else set()
        for index, file in enumerate(step.property_files):
            if str(file.get("OutputName")) not in outputs:
                yield Problem(
                    f"Property file {file.get('PropertyFileName')} lies in output {file.get('OutputName')}, "
                    "which the step does not have.",
                    f"Name one of its outputs: {', '.join(sorted(outputs)) or 'none'}.",
                    step=step.name,
                    field=f"PropertyFiles[{index}].OutputName",
                )
        for path, body in json_gets(step.arguments, "Arguments"):
            yield from _unread(body, path, step, definition)


def _unread(body: object, path: str, step: Step, definition: Definition) -> Iterator[Problem]:
    try:
        reference = property_file_reference(body)
    except ExpressionError as error:
        yield Problem(str(error), "Make it with JsonGet of the SDK.", step=step.name, field=path)
        return
    target = definition.step_named.get(reference.step) if reference else None
    if reference is None or target is None:
        return  # an S3 URI, or a step that the check of references reports
    declared = [str(file.get("PropertyFileName")) for file in target.property_files]
    if reference.path[1] not in declared:
        yield Problem(
            f"Step {target.name} declares no property file {reference.path[1]}.",
            f"Add it to property_files of {target.name}; declared: {', '.join(declared) or 'none'}.",
            step=step.name,
            field=path,
        )


@definition_check("parameters-declared")
def parameters_are_declared(definition: Definition) -> Iterator[Problem]:
    """Check that every parameter that is used is declared."""
    everywhere = [("", found) for found in configuration_references(definition)]
    everywhere += [(step.name, found) for step in definition.steps for found in step.variables]
    for step, found in everywhere:
        if isinstance(found.reference, ParameterReference) and found.reference.name not in definition.parameter_named:
            yield Problem(
                f"Parameter {found.reference.name} is used and not declared.",
                "Add it to the pipeline's parameters; the SDK silently drops entries that are not a Parameter.",
                step=step,
                field=found.path,
            )


@definition_check("parameters-used", Severity.WARNING)
def parameters_are_used(definition: Definition) -> Iterator[Problem]:
    """Check that every parameter that is declared is used."""
    used = {
        found.reference.name
        for found in [
            *configuration_references(definition),
            *(found for step in definition.steps for found in step.variables),
        ]
        if isinstance(found.reference, ParameterReference)
    }
    for index, parameter in enumerate(definition.parameters):
        name = str(parameter.get("Name"))
        if name not in used:
            yield Problem(
                f"Parameter {name} is declared and no step uses it: whoever sets it changes nothing.",
                "Use it, or remove it from the pipeline's parameters.",
                field=f"Parameters[{index}]",
            )


_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (float, int),
    "Boolean": (bool,),
}


@definition_check("parameter-types")
def parameters_have_their_type(definition: Definition) -> Iterator[Problem]:
    """Check that every parameter has a known type, and a default and allowed values of that type."""
    for index, parameter in enumerate(definition.parameters):
        name, kind = parameter.get("Name"), str(parameter.get("Type"))
        if kind not in _TYPES:
            yield Problem(
                f"Parameter {name} is of type {kind}.",
                f"Use one of {', '.join(_TYPES)}.",
                field=f"Parameters[{index}].Type",
            )
            continue
        allowed = parameter.get("EnumValues")
        if allowed is not None and not isinstance(allowed, list):
            yield Problem(
                f"The allowed values of parameter {name} are not a list.",
                "Make them a list.",
                field=f"Parameters[{index}].EnumValues",
            )
        default = parameter.get("DefaultValue")
        values = [("DefaultValue", default)] if default is not None else []
        values += [
            (f"EnumValues[{position}]", value) for position, value in enumerate(listed(parameter.get("EnumValues")))
        ]
        for field, value in values:
            if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
                yield Problem(
                    f"{value!r} is not of type {kind}, the type of parameter {name}.",
                    f"Write a value of type {kind}.",
                    field=f"Parameters[{index}].{field}",
                )
