"""What executions need from outside: jobs, AWS clients, a clock, and a receiver of events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from localmaker.services.iam.acting import Acting
from localmaker.services.iam.calls import Operation
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.pipelines.callback_tokens import Callbacks
from localmaker.services.sagemaker.pipelines.store import PipelineStore

ClientFactory = Callable[[str], Any]
Authorize = Callable[[Operation], None]
EventSink = Callable[[dict[str, Any]], object]


class JobService(Protocol):
    """The part of the job service that steps use."""

    def create(self, kind: JobKind, request: dict[str, Any]) -> str:
        """Start a job from a Create* request; return its ARN at once."""

    def wait(self, kind: JobKind, name: str) -> dict[str, Any]:
        """Block until a job has ended; return its Describe* response."""

    def stop(self, kind: JobKind, name: str) -> object:
        """Ask a job to stop."""


class TuningService(Protocol):
    """The part of the service of tuning jobs that steps use."""

    def create(self, request: dict[str, Any]) -> str:
        """Start a tuning job from a Create request; return its ARN at once."""

    def wait(self, name: str) -> dict[str, Any]:
        """Block until a tuning job has ended; return its Describe response with its best training jobs."""

    def stop(self, name: str) -> None:
        """Ask a tuning job to stop."""


class Clock(Protocol):
    """A clock, replaceable in tests."""

    def now(self) -> datetime:
        """Return the current time in UTC."""

    def pause(self, seconds: float, interrupt: threading.Event) -> bool:
        """Wait; return True when the interrupt came first."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    def pause(self, seconds: float, interrupt: threading.Event) -> bool:
        """Wait; return True when the interrupt came first."""
        return interrupt.wait(seconds)


def allow_everything(_operation: Operation) -> None:
    """Allow every operation."""


@dataclass(frozen=True)
class ExecutionServices:
    """Everything that an execution needs from outside.

    Attributes:
        state_dir: may contain the table of functions that Lambda steps call.
        functions: holds the calls of functions in progress.
        tuning: runs the jobs of Tuning steps.
        acting: gives executions clients and checks for their roles.
        client: with ``acting``, gives clients that act under the execution's role.
        own_client: gives the endpoint's own clients.
        authorize: checks operations that are done without a request; raises AwsError where the role does not allow one.
    """

    store: PipelineStore
    jobs: JobService
    client: ClientFactory
    clock: Clock
    emit: EventSink
    state_dir: Path
    callbacks: Callbacks
    functions: RunningFunctions
    tuning: TuningService | None = None
    acting: Acting | None = None
    own_client: ClientFactory | None = None
    authorize: Authorize = allow_everything

    def own(self, service: str) -> Any:
        """Return the endpoint's own client of a service, for work that the execution's role need not allow."""
        return (self.own_client or self.client)(service)
