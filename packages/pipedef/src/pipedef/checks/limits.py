"""Names and sizes that SageMaker takes and that are in no request's shape. Each limit says where it comes from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipedef.checks.registry import Deployment, Problem, Severity, definition_check, deployment_check
from pipedef.document.definition import Definition, Step
from pipedef.document.values import follow, listed, objects
from pipedef.language.caching import parse_duration
from pipedef.language.model import StepType
from pipedef.language.refused_kinds import REFUSED_KINDS
from pipedef.language.retrying import (
    MAX_ATTEMPTS_LIMIT,
    MAX_EXPIRE_AFTER_MINUTES,
    MAX_INTERVAL_SECONDS,
)

# Pipeline names: CreatePipeline. Step names: StepName. Parameter names: Parameter (API reference of SageMaker).
PIPELINE_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")
STEP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PARAMETER_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
#: CreatePipeline refuses longer names, because the display name of an execution is made of them
#: (github.com/aws/sagemaker-python-sdk/issues/2933).
LONGEST_PIPELINE_NAME = 82


@definition_check("names")
def names_are_valid(definition: Definition) -> Iterator[Problem]:
    """Check that names of steps, parameters, inputs, outputs and property files are valid and not used twice."""
    for step in definition.steps:
        if not STEP_NAME.fullmatch(step.name):
            fix = "Use 1 to 64 letters, digits, hyphens and underscores."
            yield Problem(f"{step.name!r} is not a valid step name.", fix, step=step.name, field=f"{step.place}.Name")
        if step.type not in {*StepType, *REFUSED_KINDS}:
            yield Problem(
                f"There is no step type {step.type}.",
                "Use a step class of the SDK.",
                step=step.name,
                field=f"{step.place}.Type",
            )
        yield from _twice_within(step)
    for name in _twice(step.name for step in definition.steps):
        yield Problem(f"There are two steps named {name}, branches included.", "Rename one.", step=name, field="Name")
    for index, parameter in enumerate(definition.parameters):
        if not PARAMETER_NAME.fullmatch(str(parameter.get("Name"))):
            yield Problem(
                f"{parameter.get('Name')!r} is not a valid parameter name.",
                "Use 1 to 256 letters, digits, hyphens and underscores.",
                field=f"Parameters[{index}].Name",
            )
    for name in _twice(str(parameter.get("Name")) for parameter in definition.parameters):
        yield Problem(f"There are two parameters named {name}.", "Rename one.", field="Parameters")


def _twice_within(step: Step) -> Iterator[Problem]:
    for what, field, names in (
        *(("inputs", path, names) for path, names in _inputs(step).items()),
        ("outputs", "Arguments", [name for name, _, _ in step.outputs()]),
        ("property files", "PropertyFiles", [str(file.get("PropertyFileName")) for file in step.property_files]),
    ):
        for name in _twice(names):
            yield Problem(f"Two {what} are named {name}.", "Rename one.", step=step.name, field=field)


def _inputs(step: Step) -> dict[str, list[str]]:
    """Map the path of each list of inputs to their names; each training job of a tuning has its own list."""
    found: dict[str, list[str]] = {}
    for name, path, _ in step.inputs():
        # The last index of a path is that in the list of inputs.
        found.setdefault(path.rpartition("[")[0], []).append(name)
    return found


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


@deployment_check("pipeline-name")
def pipeline_name_is_valid(definition: Definition, deployment: Deployment) -> Iterator[Problem]:  # noqa: ARG001
    """Check that the pipeline's name is one that CreatePipeline takes."""
    name = deployment.pipeline
    if not PIPELINE_NAME.fullmatch(name) or len(name) > LONGEST_PIPELINE_NAME:
        yield Problem(
            f"{name!r} is not a valid pipeline name.",
            f"Use up to {LONGEST_PIPELINE_NAME} letters, digits and single hyphens: shorten project or environment.",
            field="PipelineName",
        )


