"""Properties of steps: what a ``Get`` may read of another step, by the responses that SageMaker answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

from pipedef.checks.registry import Problem
from pipedef.document.definition import Step
from pipedef.language.arguments import PROPERTY_OPERATIONS
from pipedef.language.expressions import StepReference, Token
from pipedef.language.parsing import TARGETS

#: Step type → the operations whose responses are the step's properties.
_OPERATIONS: Mapping[str, tuple[str, ...]] = {
    **{str(kind): (operation,) for kind, operation in PROPERTY_OPERATIONS.items()},
    "Tuning": ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
}
_SHOWN_MEMBERS = 8


def broken_property(reference: StepReference, target: Step, step: str, field: str) -> Problem | None:
    """What is wrong with a reference to a property of ``target``; None where it is there.

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
    """What there is where a property is missing; None where it is not, or where nothing here knows the step's."""
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
    """(how far a path leads, what there is then); None where it leads to its end."""
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
    """The members that are spelt alike, or have the name in theirs; the first few where none is."""
    alike = get_close_matches(name, members) or [member for member in members if name.lower() in member.lower()]
    return (alike or members)[:_SHOWN_MEMBERS]
