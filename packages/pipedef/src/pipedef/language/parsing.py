"""Read the JSON of a pipeline definition and checks its structure.

What the parts say about each other is :mod:`pipedef.language.validation`'s to check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.errors import AwsError
from pipedef.language.conditions import check_condition
from pipedef.language.expressions import ExpressionError, is_expression
from pipedef.language.model import (
    CacheConfig,
    Definition,
    Guard,
    Parameter,
    PropertyFile,
    Step,
    StepType,
    Trigger,
)
from pipedef.language.parameters import PARAMETER_TYPES, parse_parameter
from pipedef.language.refusals import json_list, json_object, refuse
from pipedef.language.refused_kinds import REFUSED_KINDS, kind_of, refusal_message
from pipedef.language.retrying import parse_retry_policy

SCHEMA_VERSION = "2020-12-01"
MAX_DISPLAY_NAME = 256
MAX_DESCRIPTION = 3072

CONFIGURATION_MEMBERS: Mapping[str, frozenset[str]] = {
    "PipelineExperimentConfig": frozenset({"ExperimentName", "TrialName"}),
    "MlflowConfig": frozenset({"MlflowResourceArn", "MlflowExperimentName"}),
}
DEFINITION_MEMBERS = frozenset({"Version", "Metadata", "Parameters", "Steps", *CONFIGURATION_MEMBERS})
CACHE_MEMBERS = frozenset({"Enabled", "ExpireAfter"})

# What a step hands over to, beside its arguments.
TARGETS: Mapping[str, str] = {StepType.CALLBACK: "SqsQueueUrl", StepType.LAMBDA: "FunctionArn"}
_JOB_MEMBERS = frozenset({"CacheConfig", "PropertyFiles", "RetryPolicies"})
_HANDOVER_MEMBERS = frozenset({"CacheConfig", "OutputParameters"})
_EVERY_STEP = frozenset({"Arguments", "DependsOn", "Description", "DisplayName", "Name", "Type"})
#: Step type → members of a step of that type.
STEP_MEMBERS: Mapping[str, frozenset[str]] = {
    StepType.PROCESSING: _EVERY_STEP | _JOB_MEMBERS,
    StepType.TRAINING: _EVERY_STEP | _JOB_MEMBERS,
    StepType.TRANSFORM: _EVERY_STEP | _JOB_MEMBERS,
    StepType.TUNING: _EVERY_STEP | {"CacheConfig", "RetryPolicies"},
    StepType.MODEL: _EVERY_STEP | {"RetryPolicies"},
    StepType.REGISTER_MODEL: _EVERY_STEP | {"RetryPolicies"},
    StepType.ENDPOINT_CONFIG: _EVERY_STEP | {"CacheConfig", "RetryPolicies"},
    StepType.CONDITION: _EVERY_STEP,
    StepType.FAIL: _EVERY_STEP,
    StepType.LINEAGE: _EVERY_STEP,
    **{kind: _EVERY_STEP | _HANDOVER_MEMBERS | {target} for kind, target in TARGETS.items()},
}


def parse_definition(text: str) -> Definition:
    """Read the JSON of a pipeline definition.

    Raises:
        AwsError: ValidationException with the step and field that is wrong.
        RecursionError: it is nested too deeply.
    """
    document = _read_document(text)
    parameters: dict[str, Parameter] = {}
    for item in json_list(document.get("Parameters") or [], "Parameters"):
        parameter = parse_parameter(item)
        if parameter.name in parameters:
            refuse(f"Duplicate parameter name [{parameter.name}].")
        parameters[parameter.name] = parameter
    steps: dict[str, Step] = {}
    for step in _parse_steps(document.get("Steps"), ()):
        if step.name in steps:
            refuse(f"Duplicate step name [{step.name}]. Step names must be unique within a pipeline and its branches.")
        steps[step.name] = step
    if not steps:
        refuse("Steps must contain at least one step.")
    return Definition(
        parameters,
        steps,
        experiment=_parse_config(document, "PipelineExperimentConfig"),
        mlflow=_parse_config(document, "MlflowConfig"),
    )


def _read_document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as exc:
        refuse(f"Invalid Json: {exc.msg}, line {exc.lineno} column {exc.colno}.")
    if not isinstance(document, dict):
        refuse("Expecting start of Json Object.")
    if document.get("Version") != SCHEMA_VERSION:
        refuse(f"Unsupported definition Version [{document.get('Version')}]; expecting [{SCHEMA_VERSION}].")
    if unknown := sorted(set(document) - DEFINITION_MEMBERS):
        refuse(f"Unknown Pipeline member '{unknown[0]}'.")
    if document.get("Metadata") is not None:
        json_object(document["Metadata"], "Metadata")
    return document


def _parse_config(document: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return a configuration without its null members, which the SDK writes."""
    if document.get(name) is None:
        return None
    given = json_object(document[name], name)
    if unknown := sorted(set(given) - CONFIGURATION_MEMBERS[name]):
        refuse(f"Unknown {name} member '{unknown[0]}'.")
    return {key: value for key, value in given.items() if value is not None}


def _parse_steps(value: Any, guards: tuple[Guard, ...]) -> Iterator[Step]:
    for item in json_list(value, "Steps"):
        step = _parse_step(json_object(item, "Steps"), guards)
        yield step
        if step.type is StepType.CONDITION:
            arguments = item["Arguments"]
            for branch, outcome in (("IfSteps", "True"), ("ElseSteps", "False")):
                yield from _parse_steps(arguments.get(branch, []), (*guards, Guard(step.name, outcome)))


