"""Everything that an execution does is done under its role, whether by a request to the endpoint or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from localmaker.services.iam.calls import Operation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.pipelines.ports import Authorize, ExecutionServices, JobService
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord

# The name of the sessions in which SageMaker acts.
_SESSION = "SageMaker"


@dataclass(frozen=True)
class JobsOfRole:
    """The job service for a caller whose role has to allow each call.

    Every method raises AwsError where the role does not.
    """

    jobs: JobService
    authorize: Authorize

    def create(self, kind: JobKind, request: dict[str, Any]) -> str:
        """Start a job."""
        self.authorize(Operation("sagemaker", f"Create{kind}Job", request))
        return self.jobs.create(kind, request)

    def wait(self, kind: JobKind, name: str) -> dict[str, Any]:
        """Block until a job has ended."""
        self.authorize(Operation("sagemaker", f"Describe{kind}Job", {kind.name_field: name}))
        return self.jobs.wait(kind, name)

    def stop(self, kind: JobKind, name: str) -> object:
        """Ask a job to stop."""
        self.authorize(Operation("sagemaker", f"Stop{kind}Job", {kind.name_field: name}))
        return self.jobs.stop(kind, name)


def under_role(services: ExecutionServices, execution: ExecutionRecord) -> ExecutionServices:
    """Return the same services, used under the execution's role."""
    acting = services.acting
    if acting is None:
        return services

    def authorize(operation: Operation) -> None:
        acting.call(execution.role_arn, execution.pipeline_arn, _SESSION, operation)

    return replace(
        services,
        jobs=JobsOfRole(services.jobs, authorize),
        client=lambda service: acting.client(service, execution.role_arn, execution.pipeline_arn, _SESSION),
        own_client=services.client,
        authorize=authorize,
    )
