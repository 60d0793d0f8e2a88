"""What a definition's parts say about each other: references, property files, parameters, branches, cycles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipedef.checks.properties import broken_property
from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition, Guard, Step
from pipedef.document.values import Found, json_gets, listed, references
from pipedef.language.expressions import (
    ExecutionReference,
    ExpressionError,
    ParameterReference,
    StepReference,
    property_file_reference,
)
from pipedef.language.parsing import CONFIGURATION_MEMBERS
from pipedef.language.validation import EXECUTION_VARIABLES


@definition_check("references", "every step, property and execution variable that is referred to exists")
def references_exist(definition: Definition) -> Iterator[Problem]:
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


def configuration_references(definition: Definition) -> Iterator[Found]:
    """Every ``Get`` beside the steps, such as in the name of the experiment."""
    for name in CONFIGURATION_MEMBERS:
        yield from references(definition.content.get(name), name)


def _broken(found: Found, step: str, definition: Definition) -> Problem | None:
    reference = found.reference
    if reference is None:
        fix = "Start it with Parameters., Execution. or Steps."
        return Problem(f"{found.text!r} is no reference.", fix, step=step, field=found.path)
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


@definition_check("property-files", "every property file that is read is declared, by a step that writes it")
def property_files_exist(definition: Definition) -> Iterator[Problem]:
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


@definition_check("parameters-declared", "every parameter that is used is declared")
def parameters_are_declared(definition: Definition) -> Iterator[Problem]:
    everywhere = [("", found) for found in configuration_references(definition)]
    everywhere += [(step.name, found) for step in definition.steps for found in step.variables]
    for step, found in everywhere:
        if isinstance(found.reference, ParameterReference) and found.reference.name not in definition.parameter_named:
            yield Problem(
                f"Parameter {found.reference.name} is used and not declared.",
                "Add it to the pipeline's parameters; the SDK drops entries that are no Parameter without a word.",
                step=step,
                field=found.path,
            )


@definition_check("parameters-used", "every parameter that is declared is used")
def parameters_are_used(definition: Definition) -> Iterator[Problem]:
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


@definition_check(
    "parameter-types", "every parameter has a type of SageMaker's, and a default and allowed values of it"
)
def parameters_have_their_type(definition: Definition) -> Iterator[Problem]:
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
                f"The allowed values of parameter {name} are no list.",
                "Make them a list.",
                field=f"Parameters[{index}].EnumValues",
            )
        default = parameter.get("DefaultValue")
        values = [("DefaultValue", default)] if default is not None else []
        values += [(f"EnumValues[{place}]", value) for place, value in enumerate(listed(parameter.get("EnumValues")))]
        for field, value in values:
            if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
                yield Problem(
                    f"{value!r} is no {kind}, which parameter {name} is.",
                    f"Write a value of type {kind}.",
                    field=f"Parameters[{index}].{field}",
                )


@definition_check("cycles", "no step waits for itself, directly or through others")
def no_cycles(definition: Definition) -> Iterator[Problem]:
    upstream = definition.upstream
    settled: set[str] = set()
    while ready := [name for name in upstream if name not in settled and upstream[name] <= settled]:
        settled.update(ready)
    # What is left waits for a cycle or is on one: walking upstream from any of it ends in the cycle.
    rest = [name for name in upstream if name not in settled]
    if rest:
        path = [rest[0]]
        while path[-1] not in path[:-1]:
            path.append(min(upstream[path[-1]] - settled))
        cycle = path[path.index(path[-1]) :]
        yield Problem(
            f"Steps wait for each other: {' → '.join(reversed(cycle))}.",
            "Remove one of the references or DependsOn entries between them.",
            step=cycle[0],
            field=_reason(definition.step_named[cycle[0]], cycle[1]),
        )


def _reason(step: Step, upstream: str) -> str:
    """Path of what makes a step wait for another."""
    named = [f"DependsOn[{index}]" for index, name in step.dependencies if name == upstream]
    read = [found.path for found in step.variables if getattr(found.reference, "step", None) == upstream]
    return next(iter([*named, *read]), step.place)


@definition_check("branches", "no step waits for one of a branch that is not taken when its own is")
def no_crossed_branches(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps:
        own = {guard.condition: guard.branch for guard in step.guards}
        # What its own condition waits for runs before there is a branch, or there is a cycle.
        for name in sorted(definition.upstream[step.name] - set(own)):
            other, guard = _crossed(own, name, definition)
            if guard is not None:
                through = name if other == name else f"{name}, and so for {other}"
                yield Problem(
                    f"It waits for {through}, which is in the other branch of {guard.condition}: it can never run.",
                    f"Move both into one branch of {guard.condition}.",
                    step=step.name,
                    field=_reason(step, name),
                )


def _crossed(own: Mapping[str, str], name: str, definition: Definition) -> tuple[str, Guard | None]:
    """(step, guard) of the first step at or behind ``name`` that runs only where ``own`` branches are not taken."""
    guarded = {guard.condition for guard in definition.step_named[name].guards}
    for each in (name, *sorted(definition.behind(name))):
        for guard in definition.step_named[each].guards:
            # Of a step in a branch of the same condition it is said there.
            directly = each == name or guard.condition not in guarded
            if directly and own.get(guard.condition, guard.branch) != guard.branch:
                return each, guard
    return name, None


@definition_check("nested-conditions", "no condition stands in a branch of another")
def no_nested_conditions(definition: Definition) -> Iterator[Problem]:
    # "Amazon SageMaker Pipelines doesn't support the use of nested condition steps" (Condition step, developer guide).
    for step in definition.steps_of_type("Condition"):
        if step.guards:
            outer = step.guards[-1]
            yield Problem(
                f"It stands in {outer.branch} of condition {outer.condition}; SageMaker takes no condition in another.",
                f"Put it beside {outer.condition}: it still waits for the steps whose results it reads.",
                step=step.name,
                field="Type",
            )
