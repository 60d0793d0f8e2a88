"""Which rows a model learns from, and on which it is evaluated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipedef.checks.registry import Problem, Severity, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import default_location, origin_below, pattern_of
from pipedef.document.values import code_channel, follow, json_gets, listed, objects, property_file_read, references
from pipedef.language.expressions import GET, StepReference

TRAINING_ROWS, VALIDATION_ROWS, TEST_ROWS = "train", "validation", "test"
#: The SDK's ModelTrainer brings code and what starts it as channels.
_DRIVERS, _CODE = "sm_drivers", "code"
_FITTING_TYPES = ("Training", "Tuning", "AutoML")


def _runs(step: Step, script: str | None) -> bool:
    """Tell whether a step runs a script of the project; False where the project does not name it."""
    return script is not None and step.script == script


def _purposes(definition: Definition) -> Iterator[tuple[Step, str]]:
    """Yield (step that runs the split script, what for); empty where the flag is missing or a pipeline variable."""
    flag = definition.project.purpose_flag
    for step in definition.steps if flag else ():
        if _runs(step, definition.project.split_script):
            purpose = step.flag(str(flag))
            yield step, purpose if isinstance(purpose, str) else ""


def _splits(definition: Definition) -> set[str]:
    """Return the names of the steps that split rows: that write training rows and test rows."""
    return {
        step.name
        for step in definition.steps_of_type("Processing")
        if {TRAINING_ROWS, TEST_ROWS} <= {name for name, _, _ in step.outputs()}
    }


def without_rows(step: Step, definition: Definition) -> set[str | None]:
    """Return the channels of a training step that bring something else than rows.

    The hyperparameters, or the container's entry point, name the channel with the code.
    """
    channels: set[str | None] = {*definition.project.rowless_channels, *map(code_channel, step.entry_point)}
    for _, job in step.training_jobs():
        for parameters in ("HyperParameters", "StaticHyperParameters"):
            channels.add(code_channel(follow(job, parameters, "sagemaker_submit_directory")))
        command = listed(follow(job, "AlgorithmSpecification", "ContainerArguments"))
        if any(isinstance(word, str) and f"/{_DRIVERS}/" in word for word in command):
            channels |= {_DRIVERS, _CODE}
    return channels


def is_model(uri: Any, definition: Definition) -> bool:
    """Tell whether an input is a model, to continue from or to evaluate, and not rows."""
    return bool(models_at(uri, definition)) or pattern_of(uri, definition).endswith(".tar.gz")


def models_at(uri: Any, definition: Definition) -> set[str]:
    """Return the steps that fitted the model at a location: a training step, or a tuning step for its best model."""
    fitting = {step.name for step in definition.steps_of_type(*_FITTING_TYPES)}
    named = {found.reference.step for found in references(uri, "") if isinstance(found.reference, StepReference)}
    return fitting & named


@definition_check("fit-after-split", Severity.WARNING)
def fitted_after_the_split(definition: Definition) -> Iterator[Problem]:
    """Check that models are fitted on the training rows of a split, and on nothing else."""
    splits, project = _splits(definition), definition.project
    # Where nothing in the pipeline splits rows, they were split before, and where they come from is not known.
    split_here = splits or any(_runs(step, project.split_script) for step in definition.steps)
    splitting = ", ".join(sorted(splits)) or f"the step that runs {project.split_script}"
    for step in definition.steps_of_type(*_FITTING_TYPES) if split_here else ():
        no_rows = without_rows(step, definition)
        for name, path, uri in step.inputs():
            if name in no_rows or is_model(uri, definition):
                continue
            source = origin_below(uri, definition)
            if source is None or source[0] not in splits:
                # Of another project's channels, what they bring is known only where it is what the split reads.
                if project.split_script is None and _source(uri, definition) not in _unsplit(splits, definition):
                    continue
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
        if _runs(step, project.training_script):
            yield Problem(
                f"{step.script} runs in a processing job, where no channel says which rows it learns from.",
                "Run it in a training job.",
                step=step.name,
                field="Arguments.AppSpecification.ContainerEntrypoint",
            )


@definition_check("quality-gate", Severity.WARNING)
def registered_behind_a_gate(definition: Definition) -> Iterator[Problem]:
    """Check that a trained model is registered only behind a condition on its evaluation."""
    script = definition.project.evaluation_script
    evaluation = f"the step that runs {script}" if script else "its evaluation"
    for step in definition.steps_of_type("RegisterModel"):
        status = default_location(step.arguments.get("ModelApprovalStatus"), definition)
        if script is None and status == "PendingManualApproval":
            continue  # a person is the gate
        containers = objects(follow(step.arguments, "InferenceSpecification", "Containers"))
        trained = {model for _, item in containers for model in models_at(item.get("ModelDataUrl"), definition)}
        behind = [definition.step_named[guard.condition] for guard in step.guards if guard.branch == "IfSteps"]
        evaluated = {model for condition in behind for model in _evaluated_models(condition, definition)}
        for model in sorted(trained - evaluated):
            yield Problem(
                f"The model of {model} is registered whatever its evaluation says.",
                f"Put the step into if_steps of a condition on the property file of {evaluation}.",
                step=step.name,
                field=step.place,
            )


def _evaluated_models(condition: Step, definition: Definition) -> set[str]:
    """Return the training steps whose evaluation a condition looks at.

    Where no step runs the evaluation script, any result that came of the model counts as one.
    """
    script = definition.project.evaluation_script
    if not any(_runs(step, script) for step in definition.steps):
        return definition.all_upstream(condition.name)
    found: set[str] = set()
    for _, body in json_gets(condition.arguments, ""):
        reference = property_file_read(body)
        evaluation_step = definition.step_named.get(reference.step) if reference else None
        if evaluation_step is not None and _runs(evaluation_step, script):
            found |= {model for _, _, uri in evaluation_step.inputs() for model in models_at(uri, definition)}
    return found


@definition_check("no-refit-at-scoring", Severity.WARNING)
def nothing_is_fitted_at_scoring(definition: Definition) -> Iterator[Problem]:
    """Check that scoring fits nothing: its model comes from the registry."""
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
                "The model does not come from the registry, so it has not been approved.",
                "Give the container a ModelPackageName instead of image and model data.",
                step=step.name,
                field="Arguments.PrimaryContainer",
            )


def _scores(definition: Definition) -> bool:
    """Tell whether a pipeline makes predictions with an existing model."""
    purposes = {purpose for _, purpose in _purposes(definition)}
    fits = any(definition.steps_of_type(*_FITTING_TYPES))
    if purposes and (purposes == {"scoring"} or fits):
        return purposes == {"scoring"}
    if any(_runs(step, definition.project.selection_script) for step in definition.steps):
        return True
    registers = any(definition.steps_of_type("RegisterModel"))
    return not registers and any(_approved(step) for step in definition.steps_of_type("Model"))


def _containers(step: Step) -> list[Any]:
    """Return the containers of a Model step."""
    return [
        item for item in (step.arguments.get("PrimaryContainer"), *listed(step.arguments.get("Containers"))) if item
    ]


def _approved(step: Step) -> bool:
    """Tell whether all that a Model step takes comes from the registry."""
    containers = _containers(step)
    return bool(containers) and all(follow(item, "ModelPackageName") for item in containers)


def _prepared_for(purpose: str, definition: Definition) -> Iterator[Problem]:
    for step, found in _purposes(definition):
        if found != purpose:
            does = "trains" if purpose == "training" else "scores"
            yield Problem(
                f"The pipeline {does}, and its rows are prepared for {found!r}.",
                f"Pass {definition.project.purpose_flag} {purpose}.",
                step=step.name,
                field="Arguments.AppSpecification.ContainerArguments",
            )


#: Where rows come from: (step, output), or ("", location) where no step of the pipeline has written them.
_Source = tuple[str, str]
_INPUT = ("TransformInput", "DataSource", "S3DataSource", "S3Uri")


@definition_check("evaluated-on-test-rows", Severity.WARNING)
def evaluated_on_test_rows(definition: Definition) -> Iterator[Problem]:
    """Check that models are evaluated on test rows of the split that they were trained with."""
    deciding = _evaluating_steps(definition)
    for step in definition.steps_of_type("Processing"):
        if _runs(step, definition.project.evaluation_script):
            yield from _check_evaluation(step, definition)
        elif step.name in deciding:
            yield from _check_other_evaluation(step, definition)
    for step in definition.steps_of_type("Transform"):
        learned = _fitted_on(_served(step, definition), definition)
        source = _source(follow(step.arguments, *_INPUT), definition)
        if source in learned:
            yield Problem(
                f"The model makes predictions for {_shown(source)}, which it has learned from.",
                f"Take output {TEST_ROWS!r} of the step that splits rows, or new rows.",
                step=step.name,
                field=f"Arguments.{'.'.join(_INPUT)}",
            )


def _check_evaluation(step: Step, definition: Definition) -> Iterator[Problem]:
    """Check the evaluation script: its test rows are the input of that name, or come from an output of that name."""
    inputs = {name: (path, _source(uri, definition)) for name, path, uri in step.inputs()}
    learned = _fitted_on(_models_of(step, definition), definition)
    splits = {source[0] for source in learned if source[0]}
    named = [item for item in inputs.values() if item[1][0] in splits and item[1][1] == TEST_ROWS]
    path, evaluated_on = inputs.get(TEST_ROWS) or next(iter(named), ("Arguments.ProcessingInputs", ("", "")))
    # Where no step splits rows, they were split before, and each side has a location of its own.
    elsewhere = not splits and evaluated_on != ("", "")
    if evaluated_on in learned or not (elsewhere or (evaluated_on[0] in splits and evaluated_on[1] == TEST_ROWS)):
        yield Problem(
            f"Input {TEST_ROWS!r} is {_shown(evaluated_on)}: the model would not be evaluated on rows that its "
            "training left out.",
            f"Take output {TEST_ROWS!r} of {', '.join(sorted(splits)) or 'the step that splits rows'}.",
            step=step.name,
            field=path,
        )


def _check_other_evaluation(step: Step, definition: Definition) -> Iterator[Problem]:
    """Check any other script that evaluates: its test rows, or else one of its inputs, are new to the model."""
    models = _models_of(step, definition)
    learned = _fitted_on(models, definition)
    # What rows were split from has the training rows in it.
    unsplit = _unsplit({source[0] for source in learned if source[0]}, definition)
    rows = [
        (name, path, _source(uri, definition))
        for name, path, uri in step.inputs()
        if name != "code" and not is_model(uri, definition)
    ]
    called_test = [item for item in rows if item[0] == TEST_ROWS]
    seen = [item for item in called_test or rows if item[2] in learned | unsplit]
    if models and seen and len(seen) == len(called_test or rows):
        _, path, source = seen[0]
        yield Problem(
            f"The model of {', '.join(sorted(models))} is evaluated on {_shown(source)}, which it has learned from.",
            f"Take output {TEST_ROWS!r} of the step that splits rows.",
            step=step.name,
            field=path,
        )


def _evaluating_steps(definition: Definition) -> set[str]:
    """Return the processing steps that evaluate: by their script's name, or what reads their result."""
    found = {step.name for step in definition.steps_of_type("Processing") if (step.script or "").startswith("evaluat")}
    for step in definition.steps_of_type("Condition"):
        read = [property_file_read(body) for _, body in json_gets(step.arguments, "")]
        found |= {reference.step for reference in read if reference is not None}
    for step in definition.steps_of_type("RegisterModel"):
        metrics = follow(step.arguments, "ModelMetrics", "ModelQuality", "Statistics", "S3Uri")
        source = origin_below(metrics, definition)
        found |= {source[0]} if source else set()
    return found


