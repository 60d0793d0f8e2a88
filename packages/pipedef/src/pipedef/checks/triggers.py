"""What starts the pipeline against the pipeline: parameters, and outputs that would start it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipedef.checks.limits import NO_EMPTY_VALUE, NOT_EMPTY, PARAMETER_NAME
from pipedef.checks.registry import Deployment, Problem, Trigger, deployment_check
from pipedef.checks.shapes import least_length, limited_texts
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import default_location, overlap, pattern_of
from pipedef.document.values import follow, references, texts
from pipedef.language.expressions import ParameterReference
from pipedef.language.parsing import TARGETS

#: Path of an object's key in the events of S3, and the most characters that a key has ("Object key names", S3).
_KEY_PATH, _KEY_CHARACTERS = "$.detail.object.key", 1024


@deployment_check("trigger-parameters")
def trigger_parameters_match(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    """Check that triggers set parameters that exist, as text, and all those without a default."""
    for trigger in deployment.own_triggers:
        for name, path in trigger.parameters.items():
            parameter = definition.parameter_named.get(name)
            field = f"rule {trigger.name}: {name}"
            if parameter is None or not PARAMETER_NAME.fullmatch(name):
                yield Problem(
                    f"The trigger sets {name}, which the pipeline does not declare: no execution would start.",
                    "Declare the parameter, or remove it from the rule's target.",
                    field=field,
                )
            elif parameter.get("Type") != "String":
                yield Problem(
                    f"The trigger sets {name}, which is of type {parameter.get('Type')}, from an event's text.",
                    "Make it a ParameterString.",
                    field=field,
                )
            if path == "":
                yield Problem(f"The trigger sets {name} to an empty text. {NO_EMPTY_VALUE}", NOT_EMPTY, field=field)
            elif not path.startswith("$."):
                yield Problem(
                    f"{path!r} is not a JSON path into the event: every execution would get this literal text.",
                    "Write it as $.detail.…",
                    field=field,
                )
        yield from _unset(definition, trigger)


def _unset(definition: Definition, trigger: Trigger) -> Iterator[Problem]:
    for name, parameter in definition.parameter_named.items():
        if parameter.get("DefaultValue") is None and name not in trigger.parameters:
            yield Problem(
                f"Parameter {name} has no default and the trigger does not set it: no execution would start.",
                "Give it a default, or set it in the rule's target.",
                field=f"rule {trigger.name}: {name}",
            )


@deployment_check("key-lengths")
def keys_fit(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    """Check that an uploaded object's key fits wherever its parameter is used, such as in a container's arguments.

    AWS measures the value when the step runs: an execution for a long key fails there
    (github.com/aws/sagemaker-python-sdk/issues/5224). The payload of a function has no such limit.
    """
    keys = {
        name for trigger in deployment.own_triggers for name, path in trigger.parameters.items() if path == _KEY_PATH
    }
    for step in definition.steps:
        for path, value, most in limited_texts(step):
            used = [
                found.reference.name
                for found in references(value, "")
                if isinstance(found.reference, ParameterReference) and found.reference.name in keys
            ]
            if used and least_length(value) + _KEY_CHARACTERS * len(used) > most:
                yield Problem(
                    f"{used[0]} is an object's key, of up to {_KEY_CHARACTERS} characters; at most {most} are allowed.",
                    "Pass it to a function, or write it to a file that the job reads.",
                    step=step.name,
                    field=path,
                )


def _given(step: Step) -> Iterator[tuple[str, Any]]:
    """Yield (field, value) of everything that a step hands to code.

    These are arguments, environment and hyperparameters, and all of a Callback or Lambda step.
    """
    if step.type in TARGETS:
        yield from texts(step.arguments, "Arguments")
    for name in ("Environment", "HyperParameters"):
        yield from texts(step.arguments.get(name), f"Arguments.{name}")
    for name in ("AppSpecification", "AlgorithmSpecification"):
        given = follow(step.arguments, name, "ContainerArguments")
        yield from texts(given, f"Arguments.{name}.ContainerArguments")


@deployment_check("trigger-loops")
def no_output_starts_a_pipeline(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    """Check that nothing is written where it would start a pipeline again.

    A location counts when the job writes there itself, or when its code is given it.
    """
    for step in definition.steps:
        for field, value in [*((path, uri) for _, path, uri in step.outputs()), *_given(step)]:
            # A parameter has its default unless an execution sets it.
            locations = [pattern_of(value, definition), default_location(value, definition)]
            for trigger in deployment.triggers:
                watched = f"s3://{trigger.bucket}/{trigger.key_pattern}"
                hits = [one for one in locations if one.startswith("s3:/") and overlap(f"{one}*", watched)]
                if hits:
                    yield Problem(
                        f"It writes to {hits[0]}, and a new object under {watched} starts {trigger.pipeline}: "
                        "an endless loop.",
                        "Write to another bucket, or to a prefix that no rule watches.",
                        step=step.name,
                        field=field,
                    )
