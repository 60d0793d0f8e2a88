"""The order of steps: cycles, branches, conditions, and the messages of Fail steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import BRANCHES, Definition, Guard, Step
from pipedef.document.values import listed, references
from pipedef.language.conditions import check_condition
from pipedef.language.expressions import (
    JOIN,
    ExecutionReference,
    ExpressionError,
    ParameterReference,
    StepReference,
    is_expression,
)

#: ErrorMessage of FailStepMetadata.
_MESSAGE_CHARACTERS = 3072
_NUMBERS = frozenset({"Integer", "Float"})


@definition_check("conditions")
def conditions_are_known(definition: Definition) -> Iterator[Problem]:
    """Check that each condition is one that SageMaker knows, and each Fail step has its message."""
    for step in definition.steps_of_type("Condition"):
        conditions = step.arguments.get("Conditions")
        if not isinstance(conditions, list) or not conditions:
            yield Problem("There is no condition.", "Give at least one.", step=step.name, field="Arguments.Conditions")
            continue
        for index, condition in enumerate(conditions):
            try:
                check_condition(condition)
            except ExpressionError as error:
                field = f"Arguments.Conditions[{index}]"
                yield Problem(str(error), "Use a condition class of the SDK.", step=step.name, field=field)
                continue
            for path, left, right in _unlike(condition, f"Arguments.Conditions[{index}]", definition):
                yield Problem(
                    f"{left} is compared with {right}: they are never equal, and have no order.",
                    "Compare two numbers or two texts; give a literal or a parameter of the other type.",
                    step=step.name,
                    field=path,
                )
    for step in definition.steps_of_type("Fail"):
        if set(step.arguments) != {"ErrorMessage"}:
            found = ", ".join(sorted(step.arguments)) or "none"
            yield Problem(
                f"A Fail step takes the argument ErrorMessage and no other; it has {found}.",
                "Say in ErrorMessage why the execution fails.",
                step=step.name,
                field="Arguments",
            )
            continue
        message = step.arguments["ErrorMessage"]
        if not is_expression(message) and not (isinstance(message, str) and len(message) <= _MESSAGE_CHARACTERS):
            yield Problem(
                f"ErrorMessage is not a text of up to {_MESSAGE_CHARACTERS} characters.",
                "Say in a sentence why the execution fails; numbers go into it with Join.",
                step=step.name,
                field="Arguments.ErrorMessage",
            )


def _unlike(condition: Mapping[str, Any], path: str, definition: Definition) -> Iterator[tuple[str, str, str]]:
    """Yield (path, type, other type) of the comparisons in a condition between what is known to have no common type."""
    for index, inner in enumerate(listed(condition.get("Conditions"))):
        yield from _unlike(inner, f"{path}.Conditions[{index}]", definition)
    if "Condition" in condition:
        yield from _unlike(condition["Condition"], f"{path}.Condition", definition)
    query = condition.get("LeftValue", condition.get("QueryValue"))
    for other in [condition["RightValue"]] if "RightValue" in condition else listed(condition.get("Values")):
        left, right = _kind(query, definition), _kind(other, definition)
        if left and right and left != right and not {left, right} <= _NUMBERS:
            yield path, left, right


def _kind(value: Any, definition: Definition) -> str:
    """Return String, Integer, Float or Boolean; empty where the type is known only when the pipeline runs."""
    if not is_expression(value):
        kinds = {bool: "Boolean", int: "Integer", float: "Float", str: "String"}
        return kinds.get(type(value), "")
    if JOIN in value:
        return "String"
    found = next(references(value, ""), None)
    reference = found.reference if found else None
    if isinstance(reference, ExecutionReference):
        return "String"
    if isinstance(reference, ParameterReference):
        return str((definition.parameter_named.get(reference.name) or {}).get("Type", ""))
    if isinstance(reference, StepReference) and reference.path[:1] == ("OutputParameters",):
        target = definition.step_named.get(reference.step)
        return target.output_types.get(str(reference.path[-1]), "") if target else ""
    return ""


@definition_check("cycles")
def no_cycles(definition: Definition) -> Iterator[Problem]:
    """Check that no step waits for itself, directly or through others."""
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
    """Return the path of the field that makes a step wait for another."""
    named = [f"DependsOn[{index}]" for index, name in step.dependencies if name == upstream]
    read = [found.path for found in step.variables if getattr(found.reference, "step", None) == upstream]
    return next(iter([*named, *read]), step.place)


@definition_check("branches")
def no_crossed_branches(definition: Definition) -> Iterator[Problem]:
    """Check that no step waits for a step in a branch that is not taken when its own is."""
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
    """Return (step, guard) of the first step at or behind ``name`` that runs only where an own branch is not taken."""
    guarded = {guard.condition for guard in definition.step_named[name].guards}
    for each in (name, *sorted(definition.all_upstream(name))):
        for guard in definition.step_named[each].guards:
            # Of a step in a branch of the same condition it is said there.
            directly = each == name or guard.condition not in guarded
            if directly and own.get(guard.condition, guard.branch) != guard.branch:
                return each, guard
    return name, None


@definition_check("nested-conditions")
def no_nested_conditions(definition: Definition) -> Iterator[Problem]:
    """Check that no Condition step is in a branch of another."""
    # "Amazon SageMaker Pipelines doesn't support the use of nested condition steps" (Condition step, developer guide).
    for step in definition.steps_of_type("Condition"):
        outer = next((guard for guard in reversed(step.guards) if guard.branch in BRANCHES), None)
        if outer is not None:
            yield Problem(
                f"It is in {outer.branch} of {outer.condition}; SageMaker does not support nested conditions.",
                f"Put it beside {outer.condition}: it still waits for the steps whose results it reads.",
                step=step.name,
                field="Type",
            )
