"""What the engine needs from outside: jobs, AWS clients, a clock, and somewhere to send events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from localmaker.services.iam.acting import Acting
from localmaker.services.iam.calls import Operation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.pipelines.callback_tokens import Callbacks
from localmaker.services.sagemaker.pipelines.store import PipelineStore

ClientFactory = Callable[[str], Any]
Tell = Callable[[Operation], None]
EventSink = Callable[[dict[str, Any]], object]


class JobService(Protocol):
    """The part of the job service that steps use."""

    def create(self, kind: JobKind, request: dict[str, Any]) -> str:
        """Start a job from a Create* request; returns its ARN at once."""

    def wait(self, kind: JobKind, name: str) -> dict[str, Any]:
        """Block until a job has ended; returns its Describe* response."""

    def stop(self, kind: JobKind, name: str) -> object:
        """Ask a job to stop."""


class Clock(Protocol):
    """Time, replaceable in tests."""

    def now(self) -> datetime:
        """The time, with time zone UTC."""

    def pause(self, seconds: float, interrupt: threading.Event) -> bool:
        """Wait; True when the interrupt came first."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """The time, with time zone UTC."""
        return datetime.now(UTC)

    def pause(self, seconds: float, interrupt: threading.Event) -> bool:
        """Wait; True when the interrupt came first."""
        return interrupt.wait(seconds)


def tell_nobody(_operation: Operation) -> None:
    """Everything is allowed."""


@dataclass(frozen=True)
class World:
    """Everything outside of one execution. ``state_dir`` may hold the table of functions that Lambda steps call.

    Where there is ``acting``, ``client`` gives clients that act under the execution's role, ``own_client`` the
    endpoint's, and ``tell`` is told what is done without a request; it raises AwsError where the role may not.
    """

    store: PipelineStore
    jobs: JobService
    client: ClientFactory
    clock: Clock
    emit: EventSink
    state_dir: Path
    callbacks: Callbacks
    acting: Acting | None = None
    own_client: ClientFactory | None = None
    tell: Tell = tell_nobody

    def own(self, service: str) -> Any:
        """Return the endpoint's own client of a service, for work that the execution's role need not allow."""
        return (self.own_client or self.client)(service)
