"""What an execution does, it does under its role, with a request to the endpoint or without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from localmaker.services.iam.calls import Operation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.pipelines.ports import JobService, Tell, World
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord

# What SageMaker names the session in which it acts.
_SESSION = "SageMaker"


@dataclass(frozen=True)
class JobsOfRole:
    """The job service, as somebody uses it whose role has to allow each call.

    Every method raises AwsError where it does not.
    """

    jobs: JobService
    tell: Tell

    def create(self, kind: JobKind, request: dict[str, Any]) -> str:
        """Start a job; its role is passed on, and its tags are set."""
        self.tell(Operation("sagemaker", f"Create{kind}Job", request))
        return self.jobs.create(kind, request)

    def wait(self, kind: JobKind, name: str) -> dict[str, Any]:
        """Block until a job has ended."""
        self.tell(Operation("sagemaker", f"Describe{kind}Job", {kind.name_field: name}))
        return self.jobs.wait(kind, name)

    def stop(self, kind: JobKind, name: str) -> object:
        """Ask a job to stop."""
        self.tell(Operation("sagemaker", f"Stop{kind}Job", {kind.name_field: name}))
        return self.jobs.stop(kind, name)


def under_role(world: World, execution: ExecutionRecord) -> World:
    """The same world, where everything is done under the execution's role."""
    acting = world.acting
    if acting is None:
        return world

    def tell(operation: Operation) -> None:
        acting.call(execution.role_arn, execution.pipeline_arn, _SESSION, operation)

    return replace(
        world,
        jobs=JobsOfRole(world.jobs, tell),
        client=lambda service: acting.client(service, execution.role_arn, execution.pipeline_arn, _SESSION),
        own_client=world.client,
        tell=tell,
    )