#: botocore's model allows it; the cloud has refused it.
NO_EMPTY_VALUE = (
    "StartPipelineExecution refuses one: string is too short, length 0 (aws/sagemaker-python-sdk#4016, #3564)."
)
NOT_EMPTY = "Use a word that says what it means, such as none or latest."


@dataclass(frozen=True)
class Limits:
    """What a pipeline may have at most."""

    #: Service quota "steps in a pipeline", by default; an account can ask for more.
    steps: int = 50
    #: ParameterList of StartPipelineExecution, and EventBridge's PipelineParameterList.
    parameters: int = 200
    #: PipelineDefinition of CreatePipeline, in characters.
    definition: int = 1_048_576
    #: Value of Parameter, in characters.
    parameter_value: int = 1024
    #: EnumValues (github.com/aws/sagemaker-python-sdk/issues/2314).
    enum_values: int = 16
    #: MaxPayloadInMB times MaxConcurrentTransforms of CreateTransformJob, in MB.
    transform_payload: int = 100
    #: MaxRuntimeInSeconds and MaxWaitTimeInSeconds of a training job's StoppingCondition: 28 days.
    training_seconds: int = 2_419_200


LIMITS = Limits()


@definition_check("limits")
def limits_are_kept(definition: Definition) -> Iterator[Problem]:
    """Check that steps, parameters, size, retries and payloads stay within SageMaker's limits."""
    compact = len(json.dumps(definition.content, separators=(",", ":")))
    for found, most, what, field in (
        (len(definition.steps), LIMITS.steps, "steps", "Steps"),
        (len(definition.parameters), LIMITS.parameters, "parameters", "Parameters"),
        (compact, LIMITS.definition, "characters", "(whole definition)"),
    ):
        if found > most:
            yield Problem(
                f"The pipeline has {found} {what}; SageMaker takes {most}.",
                "Split it into two pipelines, or put data that it carries into S3.",
                field=field,
            )
    yield from _parameters(definition)
    for step in definition.steps:
        yield from _retries(step)
    for step in definition.steps_of_type("Transform"):
        yield from _transform(step)
    for step in definition.steps_of_type("Training", "Tuning"):
        for path, job in step.training_jobs():
            for field, message, fix in _training(job):
                yield Problem(message, fix, step=step.name, field=f"{path}.{field}")


def _parameters(definition: Definition) -> Iterator[Problem]:
    for index, parameter in enumerate(definition.parameters):
        field = f"Parameters[{index}]"
        values = listed(parameter.get("EnumValues"))
        if len(values) > LIMITS.enum_values:
            yield Problem(
                f"Parameter {parameter.get('Name')} has {len(values)} allowed values, more than {LIMITS.enum_values}.",
                "Leave EnumValues out and check the value in the step.",
                field=f"{field}.EnumValues",
            )
        default = parameter.get("DefaultValue")
        if values and default is not None and default not in values:
            yield Problem(
                f"The default {default!r} of parameter {parameter.get('Name')} is not among its allowed values.",
                f"Use one of {', '.join(map(str, values))}.",
                field=f"{field}.DefaultValue",
            )
        if isinstance(default, str) and len(default) > LIMITS.parameter_value:
            yield Problem(
                f"The default of parameter {parameter.get('Name')} has {len(default)} characters; "
                f"{LIMITS.parameter_value} are the most.",
                "Put the value into S3 and pass its location.",
                field=f"{field}.DefaultValue",
            )


@definition_check("empty-values", Severity.WARNING)
def no_value_is_empty(definition: Definition) -> Iterator[Problem]:
    """Check that no default and no allowed value of a parameter is an empty text, which no start may give."""
    for index, parameter in enumerate(definition.parameters):
        values = [("DefaultValue", parameter.get("DefaultValue"))]
        values += [(f"EnumValues[{at}]", value) for at, value in enumerate(listed(parameter.get("EnumValues")))]
        for field, value in values:
            if value == "":
                message = f"A value of parameter {parameter.get('Name')} is an empty text. {NO_EMPTY_VALUE}"
                yield Problem(message, NOT_EMPTY, field=f"Parameters[{index}].{field}")


