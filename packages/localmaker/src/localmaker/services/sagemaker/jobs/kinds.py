"""The three kinds of job and what differs between them in names only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobKind(StrEnum):
    """A kind of job, spelled as in the names of its operations."""

    PROCESSING = "Processing"
    TRAINING = "Training"
    TRANSFORM = "Transform"

    @property
    def name_field(self) -> str:
        """``TrainingJobName`` and the like."""
        return f"{self.value}JobName"

    @property
    def arn_field(self) -> str:
        return f"{self.value}JobArn"

    @property
    def status_field(self) -> str:
        return f"{self.value}JobStatus"

    @property
    def resource(self) -> str:
        """Resource type in ARNs: ``training-job``."""
        return f"{self.value.lower()}-job"

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/{self.value}Jobs"

    def describe_not_found(self, name: str) -> str:
        """AWS's words for a job that does not exist, which differ between kinds."""
        if self is JobKind.TRAINING:
            return "Requested resource not found."
        return f"Could not find requested job with name: {name}"


class JobStatus(StrEnum):
    """A job's status, the same words for all kinds."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def terminal(self) -> bool:
        return self not in (JobStatus.IN_PROGRESS, JobStatus.STOPPING)


@dataclass(frozen=True)
class JobId:
    """A job's identity. Names are unique within a kind."""

    kind: JobKind
    name: str

    @classmethod
    def of_arn(cls, arn: str) -> JobId | None:
        """The job that an ARN names, or None for the ARN of something else."""
        resource, _, name = arn.split(":", 5)[-1].partition("/")
        return next((cls(kind, name) for kind in JobKind if kind.resource == resource), None)
