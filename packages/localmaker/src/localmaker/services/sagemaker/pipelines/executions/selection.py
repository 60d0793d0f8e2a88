"""Selective execution: run some steps of a pipeline again on the results of an earlier execution. Pure functions.

AWS's rules: steps between two selected steps must be selected, too; every other step that a selected step waits for
must have succeeded in the source execution, whose results replace it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.records import StepRecord, StepStatus
from pipedef.language.graph import Graph, Node


def restrict(graph: Graph, selected: Sequence[str] | None) -> Graph:
    """Return the selected steps and those whose earlier results they use; the latter wait for nothing."""
    if selected is None:
        return graph
    reused = _needed(graph, selected)
    return {
        name: node if name in selected else Node(name, {}, ())
        for name, node in graph.items()
        if name in selected or name in reused
    }


def reused_steps(graph: Graph, selected: Sequence[str], source: Mapping[str, StepRecord] | None) -> list[StepRecord]:
    """Return the records of the source execution that replace steps that are not selected.

    Args:
        graph: of the definition that is to run.
        selected: names of the steps to run.
        source: steps of the source execution by name; None when no source was given.

    Raises:
        AwsError: ValidationException for a selection that cannot run, naming the missing step.
    """
    unknown = [name for name in selected if name not in graph]
    if unknown:
        _refuse(f"Selected step [{unknown[0]}] does not exist in the pipeline. Its steps: {', '.join(graph)}.")
    between = sorted(set(_between(graph, selected)) - set(selected))
    if between:
        _refuse(f"Step [{between[0]}] lies between selected steps and must be selected, too.")
    needed = _needed(graph, selected)
    if needed and source is None:
        waiting = [name for name in selected if not graph[name].waits_for() <= set(selected)]
        _refuse(
            f"Invalid SourcePipelineExecutionArn: null. The selected steps [{', '.join(waiting)}] have dependencies "
            f"on [{', '.join(sorted(needed))}]"
        )
    found = source or {}
    for name, dependent in needed.items():
        if name not in found or found[name].status is not StepStatus.SUCCEEDED:
            _refuse(
                f"Selected step [{dependent}] depends on step [{name}], which has not succeeded in the source "
                "execution. Select it, too, or choose another source execution."
            )
    for name in selected:
        for guard in graph[name].guards:
            if guard.condition in needed and found[guard.condition].metadata["Condition"]["Outcome"] != guard.outcome:
                _refuse(
                    f"Selected step [{name}] lies in the branch of [{guard.condition}] that the source execution did "
                    "not take. Select the Condition step, too."
                )
    return sorted((found[name] for name in needed), key=lambda record: record.position)


def _needed(graph: Graph, selected: Sequence[str]) -> dict[str, str]:
    """Return the steps that are not selected and that selected steps wait for, each with one of those."""
    return {
        upstream: name for name in selected for upstream in sorted(graph[name].waits_for()) if upstream not in selected
    }


def _between(graph: Graph, selected: Sequence[str]) -> Iterator[str]:
    """Yield every step on a path from one selected step to another."""
    above = {name: _ancestors(graph, name) for name in graph}
    for name in graph:
        if above[name] & set(selected) and any(name in above[other] for other in selected):
            yield name


def _ancestors(graph: Graph, name: str) -> frozenset[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        for upstream in graph[todo.pop()].waits_for():
            if upstream not in found:
                found.add(upstream)
                todo.append(upstream)
    return frozenset(found)


def _refuse(message: str) -> NoReturn:
    raise AwsError("ValidationException", message)