def _retries(step: Step) -> Iterator[Problem]:
    for index, policy in objects(step.content.get("RetryPolicies")):
        for key, low, high in (
            ("MaxAttempts", 1, MAX_ATTEMPTS_LIMIT),
            ("IntervalSeconds", 1, MAX_INTERVAL_SECONDS),
            ("ExpireAfterMin", 1, MAX_EXPIRE_AFTER_MINUTES),
            ("BackoffRate", 1, None),
        ):
            value = policy.get(key)
            right = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= (high or value)
            if key in policy and not right:
                allowed = f"from {low} to {high}" if high is not None else f"of at least {low}"
                yield Problem(
                    f"{key} {value!r} is not what SageMaker takes.",
                    f"Use a number {allowed}.",
                    step=step.name,
                    field=f"RetryPolicies[{index}].{key}",
                )


def _transform(step: Step) -> Iterator[Problem]:
    payload, together = (step.arguments.get(key) for key in ("MaxPayloadInMB", "MaxConcurrentTransforms"))
    if isinstance(payload, int) and isinstance(together, int) and payload * together > LIMITS.transform_payload:
        yield Problem(
            f"MaxPayloadInMB times MaxConcurrentTransforms is {payload * together} MB, more than "
            f"{LIMITS.transform_payload}.",
            "Lower one of the two.",
            step=step.name,
            field="Arguments.MaxPayloadInMB",
        )
    split = follow(step.arguments, "TransformInput", "SplitType")
    if step.arguments.get("BatchStrategy") == "MultiRecord" and split in (None, "None"):
        yield Problem(
            "BatchStrategy MultiRecord without a SplitType sends whole files.",
            "Set SplitType to Line.",
            step=step.name,
            field="Arguments.TransformInput.SplitType",
        )


def _training(job: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (field, what is wrong, how to fix it) of a training job's request."""
    runtime, wait = (follow(job, "StoppingCondition", f"Max{name}InSeconds") for name in ("Runtime", "WaitTime"))
    for name, seconds in (("MaxRuntimeInSeconds", runtime), ("MaxWaitTimeInSeconds", wait)):
        if isinstance(seconds, int) and seconds > LIMITS.training_seconds:
            message = f"{seconds} seconds are more than the {LIMITS.training_seconds} that a training job may take."
            yield f"StoppingCondition.{name}", message, f"Use at most {LIMITS.training_seconds}."
    # "If you use managed spot training": StoppingCondition of CreateTrainingJob.
    if job.get("EnableManagedSpotTraining") is True:
        short = isinstance(wait, int) and isinstance(runtime, int) and wait < runtime
        if wait is None or short:
            message = "Managed spot training waits for capacity, and its MaxWaitTimeInSeconds is " + (
                f"{wait}, less than its MaxRuntimeInSeconds." if short else "not given."
            )
            fix = "Give at least MaxRuntimeInSeconds: waiting and running together."
            yield "StoppingCondition.MaxWaitTimeInSeconds", message, fix
    count = follow(job, "ResourceConfig", "InstanceCount")
    if count == 0 and not follow(job, "ResourceConfig", "InstanceGroups"):
        yield "ResourceConfig.InstanceCount", "A training job without an instance does nothing.", "Use at least 1."


@definition_check("cache-expiry")
def cache_expires(definition: Definition) -> Iterator[Problem]:
    """Check that every cached step says how long its result may be used, as an ISO 8601 duration."""
    for step in definition.steps:
        expiry = (step.content.get("CacheConfig") or {}).get("ExpireAfter")
        if step.cached and (not isinstance(expiry, str) or parse_duration(expiry) is None):
            yield Problem(
                f"ExpireAfter {expiry!r} is not an ISO 8601 duration.",
                "Write a duration such as P30D or T12H.",
                step=step.name,
                field="CacheConfig.ExpireAfter",
            )
