"""Condition steps and Fail steps: what SageMaker Pipelines itself decides, and says where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition
from pipedef.document.values import listed, references
from pipedef.language.conditions import check_condition
from pipedef.language.expressions import (
    JOIN,
    ExecutionReference,
    ExpressionError,
    ParameterReference,
    is_expression,
)

#: ErrorMessage of FailStepMetadata.
_MESSAGE_CHARACTERS = 3072
_NUMBERS = frozenset({"Integer", "Float"})


@definition_check("conditions", "each condition is one that SageMaker knows, and each Fail step has its message")
def conditions_are_known(definition: Definition) -> Iterator[Problem]:
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
                f"ErrorMessage is no text of up to {_MESSAGE_CHARACTERS} characters.",
                "Say in a sentence why the execution fails; numbers go into it with Join.",
                step=step.name,
                field="Arguments.ErrorMessage",
            )


def _unlike(condition: Mapping[str, Any], path: str, definition: Definition) -> Iterator[tuple[str, str, str]]:
    """(path, type, other type) of the comparisons in a condition between what is known to have no common type."""
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
    """String, Integer, Float or Boolean; empty where it is known only when the pipeline runs."""
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
    return ""
