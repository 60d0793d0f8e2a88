"""What CreatePipeline refuses about the structure of a definition: members, and what is beside a step's arguments.

SageMaker refuses members that it does not know, and so every misspelt one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import BRANCHES, Definition, Step
from pipedef.document.values import listed, objects
from pipedef.language.expressions import JOIN, JSON_GET, is_expression
from pipedef.language.model import Trigger
from pipedef.language.parameters import MEMBERS as PARAMETER_MEMBERS
from pipedef.language.parameters import PARAMETER_TYPES
from pipedef.language.parsing import (
    CACHE_MEMBERS,
    CONFIGURATION_MEMBERS,
    DEFINITION_MEMBERS,
    MAX_DESCRIPTION,
    MAX_DISPLAY_NAME,
    SCHEMA_VERSION,
    STEP_MEMBERS,
    TARGETS,
)
from pipedef.language.retrying import MEMBERS as RETRY_MEMBERS
from pipedef.language.retrying import ExceptionType

#: What a step hands over to, where it is written out.
_TARGET_FORMS = {
    "FunctionArn": (re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:.+"), "the ARN of a function"),
    "SqsQueueUrl": (re.compile(r"https?://[^/]+/\d{12}/[A-Za-z0-9_-]+(\.fifo)?"), "the URL of a queue"),
}
#: What policies cover: "Retry Policy for Pipeline Steps" in the developer guide.
_RETRIED = "Processing, Training, Tuning, AutoML, Model, RegisterModel, Transform and NotebookJob steps"
_CORRECT = "Remove it, or correct its spelling."


@definition_check("structure")
def structure_is_known(definition: Definition) -> Iterator[Problem]:
    """Check that the definition and each step have the members that CreatePipeline takes."""
    content = definition.content
    if content.get("Version") != SCHEMA_VERSION:
        found = content.get("Version")
        fix = f"Write {SCHEMA_VERSION}, the version of the schema; it is not the version of your pipeline."
        yield Problem(f"SageMaker does not know the Version {found!r}.", fix, field="Version")
    if not definition.steps:
        yield Problem("There is no step.", "Give the pipeline at least one.", field="Steps")
    yield from _unknown(content, DEFINITION_MEMBERS, "", "")
    yield from _object(content, "Metadata", None, "")
    for name, members in CONFIGURATION_MEMBERS.items():
        yield from _object(content, name, members, "")
    for index, parameter in enumerate(definition.parameters):
        yield from _unknown(parameter, PARAMETER_MEMBERS, f"Parameters[{index}]", "")
    for step in definition.steps:
        yield from _step(step)


def _step(step: Step) -> Iterator[Problem]:
    content, name = step.content, step.name
    # Of steps that only AWS runs, nothing here has a table.
    if step.type in STEP_MEMBERS:
        yield from _unknown(content, STEP_MEMBERS[step.type] | {"RetryPolicies"}, "", name)
        if "RetryPolicies" in content and "RetryPolicies" not in STEP_MEMBERS[step.type]:
            fix = "Remove it; a function retries its own calls of AWS, until shortly before its time is over."
            message = f"A step of type {step.type} takes no retry policies; {_RETRIED} do."
            yield Problem(message, fix, step=name, field="RetryPolicies")
    for member, limit in (("DisplayName", MAX_DISPLAY_NAME), ("Description", MAX_DESCRIPTION)):
        text = content.get(member)
        if text is not None and (not isinstance(text, str) or len(text) > limit):
            yield Problem(
                f"{member} is not a text of up to {limit} characters.", "Shorten it.", step=name, field=member
            )
    if step.type == "Condition":
        yield from _condition(step)
    yield from _target(step)
    yield from _outputs(step)
    yield from _cache(step)
    yield from _dependencies(step)
    yield from _property_files(step)
    yield from _retries(step)


def _unknown(value: Mapping[str, Any], known: frozenset[str], field: str, step: str) -> Iterator[Problem]:
    for member in sorted(set(value) - known):
        place = f"{field}.{member}" if field else member
        others = f"There are {', '.join(sorted(known))}."
        yield Problem(f"There is no member {member}.", f"{_CORRECT} {others}", step=step, field=place)


def _object(content: Mapping[str, Any], name: str, known: frozenset[str] | None, step: str) -> Iterator[Problem]:
    value = content.get(name)
    if isinstance(value, Mapping):
        yield from _unknown(value, known, name, step) if known is not None else ()
    elif value is not None:
        yield Problem(f"{name} is not an object.", "Make it an object, or leave it out.", step=step, field=name)


def _condition(step: Step) -> Iterator[Problem]:
    arguments = step.content.get("Arguments") or {}
    yield from _unknown(arguments, frozenset({"Conditions", *BRANCHES}), "Arguments", step.name)
    for branch in BRANCHES:
        if not isinstance(arguments.get(branch, []), list):
            field = f"Arguments.{branch}"
            yield Problem("A list is needed.", "Make it a list, empty where nothing is to be done.", step.name, field)


def _target(step: Step) -> Iterator[Problem]:
    member = TARGETS.get(step.type)
    if member is None:
        return
    target = step.content.get(member)
    form, words = _TARGET_FORMS[member]
    if not is_expression(target) and not (isinstance(target, str) and form.fullmatch(target)):
        message = f"{member} is missing." if target is None else f"{member} {target!r} is not {words}."
        yield Problem(message, f"Give {words}.", step=step.name, field=member)


def _outputs(step: Step) -> Iterator[Problem]:
    names: set[str] = set()
    for index, output in objects(step.content.get("OutputParameters")):
        field = f"OutputParameters[{index}]"
        name, kind = output.get("OutputName"), output.get("OutputType")
        if not isinstance(name, str) or not name:
            yield Problem("The output has no OutputName.", "Name it.", step=step.name, field=f"{field}.OutputName")
        elif name in names:
            yield Problem(f"Two outputs are named {name}.", "Rename one.", step=step.name, field=f"{field}.OutputName")
        if not isinstance(kind, str) or kind not in PARAMETER_TYPES:
            fix = f"Use one of {', '.join(PARAMETER_TYPES)}."
            yield Problem(f"There is no OutputType {kind!r}.", fix, step=step.name, field=f"{field}.OutputType")
        names.add(str(name))


def _cache(step: Step) -> Iterator[Problem]:
    cache = step.content.get("CacheConfig")
    if not isinstance(cache, Mapping):
        return
    yield from _unknown(cache, CACHE_MEMBERS, "CacheConfig", step.name)
    if not isinstance(cache.get("Enabled", False), bool):
        message = f"Enabled {cache.get('Enabled')!r} is not a Boolean."
        yield Problem(message, "Write true or false.", step=step.name, field="CacheConfig.Enabled")


def _dependencies(step: Step) -> Iterator[Problem]:
    triggers: dict[str, Any] = {}
    for index, entry in enumerate(listed(step.content.get("DependsOn"))):
        field = f"DependsOn[{index}]"
        upstream = entry.get("Step") if isinstance(entry, Mapping) else entry
        trigger = entry.get("Trigger", Trigger.COMPLETED) if isinstance(entry, Mapping) else Trigger.COMPLETED
        if not isinstance(upstream, str):
            yield Problem(f"{entry!r} names no step.", "Write the name of a step.", step=step.name, field=field)
        elif trigger not in list(Trigger):
            fix = f"Use one of {', '.join(Trigger)}."
            yield Problem(f"There is no Trigger {trigger!r}.", fix, step=step.name, field=f"{field}.Trigger")
        elif triggers.setdefault(upstream, trigger) != trigger:
            message = f"It waits for two outcomes of {upstream}."
            yield Problem(message, "Keep one of the entries.", step=step.name, field=field)


def _property_files(step: Step) -> Iterator[Problem]:
    for index, file in enumerate(step.property_files):
        for member in ("PropertyFileName", "FilePath"):
            if not isinstance(file.get(member), str) or not file[member]:
                field = f"PropertyFiles[{index}].{member}"
                yield Problem(f"{member} is missing.", f"Give {member}.", step=step.name, field=field)


def _retries(step: Step) -> Iterator[Problem]:
    for index, policy in objects(step.content.get("RetryPolicies")):
        field = f"RetryPolicies[{index}]"
        yield from _unknown(policy, RETRY_MEMBERS, field, step.name)
        kinds = listed(policy.get("ExceptionType"))
        unknown = [kind for kind in kinds if kind not in list(ExceptionType)]
        if unknown or not kinds:
            message = f"There is no ExceptionType {unknown[0]!r}." if unknown else "ExceptionType is missing."
            fix = f"Give a list of {', '.join(ExceptionType)}."
            yield Problem(message, fix, step=step.name, field=f"{field}.ExceptionType")
        if policy.get("MaxAttempts") is not None and policy.get("ExpireAfterMin") is not None:
            message = "MaxAttempts and ExpireAfterMin are both given; SageMaker takes only one of them."
            yield Problem(message, "Remove one.", step=step.name, field=field)


@definition_check("expressions")
def expressions_are_complete(definition: Definition) -> Iterator[Problem]:
    """Check that every Std:Join is complete, and no unknown function is used."""
    for step in definition.steps:
        beside = {key: value for key, value in step.content.items() if key != "Arguments"}
        for field, part in {"Arguments": step.arguments, **beside}.items():
            for path, message in _broken(part, field):
                fix = f"Write it as the SDK's Join and JsonGet do; functions: {JOIN}, {JSON_GET}."
                yield Problem(message, fix, step=step.name, field=path)


def _broken(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong) of each expression below a value that SageMaker can't read."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == JOIN and not _is_complete_join(item):
                yield path, f"A {JOIN} takes On, a text, and Values, a list."
            elif key.startswith("Std:") and key not in {JOIN, JSON_GET}:
                yield path, f"There is no function {key}."
            yield from _broken(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _broken(item, f"{path}[{index}]")


def _is_complete_join(body: Any) -> bool:
    return isinstance(body, Mapping) and isinstance(body.get("Values"), list) and isinstance(body.get("On", ""), str)