def _unsplit(splits: set[str], definition: Definition) -> set[_Source]:
    """Return the sources of the rows that steps split."""
    return {
        _source(uri, definition)
        for split in splits
        for name, _, uri in definition.step_named[split].inputs()
        if name != "code"
    }


def _models_of(step: Step, definition: Definition) -> set[str]:
    return {model for _, _, uri in step.inputs() for model in models_at(uri, definition)}


def _served(step: Step, definition: Definition) -> set[str]:
    """Return the fitting steps whose model a transform uses, through the Model step between them."""
    made = definition.upstream.get(step.name, frozenset())
    containers = [
        item
        for model in (definition.step_named[name] for name in made)
        if model.type == "Model"
        for item in (
            model.arguments.get("PrimaryContainer"),
            *(item for _, item in objects(model.arguments.get("Containers"))),
        )
    ]
    return {name for item in containers for name in models_at(follow(item, "ModelDataUrl"), definition)}


def _fitted_on(models: set[str], definition: Definition) -> set[_Source]:
    """Return the sources of the rows that models were fitted on."""
    return {
        _source(uri, definition)
        for model in models
        for name, _, uri in definition.step_named[model].inputs()
        if name not in without_rows(definition.step_named[model], definition)
    }


def _source(uri: Any, definition: Definition) -> _Source:
    """Return where rows come from; the same expression is the same source, whatever its variables are."""
    found = origin_below(uri, definition)
    if found is not None:
        return found
    if isinstance(uri, str):
        return "", uri.rstrip("/")
    return "", str(follow(uri, GET) or json.dumps(uri, sort_keys=True))


def _shown(source: _Source) -> str:
    step, what = source
    return f"output {what!r} of {step}" if step else what or "nothing"
