"""On which rows a model is judged: on rows that its training has left out, and on no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipedef.checks.data_flow import EVALUATION_SCRIPT, TEST_ROWS, is_model, models_at, without_rows
from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import origin_below
from pipedef.document.values import follow, json_gets, objects, property_file_read
from pipedef.language.expressions import GET

#: Where rows come from: (step, output), or ("", location) where no step of the pipeline has written them.
_Source = tuple[str, str]
_INPUT = ("TransformInput", "DataSource", "S3DataSource", "S3Uri")


@definition_check("evaluated-on-test-rows", "models are judged on test rows of the split that they were trained with")
def evaluated_on_test_rows(definition: Definition) -> Iterator[Problem]:
    deciding = _deciding(definition)
    for step in definition.steps_of_type("Processing"):
        if step.script == EVALUATION_SCRIPT:
            yield from _evaluation(step, definition)
        elif step.name in deciding:
            yield from _judge(step, definition)
    for step in definition.steps_of_type("Transform"):
        learned = _learned(_served(step, definition), definition)
        source = _source(follow(step.arguments, *_INPUT), definition)
        if source in learned:
            yield Problem(
                f"The model makes predictions for {_shown(source)}, which it has learned from.",
                f"Take output {TEST_ROWS!r} of the step that splits rows, or new rows.",
                step=step.name,
                field=f"Arguments.{'.'.join(_INPUT)}",
            )


def _evaluation(step: Step, definition: Definition) -> Iterator[Problem]:
    """The evaluation script is told its test rows by the name of the input, or takes them from an output so named."""
    inputs = {name: (path, _source(uri, definition)) for name, path, uri in step.inputs()}
    learned = _learned(_models_of(step, definition), definition)
    splits = {source[0] for source in learned if source[0]}
    named = [item for item in inputs.values() if item[1][0] in splits and item[1][1] == TEST_ROWS]
    path, judged_on = inputs.get(TEST_ROWS) or next(iter(named), ("Arguments.ProcessingInputs", ("", "")))
    # Where no step splits rows, they come split, each side from a place of its own.
    elsewhere = not splits and judged_on != ("", "")
    if judged_on in learned or not (elsewhere or (judged_on[0] in splits and judged_on[1] == TEST_ROWS)):
        yield Problem(
            f"Input {TEST_ROWS!r} is {_shown(judged_on)}: the model would not be judged on rows that its training "
            "left out.",
            f"Take output {TEST_ROWS!r} of {', '.join(sorted(splits)) or 'the step that splits rows'}.",
            step=step.name,
            field=path,
        )


def _judge(step: Step, definition: Definition) -> Iterator[Problem]:
    """Another script may say nothing of its inputs: at least one has to bring rows that the training has not seen, and
    what is called test rows has to.
    """
    models = _models_of(step, definition)
    learned = _learned(models, definition)
    # What rows were split from has the training rows in it.
    whole = {
        _source(uri, definition)
        for split in {source[0] for source in learned if source[0]}
        for name, _, uri in definition.step_named[split].inputs()
        if name != "code"
    }
    rows = [
        (name, path, _source(uri, definition))
        for name, path, uri in step.inputs()
        if name != "code" and not is_model(uri, definition)
    ]
    called_test = [item for item in rows if item[0] == TEST_ROWS]
    seen = [item for item in called_test or rows if item[2] in learned | whole]
    if models and seen and len(seen) == len(called_test or rows):
        _, path, source = seen[0]
        yield Problem(
            f"The model of {', '.join(sorted(models))} is judged on {_shown(source)}, which it has learned from.",
            f"Take output {TEST_ROWS!r} of the step that splits rows.",
            step=step.name,
            field=path,
        )


def _deciding(definition: Definition) -> set[str]:
    """Processing steps whose results a condition reads or a registered model carries; and those named for it."""
    found = {step.name for step in definition.steps_of_type("Processing") if (step.script or "").startswith("evaluat")}
    for step in definition.steps_of_type("Condition"):
        read = [property_file_read(body) for _, body in json_gets(step.arguments, "")]
        found |= {reference.step for reference in read if reference is not None}
    for step in definition.steps_of_type("RegisterModel"):
        metrics = follow(step.arguments, "ModelMetrics", "ModelQuality", "Statistics", "S3Uri")
        source = origin_below(metrics, definition)
        found |= {source[0]} if source else set()
    return found


def _models_of(step: Step, definition: Definition) -> set[str]:
    return {model for _, _, uri in step.inputs() for model in models_at(uri, definition)}


def _served(step: Step, definition: Definition) -> set[str]:
    """The fitting steps whose model a transform uses, by way of the step that made it a model."""
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


def _learned(models: set[str], definition: Definition) -> set[_Source]:
    """Where the rows come from that models have learned from."""
    return {
        _source(uri, definition)
        for model in models
        for name, _, uri in definition.step_named[model].inputs()
        if name not in without_rows(definition.step_named[model])
    }


def _source(uri: Any, definition: Definition) -> _Source:
    """Where rows come from; the same text is the same place, whatever its variables turn out to be."""
    found = origin_below(uri, definition)
    if found is not None:
        return found
    if isinstance(uri, str):
        return "", uri.rstrip("/")
    return "", str(follow(uri, GET) or json.dumps(uri, sort_keys=True))


def _shown(source: _Source) -> str:
    step, what = source
    return f"output {what!r} of {step}" if step else what or "nothing"
