"""The kinds of job, and the names that differ between them."""

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
        """Member with the job's name, such as ``TrainingJobName``."""
        return f"{self.value}JobName"

    @property
    def arn_field(self) -> str:
        """Member with the job's ARN, such as ``TrainingJobArn``."""
        return f"{self.value}JobArn"

    @property
    def status_field(self) -> str:
        """Member with the job's status, such as ``TrainingJobStatus``."""
        return f"{self.value}JobStatus"

    @property
    def resource(self) -> str:
        """Resource type in ARNs, such as ``training-job``."""
        return f"{self.value.lower()}-job"

    @property
    def log_group(self) -> str:
        """CloudWatch Logs group, such as ``/aws/sagemaker/TrainingJobs``."""
        return f"/aws/sagemaker/{self.value}Jobs"

    def describe_not_found(self, name: str) -> str:
        """Return AWS's message for a job that does not exist."""
        if self is JobKind.TRAINING:
            return "Requested resource not found."
        return f"Could not find requested job with name: {name}"


class JobStatus(StrEnum):
    """The status of a job of any kind."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def terminal(self) -> bool:
        """The job has ended."""
        return self not in (JobStatus.IN_PROGRESS, JobStatus.STOPPING)


@dataclass(frozen=True)
class JobId:
    """The identity of a job. Names are unique within a kind."""

    kind: JobKind
    name: str

    @classmethod
    def of_arn(cls, arn: str) -> JobId | None:
        """Return the job that an ARN names; None for the ARN of anything else."""
        resource, _, name = arn.split(":", 5)[-1].partition("/")
        return next((cls(kind, name) for kind in JobKind if kind.resource == resource), None)
