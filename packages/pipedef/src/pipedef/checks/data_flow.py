"""Which rows a model learns from: none is fitted before the split or on test rows, none again at scoring, and none is
registered that nobody has judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import origin_below, pattern_of
from pipedef.document.values import code_channel, follow, json_gets, listed, objects, property_file_read, references
from pipedef.language.expressions import StepReference

SPLIT_SCRIPT, FITTING_SCRIPT, EVALUATION_SCRIPT = "preprocess.py", "train.py", "evaluate.py"
SELECTION_SCRIPT = "select_model.py"
TRAINING_ROWS, VALIDATION_ROWS, TEST_ROWS = "train", "validation", "test"
#: Channels without rows: packages to install. The code's own channel is named by the hyperparameters.
_PACKAGES = "wheels"
#: The SDK's ModelTrainer brings code and what starts it as channels.
_DRIVERS, _CODE = "sm_drivers", "code"
_FITTING_TYPES = ("Training", "Tuning", "AutoML")


def _purpose(step: Step) -> str:
    """What rows are prepared for, as the script is told; a pipeline variable is no purpose that can be checked."""
    purpose = step.flag("--purpose")
    return purpose if isinstance(purpose, str) else ""


def _splits(definition: Definition) -> set[str]:
    """Names of the steps that split rows: that write training rows and test rows."""
    return {
        step.name
        for step in definition.steps_of_type("Processing")
        if {TRAINING_ROWS, TEST_ROWS} <= {name for name, _, _ in step.outputs()}
    }


def without_rows(step: Step) -> set[str | None]:
    """Channels of a training step that bring something else than rows."""
    channels: set[str | None] = {_PACKAGES}
    for _, job in step.training_jobs():
        for parameters in ("HyperParameters", "StaticHyperParameters"):
            channels.add(code_channel(follow(job, parameters, "sagemaker_submit_directory")))
        command = listed(follow(job, "AlgorithmSpecification", "ContainerArguments"))
        if any(isinstance(word, str) and f"/{_DRIVERS}/" in word for word in command):
            channels |= {_DRIVERS, _CODE}
    return channels


def is_model(uri: Any, definition: Definition) -> bool:
    """Whether an input is a model to go on from, or to judge, and no rows."""
    return bool(models_at(uri, definition)) or pattern_of(uri, definition).endswith(".tar.gz")


def models_at(uri: Any, definition: Definition) -> set[str]:
    """The steps that fitted what lies at a location: the artefact of a training step, or the best one of a tuning."""
    fitting = {step.name for step in definition.steps_of_type(*_FITTING_TYPES)}
    named = {found.reference.step for found in references(uri, "") if isinstance(found.reference, StepReference)}
    return fitting & named


@definition_check("fit-after-split", "models are fitted on the training rows of a split, and on nothing else")
def fitted_after_the_split(definition: Definition) -> Iterator[Problem]:
    splits = _splits(definition)
    # Where nothing in the pipeline splits rows, they come split, and from where they come nobody can tell.
    split_here = splits or any(step.script == SPLIT_SCRIPT for step in definition.steps)
    splitting = ", ".join(sorted(splits)) or f"the step that runs {SPLIT_SCRIPT}"
    for step in definition.steps_of_type(*_FITTING_TYPES) if split_here else ():
        no_rows = without_rows(step)
        for name, path, uri in step.inputs():
            if name in no_rows or is_model(uri, definition):
                continue
            source = origin_below(uri, definition)
            if source is None or source[0] not in splits:
                yield Problem(
                    f"Channel {name} does not come from a step that splits rows: the model would be fitted before "
                    "the split.",
                    f"Take output {TRAINING_ROWS!r} of {splitting}.",
                    step=step.name,
                    field=path,
                )
            elif source[1] not in {TRAINING_ROWS, VALIDATION_ROWS}:
                yield Problem(
                    f"Channel {name} is output {source[1]!r} of {source[0]}: the model would learn from rows that are "
                    "not for training.",
                    f"Take output {TRAINING_ROWS!r} of {source[0]}.",
                    step=step.name,
                    field=path,
                )
    for step in definition.steps_of_type("Processing"):
        if step.script == FITTING_SCRIPT:
            yield Problem(
                f"{FITTING_SCRIPT} runs in a processing job, where no channel says which rows it learns from.",
                "Run it in a training job.",
                step=step.name,
                field="Arguments.AppSpecification.ContainerEntrypoint",
            )


@definition_check("quality-gate", "a trained model is registered only behind a condition on its evaluation")
def registered_behind_a_gate(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps_of_type("RegisterModel"):
        containers = objects(follow(step.arguments, "InferenceSpecification", "Containers"))
        trained = {model for _, item in containers for model in models_at(item.get("ModelDataUrl"), definition)}
        behind = [definition.step_named[guard.condition] for guard in step.guards if guard.branch == "IfSteps"]
        judged = {model for condition in behind for model in _judged_models(condition, definition)}
        for model in sorted(trained - judged):
            yield Problem(
                f"The model of {model} is registered whatever its evaluation says.",
                f"Put the step into if_steps of a condition on the property file of the step that runs "
                f"{EVALUATION_SCRIPT}.",
                step=step.name,
                field=step.place,
            )


def _judged_models(condition: Step, definition: Definition) -> set[str]:
    """Training steps whose evaluation a condition looks at.

    Where no step runs the evaluation script, any result that came of the model counts as one.
    """
    if not any(step.script == EVALUATION_SCRIPT for step in definition.steps):
        return definition.behind(condition.name)
    found: set[str] = set()
    for _, body in json_gets(condition.arguments, ""):
        reference = property_file_read(body)
        judge = definition.step_named.get(reference.step) if reference else None
        if judge is not None and judge.script == EVALUATION_SCRIPT:
            found |= {model for _, _, uri in judge.inputs() for model in models_at(uri, definition)}
    return found


@definition_check("no-refit-at-scoring", "scoring fits nothing: its model comes from the registry")
def nothing_is_fitted_at_scoring(definition: Definition) -> Iterator[Problem]:
    if not _scores(definition):
        yield from _prepared_for("training", definition) if any(definition.steps_of_type("Training")) else ()
        return
    yield from _prepared_for("scoring", definition)
    for step in definition.steps_of_type(*_FITTING_TYPES):
        yield Problem(
            "A pipeline that scores fits a model.",
            "Remove the step; take an approved version from the model registry.",
            step=step.name,
            field="Type",
        )
    for step in definition.steps_of_type("RegisterModel"):
        yield Problem("A pipeline that scores registers a model.", "Remove the step.", step=step.name, field="Type")
    for step in definition.steps_of_type("Model"):
        if _containers(step) and not _approved(step):
            yield Problem(
                "The model does not come from the registry: nobody has approved it.",
                "Give the container a ModelPackageName instead of image and model data.",
                step=step.name,
                field="Arguments.PrimaryContainer",
            )


def _scores(definition: Definition) -> bool:
    """Whether a pipeline makes predictions with a model that is there already."""
    purposes = {_purpose(step) for step in definition.steps if step.script == SPLIT_SCRIPT}
    fits = any(definition.steps_of_type(*_FITTING_TYPES))
    if purposes and (purposes == {"scoring"} or fits):
        return purposes == {"scoring"}
    if any(step.script == SELECTION_SCRIPT for step in definition.steps):
        return True
    registers = any(definition.steps_of_type("RegisterModel"))
    return not registers and any(_approved(step) for step in definition.steps_of_type("Model"))


def _containers(step: Step) -> list[Any]:
    """Those of a Model step."""
    return [
        item for item in (step.arguments.get("PrimaryContainer"), *listed(step.arguments.get("Containers"))) if item
    ]


def _approved(step: Step) -> bool:
    """Whether all that a Model step takes comes from the registry."""
    containers = _containers(step)
    return bool(containers) and all(follow(item, "ModelPackageName") for item in containers)


def _prepared_for(purpose: str, definition: Definition) -> Iterator[Problem]:
    for step in definition.steps:
        if step.script == SPLIT_SCRIPT and _purpose(step) != purpose:
            does = "trains" if purpose == "training" else "scores"
            yield Problem(
                f"The pipeline {does}, and its rows are prepared for {_purpose(step)!r}.",
                f"Pass --purpose {purpose}.",
                step=step.name,
                field="Arguments.AppSpecification.ContainerArguments",
            )
