"""See what a project's executions and jobs become, from their start on: some projects delete them at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from botocore.exceptions import ClientError

_POLL_SECONDS = 1.0
_ENDED = {"Succeeded", "Failed", "Stopped"}
_RUNNING = {"InProgress", "Stopping"}
_JOBS = ("processing", "training", "transform", "hyper_parameter_tuning")


@dataclass
class SeenStep:
    """A step of an execution."""

    name: str
    status: str
    failure: str | None = None


@dataclass
class SeenExecution:
    """An execution as it was seen last."""

    arn: str
    pipeline: str
    started: float
    status: str = "Executing"
    failure: str | None = None
    steps: list[SeenStep] = field(default_factory=list)

    @property
    def states(self) -> dict[str, str]:
        """Return the steps' states by name."""
        return {step.name: step.status for step in self.steps}


class Observer:
    """Looks at all executions until it is closed."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker
        self._seen: dict[str, SeenExecution] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Wait until every execution and job has ended, but no longer than that."""
        deadline = time.monotonic() + seconds
        self._look()
        while time.monotonic() < deadline and self._is_busy():
            time.sleep(_POLL_SECONDS)

    def _is_busy(self) -> bool:
        running = any(one.status not in _ENDED for one in self._seen.values())
        return running or any(label.rpartition(" ")[2] in _RUNNING for label in self.jobs())

    def executions(self) -> list[SeenExecution]:
        """Return the executions in order of their start."""
        return sorted(self._seen.values(), key=lambda one: one.started)

    def jobs(self) -> dict[str, int]:
        """Return how many jobs of each kind and status there are, those of executions included."""
        counted: dict[str, int] = {}
        for kind in _JOBS:
            name = "".join(part.capitalize() for part in kind.split("_"))
            for page in self._sagemaker.get_paginator(f"list_{kind}_jobs").paginate():
                for job in page[f"{name}JobSummaries"]:
                    label = f"{kind} {job[f'{name}JobStatus']}"
                    counted[label] = counted.get(label, 0) + 1
        return counted

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        for arn, pipeline, started in self._listed():
            found = self._seen.setdefault(arn, SeenExecution(arn, pipeline, started))
            if found.status not in _ENDED:
                self._update(found)

    def _listed(self) -> Iterator[tuple[str, str, float]]:
        try:
            for pipeline in self._all("list_pipelines", "PipelineSummaries"):
                name = pipeline["PipelineName"]
                for one in self._all("list_pipeline_executions", "PipelineExecutionSummaries", PipelineName=name):
                    yield one["PipelineExecutionArn"], name, one["StartTime"].timestamp()
        except ClientError:  # a pipeline was deleted in between
            return

    def _update(self, found: SeenExecution) -> None:
        try:
            described = self._sagemaker.describe_pipeline_execution(PipelineExecutionArn=found.arn)
            steps = self._all("list_pipeline_execution_steps", "PipelineExecutionSteps", PipelineExecutionArn=found.arn)
            found.steps = [
                SeenStep(step["StepName"], step["StepStatus"], step.get("FailureReason")) for step in reversed(steps)
            ]
        except ClientError:
            return
        # The state was asked for first: when it is final, so were the steps.
        found.failure = described.get("FailureReason")
        found.status = described["PipelineExecutionStatus"]

    def _all(self, operation: str, key: str, **arguments: Any) -> list[Any]:
        pages = self._sagemaker.get_paginator(operation).paginate(**arguments)
        return [one for page in pages for one in page[key]]
