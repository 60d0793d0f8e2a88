"""Names: what AWS takes, and no two alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from pipedef.checks.registry import Deployment, Problem, definition_check, deployment_check
from pipedef.document.definition import Definition, Step
from pipedef.language.model import StepType
from pipedef.language.parsing import AWS_ONLY_STEP_TYPES

# Pipeline names: CreatePipeline. Step names: StepName. Parameter names: Parameter (API reference of SageMaker).
PIPELINE_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")
STEP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PARAMETER_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
#: CreatePipeline refuses longer names, because the display name of an execution is made of them
#: (github.com/aws/sagemaker-python-sdk/issues/2933).
LONGEST_PIPELINE_NAME = 82


@definition_check(
    "names", "names of steps, parameters, inputs, outputs and property files are valid and not used twice"
)
def names_are_valid(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps:
        if not STEP_NAME.fullmatch(step.name):
            fix = "Use 1 to 64 letters, digits, hyphens and underscores."
            yield Problem(f"{step.name!r} is no step name.", fix, step=step.name, field=f"{step.place}.Name")
        if step.type not in {*StepType, *AWS_ONLY_STEP_TYPES}:
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
                f"{parameter.get('Name')!r} is no parameter name.",
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
    """Path of a list of inputs → their names; each training job of a tuning has a list of its own."""
    found: dict[str, list[str]] = {}
    for name, path, _ in step.inputs():
        # The last index of a path is that in the list of inputs.
        found.setdefault(path.rpartition("[")[0], []).append(name)
    return found


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


@deployment_check("pipeline-name", "the pipeline's name is one that CreatePipeline takes")
def pipeline_name_is_valid(definition: Definition, deployment: Deployment) -> Iterator[Problem]:  # noqa: ARG001
    name = deployment.pipeline
    if not PIPELINE_NAME.fullmatch(name) or len(name) > LONGEST_PIPELINE_NAME:
        yield Problem(
            f"{name!r} is no pipeline name.",
            f"Use up to {LONGEST_PIPELINE_NAME} letters, digits and single hyphens: shorten project or environment.",
            field="PipelineName",
        )