def _parse_step(item: dict[str, Any], guards: tuple[Guard, ...]) -> Step:
    name = item.get("Name")
    if not isinstance(name, str) or not name:
        refuse("A step has no Name.")
    kind = kind_of(item)
    if isinstance(kind, str) and kind in REFUSED_KINDS:
        raise AwsError("ValidationException", refusal_message(name, kind, StepType))
    if not isinstance(kind, str) or kind not in list(StepType):
        refuse(f"Unknown step type [{kind}] of step [{name}].")
    target = TARGETS.get(kind)
    if unknown := sorted(set(item) - STEP_MEMBERS[kind]):
        refuse(f"Unknown Step member '{unknown[0]}' of step [{name}].")
    given = item.get("Arguments")
    # A Callback or Lambda step may have nothing to say.
    arguments = {} if given is None and target else json_object(given, f"Arguments of step [{name}]")
    try:
        if kind == StepType.CONDITION:
            arguments = {"Conditions": _parse_conditions(arguments, name)}
        return Step(
            name=name,
            type=StepType(kind),
            arguments=arguments,
            display_name=_parse_text(item, "DisplayName", MAX_DISPLAY_NAME, name),
            description=_parse_text(item, "Description", MAX_DESCRIPTION, name),
            depends_on=_parse_depends_on(item.get("DependsOn") or [], name),
            guards=guards,
            property_files=tuple(_parse_property_files(item.get("PropertyFiles") or [], name)),
            cache=_parse_cache(item.get("CacheConfig"), name),
            retry_policies=tuple(
                parse_retry_policy(policy) for policy in json_list(item.get("RetryPolicies") or [], f"step [{name}]")
            ),
            target=None if target is None else _parse_target(item.get(target), target, name),
            outputs=_parse_outputs(item.get("OutputParameters") or [], name),
        )
    except (ExpressionError, ValueError) as exc:
        refuse(f"Step [{name}]: {exc}")


def _parse_text(item: Mapping[str, Any], member: str, limit: int, name: str) -> str | None:
    text = item.get(member)
    if text is not None and (not isinstance(text, str) or len(text) > limit):
        refuse(f"{member} of step [{name}] must be a string of up to {limit} characters.")
    return text


def _parse_target(value: Any, member: str, name: str) -> Any:
    if not (isinstance(value, str) and value) and not is_expression(value):
        refuse(f"Step [{name}] needs {member}, a string or a reference.")
    return value


def _parse_outputs(value: Any, name: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for item in json_list(value, f"OutputParameters of step [{name}]"):
        given = json_object(item, f"OutputParameters of step [{name}]")
        output, kind = given.get("OutputName"), given.get("OutputType")
        if not isinstance(output, str) or not output or not isinstance(kind, str) or kind not in PARAMETER_TYPES:
            refuse(
                f"An output parameter of step [{name}] needs OutputName and OutputType, "
                f"one of {', '.join(PARAMETER_TYPES)}."
            )
        if output in result:
            refuse(f"Duplicate output parameter [{output}] of step [{name}].")
        result[output] = kind
    return result


def _parse_conditions(arguments: dict[str, Any], name: str) -> list[Any]:
    if unknown := sorted(set(arguments) - {"Conditions", "IfSteps", "ElseSteps"}):
        refuse(f"Unknown Argument member '{unknown[0]}' of step [{name}].")
    conditions = json_list(arguments.get("Conditions"), f"Conditions of step [{name}]")
    for condition in conditions:
        check_condition(condition)
    return conditions


def _parse_depends_on(value: Any, name: str) -> dict[str, Trigger]:
    result: dict[str, Trigger] = {}
    for entry in json_list(value, f"DependsOn of step [{name}]"):
        upstream, trigger = entry, Trigger.COMPLETED
        if isinstance(entry, dict):
            upstream = entry.get("Step")
            if entry.get("Trigger", Trigger.COMPLETED) not in list(Trigger):
                refuse(f"Unknown Trigger [{entry.get('Trigger')}] in DependsOn of step [{name}].")
            trigger = Trigger(entry.get("Trigger", Trigger.COMPLETED))
        if not isinstance(upstream, str):
            refuse(f"DependsOn of step [{name}] takes step names.")
        if result.setdefault(upstream, trigger) is not trigger:
            refuse(f"Step [{name}] depends on step [{upstream}] with conflicting triggers.")
    return result


def _parse_property_files(value: Any, name: str) -> Iterator[PropertyFile]:
    for item in json_list(value, f"PropertyFiles of step [{name}]"):
        given = item if isinstance(item, dict) else {}
        fields = [given.get(key) for key in ("PropertyFileName", "OutputName", "FilePath")]
        texts = [part for part in fields if isinstance(part, str) and part]
        if len(texts) != len(fields):
            refuse(f"A property file of step [{name}] needs PropertyFileName, OutputName and FilePath.")
        yield PropertyFile(*texts)


def _parse_cache(value: Any, name: str) -> CacheConfig | None:
    if value is None:
        return None
    item = json_object(value, f"CacheConfig of step [{name}]")
    if unknown := sorted(set(item) - CACHE_MEMBERS):
        refuse(f"Unknown CacheConfig member '{unknown[0]}' of step [{name}].")
    enabled, expire_after = item.get("Enabled", False), item.get("ExpireAfter")
    if not isinstance(enabled, bool) or (expire_after is not None and not isinstance(expire_after, str)):
        refuse(f"CacheConfig of step [{name}] takes Enabled (true or false) and ExpireAfter (an ISO 8601 duration).")
    return CacheConfig(enabled, expire_after)
