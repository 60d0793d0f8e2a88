"""Step caching: that it can hit, and that a hit is right.

SageMaker compares the arguments in :data:`pipedef.language.caching.KEY_ARGUMENTS` (AWS: "Default
cache key attributes by pipeline step type"); of a step that hands over, all of them. Where a job writes to is not
among them, so outputs may name the execution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pipedef.checks.registry import Deployment, Problem, Severity, definition_check, deployment_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import differs_by_execution
from pipedef.document.values import leaves, references
from pipedef.language.caching import KEY_ARGUMENTS
from pipedef.language.expressions import GET, ExecutionReference, ParameterReference, StepReference
from pipedef.language.model import StepType
from pipedef.language.parsing import TARGETS

# 2026-11-23-10-15-00-123, 20261123T101500, 2026/11/23/10, and seconds or milliseconds since 1970.
_TIME = re.compile(r"20\d\d[-/]?[01]\d[-/]?[0-3]\d[-T/_]?[0-2]\d|(?<![0-9A-Za-z])1[6-9]\d{8}(\d{3})?(?![0-9A-Za-z])")
_DIGEST = re.compile(r"[0-9a-f]{32,}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam:")
#: Endings of properties that differ for each job or model: names that Pipelines makes, ARNs, artefacts, times.
_PER_JOB = ("JobName", "ModelName", "ConfigName", "Arn", "S3ModelArtifacts", "Time", "PackageVersion")
_STABLE_VARIABLES = frozenset({"PipelineName", "PipelineArn"})


def _key(step: Step) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of the arguments that SageMaker compares."""
    names: Iterable[str] = KEY_ARGUMENTS.get(StepType(step.type), ()) if step.type in set(StepType) else ()
    if step.type in {*TARGETS, StepType.ENDPOINT_CONFIG}:
        names = step.arguments
    for name in names:
        if name in step.arguments:
            yield f"Arguments.{name}", step.arguments[name]


def _cached(definition: Definition) -> Iterator[Step]:
    return (step for step in definition.steps if step.cached)


@definition_check("cache-hits", Severity.WARNING)
def cache_can_hit(definition: Definition) -> Iterator[Problem]:
    """Check that caching is not defeated by an execution id, a time or a changing path."""
    for step in _cached(definition):
        for path, value in _key(step):
            for found in references(value, path):
                reason = _changes(found.reference, found.text, definition)
                if reason:
                    yield Problem(
                        f"{found.text} {reason}: the step is cached and would never hit.",
                        "Take it out of the arguments, or switch the step's cache off.",
                        step=step.name,
                        field=found.path,
                    )
            for field, text in leaves(value, path):
                # The console puts the time of its creation into a role's name; it does not change.
                if isinstance(text, str) and _has_a_time(text) and not _ROLE.match(text):
                    yield Problem(
                        f"{text!r} has a time in it: the next compile changes it, and the cached step never hits.",
                        "Name code and data by their content, such as a SHA-256.",
                        step=step.name,
                        field=field,
                    )


def _has_a_time(text: str) -> bool:
    """Tell whether a text names a time. Digests are left out: one in some thousands has the digits of a time."""
    return bool(_TIME.search(_DIGEST.sub("", text)))


def _changes(reference: object, text: str, definition: Definition) -> str:
    """Return why a reference has another value in each execution; empty where it has the same."""
    if isinstance(reference, ExecutionReference):
        return "" if reference.variable in _STABLE_VARIABLES else "is different in each execution"
    if isinstance(reference, ParameterReference):
        default = (definition.parameter_named.get(reference.name) or {}).get("DefaultValue")
        return f"is {default!r} by default, with a time in it" if _has_a_time(str(default)) else ""
    if isinstance(reference, StepReference):
        upstream = definition.step_named.get(reference.step)
        if upstream is None or upstream.cached:
            return ""
        if differs_by_execution({GET: text}, definition):
            return f"lies in the execution's own folder, because {upstream.name} is not cached"
        if reference.path[-1:] and str(reference.path[-1]).endswith(_PER_JOB):
            return f"has a name or a time of this execution in it, because {upstream.name} is not cached"
    return ""


@definition_check("cache-effects", Severity.WARNING)
def cached_steps_are_pure(definition: Definition) -> Iterator[Problem]:
    """Check that no step is cached whose script changes something outside, or asks what is there."""
    for step in _cached(definition):
        actions = definition.script_actions(step)
        if actions:
            yield Problem(
                f"{step.script} calls {', '.join(actions)}, which a cached result would leave out.",
                "Switch the step's cache off.",
                step=step.name,
                field="CacheConfig.Enabled",
            )


@deployment_check("cache-identity", Severity.WARNING)
def cached_steps_know_the_version(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    """Check that a cached step that reads an uploaded file has the file's version in its cache key.

    Without it a replaced file of the same name is answered with the result of the old one.
    """
    for trigger in deployment.own_triggers:
        keys = {name for name, path in trigger.parameters.items() if path.endswith(".object.key")}
        versions = {name for name, path in trigger.parameters.items() if path.endswith((".etag", ".version-id"))}
        for step in _cached(definition):
            used, informed = _parameters_in_key(step, definition)
            if used & keys and not informed & versions:
                yield Problem(
                    f"Its cache key has {', '.join(sorted(used & keys))} and no version of that file: a replaced file "
                    "would be answered with the old result.",
                    f"Put {' or '.join(sorted(versions)) or 'the ETag'} into the job's Environment, or read a copy "
                    "whose path names the version.",
                    step=step.name,
                    field="CacheConfig",
                )


def _parameters_in_key(step: Step, definition: Definition) -> tuple[set[str], set[str]]:
    """Return (parameters in a step's cache key, these and those behind a property file that the key reads)."""
    found = [item.reference for path, value in _key(step) for item in references(value, path)]
    used = {reference.name for reference in found if isinstance(reference, ParameterReference)}
    writers = {
        reference.step
        for reference in found
        if isinstance(reference, StepReference) and reference.path[:1] == ("PropertyFiles",)
    }
    behind = {
        item.reference.name
        for name in writers & set(definition.step_named)
        for item in references(definition.step_named[name].arguments, "")
        if isinstance(item.reference, ParameterReference)
    }
    return used, used | behind
