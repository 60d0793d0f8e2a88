"""The progress of an execution, from the records of its steps. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from localmaker.services.sagemaker.pipelines.records import ExecutionStatus, StepRecord, StepStatus
from pipedef.language.graph import Decision, Graph, Outcome, decide, handled
from pipedef.language.model import StepType

FAILURE_REASON = "Step failure: One or multiple steps failed."
_OUTCOMES = {
    StepStatus.SUCCEEDED: Outcome.SUCCEEDED,
    StepStatus.FAILED: Outcome.FAILED,
    StepStatus.STOPPED: Outcome.STOPPED,
}


@dataclass(frozen=True)
class Progress:
    """The next possible steps and status of an execution.

    Attributes:
        ready: steps that may start, in the definition's order; none once a step has failed or stopped and no step is
            there to handle it.
        status: of the execution, if no more steps run.
        failure_reason: for that status.
    """

    ready: tuple[str, ...]
    status: ExecutionStatus
    failure_reason: str | None = None


def assess(graph: Graph, records: Mapping[str, StepRecord], running: Collection[str]) -> Progress:
    """Assess the steps that have started.

    Args:
        graph: of the definition.
        records: of the steps that have started, by name.
        running: steps whose thread has not ended yet. Dependent steps wait for that, so that events are in order; a
            failure counts at once.
    """
    outcomes = {name: _OUTCOMES.get(record.status, Outcome.RUNNING) for name, record in records.items()}
    now = _decide(graph, records, outcomes)
    bad = {
        record.status
        for name, record in records.items()
        if outcomes[name] in (Outcome.FAILED, Outcome.STOPPED) and not handled(graph, name, now.never)
    }
    if StepStatus.FAILED in bad:
        return Progress((), ExecutionStatus.FAILED, FAILURE_REASON)
    if bad:
        return Progress((), ExecutionStatus.STOPPED)
    settled = {**outcomes, **dict.fromkeys(running, Outcome.RUNNING)}
    survived = any(record.status is not StepStatus.SUCCEEDED for record in records.values())
    status = ExecutionStatus.COMPLETED_WITH_FAILURES if survived else ExecutionStatus.SUCCEEDED
    return Progress(_decide(graph, records, settled).ready, status)


def _decide(graph: Graph, records: Mapping[str, StepRecord], outcomes: Mapping[str, Outcome]) -> Decision:
    branches = {
        name: record.metadata["Condition"]["Outcome"]
        for name, record in records.items()
        if record.type == StepType.CONDITION and outcomes[name] is Outcome.SUCCEEDED
    }
    return decide(graph, outcomes, branches)
