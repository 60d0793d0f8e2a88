"""What AWS refuses about a definition that is well-formed: one small check each, run in order by :func:`validate`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pipedef.language.arguments import REQUEST_OPERATIONS, check_arguments, check_lineage, property_type
from pipedef.language.caching import parse_duration
from pipedef.language.expressions import (
    ExecutionReference,
    ExpressionError,
    ParameterReference,
    Reference,
    StepReference,
    json_gets,
    property_file_reference,
    references,
)
from pipedef.language.graph import build_graph, find_cycle
from pipedef.language.model import Definition, Step, StepType
from pipedef.language.refusals import refuse

EXECUTION_VARIABLES = frozenset(
    {
        "StartDateTime",
        "CurrentDateTime",
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "TrainingJobName",
        "ProcessingJobName",
    }
)
MAX_PARAMETERS = 200
_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")

Check = Callable[[Definition], Iterator[str]]


def validate(definition: Definition) -> None:
    """Refuse a definition that AWS would refuse.

    Raises:
        AwsError: ValidationException with the first problem found.
    """
    for check in _CHECKS:
        try:
            problem = next(check(definition), None)
        except ExpressionError as exc:
            problem = str(exc)
        if problem:
            refuse(problem)


def _names(definition: Definition) -> Iterator[str]:
    for step in definition.steps:
        if not _STEP_NAME.fullmatch(step):
            yield f"Invalid step name [{step}]: up to 64 letters, digits, hyphens and underscores."
    for parameter in definition.parameters:
        if not _PARAMETER_NAME.fullmatch(parameter):
            yield f"Invalid parameter name [{parameter}]: up to 256 letters, digits, hyphens and underscores."
    if len(definition.parameters) > MAX_PARAMETERS:
        yield f"A pipeline takes {MAX_PARAMETERS} parameters, not {len(definition.parameters)}."


def _dependencies(definition: Definition) -> Iterator[str]:
    for step in definition.steps.values():
        for upstream in step.depends_on:
            if upstream not in definition.steps:
                yield f"Step [{step.name}] depends on step [{upstream}], which does not exist."
            elif definition.steps[upstream].type is StepType.FAIL:
                yield f"{step.name} can not depends on {upstream}, which is of type [Fail]."


def _references(definition: Definition) -> Iterator[str]:
    for step in definition.steps.values():
        for reference in step.references():
            yield from _reference(f"Step [{step.name}]", reference, definition)
            if isinstance(reference, StepReference):
                yield from _step_reference(step, reference, definition)
    for name, config in (("PipelineExperimentConfig", definition.experiment), ("MlflowConfig", definition.mlflow)):
        for reference in references(config or {}):
            yield from _reference(name, reference, definition)
            if isinstance(reference, StepReference):
                yield f"{name} cannot refer to a step [{reference.text}]: it is read before steps run."


def _reference(who: str, reference: Reference, definition: Definition) -> Iterator[str]:
    if isinstance(reference, ParameterReference) and reference.name not in definition.parameters:
        yield f"{who} refers to parameter [{reference.name}], which does not exist."
    if isinstance(reference, ExecutionReference) and reference.variable not in EXECUTION_VARIABLES:
        yield f"{who} refers to unknown execution variable [{reference.variable}]."


def _step_reference(step: Step, reference: StepReference, definition: Definition) -> Iterator[str]:
    if reference.step not in definition.steps:
        yield f"Step [{step.name}] refers to step [{reference.step}], which does not exist ([{reference.text}])."
    elif reference.path[:1] != ("PropertyFiles",):
        source = definition.steps[reference.step]
        property_type(source.type, reference.path, reference.text, source.outputs)


def _property_files(definition: Definition) -> Iterator[str]:
    for step in definition.steps.values():
        for body in json_gets(step.arguments):
            reference = property_file_reference(body)
            if reference is None:
                continue
            source = definition.steps[reference.step]
            if reference.path[1] not in {file.name for file in source.property_files}:
                yield (
                    f"Step [{step.name}] reads property file [{reference.path[1]}], "
                    f"which step [{source.name}] does not define."
                )
        if step.property_files and step.type is not StepType.PROCESSING:
            yield f"Step [{step.name}] of type [{step.type}] cannot have PropertyFiles."
        outputs = step.arguments.get("ProcessingOutputConfig", {}).get("Outputs", [])
        names = [item.get("OutputName") for item in outputs if isinstance(item, dict)]
        for file in step.property_files:
            if file.output not in names:
                yield f"Property file [{file.name}] of step [{step.name}] names unknown output [{file.output}]."


def _cycles(definition: Definition) -> Iterator[str]:
    cycle = find_cycle(build_graph(definition))
    if cycle:
        yield f"Pipeline definition contains a cycle: {' -> '.join(cycle)}."


def _branches(definition: Definition) -> Iterator[str]:
    for step in definition.steps.values():
        own = {guard.condition: guard.outcome for guard in step.guards}
        for upstream in {*step.depends_on, *step.referenced_steps()}:
            for guard in definition.steps[upstream].guards:
                if own.get(guard.condition, guard.outcome) != guard.outcome:
                    yield f"Step [{step.name}] depends on step [{upstream}] of the other branch of [{guard.condition}]."


def _arguments(definition: Definition) -> Iterator[str]:
    for step in definition.steps.values():
        if step.type in REQUEST_OPERATIONS:
            yield from check_arguments(step.type, step.arguments, definition.parameters, definition.steps)
        if step.type is StepType.LINEAGE:
            yield from check_lineage(step.arguments, definition.parameters, definition.steps)
        if step.type is StepType.FAIL and set(step.arguments) != {"ErrorMessage"}:
            yield f"Step [{step.name}] of type [Fail] takes one argument, ErrorMessage."


def _caches(definition: Definition) -> Iterator[str]:
    for step in definition.steps.values():
        if step.cache is None or not step.cache.enabled:
            continue
        if step.cache.expire_after is None:
            yield f"CacheConfig of step [{step.name}] is enabled and needs ExpireAfter."
        elif parse_duration(step.cache.expire_after) is None:
            yield f"ExpireAfter [{step.cache.expire_after}] of step [{step.name}] is not an ISO 8601 duration."


_CHECKS: tuple[Check, ...] = (
    _names,
    _dependencies,
    _references,
    _cycles,
    _branches,
    _arguments,
    _property_files,
    _caches,
)
